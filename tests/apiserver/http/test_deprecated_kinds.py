"""What is said beside the answers for kinds that will go, and the state of the control plane, which is one of them."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from lifepod.apiserver.exchange import Request, Response, Stream

NS = "/api/v1/namespaces/default"
ENDPOINTS = '299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"'
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
OLD = "/apis/g.io/v1beta1/namespaces/default/widgets"
DEFINITION = {
    "metadata": {"name": "widgets.g.io"},
    "spec": {
        "group": "g.io",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
        "scope": "Namespaced",
        "versions": [
            {"name": name, "served": True, "storage": name == "v1", "deprecated": name != "v1", "schema": {"openAPIV3Schema": {"type": "object"}}}
            for name in ("v1", "v1beta1")
        ],
    },
}  # fmt: skip


@pytest.fixture
def ask(cluster: Any):
    """Sends a request; gives the whole answer."""

    def call(method: str, target: str, body: Any = None, **headers: str) -> Any:
        path, _, query = target.partition("?")
        sent = {"authorization": "Bearer admin-token", "content-type": "application/json", **headers}
        answer = cluster.app.site(Request(method, path, query, sent, b"" if body is None else orjson.dumps(body)))
        return answer if isinstance(answer, Response | Stream) else asyncio.run(_whole(answer))

    return call


async def _whole(waiting: Any) -> Any:
    return await waiting


def warnings(answer: Any) -> list[str]:
    return [value for name, value in answer.headers if name == "Warning"]


@pytest.mark.parametrize(
    ("method", "target", "body", "status"),
    [
        ("GET", f"{NS}/endpoints", None, 200),
        ("GET", "/api/v1/endpoints?watch=1", None, 200),
        ("GET", f"{NS}/endpoints/none", None, 404),
        ("POST", f"{NS}/endpoints", {"metadata": {"name": "e"}}, 201),
        ("POST", f"{NS}/endpoints", {"metadata": {"name": "E"}}, 422),
        ("DELETE", f"{NS}/endpoints/none", None, 404),
    ],
)
def test_every_answer_for_a_deprecated_kind_says_so(ask, method, target, body, status):
    answer = ask(method, target, body)
    assert (answer.status, warnings(answer)) == (status, [ENDPOINTS])


def test_answers_for_other_kinds_say_nothing(ask):
    assert warnings(ask("GET", f"{NS}/services")) == []
    assert warnings(ask("GET", "/apis/discovery.k8s.io/v1/endpointslices")) == []


def test_a_deprecated_version_of_a_custom_kind_says_so(ask):
    assert ask("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", DEFINITION).status == 201
    assert warnings(ask("GET", OLD)) == ['299 - "g.io/v1beta1 Widget is deprecated; use g.io/v1 Widget"']
    assert warnings(ask("GET", OLD.replace("v1beta1", "v1"))) == []


def test_the_control_plane_is_well(ask):
    answer = ask("GET", "/api/v1/componentstatuses")
    found = orjson.loads(answer.body)
    assert warnings(answer) == ['299 - "v1 ComponentStatus is deprecated in v1.19+"']
    assert (found["kind"], found["metadata"]) == ("ComponentStatusList", {})
    healthy = [{"type": "Healthy", "status": "True", "message": "ok"}]
    names = ("controller-manager", "scheduler", "etcd-0")
    assert found["items"] == [{"metadata": {"name": name}, "conditions": healthy} for name in names]


def test_one_component_and_no_such_component(ask):
    found = orjson.loads(ask("GET", "/api/v1/componentstatuses/scheduler").body)
    assert (found["kind"], found["apiVersion"], found["metadata"]) == ("ComponentStatus", "v1", {"name": "scheduler"})
    missing = orjson.loads(ask("GET", "/api/v1/componentstatuses/x").body)
    assert (missing["code"], missing["message"]) == (404, 'componentstatus "x" not found')


def test_components_are_selected_and_shown_as_a_table(ask):
    target = "/api/v1/componentstatuses?fieldSelector=metadata.name%3Detcd-0"
    rows = orjson.loads(ask("GET", target, accept=TABLE).body)["rows"]
    assert [row["cells"] for row in rows] == [["etcd-0", "Healthy", "ok", ""]]
    assert orjson.loads(ask("GET", "/api/v1/componentstatuses?labelSelector=a").body)["items"] == []


def test_a_store_that_takes_no_writes_is_ill(cluster, ask):
    cluster.api.problem = lambda: "the disk is full"
    rows = orjson.loads(ask("GET", "/api/v1/componentstatuses/etcd-0", accept=TABLE).body)["rows"]
    assert rows[0]["cells"] == ["etcd-0", "Unhealthy", "", "the disk is full"]
