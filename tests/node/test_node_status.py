"""The conditions of a Node: the agent's own, those that last, and those of others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lifepod.api.objects import JsonObject
from lifepod.node.node_keeper import NodeKeeper
from lifepod.node.node_status import NodeCondition, NodeSettings, Pressures, new_node, node_status

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LIMITS = NodeCondition("lifepod.dev/LimitsEnforced", "False", "NoControlGroups", "no control group can be made")


def test_what_lasts_stands_beside_the_kubelets_own_and_ready_is_last() -> None:
    status = new_node(NodeSettings("n", conditions=(LIMITS,)), NOW)["status"]
    shown = {c["type"]: (c["status"], c["reason"], c["message"]) for c in status["conditions"]}
    assert list(shown)[-1] == "Ready"
    assert shown[LIMITS.type] == ("False", "NoControlGroups", "no control group can be made")
    assert set(shown) == {LIMITS.type, "MemoryPressure", "DiskPressure", "PIDPressure", "Ready"}


def test_a_condition_changed_when_its_status_did() -> None:
    before = new_node(NodeSettings("n", conditions=(LIMITS,)), NOW)["status"]
    later = NOW + timedelta(hours=1)
    for status, changed in (("False", "2026-01-01T00:00:00Z"), ("True", "2026-01-01T01:00:00Z")):
        settings = NodeSettings("n", conditions=(LIMITS._replace(status=status),))
        (found,) = [
            c for c in node_status(settings, Pressures(), before, later)["conditions"] if c["type"] == LIMITS.type
        ]
        assert (found["status"], found["lastTransitionTime"]) == (status, changed)
        assert found["lastHeartbeatTime"] == "2026-01-01T01:00:00Z"


class NoReader:
    """An API that has nothing."""

    def get(self, resource: str, namespace: str, name: str) -> JsonObject | None:
        return None

    def list(self, resource: str, namespace: str = "") -> list[JsonObject]:
        return []


@pytest.mark.parametrize(
    ("refusals", "written"), [(0, [0]), (1, [0, 0]), (4, [0] * 5), (5, [0] * 5 + [10]), (7, [0] * 5 + [10] * 3)]
)
def test_a_refused_status_is_sent_again_at_once_and_after_five_tries_10_s_later(
    refusals: int, written: list[int]
) -> None:
    keeper, now, sent = NodeKeeper(NodeSettings("n"), NoReader(), timedelta(seconds=10)), NOW, []
    while now < NOW + timedelta(seconds=60):
        for write in keeper.due_writes(now):
            if write.resource == "nodes":
                sent.append((now - NOW).total_seconds())
                keeper.take_answer(len(sent) <= refusals, now)
        wake_at = keeper.wake_at()
        assert wake_at is not None
        now = max(now, wake_at)
    assert sent == written
