"""Which kinds the group `discovery.k8s.io` has."""

from __future__ import annotations

from lifepod.api.defaults_cluster import default_endpoint_slice
from lifepod.api.kinds import Kind
from lifepod.api.validation_core import only_metadata, only_metadata_update

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
        validate=only_metadata(namespaced=True),
        validate_update=only_metadata_update,
    ),
)
