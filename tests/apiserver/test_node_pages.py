"""What is said of and by nodes through the API server: their pages, and that nobody is there."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import orjson
import pytest

from lifepod.apiserver.node_address import unreachable
from lifepod.apiserver.node_proxy import node_page, summary_page
from lifepod.runtime.base import ContainerUsage, MeasuredUsage

from .conftest import NOW


@pytest.mark.parametrize(
    ("status", "page", "says"),
    [
        ({}, "", "no preferred addresses found; known addresses: []"),
        (
            {"addresses": [{"type": "Odd", "address": "a"}]},
            "",
            "no preferred addresses found; known addresses: [{Odd a}]",
        ),
        (
            {"addresses": [{"type": "InternalIP", "address": "10.0.0.1"}]},
            "",
            "error dialing backend: dial tcp 10.0.0.1:10250: connect: connection refused",
        ),
        (
            {
                "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}, {"type": "Hostname", "address": "n1"}],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": 99}},
            },
            "/containerLogs/default/p/c",
            'Get "https://n1:99/containerLogs/default/p/c": dial tcp n1:99: connect: connection refused',
        ),
    ],
)
def test_a_node_that_nobody_runs_here_is_told_by_its_address(status, page, says):
    error = unreachable({"metadata": {"name": "n1"}, "status": status}, page)
    assert (error.code, str(error), "reason" in error.status) == (500, says, False)


class Usage:
    """Knows nothing before its second look."""

    def __init__(self) -> None:
        self.looks = 0

    def look_at_pods(self, uids, now):
        self.looks += 1
        return self.looks < 2

    def look_at_node(self, now):
        return self.looks < 2

    def pod(self, uid):
        containers = (ContainerUsage("a", 5, 100), ContainerUsage("b", 7, 200))
        return MeasuredUsage(NOW, timedelta(seconds=1), containers) if uid == "u1" and self.looks > 1 else None

    def node(self):
        return MeasuredUsage(NOW, timedelta(seconds=1), (ContainerUsage("node", 90, 4000),))


def test_a_node_sums_up_what_it_and_its_running_pods_use():
    def pod(uid, phase):
        return {"metadata": {"name": uid, "namespace": "d", "uid": uid}, "status": {"phase": phase}}

    waited = []

    async def pause(seconds):
        waited.append(seconds)

    pods = [pod("u1", "Running"), pod("u2", "Running"), pod("u3", "Succeeded")]
    page = asyncio.run(summary_page({"metadata": {"name": "n1"}}, pods, Usage(), lambda: NOW, pause))
    summary = orjson.loads(page.body)
    at = summary["node"]["cpu"]["time"]
    assert summary["node"]["nodeName"] == "n1"
    assert summary["node"]["memory"] == {"time": at, "workingSetBytes": 4000}
    (only,) = summary["pods"]
    assert only["podRef"] == {"name": "u1", "namespace": "d", "uid": "u1"}
    assert (only["cpu"]["usageNanoCores"], only["memory"]["workingSetBytes"]) == (12, 300)
    assert [c["name"] for c in only["containers"]] == ["a", "b"]
    assert waited == [1.0]


def test_a_node_tells_its_health_and_its_pods():
    pod = {"metadata": {"name": "p"}}
    assert node_page("/healthz", ())[:2] == (200, b"ok")
    assert orjson.loads(node_page("/pods/", [pod]).body)["items"] == [pod]
    assert node_page("/stats/summary", ())[:2] == (404, b"404 page not found\n")
