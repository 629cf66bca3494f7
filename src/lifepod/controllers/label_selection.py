"""Does a label selector, or a list of its requirements, match a set of labels?

Source: k8s.io/apimachinery v0.34.4 pkg/apis/meta/v1/helpers.go: LabelSelectorAsSelector; pkg/labels/selector.go: Matches
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lifepod.api.objects import JsonObject


def selects(selector: JsonObject | None, labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector matches. None matches nothing, an empty one everything."""
    if selector is None:
        return False
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    return all(meets(requirement, labels) for requirement in selector.get("matchExpressions") or ())


def all_equal(wanted: Mapping[str, str] | None, labels: Mapping[str, str]) -> bool:
    """Whether the labels carry every wanted pair (a Service's selector, a nodeSelector)."""
    return all(labels.get(key) == value for key, value in (wanted or {}).items())


def meets(requirement: JsonObject, labels: Mapping[str, str]) -> bool:
    """Whether labels meet one requirement: In, NotIn, Exists, DoesNotExist, Gt, Lt."""
    key, operator = requirement.get("key", ""), requirement.get("operator")
    values: Sequence[str] = requirement.get("values") or ()
    value = labels.get(key)
    if operator == "In":
        return value is not None and value in values
    if operator == "NotIn":
        return value is None or value not in values
    if operator == "Exists":
        return value is not None
    if operator == "DoesNotExist":
        return value is None
    return value is not None and len(values) == 1 and _compares(str(operator), value, values[0])


def _compares(operator: str, value: str, bound: str) -> bool:
    try:
        left, right = int(value), int(bound)
    except ValueError:
        return False
    return left > right if operator == "Gt" else operator == "Lt" and left < right
