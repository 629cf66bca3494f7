"""Webhooks are asked what upstream would ask them, and what they answer counts as it does there."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from lifepod.api.writes import ApiError
from lifepod.assembly.replay import read_recording, replay
from lifepod.testing.kube import Kube

from .webhook_server import Answer, Review, Webhook, allowed, configuration, denied, patch, serving

Serve = Callable[..., Webhook]
EVERYTHING = [{"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"]}]


@pytest.fixture
def cluster() -> Iterator[Kube]:
    with Kube() as kube:
        yield kube


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Begin a webhook that answers `decide`."""
    with ExitStack() as stack:

        def begin(decide: Answer = lambda review: allowed(), **more: Any) -> Webhook:
            folder = tmp_path / str(len(list(tmp_path.iterdir())))
            folder.mkdir()
            return stack.enter_context(serving(folder, decide, **more))

        yield begin


def config_map(name: str, **metadata: Any) -> Review:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": {"a": "1"}}


def rules(*resources: str, group: str = "", operations: tuple[str, ...] = ("*",)) -> list[Review]:
    return [{"operations": list(operations), "apiGroups": [group], "apiVersions": ["*"], "resources": list(resources)}]


def labelled(**labels: str) -> Answer:
    def decide(review: Review) -> Review:
        if review["request"]["object"] is None:
            return allowed()
        have = review["request"]["object"]["metadata"].get("labels") or {}
        return patch({"op": "add", "path": "/metadata/labels", "value": {**have, **labels}})

    return decide


def test_a_mutating_webhook_changes_what_is_stored_and_owns_none_of_it(cluster: Kube, serve: Serve) -> None:
    cluster.apply(configuration(True, "m", serve(labelled(touched="yes"))))
    made = cluster.apply(config_map("a"))
    assert made["metadata"]["labels"] == {"touched": "yes"}
    assert "f:labels" not in json.dumps(made["metadata"]["managedFields"])


def test_the_question_is_upstreams(cluster: Kube, serve: Serve) -> None:
    hook = serve()
    cluster.apply(configuration(False, "v", hook))
    cluster.apply(config_map("a"))
    review = hook.asked[0]
    request = review["request"]
    assert (review["kind"], review["apiVersion"]) == ("AdmissionReview", "admission.k8s.io/v1")
    assert request["kind"] == request["requestKind"] == {"group": "", "version": "v1", "kind": "ConfigMap"}
    assert request["resource"] == request["requestResource"] == {"group": "", "version": "v1", "resource": "configmaps"}
    assert (request["name"], request["namespace"], request["operation"]) == ("a", "default", "CREATE")
    assert request["userInfo"]["username"] == "kubernetes-admin"
    assert request["object"]["data"] == {"a": "1"}
    assert request["object"]["metadata"]["uid"] == cluster.get("configmaps", "a")["metadata"]["uid"]
    assert request["oldObject"] is None
    assert request["dryRun"] is False
    assert request["options"]["kind"] == "CreateOptions"


def test_updates_and_deletions_show_what_was_there(cluster: Kube, serve: Serve) -> None:
    hook = serve()
    cluster.apply(config_map("a"))
    cluster.apply(configuration(False, "v", hook))
    cluster.apply({**config_map("a"), "data": {"a": "2"}})
    cluster.delete("configmaps", "a")
    update, delete = hook.requests
    assert (update["operation"], update["object"]["data"], update["oldObject"]["data"]) == (
        "UPDATE",
        {"a": "2"},
        {"a": "1"},
    )
    assert update["options"]["kind"] == "UpdateOptions"
    assert (delete["operation"], delete["object"], delete["oldObject"]["data"]) == ("DELETE", None, {"a": "2"})
    assert delete["options"]["kind"] == "DeleteOptions"


