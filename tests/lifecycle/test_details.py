"""Details of rules that a change of one word would break unseen: each test names the rule it holds."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from mini_runtime import T0, Life, Script, World, container, pod_json

from lifepod.lifecycle.admission import refusal
from lifepod.lifecycle.environment import expanded
from lifepod.lifecycle.image_pull import may_pull_at
from lifepod.lifecycle.init_containers import grace_of
from lifepod.lifecycle.memory import Backoff, ProbeWorker, memory_from_json, seen_to_json
from lifepod.lifecycle.pod_spec import pod_from_json
from lifepod.lifecycle.probes import judged
from lifepod.lifecycle.restart_policy import effective_policy
from lifepod.lifecycle.version import Profile
from lifepod.lifecycle.vocabulary import (
    Action,
    CreateContainer,
    ExecHandler,
    Failed,
    HttpGetHandler,
    Probed,
    ProbeSpec,
    Refusal,
    RemoveContainer,
    StartContainer,
    StopContainer,
)

PROBE = {"exec": {"command": ["true"]}}


@pytest.mark.parametrize(
    ("cause", "grace"),
    [("liveness", 5), ("startup", 7), ("readiness", 30), (None, 30)],
)
def test_only_the_probe_that_kills_gives_its_grace_period(cause: Any, grace: int) -> None:
    """lifecycle.md §7.3."""
    probes = {
        "livenessProbe": {**PROBE, "terminationGracePeriodSeconds": 5},
        "startupProbe": {**PROBE, "terminationGracePeriodSeconds": 7},
    }
    spec = pod_from_json(pod_json({"containers": [container(**probes)], "terminationGracePeriodSeconds": 30})).spec
    assert grace_of(spec, spec.containers[0], cause) == grace


def test_a_refused_pod_has_a_start_time() -> None:
    """lifecycle.md §1.5."""
    world = World(pod_json({"containers": [container()]}), refusal=Refusal("OutOfcpu", "no cpu")).run(5)
    assert world.obj is not None
    assert world.obj["status"]["startTime"] == "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("kind", "is_refused"), [({"restartPolicy": "Always"}, True), ({}, False)], ids=["sidecar", "init container"]
)
def test_a_port_of_the_node_is_taken_by_a_sidecar_but_not_by_an_init_container(
    kind: dict[str, Any], is_refused: bool
) -> None:
    """lifecycle.md §1.5: NodePorts; an init container is over when the others run."""
    node = {"metadata": {"name": "n"}, "status": {"allocatable": {"pods": "10"}}}
    port = {"ports": [{"containerPort": 80, "hostPort": 80}]}
    other = pod_json({"containers": [container()], "initContainers": [container("i", **kind, **port)]}, "other")
    found = refusal(pod_json({"containers": [container(**port)]}), node, [other])
    assert (found is not None and found.reason == "NodePorts") is is_refused


@pytest.mark.parametrize(
    ("text", "said"),
    [(")a$(A)", ")ax"), ("$(A)$(A", "x$(A"), ("$$(A)", "$(A)"), ("$(B))", "$(B))"), ("$", "$"), ("a$b", "a$b")],
)
def test_a_reference_ends_at_the_next_parenthesis(text: str, said: str) -> None:
    """lifecycle.md §9: `$(NAME)`."""
    assert expanded(text, {"A": "x"}) == said


def test_a_container_without_a_sandbox_that_nobody_knows_is_stopped() -> None:
    """What runs for a pod that is no longer in the API, found by a node agent that begins."""
    world = World(pod_json({"containers": [container()]})).run(10)
    world.report = world.report._replace(sandboxes=())
    world.obj = None
    world.restart_agent()
    world.run(60)
    assert [c.state for c in world.report.containers if c.state == "running"] == []
    assert [a.container for _, a in world.actions if isinstance(a, StopContainer)] == ["c"]


def test_a_dead_container_is_removed_once_though_it_stays_in_the_report() -> None:
    slow = Script(life=lambda name, attempt: Life(1.0, 1), action_seconds=0.5)
    world = World(pod_json({"containers": [container()]}), slow).run(400)
    removed = [a.container_id for _, a in world.actions if isinstance(a, RemoveContainer)]
    assert removed
    assert len(removed) == len(set(removed))


def test_sidecars_are_stopped_after_the_others_when_the_sandbox_is_replaced_too() -> None:
    """lifecycle.md §7.4: the order holds for every stop of a whole pod, not only for its deletion."""
    spec = {
        "containers": [container()],
        "initContainers": [container("s", restartPolicy="Always")],
        "terminationGracePeriodSeconds": 20,
    }
    script = Script(life=lambda name, attempt: Life(on_term=0, term_takes=3.0))
    world = World(pod_json(spec), script).run(10)
    world.at(10, lambda: _sandbox_not_ready(world))
    world.run(60)
    stops = [(a.container, at) for at, a in world.actions if isinstance(a, StopContainer)]
    assert [name for name, _ in stops] == ["c", "s"]
    assert stops[1][1] - stops[0][1] >= 3


def _sandbox_not_ready(world: World) -> None:
    """The sandbox is lost, its containers run on."""
    boxes = tuple(box._replace(state="notready") for box in world.report.sandboxes)
    world.report = world.report._replace(sandboxes=boxes)


@pytest.mark.parametrize(
    ("order", "reason"), [(CreateContainer, "CreateContainerError"), (StartContainer, "RunContainerError")]
)
def test_a_start_that_fails_without_a_reason_has_that_of_its_stage(order: type, reason: str) -> None:
    """lifecycle.md §2.2."""

    class Refusing(World):
        def _perform(self, action: Action) -> None:
            if isinstance(action, order):
                if isinstance(action, StartContainer):
                    self._change(action.container_id, state="exited", exit_code=128, finished_at=self.now)
                self._end(action.number, Failed("", "boom"), 0)
            else:
                super()._perform(action)

    world = Refusing(pod_json({"containers": [container()]})).run(2)
    states = [status["containerStatuses"][0]["state"] for _, status in world.statuses]
    assert {"waiting": {"reason": reason, "message": "boom"}} in states


def test_a_status_that_was_lost_is_sent_again_after_10_seconds_and_not_before() -> None:
    """lifecycle.md §1.6: the status manager's sync."""
    world = World(pod_json({"containers": [container()], "restartPolicy": "Never"})).run(5)
    written = len(world.statuses)
    world.lose_writes = 2
    world.at(6, lambda: world.exit("c", 1))
    world.run(8)
    lost_at = 6
    assert len(world.statuses) == written
    world.run(40)
    assert world.statuses[written][0] == pytest.approx(lost_at + 10, abs=0.01)


