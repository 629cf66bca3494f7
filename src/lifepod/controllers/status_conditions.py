"""Conditions of Jobs, Deployments and the like as lists that keep their order."""

from __future__ import annotations

from collections.abc import Sequence

from lifepod.api.objects import JsonObject


def has_condition(conditions: Sequence[JsonObject], type_: str) -> JsonObject | None:
    """The condition of that type whose status is True, or None."""
    for condition in conditions:
        if condition.get("type") == type_ and condition.get("status") == "True":
            return condition
    return None


def with_condition(conditions: Sequence[JsonObject], new: JsonObject) -> list[JsonObject]:
    """The list with this condition in the place of its type's, or at the end."""
    if any(c.get("type") == new["type"] for c in conditions):
        return [new if c.get("type") == new["type"] else c for c in conditions]
    return [*conditions, new]
