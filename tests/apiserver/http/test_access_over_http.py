"""Who asks, as whom, for what: what a request is taken for, and what access reviews say of it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from lifepod.api.objects import JsonObject
from lifepod.api.rbac_rules import Attributes
from lifepod.apiserver.auth import ADMIN, ANONYMOUS, AUTHENTICATED, Decision, User
from lifepod.apiserver.exchange import Request, Response
from lifepod.apiserver.impersonation import acting_user
from lifepod.apiserver.options import WriteOptions
from lifepod.apiserver.request_attributes import attributes_of
from lifepod.apiserver.routes import resource_path

NS = "/api/v1/namespaces/t"
AUTHORIZATION = "authorization.k8s.io"


@pytest.mark.parametrize(
    ("request_line", "attributes"),
    [
        ("GET /api/v1/pods", Attributes("list", "", "pods")),
        (f"GET {NS}/pods?watch=1", Attributes("watch", "", "pods", "", "t")),
        (f"GET {NS}/pods?watch=false", Attributes("list", "", "pods", "", "t")),
        ("GET /api/v1/watch/namespaces/t/pods/a", Attributes("watch", "", "pods", "", "t", "a")),
        (f"HEAD {NS}/pods/a", Attributes("get", "", "pods", "", "t", "a")),
        (f"GET {NS}/pods/a/log", Attributes("get", "", "pods", "log", "t", "a")),
        (f"POST {NS}/pods/a/exec", Attributes("create", "", "pods", "exec", "t", "a")),
        (f"PUT {NS}/services/http:a:80/proxy/x", Attributes("update", "", "services", "proxy", "t", "http:a:80")),
        (f"DELETE {NS}/pods", Attributes("deletecollection", "", "pods", "", "t")),
        (f"DELETE {NS}/pods?fieldSelector=metadata.name=a", Attributes("deletecollection", "", "pods", "", "t")),
        (f"GET {NS}/pods?fieldSelector=metadata.name=a", Attributes("list", "", "pods", "", "t", "a")),
        (f"GET {NS}/pods?watch=1&fieldSelector=spec.x=y,metadata.name=a", Attributes("watch", "", "pods", "", "t", "a")),
        (f"GET {NS}/pods?fieldSelector=metadata.name!=a", Attributes("list", "", "pods", "", "t")),
        (f"GET {NS}/pods?fieldSelector=metadata.name=a%2Fb", Attributes("list", "", "pods", "", "t")),
        (f"GET {NS}/pods?fieldSelector=a=b=c,,", Attributes("list", "", "pods", "", "t")),
        (f"GET {NS}", Attributes("get", "", "namespaces", "", "t", "t")),
        (f"PUT {NS}/finalize", Attributes("update", "", "namespaces", "finalize", "t", "t")),
        ("PATCH /apis/apps/v1/namespaces/t/deployments/a/scale", Attributes("patch", "apps", "deployments", "scale", "t", "a")),
        ("GET /apis/no.such.group/v1/things", Attributes("list", "no.such.group", "things")),
        ("GET /apis/apps/v1", Attributes("get", path="/apis/apps/v1")),
        ("POST /metrics", Attributes("post", path="/metrics")),
        ("GET /a%20b", Attributes("get", path="/a b")),
    ],
)  # fmt: skip
def test_a_request_is_taken_for(request_line: str, attributes: Attributes) -> None:
    method, _, target = request_line.partition(" ")
    path, _, query = target.partition("?")
    assert attributes_of(Request(method, path, query), resource_path(path)) == attributes


# ------------------------------------------------------------------------------------------------------------- impersonation

USERS = Attributes("impersonate", "", "users", name="jane")
ACCOUNT = {"impersonate-user": "system:serviceaccount:t:robot"}
EXTRA = ("authentication.k8s.io", "userextras")


@pytest.mark.parametrize(
    ("headers", "user", "asked"),
    [
        ({"impersonate-user": "jane"}, User("jane", (AUTHENTICATED,)), [USERS]),
        (
            {"impersonate-user": "jane", "impersonate-group": "a, b"},
            User("jane", ("a", "b", AUTHENTICATED)),
            [USERS, USERS._replace(resource="groups", name="a"), USERS._replace(resource="groups", name="b")],
        ),
        (
            ACCOUNT,
            User(ACCOUNT["impersonate-user"], ("system:serviceaccounts", "system:serviceaccounts:t", AUTHENTICATED)),
            [Attributes("impersonate", "", "serviceaccounts", namespace="t", name="robot")],
        ),
        ({"impersonate-user": ANONYMOUS.name}, ANONYMOUS, [USERS._replace(name=ANONYMOUS.name)]),
        (
            {"impersonate-user": "jane", "impersonate-uid": "7", "impersonate-extra-a%2fb": "x"},
            User("jane", (AUTHENTICATED,), "7", (("a/b", ("x",)),)),
            [USERS, Attributes("impersonate", *EXTRA, "a/b", name="x"), Attributes("impersonate", EXTRA[0], "uids", name="7")],
        ),
    ],
)  # fmt: skip
def test_every_part_of_another_identity_is_asked_for(
    headers: dict[str, str], user: User, asked: list[Attributes]
) -> None:
    wishes: list[Attributes] = []

    def authorize(sender: User, wish: Attributes) -> Decision:
        assert sender is ADMIN
        wishes.append(wish)
        return Decision(allowed=True)

    assert acting_user(Request("GET", "/", headers=headers), ADMIN, authorize) == user
    assert wishes == asked


# ------------------------------------------------------------------------------------------------------------------- reviews


def post(cluster: Any, kind: str, spec: JsonObject, namespace: str = "", user: str = "") -> JsonObject:
    """A review, answered to the administrator or to who they are taken for."""
    where = f"/namespaces/{namespace}" if namespace else ""
    path = f"/apis/{AUTHORIZATION}/v1{where}/{kind.lower()}s"
    headers = {"authorization": "Bearer admin-token"} | ({"impersonate-user": user} if user else {})
    body = orjson.dumps({"apiVersion": f"{AUTHORIZATION}/v1", "kind": kind, "spec": spec})
    answer = cluster.app.site(Request("POST", path, "", headers, body))
    assert isinstance(answer, Response)
    found: JsonObject = orjson.loads(answer.body)
    return found


LIST_PODS = {"verb": "list", "resource": "pods", "namespace": "default"}


@pytest.mark.parametrize(
    ("spec", "status"),
    [
        ({"user": "jane", "resourceAttributes": LIST_PODS}, {"allowed": False}),
        ({"user": "x", "groups": ["system:masters"], "resourceAttributes": LIST_PODS}, {"allowed": True}),
        (
            {"groups": ["system:authenticated"], "nonResourceAttributes": {"verb": "get", "path": "/api"}},
            {
                "allowed": True,
                "reason": 'RBAC: allowed by ClusterRoleBinding "system:discovery" of ClusterRole "system:discovery" to '
                'Group "system:authenticated"',
            },
        ),
    ],
)
def test_a_subjects_access_is_reviewed(cluster: Any, spec: JsonObject, status: JsonObject) -> None:
    assert post(cluster, "SubjectAccessReview", spec)["status"] == status


def test_a_local_review_is_of_its_own_namespace(cluster: Any) -> None:
    kind, spec = "LocalSubjectAccessReview", {"user": "jane", "resourceAttributes": LIST_PODS}
    assert post(cluster, kind, spec, "default")["status"] == {"allowed": False}
    text = 'spec.resourceAttributes.namespace: Invalid value: "default": must match metadata.namespace'
    assert text in post(cluster, kind, spec, "kube-system")["message"]
    path = {"user": "jane", "nonResourceAttributes": {"verb": "get", "path": "/"}}
    assert "disallowed on this kind of request" in post(cluster, kind, path, "default")["message"]


def test_ones_own_rules_are_listed_with_what_is_missing(cluster: Any) -> None:
    kind = cluster.api.kinds.of("rolebindings.rbac.authorization.k8s.io")
    group = "rbac.authorization.k8s.io"
    for name in ("lost", "view"):
        binding = {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "User", "name": "jane"}],
        }
        cluster.api.create(kind, "default", binding, WriteOptions(cluster.now()))
    status = post(cluster, "SelfSubjectRulesReview", {"namespace": "default"}, user="jane")["status"]
    assert {"verbs": ["get", "list", "watch"], "apiGroups": [""], "resources": ["namespaces"]} in status[
        "resourceRules"
    ]
    assert {"verbs": ["get"], "nonResourceURLs": ["/healthz", "/livez", "/readyz", "/version", "/version/"]} in status[
        "nonResourceRules"
    ]
    assert status["evaluationError"] == 'clusterrole.rbac.authorization.k8s.io "lost" not found'
    assert post(cluster, "SelfSubjectRulesReview", {}, user="jane")["message"] == "no namespace on request"
