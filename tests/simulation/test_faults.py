"""Faults by one line: how they are written, and what each does to a cluster."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import orjson
import pytest

from lifepod.api.objects import JsonObject, dig
from lifepod.apiserver.exchange import NO_ANSWER, Answer, Request, Response
from lifepod.assembly.simulated import SimSettings, SimulatedCluster
from lifepod.node.node_status import NodeSettings
from lifepod.simulation.faults import CATALOGUE, BadFault, RandomFaults, parse_fault

ROOT = Path(__file__).parents[2]
PODS = "/api/v1/namespaces/default/pods"


def cluster(nodes: int = 1, seed: int = 1) -> SimulatedCluster:
    names = range(1, nodes + 1)
    return SimulatedCluster(
        SimSettings(seed=seed, nodes=tuple(NodeSettings(f"node{n}", (f"10.0.0.{n}",)) for n in names))
    )


def with_pod(sim: SimulatedCluster, name: str = "web", script: str = "run=forever", **spec: object) -> None:
    metadata = {"name": name, "annotations": {"sim.lifepod.dev/app": script}}
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": [{"name": "app", "image": "shop/web"}], **spec},
    }
    sim.request("POST", PODS, body)
    sim.advance(timedelta(seconds=1))


def ask(sim: SimulatedCluster, method: str, path: str, body: JsonObject | None = None, query: str = "") -> Answer:
    headers = {"authorization": f"Bearer {sim.plane.token}", "content-type": "application/json"}
    return sim.site(Request(method, path, query, headers, orjson.dumps(body) if body is not None else b""))


def app_of(sim: SimulatedCluster, name: str = "web") -> JsonObject:
    pod = sim.get("pods", name)
    assert pod is not None
    return dict(pod["status"]["containerStatuses"][0])


def ready_of(sim: SimulatedCluster, node: str = "node1") -> str:
    obj = sim.cluster.get("nodes", "", node)
    return str(next(c["status"] for c in dig(obj, "status", "conditions") if c["type"] == "Ready"))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("node-slient node1", 'Did you mean "node-silent"'),
        ("oom web for=3s", "at one moment"),
        ("node-silent node1 for=soon", "no length of time"),
        ("api-error rate=2", "no share"),
        ("api-error colour=red", "It is written: api-error status=503"),
        ("api-error who=me", "who=clients"),
        ("watch-gone web", "says nothing"),
        ("", "One of:"),
    ],
)
def test_a_line_that_names_no_fault_is_told_what_to_write(line: str, why: str) -> None:
    with pytest.raises(BadFault, match=why):
        parse_fault(line)


@pytest.mark.parametrize("kind", CATALOGUE, ids=lambda kind: kind.name)
def test_a_fault_is_written_as_it_is_read(kind: object) -> None:
    line = str(parse_fault(f"{kind.name} {'x' if kind.target else ''}"))  # type: ignore[attr-defined]  # a FaultKind
    assert parse_fault(line) == parse_fault(str(parse_fault(line)))


def test_the_page_of_faults_is_the_catalogue() -> None:
    spec = spec_from_file_location("write_faults", ROOT / "tools" / "write_faults.py")
    assert spec is not None
    assert spec.loader is not None
    tool = module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert (ROOT / "docs" / "faults.md").read_text() == tool.written()


# ------------------------------------------------------------------------------------------------ the API


@pytest.mark.parametrize("status", [429, 500, 503, 504])
def test_requests_are_answered_with_an_error_until_its_end(status: int) -> None:
    sim = cluster()
    sim.faults.inject(f"api-error status={status} for=10s resource=pods")
    answer = ask(sim, "GET", PODS)
    assert isinstance(answer, Response)
    assert (answer.status, orjson.loads(answer.body)["code"]) == (status, status)
    assert (("Retry-After", "1") in answer.headers) == (status in (429, 503, 504))
    assert getattr(ask(sim, "GET", "/api/v1/nodes"), "status", 0) == 200
    sim.advance(timedelta(seconds=11))
    assert getattr(ask(sim, "GET", PODS), "status", 0) == 200


def test_a_timeout_comes_after_the_write_was_done() -> None:
    sim = cluster()
    sim.faults.inject("api-timeout verb=create")
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}
    assert getattr(ask(sim, "POST", "/api/v1/namespaces", body), "status", 0) == 504
    assert sim.cluster.get("namespaces", "", "team") is not None
    sim.faults.end("api-timeout")
    assert getattr(ask(sim, "POST", "/api/v1/namespaces", body), "status", 0) == 409


def test_a_conflict_strikes_updates_and_patches_only() -> None:
    sim = cluster()
    with_pod(sim)
    sim.faults.inject("api-conflict")
    assert getattr(ask(sim, "GET", f"{PODS}/web"), "status", 0) == 200
    answer = ask(sim, "PUT", f"{PODS}/web", sim.get("pods", "web"))
    assert isinstance(answer, Response)
    assert answer.status == 409
    assert "the object has been modified" in orjson.loads(answer.body)["message"]


def test_a_dropped_connection_has_no_answer_and_no_effect() -> None:
    sim = cluster()
    sim.faults.inject("api-drop")
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}
    assert ask(sim, "POST", "/api/v1/namespaces", body) is NO_ANSWER
    assert sim.cluster.get("namespaces", "", "team") is None


def test_a_slow_answer_comes_in_the_clients_time() -> None:
    sim = cluster()
    sim.faults.inject("api-slow by=20ms")
    answer = ask(sim, "GET", PODS)
    assert not isinstance(answer, tuple)

    async def waited() -> tuple[int, float]:
        began = asyncio.get_running_loop().time()
        response = await answer
        return response.status, asyncio.get_running_loop().time() - began  # type: ignore[union-attr]  # a Response

    status, seconds = asyncio.run(waited())
    assert status == 200
    assert seconds >= 0.02


def test_a_watch_from_before_a_lost_history_is_refused_with_410() -> None:
    sim = cluster()
    with_pod(sim)
    revision = sim.store.revision
    sim.faults.inject("watch-gone")
    answer = ask(sim, "GET", PODS, query=f"watch=true&resourceVersion={revision - 1}&timeoutSeconds=1")
    assert b"410" in getattr(answer, "body", b"") or _first_line(answer).find(b'"code":410') > 0


def _first_line(answer: Answer) -> bytes:
    written: list[bytes] = []

    class Taker:
        def write(self, data: bytes) -> None:
            written.append(data)

        def __getattr__(self, name: str) -> object:
            return lambda *args: 0

    async def start() -> None:
        answer.start(Taker())  # type: ignore[union-attr]  # a Stream

    asyncio.run(start())
    return b"".join(written)


def test_parts_of_the_cluster_are_struck_when_asked_for() -> None:
    sim = cluster()
    sim.faults.inject("api-error status=500 who=parts resource=pods for=20s")
    with_pod(sim)
    assert dig(sim.get("pods", "web"), "spec", "nodeName") is None
    sim.advance(timedelta(minutes=10))
    assert app_of(sim)["state"].keys() == {"running"}


# ------------------------------------------------------------------------------------------------ nodes


def test_a_silent_node_is_unknown_after_fifty_seconds_and_back_when_it_speaks() -> None:
    sim = cluster()
    sim.faults.inject("node-silent node1 for=2m")
    sim.advance(timedelta(seconds=45))
    assert ready_of(sim) == "True"
    sim.advance(timedelta(seconds=15))
    assert ready_of(sim) == "Unknown"
    sim.advance(timedelta(minutes=2))
    assert ready_of(sim) == "True"


def test_a_node_that_is_gone_comes_back_empty() -> None:
    sim = cluster()
    with_pod(sim)
    sim.faults.inject("node-gone node1 for=3m")
    assert sim.cluster.get("nodes", "", "node1") is None
    sim.advance(timedelta(minutes=2))
    assert sim.get("pods", "web") is None
    sim.advance(timedelta(minutes=2))
    assert ready_of(sim) == "True"
    with_pod(sim)
    assert app_of(sim)["state"].keys() == {"running"}


def test_a_skewed_clock_shows_in_what_the_node_writes() -> None:
    sim = cluster()
    sim.faults.inject("clock-skew node1 by=1h")
    with_pod(sim)
    assert app_of(sim)["state"]["running"]["startedAt"].startswith("2025-01-01T01:")
    assert sim.get("pods", "web")["metadata"]["creationTimestamp"].startswith("2025-01-01T00:")  # type: ignore[index]  # it is there


def test_a_node_short_of_disk_evicts_and_says_so() -> None:
    sim = cluster()
    with_pod(sim)
    sim.faults.inject("disk-pressure node1 for=30s")
    sim.advance(timedelta(seconds=10))
    status = sim.get("pods", "web")["status"]  # type: ignore[index]  # it is there
    assert (status["phase"], status["reason"]) == ("Failed", "Evicted")
    assert "ephemeral-storage" in status["message"]


def test_a_restarted_node_keeps_its_pods_and_counts_their_restarts() -> None:
    sim = cluster()
    with_pod(sim)
    sim.faults.inject("node-restart node1")
    sim.advance(timedelta(seconds=30))
    assert app_of(sim)["restartCount"] == 1
    assert app_of(sim)["state"].keys() == {"running"}


# ------------------------------------------------------------------------------------------------ pods


@pytest.mark.parametrize(
    ("line", "code", "reason"),
    [
        ("oom web/app", 137, "OOMKilled"),
        ("container-killed web signal=SEGV", 139, "Error"),
        ("container-killed web signal=9", 137, "Error"),
    ],
)
def test_a_killed_container_ends_by_its_signal_and_is_restarted(line: str, code: int, reason: str) -> None:
    sim = cluster()
    with_pod(sim)
    assert sim.faults.inject(line)
    sim.advance(timedelta(seconds=1))
    ended = app_of(sim)["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"], app_of(sim)["restartCount"]) == (code, reason, 1)


def test_there_may_be_nothing_to_strike() -> None:
    sim = cluster()
    assert sim.faults.inject("oom web/app") == ""
    assert sim.faults.inject("node-silent node7") == ""


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("image-not-found", "not found"),
        ("image-unauthorised", "pull access denied"),
        ("registry-down", "connection refused"),
    ],
)
def test_an_image_that_cannot_be_pulled_says_why(kind: str, words: str) -> None:
    sim = cluster()
    sim.faults.inject(f"{kind} shop/* for=1m")
    with_pod(sim)
    waiting = app_of(sim)["state"]["waiting"]
    assert waiting["reason"] in ("ErrImagePull", "ImagePullBackOff")
    assert words in waiting["message"]
    sim.advance(timedelta(minutes=6))
    assert app_of(sim)["state"].keys() == {"running"}


def test_slow_pulls_and_starts_take_their_time() -> None:
    sim = cluster()
    sim.faults.inject("pull-slow shop/web by=30s")
    sim.faults.inject("start-slow web by=10s")
    with_pod(sim)
    sim.advance(timedelta(seconds=37))
    assert app_of(sim)["state"]["waiting"]["reason"] == "ContainerCreating"
    sim.advance(timedelta(seconds=5))
    assert app_of(sim)["state"].keys() == {"running"}


def test_random_faults_need_no_targets_and_keep_to_their_kinds() -> None:
    sim = cluster(2)
    for number in range(4):
        with_pod(sim, f"web-{number}")
    lines: list[str] = []
    sim.faults.told.append(lambda at, line: lines.append(line))
    sim.faults.draw(RandomFaults(timedelta(seconds=10), kinds=("oom", "node-silent"), until=timedelta(minutes=10)))
    sim.advance(timedelta(minutes=30))
    kinds = {line.split()[1] for line in lines if line.startswith("fault")}
    assert kinds == {"oom", "node-silent"}
    assert sim.faults.active == ()
