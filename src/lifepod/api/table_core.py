"""What `kubectl get` prints of services, nodes, events, volumes and the other kinds of the core group.

Source: k8s.io/kubernetes v1.34.4 pkg/printers/internalversion/printers.go
"""

from __future__ import annotations

from datetime import datetime

from lifepod.api.objects import JsonObject, JsonValue
from lifepod.api.table_times import UNKNOWN, age, since
from lifepod.api.table_workloads import NONE, UNSET, labels_text

_ACCESS_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
_ROLE_PREFIX = "node-role.kubernetes.io/"


def _parts(obj: JsonObject) -> tuple[JsonObject, JsonObject, JsonObject]:
    return obj.get("metadata") or {}, obj.get("spec") or {}, obj.get("status") or {}


def service_cells(service: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE, wide SELECTOR."""
    metadata, spec, status = _parts(service)
    ips = spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
    return [
        metadata.get("name", ""),
        spec.get("type", ""),
        ips[0] if ips else NONE,
        _external_ip(spec, status),
        ",".join(_port_text(port) for port in spec.get("ports") or []) or NONE,
        age(metadata, now),
        labels_text(spec.get("selector")),
    ]


def _port_text(port: JsonObject) -> str:
    node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port')}{node_port}/{port.get('protocol', 'TCP')}"


def _external_ip(spec: JsonObject, status: JsonObject) -> str:
    external: list[str] = spec.get("externalIPs") or []
    match spec.get("type"):
        case "ClusterIP" | "NodePort":
            return ",".join(external) or NONE
        case "LoadBalancer":
            balancer = load_balancer_text(status)
            return ",".join([*([balancer] if balancer else []), *external]) or "<pending>"
        case "ExternalName":
            return str(spec.get("externalName") or "")
    return UNKNOWN


def load_balancer_text(status: JsonObject) -> str:
    """The addresses of a load balancer, sorted. The server always answers for `-o wide`, so nothing is clipped."""
    ingress = (status.get("loadBalancer") or {}).get("ingress") or []
    return ",".join(sorted({point.get("ip") or point.get("hostname") or "" for point in ingress} - {""}))


def config_map_cells(config_map: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME DATA AGE."""
    metadata: JsonObject = config_map.get("metadata") or {}
    count = len(config_map.get("data") or {}) + len(config_map.get("binaryData") or {})
    return [metadata.get("name", ""), count, age(metadata, now)]


def secret_cells(secret: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME TYPE DATA AGE."""
    metadata: JsonObject = secret.get("metadata") or {}
    return [metadata.get("name", ""), secret.get("type", ""), len(secret.get("data") or {}), age(metadata, now)]


def service_account_cells(account: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME SECRETS AGE."""
    metadata: JsonObject = account.get("metadata") or {}
    return [metadata.get("name", ""), len(account.get("secrets") or []), age(metadata, now)]


def namespace_cells(namespace: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME STATUS AGE."""
    metadata, _, status = _parts(namespace)
    return [metadata.get("name", ""), status.get("phase", ""), age(metadata, now)]


def node_cells(node: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME STATUS ROLES AGE VERSION, wide INTERNAL-IP EXTERNAL-IP OS-IMAGE KERNEL-VERSION CONTAINER-RUNTIME."""
    metadata, spec, status = _parts(node)
    about: JsonObject = status.get("nodeInfo") or {}
    ready = {c.get("type"): c.get("status") for c in status.get("conditions") or []}.get("Ready")
    shown = "Unknown" if ready is None else "Ready" if ready == "True" else "NotReady"
    addresses = status.get("addresses") or []
    return [
        metadata.get("name", ""),
        f"{shown},SchedulingDisabled" if spec.get("unschedulable") else shown,
        _roles(metadata.get("labels") or {}),
        age(metadata, now),
        about.get("kubeletVersion", ""),
        *(
            next((a["address"] for a in addresses if a.get("type") == kind), NONE)
            for kind in ("InternalIP", "ExternalIP")
        ),
        *(about.get(name) or UNKNOWN for name in ("osImage", "kernelVersion", "containerRuntimeVersion")),
    ]


def _roles(labels: JsonObject) -> str:
    roles = {key.removeprefix(_ROLE_PREFIX) for key in labels if key.startswith(_ROLE_PREFIX)}
    roles.add(labels.get("kubernetes.io/role") or "")
    return ",".join(sorted(roles - {""})) or NONE


def event_cells(event: JsonObject, now: datetime) -> list[JsonValue]:
    """LAST SEEN TYPE REASON OBJECT, wide SUBOBJECT SOURCE, MESSAGE, wide FIRST SEEN COUNT NAME; of a core Event.

    Source: k8s.io/kubernetes v1.34.4 pkg/printers/internalversion/printers.go: printEvent
    """
    about: JsonObject = event.get("involvedObject") or {}
    source: JsonObject = event.get("source") or {}
    series = event.get("series")
    first = since(event.get("firstTimestamp") or event.get("eventTime"), now)
    last = since(event["lastTimestamp"], now) if event.get("lastTimestamp") else first
    count = event.get("count") or 1
    if series is not None:
        last, count = since(series.get("lastObservedTime"), now), series.get("count") or 0
    component = source.get("component") or event.get("reportingComponent") or ""
    instance = source.get("host") or event.get("reportingInstance") or ""
    kind = str(about.get("kind") or "").lower()
    return [
        last,
        event.get("type", ""),
        event.get("reason", ""),
        f"{kind}/{about['name']}" if about.get("name") else kind,
        about.get("fieldPath", ""),
        f"{component}, {instance}" if instance else component,
        str(event.get("message") or "").strip(),
        first,
        count,
        (event.get("metadata") or {}).get("name", ""),
    ]


def endpoints_cells(endpoints: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME ENDPOINTS AGE."""
    metadata: JsonObject = endpoints.get("metadata") or {}
    pairs = [
        (address.get("ip", ""), port.get("port") if port else None)
        for subset in endpoints.get("subsets") or []
        for port in subset.get("ports") or [None]
        for address in subset.get("addresses") or []
    ]
    texts = [ip if port is None else f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}" for ip, port in pairs]
    shown = shortened(texts, "") if endpoints.get("subsets") else NONE
    return [metadata.get("name", ""), shown, age(metadata, now)]


def shortened(texts: list[str], empty: str) -> str:
    """The first three, and how many more there are."""
    more = f" + {len(texts) - 3} more..." if len(texts) > 3 else ""
    return (",".join(texts[:3]) or empty) + more


def _modes(modes: list[str] | None) -> str:
    held = set(modes or [])
    return ",".join(short for mode, short in _ACCESS_MODES.items() if mode in held)


def claim_cells(claim: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME STATUS VOLUME CAPACITY ACCESS MODES STORAGECLASS VOLUMEATTRIBUTESCLASS AGE, wide VOLUMEMODE."""
    metadata, spec, status = _parts(claim)
    is_bound = bool(spec.get("volumeName"))
    return [
        metadata.get("name", ""),
        "Terminating" if metadata.get("deletionTimestamp") is not None else status.get("phase", ""),
        spec.get("volumeName", ""),
        str((status.get("capacity") or {}).get("storage", "0")) if is_bound else "",
        _modes(status.get("accessModes")) if is_bound else "",
        _storage_class(metadata, spec),
        _or_unset(spec.get("volumeAttributesClassName")),
        age(metadata, now),
        spec.get("volumeMode") or UNSET,
    ]


def volume_cells(volume: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME CAPACITY ACCESS MODES RECLAIM POLICY STATUS CLAIM STORAGECLASS VOLUMEATTRIBUTESCLASS REASON AGE, wide VOLUMEMODE."""
    metadata, spec, status = _parts(volume)
    claim = spec.get("claimRef")
    return [
        metadata.get("name", ""),
        str((spec.get("capacity") or {}).get("storage", "0")),
        _modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy", ""),
        "Terminating" if metadata.get("deletionTimestamp") is not None else status.get("phase", ""),
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim is not None else "",
        _storage_class(metadata, spec),
        _or_unset(spec.get("volumeAttributesClassName")),
        status.get("reason", ""),
        age(metadata, now),
        spec.get("volumeMode") or UNSET,
    ]


def _or_unset(text: str | None) -> str:
    return UNSET if text is None else text


def _storage_class(metadata: JsonObject, spec: JsonObject) -> str:
    beta = (metadata.get("annotations") or {}).get("volume.beta.kubernetes.io/storage-class")
    return str(beta if beta is not None else spec.get("storageClassName") or "")


def quota_cells(quota: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME REQUEST LIMIT AGE."""
    metadata, _, status = _parts(quota)
    hard, used = status.get("hard") or {}, status.get("used") or {}
    texts = {name: f"{name}: {used.get(name, '0')}/{hard[name]}" for name in sorted(hard)}
    limits = [text for name, text in texts.items() if name.startswith("limits.")]
    requests = [text for name, text in texts.items() if not name.startswith("limits.")]
    return [metadata.get("name", ""), ", ".join(requests), ", ".join(limits), age(metadata, now)]


def component_status_cells(status: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME STATUS MESSAGE ERROR."""
    condition = next((c for c in status.get("conditions") or [] if c.get("type") == "Healthy"), None)
    shown = "Unknown" if condition is None else "Healthy" if condition.get("status") == "True" else "Unhealthy"
    about = condition or {}
    return [(status.get("metadata") or {}).get("name", ""), shown, about.get("message", ""), about.get("error", "")]
