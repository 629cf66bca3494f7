"""Which environment a container gets, resolved once when it is created (lifecycle.md §9.2).

Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kubelet_pods.go: makeEnvironmentVariables;
        pkg/kubelet/envvars/envvars.go: FromServices; third_party/forked/golang/expansion/expand.go: Expand
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from lifepod.api.objects import JsonObject, dig
from lifepod.api.quantity import parse_quantity
from lifepod.errors import LifepodError

_REFERENCE = re.compile(r"\$(\$|\(([^()$]*)\))")


class Reader(Protocol):
    """Read access to the API's objects."""

    def get(self, resource: str, namespace: str, name: str) -> JsonObject | None: ...

    def list(self, resource: str, namespace: str = "") -> list[JsonObject]: ...


class ConfigError(LifepodError):
    """The container's configuration cannot be made; the text is upstream's."""


class PodPlace(NamedTuple):
    """What a pod's own facts are at this moment."""

    pod: JsonObject
    pod_ips: tuple[str, ...]
    host_ips: tuple[str, ...]
    allocatable: Mapping[str, str]


def expand(text: str, values: Mapping[str, str]) -> str:
    """`$(NAME)` becomes its value, `$$` a dollar; an unknown name stays as it is."""

    def one(match: re.Match[str]) -> str:
        if match[1] == "$":
            return "$"
        return values.get(match[2], match[0])

    return _REFERENCE.sub(one, text) if "$" in text else text


def container_environment(container: JsonObject, place: PodPlace, reader: Reader) -> dict[str, str]:
    """The variables in their order. Raises ConfigError."""
    namespace = place.pod["metadata"].get("namespace", "")
    services = service_variables(place.pod, reader)
    found: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        found.update(_from_source(source, namespace, reader))
    for entry in container.get("env") or ():
        if "valueFrom" in entry and entry["valueFrom"]:
            value = _value_from(entry["valueFrom"], container, place, reader)
            if value is None:
                continue
        else:
            value = expand(entry.get("value") or "", {**services, **found})
        found.pop(entry["name"], None)
        found[entry["name"]] = value
    return {**{n: v for n, v in services.items() if n not in found}, **found}


def _from_source(source: JsonObject, namespace: str, reader: Reader) -> dict[str, str]:
    for member, resource in (("configMapRef", "configmaps"), ("secretRef", "secrets")):
        ref = source.get(member)
        if ref:
            obj = reader.get(resource, namespace, ref.get("name", ""))
            if obj is None:
                if ref.get("optional"):
                    return {}
                raise ConfigError(f'{resource[:-1]} "{ref.get("name", "")}" not found')
            prefix = source.get("prefix") or ""
            return {prefix + key: text for key, text in sorted(texts_of(obj).items())}
    return {}


def texts_of(obj: JsonObject) -> dict[str, str]:
    """The data of a ConfigMap or Secret as text."""
    if obj.get("kind") == "Secret":
        return {k: base64.b64decode(v).decode(errors="replace") for k, v in (obj.get("data") or {}).items()}
    return dict(obj.get("data") or {})


def _value_from(source: JsonObject, container: JsonObject, place: PodPlace, reader: Reader) -> str | None:
    """The value, None when an optional one is missing. Raises ConfigError."""
    namespace = place.pod["metadata"].get("namespace", "")
    for member, resource, kind in (("configMapKeyRef", "configmaps", "ConfigMap"), ("secretKeyRef", "secrets", "Secret")):
        ref = source.get(member)
        if ref:
            name, key = ref.get("name", ""), ref.get("key", "")
            obj = reader.get(resource, namespace, name)
            if obj is None and not ref.get("optional"):
                raise ConfigError(f'{resource[:-1]} "{name}" not found')
            texts = texts_of(obj) if obj is not None else {}
            if key not in texts and obj is not None and not ref.get("optional"):
                raise ConfigError(f"couldn't find key {key} in {kind} {namespace}/{name}")
            return texts.get(key)
    if source.get("fieldRef"):
        return field_value(source["fieldRef"].get("fieldPath", ""), place)
    if source.get("resourceFieldRef"):
        return resource_value(source["resourceFieldRef"], container, place)
    return ""


