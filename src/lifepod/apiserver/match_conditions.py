"""`matchConditions` of webhooks and policies: CEL that says whether a request is meant at all, and what CEL knows of a request.

Source: k8s.io/apiserver v0.34.4 pkg/admission/plugin/webhook/matchconditions/matcher.go: Match
        k8s.io/apiserver v0.34.4 pkg/admission/plugin/cel/condition.go: ForInput
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from lifepod.api.admission import Attributes, Place
from lifepod.api.admission_review import request_of
from lifepod.api.cel import CelError, CelSyntaxError, Value, compiled
from lifepod.api.objects import JsonObject

_VARIABLES: Final = ("authorizer", "namespaceObject", "object", "oldObject", "params", "request", "variables")


class ConditionFailed(Exception):
    """A condition has no value; the text is upstream's."""


def known_to_cel(
    asked: Attributes, place: Place, obj: JsonObject | None, old: JsonObject | None, namespace: JsonObject | None
) -> dict[str, Value]:
    """The variables of every expression about a request."""
    request = request_of(asked, place, obj, old, "")
    hidden = ("uid", "object", "oldObject")
    return {
        "object": obj,
        "oldObject": old,
        "request": {name: value for name, value in request.items() if name not in hidden},
        "namespaceObject": namespace,
        "params": None,
        "variables": {},
    }


def value_of(expression: str, variables: Mapping[str, Value]) -> Value:
    """What an expression comes to. Raises ConditionFailed."""
    try:
        return compiled(expression, tuple(name for name in _VARIABLES if name in variables)).run(variables)
    except CelSyntaxError as problem:
        raise ConditionFailed(f"compilation error: compilation failed: {problem}") from None
    except CelError as problem:
        raise ConditionFailed(f"expression '{expression}' resulted in error: {problem}") from None


def conditions_hold(conditions: Sequence[JsonObject], variables: Mapping[str, Value]) -> bool:
    """Whether all hold; one that does not counts more than one that fails. Raises ConditionFailed."""
    failed: list[str] = []
    for condition in conditions:
        try:
            if value_of(condition["expression"], variables) is not True:
                return False
        except ConditionFailed as problem:
            failed.append(str(problem))
    if failed:
        raise ConditionFailed(failed[0] if len(failed) == 1 else "[" + ", ".join(failed) + "]")
    return True
