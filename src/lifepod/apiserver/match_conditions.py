"""`matchConditions` of webhooks and policies: CEL that says whether a request is meant at all, and what CEL knows of a request.

Source: k8s.io/apiserver v0.34.4 pkg/admission/plugin/webhook/matchconditions/matcher.go: Match
        k8s.io/apiserver v0.34.4 pkg/admission/plugin/cel/condition.go: ForInput
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from lifepod.api.admission import Attributes, Place
from lifepod.api.admission_review import request_of
from lifepod.api.cel import CelError, CelSyntaxError, Value, compiled
from lifepod.api.objects import JsonObject
from lifepod.apiserver.cel_authorizer import authorizer

if TYPE_CHECKING:
    from lifepod.apiserver.admission_call import Call
    from lifepod.apiserver.api import Api

_VARIABLES: Final = ("authorizer", "namespaceObject", "object", "oldObject", "params", "request", "variables")


class ConditionFailed(Exception):
    """A condition has no value; the text is upstream's."""


def known_to_cel(
    api: Api, call: Call, asked: Attributes, place: Place, namespace: JsonObject | None
) -> dict[str, Value]:
    """The variables of every expression about a request, objects at the version of `place`."""
    obj, old = (call.as_place(api, each, place) if each is not None else None for each in (asked.obj, asked.old))
    request = request_of(asked, place, obj, old, "")
    hidden = ("uid", "object", "oldObject")
    return {
        "object": obj,
        "oldObject": old,
        "request": {name: value for name, value in request.items() if name not in hidden},
        "namespaceObject": namespace,
        "authorizer": authorizer(api.access.decide, call.options.user, asked),
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
