"""Manifest files, read and judged before anything is applied: every mistake with its place and what to do.

A set of files is good only as a whole: `read_manifests` returns all objects, or raises `BadManifests` with every mistake found.
The rules are the API's own (schema, defaults, validation in `api/`); here they get file, line and column, and a next step
(`manifest_advice.py`).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from lifepod.api import decode, schema
from lifepod.api.field_errors import FieldError
from lifepod.api.image_reference import BadReference, parse
from lifepod.api.kinds import Kind, KindRegistry
from lifepod.api.objects import JsonObject, JsonValue, dig, replaced
from lifepod.api.yaml_text import Document, Place, YamlError, read_documents
from lifepod.client import manifest_advice as advise
from lifepod.errors import LifepodError

STDIN = "-"


class Mistake(NamedTuple):
    """One thing wrong. `what` is the first line; `advice` says why and what to do, a line each."""

    source: str
    place: Place | None
    what: str
    advice: tuple[str, ...] = ()

    def __str__(self) -> str:
        at = f":{self.place.line}:{self.place.column}" if self.place else ""
        return "\n".join([f"{self.source}{at}: {self.what}", *(f"  {line}" for line in self.advice)])


class BadManifests(LifepodError):
    """Nothing was applied; `mistakes` says why, in the order of the files."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = tuple(mistakes)


class Manifest(NamedTuple):
    """One object to apply: as written, with the namespace filled in."""

    source: str
    place: Place
    kind: Kind
    namespace: str
    name: str
    obj: JsonObject


def read_manifests(
    names: Sequence[str], kinds: KindRegistry, namespace: str = "default", stdin: Callable[[], bytes] | None = None
) -> list[Manifest]:
    """The objects of all files (`-`: standard input; a folder: its .yaml, .yml and .json files). Raises BadManifests."""
    found: list[Manifest] = []
    mistakes: list[Mistake] = []
    for name in names:
        for source, text in _texts(name, stdin or sys.stdin.buffer.read, mistakes):
            for document, value, path in _objects(source, text, mistakes):
                _judge(source, document, value, path, kinds, namespace, found, mistakes)
    mistakes += _twice(found)
    if mistakes:
        raise BadManifests(mistakes)
    return found


def _texts(name: str, stdin: Callable[[], bytes], mistakes: list[Mistake]) -> Iterator[tuple[str, bytes]]:
    if name == STDIN:
        yield "standard input", stdin()
        return
    path = Path(name)
    files = sorted(p for p in path.iterdir() if p.suffix in (".yaml", ".yml", ".json")) if path.is_dir() else [path]
    if not files:
        mistakes.append(Mistake(name, None, "this folder has no .yaml, .yml or .json file"))
    for file in files:
        try:
            yield str(file), file.read_bytes()
        except FileNotFoundError:
            near = advise.nearest(file.name, [p.name for p in file.parent.glob("*")] if file.parent.is_dir() else [])
            advice = (
                f"Did you mean {file.parent / near}?"
                if near
                else "Check the path; it is read from the folder you stand in."
            )
            mistakes.append(Mistake(name, None, "there is no such file", (advice,)))
        except OSError as exc:
            mistakes.append(Mistake(name, None, f"cannot be read: {exc.strerror}"))


def _objects(
    source: str, text: bytes, mistakes: list[Mistake]
) -> Iterator[tuple[Document, JsonValue, tuple[str | int, ...]]]:
    """Every object of a text with its path in its document; a List gives its items."""
    try:
        documents = read_documents(text)
    except YamlError as exc:
        mistakes.append(Mistake(source, Place(exc.line, exc.column), exc.message, advise.of_syntax(exc, text)))
        return
    if not documents:
        mistakes.append(
            Mistake(source, None, "there is no object in it", ("A manifest starts with `apiVersion:` and `kind:`.",))
        )
    for document in documents:
        value = document.value
        if (
            isinstance(value, dict)
            and str(value.get("kind", "")).endswith("List")
            and isinstance(value.get("items"), list)
        ):
            for i, item in enumerate(value["items"]):
                yield document, item, ("items", i)
        else:
            yield document, value, ()


