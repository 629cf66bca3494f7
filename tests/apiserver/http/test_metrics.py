"""metrics.k8s.io as metrics-server answers it, over numbers that the test gives."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from lifepod.apiserver.certificates import mint_credentials
from lifepod.apiserver.exchange import Request, Response
from lifepod.apiserver.metrics_requests import MetricsRequests, go_duration
from lifepod.apiserver.options import WriteOptions
from lifepod.assembly.control_plane import Around, ControlPlane, control_plane
from lifepod.assembly.real_time import RandomIds
from lifepod.runtime.base import ContainerUsage, MeasuredUsage

NOW = datetime(2026, 1, 1, 12, 0, 30, tzinfo=UTC)
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
PODS = "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods"
NODES = "/apis/metrics.k8s.io/v1beta1/nodes"
MI = 1024**2


class Measured:
    """Each pod by its containers' (nanocores, bytes); `slow` wants a second look."""

    def __init__(self) -> None:
        self.used: dict[str, list[tuple[int, int]]] = {}
        self.machine: tuple[int, int] | None = (2_500_000_000, 9000 * MI)
        self.slow = False
        self.looks: list[list[str]] = []

    def look_at_pods(self, uids: Iterable[str], now: datetime) -> bool:
        self.looks.append(list(uids))
        return self.slow

    def look_at_node(self, now: datetime) -> bool:
        return self.slow

    def pod(self, uid: str) -> MeasuredUsage | None:
        found = self.used.get(uid)
        if found is None:
            return None
        containers = tuple(ContainerUsage(f"c{at}", cpu, memory) for at, (cpu, memory) in enumerate(found))
        return MeasuredUsage(NOW - timedelta(seconds=3), timedelta(seconds=15, milliseconds=63), containers)

    def node(self) -> MeasuredUsage | None:
        if self.machine is None:
            return None
        return MeasuredUsage(NOW, timedelta(seconds=1), (ContainerUsage("", *self.machine),))


class Site:
    def __init__(self, measured: Measured | None) -> None:
        around = Around(lambda: NOW, RandomIds(), lambda node: None, usage=measured)
        self.plane: ControlPlane = control_plane(around, mint_credentials(datetime.now(UTC)))
        self.measured = measured

    def ask(self, target: str, method: str = "GET", **headers: str) -> Response:
        path, _, query = target.partition("?")
        sent = {"authorization": f"Bearer {self.plane.token}", **headers}
        answer = self.plane.app.site(Request(method, path, query, sent))
        if inspect.isawaitable(answer):
            answer = asyncio.run(_awaited(answer))
        assert isinstance(answer, Response)
        return answer

    def json(self, target: str, **headers: str) -> Any:
        return orjson.loads(self.ask(target, **headers).body)

    def pod(self, name: str, *used: tuple[int, int], phase: str = "Running", namespace: str = "default") -> None:
        api, options = self.plane.api, WriteOptions(NOW)
        body = {
            "metadata": {"name": name, "labels": {"app": name}},
            "spec": {"containers": [{"name": "c0", "image": "x"}]},
        }
        made = api.create(api.kinds.of("pods"), namespace, body, options)
        api.patch(api.kinds.of("pods"), namespace, name, {"status": {"phase": phase}}, "merge", options, "status")
        if used and self.measured is not None:
            self.measured.used[made["metadata"]["uid"]] = list(used)

    def node(self, name: str) -> None:
        api = self.plane.api
        body = {"metadata": {"name": name, "labels": {"zone": name}}}
        api.create(api.kinds.of("nodes"), "", body, WriteOptions(NOW))


async def _awaited(answer: Any) -> Any:
    return await answer


@pytest.fixture
def site() -> Site:
    made = Site(Measured())
    made.pod("web", (123_456_789, 20 * MI), (5_000_000, 1536 * 1024))
    made.pod("new")
    made.pod("done", (1, 1), phase="Succeeded")
    return made


def test_the_group_is_served_only_where_somebody_measures(site: Site) -> None:
    def groups(of: Site) -> list[str]:
        return [group["name"] for group in of.json("/apis")["groups"]]

    assert groups(site)[-1] == "metrics.k8s.io"
    assert "metrics.k8s.io" not in groups(Site(None))
    assert Site(None).ask(NODES).status == 404
    resources = site.json("/apis/metrics.k8s.io/v1beta1")["resources"]
    assert [(r["name"], r["kind"], r["namespaced"], r["verbs"]) for r in resources] == [
        ("nodes", "NodeMetrics", False, ["get", "list"]),
        ("pods", "PodMetrics", True, ["get", "list"]),
    ]


def test_the_group_is_registered_where_it_is_served(site: Site) -> None:
    spec = site.json("/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io")["spec"]
    assert spec == {
        "group": "metrics.k8s.io",
        "version": "v1beta1",
        "groupPriorityMinimum": 100,
        "versionPriority": 100,
    }
    assert Site(None).ask("/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io").status == 404


def test_a_server_that_cannot_keep_what_it_is_told_is_not_well(site: Site) -> None:
    assert site.ask("/readyz/etcd").body == b"ok"
    site.plane.api.problem = lambda: "disk full"
    for path in ("/readyz", "/livez", "/healthz"):
        answer = site.ask(path)
        assert (answer.status, answer.body) == (
            500,
            f"[+]ping ok\n[+]log ok\n[-]etcd failed: disk full\n{path[1:]} check failed\n".encode(),
        )
    assert site.ask("/readyz?exclude=etcd").status == 200


