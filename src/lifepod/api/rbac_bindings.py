"""Whom a binding means, what it gives them, and how it is named to those who ask why they may.

Source: k8s.io/kubernetes v1.34.4 pkg/registry/rbac/validation/rule.go: appliesToUser, VisitRulesFor, describeSubject
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

from lifepod.api.objects import JsonObject

ACCOUNT_PREFIX = "system:serviceaccount:"


class RoleRef(NamedTuple):
    """A role by its kind, namespace ("" for a ClusterRole) and name."""

    kind: str
    namespace: str
    name: str

    @property
    def missing(self) -> str:
        """What is said of it when there is no such role."""
        return f'{self.kind.lower()}.rbac.authorization.k8s.io "{self.name}" not found'


class Grant(NamedTuple):
    """A role that a binding gives to one of its subjects. `said`: all three in upstream's words."""

    binding: str
    role: RoleRef
    said: str


Grants: TypeAlias = Mapping[tuple[str, str], tuple[Grant, ...]]
"""("User" or "Group", name) → what the bindings of one namespace, or of the cluster, give them; in the order of the bindings."""


def account_user(namespace: str, name: str) -> str:
    """The user name of a service account."""
    return f"{ACCOUNT_PREFIX}{namespace}:{name}"


def account_groups(namespace: str) -> tuple[str, str]:
    """The groups of a namespace's service accounts."""
    return "system:serviceaccounts", f"system:serviceaccounts:{namespace}"


def account_of(user: str) -> tuple[str, str] | None:
    """Namespace and name of the service account that a user name means, None when it means none.

    Source: k8s.io/apiserver v0.34.4 pkg/authentication/serviceaccount/util.go: SplitUsername
    """
    if not user.startswith(ACCOUNT_PREFIX):
        return None
    namespace, colon, name = user.removeprefix(ACCOUNT_PREFIX).partition(":")
    return (namespace, name) if colon and namespace and name and ":" not in name else None


def role_ref(binding: JsonObject) -> RoleRef:
    """The role of a binding; a Role is one of the binding's namespace."""
    reference: JsonObject = binding.get("roleRef") or {}
    kind = reference.get("kind") or ""
    namespace = binding["metadata"].get("namespace", "") if kind == "Role" else ""
    return RoleRef(kind, namespace, reference.get("name") or "")


def grants_of(bindings: Iterable[JsonObject]) -> Grants:
    """What bindings give, by the subject; of a binding that names a subject twice, once."""
    found: dict[tuple[str, str], dict[str, Grant]] = {}
    for binding in bindings:
        metadata, ref = binding["metadata"], role_ref(binding)
        namespace = metadata.get("namespace", "")
        shown = f'RoleBinding "{metadata["name"]}/{namespace}"'
        if not namespace:
            shown = f'ClusterRoleBinding "{metadata["name"]}"'
        for subject in binding.get("subjects") or ():
            who = _who(subject, namespace)
            said = f'{shown} of {ref.kind} "{ref.name}" to {_said(subject, namespace)}'
            found.setdefault(who, {}).setdefault(shown, Grant(shown, ref, said))
    return {who: tuple(grants.values()) for who, grants in found.items()}


def _who(subject: JsonObject, namespace: str) -> tuple[str, str]:
    kind, name = subject.get("kind") or "", subject.get("name") or ""
    if kind == "ServiceAccount":
        return "User", account_user(subject.get("namespace") or namespace, name)
    return kind, name


def _said(subject: JsonObject, namespace: str) -> str:
    kind, name = subject.get("kind") or "", subject.get("name") or ""
    return (
        f'{kind} "{name}/{subject.get("namespace") or namespace}"' if kind == "ServiceAccount" else f'{kind} "{name}"'
    )


def granted(grants: Grants, user: str, groups: Iterable[str]) -> Iterable[Grant]:
    """What a user of these groups is given, each binding once."""
    found = {grant.binding: grant for grant in grants.get(("User", user), ())}
    for group in groups:
        for grant in grants.get(("Group", group), ()):
            found.setdefault(grant.binding, grant)
    return found.values()
