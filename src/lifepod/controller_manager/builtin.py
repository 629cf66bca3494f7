"""All parts that a control plane is made of, in the order they should be driven."""

from __future__ import annotations

from lifepod.clock import Ids
from lifepod.controller_manager.manager import ControllerPart
from lifepod.controller_manager.scheduler import SchedulerPart
from lifepod.controllers.deployment import DEPLOYMENT
from lifepod.controllers.endpoint_slice import ENDPOINT_SLICE
from lifepod.controllers.endpoints import ENDPOINTS
from lifepod.controllers.job import JOB
from lifepod.controllers.namespace import NAMESPACE
from lifepod.controllers.node_lifecycle import NODE_LIFECYCLE
from lifepod.controllers.outcome import Controller
from lifepod.controllers.owner_gc import OWNER_GC
from lifepod.controllers.pod_gc import POD_GC
from lifepod.controllers.replica_set import REPLICA_SET
from lifepod.controllers.service_account import service_account_controller
from lifepod.controllers.taint_eviction import TAINT_EVICTION
from lifepod.controllers.ttl_after_finished import TTL_AFTER_FINISHED
from lifepod.controllers.view import View
from lifepod.turn import Part

CONTROLLERS: tuple[Controller, ...] = (
    NAMESPACE,
    OWNER_GC,
    ENDPOINTS,
    ENDPOINT_SLICE,
    JOB,
    REPLICA_SET,
    DEPLOYMENT,
    NODE_LIFECYCLE,
    TAINT_EVICTION,
    POD_GC,
    TTL_AFTER_FINISHED,
)


def builtin_parts(view: View, ids: Ids, ca_pem: str, host: str = "lifepod") -> list[Part]:
    """The scheduler and every controller. `ca_pem` is what `kube-root-ca.crt` holds."""
    controllers = (service_account_controller(ca_pem), *CONTROLLERS)
    return [SchedulerPart(view, host), *(ControllerPart(controller, view, ids) for controller in controllers)]