@pytest.mark.parametrize(
    ("status", "code", "reason", "message"),
    [
        ({}, 400, "", 'admission webhook "v.example.com" denied the request without explanation'),
        ({"message": "no"}, 400, "", 'admission webhook "v.example.com" denied the request: no'),
        ({"reason": "Forbidden"}, 400, "Forbidden", 'admission webhook "v.example.com" denied the request: Forbidden'),
        (
            {"code": 403, "reason": "Forbidden", "message": "no"},
            403,
            "Forbidden",
            'admission webhook "v.example.com" denied the request: no',
        ),
        ({"code": 200, "message": "no"}, 400, "", 'admission webhook "v.example.com" denied the request: no'),
    ],
)
def test_a_refusal_is_told_in_upstreams_words(
    cluster: Kube, serve: Serve, status: Review, code: int, reason: str, message: str
) -> None:
    cluster.apply(configuration(False, "v", serve(lambda review: denied(**status))))
    with pytest.raises(ApiError) as caught:
        cluster.apply(config_map("a"))
    assert (caught.value.code, caught.value.reason, str(caught.value)) == (code, reason, message)
    assert "a" not in [each["metadata"]["name"] for each in cluster.list("configmaps")]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ((404, b"{}"), "failed to call webhook: the server could not find the requested resource"),
        (
            (500, b"boom"),
            'failed to call webhook: an error on the server ("boom") has prevented the request from succeeding',
        ),
        ((200, b"{}"), "received invalid webhook response: webhook response was absent"),
        ((200, b"nothing"), "failed to call webhook: couldn't get version/kind; json parse error: invalid character"),
        (
            (200, b'{"response": {"uid": "other", "allowed": true}}'),
            'received invalid webhook response: expected response.uid="',
        ),
    ],
)
def test_an_answer_that_is_none_fails_closed_and_ignoring_it_lets_through(
    cluster: Kube, serve: Serve, answer: tuple[int, bytes], problem: str
) -> None:
    hook = serve(raw=lambda review: answer)
    cluster.apply(configuration(False, "v", hook))
    with pytest.raises(ApiError) as caught:
        cluster.apply(config_map("a"))
    assert caught.value.code == 500
    assert f'Internal error occurred: failed calling webhook "v.example.com": {problem}' in str(caught.value)
    cluster.apply(configuration(False, "v", hook, failurePolicy="Ignore"))
    cluster.apply(config_map("a"))


@pytest.mark.parametrize(
    ("url", "bundle", "problem"),
    [
        ("https://127.0.0.1:1/x", True, "dial tcp 127.0.0.1:1: connect: connection refused"),
        ("https://no.such.host.invalid/x", True, "dial tcp: lookup no.such.host.invalid: no such host"),
        ("", False, "tls: failed to verify certificate: x509: certificate signed by unknown authority"),
    ],
)
def test_a_webhook_that_cannot_be_reached_fails_closed(
    cluster: Kube, serve: Serve, url: str, bundle: bool, problem: str
) -> None:
    hook = serve()
    client = {"url": url or hook.url, **({"caBundle": hook.ca} if bundle else {})}
    cluster.apply(configuration(False, "v", hook, clientConfig=client))
    with pytest.raises(ApiError) as caught:
        cluster.apply(config_map("a"))
    post = f'failed calling webhook "v.example.com": failed to call webhook: Post "{client["url"]}?timeout=10s": '
    assert str(caught.value) == f"Internal error occurred: {post}{problem}"


def test_a_webhook_that_thinks_too_long_is_given_up(cluster: Kube, serve: Serve) -> None:
    done = threading.Event()
    hook = serve(lambda review: allowed(warnings=[str(done.wait(5))]))
    cluster.apply(configuration(False, "v", hook, timeoutSeconds=1))
    with pytest.raises(ApiError, match=r"\?timeout=1s\": context deadline exceeded"):
        cluster.apply(config_map("a"))
    done.set()


