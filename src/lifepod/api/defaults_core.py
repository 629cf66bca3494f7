"""What Services, Secrets, Namespaces, claims, volumes, nodes and limit ranges mean when fields are left out.

Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/v1/defaults.go
"""

from __future__ import annotations

import base64

from lifepod.api.objects import JsonObject, JsonValue

_CLIENT_IP_SECONDS = 10800


def _filled(obj: JsonObject, usual: dict[str, JsonValue]) -> JsonObject:
    """`usual` under the members of `obj` that are there and neither null nor empty text."""
    missing = {name: value for name, value in usual.items() if obj.get(name) in (None, "")}
    return {**obj, **missing} if missing else obj


def default_service(service: JsonObject) -> JsonObject:
    """A ClusterIP service; target ports equal ports.

    Addresses and node ports are allocated by the API server, not here.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/v1/defaults.go: SetDefaults_Service
    """
    given: JsonObject = service.get("spec") or {}
    kind = given.get("type") or "ClusterIP"
    usual: dict[str, JsonValue] = {"sessionAffinity": "None", "type": kind}
    if kind != "ExternalName":
        usual["internalTrafficPolicy"] = "Cluster"
    if _is_externally_accessible(given, kind):
        usual["externalTrafficPolicy"] = "Cluster"
    if kind == "LoadBalancer":
        usual["allocateLoadBalancerNodePorts"] = True
    spec = _session_affinity(_filled(given, usual))
    ports = spec.get("ports")
    if ports:
        filled = [_service_port(port) for port in ports]
        if filled != ports:
            spec = {**spec, "ports": filled}
    status: JsonObject = service.get("status") or {}
    if spec is given and status.get("loadBalancer") is not None:
        return service
    return {**service, "spec": spec, "status": {"loadBalancer": {}, **status}}


def _is_externally_accessible(spec: JsonObject, kind: str) -> bool:
    return kind in ("NodePort", "LoadBalancer") or (kind == "ClusterIP" and bool(spec.get("externalIPs")))


def _session_affinity(spec: JsonObject) -> JsonObject:
    if spec["sessionAffinity"] == "ClientIP":
        config = spec.get("sessionAffinityConfig") or {}
        if (config.get("clientIP") or {}).get("timeoutSeconds") is None:
            return {**spec, "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": _CLIENT_IP_SECONDS}}}
    elif spec["sessionAffinity"] == "None" and "sessionAffinityConfig" in spec:
        return {name: value for name, value in spec.items() if name != "sessionAffinityConfig"}
    return spec


def _service_port(port: JsonObject) -> JsonObject:
    target = port.get("targetPort")
    if target in (None, 0, ""):
        return {**port, "protocol": port.get("protocol") or "TCP", "targetPort": port.get("port")}
    return port if port.get("protocol") else {**port, "protocol": "TCP"}


def default_secret(secret: JsonObject) -> JsonObject:
    """Type Opaque; `stringData` goes into `data` in base64 and is gone.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/v1/conversion.go: Convert_v1_Secret_To_core_Secret
    """
    filled = secret if secret.get("type") else {**secret, "type": "Opaque"}
    if "stringData" not in filled:
        return filled
    texts = filled["stringData"] or {}
    coded = {name: base64.b64encode(text.encode()).decode() for name, text in texts.items()}
    rest = {name: value for name, value in filled.items() if name != "stringData"}
    return {**rest, "data": {**(rest.get("data") or {}), **coded}} if coded else rest


def default_namespace(namespace: JsonObject) -> JsonObject:
    """Active, and labelled with its own name.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/v1/defaults.go: SetDefaults_Namespace, SetDefaults_NamespaceStatus
    """
    metadata: JsonObject = namespace.get("metadata") or {}
    name = metadata.get("name")
    labels = metadata.get("labels") or {}
    if name and labels.get("kubernetes.io/metadata.name") != name:
        labels = {**labels, "kubernetes.io/metadata.name": name}
        namespace = {**namespace, "metadata": {**metadata, "labels": labels}}
    if not (namespace.get("status") or {}).get("phase"):
        namespace = {**namespace, "status": {**(namespace.get("status") or {}), "phase": "Active"}}
    return namespace


def default_claim(claim: JsonObject) -> JsonObject:
    """A file system, pending.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/v1/defaults.go: SetDefaults_PersistentVolumeClaim
    """
    spec = _filled(claim.get("spec") or {}, {"volumeMode": "Filesystem"})
    status = _filled(claim.get("status") or {}, {"phase": "Pending"})
    if spec is claim.get("spec") and status is claim.get("status"):
        return claim
    return {**claim, "spec": spec, "status": status}


def default_volume_object(volume: JsonObject) -> JsonObject:
    """A PersistentVolume: retained, a file system, pending.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/v1/defaults.go: SetDefaults_PersistentVolume
    """
    usual: dict[str, JsonValue] = {"persistentVolumeReclaimPolicy": "Retain", "volumeMode": "Filesystem"}
    spec = _filled(volume.get("spec") or {}, usual)
    host_path = spec.get("hostPath")
    if host_path is not None and host_path.get("type") is None:
        spec = {**spec, "hostPath": {**host_path, "type": ""}}
    status = _filled(volume.get("status") or {}, {"phase": "Pending"})
    if spec is volume.get("spec") and status is volume.get("status"):
        return volume
    return {**volume, "spec": spec, "status": status}


def default_endpoints(endpoints: JsonObject) -> JsonObject:
    """Ports are TCP. Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/v1/defaults.go: SetDefaults_Endpoints"""
    subsets = endpoints.get("subsets")
    if not subsets or all(port.get("protocol") for subset in subsets for port in subset.get("ports") or []):
        return endpoints
    filled = [
        {**subset, "ports": [_filled(port, {"protocol": "TCP"}) for port in subset["ports"]]}
        if subset.get("ports")
        else subset
        for subset in subsets
    ]
    return {**endpoints, "subsets": filled}


def default_node(node: JsonObject) -> JsonObject:
    """What a node has is what it can give, unless it says otherwise.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/v1/defaults.go: SetDefaults_NodeStatus
    """
    status: JsonObject = node.get("status") or {}
    if status.get("allocatable") is None and status.get("capacity") is not None:
        return {**node, "status": {**status, "allocatable": status["capacity"]}}
    return node


def default_limit_range(limit_range: JsonObject) -> JsonObject:
    """Container limits: default from max, defaultRequest from default, then from min.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/v1/defaults.go: SetDefaults_LimitRangeItem
    """
    spec: JsonObject = limit_range.get("spec") or {}
    limits = spec.get("limits") or []
    filled = [_limit_range_item(item) for item in limits]
    return limit_range if filled == limits else {**limit_range, "spec": {**spec, "limits": filled}}


def _limit_range_item(item: JsonObject) -> JsonObject:
    if item.get("type") != "Container":
        return item
    default = {**(item.get("max") or {}), **(item.get("default") or {})}
    request = {**(item.get("min") or {}), **default, **(item.get("defaultRequest") or {})}
    given = {"default": default, "defaultRequest": request}
    return {**item, **{name: value for name, value in given.items() if value}}
