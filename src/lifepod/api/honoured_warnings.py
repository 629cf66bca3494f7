"""Warnings of a write: which fields it sets that have no effect in lifepod (`supported.py` is the table).

Told when an object is created, and again only when a change adds such a field.
"""

from __future__ import annotations

from collections.abc import Callable

from lifepod.api.objects import JsonObject, dig
from lifepod.api.supported import unhonoured_in_pod_spec, unhonoured_in_service_spec

Warnings = Callable[[JsonObject, JsonObject | None], tuple[str, ...]]


def pod_warnings(obj: JsonObject, old: JsonObject | None) -> tuple[str, ...]:
    """What of a pod has no effect."""
    return _new(obj, old, unhonoured_in_pod_spec, ("spec",))


def service_warnings(obj: JsonObject, old: JsonObject | None) -> tuple[str, ...]:
    """What of a Service has no effect."""
    return _new(obj, old, unhonoured_in_service_spec, ("spec",))


def template_warnings(*path: str) -> Warnings:
    """What of a pod template at `path` has no effect."""
    return lambda obj, old: _new(obj, old, unhonoured_in_pod_spec, path)


def _new(
    obj: JsonObject,
    old: JsonObject | None,
    found_in: Callable[[JsonObject], list[tuple[str, str]]],
    path: tuple[str, ...],
) -> tuple[str, ...]:
    spec, before = dig(obj, *path), dig(old, *path) if old is not None else None
    if not isinstance(spec, dict) or spec is before or spec == before:
        return ()
    known = {at for at, _ in found_in(before)} if isinstance(before, dict) else set()
    prefix = ".".join(path[:-1])
    return tuple(
        f"{prefix}.{at}: has no effect: {why}" if prefix else f"{at}: has no effect: {why}"
        for at, why in found_in(spec)
        if at not in known
    )
