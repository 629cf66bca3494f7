"""May this user do that: roles and bindings in the store, asked for each request of whoever is not in system:masters.

What a rule allows is `api/rbac_rules.py`'s, whom a binding means `api/rbac_bindings.py`'s. Here is the index over the store: read
where it is first asked for, forgotten when one of its objects changes. Not safe for threads: the caller serialises.

Source: k8s.io/kubernetes v1.34.4 plugin/pkg/auth/authorizer/rbac/rbac.go: Authorize, RulesFor
        k8s.io/apiserver v0.34.4 pkg/authorization/authorizerfactory/builtin.go: NewPrivilegedGroups
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from lifepod.api.rbac_bindings import Grant, Grants, RoleRef, granted, grants_of
from lifepod.api.rbac_rules import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    RBAC_GROUP,
    ROLE_BINDINGS,
    ROLES,
    Attributes,
    Rule,
    allows,
    rules_of,
)
from lifepod.apiserver.auth import MASTERS, Decision, User
from lifepod.store import Selection, Store
from lifepod.store.record import Change

ALLOWED: Final = Decision(allowed=True)


class Held(NamedTuple):
    """The rules that a user holds in a namespace, and what was wrong while they were gathered."""

    rules: tuple[Rule, ...]
    problems: tuple[str, ...] = ()


class Access:
    """Judges by the roles and bindings of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._epoch = store.epoch
        self._rules: dict[RoleRef, tuple[Rule, ...] | None] = {}
        self._grants: dict[str, Grants] = {}
        store.on_change(self._heard)

    # ---------------------------------------------------------------------------------------------------------- answers

    def decide(self, user: User, wish: Attributes) -> Decision:
        """Whether the user may, and which binding says so; if none does, what roles of theirs are missing."""
        if MASTERS in user.groups:
            return ALLOWED
        problems: dict[str, None] = {}
        for grant in self._granted(user, wish.namespace):
            rules = self.rules(grant.role)
            if rules is None:
                problems[grant.role.missing] = None
            elif any(allows(rule, wish) for rule in rules):
                return Decision(True, f"RBAC: allowed by {grant.said}")
        return Decision(False, f"RBAC: {together(problems)}" if problems else "")

    def held(self, user: User, namespace: str) -> Held:
        """All that a user may do in a namespace ("": in the whole cluster), as far as rules say so."""
        rules: list[Rule] = []
        problems: dict[str, None] = {}
        for grant in self._granted(user, namespace):
            found = self.rules(grant.role)
            if found is None:
                problems[grant.role.missing] = None
            else:
                rules += found
        return Held(tuple(rules), tuple(problems))

    def rules(self, role: RoleRef) -> tuple[Rule, ...] | None:
        """The rules of a role, None when there is no such role."""
        self._begin()
        if role not in self._rules:
            resource = ROLES if role.kind == "Role" else CLUSTER_ROLES
            found = self._store.get(resource, role.namespace, role.name)
            self._rules[role] = None if found is None else rules_of(found)
        return self._rules[role]

    # ------------------------------------------------------------------------------------------------------------ index

    def _granted(self, user: User, namespace: str) -> Iterator[Grant]:
        """What the bindings of the cluster give, then those of the namespace."""
        self._begin()
        for where in ("", namespace) if namespace else ("",):
            yield from granted(self._bindings(where), user.name, user.groups)

    def _bindings(self, namespace: str) -> Grants:
        found = self._grants.get(namespace)
        if found is None:
            resource = ROLE_BINDINGS if namespace else CLUSTER_ROLE_BINDINGS
            records = self._store.list(resource, Selection(namespace)).records
            found = self._grants[namespace] = grants_of(map(self._store.decoded, records))
        return found

    def _begin(self) -> None:
        """Forget everything when the store was restored to another state."""
        if self._epoch != self._store.epoch:
            self._epoch = self._store.epoch
            self._rules.clear()
            self._grants.clear()

    def _heard(self, change: Change) -> None:
        record = change.new
        if not record.resource.endswith(RBAC_GROUP):
            return
        if record.resource in (ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS):
            self._grants.pop(record.namespace, None)
        else:
            kind = "Role" if record.resource == ROLES else "ClusterRole"
            self._rules.pop(RoleRef(kind, record.namespace, record.name), None)


def together(problems: dict[str, None] | tuple[str, ...]) -> str:
    """Several errors as one text. Source: k8s.io/apimachinery v0.34.4 pkg/util/errors/errors.go: aggregate.Error"""
    return next(iter(problems)) if len(problems) == 1 else f"[{', '.join(problems)}]"