def _judge(
    source: str,
    document: Document,
    value: JsonValue,
    path: tuple[str | int, ...],
    kinds: KindRegistry,
    namespace: str,
    found: list[Manifest],
    mistakes: list[Mistake],
) -> None:
    place = document.place(path)
    if not isinstance(value, dict):
        what = f"an object is a map with apiVersion, kind and metadata, not {_shown(value)}"
        mistakes.append(Mistake(source, place, what))
        return
    kind = _kind_of(source, document, value, path, kinds, mistakes)
    if kind is None:
        return
    title = f'{kind.kind} "{dig(value, "metadata", "name") or dig(value, "metadata", "generateName") or ""}"'
    say = _Reporter(source, document, path, title, mistakes)
    before = len(mistakes)
    obj = _decoded(value, kind, say)
    if len(mistakes) > before:
        return
    meta = obj.get("metadata") or {}
    at = (meta.get("namespace") or namespace) if kind.namespaced else ""
    obj = replaced(obj, ("metadata", "namespace"), at) if at else obj
    for error in kind.validate(_prepared(kind, kind.default(obj))):
        say.field_error(error)
    _image_names(obj, kind, say)
    mistakes[before:] = sorted(mistakes[before:], key=lambda mistake: mistake.place or place)
    if len(mistakes) == before:
        found.append(Manifest(source, place, kind, at, meta.get("name", ""), obj))


def _prepared(kind: Kind, obj: JsonObject) -> JsonObject:
    """As the API would have it at validation: an object has a uid by then (Jobs make their selector of it)."""
    return kind.prepare_create(replaced(obj, ("metadata", "uid"), "00000000-0000-4000-8000-000000000000"))


def _kind_of(
    source: str,
    document: Document,
    value: JsonObject,
    path: tuple[str | int, ...],
    kinds: KindRegistry,
    mistakes: list[Mistake],
) -> Kind | None:
    api_version, name = value.get("apiVersion"), value.get("kind")
    for field, written in (("apiVersion", api_version), ("kind", name)):
        if not isinstance(written, str) or not written:
            keys = [str(k) for k in value]
            place = document.place((*path, advise.nearest(field, keys) or field))
            mistakes.append(Mistake(source, place, f"{field}: Required value", advise.of_missing_head(field, keys)))
            return None
    kind = kinds.named(str(api_version), str(name))
    if kind is None:
        place = document.place((*path, "kind"))
        mistakes.append(
            Mistake(
                source,
                place,
                f'no kind "{name}" is known in version "{api_version}"',
                advise.of_kind(str(api_version), str(name), kinds),
            )
        )
    return kind


class _Reporter:
    """Turns what the API's rules say of one object into mistakes with places."""

    def __init__(
        self, source: str, document: Document, base: tuple[str | int, ...], title: str, mistakes: list[Mistake]
    ) -> None:
        self._source, self._document, self._base, self._title, self._mistakes = source, document, base, title, mistakes

    def say(self, path: str, what: str, advice: tuple[str, ...] = ()) -> None:
        place = self._document.place((*self._base, *steps(path)))
        self._mistakes.append(Mistake(self._source, place, f"{self._title}: {what}", advice))

    def field_error(self, error: FieldError) -> None:
        self.say(error.path, str(error), advise.of_field(error))

    def wrong_type(self, path: str, wanted: str, value: JsonValue) -> None:
        """Another type stands there than the schema wants."""
        node = self._document.node((*self._base, *steps(path)))
        article = "a " if wanted in ("list", "map") else ""
        advice = advise.of_type(wanted, value, node.text if node else "")
        self.say(path, f"{path}: {article}{wanted} is wanted here, not {_shown(value)}", advice)


def steps(path: str) -> tuple[str | int, ...]:
    """`spec.containers[0].image` → ("spec", "containers", 0, "image")."""
    found: list[str | int] = []
    for match in re.finditer(r"\[(\d+)\]|\[([^\]]*)\]|([^.\[\]]+)", path):
        found.append(int(match[1]) if match[1] is not None else match[2] or match[3] or "")  # noqa: PERF401
    return tuple(found)


def _decoded(value: JsonObject, kind: Kind, say: _Reporter) -> JsonObject:
    """The object as its schema has it; unknown fields and wrong types are reported."""
    type_ = schema.type_named(kind.schema)
    _types(value, type_, "", say)
    try:
        obj, problems = decode.prune(value, type_)
    except decode.DecodeError as exc:
        if not say._mistakes or not str(say._mistakes[-1].what).startswith(say._title):
            say.say("", str(exc))
        return value
    for problem in problems:
        match = re.fullmatch(r'unknown field "(.*)"', problem)
        if match:
            say.say(match[1], f"{match[1]}: there is no such field", advise.of_unknown_field(steps(match[1]), type_))
        else:
            say.say("", problem)
    return obj


