"""RFC 6902: a JSON patch, a list of operations of which all are carried out or none.

Source: gopkg.in/evanphx/json-patch.v4 patch.go; apiserver v0.34.4 pkg/endpoints/handlers/patch.go: applyJSPatch
"""

from __future__ import annotations

from collections.abc import Callable

import orjson

from lifepod.api.objects import JsonObject, JsonValue
from lifepod.api.patch_errors import REJECTED, PatchError, json_word, too_deep

MAX_OPERATIONS = 10_000
MAX_COPIED_BYTES = 3 * 1024 * 1024
_MEMBERS = frozenset(("op", "path", "from", "value"))
_MISSING = object()


class _DoesNotApply(Exception):
    """An operation does not fit the document."""


def json_patch(obj: JsonObject, operations: JsonValue) -> JsonObject:
    """`obj` after all operations; it is not changed itself. Raises PatchError: 400, 413 or 422 with upstream's texts.

    >>> json_patch({"a": [1]}, [{"op": "add", "path": "/a/-", "value": 2}])
    {'a': [1, 2]}
    """
    if operations is None:
        operations = []  # as Go reads null into a list
    if not isinstance(operations, list):
        raise PatchError(
            400,
            f"error decoding patch: json: cannot unmarshal {json_word(operations)} into Go value of type []handlers.jsonPatchOp",
        )
    if len(operations) > MAX_OPERATIONS:
        raise PatchError(
            413,
            f"Request entity too large: The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(operations)}",
        )
    document: JsonValue = obj
    copied = 0
    for number, operation in enumerate(operations):
        if not isinstance(operation, dict):
            into = "Go value of type handlers.jsonPatchOp"
            raise PatchError(400, f"error decoding patch: json: cannot unmarshal {json_word(operation)} into {into}")
        try:
            document, size = _apply(document, operation)
        except (RecursionError, orjson.JSONEncodeError):
            raise too_deep() from None
        except _DoesNotApply as why:
            raise PatchError(422, REJECTED, f"operation {number}: {why}") from None
        copied += size
        if copied > MAX_COPIED_BYTES:
            raise PatchError(422, REJECTED, f"operation {number}: copies more than {MAX_COPIED_BYTES} bytes")
    if not isinstance(document, dict):
        raise PatchError(422, REJECTED, "the patched document is no object")
    return document


def unknown_members(operations: JsonValue) -> list[str]:
    """Complaints about members of operations that mean nothing."""
    found = operations if isinstance(operations, list) else []
    return [
        f'json patch unknown field "[{number}].{name}"'
        for number, operation in enumerate(found)
        if isinstance(operation, dict)
        for name in operation
        if name not in _MEMBERS
    ]


def _apply(document: JsonValue, operation: JsonObject) -> tuple[JsonValue, int]:
    """The document after one operation, and how many bytes a copy added."""
    path = _pointer(operation, "path")
    match operation.get("op"):
        case "add":
            return _at(document, path, lambda parent, key: _added(parent, key, _value(operation))), 0
        case "remove":
            return _at(document, path, _removed), 0
        case "replace":
            value = _value(operation)
            return (_at(document, path, lambda parent, key: _replaced(parent, key, value)) if path else value), 0
        case "move":
            source = _pointer(operation, "from")
            value = _get(document, source)
            return _at(_at(document, source, _removed), path, lambda parent, key: _added(parent, key, value)), 0
        case "copy":
            value = _get(document, _pointer(operation, "from"))
            made = _at(document, path, lambda parent, key: _added(parent, key, value))
            return made, len(orjson.dumps(value))
        case "test":
            _test(document, path, operation.get("value"))
            return document, 0
        case kind:
            raise _DoesNotApply(f"unexpected kind: {kind}")


def _value(operation: JsonObject) -> JsonValue:
    if "value" not in operation:
        raise _DoesNotApply("has no value")
    return operation["value"]


def _pointer(operation: JsonObject, member: str) -> list[str]:
    """The reference tokens of a JSON pointer."""
    text = operation.get(member)
    if not isinstance(text, str):
        raise _DoesNotApply(f"has no {member}")
    if text == "":
        return []
    if not text.startswith("/"):
        raise _DoesNotApply(f"{member} {text!r} does not begin with /")
    return [token.replace("~1", "/").replace("~0", "~") for token in text[1:].split("/")]


def _get(document: JsonValue, path: list[str]) -> JsonValue:
    found = _find(document, path)
    if found is _MISSING:
        raise _DoesNotApply(f"nothing at /{'/'.join(path)}")
    return found


def _find(document: JsonValue, path: list[str]) -> JsonValue:
    for token in path:
        if isinstance(document, dict):
            document = document.get(token, _MISSING)
        elif isinstance(document, list):
            document = document[_index(token, len(document))]
        else:
            return _MISSING
    return document


def _test(document: JsonValue, path: list[str], value: JsonValue) -> None:
    """A missing member equals null; otherwise the texts must be the same."""
    found = _find(document, path)
    if found is _MISSING:
        found = None
    if orjson.dumps(found, option=orjson.OPT_SORT_KEYS) != orjson.dumps(value, option=orjson.OPT_SORT_KEYS):
        raise _DoesNotApply(f"testing value /{'/'.join(path)} failed")


Change = Callable[[JsonValue, str], JsonValue]


def _at(document: JsonValue, path: list[str], change: Change) -> JsonValue:
    """The document with `change(parent, last token)` in the parent's place; what is on the way is copied."""
    if not path:
        raise _DoesNotApply("the whole document cannot be added or removed")
    if len(path) == 1:
        return change(document, path[0])
    head, rest = path[0], path[1:]
    if isinstance(document, dict) and head in document:
        return {**document, head: _at(document[head], rest, change)}
    if isinstance(document, list):
        index = _index(head, len(document))
        return [*document[:index], _at(document[index], rest, change), *document[index + 1 :]]
    raise _DoesNotApply(f"missing path: {head}")


def _index(token: str, length: int) -> int:
    """An index that exists; negative ones count from the end."""
    index = _number(token)
    if not -length <= index < length:
        raise _DoesNotApply(f"index {token} is out of range")
    return index % length


def _number(token: str) -> int:
    digits = token[1:] if token[:1] in ("-", "+") else token
    if not digits.isdecimal() or not digits.isascii() or len(digits) > 18:
        raise _DoesNotApply(f"{token!r} is no index")
    return int(token)


def _added(parent: JsonValue, key: str, value: JsonValue) -> JsonValue:
    if isinstance(parent, dict):
        return {**parent, key: value}
    if not isinstance(parent, list):
        raise _DoesNotApply(f"missing path: {key}")
    if key == "-":
        return [*parent, value]
    index = _index(key, len(parent) + 1)
    return [*parent[:index], value, *parent[index:]]


def _removed(parent: JsonValue, key: str) -> JsonValue:
    if isinstance(parent, dict):
        if key not in parent:
            raise _DoesNotApply(f"unable to remove nonexistent key: {key}")
        return {k: v for k, v in parent.items() if k != key}
    if not isinstance(parent, list):
        raise _DoesNotApply(f"missing path: {key}")
    index = _index(key, len(parent))
    return [*parent[:index], *parent[index + 1 :]]


def _replaced(parent: JsonValue, key: str, value: JsonValue) -> JsonValue:
    if isinstance(parent, dict):
        if key not in parent:
            raise _DoesNotApply(f"missing key: {key}")
        return {**parent, key: value}
    if not isinstance(parent, list):
        raise _DoesNotApply(f"missing path: {key}")
    index = _index(key, len(parent))
    return [*parent[:index], value, *parent[index + 1 :]]
