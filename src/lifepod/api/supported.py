"""Which fields lifepod honours: the one table behind the Warning headers, the events on the Node and docs/supported.md.

Levels: `honoured`, as a real node does it; `partly`, with the difference said; `warned`, stored and shown but without effect, and
whoever sets it is told. A field that is in nobody's list is a hole, which a test finds. The page is written by
`python -m tools.write_supported`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from lifepod.api.objects import JsonObject, JsonValue

Level = Literal["honoured", "partly", "warned"]


class Support(NamedTuple):
    """How far a field is honoured, and what is different."""

    level: Level
    note: str = ""


def _all(names: str) -> dict[str, Support]:
    return dict.fromkeys(names.split(), Support("honoured"))


_NAMES_IN_SANDBOX = "sandbox only; runtime `host` has this machine's resolver, and only our `nslookup` the search list"

FIELDS: dict[str, dict[str, Support]] = {
    "io.k8s.api.core.v1.PodSpec": {
        **_all(
            "activeDeadlineSeconds automountServiceAccountToken containers enableServiceLinks ephemeralContainers hostAliases hostname "
            "imagePullSecrets initContainers nodeName nodeSelector preemptionPolicy priority priorityClassName readinessGates restartPolicy "
            "schedulerName schedulingGates serviceAccount serviceAccountName setHostnameAsFQDN subdomain terminationGracePeriodSeconds "
            "tolerations volumes"
        ),
        "affinity": Support(
            "partly", "required node affinity, pod affinity and anti-affinity filter; preferences only weigh"
        ),
        "dnsConfig": Support("partly", _NAMES_IN_SANDBOX),
        "dnsPolicy": Support("partly", _NAMES_IN_SANDBOX),
        "hostNetwork": Support("partly", "the machine's own network; no host port is checked against other programs"),
        "hostIPC": Support("warned", "containers keep their own IPC namespace"),
        "hostPID": Support("partly", "runtime `sim` has no processes of this machine to show"),
        "hostUsers": Support("warned", "the user namespace is always lifepod's own"),
        "hostnameOverride": Support("warned", "Kubernetes 1.35"),
        "os": Support("partly", "only linux; nothing else is scheduled differently"),
        "overhead": Support("partly", "counts for scheduling"),
        "resourceClaims": Support("warned", "no dynamic resource allocation"),
        "resources": Support("warned", "containers are bounded by their own resources"),
        "runtimeClassName": Support("warned", "there is one runtime"),
        "securityContext": Support("partly", "see PodSecurityContext"),
        "shareProcessNamespace": Support(
            "partly", "processes are seen and signalled; the files of other containers by /proc/PID/root are not"
        ),
        "topologySpreadConstraints": Support(
            "partly", "DoNotSchedule filters by the given key; ScheduleAnyway only weighs"
        ),
    },
    "io.k8s.api.core.v1.Container": {
        **_all(
            "args command env envFrom image imagePullPolicy lifecycle livenessProbe name ports readinessProbe startupProbe terminationMessagePath "
            "terminationMessagePolicy stdin stdinOnce tty"
        ),
        "workingDir": Support("partly", "runtime `host` needs a folder of this machine"),
        "volumeMounts": Support("partly", "runtime `host` refuses all but this machine's paths at their own places"),
        "resources": Support(
            "partly",
            "requests and limits count for scheduling and QoS; how far limits hold on this machine says the Node's condition `lifepod.dev/LimitsEnforced`",
        ),
        "restartPolicy": Support("partly", "Always on init containers (sidecars); more is alpha in 1.34"),
        "restartPolicyRules": Support("warned", "alpha in 1.34"),
        "resizePolicy": Support("warned", "no resize in place"),
        "securityContext": Support("partly", "see SecurityContext"),
        "volumeDevices": Support("warned", "no raw block volumes"),
    },
    "io.k8s.api.core.v1.Probe": _all(
        "exec failureThreshold grpc httpGet initialDelaySeconds periodSeconds successThreshold tcpSocket terminationGracePeriodSeconds timeoutSeconds"
    ),
    "io.k8s.api.core.v1.Lifecycle": {**_all("postStart preStop"), "stopSignal": Support("warned", "alpha in 1.34")},
    "io.k8s.api.core.v1.LifecycleHandler": {
        **_all("exec httpGet sleep"),
        "tcpSocket": Support("warned", "Kubernetes ignores it as well"),
    },
    "io.k8s.api.core.v1.PodSecurityContext": {
        "runAsUser": Support("partly", "where this machine maps that user; else the pod is told"),
        "runAsGroup": Support("partly", "as runAsUser"),
        **_all("runAsNonRoot"),
        "fsGroup": Support("partly", "becomes a supplemental group where it can be mapped"),
        "supplementalGroups": Support("partly", "as runAsGroup"),
        "fsGroupChangePolicy": Support("warned", "files are not given to another group"),
        "appArmorProfile": Support("warned", "no AppArmor"),
        "seLinuxChangePolicy": Support("warned", "no SELinux"),
        "seLinuxOptions": Support("warned", "no SELinux"),
        "seccompProfile": Support("partly", "sandbox only; the default profile unless Unconfined, for Localhost too"),
        "supplementalGroupsPolicy": Support("warned", "always Strict"),
        "sysctls": Support("warned", "not set"),
        "windowsOptions": Support("warned", "no Windows"),
    },
    "io.k8s.api.core.v1.SecurityContext": {
        "runAsUser": Support("partly", "where this machine maps that user; else the pod is told"),
        "runAsGroup": Support("partly", "as runAsUser"),
        **_all("runAsNonRoot"),
        "allowPrivilegeEscalation": Support("partly", "always false: no_new_privs is set"),
        "capabilities": Support(
            "partly", "sandbox only, in the container's own namespaces; a user other than root has none"
        ),
        "privileged": Support("warned", "privileged in the container's own namespaces, never on this machine"),
        "readOnlyRootFilesystem": Support("partly", "sandbox only; runtime `host` says that it cannot"),
        "appArmorProfile": Support("warned", "no AppArmor"),
        "procMount": Support("warned", "always Default"),
        "seLinuxOptions": Support("warned", "no SELinux"),
        "seccompProfile": Support("partly", "sandbox only; the default profile unless Unconfined, for Localhost too"),
        "windowsOptions": Support("warned", "no Windows"),
    },
    "io.k8s.api.core.v1.VolumeMount": {
        **_all("mountPath name readOnly subPath subPathExpr"),
        "mountPropagation": Support("warned", "mounts do not propagate"),
        "recursiveReadOnly": Support("partly", "shown in the status; mounts below a read-only one are not changed"),
    },
    "io.k8s.api.core.v1.Volume": {
        **_all("configMap downwardAPI emptyDir hostPath name projected secret"),
        "persistentVolumeClaim": Support("partly", "claims of the default StorageClass are folders"),
        **dict.fromkeys(
            (
                "awsElasticBlockStore azureDisk azureFile cephfs cinder csi fc flexVolume flocker gcePersistentDisk gitRepo glusterfs "
                "iscsi nfs photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos vsphereVolume"
            ).split(),
            Support("warned", "no storage of that kind; the pod waits in ContainerCreating"),
        ),
        "ephemeral": Support("warned", "no claims made from templates"),
        "image": Support("warned", "image volumes are beta in 1.34"),
    },
    "io.k8s.api.core.v1.EnvVarSource": {
        **_all("configMapKeyRef fieldRef resourceFieldRef secretKeyRef"),
        "fileKeyRef": Support("warned", "Kubernetes 1.35"),
    },
    "io.k8s.api.core.v1.ContainerPort": {
        **_all("containerPort name protocol"),
        "hostPort": Support("partly", "counts for scheduling; nothing listens on the machine"),
        "hostIP": Support("partly", "as hostPort"),
    },
    "io.k8s.api.batch.v1.JobSpec": {
        **_all(
            "activeDeadlineSeconds backoffLimit backoffLimitPerIndex completionMode completions manualSelector maxFailedIndexes parallelism "
            "podFailurePolicy podReplacementPolicy selector successPolicy suspend template ttlSecondsAfterFinished"
        ),
        "managedBy": Support("partly", "a Job managed by somebody else is left alone"),
    },
    "io.k8s.api.core.v1.ServiceSpec": {
        **_all("clusterIP clusterIPs externalName ports publishNotReadyAddresses selector type"),
        "externalIPs": Support("warned", "nothing listens outside the sandbox network"),
        "externalTrafficPolicy": Support("warned", "there is one node network"),
        "allocateLoadBalancerNodePorts": Support("warned", "no load balancers"),
        "healthCheckNodePort": Support("warned", "no load balancers"),
        "internalTrafficPolicy": Support("partly", "Cluster"),
        "ipFamilies": Support("partly", "IPv4"),
        "ipFamilyPolicy": Support("partly", "SingleStack"),
        "loadBalancerClass": Support("warned", "no load balancers"),
        "loadBalancerIP": Support("warned", "no load balancers"),
        "loadBalancerSourceRanges": Support("warned", "no load balancers"),
        "sessionAffinity": Support("warned", "connections go to any ready endpoint"),
        "sessionAffinityConfig": Support("warned", "connections go to any ready endpoint"),
        "trafficDistribution": Support("warned", "there is one node network"),
    },
}

_WARNED = {
    type_name: frozenset(name for name, support in fields.items() if support.level == "warned")
    for type_name, fields in FIELDS.items()
}
_CONTAINER_PARTS = ("initContainers", "containers", "ephemeralContainers")
_CONTAINER_MEMBERS: tuple[tuple[str, str], ...] = (
    ("securityContext", "io.k8s.api.core.v1.SecurityContext"),
    ("lifecycle", "io.k8s.api.core.v1.Lifecycle"),
    ("volumeMounts", "io.k8s.api.core.v1.VolumeMount"),
    ("ports", "io.k8s.api.core.v1.ContainerPort"),
)
_HARMLESS: dict[str, tuple[JsonValue, ...]] = {
    # what defaulting writes, or says only what lifepod does anyway
    "sessionAffinity": ("None", ""),
    "externalTrafficPolicy": ("Cluster", ""),
    "allocateLoadBalancerNodePorts": (True,),
    "privileged": (False,),
    "hostIPC": (False,),
    "hostUsers": (True,),
    "procMount": ("Default", ""),
    "mountPropagation": ("None", ""),
}


def unhonoured_in_pod_spec(spec: JsonObject, path: str = "spec") -> list[tuple[str, str]]:
    """(field path, why) of every field that is set and has no effect. A list's entries are told once, as `containers[*]`."""
    found: dict[str, str] = {}
    _look(spec, "io.k8s.api.core.v1.PodSpec", path, found)
    _look(spec.get("securityContext"), "io.k8s.api.core.v1.PodSecurityContext", f"{path}.securityContext", found)
    for volume in spec.get("volumes") or []:
        _look(volume, "io.k8s.api.core.v1.Volume", f"{path}.volumes[*]", found)
    for part in _CONTAINER_PARTS:
        for container in spec.get(part) or []:
            at = f"{path}.{part}[*]"
            _look(container, "io.k8s.api.core.v1.Container", at, found)
            for member, type_name in _CONTAINER_MEMBERS:
                for value in _each(container.get(member)):
                    suffix = "[*]" if isinstance(container.get(member), list) else ""
                    _look(value, type_name, f"{at}.{member}{suffix}", found)
    return list(found.items())


def unhonoured_in_service_spec(spec: JsonObject) -> list[tuple[str, str]]:
    """The same of a Service."""
    found: dict[str, str] = {}
    _look(spec, "io.k8s.api.core.v1.ServiceSpec", "spec", found)
    return list(found.items())


def _each(value: JsonValue) -> Iterator[JsonObject]:
    if isinstance(value, dict):
        yield value
    elif isinstance(value, list):
        yield from value


def _look(value: JsonValue, type_name: str, path: str, found: dict[str, str]) -> None:
    if not isinstance(value, dict):
        return
    warned = _WARNED[type_name]
    if warned.isdisjoint(value):
        return
    for name, member in value.items():
        if name not in warned or member in (None, "", [], {}):
            continue
        if not any(
            member is known or (member == known and type(member) is type(known)) for known in _HARMLESS.get(name, ())
        ):
            found[f"{path}.{name}"] = FIELDS[type_name][name].note