@pytest.mark.parametrize(
    ("missing", "problem"),
    [
        ("service", 'service "hook" not found'),
        ("endpoints", 'no endpoints available for service "hook"'),
        ("port", 'no service port 444 found for service "hook"'),
    ],
)
def test_a_service_that_leads_nowhere_is_named(cluster: Kube, serve: Serve, missing: str, problem: str) -> None:
    if missing != "service":
        spec = {"ports": [{"port": 443}]}
        cluster.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "hook"}, "spec": spec})
    port = 444 if missing == "port" else 443
    client = {"service": {"namespace": "default", "name": "hook", "path": "/check", "port": port}}
    cluster.apply(configuration(False, "v", serve(), clientConfig=client))
    with pytest.raises(ApiError) as caught:
        cluster.apply(config_map("a"))
    post = f'Post "https://hook.default.svc:{port}/check?timeout=10s": {problem}'
    assert str(caught.value).endswith(f'failed calling webhook "v.example.com": failed to call webhook: {post}')


def test_mutating_webhooks_are_asked_in_order_each_seeing_what_the_last_one_made(cluster: Kube, serve: Serve) -> None:
    first, second = serve(labelled(first="1")), serve(labelled(second="2"))
    cluster.apply(configuration(True, "b", second))
    cluster.apply(configuration(True, "a", first))
    cluster.apply(config_map("x"))
    assert "labels" not in first.requests[0]["object"]["metadata"]
    assert second.requests[0]["object"]["metadata"]["labels"] == {"first": "1"}
    assert (len(first.asked), len(second.asked)) == (1, 1)


def test_a_webhook_is_asked_again_if_a_later_one_changed_something(cluster: Kube, serve: Serve) -> None:
    first, second = serve(labelled(first="1")), serve(labelled(second="2"))
    cluster.apply(configuration(True, "a", first, reinvocationPolicy="IfNeeded"))
    cluster.apply(configuration(True, "b", second, reinvocationPolicy="IfNeeded"))
    made = cluster.apply(config_map("x"))
    assert (len(first.asked), len(second.asked)) == (2, 1)
    assert made["metadata"]["labels"] == {"first": "1", "second": "2"}


MEANT: dict[str, tuple[Review, int]] = {
    "another resource": ({"rules": rules("secrets")}, 0),
    "another operation": ({"rules": rules("configmaps", operations=("DELETE",))}, 0),
    "another version": ({"rules": [{**rules("configmaps")[0], "apiVersions": ["v2"]}]}, 0),
    "subresources only": ({"rules": rules("configmaps/status")}, 0),
    "everything": ({"rules": EVERYTHING}, 1),
    "cluster scope": ({"rules": [{**rules("configmaps")[0], "scope": "Cluster"}]}, 0),
    "namespaced scope": ({"rules": [{**rules("configmaps")[0], "scope": "Namespaced"}]}, 1),
    "labels it has": ({"objectSelector": {"matchLabels": {"app": "x"}}}, 1),
    "labels it has not": ({"objectSelector": {"matchLabels": {"app": "y"}}}, 0),
    "its namespace": ({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}}, 1),
    "another namespace": ({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "other"}}}, 0),
    "a condition that holds": ({"matchConditions": [{"name": "c", "expression": "object.data.a == '1'"}]}, 1),
    "a condition that does not": (
        {"matchConditions": [{"name": "c", "expression": "request.operation == 'DELETE'"}]},
        0,
    ),
}


@pytest.mark.parametrize("case", MEANT)
def test_which_requests_are_meant(cluster: Kube, serve: Serve, case: str) -> None:
    hook = serve()
    more, times = MEANT[case]
    cluster.apply(configuration(False, "v", hook, **more))
    cluster.apply(config_map("a", labels={"app": "x"}))
    assert len([request for request in hook.requests if request["name"] == "a"]) == times


