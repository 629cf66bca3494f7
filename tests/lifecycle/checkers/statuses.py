"""Laws about statuses: counts never fall, a terminal phase stays, Ready implies ContainersReady, no write changes nothing."""

from __future__ import annotations

from typing import Any

from mini_runtime import World

LISTS = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")


def _conditions(status: dict[str, Any]) -> dict[str, str]:
    return {c["type"]: c["status"] for c in status["conditions"]}


def restart_counts_never_fall(world: World) -> None:
    counts: dict[str, int] = {}
    for at, status in world.statuses:
        for member in LISTS:
            for s in status.get(member) or ():
                assert s["restartCount"] >= counts.get(s["name"], 0), f"{s['name']} fell at {at}"
                counts[s["name"]] = s["restartCount"]


def a_terminal_phase_stays(world: World) -> None:
    final = None
    for at, status in world.statuses:
        assert final in (None, status["phase"]), f"left {final} for {status['phase']} at {at}"
        if status["phase"] in ("Succeeded", "Failed"):
            final = status["phase"]
            running = [s["name"] for m in LISTS[:2] for s in status.get(m) or () if "running" in s["state"]]
            assert not running, f"{final} while {running} run"


def ready_implies_containers_ready(world: World) -> None:
    for at, status in world.statuses:
        told = _conditions(status)
        assert told.get("Ready") != "True" or told.get("ContainersReady") == "True", f"at {at}"


def no_status_repeats_the_one_before(world: World) -> None:
    if world.writes_were_lost:
        return  # going back to what the API server still has is such a write
    for (_, one), (at, other) in zip(world.statuses, world.statuses[1:], strict=False):
        assert one != other, f"written twice at {at}"


def transition_times_move_only_with_the_status(world: World) -> None:
    if world.writes_were_lost:
        return  # a watcher misses a status that was lost
    before: dict[str, tuple[str, str]] = {}
    for at, status in world.statuses:
        for c in status["conditions"]:
            known = before.get(c["type"])
            if known is not None and known[0] == c["status"]:
                assert known[1] == c["lastTransitionTime"], f"{c['type']} at {at}"
            before[c["type"]] = (c["status"], c["lastTransitionTime"])


def what_runs_again_has_a_last_state(world: World) -> None:
    for at, status in world.statuses:
        for member in LISTS[:2]:
            for s in status.get(member) or ():
                if (
                    "running" in s["state"]
                    and s["restartCount"]
                    and not world.sandbox_was_lost
                    and not world.agent_restarted
                ):
                    assert "terminated" in s["lastState"], f"{s['name']} at {at}"
