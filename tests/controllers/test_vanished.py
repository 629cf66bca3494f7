"""Between the news and the look the object may have gone: then nothing is done."""

from __future__ import annotations

import pytest

from lifepod.controllers.daemon_set import DAEMON_SET
from lifepod.controllers.deployment import DEPLOYMENT
from lifepod.controllers.disruption import DISRUPTION
from lifepod.controllers.ephemeral_claims import EPHEMERAL_CLAIMS
from lifepod.controllers.namespace import NAMESPACE
from lifepod.controllers.node_lifecycle import NODE_LIFECYCLE
from lifepod.controllers.outcome import NOTHING, Look
from lifepod.controllers.pod_gc import POD_GC
from lifepod.controllers.replica_set import REPLICA_SET
from lifepod.controllers.resource_quota import RESOURCE_QUOTA
from lifepod.controllers.service_account import service_account_controller
from lifepod.controllers.stateful_set import STATEFUL_SET
from lifepod.controllers.taint_eviction import TAINT_EVICTION
from lifepod.controllers.ttl_after_finished import TTL_AFTER_FINISHED

NAMESPACED = [
    DAEMON_SET,
    DEPLOYMENT,
    DISRUPTION,
    EPHEMERAL_CLAIMS,
    POD_GC,
    REPLICA_SET,
    RESOURCE_QUOTA,
    STATEFUL_SET,
    TAINT_EVICTION,
    TTL_AFTER_FINISHED,
]
OTHERS = [NAMESPACE, NODE_LIFECYCLE, service_account_controller("PEM")]


@pytest.mark.parametrize("controller", NAMESPACED, ids=lambda c: c.name)
def test_for_an_object_of_a_namespace_that_is_gone_nothing_is_done(cluster, controller):
    assert controller.reconcile(Look(cluster, ("default", "gone"), cluster.now, cluster.ids)) == NOTHING


@pytest.mark.parametrize("controller", OTHERS, ids=lambda c: c.name)
def test_for_a_node_or_namespace_that_is_gone_nothing_is_done(cluster, controller):
    assert controller.reconcile(Look(cluster, ("", "gone"), cluster.now, cluster.ids)) == NOTHING
