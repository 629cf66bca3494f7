"""The Pod Security Standards against a table of what each control forbids, and in which words."""

from __future__ import annotations

from typing import Any

import pytest

from lifepod.api.pod_security import Policy, Standard, is_significant, is_stricter, policy_of, warnings_of_present
from lifepod.api.pod_security_checks import violations

GOOD: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def spec_of(
    security: dict[str, Any] | None = None, pod: dict[str, Any] | None = None, **members: Any
) -> dict[str, Any]:
    container = {
        "name": "c",
        "image": "x",
        "securityContext": {**GOOD, **(security or {})},
        **members.pop("container", {}),
    }
    return {"containers": [container], "securityContext": pod or {}, **members}


@pytest.mark.parametrize(
    ("spec", "reason", "detail"),
    [
        (spec_of({"appArmorProfile": {"type": "Unconfined"}}), "forbidden AppArmor profile", 'container "c" must not set AppArmor profile type to "Unconfined"'),
        (spec_of({"capabilities": {"add": ["NET_ADMIN", "CHOWN"]}}), "non-default capabilities", 'container "c" must not include "NET_ADMIN" in securityContext.capabilities.add'),
        (spec_of(hostNetwork=True, hostPID=True), "host namespaces", "hostNetwork=true, hostPID=true"),
        (spec_of(volumes=[{"name": "v", "hostPath": {"path": "/"}}]), "hostPath volumes", 'volume "v"'),
        (spec_of(container={"ports": [{"containerPort": 1, "hostPort": 8080}, {"containerPort": 2, "hostPort": 443}]}), "hostPort", 'container "c" uses hostPorts 443, 8080'),
        (spec_of(container={"livenessProbe": {"httpGet": {"host": "example.com", "port": 1}}}), "probe or lifecycle host", 'container "c" uses probe or lifecycle host "example.com"'),
        (spec_of({"privileged": True}), "privileged", 'container "c" must not set securityContext.privileged=true'),
        (spec_of({"procMount": "Unmasked"}), "procMount", 'container "c" must not set securityContext.procMount to "Unmasked"'),
        (spec_of(pod={"seLinuxOptions": {"type": "spc_t", "user": "u"}}), "seLinuxOptions", 'pod set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set'),
        (spec_of({"seccompProfile": {"type": "Unconfined"}}, {"seccompProfile": {"type": "Unconfined"}}), "seccompProfile", 'pod and container "c" must not set securityContext.seccompProfile.type to "Unconfined"'),
        (spec_of(pod={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}), "forbidden sysctls", "kernel.msgmax"),
        (spec_of(pod={"windowsOptions": {"hostProcess": True}}), "hostProcess", "pod must not set securityContext.windowsOptions.hostProcess=true"),
    ],
)  # fmt: skip
def test_what_baseline_forbids(spec: dict[str, Any], reason: str, detail: str) -> None:
    assert violations("baseline", 34, {}, spec) == ((reason, detail),)
    assert violations("privileged", 34, {}, spec) == ()


@pytest.mark.parametrize(
    ("spec", "reason", "detail"),
    [
        (spec_of({"allowPrivilegeEscalation": None}), "allowPrivilegeEscalation != false", 'container "c" must set securityContext.allowPrivilegeEscalation=false'),
        (spec_of({"capabilities": {"add": ["CHOWN"]}}), "unrestricted capabilities", 'container "c" must set securityContext.capabilities.drop=["ALL"]; container "c" must not include "CHOWN" in securityContext.capabilities.add'),
        (spec_of(volumes=[{"name": "a", "nfs": {}}, {"name": "b", "hostPath": {}}, {"name": "k", "emptyDir": {}}]), "restricted volume types", 'volumes "a", "b" use restricted volume types "hostPath", "nfs"'),
        (spec_of({"runAsNonRoot": None}), "runAsNonRoot != true", 'pod or container "c" must set securityContext.runAsNonRoot=true'),
        (spec_of({"runAsNonRoot": False}, {"runAsNonRoot": True}), "runAsNonRoot != true", 'container "c" must not set securityContext.runAsNonRoot=false'),
        (spec_of({"runAsUser": 0}), "runAsUser=0", 'container "c" must not set runAsUser=0'),
        (spec_of({"seccompProfile": None}), "seccompProfile", 'pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'),
    ],
)  # fmt: skip
def test_what_only_restricted_forbids(spec: dict[str, Any], reason: str, detail: str) -> None:
    assert violations("restricted", 34, {}, spec) == ((reason, detail),)
    if "hostPath" not in detail:
        assert violations("baseline", 34, {}, spec) == ()


