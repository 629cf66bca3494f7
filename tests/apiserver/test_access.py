"""Roles and bindings in the store decide what a user may; the index over them never says otherwise than they do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifepod.api.objects import JsonObject
from lifepod.api.rbac_rules import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    RBAC_GROUP,
    ROLE_BINDINGS,
    ROLES,
    Attributes,
)
from lifepod.api.writes import ApiError
from lifepod.apiserver.access import Access
from lifepod.apiserver.api import Api
from lifepod.apiserver.auth import ADMIN, ANONYMOUS, AUTHENTICATED, User
from lifepod.apiserver.options import WriteOptions
from lifepod.store import Store

NOW = datetime(2025, 1, 1, tzinfo=UTC)
ROBOT = User("system:serviceaccount:a:robot", ("system:serviceaccounts", "system:serviceaccounts:a", AUTHENTICATED))
JANE = User("jane", ("devs", AUTHENTICATED))


# ------------------------------------------------------------------------------------------ against all bindings, one by one

NAMES = ("x", "y")
RESOURCES = ((ROLES, True), (CLUSTER_ROLES, False), (ROLE_BINDINGS, True), (CLUSTER_ROLE_BINDINGS, False))
some = st.lists
rules = st.builds(
    lambda verbs, groups, resources, names: {
        "verbs": verbs,
        "apiGroups": groups,
        "resources": resources,
        "resourceNames": names,
    },
    some(st.sampled_from(("get", "list", "*")), min_size=1, max_size=2),
    some(st.sampled_from(("", "apps", "*")), min_size=1, max_size=2),
    some(st.sampled_from(("pods", "pods/log", "*/log", "*")), min_size=1, max_size=2),
    some(st.sampled_from(NAMES), max_size=1),
)
subjects = st.one_of(
    st.builds(
        lambda name, ns: {"kind": "ServiceAccount", "name": name, "namespace": ns},
        st.just("robot"),
        st.sampled_from("ab"),
    ),
    st.builds(lambda name: {"kind": "ServiceAccount", "name": name}, st.just("robot")),
    st.builds(lambda name: {"kind": "User", "name": name}, st.sampled_from(("jane", "joe", ROBOT.name))),
    st.builds(lambda name: {"kind": "Group", "name": name}, st.sampled_from(("devs", *ROBOT.groups))),
)
writes = st.tuples(
    st.sampled_from(RESOURCES),
    st.sampled_from("ab"),
    st.sampled_from(NAMES),
    st.one_of(st.none(), st.tuples(some(rules, max_size=2), some(subjects, max_size=2), st.sampled_from(("Role", "ClusterRole")), st.sampled_from(NAMES))),
)  # fmt: skip
wishes = st.builds(
    Attributes,
    st.sampled_from(("get", "list", "create")),
    st.sampled_from(("", "apps", "batch")),
    st.sampled_from(("pods", "deployments")),
    st.sampled_from(("", "log")),
    st.sampled_from(("", "a", "b")),
    st.sampled_from(("", *NAMES)),
    st.just(""),
)


def put(store: Store, resource: tuple[str, bool], namespace: str, name: str, content: Any) -> None:
    """Keep a role or binding of this content, or remove it."""
    plural, namespaced = resource
    where = namespace if namespaced else ""
    there = store.record(plural, where, name) is not None
    if content is None:
        if there:
            store.delete(plural, where, name, NOW)
        return
    found_rules, found_subjects, kind, role = content
    metadata = {"name": name, **({"namespace": where} if where else {})}
    body: JsonObject = {"kind": "K", "apiVersion": "v1", "metadata": metadata, "rules": found_rules}
    if plural in (ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS):
        kind = kind if namespaced else "ClusterRole"
        body |= {"roleRef": {"kind": kind, "name": role}, "subjects": found_subjects}
    (store.update if there else store.create)(plural, body, NOW)


def may(store: Store, user: User, wish: Attributes) -> bool:
    """The answer as the documentation words it: look at every binding of the cluster and of the namespace."""
    return any(_matches(rule, wish) for rule in _bound(store, user, wish.namespace))


def _bound(store: Store, user: User, namespace: str) -> Iterator[JsonObject]:
    for resource in (ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS):
        for record in store.list(resource).records:
            if record.namespace not in ("", namespace):
                continue
            binding = store.decoded(record)
            if not any(_means(subject, user, record.namespace) for subject in binding["subjects"]):
                continue
            ref = binding["roleRef"]
            role = (
                store.get(ROLES, record.namespace, ref["name"])
                if ref["kind"] == "Role"
                else store.get(CLUSTER_ROLES, "", ref["name"])
            )
            yield from (role or {"rules": []})["rules"]


def _means(subject: JsonObject, user: User, namespace: str) -> bool:
    match subject["kind"]:
        case "ServiceAccount":
            return user.name == f"system:serviceaccount:{subject.get('namespace', namespace)}:{subject['name']}"
        case "User":
            return bool(user.name == subject["name"])
        case _:
            return subject["name"] in user.groups


def _matches(rule: JsonObject, wish: Attributes) -> bool:
    whole = wish.resource + (f"/{wish.subresource}" if wish.subresource else "")
    return (
        bool({wish.verb, "*"} & set(rule["verbs"]))
        and bool({wish.group, "*"} & set(rule["apiGroups"]))
        and bool({whole, "*", f"*/{wish.subresource}"} & set(rule["resources"]))
        and (not rule["resourceNames"] or wish.name in rule["resourceNames"])
    )


@settings(deadline=None)
@given(st.lists(st.one_of(writes, wishes), max_size=25))
def test_the_index_says_what_all_bindings_say_one_by_one(steps: list[Any]) -> None:
    store = Store()
    access = Access(store)
    saved = store.snapshot()
    for step in steps:
        if not isinstance(step, Attributes):
            put(store, *step)
            continue
        for user in (ROBOT, JANE):
            assert access.decide(user, step).allowed is may(store, user, step)
    store.restore(saved)
    assert not access.decide(JANE, Attributes("get", "", "pods", namespace="a")).allowed


# ------------------------------------------------------------------------------------------------------- what users are given


@pytest.mark.parametrize(
    ("user", "wish", "allowed"),
    [
        (ADMIN, Attributes("get", path="/metrics"), True),
        (ADMIN, Attributes("delete", "", "nodes"), True),
        (ROBOT, Attributes("create", "authorization.k8s.io", "selfsubjectaccessreviews"), True),
        (ROBOT, Attributes("get", path="/openid/v1/jwks"), True),
        (ROBOT, Attributes("get", path="/apis"), True),
        (ROBOT, Attributes("get", path="/metrics"), False),
        (ROBOT, Attributes("get", "", "pods", namespace="a"), False),
        (JANE, Attributes("get", path="/openid/v1/jwks"), False),
        (ANONYMOUS, Attributes("get", path="/version"), True),
        (ANONYMOUS, Attributes("get", path="/api"), False),
        (ANONYMOUS, Attributes("create", "authorization.k8s.io", "selfsubjectaccessreviews"), False),
    ],
)
def test_everybody_has_what_upstream_gives_them(api: Api, user: User, wish: Attributes, allowed: bool) -> None:
    assert api.access.decide(user, wish).allowed is allowed


def test_the_policy_of_a_cluster_is_made_once(api: Api) -> None:
    from lifepod.apiserver.bootstrap import bootstrap

    api.store.delete(CLUSTER_ROLES, "", "view", NOW)
    before = api.store.revision
    bootstrap(api, NOW)
    assert api.store.revision == before + 1
    assert api.store.record(CLUSTER_ROLES, "", "view") is not None


# ---------------------------------------------------------------------------------------------------------------- escalation


def make(api: Api, user: User, resource: str, body: JsonObject, name: str = "r") -> JsonObject:
    kind = api.kinds.of(resource)
    metadata = {"name": name, **body.pop("metadata", {})}
    where = "default" if kind.namespaced else ""
    return api.create(kind, where, {**body, "metadata": metadata}, WriteOptions(NOW, user))


def give(api: Api, user: User, *role_rules: JsonObject, cluster: bool = False) -> None:
    """Bind a role of these rules to the user."""
    kind, roles, bindings = "Role", ROLES, ROLE_BINDINGS
    if cluster:
        kind, roles, bindings = "ClusterRole", CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS
    name = f"given-{api.store.revision}"
    make(api, ADMIN, roles, {"rules": list(role_rules)}, name)
    ref = {"apiGroup": RBAC_GROUP, "kind": kind, "name": name}
    make(api, ADMIN, bindings, {"roleRef": ref, "subjects": [{"kind": "User", "name": user.name}]}, name)


def rule(verbs: str, groups: str, resources: str, *names: str) -> JsonObject:
    made: JsonObject = {"verbs": verbs.split(), "apiGroups": groups.split() or [""], "resources": resources.split()}
    return {**made, "resourceNames": list(names)} if names else made


SECRETS = rule("get", "", "secrets")
BIND_VIEW = {"roleRef": {"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": "view"}, "subjects": []}
AGGREGATION = {"aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}}
NOT_HELD = (
    'user "jane" (groups=["devs" "system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n'
)


@pytest.mark.parametrize(
    ("about", "held", "resource", "body", "refusal"),
    [
        ("what one has", [SECRETS], ROLES, {"rules": [SECRETS]}, ""),
        ("what one has not", [], ROLES, {"rules": [SECRETS]}, f'roles.{RBAC_GROUP} "r" is forbidden: {NOT_HELD}{{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}}'),
        ("leave to go beyond", [rule("escalate", RBAC_GROUP, "roles")], ROLES, {"rules": [SECRETS]}, ""),
        ("leave for another role", [rule("escalate", RBAC_GROUP, "roles", "x")], ROLES, {"rules": [SECRETS]}, "not currently held"),
        ("what one has in a namespace, for the cluster", [SECRETS], CLUSTER_ROLES, {"rules": [SECRETS]}, "not currently held"),
        ("gathering", [SECRETS], CLUSTER_ROLES, {"rules": [], **AGGREGATION}, f'clusterroles.{RBAC_GROUP} "r" is forbidden: must have cluster-admin privileges to use the aggregationRule'),
        ("a role with more", [SECRETS], ROLE_BINDINGS, BIND_VIEW, "not currently held"),
        ("a role with more, with leave to bind it", [rule("bind", RBAC_GROUP, "clusterroles", "view")], ROLE_BINDINGS, BIND_VIEW, ""),
        ("with leave here, everywhere", [rule("bind", RBAC_GROUP, "clusterroles", "view")], CLUSTER_ROLE_BINDINGS, BIND_VIEW, "not currently held"),
        ("a role that is not there", [SECRETS], ROLE_BINDINGS, {"roleRef": {"apiGroup": RBAC_GROUP, "kind": "Role", "name": "x"}}, f'roles.{RBAC_GROUP} "x" not found'),
    ],
)  # fmt: skip
def test_nobody_gives_what_they_do_not_have(
    api: Api, about: str, held: list[JsonObject], resource: str, body: JsonObject, refusal: str
) -> None:
    give(api, JANE, *held)
    if not refusal:
        make(api, JANE, resource, dict(body))
        return
    with pytest.raises(ApiError) as refused:
        make(api, JANE, resource, dict(body))
    assert refusal in str(refused.value), about


def test_everything_held_in_the_cluster_may_be_given_and_gathered(api: Api) -> None:
    give(api, JANE, rule("*", "*", "*"), {"verbs": ["*"], "nonResourceURLs": ["*"]}, cluster=True)
    make(api, JANE, CLUSTER_ROLES, {"rules": [SECRETS], **AGGREGATION})


def test_a_change_is_asked_about_and_one_that_gives_nothing_is_not(api: Api) -> None:
    kind = api.kinds.of(ROLES)
    make(api, ADMIN, ROLES, {"rules": [SECRETS]})
    options = WriteOptions(NOW, JANE)
    labelled = {"metadata": {"labels": {"a": "b"}}}
    with pytest.raises(ApiError, match="not currently held"):
        api.patch(kind, "default", "r", labelled, "merge", options)
    free = {"metadata": {"finalizers": ["example.com/f"]}}
    assert api.patch(kind, "default", "r", free, "merge", options).obj["metadata"]["finalizers"]
    give(api, JANE, SECRETS)
    assert api.patch(kind, "default", "r", labelled, "merge", options).obj["metadata"]["labels"] == {"a": "b"}


def test_an_apply_or_put_of_what_is_not_there_needs_the_verb_create(api: Api) -> None:
    options = WriteOptions(NOW, JANE, "test")
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    kind = api.kinds.of("configmaps")
    with pytest.raises(ApiError, match='User "jane" cannot create resource "configmaps"'):
        api.patch(kind, "default", "c", config, "apply", options)
    give(api, JANE, rule("create", "", "configmaps"))
    assert api.patch(kind, "default", "c", config, "apply", options).created
