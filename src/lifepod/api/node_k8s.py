"""Which kinds the group `node.k8s.io` has."""

from __future__ import annotations

from lifepod.api.kinds import Kind
from lifepod.api.validation_nodes import runtime_class_errors, runtime_class_update_errors

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
        validate=runtime_class_errors,
        validate_update=runtime_class_update_errors,
    ),
)
