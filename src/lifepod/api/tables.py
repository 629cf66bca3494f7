"""What `kubectl get` shows: the columns of a kind and the cells of one object's row.

kubectl only lays the table out; the API server decides what is in it. The rules of each kind are in `table_*.py`.

Source: k8s.io/kubernetes v1.34.4 pkg/printers/internalversion/printers.go
        k8s.io/apiserver v0.34.4 pkg/registry/rest/table.go
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

import orjson

from lifepod.api import json_path, table_cluster, table_core, table_pod, table_workloads
from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject, JsonValue
from lifepod.api.table_columns import COLUMNS, OF_ANY_KIND, Column
from lifepod.api.table_times import parsed_time, since

Cells = Callable[[JsonObject, datetime], list[JsonValue]]
_AGE_OF_CUSTOM = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}


class Row(NamedTuple):
    """One row: as many cells as there are columns, and the row's conditions (`Completed` pods)."""

    cells: list[JsonValue]
    conditions: list[JsonObject]


_CELLS: dict[str, Cells] = {
    "pods": table_pod.pod_cells,
    "podtemplates": table_workloads.pod_template_cells,
    "poddisruptionbudgets.policy": table_workloads.disruption_budget_cells,
    "replicationcontrollers": table_workloads.replication_controller_cells,
    "replicasets.apps": table_workloads.replica_set_cells,
    "daemonsets.apps": table_workloads.daemon_set_cells,
    "statefulsets.apps": table_workloads.stateful_set_cells,
    "deployments.apps": table_workloads.deployment_cells,
    "controllerrevisions.apps": table_workloads.controller_revision_cells,
    "jobs.batch": table_workloads.job_cells,
    "cronjobs.batch": table_workloads.cron_job_cells,
    "horizontalpodautoscalers.autoscaling": table_workloads.autoscaler_cells,
    "services": table_core.service_cells,
    "endpoints": table_core.endpoints_cells,
    "nodes": table_core.node_cells,
    "events": table_core.event_cells,
    "namespaces": table_core.namespace_cells,
    "secrets": table_core.secret_cells,
    "configmaps": table_core.config_map_cells,
    "serviceaccounts": table_core.service_account_cells,
    "persistentvolumes": table_core.volume_cells,
    "persistentvolumeclaims": table_core.claim_cells,
    "resourcequotas": table_core.quota_cells,
    "componentstatuses": table_core.component_status_cells,
    "apiservices.apiregistration.k8s.io": table_cluster.api_service_cells,
    "deviceclasses.resource.k8s.io": table_cluster.name_and_age_cells,
    "resourceclaimtemplates.resource.k8s.io": table_cluster.name_and_age_cells,
    "resourceclaims.resource.k8s.io": table_cluster.device_claim_cells,
    "resourceslices.resource.k8s.io": table_cluster.device_slice_cells,
    "ingresses.networking.k8s.io": table_cluster.ingress_cells,
    "ingressclasses.networking.k8s.io": table_cluster.ingress_class_cells,
    "networkpolicies.networking.k8s.io": table_cluster.network_policy_cells,
    "servicecidrs.networking.k8s.io": table_cluster.service_cidr_cells,
    "ipaddresses.networking.k8s.io": table_cluster.ip_address_cells,
    "endpointslices.discovery.k8s.io": table_cluster.endpoint_slice_cells,
    "rolebindings.rbac.authorization.k8s.io": table_cluster.role_binding_cells,
    "clusterrolebindings.rbac.authorization.k8s.io": table_cluster.role_binding_cells,
    "certificatesigningrequests.certificates.k8s.io": table_cluster.signing_request_cells,
    "storageclasses.storage.k8s.io": table_cluster.storage_class_cells,
    "volumeattributesclasses.storage.k8s.io": table_cluster.attributes_class_cells,
    "volumeattachments.storage.k8s.io": table_cluster.volume_attachment_cells,
    "csinodes.storage.k8s.io": table_cluster.csi_node_cells,
    "csidrivers.storage.k8s.io": table_cluster.csi_driver_cells,
    "csistoragecapacities.storage.k8s.io": table_cluster.csi_capacity_cells,
    "leases.coordination.k8s.io": table_cluster.lease_cells,
    "priorityclasses.scheduling.k8s.io": table_cluster.priority_class_cells,
    "runtimeclasses.node.k8s.io": table_cluster.runtime_class_cells,
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": table_cluster.webhooks_cells,
    "validatingwebhookconfigurations.admissionregistration.k8s.io": table_cluster.webhooks_cells,
    "validatingadmissionpolicies.admissionregistration.k8s.io": table_cluster.admission_policy_cells,
    "validatingadmissionpolicybindings.admissionregistration.k8s.io": table_cluster.admission_binding_cells,
    "flowschemas.flowcontrol.apiserver.k8s.io": table_cluster.flow_schema_cells,
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": table_cluster.priority_level_cells,
    "scales.autoscaling": table_cluster.scale_cells,
}


