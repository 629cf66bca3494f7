"""Which kinds the group `node.k8s.io` has."""

from __future__ import annotations

from lifepod.api.kinds import Kind
from lifepod.api.validation_core import only_metadata, only_metadata_update

KINDS = (
    Kind(
        group="node.k8s.io",
        version="v1",
        kind="RuntimeClass",
        plural="runtimeclasses",
        singular="runtimeclass",
        namespaced=False,
        schema="io.k8s.api.node.v1.RuntimeClass",
        create_on_update=True,
        unconditional_update=False,
        validate=only_metadata(namespaced=False),
        validate_update=only_metadata_update,
    ),
)