def field_value(path: str, place: PodPlace) -> str:
    """What a fieldRef stands for. Raises ConfigError."""
    pod, metadata = place.pod, place.pod["metadata"]
    for member in ("labels", "annotations"):
        if path == f"metadata.{member}":
            return "\n".join(f'{k}="{_escaped(v)}"' for k, v in sorted((metadata.get(member) or {}).items()))
        if path.startswith(f"metadata.{member}['") and path.endswith("']"):
            return str((metadata.get(member) or {}).get(path[len(f"metadata.{member}['") : -2], ""))
    match path:
        case "metadata.name" | "metadata.namespace" | "metadata.uid":
            return str(metadata.get(path.partition(".")[2], ""))
        case "spec.nodeName" | "spec.serviceAccountName":
            return str(pod["spec"].get(path.partition(".")[2]) or "")
        case "status.podIP":
            return next(iter(place.pod_ips), "")
        case "status.podIPs":
            return ",".join(place.pod_ips)
        case "status.hostIP":
            return next(iter(place.host_ips), "")
        case "status.hostIPs":
            return ",".join(place.host_ips)
    raise ConfigError(f"unsupported fieldPath: {path}")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def resource_value(ref: JsonObject, container: JsonObject, place: PodPlace) -> str:
    """What a resourceFieldRef stands for, in units of its divisor, rounded up. Raises ConfigError."""
    wanted = ref.get("containerName")
    if wanted:
        spec = place.pod["spec"]
        every = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
        container = next((c for c in every if c["name"] == wanted), container)
    kind, _, resource = str(ref.get("resource", "")).partition(".")
    text = dig(container, "resources", kind, resource)
    if text is None and kind == "limits":
        text = place.allocatable.get(resource)
    amount = parse_quantity(str(text)).milli if text is not None else 0
    divisor = parse_quantity(str(ref.get("divisor") or "1")).milli or 1000
    return str(-(-amount // divisor))


def service_variables(pod: JsonObject, reader: Reader) -> dict[str, str]:
    """The variables of the services that the container may know by name."""
    namespace = pod["metadata"].get("namespace", "")
    found: dict[str, str] = {}
    services = reader.list("services", namespace) if pod["spec"].get("enableServiceLinks", True) else []
    if not any(s["metadata"]["name"] == "kubernetes" and namespace == "default" for s in services):
        master = reader.get("services", "default", "kubernetes")
        services = [*services, *([master] if master is not None else [])]
    for service in services:
        address = dig(service, "spec", "clusterIP")
        ports = dig(service, "spec", "ports")
        if address and address != "None" and ports:
            found.update(_of_service(service["metadata"]["name"], address, ports))
    return found


def _of_service(name: str, address: str, ports: list[JsonObject]) -> dict[str, str]:
    x = name.upper().replace("-", "_")
    host = f"[{address}]" if ":" in address else address
    found = {f"{x}_SERVICE_HOST": address, f"{x}_SERVICE_PORT": str(ports[0]["port"])}
    for port in ports:
        if port.get("name"):
            found[f"{x}_SERVICE_PORT_{port['name'].upper().replace('-', '_')}"] = str(port["port"])
    first = ports[0]
    found[f"{x}_PORT"] = f"{(first.get('protocol') or 'TCP').lower()}://{host}:{first['port']}"
    for port in ports:
        protocol = port.get("protocol") or "TCP"
        prefix = f"{x}_PORT_{port['port']}_{protocol.upper()}"
        found[prefix] = f"{protocol.lower()}://{host}:{port['port']}"
        found[f"{prefix}_PROTO"] = protocol.lower()
        found[f"{prefix}_PORT"] = str(port["port"])
        found[f"{prefix}_ADDR"] = address
    return found
