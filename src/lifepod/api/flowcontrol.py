"""Which kinds the group `flowcontrol.apiserver.k8s.io` has. They are kept, not enforced."""

from __future__ import annotations

from lifepod.api.defaults_cluster import default_flow_schema, default_priority_level
from lifepod.api.first_status import starting_with
from lifepod.api.kinds import Kind, status_of
from lifepod.api.validation_flowcontrol import (
    flow_schema_errors,
    flow_schema_update_errors,
    priority_level_errors,
    priority_level_update_errors,
)

KINDS = (
    Kind(
        group="flowcontrol.apiserver.k8s.io",
        version="v1",
        kind="FlowSchema",
        plural="flowschemas",
        singular="flowschema",
        namespaced=False,
        schema="io.k8s.api.flowcontrol.v1.FlowSchema",
        subresources=(status_of("FlowSchema"),),
        has_generation=True,
        has_status=True,
        default=default_flow_schema,
        prepare_create=starting_with({}),
        validate=flow_schema_errors,
        validate_update=flow_schema_update_errors,
    ),
    Kind(
        group="flowcontrol.apiserver.k8s.io",
        version="v1",
        kind="PriorityLevelConfiguration",
        plural="prioritylevelconfigurations",
        singular="prioritylevelconfiguration",
        namespaced=False,
        schema="io.k8s.api.flowcontrol.v1.PriorityLevelConfiguration",
        subresources=(status_of("PriorityLevelConfiguration"),),
        has_generation=True,
        has_status=True,
        default=default_priority_level,
        prepare_create=starting_with({}),
        validate=priority_level_errors,
        validate_update=priority_level_update_errors,
    ),
)
