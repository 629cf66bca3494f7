"""The Service `kubernetes` leads to the server, wherever it listens now."""

from __future__ import annotations

import pytest

from lifepod.apiserver.own_endpoints import publish_address

from .conftest import NOW


@pytest.mark.parametrize(
    ("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("10.1.2.3", "10.1.2.3")]
)
def test_the_kubernetes_service_has_endpoints(api, host, shown):
    publish_address(api, host, 6443, NOW)
    endpoints = api.get(api.kinds.of("endpoints"), "default", "kubernetes")
    assert endpoints["subsets"] == [
        {"addresses": [{"ip": shown}], "ports": [{"name": "https", "port": 6443, "protocol": "TCP"}]}
    ]
    found = api.get(api.kinds.of("endpointslices.discovery.k8s.io"), "default", "kubernetes")
    assert (found["metadata"]["name"], found["addressType"]) == ("kubernetes", "IPv4")
    assert found["metadata"]["labels"] == {"kubernetes.io/service-name": "kubernetes"}
    assert found["endpoints"] == [{"addresses": [shown], "conditions": {"ready": True}}]


def test_a_later_start_says_where_it_is_now_and_the_same_place_changes_nothing(api):
    publish_address(api, "127.0.0.1", 6443, NOW)
    publish_address(api, "127.0.0.1", 7443, NOW)
    kind = api.kinds.of("endpoints")
    assert api.get(kind, "default", "kubernetes")["subsets"][0]["ports"][0]["port"] == 7443
    before = api.store.revision
    publish_address(api, "127.0.0.1", 7443, NOW)
    assert api.store.revision == before