def test_a_condition_without_a_value_fails_closed(cluster: Kube, serve: Serve) -> None:
    conditions = [{"name": "c", "expression": "object.nothing == '1'"}]
    cluster.apply(configuration(False, "v", serve(), matchConditions=conditions))
    with pytest.raises(ApiError, match=r"configmaps \"a\" is forbidden: expression .* no such key: nothing"):
        cluster.apply(config_map("a"))
    cluster.apply(configuration(False, "v", serve(), matchConditions=conditions, failurePolicy="Ignore"))
    cluster.apply(config_map("a"))


def test_nobody_is_asked_about_configurations(cluster: Kube, serve: Serve) -> None:
    hook = serve(lambda review: denied())
    cluster.apply(configuration(False, "v", hook, rules=EVERYTHING))
    cluster.delete("validatingwebhookconfigurations", "v")
    assert hook.asked == []


def test_a_dry_run_is_asked_about_as_one(cluster: Kube, serve: Serve) -> None:
    hook = serve()
    cluster.apply(configuration(False, "v", hook))
    cluster._request("POST", "/api/v1/namespaces/default/configmaps?dryRun=All", config_map("a"))
    assert hook.requests[0]["dryRun"] is True
    assert hook.requests[0]["options"]["dryRun"] == ["All"]


def test_a_scale_is_asked_about_as_a_scale_and_the_deployment_is_not(cluster: Kube, serve: Serve) -> None:
    cluster.apply(deployment(1))
    hook = serve()
    cluster.apply(configuration(False, "v", hook, rules=rules("deployments", "deployments/scale", group="apps")))
    path = "/apis/apps/v1/namespaces/default/deployments/d/scale"
    cluster._request("PATCH", path, {"spec": {"replicas": 2}}, "application/merge-patch+json")
    asked = [request for request in hook.requests if request["userInfo"]["username"] == "kubernetes-admin"]
    assert [(each["kind"]["kind"], each["subResource"], each["object"]["spec"]) for each in asked] == [
        ("Scale", "scale", {"replicas": 2})
    ]


