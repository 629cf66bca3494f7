"""What is said of and by nodes through the API server: their pages, and that nobody is there."""

from __future__ import annotations

import orjson
import pytest

from lifepod.apiserver.node_address import unreachable
from lifepod.apiserver.node_proxy import node_page


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


def test_a_node_tells_its_health_and_its_pods():
    pod = {"metadata": {"name": "p"}}
    assert node_page("/healthz", ())[:2] == (200, b"ok")
    assert orjson.loads(node_page("/pods/", [pod]).body)["items"] == [pod]
    assert node_page("/stats/summary", ())[:2] == (404, b"404 page not found\n")
