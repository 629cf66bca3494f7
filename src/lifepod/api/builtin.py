"""Which kinds the API serves before any CustomResourceDefinition, in the order in which discovery lists their groups.

The order decides which group a bare resource name means: `events` is the core group's.
"""

from __future__ import annotations

from lifepod.api import (
    admissionregistration,
    apiextensions,
    apiregistration,
    apps_v1,
    authentication,
    authorization,
    autoscaling,
    batch_v1,
    certificates,
    coordination,
    core_v1,
    discovery_k8s,
    events,
    flowcontrol,
    networking,
    node_k8s,
    policy,
    rbac,
    resource_k8s,
    scheduling,
    storage,
)
from lifepod.api.kinds import Kind

_FILES = (
    core_v1,
    apiregistration,
    apps_v1,
    events,
    authentication,
    authorization,
    autoscaling,
    batch_v1,
    certificates,
    networking,
    policy,
    rbac,
    storage,
    admissionregistration,
    apiextensions,
    scheduling,
    coordination,
    node_k8s,
    discovery_k8s,
    flowcontrol,
    resource_k8s,
)


def builtin_kinds() -> tuple[Kind, ...]:
    """Every built-in kind, core first, then the groups by upstream's priority.

    Source: k8s.io/kubernetes v1.34.4 pkg/controlplane/apiserver/aggregator.go: DefaultGenericAPIServicePriorities
    """
    return tuple(kind for file in _FILES for kind in file.KINDS)
