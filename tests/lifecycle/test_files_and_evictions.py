"""What files of volumes hold, and how a pod that is told to go goes: the rest of lifecycle.md §7 and §9."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from mini_runtime import Life, Script, World, container, pod_json

from lifepod.lifecycle.admission import AFFINITY_WORDS
from lifepod.lifecycle.environment import Lookups, field_text, resource_text
from lifepod.lifecycle.eviction import refusal_under_pressure
from lifepod.lifecycle.vocabulary import KillRequest, StopContainer
from lifepod.lifecycle.volumes import Late, VolumeFile, volume_files

NOWHERE = Lookups({}.get, {}.get, (), {"cpu": "4", "memory": "8Gi", "x.io/gpu": "2"}, (), ())
POD = pod_json({"containers": [container()]})


def test_a_late_file_is_made_once_and_equals_its_bytes() -> None:
    made: list[int] = []

    def make() -> bytes:
        made.append(1)
        return b"token"

    late = Late(make)
    assert made == []
    assert (late.read(), late.read(), made) == (b"token", b"token", [1])
    assert late == Late(b"token")
    assert late != Late(b"other")
    assert late != b"token"
    assert hash(late) == hash(Late(b"token"))
    assert pickle.loads(pickle.dumps(late)) == late


@pytest.mark.parametrize(
    ("wish", "asked"),
    [({}, ("", 3600)), ({"expirationSeconds": 600}, ("", 600)), ({"audience": "vault"}, ("vault", 3600))],
)
def test_a_projected_token_is_asked_for_with_its_audience_and_time(wish: dict[str, Any], asked: Any) -> None:
    heard: list[tuple[str, int]] = []

    def token(audience: str, seconds: int) -> bytes:
        heard.append((audience, seconds))
        return b"t"

    source = {"serviceAccountToken": {"path": "token", **wish}}
    made = volume_files({"projected": {"sources": [source], "defaultMode": 0o400}}, POD, NOWHERE, token)
    assert made == (VolumeFile("token", b"t", 0o400),)
    assert heard == [asked]


@pytest.mark.parametrize(
    ("default", "own", "mode"), [(None, None, 0o644), (0o400, None, 0o400), (None, 0o600, 0o600), (0o400, 0o600, 0o600)]
)
def test_a_file_has_its_own_mode_else_its_volumes_else_0644(default: Any, own: Any, mode: int) -> None:
    item = {"path": "n", "fieldRef": {"fieldPath": "metadata.name"}, "mode": own}
    volume = {"downwardAPI": {"items": [item], "defaultMode": default}}
    assert volume_files(volume, POD, NOWHERE, lambda audience, seconds: b"") == (VolumeFile("n", b"p", mode),)


@pytest.mark.parametrize("path", ["status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"])
def test_an_address_nobody_knows_yet_is_empty(path: str) -> None:
    assert field_text({**POD, "status": {}}, path, NOWHERE) == ""


@pytest.mark.parametrize(
    ("resource", "text"),
    [("limits.cpu", "4"), ("limits.memory", "8589934592"), ("requests.cpu", "0"), ("limits.x.io/gpu", "0")],
)
def test_only_limits_of_cpu_memory_and_disk_that_are_not_set_are_the_nodes(resource: str, text: str) -> None:
    assert resource_text({"resource": resource}, {}, NOWHERE) == text


def test_the_words_for_a_node_that_a_pod_does_not_want() -> None:
    """lifecycle.md §1.5."""
    assert AFFINITY_WORDS == "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"


@pytest.mark.parametrize(
    ("toleration", "is_refused"),
    [
        ({"key": "", "effect": ""}, False),
        ({"effect": "NoSchedule"}, False),
        ({"key": "node.kubernetes.io/memory-pressure"}, False),
        ({"key": "other"}, True),
        ({"effect": "NoExecute"}, True),
    ],
)
def test_who_tolerates_memory_pressure_is_taken_under_it(toleration: dict[str, str], is_refused: bool) -> None:
    spec = {"containers": [{"name": "c"}], "tolerations": [{"operator": "Exists", **toleration}]}
    refused = refusal_under_pressure({"metadata": {}, "spec": spec}, memory=True, disk=False, pid=False)
    assert (refused is not None) is is_refused


CONDITION = {"type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet", "message": "why"}


def _evicted(**script: Any) -> World:
    spec = {"containers": [container()], "terminationGracePeriodSeconds": 20}
    world = World(pod_json(spec), Script(**script))

    def evict() -> None:
        world.kill = KillRequest("Evicted", "too much", 4, CONDITION)

    world.at(10, evict)
    return world.run(60)


def test_an_eviction_is_told_and_its_grace_period_counts() -> None:
    """lifecycle.md §1.5, §7.1."""
    world = _evicted(life=lambda name, attempt: Life(on_term=0, term_takes=1.0))
    assert world.told("Evicted") == [("Evicted", "too much")]
    assert [a.grace_seconds for _, a in world.actions if isinstance(a, StopContainer)] == [4]


def test_an_evicted_pod_has_the_condition_of_its_eviction() -> None:
    world = _evicted(life=lambda name, attempt: Life(on_term=0, term_takes=1.0))
    assert world.obj is not None
    shown = {c["type"]: c for c in world.obj["status"]["conditions"]}["DisruptionTarget"]
    assert {k: shown[k] for k in CONDITION} == CONDITION
    assert (world.obj["status"]["phase"], world.obj["status"]["reason"]) == ("Failed", "Evicted")


def test_an_eviction_is_explained_with_its_grace_period() -> None:
    world = _evicted(life=lambda name, attempt: Life(on_term=0, term_takes=1.0))
    said = [b for _, out, _ in world.steps for b in out.because if b.rule == "kills.start_kill"]
    assert [dict(b.facts)["grace"] for b in said] == ["4s"]
