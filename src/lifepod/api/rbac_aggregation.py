"""What a ClusterRole gathers from others by its `aggregationRule`.

Source: k8s.io/kubernetes v1.34.4 pkg/controller/clusterroleaggregation/clusterroleaggregation_controller.go: syncClusterRole
"""

from __future__ import annotations

from collections.abc import Iterable

from lifepod.api.objects import JsonObject
from lifepod.api.selectors import label_terms, labels_match


def aggregated_rules(role: JsonObject, roles: Iterable[JsonObject]) -> list[JsonObject]:
    """The rules of all other roles that one of the selectors means: selector by selector, by name, each rule once."""
    by_name = sorted(roles, key=_name)
    found: list[JsonObject] = []
    for selector in role["aggregationRule"].get("clusterRoleSelectors") or ():
        terms = label_terms(selector)
        for other in by_name:
            if _name(other) == _name(role) or not labels_match(terms, other["metadata"].get("labels") or {}):
                continue
            found += [rule for rule in other.get("rules") or () if rule not in found]
    return found


def _name(role: JsonObject) -> str:
    return str(role["metadata"]["name"])
