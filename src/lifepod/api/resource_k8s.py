"""Which kinds the group `resource.k8s.io` has: kept and shown; nothing allocates devices."""

from __future__ import annotations

from lifepod.api.kinds import Kind, status_of
from lifepod.api.validation_core import only_metadata, only_metadata_update

_GROUP = "resource.k8s.io"

KINDS = (
    Kind(
        group=_GROUP,
        version="v1",
        kind="DeviceClass",
        plural="deviceclasses",
        singular="deviceclass",
        namespaced=False,
        schema="io.k8s.api.resource.v1.DeviceClass",
        has_generation=True,
        unconditional_update=True,
        validate=only_metadata(namespaced=False),
        validate_update=only_metadata_update,
    ),
    Kind(
        group=_GROUP,
        version="v1",
        kind="ResourceClaim",
        plural="resourceclaims",
        singular="resourceclaim",
        namespaced=True,
        schema="io.k8s.api.resource.v1.ResourceClaim",
        subresources=(status_of("ResourceClaim"),),
        has_status=True,
        validate=only_metadata(namespaced=True),
        validate_update=only_metadata_update,
    ),
    Kind(
        group=_GROUP,
        version="v1",
        kind="ResourceClaimTemplate",
        plural="resourceclaimtemplates",
        singular="resourceclaimtemplate",
        namespaced=True,
        schema="io.k8s.api.resource.v1.ResourceClaimTemplate",
        validate=only_metadata(namespaced=True),
        validate_update=only_metadata_update,
    ),
    Kind(
        group=_GROUP,
        version="v1",
        kind="ResourceSlice",
        plural="resourceslices",
        singular="resourceslice",
        namespaced=False,
        schema="io.k8s.api.resource.v1.ResourceSlice",
        has_generation=True,
        fields={"spec.nodeName": ("spec", "nodeName"), "spec.driver": ("spec", "driver")},
        validate=only_metadata(namespaced=False),
        validate_update=only_metadata_update,
    ),
)