def _types(value: JsonValue, type_: schema.Type, path: str, say: _Reporter) -> None:
    """Wrong types, told in the user's terms; `decode` would stop at the first one."""
    for name, member in value.items():
        field = type_.fields.get(name)
        if field is None or member is None:
            continue
        at = f"{path}.{name}" if path else name
        wanted = _wanted(field)
        if wanted in _IS_RIGHT and not _IS_RIGHT[wanted](member):
            say.wrong_type(at, wanted, member)
        elif isinstance(member, list) and field.type.item is not None and field.type.item.kind == "object":
            _items(member, field.type.item, at, say)
        elif isinstance(member, dict) and field.type.kind == "object":
            _types(member, field.type, at, say)
        elif isinstance(member, dict) and field.type.item is not None and field.type.item.kind in _WANTED:
            _types(member, _same_for_all(member, field.type.item), at, say)


def _same_for_all(members: JsonObject, item: schema.Type) -> schema.Type:
    """A map's values have one type: the map seen as an object that has just these fields."""
    return schema.Type("object", fields={name: schema.Field(name, item) for name in members})


def _items(items: list[JsonValue], type_: schema.Type, path: str, say: _Reporter) -> None:
    for i, item in enumerate(items):
        at = f"{path}[{i}]"
        if isinstance(item, dict):
            _types(item, type_, at, say)
        else:
            say.wrong_type(at, "map", item)


_IS_RIGHT: dict[str, Callable[[JsonValue], bool]] = {
    "list": lambda v: isinstance(v, list),
    "map": lambda v: isinstance(v, dict),
    "text": lambda v: isinstance(v, str),
    "a whole number": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "true or false": lambda v: isinstance(v, bool),
    "a quantity such as 500m or 64Mi": lambda v: isinstance(v, (int, float)) or _is_quantity(v),
}


def _is_quantity(value: JsonValue) -> bool:
    return isinstance(value, str) and bool(
        re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([KMGTPE]i|[numkMGTPE]?|[eE][+-]?\d+)", value)
    )


_WANTED = {
    "array": "list",
    "map": "map",
    "object": "map",
    "string": "text",
    "int32": "a whole number",
    "int64": "a whole number",
    "boolean": "true or false",
    "quantity": "a quantity such as 500m or 64Mi",
}


def _wanted(field: schema.Field) -> str:
    return _WANTED.get(field.type.kind, "")


def _shown(value: JsonValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'the text "{value[:40]}"'
    if isinstance(value, (dict, list)):
        return "a map" if isinstance(value, dict) else "a list"
    return f"the number {value}"


def _image_names(obj: JsonObject, kind: Kind, say: _Reporter) -> None:
    """A kubelet finds a bad image name only when it starts the container; here it is found in the file."""
    for prefix, spec in _pod_specs(obj, kind):
        for part in ("initContainers", "containers"):
            for i, container in enumerate(spec.get(part) or []):
                image, path = container.get("image"), f"{prefix}{part}[{i}].image"
                if not isinstance(image, str) or not image:
                    continue
                try:
                    parse(image)
                except BadReference as exc:
                    say.say(path, f'{path}: Invalid value: "{image}": {exc}', advise.of_image(image))


def _pod_specs(obj: JsonObject, kind: Kind) -> Iterator[tuple[str, JsonObject]]:
    for path in (("spec",), ("spec", "template", "spec"), ("spec", "jobTemplate", "spec", "template", "spec")):
        spec = dig(obj, *path)
        if isinstance(spec, dict) and "containers" in spec and (kind.kind == "Pod") == (len(path) == 1):
            yield ".".join(path) + ".", spec


def _twice(found: list[Manifest]) -> Iterator[Mistake]:
    seen: dict[tuple[str, str, str], Manifest] = {}
    for manifest in found:
        key = (manifest.kind.resource, manifest.namespace, manifest.name)
        first = seen.setdefault(key, manifest)
        if first is not manifest and manifest.name:
            what = f'{manifest.kind.kind} "{manifest.name}" stands here a second time; first in {first.source}:{first.place.line}'
            yield Mistake(manifest.source, manifest.place, what, ("Rename one of the two, or remove it.",))
