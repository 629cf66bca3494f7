"""All parts that a control plane is made of, in the order they should be driven."""

from __future__ import annotations

from datetime import tzinfo

from lifepod.clock import Ids
from lifepod.controller_manager.event_expiry import EventExpiry
from lifepod.controller_manager.manager import ControllerPart
from lifepod.controller_manager.scheduler import SchedulerPart
from lifepod.controllers.cluster_role_aggregation import CLUSTER_ROLE_AGGREGATION
from lifepod.controllers.cron_job import cron_job_controller
from lifepod.controllers.daemon_set import DAEMON_SET
from lifepod.controllers.deployment import DEPLOYMENT
from lifepod.controllers.disruption import DISRUPTION
from lifepod.controllers.endpoint_slice import ENDPOINT_SLICE
from lifepod.controllers.endpoint_slice_mirroring import ENDPOINT_SLICE_MIRRORING
from lifepod.controllers.endpoints import ENDPOINTS
from lifepod.controllers.ephemeral_claims import EPHEMERAL_CLAIMS
from lifepod.controllers.job import JOB
from lifepod.controllers.namespace import NAMESPACE
from lifepod.controllers.node_lifecycle import NODE_LIFECYCLE
from lifepod.controllers.outcome import Controller
from lifepod.controllers.owner_gc import OWNER_GC
from lifepod.controllers.pod_gc import POD_GC
from lifepod.controllers.replica_set import REPLICA_SET, REPLICATION_CONTROLLER
from lifepod.controllers.resource_quota import RESOURCE_QUOTA
from lifepod.controllers.service_account import service_account_controller
from lifepod.controllers.stateful_set import STATEFUL_SET
from lifepod.controllers.taint_eviction import TAINT_EVICTION
from lifepod.controllers.ttl_after_finished import TTL_AFTER_FINISHED
from lifepod.controllers.view import View
from lifepod.controllers.volume_binding import volume_binding_controller
from lifepod.controllers.volume_phases import VOLUME_PHASES
from lifepod.controllers.volume_protection import VOLUME_PROTECTION
from lifepod.turn import Part


def time_zone(name: str) -> tzinfo | None:
    """The time zone of that name, None when this machine knows none such."""
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        return None


CONTROLLERS: tuple[Controller, ...] = (
    NAMESPACE,
    OWNER_GC,
    ENDPOINTS,
    ENDPOINT_SLICE,
    ENDPOINT_SLICE_MIRRORING,
    JOB,
    REPLICA_SET,
    REPLICATION_CONTROLLER,
    DEPLOYMENT,
    NODE_LIFECYCLE,
    TAINT_EVICTION,
    POD_GC,
    TTL_AFTER_FINISHED,
    STATEFUL_SET,
    DAEMON_SET,
    DISRUPTION,
    EPHEMERAL_CLAIMS,
    VOLUME_PHASES,
    VOLUME_PROTECTION,
    RESOURCE_QUOTA,
    CLUSTER_ROLE_AGGREGATION,
)


def builtin_parts(
    view: View, ids: Ids, ca_pem: str, host: str = "lifepod", volumes: str = "/var/lib/lifepod/volumes"
) -> list[Part]:
    """The scheduler and every controller. `ca_pem` is what `kube-root-ca.crt` holds; new claims are folders below `volumes`."""
    controllers = (
        service_account_controller(ca_pem),
        volume_binding_controller(volumes),
        cron_job_controller(time_zone),
        *CONTROLLERS,
    )
    parts = (ControllerPart(controller, view, ids) for controller in controllers)
    return [SchedulerPart(view, host), *parts, EventExpiry()]