def table_columns(kind: Kind) -> tuple[Column, ...]:
    """The columns of a kind, the wide ones (priority 1) included.

    A custom kind shows its name and its printer columns (its age when it has none). The rest shows when it was made.
    """
    if kind.is_custom:
        shown = kind.printer_columns or (_AGE_OF_CUSTOM,)
        return (OF_ANY_KIND[0], *(_custom_column(column) for column in shown))
    return COLUMNS.get(kind.stored_as, OF_ANY_KIND)


def _custom_column(column: JsonObject) -> Column:
    about = column.get("description") or f"Custom resource definition column (in JSONPath format): {column['jsonPath']}"
    return Column(column["name"], column["type"], about, column.get("priority") or 0, column.get("format") or "")


def table_row(kind: Kind, obj: JsonObject, now: datetime) -> Row:
    """The row of one object, given in the shape in which it is stored; `now` is what ages count to."""
    if kind.is_custom:
        return Row(_custom_cells(kind, obj, now), [])
    cells = _CELLS.get(kind.stored_as)
    if cells is None:
        metadata: JsonObject = obj.get("metadata") or {}
        return Row([metadata.get("name", ""), metadata.get("creationTimestamp")], [])
    conditions = table_pod.pod_conditions(obj) if kind.stored_as == "pods" else []
    return Row(cells(obj, now), conditions)


def scale_table(scale: JsonObject, now: datetime) -> tuple[tuple[Column, ...], Row]:
    """The table of a `scale` subresource."""
    return COLUMNS["scales.autoscaling"], Row(table_cluster.scale_cells(scale, now), [])


def column_definitions(columns: tuple[Column, ...]) -> list[JsonObject]:
    """The columns as the `columnDefinitions` of a Table."""
    return [
        {"name": c.name, "type": c.type, "format": c.format, "description": c.description, "priority": c.priority}
        for c in columns
    ]


def _custom_cells(kind: Kind, obj: JsonObject, now: datetime) -> list[JsonValue]:
    shown = kind.printer_columns or (_AGE_OF_CUSTOM,)
    return [(obj.get("metadata") or {}).get("name", ""), *(_custom_cell(column, obj, now) for column in shown)]


def _custom_cell(column: JsonObject, obj: JsonObject, now: datetime) -> JsonValue:
    """The value a printer column finds, in its type; None when there is none or it is of another type.

    Source: k8s.io/apiextensions-apiserver v0.34.4 pkg/registry/customresource/tableconvertor/tableconvertor.go
    """
    try:
        found = json_path.find(column["jsonPath"], obj)
    except json_path.JsonPathError:
        return None
    if not found or found[0] is None:
        return None
    value = found[0]
    match column["type"]:
        case "integer":
            return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
        case "number":
            return value if isinstance(value, int | float) and not isinstance(value, bool) else None
        case "boolean":
            return value if isinstance(value, bool) else None
        case "date":
            return "<invalid>" if parsed_time(value) is None else since(value, now)
    return _text(value)


def _text(value: JsonValue) -> str:
    if isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else orjson.dumps(value).decode()
