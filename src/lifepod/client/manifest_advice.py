"""What to do about a mistake in a manifest: the next step for each kind of mistake, or nothing where only its writer can know.

Advice is a tuple of lines, each a sentence. Where the mistake stands and what it is, `manifests.py` says.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from lifepod.api import schema
from lifepod.api.field_errors import FieldError
from lifepod.api.kinds import KindRegistry
from lifepod.api.objects import JsonValue
from lifepod.api.yaml_text import YamlError

SYNTAX = {
    "mapping values are not allowed": "Put a text that holds `: ` in quotes; a key begins a line of its own, below its neighbours.",
    "did not find expected key": "The keys of one map begin in the same column; see how far this line and those above are indented.",
    "did not find expected '-'": "The entries of one list begin in the same column, each with `- `.",
    "did not find expected ','": "A comma is missing before this place, or what was opened with `{` or `[` is not closed.",
    "could not find expected ':'": "A key is followed by `: `; a text of several lines begins with `|`.",
    "cannot start any token": "A text that begins with `@`, `` ` ``, `%` or a tab needs quotes.",
    "unknown escape character": "Write \\\\ for a backslash in double quotes, or use single quotes.",
    "names no anchor": "Put a text that begins with `*` in quotes; an anchor is set by `&` before its value.",
    "stands here twice": "Remove one of the two.",
    "is not UTF-8": "Save the file as UTF-8.",
}
"""A part of what the YAML reader says, and what helps."""


def of_syntax(error: YamlError, text: bytes) -> tuple[str, ...]:
    """For a text that is no YAML."""
    lines = text.decode(errors="replace").splitlines()
    here = lines[error.line - 1] if 0 < error.line <= len(lines) else ""
    if "{{" in here:
        return ("`{{` belongs to a template: `helm template`, say, makes the manifest of it.",)
    if error.hint:
        return (error.hint,)
    if "unexpected end of stream" in error.message:
        opened = next((n for n, line in enumerate(lines, 1) if _has_open_quote(line)), None)
        return (f"The quote in line {opened} is not closed.",) if opened else ("A quote is not closed.",)
    return next(((advice,) for part, advice in SYNTAX.items() if part in error.message), ())


def _has_open_quote(line: str) -> bool:
    text = re.sub(r"(^|\s)#.*", "", line)
    without_closed = re.sub(r"\"(\\.|[^\"\\])*\"|'[^']*'", "", text)
    return re.search(r"(^|[\s:\[{,-])[\"']", without_closed) is not None


def of_missing_head(field: str, keys: Iterable[str]) -> tuple[str, ...]:
    """For an object without its `apiVersion` or `kind`."""
    near = nearest(field, keys)
    if near and near != field:
        return (f"`{near}` should be `{field}`.",)
    return (f"Add a line such as `{field}: {'v1' if field == 'apiVersion' else 'Pod'}`.",)


def of_kind(api_version: str, name: str, kinds: KindRegistry) -> tuple[str, ...]:
    """For a kind that nobody knows in that version."""
    elsewhere = [k.api_version for k in kinds if k.kind == name]
    if elsewhere:
        return (f"{name} is in `apiVersion: {elsewhere[0]}`.",)
    near = nearest(name, {k.kind for k in kinds})
    if near:
        version = next(k.api_version for k in kinds if k.kind == near)
        return (f"Did you mean `kind: {near}` (apiVersion: {version})?",)
    return ("A CustomResourceDefinition must be applied before its objects.",)


def of_unknown_field(steps: tuple[str | int, ...], type_: schema.Type) -> tuple[str, ...]:
    """For a field that the schema does not have; `steps` leads to it from the object's root."""
    *parents, last = steps
    at: schema.Type | None = type_
    for step in parents:
        if at is not None and isinstance(step, int):
            at = at.item
        elif at is not None:
            at = at.fields[step].type if step in at.fields else at.item
    if at is None or not at.fields:
        return ()
    near = nearest(str(last), at.fields)
    return (f"Did you mean `{near}`?",) if near else (f"Known here: {', '.join(sorted(at.fields))}.",)


def of_type(wanted: str, value: JsonValue, written: str) -> tuple[str, ...]:
    """For a value of another type than the schema's; `written`: as it stands in the file."""
    is_scalar = not isinstance(value, (dict, list))
    if wanted == "list":
        return ("Each entry of a list starts with `- `.",)
    if wanted == "map":
        if isinstance(value, list):
            return ("Write `key: value` lines, without `- `.",)
        word = re.match(r"([A-Za-z]\w*):(\S+)$", str(value))
        return (
            (f"Put a space after the colon: `{word[1]}: {word[2]}`.",)
            if word
            else ("Write `key: value` lines below it.",)
        )
    if wanted == "text" and is_scalar:
        return (f'Put it in quotes: "{written}".',)
    if wanted == "a whole number" and isinstance(value, str) and re.fullmatch(r"[+-]?\d+", value):
        return (f"Take the quotes away: {value}.",)
    if wanted == "true or false" and is_scalar:
        return ("Write true or false, without quotes.",)
    if wanted.startswith("a quantity") and (
        match := re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kKmMgGtT])i?[bB]?", str(value))
    ):
        amount, unit = match[1], match[2].upper()
        return (f"Write {amount}{unit}i (powers of 1024) or {amount}{unit if unit != 'K' else 'k'} (powers of 1000).",)
    return ()


EXAMPLES = {"image": "busybox:1.36", "name": "my-name", "restartPolicy": "Never"}


def of_field(error: FieldError) -> tuple[str, ...]:
    """For a value that the API's rules refuse."""
    member = error.path.rpartition(".")[2]
    match error.type:
        case "FieldValueRequired":
            return _of_missing(member, error.detail)
        case "FieldValueNotSupported":
            near = nearest(str(error.value), re.findall(r'"([^"]+)"', error.detail))
            return (f"Write `{member}: {near}`.",) if near else ()
        case "FieldValueNotFound" if re.search(r"\.volumeMounts\[\d+\]\.name$", error.path):
            return (f"Add a volume named `{error.value}` under `volumes:`, or name one that is there.",)
        case "FieldValueInvalid" if "RFC 1123" in error.detail or "RFC 1035" in error.detail:
            name = re.sub(r"[^a-z0-9.-]+", "-", str(error.value).lower()).strip("-.")
            return (f"Write `{member}: {name}`, say.",) if name and name != error.value else ()
        case "FieldValueInvalid" if member == "port" and error.value == 0:
            return ("Add `port:`.",)
    return ()


def _of_missing(member: str, detail: str) -> tuple[str, ...]:
    if member == "containers":
        return ("A pod needs at least one entry under `containers:`.",)
    if "handler type" in detail:
        return (f"Write one of `exec:`, `httpGet:` or `tcpSocket:` under `{member}:`.",)
    return (f"Add a line such as `{member}: {EXAMPLES[member]}`.",) if member in EXAMPLES else (f"Add `{member}`.",)


def of_image(image: str) -> tuple[str, ...]:
    """For a name that no image can have."""
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


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word most like this one, upper and lower case apart; "" when none is."""
    by_lower = {each.lower(): each for each in known}
    near = difflib.get_close_matches(word.lower(), by_lower, 1)
    return by_lower[near[0]] if near else ""
