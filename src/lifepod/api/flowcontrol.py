"""Which kinds the group `flowcontrol.apiserver.k8s.io` has. They are kept, not enforced."""

from __future__ import annotations

from lifepod.api.defaults_cluster import default_flow_schema
from lifepod.api.first_status import starting_with
from lifepod.api.kinds import Kind, status_of

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
        prepare_create=starting_with({}),
    ),
)
