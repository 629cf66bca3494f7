"""Endpoints and EndpointSlices of all kinds of Services."""

from __future__ import annotations

import pytest

from lifepod.controllers.endpoint_slice import ENDPOINT_SLICE
from lifepod.controllers.endpoint_slice_mirroring import ENDPOINT_SLICE_MIRRORING
from lifepod.controllers.endpoints import ENDPOINTS

SLICES = "endpointslices.discovery.k8s.io"


def service(name="s", **spec):
    spec = {"selector": {"a": "b"}, "ports": [{"port": 80, "protocol": "TCP"}], **spec}
    metadata = {"name": name, "labels": {"own": "label"}, "annotations": {}}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def backend(cluster, make_pod, name="p", ip="10.0.0.1", ready=True, ports=(), **spec):
    pod = make_pod(name, labels={"a": "b"}, nodeName="n", **spec)
    pod["spec"]["containers"][0]["ports"] = list(ports)
    return cluster.make_ready(cluster.add(pod), ip, ready=ready)


@pytest.mark.parametrize(
    ("port", "declared", "number"),
    [
        ({"port": 80}, [], 80),
        ({"port": 80, "targetPort": 8080}, [], 8080),
        ({"port": 80, "targetPort": "web"}, [{"name": "web", "containerPort": 9000}], 9000),
        ({"port": 80, "targetPort": "web"}, [], None),
        ({"port": 80, "targetPort": "dns", "protocol": "UDP"}, [{"name": "dns", "containerPort": 53}], None),
        (
            {"port": 80, "targetPort": "dns", "protocol": "UDP"},
            [{"name": "dns", "containerPort": 53, "protocol": "UDP"}],
            53,
        ),
    ],
)
def test_which_port_a_service_port_means(cluster, make_pod, port, declared, number):
    cluster.add(service(ports=[port]))
    backend(cluster, make_pod, ports=declared)
    cluster.drive(ENDPOINTS, ENDPOINT_SLICE)
    subsets = cluster.get("endpoints", "default", "s").get("subsets") or []
    assert [p["port"] for s in subsets for p in s.get("ports") or ()] == ([number] if number else [])
    assert [p["port"] for s in cluster.list(SLICES) for p in s.get("ports") or ()] == ([number] if number else [])


def test_names_and_protocols_of_ports_are_carried_on(cluster, make_pod):
    cluster.add(service(ports=[{"name": "web", "port": 80, "appProtocol": "http"}]))
    backend(cluster, make_pod)
    cluster.drive(ENDPOINTS, ENDPOINT_SLICE)
    wanted = {"name": "web", "port": 80, "protocol": "TCP", "appProtocol": "http"}
    assert cluster.list(SLICES)[0]["ports"] == [wanted]
    assert cluster.get("endpoints", "default", "s")["subsets"][0]["ports"] == [wanted]


def test_a_headless_service_without_ports_still_has_addresses(cluster, make_pod):
    cluster.add(service(clusterIP="None", ports=None))
    backend(cluster, make_pod)
    cluster.drive(ENDPOINTS, ENDPOINT_SLICE)
    assert cluster.list(SLICES)[0]["endpoints"][0]["addresses"] == ["10.0.0.1"]
    assert cluster.get("endpoints", "default", "s")["metadata"]["labels"]["service.kubernetes.io/headless"] == ""


def test_a_pod_below_the_service_has_its_hostname(cluster, make_pod):
    cluster.add(service())
    backend(cluster, make_pod, hostname="h", subdomain="s")
    backend(cluster, make_pod, "q", "10.0.0.2", hostname="h2", subdomain="other")
    cluster.drive(ENDPOINTS, ENDPOINT_SLICE)
    names = {e["addresses"][0]: e.get("hostname") for e in cluster.list(SLICES)[0]["endpoints"]}
    assert names == {"10.0.0.1": "h", "10.0.0.2": None}


def test_a_pod_that_is_going_is_terminating_and_serves_while_ready(cluster, make_pod):
    cluster.add(service())
    pod = backend(cluster, make_pod)
    cluster.drive(ENDPOINTS, ENDPOINT_SLICE)
    going = {**pod["metadata"], "deletionTimestamp": "2025-01-01T00:00:30Z", "deletionGracePeriodSeconds": 30}
    cluster.change(pod, metadata=going)
    cluster.settle()
    assert cluster.list(SLICES)[0]["endpoints"][0]["conditions"] == {
        "ready": False,
        "serving": True,
        "terminating": True,
    }
    assert not cluster.get("endpoints", "default", "s").get("subsets")


def test_services_without_selector_are_left_to_the_user(cluster, make_pod):
    cluster.add(service(selector=None))
    backend(cluster, make_pod)
    cluster.drive(ENDPOINTS, ENDPOINT_SLICE)
    assert cluster.list("endpoints") == cluster.list(SLICES) == []


