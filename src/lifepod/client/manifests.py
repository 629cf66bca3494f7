"""Manifest files, read and judged before anything is applied: every mistake with its place and what to do.

A set of files is good only as a whole: `read_manifests` returns all objects, or raises `BadManifests` with every mistake found.
The rules are the API's own (schema, defaults, validation in `api/`); here they get file, line and column, and a next step.
"""

from __future__ import annotations

import difflib
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
            near = difflib.get_close_matches(
                file.name, [p.name for p in file.parent.glob("*")] if file.parent.is_dir() else [], 1
            )
            advice = (
                (f"Did you mean {file.parent / near[0]}?",)
                if near
                else ("Check the path; it is read from the folder you stand in.",)
            )
            mistakes.append(Mistake(name, None, "there is no such file", advice))
        except OSError as exc:
            mistakes.append(Mistake(name, None, f"cannot be read: {exc.strerror}"))


def _objects(
    source: str, text: bytes, mistakes: list[Mistake]
) -> Iterator[tuple[Document, JsonValue, tuple[str | int, ...]]]:
    """Every object of a text with its path in its document; a List gives its items."""
    try:
        documents = read_documents(text)
    except YamlError as exc:
        mistakes.append(Mistake(source, Place(exc.line, exc.column), exc.message, (exc.hint,) if exc.hint else ()))
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
        shown = f'"{str(value)[:40]}"'
        mistakes.append(Mistake(source, place, f"an object is a map with apiVersion, kind and metadata, not {shown}"))
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
            near = difflib.get_close_matches(field, [str(k) for k in value], 1)
            advice = (
                (f"`{near[0]}` should be `{field}`.",)
                if near and near[0] != field
                else (f"Add a line such as `{field}: {'v1' if field == 'apiVersion' else 'Pod'}`.",)
            )
            mistakes.append(
                Mistake(source, document.place((*path, near[0] if near else field)), f"{field}: Required value", advice)
            )
            return None
    kind = kinds.named(str(api_version), str(name))
    if kind is None:
        place = document.place((*path, "kind"))
        mistakes.append(
            Mistake(
                source,
                place,
                f'no kind "{name}" is known in version "{api_version}"',
                _kind_advice(str(api_version), str(name), kinds),
            )
        )
    return kind


def _kind_advice(api_version: str, name: str, kinds: KindRegistry) -> tuple[str, ...]:
    elsewhere = [k.api_version for k in kinds if k.kind == name]
    if elsewhere:
        return (f"{name} is in `apiVersion: {elsewhere[0]}`.",)
    near = difflib.get_close_matches(name, {k.kind for k in kinds}, 1)
    if near:
        version = next(k.api_version for k in kinds if k.kind == near[0])
        return (f"Did you mean `kind: {near[0]}` (apiVersion: {version})?",)
    return ("A CustomResourceDefinition must be applied before its objects.",)


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
        self.say(error.path, str(error), _advice(error))

    def written(self, path: str) -> str:
        """A scalar as it stands in the file."""
        node = self._document.node((*self._base, *steps(path)))
        return node.text if node else ""


def steps(path: str) -> tuple[str | int, ...]:
    """`spec.containers[0].image` → ("spec", "containers", 0, "image")."""
    found: list[str | int] = []
    for match in re.finditer(r"\[(\d+)\]|\[([^\]]*)\]|([^.\[\]]+)", path):
        found.append(int(match[1]) if match[1] is not None else match[2] or match[3] or "")  # noqa: PERF401
    return tuple(found)


def _advice(error: FieldError) -> tuple[str, ...]:
    member = error.path.rpartition(".")[2]
    if error.type == "FieldValueRequired":
        example = {"image": "busybox:1.36", "name": "my-name", "restartPolicy": "Never"}.get(member)
        if member == "containers":
            return ("A pod needs at least one entry under `containers:`.",)
        return (f"Add a line such as `{member}: {example}`.",) if example else (f"Add `{member}`.",)
    return ()


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
            say.say(match[1], f"{match[1]}: there is no such field", _unknown_advice(match[1], type_))
        else:
            say.say("", problem)
    return obj


def _unknown_advice(path: str, type_: schema.Type) -> tuple[str, ...]:
    *parents, last = steps(path)
    at: schema.Type | None = type_
    for step in parents:
        if at is not None and isinstance(step, int):
            at = at.item
        elif at is not None:
            at = at.fields[step].type if step in at.fields else at.item
    if at is None or not at.fields:
        return ()
    near = difflib.get_close_matches(str(last), at.fields, 1, 0.6)
    return (f"Did you mean `{near[0]}`?",) if near else (f"Known here: {', '.join(sorted(at.fields))}.",)


def _types(value: JsonValue, type_: schema.Type, path: str, say: _Reporter) -> None:
    """Wrong types, told in the user's terms; `decode` would stop at the first one."""
    for name, member in value.items():
        field = type_.fields.get(name)
        if field is None or member is None:
            continue
        at = f"{path}.{name}" if path else name
        wanted = _wanted(field)
        if wanted == "list" and not isinstance(member, list):
            say.say(
                at, f"{at}: a list is wanted here, not {_shown(member)}", ("Each entry of a list starts with `- `.",)
            )
        elif wanted == "map" and not isinstance(member, dict):
            say.say(at, f"{at}: a map is wanted here, not {_shown(member)}")
        elif wanted in _SCALARS and not _SCALARS[wanted](member):
            advice = (
                (f'Put it in quotes: "{say.written(at)}".',)
                if wanted == "text" and not isinstance(member, (dict, list))
                else ()
            )
            say.say(at, f"{at}: {wanted} is wanted here, not {_shown(member)}", advice)
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
            word = re.match(r"([A-Za-z]\w*):(\S+)$", str(item))
            advice = (f"Put a space after the colon: `- {word[1]}: {word[2]}`.",) if word else ()
            say.say(at, f"{at}: a map is wanted here, not {_shown(item)}", advice)


_SCALARS: dict[str, Callable[[JsonValue], bool]] = {
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
                    say.say(path, f'{path}: Invalid value: "{image}": {exc}', _image_advice(image))


def _image_advice(image: str) -> tuple[str, ...]:
    if "'" in image or '"' in image:
        column = min(image.find(q) for q in "'\"" if q in image)
        clean = image.replace("'", "").replace('"', "")
        return (
            f"image: {image}",
            " " * (len("image: ") + column) + "^ a quote that does not belong here",
            f"Write `image: {clean}`.",
        )
    if image != image.lower():
        return (f"Image names are lower case: `image: {image.lower()}`.",)
    return ("An image is written [registry/]name[:tag].",)


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
