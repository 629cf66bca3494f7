"""Which kinds the group `discovery.k8s.io` has."""

from __future__ import annotations

from lifepod.api.defaults_cluster import default_endpoint_slice
from lifepod.api.kinds import Kind
from lifepod.api.validation_endpoints import endpoint_slice_errors, endpoint_slice_update_errors

KINDS = (
    Kind(
        group="discovery.k8s.io",
        version="v1",
        kind="EndpointSlice",
        plural="endpointslices",
        singular="endpointslice",
        namespaced=True,
        schema="io.k8s.api.discovery.v1.EndpointSlice",
        has_generation=True,
        default=default_endpoint_slice,
        validate=endpoint_slice_errors,
        validate_update=endpoint_slice_update_errors,
    ),
)