def test_becoming_external_takes_the_slices_away(cluster, make_pod):
    made = cluster.add(service())
    backend(cluster, make_pod)
    cluster.drive(ENDPOINT_SLICE)
    assert len(cluster.list(SLICES)) == 1
    cluster.change(made, spec={"type": "ExternalName", "externalName": "x"})
    cluster.settle()
    assert cluster.list(SLICES) == []


def test_a_changed_label_brings_and_takes_a_backend(cluster, make_pod):
    cluster.add(service())
    pod = backend(cluster, make_pod)
    cluster.drive(ENDPOINTS, ENDPOINT_SLICE)
    cluster.change(pod, metadata={**pod["metadata"], "labels": {"a": "else"}})
    cluster.settle()
    assert not cluster.get("endpoints", "default", "s").get("subsets")
    cluster.change(cluster.again(pod), metadata={**pod["metadata"], "labels": {"a": "b"}})
    cluster.settle()
    assert cluster.get("endpoints", "default", "s")["subsets"][0]["addresses"][0]["ip"] == "10.0.0.1"


def test_what_somebody_removed_comes_back(cluster, make_pod):
    cluster.add(service())
    backend(cluster, make_pod)
    cluster.drive(ENDPOINTS, ENDPOINT_SLICE)
    cluster.delete(cluster.get("endpoints", "default", "s"))
    cluster.delete(cluster.list(SLICES)[0])
    cluster.settle()
    assert cluster.get("endpoints", "default", "s")["subsets"]
    assert cluster.list(SLICES)[0]["endpoints"]


def test_both_families_have_slices_of_their_own(cluster, make_pod):
    cluster.add(service(ipFamilies=["IPv4", "IPv6"]))
    pod = backend(cluster, make_pod)
    cluster.change(pod, status={**pod["status"], "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]})
    cluster.drive(ENDPOINT_SLICE)
    assert {s["addressType"]: s["endpoints"][0]["addresses"] for s in cluster.list(SLICES)} == {
        "IPv4": ["10.0.0.1"],
        "IPv6": ["fd00::1"],
    }


def test_a_change_of_nothing_shown_is_no_reason_to_write(cluster, make_pod):
    cluster.add(service())
    pod = backend(cluster, make_pod)
    cluster.drive(ENDPOINTS, ENDPOINT_SLICE)
    before = len(cluster.log)
    cluster.change(pod, metadata={**pod["metadata"], "annotations": {"x": "y"}})
    cluster.settle()
    assert len(cluster.log) == before


def own_endpoints(**more):
    addresses = [{"ip": "1.2.3.4", "hostname": "h"}, {"ip": "fd00::1"}]
    subset = {"addresses": addresses, "notReadyAddresses": [{"ip": "1.2.3.5"}], "ports": [{"port": 5432}]}
    metadata = {"name": "s", **more}
    return {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, "subsets": [subset]}


def test_endpoints_of_the_users_own_are_mirrored(cluster):
    made = cluster.add(service(selector=None))
    endpoints = cluster.add(own_endpoints())
    cluster.drive(ENDPOINT_SLICE_MIRRORING, ENDPOINT_SLICE)
    four, six = sorted(cluster.list(SLICES), key=lambda s: s["addressType"])
    assert four["endpoints"] == [
        {"addresses": ["1.2.3.4"], "conditions": {"ready": True}, "hostname": "h"},
        {"addresses": ["1.2.3.5"], "conditions": {"ready": False}},
    ]
    assert four["ports"] == [{"name": "", "port": 5432, "protocol": "TCP"}]
    assert [e["addresses"] for e in six["endpoints"]] == [["fd00::1"]]
    assert four["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"] == (
        "endpointslicemirroring-controller.k8s.io"
    )
    cluster.change(endpoints, subsets=[{"addresses": [{"ip": "9.9.9.9"}], "ports": [{"port": 1}]}])
    cluster.settle()
    (left,) = cluster.list(SLICES)
    assert (left["metadata"]["name"], left["endpoints"][0]["addresses"]) == (four["metadata"]["name"], ["9.9.9.9"])
    cluster.delete(left)
    cluster.settle()
    assert len(cluster.list(SLICES)) == 1
    cluster.delete(made)
    cluster.settle()
    assert cluster.list(SLICES) == []


@pytest.mark.parametrize(
    "more",
    [
        {"labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
        {"annotations": {"control-plane.alpha.kubernetes.io/leader": "{}"}},
    ],
)
def test_endpoints_that_are_no_backends_are_not_mirrored(cluster, more):
    cluster.add(service(selector=None))
    cluster.add(own_endpoints(**more))
    cluster.drive(ENDPOINT_SLICE_MIRRORING)
    assert cluster.list(SLICES) == []


def test_endpoints_of_a_service_with_a_selector_are_not_mirrored(cluster):
    cluster.add(service())
    cluster.add(own_endpoints())
    cluster.drive(ENDPOINT_SLICE_MIRRORING)
    assert cluster.list(SLICES) == []
