"""What is refused of pods beyond the everyday: claims, devices, affinity terms, profiles, systems, pod-level resources."""

from __future__ import annotations

import pytest

from lifepod.api.builtin import builtin_kinds
from lifepod.api.kinds import KindRegistry
from lifepod.api.objects import JsonObject

_KIND = KindRegistry(builtin_kinds()).of("pods")
_HUGE_PAGE = {"limits": {"hugepages-2Mi": "3Mi", "memory": "1Gi"}}
_SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end"
    " with an alphanumeric character (e.g. 'example.com', regex used for validation is"
    " '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_VALUE = "must be no more than 63 characters"


def _container(**more) -> JsonObject:
    return {"name": "c", "image": "i:1", **more}


def _spec(*containers: JsonObject, **more) -> JsonObject:
    return {"containers": list(containers) or [_container()], **more}


def _complaints(spec: JsonObject) -> list[str]:
    pod = {"metadata": {"name": "x", "uid": "u", "namespace": "default"}, "spec": spec}
    return [str(error) for error in _KIND.validate(_KIND.prepare_create(_KIND.default(pod)))]


def _affinity(**term) -> JsonObject:
    term = {"topologyKey": "k", "labelSelector": {"matchLabels": {"a": "b"}}, **term}
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def _node_affinity(expression: JsonObject, *, field: str = "matchExpressions") -> JsonObject:
    terms = {"nodeSelectorTerms": [{field: [expression]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


_TERM = "spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0]"
_NODE_TERM = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]"
_PVC = {"name": "v", "persistentVolumeClaim": {"claimName": "p"}}
_DEVICE = {"name": "v", "devicePath": "/dev/x"}
_SPREAD = {"maxSkew": 1, "topologyKey": "a b", "whenUnsatisfiable": "DoNotSchedule"}


@pytest.mark.parametrize(
    ("why", "spec", "wanted"),
    [
        ("a key reference names its object", _spec(_container(env=[{"name": "A", "valueFrom": {"secretKeyRef": {"key": "k"}}}])),
         [f'spec.containers[0].env[0].valueFrom.secretKeyRef.name: Invalid value: "": {_SUBDOMAIN}']),
        ("environment comes from an object with a valid name", _spec(_container(envFrom=[{"secretRef": {"name": "A_b"}}])),
         [f'spec.containers[0].envFrom[0].secretRef.name: Invalid value: "A_b": {_SUBDOMAIN}']),
        ("a wrong divisor shows the resource",
         _spec(_container(env=[{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "2"}}}])),
         ['spec.containers[0].env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.cpu": '
          "only divisor's values 1m and 1 are supported with the cpu resource"]),
        ("a volume is mounted or a device, not both",
         _spec(_container(volumeDevices=[_DEVICE], volumeMounts=[{"name": "v", "mountPath": "/m"}]), volumes=[_PVC]),
         ['spec.containers[0].volumeMounts[0].name: Invalid value: "v": must not already exist in volumeDevices',
          'spec.containers[0].volumeDevices[0].name: Invalid value: "v": must not already exist in volumeMounts']),
        ("a device's path goes nowhere up", _spec(_container(volumeDevices=[{"name": "v", "devicePath": "/a/../b"}]), volumes=[_PVC]),
         ['spec.containers[0].volumeDevices[0].devicePath: Invalid value: "/a/../b": can not contain backsteps (\'..\')']),
        ("devices need the host's users", _spec(_container(volumeDevices=[_DEVICE]), volumes=[_PVC], hostUsers=False),
         ["spec.containers[0].volumeDevices: Forbidden: when `hostUsers` is false"]),
        ("a claim comes from somewhere", _spec(resourceClaims=[{"name": "c"}]),
         ['spec.resourceClaims[0]: Invalid value: {"name":"c"}: must specify one of: `resourceClaimName`, `resourceClaimTemplateName`']),
        ("claim names are unique",
         _spec(resourceClaims=[{"name": "c", "resourceClaimName": "x"}, {"name": "c", "resourceClaimName": "y"}]),
         ['spec.resourceClaims[1].name: Duplicate value: "c"']),
        ("a container's claim is the pod's", _spec(_container(resources={"claims": [{"name": "z"}]})),
         ['spec.containers[0].resources.claims[0]: Not found: "z": must be one of the names in pod.spec.resourceClaims which is empty']),
        ("a container asks a claim once",
         _spec(_container(resources={"claims": [{"name": "z", "request": "r"}, {"name": "z"}]}),
               resourceClaims=[{"name": "z", "resourceClaimName": "x"}]),
         ['spec.containers[0].resources.claims[1]: Duplicate value: "z"']),
        ("namespaces of a term have one path", _spec(affinity=_affinity(namespaces=["ok", "a.b"])),
         [f'{_TERM}.namespace: Invalid value: "a.b": must not contain dots']),
        ("label keys need a selector", _spec(affinity=_affinity(matchLabelKeys=["a"], labelSelector=None)),
         [f"{_TERM}.matchLabelKeys: Forbidden: must not be specified when labelSelector is not set"]),
        ("a key is matched or mismatched", _spec(affinity=_affinity(matchLabelKeys=["a"], mismatchLabelKeys=["a"])),
         [f'{_TERM}.matchLabelKeys[0]: Invalid value: "a": exists in both matchLabelKeys and mismatchLabelKeys']),
        ("required node terms have label values", _spec(affinity=_node_affinity({"key": "k", "operator": "In", "values": ["v" * 64]})),
         [f'{_NODE_TERM}.matchExpressions[0].values[0]: Invalid value: "{"v" * 64}": {_LABEL_VALUE}']),
        ("a node is named by a node name",
         _spec(affinity=_node_affinity({"key": "metadata.name", "operator": "In", "values": ["A"]}, field="matchFields")),
         [f'{_NODE_TERM}.matchFields[0].values[0]: Invalid value: "A": {_SUBDOMAIN}']),
        ("a spread's topology key is anything", _spec(topologySpreadConstraints=[_SPREAD]), []),
        ("a local seccomp profile stays below its directory",
         _spec(securityContext={"seccompProfile": {"type": "Localhost", "localhostProfile": "/abs"}}),
         ['spec.securityContext.seccompProfile.localhostProfile: Invalid value: "/abs": must be a relative path']),
        ("a local seccomp profile is for Localhost",
         _spec(securityContext={"seccompProfile": {"type": "Unconfined", "localhostProfile": "p"}}),
         ['spec.securityContext.seccompProfile.localhostProfile: Invalid value: {"localhostProfile":"p","type":"Unconfined"}: '
          "can only be set when seccomp type is Localhost"]),
        ("an AppArmor profile has a type", _spec(_container(securityContext={"appArmorProfile": {}})),
         ["spec.containers[0].securityContext.appArmorProfile.type: Required value: type is required when appArmorProfile is set"]),
        ("a local AppArmor profile is not padded",
         _spec(_container(securityContext={"appArmorProfile": {"type": "Localhost", "localhostProfile": " p"}})),
         ['spec.containers[0].securityContext.appArmorProfile.localhostProfile: Invalid value: " p": must not be padded with whitespace']),
        ("the host's IPC keeps its sysctls",
         _spec(hostIPC=True, securityContext={"sysctls": [{"name": "kernel.shm_rmid_forced", "value": "1"}]}),
         ['spec.securityContext.sysctls[0].name: Invalid value: "kernel.shm_rmid_forced": may not be specified when \'hostIPC\' is true']),
        ("only the recursive SELinux change is there", _spec(securityContext={"seLinuxChangePolicy": "MountOption"}),
         ['spec.securityContext.seLinuxChangePolicy: Unsupported value: "MountOption": supported values: "Recursive"']),
        ("systems are two", _spec(os={"name": "plan9"}),
         ['spec.os: Unsupported value: "plan9": supported values: "linux", "windows"']),
        ("a Linux pod has no Windows options", _spec(os={"name": "linux"}, securityContext={"windowsOptions": {}}),
         ["spec.securityContext.windowsOptions: Forbidden: windows options cannot be set for a linux pod"]),
        ("a Windows pod has no Linux fields",
         _spec(_container(securityContext={"privileged": False}), os={"name": "windows"}, hostPID=True),
         ["spec.hostPID: Forbidden: cannot be set for a windows pod",
          "spec.containers[0].securityContext.privileged: Forbidden: cannot be set for a windows pod"]),
        ("an overhead is made of container resources", _spec(overhead={"pods": "1"}),
         ['spec.overhead.limits[pods]: Invalid value: "pods": must be a standard resource for containers']),
        ("huge pages are whole", _spec(_container(resources=_HUGE_PAGE)),
         ['spec.containers[0].resources.limits[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of hugepages-2Mi',
          'spec.containers[0].resources.requests[hugepages-2Mi]: Invalid value: "3Mi": '
          "3Mi is not positive integer multiple of hugepages-2Mi"]),
        ("a pod has room for its containers", _spec(_container(resources={"requests": {"cpu": "2"}}), resources={"requests": {"cpu": "1"}}),
         ['spec.resources.requests[cpu]: Invalid value: "1": must be greater than or equal to aggregate container requests of 2']),
        ("a container's limit is within the pod's",
         _spec(_container(resources={"limits": {"memory": "2Gi"}, "requests": {"memory": "1Gi"}}),
               resources={"limits": {"memory": "1Gi"}, "requests": {"memory": "1Gi"}}),
         ['spec.resources.containers[0][memory].limits: Invalid value: "2Gi": must be less than or equal to pod limits of 1Gi']),
        ("a pod asks for fewer kinds", _spec(resources={"requests": {"ephemeral-storage": "1Gi"}}),
         ['spec.resources.requests[ephemeral-storage]: Unsupported value: "ephemeral-storage": '
          'supported values: "cpu", "hugepages-", "memory"']),
        ("what names others comes before what tolerates", _spec(serviceAccountName="A", priorityClassName="B", tolerations=[{"key": "k", "effect": "x"}]),
         [f'spec.serviceAccountName: Invalid value: "A": {_SUBDOMAIN}',
          'spec.tolerations[0].effect: Unsupported value: "x": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
          f'spec.priorityClassName: Invalid value: "B": {_SUBDOMAIN}']),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_pod_is_refused_in_upstreams_words(why, spec, wanted):
    assert _complaints(spec) == wanted
