"""Which kinds the group `networking.k8s.io` has."""

from __future__ import annotations

from lifepod.api.defaults_cluster import default_ingress_class, default_network_policy
from lifepod.api.first_status import starting_with
from lifepod.api.kinds import Kind, status_of
from lifepod.api.validation_addresses import (
    ip_address_errors,
    ip_address_update_errors,
    service_cidr_errors,
    service_cidr_update_errors,
)
from lifepod.api.validation_networking import (
    ingress_class_errors,
    ingress_class_update_errors,
    ingress_errors,
    ingress_update_errors,
    network_policy_errors,
    network_policy_update_errors,
)
from lifepod.api.validation_status import ingress_status_errors

KINDS = (
    Kind(
        group="networking.k8s.io",
        version="v1",
        kind="IngressClass",
        plural="ingressclasses",
        singular="ingressclass",
        namespaced=False,
        schema="io.k8s.api.networking.v1.IngressClass",
        has_generation=True,
        default=default_ingress_class,
        validate=ingress_class_errors,
        validate_update=ingress_class_update_errors,
    ),
    Kind(
        group="networking.k8s.io",
        version="v1",
        kind="Ingress",
        plural="ingresses",
        singular="ingress",
        namespaced=True,
        schema="io.k8s.api.networking.v1.Ingress",
        short_names=("ing",),
        subresources=(status_of("Ingress"),),
        has_generation=True,
        has_status=True,
        prepare_create=starting_with({"loadBalancer": {}}),
        validate=ingress_errors,
        validate_update=ingress_update_errors,
        validate_status=ingress_status_errors,
    ),
    Kind(
        group="networking.k8s.io",
        version="v1",
        kind="IPAddress",
        plural="ipaddresses",
        singular="ipaddress",
        namespaced=False,
        schema="io.k8s.api.networking.v1.IPAddress",
        short_names=("ip",),
        validate=ip_address_errors,
        validate_update=ip_address_update_errors,
    ),
    Kind(
        group="networking.k8s.io",
        version="v1",
        kind="NetworkPolicy",
        plural="networkpolicies",
        singular="networkpolicy",
        namespaced=True,
        schema="io.k8s.api.networking.v1.NetworkPolicy",
        short_names=("netpol",),
        has_generation=True,
        default=default_network_policy,
        validate=network_policy_errors,
        validate_update=network_policy_update_errors,
    ),
    Kind(
        group="networking.k8s.io",
        version="v1",
        kind="ServiceCIDR",
        plural="servicecidrs",
        singular="servicecidr",
        namespaced=False,
        schema="io.k8s.api.networking.v1.ServiceCIDR",
        subresources=(status_of("ServiceCIDR"),),
        has_status=True,
        prepare_create=starting_with({}),
        validate=service_cidr_errors,
        validate_update=service_cidr_update_errors,
    ),
)