def test_a_pod_may_set_it_for_its_containers_and_every_container_counts() -> None:
    good = {"runAsNonRoot": True, "seccompProfile": {"type": "Localhost"}}
    spec = spec_of({"runAsNonRoot": None, "seccompProfile": None}, good)
    assert violations("restricted", 34, {}, spec) == ()
    spec["initContainers"] = [{"name": "i"}]
    spec["ephemeralContainers"] = [{"name": "e"}]
    assert [v.reason for v in violations("restricted", 34, {}, spec)] == [
        "allowPrivilegeEscalation != false",
        "unrestricted capabilities",
    ]
    assert violations("restricted", 34, {}, spec)[0].detail.startswith('containers "i", "e" must')


@pytest.mark.parametrize(
    ("minor", "spec", "is_allowed"),
    [
        (33, spec_of(container={"livenessProbe": {"tcpSocket": {"host": "h", "port": 1}}}), True),
        (30, spec_of({"seLinuxOptions": {"type": "container_engine_t"}}), False),
        (31, spec_of({"seLinuxOptions": {"type": "container_engine_t"}}), True),
        (28, spec_of(pod={"sysctls": [{"name": "net.ipv4.tcp_fin_timeout"}]}), False),
        (99, spec_of(pod={"sysctls": [{"name": "net.ipv4.tcp_rmem"}]}), True),
        (22, spec_of({"runAsUser": 0}), True),
        (21, spec_of({"capabilities": {}}), True),
        (7, spec_of({"allowPrivilegeEscalation": True}), True),
    ],
)
def test_a_policy_of_an_older_version_is_as_it_was(minor: int, spec: dict[str, Any], is_allowed: bool) -> None:
    assert (violations("restricted", minor, {}, spec) == ()) is is_allowed


@pytest.mark.parametrize(
    ("labels", "enforce", "warn", "wrong"),
    [
        ({}, "privileged:latest", "privileged:latest", []),
        ({"enforce": "baseline"}, "baseline:latest", "baseline:latest", []),
        ({"enforce": "restricted", "enforce-version": "v1.20"}, "restricted:v1.20", "restricted:v1.20", []),
        ({"enforce": "restricted", "warn": "privileged"}, "restricted:latest", "privileged:latest", []),
        ({"enforce": "baseline", "warn-version": "v1.30"}, "baseline:latest", "baseline:v1.30", []),
        ({"warn": "baseline"}, "privileged:latest", "baseline:latest", []),
        ({"enforce": "bogus"}, "restricted:latest", "privileged:latest", ['metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "bogus": must be one of privileged, baseline, restricted']),
        ({"audit-version": "1.30"}, "privileged:latest", "privileged:latest", ['metadata.labels[pod-security.kubernetes.io/audit-version]: Invalid value: "1.30": must be "latest" or "v1.x"']),
    ],
)  # fmt: skip
def test_the_labels_of_a_namespace_say_what_holds(
    labels: dict[str, str], enforce: str, warn: str, wrong: list[str]
) -> None:
    policy, errors = policy_of({f"pod-security.kubernetes.io/{key}": value for key, value in labels.items()})
    assert (str(policy.enforce), str(policy.warn), list(map(str, errors))) == (enforce, warn, wrong)
    assert (policy == Policy()) is (enforce == warn == "privileged:latest")


def test_only_another_image_or_container_is_a_significant_change() -> None:
    pod = {"spec": {"containers": [{"name": "c", "image": "x"}]}}
    assert not is_significant({**pod, "metadata": {"labels": {"a": "b"}}}, pod)
    assert is_significant({"spec": {"containers": [{"name": "c", "image": "y"}]}}, pod)
    debugged = {"spec": {**pod["spec"], "ephemeralContainers": [{"name": "e", "image": "x"}]}}
    assert is_significant(debugged, pod)
    assert not is_significant(debugged, debugged)


def test_present_pods_are_told_by_what_they_do() -> None:
    def pod(name: str, **spec: Any) -> dict[str, Any]:
        return {"metadata": {"name": name}, "spec": spec}

    pods = [
        pod("b", hostPID=True),
        pod("a", hostNetwork=True),
        pod("c"),
        pod("p", containers=[{"name": "x", "securityContext": {"privileged": True}}]),
    ]
    assert warnings_of_present("ns", Standard("baseline"), pods) == (
        'existing pods in namespace "ns" violate the new PodSecurity enforce level "baseline:latest"',
        "a (and 1 other pod): host namespaces",
        "p: privileged",
    )
    assert is_stricter(Standard("baseline"), Standard())
    assert not is_stricter(Standard("baseline"), Standard("restricted"))
    assert is_stricter(Standard("baseline", 3), Standard("restricted"))
