"""Does a label selector, or one of its requirements, match a set of labels? The matching itself is `api.selectors`'.

Source: k8s.io/apimachinery v0.34.4 pkg/apis/meta/v1/helpers.go: LabelSelectorAsSelector
        k8s.io/component-helpers v0.34.4 scheduling/corev1/nodeaffinity/nodeaffinity.go: nodeSelectorRequirementsAsSelector
"""

from __future__ import annotations

from collections.abc import Mapping

from lifepod.api.objects import JsonObject
from lifepod.api.selectors import LabelTerm, Operator, label_terms, labels_match

_NODE_OPERATORS: dict[str, Operator] = {
    "In": "in",
    "NotIn": "notin",
    "Exists": "exists",
    "DoesNotExist": "!",
    "Gt": ">",
    "Lt": "<",
}


def selects(selector: JsonObject | None, labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector matches. None matches nothing, an empty one everything."""
    if selector is None:
        return False
    if not all_equal(selector.get("matchLabels"), labels):
        return False
    return not selector.get("matchExpressions") or labels_match(label_terms(selector), labels)


def all_equal(wanted: Mapping[str, str] | None, labels: Mapping[str, str]) -> bool:
    """Whether the labels carry every wanted pair (a Service's selector, a nodeSelector)."""
    return not wanted or all(labels.get(key) == value for key, value in wanted.items())


def meets(requirement: JsonObject, labels: Mapping[str, str]) -> bool:
    """Whether labels meet one requirement of a node selector: In, NotIn, Exists, DoesNotExist, Gt, Lt."""
    operator = _NODE_OPERATORS[str(requirement.get("operator"))]
    return labels_match(
        (LabelTerm(requirement.get("key", ""), operator, tuple(requirement.get("values") or ())),), labels
    )
