"""How two clusters differ: which objects only one of them has, and which fields of the others are not the same."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from lifepod.api.objects import JsonValue
from lifepod.assembly.cluster import Cluster

IGNORED = ("leases.coordination.k8s.io",)
_OWN = frozenset(("resourceVersion", "managedFields"))


def differences(one: Cluster, other: Cluster, resources: tuple[str, ...] = ()) -> list[str]:
    """A line for each difference, in the order of the objects' names; [] when there is none.

    `- pods default/a`: only the first has it; `+`: only the second; `pods default/a status.phase: Running → Failed`. Revisions,
    managedFields and node heartbeats are not looked at.
    """
    names = resources or tuple(sorted({*one.store.resources(), *other.store.resources()} - set(IGNORED)))
    return [line for resource in names for line in _of_resource(one, other, resource)]


def _of_resource(one: Cluster, other: Cluster, resource: str) -> Iterator[str]:
    left = {_key(obj): obj for obj in one.list(resource)}
    right = {_key(obj): obj for obj in other.list(resource)}
    for key in sorted({*left, *right}):
        if key not in right:
            yield f"- {resource} {key}"
        elif key not in left:
            yield f"+ {resource} {key}"
        elif left[key] is not right[key]:
            yield from (f"{resource} {key} {line}" for line in _changes("", left[key], right[key]))


def _key(obj: dict[str, JsonValue]) -> str:
    metadata = obj["metadata"]
    assert isinstance(metadata, dict)
    return f"{metadata.get('namespace', '')}/{metadata['name']}".lstrip("/")


def _changes(path: str, one: JsonValue, other: JsonValue) -> Iterator[str]:
    if one == other:
        return
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted({*one, *other}):
            if name in _OWN and path == "metadata":
                continue
            yield from _changes(f"{path}.{name}" if path else name, one.get(name), other.get(name))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (a, b) in enumerate(zip(one, other, strict=True)):
            yield from _changes(f"{path}[{number}]", a, b)
    else:
        yield f"{path}: {_shown(one)} → {_shown(other)}"


def _shown(value: JsonValue) -> str:
    return "(none)" if value is None else orjson.dumps(value).decode()[:200]
