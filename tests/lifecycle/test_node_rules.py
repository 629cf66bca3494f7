"""What the node refuses, and how events fold (lifecycle.md §1.5, §8.1)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lifepod.lifecycle.admission import AFFINITY_WORDS, refusal
from lifepod.lifecycle.event_correlation import ObjectEvents, Verdict, correlate
from lifepod.lifecycle.vocabulary import Event, Refusal

NODE = {
    "metadata": {"name": "n", "labels": {"zone": "a", "size": "5"}},
    "spec": {"taints": [{"key": "k", "value": "v", "effect": "NoExecute"}, {"key": "s", "effect": "NoSchedule"}]},
    "status": {"allocatable": {"cpu": "2", "memory": "1Gi", "pods": "2"}},
}
TOLERATES = [{"key": "k", "operator": "Exists"}]


def pod(cpu: str = "", port: int = 0, phase: str = "Running", **spec: Any) -> dict[str, Any]:
    container: dict[str, Any] = {"name": "c", "resources": {"requests": {"cpu": cpu}} if cpu else {}}
    if port:
        container["ports"] = [{"containerPort": port, "hostPort": port}]
    spec = {"nodeName": "n", "tolerations": TOLERATES, "containers": [container], **spec}
    return {"metadata": {"name": "p"}, "spec": spec, "status": {"phase": phase}}


def affinity(*expressions: dict[str, Any], member: str = "matchExpressions") -> dict[str, Any]:
    terms = [{member: list(expressions)}] if expressions else [{}]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}


def expr(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator, "values": list(values)}


@pytest.mark.parametrize(
    ("made", "others", "expected"),
    [
        (pod(), [], None),
        (pod("2"), [], None),
        (
            pod("4"),
            [],
            Refusal("OutOfcpu", "Node didn't have enough resource: cpu, requested: 4000, used: 0, capacity: 2000"),
        ),
        (
            pod("1500m"),
            [pod("1")],
            Refusal("OutOfcpu", "Node didn't have enough resource: cpu, requested: 1500, used: 1000, capacity: 2000"),
        ),
        (pod("1500m"), [pod("1", phase="Succeeded")], None),
        (
            pod(),
            [pod(), pod()],
            Refusal("OutOfpods", "Node didn't have enough resource: pods, requested: 1, used: 2, capacity: 2"),
        ),
        (
            pod(containers=[{"name": "c", "resources": {"requests": {"memory": "2Gi"}}}]),
            [],
            Refusal(
                "OutOfmemory",
                "Node didn't have enough resource: memory, requested: 2147483648, used: 0, capacity: 1073741824",
            ),
        ),
        (
            pod(containers=[{"name": "c", "resources": {"requests": {"x.io/gpu": "1"}}}]),
            [],
            Refusal("OutOfx.io/gpu", "Node didn't have enough resource: x.io/gpu, requested: 1, used: 0, capacity: 0"),
        ),
        (pod(nodeSelector={"zone": "a"}), [], None),
        (pod(nodeSelector={"zone": "b"}), [], Refusal("NodeAffinity", AFFINITY_WORDS)),
        (pod(affinity=affinity(expr("zone", "In", "a"), expr("size", "Gt", "4"))), [], None),
        (pod(affinity=affinity(expr("zone", "NotIn", "a"))), [], Refusal("NodeAffinity", AFFINITY_WORDS)),
        (pod(affinity=affinity(expr("absent", "NotIn", "a"))), [], None),
        (pod(affinity=affinity(expr("zone", "NotIn", "b"))), [], None),
        (pod(affinity=affinity(expr("absent", "In", "a"))), [], Refusal("NodeAffinity", AFFINITY_WORDS)),
        (pod(affinity=affinity(expr("size", "Lt", "4"))), [], Refusal("NodeAffinity", AFFINITY_WORDS)),
        (pod(affinity=affinity(expr("zone", "Gt", "4"))), [], Refusal("NodeAffinity", AFFINITY_WORDS)),
        (pod(affinity=affinity(expr("zone", "Exists"), expr("no", "DoesNotExist"))), [], None),
        (pod(affinity=affinity(expr("zone", "Like"))), [], Refusal("NodeAffinity", AFFINITY_WORDS)),
        (pod(affinity=affinity(expr("metadata.name", "In", "n"), member="matchFields")), [], None),
        (pod(affinity=affinity()), [], Refusal("NodeAffinity", AFFINITY_WORDS)),
        (
            pod(nodeName="m"),
            [],
            Refusal("NodeName", "Predicate NodeName failed: node(s) didn't match the requested node name"),
        ),
        (
            pod(port=80),
            [pod(port=80)],
            Refusal(
                "NodePorts", "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"
            ),
        ),
        (pod(port=80), [pod(port=81)], None),
        (
            pod(tolerations=[{"key": "k", "value": "w"}]),
            [],
            Refusal(
                "TaintToleration", "Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate"
            ),
        ),
        (pod(tolerations=[{"key": "k", "value": "v", "effect": "NoExecute"}]), [], None),
        (pod(tolerations=[{"operator": "Exists"}]), [], None),
        *(
            (
                pod(tolerations=[{**toleration, "operator": "Exists"}]),
                [],
                Refusal(
                    "TaintToleration",
                    "Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate",
                ),
            )
            for toleration in ({"key": "k", "effect": "NoSchedule"}, {"key": "s"})
        ),
    ],
)
def test_the_node_refuses_what_it_cannot_hold(
    made: dict[str, Any], others: list[dict[str, Any]], expected: Refusal | None
) -> None:
    assert refusal(made, NODE, others) == expected


T = datetime(2026, 1, 1, tzinfo=UTC)


def fold(*told: tuple[float, str, str]) -> list[Verdict]:
    """(seconds, reason, message) each, as Warnings."""
    state, out = ObjectEvents(), []
    for i, (at, reason, message) in enumerate(told):
        event = Event("Warning", reason, message, "c")
        state, verdict = correlate(state, event, "spec.containers{c}", f"p.{i}", T + timedelta(seconds=at))
        out.append(verdict)
    return out


def test_the_same_event_is_counted_on_the_first_object() -> None:
    one, two = fold((0, "BackOff", "x"), (5, "BackOff", "x"))
    assert (one.kind, one.name, one.times) == ("post", "p.0", 1)
    assert (two.kind, two.name, two.times, two.first_at) == ("patch", "p.0", 2, T)


def test_the_tenth_different_message_begins_an_aggregate() -> None:
    """lifecycle.md §13.50."""
    made = fold(*[(i, "Unhealthy", f"m{i}") for i in range(12)])
    assert [v.kind for v in made] == ["post"] * 10 + ["patch", "patch"]
    assert made[9].message == "(combined from similar events): m9"
    assert (made[11].name, made[11].times) == ("p.9", 3)


def test_messages_far_apart_do_not_fold() -> None:
    assert {v.kind for v in fold(*[(i * 700, "Unhealthy", f"m{i}") for i in range(12)])} == {"post"}


def test_after_25_events_one_comes_through_every_five_minutes() -> None:
    made = fold(*[(0, "BackOff", "x")] * 27, (299, "BackOff", "x"), (300, "BackOff", "x"), (301, "BackOff", "x"))
    assert [v.kind for v in made].count("drop") == 4
    assert (made[28].kind, made[28].times) == ("patch", 29)