@pytest.mark.parametrize(("seconds", "waits"), [(299, 1), (300, 0), (601, 0)])
def test_a_pull_waits_for_its_delay(seconds: int, waits: int) -> None:
    failed = Backoff("image", 300, T0)
    now = T0 + timedelta(seconds=seconds)
    assert may_pull_at(failed, now) == now + timedelta(seconds=waits)


@pytest.mark.parametrize(("seconds", "waits"), [(600, 300), (601, 0)])
def test_a_delay_nobody_used_for_600_s_is_forgotten(seconds: int, waits: int) -> None:
    """lifecycle.md §5: twice the longest delay, counted from the last failure."""
    failed = Backoff("image", 900, T0)
    now = T0 + timedelta(seconds=seconds)
    assert may_pull_at(failed, now) == now + timedelta(seconds=waits)


@pytest.mark.parametrize(
    ("kind", "knows_rules", "policy"),
    [("regular", True, "Never"), ("regular", False, "Always"), ("sidecar", True, "Always")],
)
def test_a_containers_own_policy_counts_where_the_minor_knows_one_but_not_a_sidecars(
    kind: Any, knows_rules: bool, policy: str
) -> None:
    spec = pod_from_json(pod_json({"containers": [container()], "restartPolicy": "Always"})).spec
    own = spec.containers[0]._replace(kind=kind, restart_policy="Never")
    assert effective_policy(own, spec, Profile("1.35", container_restart_rules=knows_rules)) == policy


def test_after_an_answer_a_prober_has_all_its_tries_again() -> None:
    """lifecycle.md §6.2.9: three tries each time."""
    spec = ProbeSpec(ExecHandler(("true",)))
    worker = ProbeWorker("c", "readiness", T0, "id", tries=2)
    worker = judged(worker, spec, Probed("success")).worker
    again = []
    for _ in range(3):
        worker, is_tried_again, _ = judged(worker, spec, Probed("unknown"))
        again.append(is_tried_again)
    assert again == [True, True, False]


def test_what_is_no_memory_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"^not the memory of a pod$"):
        memory_from_json(seen_to_json(World(pod_json({"containers": [container()]})).seen()))


def test_any_of_a_pods_node_terms_is_enough() -> None:
    """k8s docs: nodeSelectorTerms are ORed."""
    terms = [{"matchExpressions": [{"key": "zone", "operator": "In", "values": [zone]}]} for zone in ("a", "b")]
    wish = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}
    made = pod_json({"containers": [container()], "affinity": wish})
    node = {"metadata": {"name": "n", "labels": {"zone": "b"}}, "status": {"allocatable": {"pods": "10"}}}
    assert refusal(made, node, []) is None


def test_a_probes_own_host_and_scheme_are_read() -> None:
    """lifecycle.md §6.1."""
    get = {"port": 80, "host": "1.2.3.4", "scheme": "HTTPS"}
    made = pod_from_json(pod_json({"containers": [container(livenessProbe={"httpGet": get})]}))
    probe = made.spec.containers[0].liveness_probe
    assert probe is not None
    assert probe.handler == HttpGetHandler(80, "/", "HTTPS", "1.2.3.4", ())


def test_the_status_shows_what_a_container_asked_for() -> None:
    asked = {"limits": {"cpu": "1"}, "requests": {"cpu": "500m"}}
    world = World(pod_json({"containers": [container(resources=asked)]})).run(5)
    assert world.obj is not None
    assert world.obj["status"]["containerStatuses"][0]["resources"] == asked


def test_volumes_that_fail_are_tried_after_half_a_second_and_at_most_122_seconds_later() -> None:
    """lifecycle.md §9: the exponential back-off of the volume manager."""
    tries: list[float] = []

    def mounts(at: float) -> Failed:
        tries.append(at)
        return Failed("", "no such secret")

    World(pod_json({"containers": [container()]}), Script(mounts=mounts)).run(900)
    gaps = [round(b - a, 3) for a, b in pairwise(tries)]
    assert gaps[:9] == [0.5, 1, 2, 4, 8, 16, 32, 64, 122]
    assert max(gaps) == 122
