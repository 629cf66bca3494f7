"""ClusterRoles with an `aggregationRule` hold what the roles hold that it means.

Key: (), all of them at once: any role may be part of any that gathers. What those are decides `api/rbac_aggregation.py`.
Source: k8s.io/kubernetes v1.34.4 pkg/controller/clusterroleaggregation/clusterroleaggregation_controller.go
"""

from __future__ import annotations

from collections.abc import Iterable

from lifepod.api.rbac_aggregation import aggregated_rules
from lifepod.api.rbac_rules import CLUSTER_ROLES
from lifepod.api.writes import Write
from lifepod.controllers.outcome import NOTHING, Change, Controller, Look, Outcome, Wish
from lifepod.controllers.ownership import name_of
from lifepod.controllers.view import Key


def _keys(change: Change) -> Iterable[Key]:
    return ((),)


def reconcile(look: Look) -> Outcome:
    """Write the rules that are gathered now, where they are others than before."""
    roles = look.view.list(CLUSTER_ROLES)
    wishes = []
    for role in roles:
        if not role.get("aggregationRule"):
            continue
        rules = aggregated_rules(role, roles)
        if rules != (role.get("rules") or []):
            wishes.append(Wish(Write("patch", CLUSTER_ROLES, "", name_of(role), {"rules": rules})))
    return Outcome((tuple(wishes),)) if wishes else NOTHING


CLUSTER_ROLE_AGGREGATION = Controller(
    "cluster-role-aggregation", "clusterrole-aggregation-controller", (CLUSTER_ROLES,), _keys, reconcile
)
