"""Which kinds the group `storage.k8s.io` has."""

from __future__ import annotations

from lifepod.api.defaults_cluster import default_csi_driver, default_storage_class
from lifepod.api.first_status import starting_with
from lifepod.api.kinds import Kind, status_of
from lifepod.api.validation_storage import storage_class_errors, storage_class_update_errors

KINDS = (
    Kind(
        group="storage.k8s.io",
        version="v1",
        kind="CSIDriver",
        plural="csidrivers",
        singular="csidriver",
        namespaced=False,
        schema="io.k8s.api.storage.v1.CSIDriver",
        unconditional_update=False,
        default=default_csi_driver,
    ),
    Kind(
        group="storage.k8s.io",
        version="v1",
        kind="CSINode",
        plural="csinodes",
        singular="csinode",
        namespaced=False,
        schema="io.k8s.api.storage.v1.CSINode",
        unconditional_update=False,
    ),
    Kind(
        group="storage.k8s.io",
        version="v1",
        kind="CSIStorageCapacity",
        plural="csistoragecapacities",
        singular="csistoragecapacity",
        namespaced=True,
        schema="io.k8s.api.storage.v1.CSIStorageCapacity",
        unconditional_update=False,
    ),
    Kind(
        group="storage.k8s.io",
        version="v1",
        kind="StorageClass",
        plural="storageclasses",
        singular="storageclass",
        namespaced=False,
        schema="io.k8s.api.storage.v1.StorageClass",
        short_names=("sc",),
        default=default_storage_class,
        validate=storage_class_errors,
        validate_update=storage_class_update_errors,
    ),
    Kind(
        group="storage.k8s.io",
        version="v1",
        kind="VolumeAttachment",
        plural="volumeattachments",
        singular="volumeattachment",
        namespaced=False,
        schema="io.k8s.api.storage.v1.VolumeAttachment",
        subresources=(status_of("VolumeAttachment"),),
        has_status=True,
        unconditional_update=False,
        prepare_create=starting_with({"attached": False}),
    ),
    Kind(
        group="storage.k8s.io",
        version="v1",
        kind="VolumeAttributesClass",
        plural="volumeattributesclasses",
        singular="volumeattributesclass",
        namespaced=False,
        schema="io.k8s.api.storage.v1.VolumeAttributesClass",
        short_names=("vac",),
    ),
)