def deployment(replicas: int) -> Review:
    template = {"metadata": {"labels": {"app": "d"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "d"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}


def test_the_pods_of_a_deployment_get_their_sidecar(cluster: Kube, serve: Serve) -> None:
    sidecar = {"name": "sidecar", "image": "proxy"}
    hook = serve(lambda review: patch({"op": "add", "path": "/spec/containers/-", "value": sidecar}))
    cluster.apply(configuration(True, "m", hook, rules=rules("pods", operations=("CREATE",))))
    cluster.apply(deployment(3))
    assert cluster.run_until(lambda: sum(p["status"]["phase"] == "Running" for p in cluster.list("pods")) == 3)
    assert [[c["name"] for c in pod["spec"]["containers"]] for pod in cluster.list("pods")] == [["c", "sidecar"]] * 3
    assert {request["userInfo"]["username"] for request in hook.requests} == {
        "system:serviceaccount:kube-system:replicaset-controller"
    }
    assert all("name" not in request for request in hook.requests)


def test_pods_that_a_webhook_refuses_are_tried_again_and_told_of(cluster: Kube, serve: Serve) -> None:
    refuses = True
    hook = serve(lambda review: denied(message="not yet") if refuses else allowed())
    cluster.apply(configuration(False, "v", hook, rules=rules("pods", operations=("CREATE",))))
    cluster.apply(deployment(1))
    cluster.advance("1s")
    told = [e["message"] for e in cluster.list("events") if e["reason"] == "FailedCreate"]
    assert told[0] == 'Error creating: admission webhook "v.example.com" denied the request: not yet'
    refuses = False
    assert cluster.run_until(lambda: any(p["status"]["phase"] == "Running" for p in cluster.list("pods")))


def test_a_webhook_may_ask_the_cluster_while_it_is_asked(cluster: Kube, serve: Serve) -> None:
    url = f"{cluster.url}/api/v1/namespaces/default/serviceaccounts/default"
    token = cluster._served().token

    def decide(review: Review) -> Review:
        context = ssl._create_unverified_context()
        question = Request(url, headers={"Authorization": f"Bearer {token}"})
        with urlopen(question, timeout=5, context=context) as answer:
            return allowed(warnings=[json.load(answer)["metadata"]["name"]])

    hook = serve(decide)
    cluster.apply(configuration(True, "m", hook, rules=rules("pods", "configmaps", operations=("CREATE",))))
    cluster.apply(config_map("a"))
    cluster.apply(deployment(1))
    assert cluster.run_until(lambda: any(p["status"]["phase"] == "Running" for p in cluster.list("pods")))
    assert len(hook.asked) == 2


def test_a_run_with_webhooks_is_lived_again_from_its_recording(cluster: Kube, serve: Serve, tmp_path: Path) -> None:
    hook = serve(labelled(touched="yes"))
    rule = rules("pods", "configmaps", operations=("CREATE",))
    cluster.apply(configuration(True, "m", hook, rules=rule))
    cluster.apply(config_map("a"))
    cluster.apply(deployment(2))
    cluster.advance("1m")
    asked = len(hook.asked)
    cluster.sim.inputs.save(tmp_path / "r.recording")
    again = replay(read_recording(tmp_path / "r.recording")).cluster
    assert len(hook.asked) == asked == 3
    assert again.store.revision == cluster.sim.store.revision
    assert [p["metadata"] for p in again.cluster.list("pods")] == [p["metadata"] for p in cluster.list("pods")]
    assert again.get("configmaps", "a") == cluster.get("configmaps", "a")


def test_a_fork_asks_for_itself(cluster: Kube, serve: Serve) -> None:
    hook = serve(labelled(touched="yes"))
    cluster.apply(configuration(True, "m", hook))
    other = cluster.fork()
    other.apply(config_map("a"))
    assert other.get("configmaps", "a")["metadata"]["labels"] == {"touched": "yes"}
    assert len(hook.asked) == 1


def test_a_namespace_comes_with_its_account_and_is_asked_about_once(cluster: Kube, serve: Serve) -> None:
    hook = serve()
    cluster.apply(configuration(False, "v", hook, rules=EVERYTHING))
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}})
    assert cluster.get("serviceaccounts", "default", namespace="n")
    asked = [request for request in hook.requests if request["kind"]["kind"] == "Namespace"]
    assert [
        (each["operation"], each["name"]) for each in asked if each["userInfo"]["username"] == "kubernetes-admin"
    ] == [("CREATE", "n")]


def test_deleting_a_collection_stops_at_the_one_that_is_refused(cluster: Kube, serve: Serve) -> None:
    hook = serve(lambda review: denied(message="b stays") if review["request"]["name"] == "b" else allowed())
    for name in "abc":
        cluster.apply(config_map(name, labels={"of": "test"}))
    cluster.apply(configuration(False, "v", hook, rules=rules("configmaps", operations=("DELETE",))))
    with pytest.raises(ApiError, match="b stays"):
        cluster._request("DELETE", "/api/v1/namespaces/default/configmaps?labelSelector=of%3Dtest")
    assert [each["metadata"]["name"] for each in cluster.list("configmaps", selector="of=test")] == ["b", "c"]
    assert sorted(request["name"] for request in hook.requests) == ["a", "b", "c"]


def test_a_command_in_a_container_is_asked_about_as_a_connection(cluster: Kube, serve: Serve) -> None:
    pod = {
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "image": "busybox", "command": ["sleep", "1h"]}]},
    }
    cluster.apply({"apiVersion": "v1", "kind": "Pod", **pod})
    assert cluster.run_until(lambda: cluster.get("pods", "p")["status"]["phase"] == "Running")
    hook = serve(lambda review: denied(message="no shells"))
    cluster.apply(configuration(False, "v", hook, rules=rules("pods/exec", operations=("CONNECT",))))
    with pytest.raises(ApiError, match="no shells"):
        cluster._request("POST", "/api/v1/namespaces/default/pods/p/exec?command=ls&command=-l&container=c&stdout=true")
    request = hook.requests[0]
    assert (request["operation"], request["subResource"], request["options"]) == ("CONNECT", "exec", None)
    assert request["object"] == {
        "kind": "PodExecOptions",
        "apiVersion": "v1",
        "stdout": True,
        "container": "c",
        "command": ["ls", "-l"],
    }
    assert (request["kind"]["kind"], request["resource"]["resource"], request["name"]) == (
        "PodExecOptions",
        "pods",
        "p",
    )


