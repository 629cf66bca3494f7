"""Finding values by the simple JSONPaths of printer columns: `.spec.replicas`, `.status.conditions[?(@.type=="Ready")].status`.

Members, quoted members, indexes, `[*]` and equality filters; nothing recursive, which is what upstream allows there.

Source: k8s.io/apiextensions-apiserver v0.34.4 pkg/registry/customresource/tableconvertor/tableconvertor.go
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from lifepod.api.integers import IntegerError, parse_integer
from lifepod.api.objects import JsonValue

_STEP = re.compile(
    r"""\.(?P<member>(?:\\.|[^.\[\]\\])+)
      | \[\s*(?P<index>-?\d+)\s*\]
      | \[\s*(?P<all>\*)\s*\]
      | \[\s*'(?P<single>[^']*)'\s*\] | \[\s*"(?P<double>[^"]*)"\s*\]
      | \[\?\(\s*@(?P<path>(?:\.[\w\-/\\.]+)+?)\s*(?P<operator>==|!=)\s*(?P<literal>"[^"]*"|'[^']*'|[\w.\-]+)\s*\)\]""",
    re.VERBOSE,
)


class JsonPathError(ValueError):
    """The text is no path of the supported kind."""


class _Step(NamedTuple):
    kind: str
    name: str = ""
    position: int = 0
    path: tuple[_Step, ...] = ()
    literal: str = ""
    is_equal: bool = True


@lru_cache(maxsize=1024)
def parsed(path: str) -> tuple[_Step, ...]:
    """The steps of a path; braces around it are allowed. Raises JsonPathError."""
    text = path.strip().removeprefix("{").removesuffix("}").removeprefix("$")
    steps, at = [], 0
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            raise JsonPathError(f"cannot understand {text[at:]!r} in the path {path!r}")
        steps.append(_step(found))
        at = found.end()
    return tuple(steps)


def _step(found: re.Match[str]) -> _Step:
    if found["index"] is not None:
        return _Step("index", position=_position(found["index"]))
    if found["all"] is not None:
        return _Step("all")
    if found["path"] is not None:
        literal = found["literal"].strip("\"'")
        return _Step("filter", path=parsed(found["path"]), literal=literal, is_equal=found["operator"] == "==")
    quoted = found["single"] if found["single"] is not None else found["double"]
    if quoted is not None:
        return _Step("member", quoted)
    member = re.sub(r"\\(.)", r"\1", found["member"])
    return _Step("all") if member == "*" else _Step("member", member)


def _position(text: str) -> int:
    try:
        return parse_integer(text)
    except IntegerError as problem:
        raise JsonPathError(f"the index {text} is no integer: {problem}") from None


def find(path: str, value: JsonValue) -> list[JsonValue]:
    """Every value at `path`, in order; none when a member on the way is missing."""
    return _found(parsed(path), value)


def _found(steps: tuple[_Step, ...], value: JsonValue) -> list[JsonValue]:
    at = [value]
    for step in steps:
        at = [found for held in at for found in _taken(step, held)]
    return at


def _taken(step: _Step, held: JsonValue) -> list[JsonValue]:
    match step.kind:
        case "member":
            return [held[step.name]] if isinstance(held, dict) and step.name in held else []
        case "index":
            inside = isinstance(held, list) and -len(held) <= step.position < len(held)
            return [held[step.position]] if inside else []
        case "all":
            return list(held.values()) if isinstance(held, dict) else list(held) if isinstance(held, list) else []
    return [item for item in held if _passes(step, item)] if isinstance(held, list) else []


def _passes(step: _Step, item: JsonValue) -> bool:
    values = _found(step.path, item)
    shown = [str(value).lower() if isinstance(value, bool) else str(value) for value in values]
    return bool(shown) and (shown[0] == step.literal) == step.is_equal
