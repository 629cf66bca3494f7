"""A small story: a pod whose first init container waits for a name, one that crashes, a Job."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lifepod.diagnosis.findings import Finding
from lifepod.ui.story import LogLine, Story

NOW = datetime(2026, 1, 1, 12, 0, 10, tzinfo=UTC)


def _condition(kind, value="True"):
    return {"type": kind, "status": value}


def pod(name, phase, conditions, containers, init=()):
    return {
        "metadata": {"namespace": "default", "name": name, "uid": f"uid-{name}", "creationTimestamp": "2026-01-01T12:00:00Z"},
        "spec": {"containers": [{"name": c["name"]} for c in containers], "initContainers": [{"name": c["name"]} for c in init]},
        "status": {"phase": phase, "conditions": conditions, "containerStatuses": list(containers), "initContainerStatuses": list(init)},
    }  # fmt: skip


def running(name, ready=True, restarts=0):
    return {
        "name": name,
        "ready": ready,
        "started": True,
        "restartCount": restarts,
        "state": {"running": {"startedAt": "2026-01-01T12:00:02Z"}},
    }


def waiting(name, reason, restarts=0, ended=None):
    last = {"terminated": {"exitCode": 1, "finishedAt": ended}} if ended else {}
    return {
        "name": name,
        "ready": False,
        "restartCount": restarts,
        "state": {"waiting": {"reason": reason}},
        "lastState": last,
    }


def ended(name, code):
    reason = "Completed" if code == 0 else "Error"
    state = {"terminated": {"exitCode": code, "reason": reason, "finishedAt": "2026-01-01T12:00:05Z"}}
    return {"name": name, "ready": False, "restartCount": 0, "state": state}


class Told:
    """The story, what is found out about it, and the time it is now."""

    def __init__(self):
        self.story, self.now = Story(), NOW
        self.started = NOW - timedelta(seconds=10)
        scheduled = [_condition("PodScheduled"), _condition("Ready", "False")]
        self.myapp = pod(
            "myapp-pod",
            "Pending",
            scheduled,
            [waiting("myapp", "PodInitializing")],
            [running("init-myservice", ready=False), waiting("init-mydb", "PodInitializing")],
        )
        self.crash = pod(
            "crash",
            "Running",
            [_condition("PodScheduled"), _condition("Ready", "False")],
            [waiting("app", "CrashLoopBackOff", 2, "2026-01-01T12:00:05Z")],
        )
        for each in (self.myapp, self.crash):
            self.story.on_pod("ADDED", each, NOW)
        self.story.on_job(
            "ADDED", {"metadata": {"namespace": "default", "name": "work"}, "spec": {}, "status": {"active": 1}}, NOW
        )
        self.story.on_event(
            "ADDED",
            {
                "metadata": {"name": "e1"},
                "type": "Warning",
                "reason": "BackOff",
                "count": 3,
                "lastTimestamp": "2026-01-01T12:00:08Z",
                "involvedObject": {"name": "crash", "uid": "uid-crash"},
                "message": "Back-off restarting failed container app in pod crash " + "x" * 300,
            },
        )
        self.story.on_log(LogLine("myapp-pod", "init-myservice", "waiting for myservice"))
        self.found = {
            "default/myapp-pod": (Finding("init-myservice", 'No Service is called "myservice".'),),
            "default/crash": (
                Finding(
                    "app", "Exit code 1.", "It is started again.", NOW + timedelta(seconds=5), ("Look at its log.",)
                ),
            ),
        }

    def findings(self):
        return self.found


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def parts():
    """What tests make statuses of."""

    class Parts:
        pod, running, waiting, ended, condition = (staticmethod(f) for f in (pod, running, waiting, ended, _condition))

    return Parts