def test_an_object_that_changed_while_its_webhook_thought_is_asked_about_anew(cluster: Kube, serve: Serve) -> None:
    cluster.apply(config_map("a"))
    path, change = "/api/v1/namespaces/default/configmaps/a", "application/merge-patch+json"
    inner = iter([True])

    def decide(review: Review) -> Review:
        if next(inner, False):
            cluster._request("PATCH", path, {"data": {"b": "2"}}, change)
        return allowed()

    hook = serve(decide)
    cluster.apply(configuration(False, "v", hook))
    cluster._request("PATCH", path, {"data": {"c": "3"}}, change)
    assert cluster.get("configmaps", "a")["data"] == {"a": "1", "b": "2", "c": "3"}
    assert hook.requests[-1]["oldObject"]["data"] == {"a": "1", "b": "2"}
    assert hook.requests[-1]["object"]["data"] == {"a": "1", "b": "2", "c": "3"}


def test_a_request_that_waits_for_its_webhook_holds_up_nobody(cluster: Kube, serve: Serve) -> None:
    """The loop that serves the POST answers the GET by which the webhook makes up its mind."""
    base, token = f"{cluster.url}/api/v1/namespaces/default", cluster.token

    def ask(path: str, body: Review | None = None) -> Review:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        data = json.dumps(body).encode() if body else None
        with urlopen(
            Request(base + path, data, headers), timeout=10, context=ssl._create_unverified_context()
        ) as answer:
            told: Review = {"headers": answer.headers, "body": json.load(answer)}
            return told

    hook = serve(lambda review: allowed(warnings=[ask("/serviceaccounts/default")["body"]["metadata"]["name"]]))
    cluster.apply(configuration(False, "v", hook))
    made = ask("/configmaps", config_map("a"))
    assert made["headers"]["Warning"] == '299 - "default"'
    assert made["body"]["metadata"]["uid"] == hook.requests[0]["object"]["metadata"]["uid"]


@pytest.mark.parametrize(("policy", "asked"), [("Equivalent", 1), ("Exact", 0)])
def test_a_request_at_another_version_is_shown_at_the_one_the_rule_names(
    cluster: Kube, serve: Serve, policy: str, asked: int
) -> None:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    versions = [{"name": name, "served": True, "storage": name == "v1", "schema": schema} for name in ("v1", "v2")]
    names = {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"}
    spec = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": versions}
    meta = {"name": "things.example.com"}
    cluster.apply(
        {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": meta, "spec": spec}
    )
    hook = serve(labelled(touched="yes"))
    rule = [{"operations": ["*"], "apiGroups": ["example.com"], "apiVersions": ["v1"], "resources": ["things"]}]
    cluster.apply(configuration(True, "m", hook, rules=rule, matchPolicy=policy))
    thing = {"apiVersion": "example.com/v2", "kind": "Thing", "metadata": {"name": "t"}, "spec": {"a": 1}}
    made = cluster._request("POST", "/apis/example.com/v2/namespaces/default/things", thing)
    assert made["apiVersion"] == "example.com/v2"
    assert made["metadata"].get("labels") == ({"touched": "yes"} if asked else None)
    assert len(hook.requests) == asked
    for request in hook.requests:
        assert (request["kind"]["version"], request["requestKind"]["version"]) == ("v1", "v2")
        assert (request["resource"]["version"], request["requestResource"]["version"]) == ("v1", "v2")
        assert (request["object"]["apiVersion"], request["object"]["spec"]) == ("example.com/v1", {"a": 1})
