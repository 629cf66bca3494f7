"""Nobody gives what they do not have: asked when a role or a binding is created or changed.

Whoever may `escalate` roles, or `bind` a role, may go beyond.

Source: k8s.io/kubernetes v1.34.4 pkg/registry/rbac/{role,clusterrole,rolebinding,clusterrolebinding}/policybased/storage.go
        k8s.io/kubernetes v1.34.4 pkg/registry/rbac/validation/rule.go: ConfirmNoEscalation; pkg/registry/rbac/escalation_check.go
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject
from lifepod.api.rbac_bindings import RoleRef, role_ref
from lifepod.api.rbac_rules import (
    CLUSTER_ROLES,
    EVERYTHING,
    RBAC_GROUP,
    ROLES,
    Attributes,
    Rule,
    compacted,
    quoted,
    rules_of,
    uncovered,
)
from lifepod.apiserver.auth import MASTERS, User
from lifepod.apiserver.status_errors import forbidden, not_found

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api

_OF_THE_COLLECTOR = ("ownerReferences", "finalizers")


def check_escalation(api: Api, kind: Kind, obj: JsonObject, user: User, old: JsonObject | None = None) -> None:
    """Refuse a role or binding that gives more than its writer has. Raises ApiError 403, 404."""
    if kind.group != RBAC_GROUP or MASTERS in user.groups:
        return
    if old is not None and _without_owners(obj) == _without_owners(old):
        return
    if kind.resource in (ROLES, CLUSTER_ROLES):
        _check_role(api, kind, obj, user, old)
    else:
        _check_binding(api, kind, obj, user)


def _without_owners(obj: JsonObject) -> JsonObject:
    """The object but for what the garbage collector changes, whatever it gives. Source: IsOnlyMutatingGCFields"""
    members = (*_OF_THE_COLLECTOR, "managedFields", "resourceVersion", "generation")
    return {**obj, "metadata": {name: value for name, value in obj["metadata"].items() if name not in members}}


def _check_role(api: Api, kind: Kind, role: JsonObject, user: User, old: JsonObject | None) -> None:
    namespace, name = role["metadata"].get("namespace", ""), role["metadata"].get("name", "")
    # A new object has no name yet when its creation is authorized, so that leave to escalate one role does not create it.
    asked_for = name if old is not None else ""
    wish = Attributes("escalate", RBAC_GROUP, kind.plural, namespace=namespace, name=asked_for)
    if api.access.decide(user, wish).allowed:
        return
    _check_held(api, kind, name, user, namespace, rules_of(role))
    if not (role.get("aggregationRule") or (old or {}).get("aggregationRule")):
        return
    if uncovered(EVERYTHING, api.access.held(user, namespace).rules):
        raise forbidden(kind, name, "must have cluster-admin privileges to use the aggregationRule")


def _check_binding(api: Api, kind: Kind, binding: JsonObject, user: User) -> None:
    namespace, name = binding["metadata"].get("namespace", ""), binding["metadata"].get("name", "")
    ref = role_ref(binding)
    plural = "roles" if ref.kind == "Role" else "clusterroles"
    wish = Attributes("bind", RBAC_GROUP, plural, namespace=namespace, name=ref.name)
    if api.access.decide(user, wish).allowed:
        return
    rules = api.access.rules(ref)
    if rules is None:
        raise not_found(_kind_of(api, ref), ref.name)
    _check_held(api, kind, name, user, namespace, rules)


def _kind_of(api: Api, ref: RoleRef) -> Kind:
    return api.kinds.of(ROLES if ref.kind == "Role" else CLUSTER_ROLES)


def _check_held(api: Api, kind: Kind, name: str, user: User, namespace: str, rules: Iterable[Rule]) -> None:
    held = api.access.held(user, namespace)
    missing = uncovered(rules, held.rules)
    if not missing:
        return
    texts = "\n".join(sorted({str(rule) for rule in compacted(missing)}))
    why = f'user "{user.name}" (groups={quoted(user.groups)}) is attempting to grant RBAC permissions not currently held:\n{texts}'
    if held.problems:
        why += f"; resolution errors: [{' '.join(held.problems)}]"
    raise forbidden(kind, name, why)
