"""Conditions."""

from __future__ import annotations

from collections.abc import Sequence

from lifepod.api.admission import Attributes, Place
from lifepod.api.objects import JsonObject


class ConditionFailed(Exception):
    """Fails."""


def conditions_hold(
    conditions: Sequence[JsonObject], asked: Attributes, place: Place, namespace: JsonObject | None
) -> bool:
    """Hold."""
    return True