def test_a_list_has_the_pods_that_run_and_are_known(site: Site) -> None:
    assert site.json(PODS) == {
        "kind": "PodMetricsList",
        "apiVersion": "metrics.k8s.io/v1beta1",
        "metadata": {},
        "items": [
            {
                "metadata": {
                    "name": "web",
                    "namespace": "default",
                    "labels": {"app": "web"},
                    "creationTimestamp": "2026-01-01T12:00:30Z",
                },
                "timestamp": "2026-01-01T12:00:27Z",
                "window": "15.063s",
                "containers": [
                    {"name": "c0", "usage": {"cpu": "123456789n", "memory": "20Mi"}},
                    {"name": "c1", "usage": {"cpu": "5m", "memory": "1536Ki"}},
                ],
            }
        ],
    }


@pytest.mark.parametrize(
    ("target", "names"),
    [
        (PODS, ["web"]),
        ("/apis/metrics.k8s.io/v1beta1/pods", ["web", "web"]),
        ("/apis/metrics.k8s.io/v1beta1/pods?labelSelector=app%3Dother", []),
        ("/apis/metrics.k8s.io/v1beta1/pods?labelSelector=app+in+(web,new)", ["web", "web"]),
        ("/apis/metrics.k8s.io/v1beta1/pods?fieldSelector=metadata.namespace%3Dkube-system", ["web"]),
        (f"{NODES}?labelSelector=zone%3Db", ["b"]),
        (NODES, ["a", "b"]),
    ],
)
def test_selectors_choose(site: Site, target: str, names: list[str]) -> None:
    site.pod("web", (1, 1), namespace="kube-system")
    site.node("b")
    site.node("a")
    assert [item["metadata"]["name"] for item in site.json(target)["items"]] == names


def test_only_the_pods_of_the_answer_are_measured(site: Site) -> None:
    assert site.measured is not None
    site.ask(f"{PODS}?labelSelector=app%3Dnew")
    assert [len(look) for look in site.measured.looks] == [1]


def test_one_pod_and_one_node(site: Site) -> None:
    site.node("a")
    pod, node = site.json(f"{PODS}/web"), site.json(f"{NODES}/a")
    assert (pod["kind"], pod["metadata"]["name"], len(pod["containers"])) == ("PodMetrics", "web", 2)
    assert (node["kind"], node["usage"], node["window"]) == (
        "NodeMetrics",
        {"cpu": "2500m", "memory": "9000Mi"},
        "1s",
    )


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (f"{PODS}/nope", 'pods "nope" not found'),
        (f"{PODS}/new", 'podmetrics.metrics.k8s.io "default/new" not found'),
        (f"{PODS}/done", 'podmetrics.metrics.k8s.io "default/done" not found'),
        (f"{NODES}/nope", 'nodes "nope" not found'),
        (f"{NODES}/a", 'nodemetrics.metrics.k8s.io "a" not found'),
    ],
)
def test_what_is_not_there_and_what_is_not_known_are_two_things(site: Site, target: str, message: str) -> None:
    assert site.measured is not None
    site.node("a")
    site.measured.machine = None
    answer = site.ask(target)
    assert (answer.status, orjson.loads(answer.body)["message"]) == (404, message)


def test_a_table_adds_up_the_containers(site: Site) -> None:
    table = site.json(PODS, accept=TABLE)
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "cpu", "memory", "Window"]
    assert [row["cells"] for row in table["rows"]] == [["web", "128456789n", "22016Ki", "15.063s"]]
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    assert site.json(f"{PODS}/web", accept=TABLE)["rows"][0]["cells"][0] == "web"
    empty = site.json(f"{PODS}?labelSelector=app%3Dother", accept=TABLE)
    assert (empty["columnDefinitions"], empty["rows"]) == ([], [])
    whole = site.json(f"{PODS}?includeObject=Object", accept=TABLE)
    assert whole["rows"][0]["object"]["containers"][0]["name"] == "c0"


@pytest.mark.parametrize(("method", "target"), [("DELETE", f"{PODS}/web"), ("POST", PODS), ("GET", f"{PODS}?watch=1")])
def test_numbers_can_be_read_only(site: Site, method: str, target: str) -> None:
    assert site.ask(target, method).status == 405


def test_where_rates_need_two_looks_the_answer_waits_between_them(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    assert site.measured is not None
    site.measured.slow = True
    waited: list[float] = []

    async def pause(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(MetricsRequests.__init__, "__defaults__", (pause,))
    assert len(site.json(PODS)["items"]) == 1
    assert (waited, len(site.measured.looks)) == ([1.0], 2)


def test_the_document_of_the_group_describes_both_kinds(site: Site) -> None:
    schemas = site.json("/openapi/v3/apis/metrics.k8s.io/v1beta1")["components"]["schemas"]
    assert {"containers", "window", "metadata"} <= set(schemas["io.k8s.metrics.v1beta1.PodMetrics"]["properties"])
    assert "io.k8s.metrics.v1beta1.NodeMetricsList" in schemas


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(0), "0s"),
        (timedelta(microseconds=7), "7µs"),
        (timedelta(milliseconds=1.5), "1.5ms"),
        (timedelta(seconds=15, microseconds=63_000), "15.063s"),
        (timedelta(seconds=60), "1m0s"),
        (timedelta(hours=2, seconds=1.25), "2h0m1.25s"),
    ],
)
def test_durations_read_as_in_go(length: timedelta, text: str) -> None:
    assert go_duration(length) == text
