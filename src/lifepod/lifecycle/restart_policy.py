"""Does a container that ended with this exit code start again?"""

from __future__ import annotations

from typing import Literal

from lifepod.lifecycle.version import Profile
from lifepod.lifecycle.vocabulary import ContainerReport, ContainerSpec, PodSpec, RestartPolicy


def restarts_after(container: ContainerSpec, spec: PodSpec, exit_code: int, profile: Profile) -> bool:
    """By the container's own rules and policy where the minor knows them, else by the pod's policy (lifecycle.md §1.1).

    Source: k8s.io/kubernetes v1.34.4 pkg/api/v1/pod/util.go: ContainerShouldRestart
    """
    if profile.container_restart_rules and container.restart_policy is not None:
        for rule in container.restart_rules:
            if (exit_code in rule.values) == (rule.operator == "In") and rule.action == "Restart":
                return True
        return _by_policy(container.restart_policy, exit_code)
    return _by_policy(spec.restart_policy, exit_code)


def _by_policy(policy: RestartPolicy, exit_code: int) -> bool:
    if policy == "Never":
        return False
    return policy != "OnFailure" or exit_code != 0


def restarts_if_killed(container: ContainerSpec, spec: PodSpec, profile: Profile) -> bool:
    """Whether the node agent starts a container again that it stops itself; there is no exit code to look at.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kuberuntime/kuberuntime_manager.go: shouldRestartOnFailure
    """
    return effective_policy(container, spec, profile) != "Never"


def effective_policy(container: ContainerSpec, spec: PodSpec, profile: Profile) -> RestartPolicy:
    """The container's own policy where the minor knows one, else the pod's."""
    if profile.container_restart_rules and container.restart_policy is not None and container.kind != "sidecar":
        return container.restart_policy
    return spec.restart_policy


Wanted = Literal["start", "leave"]


def should_start(
    container: ContainerSpec, spec: PodSpec, newest: ContainerReport | None, deleting: bool, profile: Profile
) -> bool:
    """Whether a container that does not run is to be started (lifecycle.md §4.2).

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/container/helpers.go: ShouldContainerBeRestarted
    """
    if deleting:
        return False
    if newest is None:
        return True
    if newest.state == "running":
        return False
    if newest.state in ("unknown", "created"):
        return True
    return restarts_after(container, spec, newest.exit_code or 0, profile)
