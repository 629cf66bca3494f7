"""What of two sets of objects is not the same, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lifepod.api.objects import JsonObject, JsonValue

_MOST_FIELDS = 5
_NOT_COMPARED = frozenset(("metadata.resourceVersion", "metadata.managedFields"))


def differences(here: Mapping[str, JsonObject], there: Mapping[str, JsonObject]) -> list[str]:
    """A line for each object that is only here (`-`), only there (`+`) or not the same (`~`), by name."""
    lines = []
    for name in sorted({*here, *there}):
        if name not in there:
            lines.append(f"- {name}")
        elif name not in here:
            lines.append(f"+ {name}")
        else:
            fields = list(_fields(here[name], there[name], ""))
            if fields:
                more = f" and {len(fields) - _MOST_FIELDS} more" if len(fields) > _MOST_FIELDS else ""
                lines.append(f"~ {name}: {'; '.join(fields[:_MOST_FIELDS])}{more}")
    return lines


def _fields(here: JsonValue, there: JsonValue, path: str) -> Iterator[str]:
    """`status.phase: Running, there Succeeded` for each leaf that differs."""
    if here == there or path in _NOT_COMPARED:
        return
    if isinstance(here, dict) and isinstance(there, dict):
        for key in sorted({*here, *there}):
            yield from _fields(here.get(key), there.get(key), f"{path}.{key}" if path else key)
    elif isinstance(here, list) and isinstance(there, list) and len(here) == len(there):
        for index, (mine, theirs) in enumerate(zip(here, there, strict=True)):
            yield from _fields(mine, theirs, f"{path}[{index}]")
    else:
        yield f"{path}: {_shown(here)}, there {_shown(there)}"


def _shown(value: JsonValue) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
