"""What a rule allows, what rules cover, what roles gather: by table, in the cases of upstream's own tests.

Mirrors k8s.io/kubernetes v1.34.4 pkg/apis/rbac/v1/evaluation_helpers_test.go,
        k8s.io/component-helpers v0.34.4 auth/rbac/validation/policy_comparator_test.go
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifepod.api.rbac_aggregation import aggregated_rules
from lifepod.api.rbac_bindings import account_of, grants_of
from lifepod.api.rbac_policy import bootstrap_policy
from lifepod.api.rbac_rules import EVERYTHING, Attributes, Rule, allows, compacted, rules_of, uncovered

READ = ("get", "list")
PODS = Rule(READ, ("",), ("pods",))


@pytest.mark.parametrize(
    ("about", "rule", "wish", "allowed"),
    [
        ("the verb it names", PODS, Attributes("get", "", "pods"), True),
        ("another verb", PODS, Attributes("watch", "", "pods"), False),
        ("every verb", PODS._replace(verbs=("*",)), Attributes("bind", "", "pods"), True),
        ("another group's resource of that name", PODS, Attributes("get", "metrics.k8s.io", "pods"), False),
        ("any group", PODS._replace(groups=("*",)), Attributes("get", "metrics.k8s.io", "pods"), True),
        ("a resource says nothing of its subresources", PODS, Attributes("get", "", "pods", "log"), False),
        ("a subresource", PODS._replace(resources=("pods/log",)), Attributes("get", "", "pods", "log"), True),
        ("a subresource is not its resource", PODS._replace(resources=("pods/log",)), Attributes("get", "", "pods"), False),
        ("the subresource of all", PODS._replace(resources=("*/scale",)), Attributes("get", "", "x", "scale"), True),
        ("the subresource of all is not another", PODS._replace(resources=("*/scale",)), Attributes("get", "", "x", "status"), False),
        ("a star before a slash is no resource", PODS._replace(resources=("*/scale",)), Attributes("get", "", "scale"), False),
        ("everything has every subresource", PODS._replace(resources=("*",)), Attributes("get", "", "pods", "exec"), True),
        ("all subresources of one are not expressible", PODS._replace(resources=("pods/*",)), Attributes("get", "", "pods", "log"), False),
        ("the name it names", PODS._replace(names=("a", "b")), Attributes("get", "", "pods", name="b"), True),
        ("another name", PODS._replace(names=("a",)), Attributes("get", "", "pods", name="b"), False),
        ("a list has no name", PODS._replace(names=("a",)), Attributes("list", "", "pods"), False),
        ("a path it names", Rule(("get",), urls=("/version",)), Attributes("get", path="/version"), True),
        ("a path below it", Rule(("get",), urls=("/version",)), Attributes("get", path="/version/x"), False),
        ("a path by its beginning", Rule(("get",), urls=("/api/*",)), Attributes("get", path="/api/v1"), True),
        ("the beginning itself", Rule(("get",), urls=("/api/*",)), Attributes("get", path="/api"), False),
        ("every path", Rule(("*",), urls=("*",)), Attributes("post", path="/x"), True),
        ("every resource is no path", EVERYTHING[0], Attributes("get", path="/version"), False),
        ("every path is no resource", EVERYTHING[1], Attributes("get", "", "pods"), False),
        ("nothing", Rule(), Attributes("get", "", "pods"), False),
    ],
)  # fmt: skip
def test_a_rule_allows(about: str, rule: Rule, wish: Attributes, allowed: bool) -> None:
    assert allows(rule, wish) is allowed, about


@pytest.mark.parametrize(
    ("about", "held", "wanted", "missing"),
    [
        ("the same", [PODS], [PODS], []),
        ("less", [PODS], [PODS._replace(verbs=("get",))], []),
        ("a verb more", [PODS], [PODS._replace(verbs=("get", "watch"))], [PODS._replace(verbs=("watch",))]),
        ("of several rules together", [PODS, PODS._replace(verbs=("watch",))], [PODS._replace(verbs=("get", "watch"))], []),
        ("one name of all", [PODS], [PODS._replace(verbs=("get",), names=("a",))], []),
        ("all, holding one name", [PODS._replace(names=("a",))], [PODS._replace(verbs=("get",))], [PODS._replace(verbs=("get",))]),
        ("another name", [PODS._replace(names=("a",))], [PODS._replace(verbs=("get",), names=("a", "b"))], [PODS._replace(verbs=("get",), names=("b",))]),
        ("a subresource, holding all of that name", [PODS._replace(resources=("*/scale",))], [Rule(("get",), ("",), ("x/scale",))], []),
        ("another subresource", [PODS._replace(resources=("*/scale",))], [Rule(("get",), ("",), ("x/log",))], [Rule(("get",), ("",), ("x/log",))]),
        ("everything, holding pods", [PODS], [EVERYTHING[0]], [EVERYTHING[0]]),
        ("pods, holding everything", EVERYTHING, [PODS], []),
        ("a path by its beginning", [Rule(("get",), urls=("/api/*",))], [Rule(("get",), urls=("/api/v1", "/api/v1/*"))], []),
        ("another path", [Rule(("get",), urls=("/api/*",))], [Rule(("get",), urls=("/apis",))], [Rule(("get",), urls=("/apis",))]),
        ("a path, holding all resources", [EVERYTHING[0]], [Rule(("get",), urls=("/",))], [Rule(("get",), urls=("/",))]),
        ("anything, holding nothing", [], [PODS], [PODS._replace(verbs=(verb,)) for verb in READ]),
        ("nothing", [], [Rule()], []),
    ],
)  # fmt: skip
def test_rules_cover(about: str, held: list[Rule], wanted: list[Rule], missing: list[Rule]) -> None:
    assert uncovered(wanted, held) == missing, about


def _some(*values: str, least: int = 1) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), min_size=least, max_size=2).map(tuple)


any_rules = st.lists(
    st.one_of(
        st.builds(
            Rule,
            _some("get", "list", "*"),
            _some("", "apps", "*"),
            _some("pods", "pods/log", "*/log", "*"),
            _some("a", "b", least=0),
            st.just(()),
        ),
        st.builds(
            lambda verbs, urls: Rule(verbs, urls=urls),
            _some("get", "*"),
            _some("/", "/api", "/api/*", "/api/v1/*", "*"),
        ),
    ),
    max_size=3,
)
any_wish = st.one_of(
    st.builds(
        Attributes,
        st.sampled_from(("get", "list", "patch")),
        st.sampled_from(("", "apps", "batch")),
        st.sampled_from(("pods", "jobs")),
        st.sampled_from(("", "log", "exec")),
        st.just(""),
        st.sampled_from(("", "a", "b", "c")),
        st.just(""),
    ),
    st.builds(
        Attributes, st.sampled_from(("get", "post")), path=st.sampled_from(("/", "/api", "/api/x", "/api/v1/x", "/y"))
    ),
)


@settings(deadline=None)
@given(any_rules, any_rules, any_wish)
def test_who_holds_rules_that_cover_others_may_all_that_those_allow(
    held: list[Rule], wanted: list[Rule], wish: Attributes
) -> None:
    granted = [*held, *uncovered(wanted, held)]
    assert uncovered(wanted, granted) == []
    if any(allows(rule, wish) for rule in wanted):
        assert any(allows(rule, wish) for rule in granted)


def test_what_is_missing_is_shown_by_resource() -> None:
    rules = uncovered([PODS, Rule(("get",), ("apps",), ("deployments",), ("a",)), Rule(("get",), urls=("/x",))], [])
    assert [str(rule) for rule in compacted(rules)] == [
        '{NonResourceURLs:["/x"], Verbs:["get"]}',
        '{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}',
        '{APIGroups:["apps"], Resources:["deployments"], ResourceNames:["a"], Verbs:["get"]}',
    ]


@pytest.mark.parametrize(
    ("name", "account"),
    [
        ("system:serviceaccount:ns:robot", ("ns", "robot")),
        ("system:serviceaccount:ns:", None),
        ("system:serviceaccount::robot", None),
        ("system:serviceaccount:ns:robot:x", None),
        ("system:serviceaccount:ns", None),
        ("jane", None),
    ],
)
def test_a_user_name_means_a_service_account(name: str, account: tuple[str, str] | None) -> None:
    assert account_of(name) == account


def test_a_binding_is_named_to_whom_it_helps() -> None:
    binding = {
        "metadata": {"name": "b", "namespace": "ns"},
        "roleRef": {"kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": "robot"}, {"kind": "User", "name": "jane"}],
    }
    grants = grants_of([binding])
    assert grants["User", "system:serviceaccount:ns:robot"][0].said == (
        'RoleBinding "b/ns" of ClusterRole "view" to ServiceAccount "robot/ns"'
    )
    assert grants["User", "jane"][0].said == 'RoleBinding "b/ns" of ClusterRole "view" to User "jane"'
    assert grants["User", "jane"][0].role == ("ClusterRole", "", "view")


# ---------------------------------------------------------------------------------------------------------------- gathering


def role(name: str, *verbs: str, **labels: str) -> dict[str, Any]:
    rules = [{"verbs": [verb], "apiGroups": [""], "resources": ["pods"]} for verb in verbs]
    return {"metadata": {"name": name, "labels": labels}, "rules": rules}


def test_a_role_gathers_by_selector_and_name_each_rule_once() -> None:
    gatherer = role("g", "delete", a="1")
    selectors = [{"matchLabels": {"b": "1"}}, {"matchLabels": {"a": "1"}}]
    gatherer["aggregationRule"] = {"clusterRoleSelectors": selectors}
    others = [
        gatherer,
        role("z", "get", a="1"),
        role("y", "list", "get", a="1"),
        role("x", "watch", b="1"),
        role("w", "patch"),
    ]
    assert [rule["verbs"] for rule in aggregated_rules(gatherer, others)] == [["watch"], ["list"], ["get"]]


POLICY = {each.obj["metadata"]["name"]: each.obj for each in bootstrap_policy() if each.obj["kind"] == "ClusterRole"}


@pytest.mark.parametrize(
    ("name", "wish", "allowed"),
    [
        ("view", Attributes("list", "", "pods"), True),
        ("view", Attributes("get", "", "pods", "log"), True),
        ("view", Attributes("get", "", "secrets"), False),
        ("view", Attributes("get", "", "pods", "exec"), False),
        ("view", Attributes("create", "", "pods"), False),
        ("view", Attributes("list", "rbac.authorization.k8s.io", "roles"), False),
        ("edit", Attributes("get", "", "secrets"), True),
        ("edit", Attributes("create", "", "pods", "eviction"), True),
        ("edit", Attributes("patch", "apps", "deployments", "scale"), True),
        ("edit", Attributes("create", "rbac.authorization.k8s.io", "roles"), False),
        ("admin", Attributes("create", "rbac.authorization.k8s.io", "roles"), True),
        ("admin", Attributes("list", "", "pods"), True),
        ("admin", Attributes("update", "", "resourcequotas"), False),
        ("admin", Attributes("list", "", "nodes"), False),
        ("cluster-admin", Attributes("escalate", "any", "thing", "really"), True),
        ("system:discovery", Attributes("get", path="/apis/apps/v1"), True),
        ("system:public-info-viewer", Attributes("get", path="/apis"), False),
        ("system:basic-user", Attributes("create", "authorization.k8s.io", "selfsubjectaccessreviews"), True),
        ("system:basic-user", Attributes("create", "authorization.k8s.io", "subjectaccessreviews"), False),
        ("system:monitoring", Attributes("get", path="/metrics"), True),
    ],
)  # fmt: skip
def test_the_roles_that_are_there_allow(name: str, wish: Attributes, allowed: bool) -> None:
    assert any(allows(rule, wish) for rule in rules_of(POLICY[name])) is allowed


def test_each_role_that_is_there_is_as_upstream_writes_it() -> None:
    for name, obj in POLICY.items():
        for rule in rules_of(obj):
            assert rule.verbs, name
            assert all(values == tuple(sorted(values)) for values in (rule.groups, rule.resources, rule.urls)), (
                name,
                rule,
            )
            assert sorted(rule.verbs) == sorted(set(rule.verbs)), (name, rule)
