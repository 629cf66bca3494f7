"""Which environment does a container get? References resolved, `$(NAME)` expanded, service variables added (lifecycle.md §9.2).

Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kubelet_pods.go: makeEnvironmentVariables
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import NamedTuple

from lifepod.api.objects import JsonObject, dig
from lifepod.api.quantity import parse_quantity

ObjectByName = Callable[[str], JsonObject | None]


class ConfigError(NamedTuple):
    """The container cannot be created: the message of CreateContainerConfigError."""

    message: str


class Lookups(NamedTuple):
    """What references lead to. `config_map` and `secret` look in the pod's namespace; `services`: all that may be shown."""

    config_map: ObjectByName
    secret: ObjectByName
    services: tuple[JsonObject, ...] = ()
    allocatable: Mapping[str, str] = {}
    host_ips: tuple[str, ...] = ()
    pod_ips: tuple[str, ...] = ()


def environment_of(
    pod: JsonObject, container: JsonObject, lookups: Lookups
) -> tuple[tuple[str, str], ...] | ConfigError:
    """The variables of one container, in the order in which they came to be: envFrom, env, then services.

    Variables set later win; service variables never override.
    """
    services = service_variables(pod, lookups.services)
    values: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        more = _env_from(source, lookups)
        if isinstance(more, ConfigError):
            return more
        values.update(more)
    for variable in container.get("env") or ():
        value: str | ConfigError | None
        if variable.get("value"):
            value = expanded(variable["value"], values, services)
        elif variable.get("valueFrom"):
            value = _value_from(variable["valueFrom"], pod, container, lookups)
        else:
            value = ""
        if isinstance(value, ConfigError):
            return value
        if value is not None:
            values[variable["name"]] = value
    return tuple({**values, **{k: v for k, v in services.items() if k not in values}}.items())


def expanded(text: str, *values: Mapping[str, str]) -> str:
    """`$(NAME)` replaced by the first mapping that knows it, else left; `$$` is `$`.

    Source: k8s.io/kubernetes v1.34.4 third_party/forked/golang/expansion/expand.go
    """
    out, i = [], 0
    while i < len(text):
        if text[i] != "$" or i + 1 >= len(text):
            out.append(text[i])
            i += 1
        elif text[i + 1] == "$":
            out.append("$")
            i += 2
        elif text[i + 1] == "(" and (end := text.find(")", i + 2)) >= 0:
            name = text[i + 2 : end]
            out.append(next((v[name] for v in values if name in v), f"$({name})"))
            i = end + 1
        else:
            out.append(text[i : i + 2])
            i += 2
    return "".join(out)


def expanded_all(texts: tuple[str, ...] | list[str], environment: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """`command` and `args`, expanded from the final set."""
    known = dict(environment)
    return tuple(expanded(t, known) for t in texts)


def _is_name(name: str) -> bool:
    """Source: k8s.io/apimachinery v0.34.4 pkg/util/validation: IsRelaxedEnvVarName."""
    return bool(name) and "=" not in name and all(" " <= c <= "~" for c in name)


def _env_from(source: JsonObject, lookups: Lookups) -> dict[str, str] | ConfigError:
    prefix, texts = source.get("prefix") or "", {}
    for member, word, look in (
        ("configMapRef", "configmap", lookups.config_map),
        ("secretRef", "secret", lookups.secret),
    ):
        ref = source.get(member)
        if ref is None:
            continue
        found = look(ref.get("name", ""))
        if found is None:
            if ref.get("optional"):
                continue
            return ConfigError(f'{word} "{ref.get("name", "")}" not found')
        for key, value in (found.get("data") or {}).items():
            if _is_name(prefix + key):
                texts[prefix + key] = value if word == "configmap" else secret_text(value)
    return texts


def secret_text(value: str) -> str:
    """A secret's value as text; bytes that are not UTF-8 are kept as they can be."""
    return secret_bytes(value).decode("utf-8", "surrogateescape")


def secret_bytes(value: str) -> bytes:
    """A secret's value; what is no base64 counts as empty."""
    try:
        return base64.b64decode(value or "")
    except (binascii.Error, ValueError):
        return b""


def _value_from(
    source: JsonObject, pod: JsonObject, container: JsonObject, lookups: Lookups
) -> str | ConfigError | None:
    """None: optional and missing, so the variable is left out."""
    if ref := source.get("fieldRef"):
        return field_text(pod, ref.get("fieldPath", ""), lookups)
    if ref := source.get("resourceFieldRef"):
        named = ref.get("containerName")
        return resource_text(ref, container_of(pod, named) if named else container, lookups)
    if ref := source.get("configMapKeyRef"):
        return _key(pod, ref, lookups.config_map(ref.get("name", "")), "configmap", "ConfigMap")
    if ref := source.get("secretKeyRef"):
        value = _key(pod, ref, lookups.secret(ref.get("name", "")), "secret", "Secret")
        return secret_text(value) if isinstance(value, str) else value
    return ""


def _key(pod: JsonObject, ref: JsonObject, found: JsonObject | None, word: str, kind: str) -> str | ConfigError | None:
    name, key, optional = ref.get("name", ""), ref.get("key", ""), bool(ref.get("optional"))
    if found is None:
        return None if optional else ConfigError(f'{word} "{name}" not found')
    data = found.get("data") or {}
    if key not in data:
        namespace = pod["metadata"].get("namespace", "")
        return None if optional else ConfigError(f"couldn't find key {key} in {kind} {namespace}/{name}")
    value: str = data[key]
    return value


def container_of(pod: JsonObject, name: str) -> JsonObject:
    """The part of the pod's spec that describes the container of that name; empty when there is none."""
    spec = pod["spec"]
    for member in ("containers", "initContainers", "ephemeralContainers"):
        for c in spec.get(member) or ():
            if c["name"] == name:
                found: JsonObject = c
                return found
    return {}


def field_text(pod: JsonObject, path: str, lookups: Lookups) -> str | ConfigError:
    """The text of a fieldRef.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kubelet_pods.go: podFieldSelectorRuntimeValue; pkg/fieldpath/fieldpath.go
    """
    meta, spec = pod["metadata"], pod["spec"]
    if path.endswith("']") and path.partition("['")[0] in ("metadata.labels", "metadata.annotations"):
        member, _, key = path[:-2].partition("['")
        return str((meta.get(member.removeprefix("metadata.")) or {}).get(key, ""))
    host_ips = lookups.host_ips or tuple(x["ip"] for x in dig(pod, "status", "hostIPs") or ())
    pod_ips = lookups.pod_ips or tuple(x["ip"] for x in dig(pod, "status", "podIPs") or ())
    texts: dict[str, Callable[[], str]] = {
        "metadata.name": lambda: str(meta.get("name", "")),
        "metadata.namespace": lambda: str(meta.get("namespace", "")),
        "metadata.uid": lambda: str(meta.get("uid", "")),
        "metadata.labels": lambda: map_text(meta.get("labels") or {}),
        "metadata.annotations": lambda: map_text(meta.get("annotations") or {}),
        "spec.nodeName": lambda: str(spec.get("nodeName", "")),
        "spec.serviceAccountName": lambda: str(spec.get("serviceAccountName", "")),
        "status.hostIP": lambda: next(iter(host_ips), ""),
        "status.hostIPs": lambda: ",".join(host_ips),
        "status.podIP": lambda: next(iter(pod_ips), ""),
        "status.podIPs": lambda: ",".join(pod_ips),
    }
    made = texts.get(path)
    return made() if made is not None else ConfigError(f"unsupported fieldPath: {path}")


def map_text(values: Mapping[str, str]) -> str:
    """Labels or annotations as a file holds them: `key="value"`, sorted, one a line.

    Source: k8s.io/kubernetes v1.34.4 pkg/fieldpath/fieldpath.go: FormatMap
    """
    return "\n".join(f"{k}={go_quoted(values[k])}" for k in sorted(values))


def go_quoted(text: str) -> str:
    """A string as Go's `%q` prints it."""
    named = {
        '"': '\\"',
        "\\": "\\\\",
        "\n": "\\n",
        "\t": "\\t",
        "\r": "\\r",
        "\a": "\\a",
        "\b": "\\b",
        "\f": "\\f",
        "\v": "\\v",
    }
    out = []
    for c in text:
        if c in named:
            out.append(named[c])
        elif c.isprintable():
            out.append(c)
        else:
            out.append(f"\\x{ord(c):02x}" if ord(c) < 0x80 else f"\\u{ord(c):04x}")
    return '"' + "".join(out) + '"'


def resource_text(ref: JsonObject, container: JsonObject, lookups: Lookups) -> str | ConfigError:
    """A limit or request divided by the divisor, rounded up; an unset limit is the node's allocatable.

    Source: k8s.io/kubernetes v1.34.4 pkg/api/v1/resource/helpers.go: ExtractContainerResourceValue
    """
    which, _, resource = ref.get("resource", "").partition(".")
    if which not in ("limits", "requests") or not resource:
        return ConfigError(f"unsupported container resource : {ref.get('resource', '')}")
    text = dig(container, "resources", which, resource)
    if text is None:
        unset = lookups.allocatable.get(resource, "0") if which == "limits" else "0"
        text = unset if resource in ("cpu", "memory", "ephemeral-storage") else "0"
    divisor = str(ref.get("divisor") or "1")
    amount, by = parse_quantity(str(text)), parse_quantity("1" if divisor == "0" else divisor)
    if resource == "cpu":
        return str(-(-amount.milli // max(by.milli, 1)))
    return str(-(-amount.value // max(by.value, 1)))


def service_variables(pod: JsonObject, services: tuple[JsonObject, ...]) -> dict[str, str]:
    """The variables of the services that a pod may see: its namespace's, and always `kubernetes` of `default`.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kubelet_pods.go: getServiceEnvVarMap; pkg/kubelet/envvars/envvars.go
    """
    namespace = pod["metadata"].get("namespace", "")
    links = pod["spec"].get("enableServiceLinks", True)
    shown: dict[str, JsonObject] = {}
    for service in services:
        meta, ip = service["metadata"], dig(service, "spec", "clusterIP")
        if not ip or ip == "None":
            continue
        if meta.get("namespace") == "default" and meta["name"] == "kubernetes":
            shown.setdefault("kubernetes", service)
        elif links and meta.get("namespace") == namespace:
            shown[meta["name"]] = service
    out: dict[str, str] = {}
    for name in sorted(shown):
        out.update(_variables_of(name, shown[name]))
    return out


def _variables_of(name: str, service: JsonObject) -> dict[str, str]:
    word = name.upper().replace("-", "_")
    ip, ports = service["spec"]["clusterIP"], service["spec"].get("ports") or []
    host = f"[{ip}]" if ":" in ip else ip
    out = {f"{word}_SERVICE_HOST": ip}
    if ports:
        out[f"{word}_SERVICE_PORT"] = str(ports[0]["port"])
    for port in ports:
        if port.get("name"):
            out[f"{word}_SERVICE_PORT_{port['name'].upper().replace('-', '_')}"] = str(port["port"])
    for i, port in enumerate(ports):
        protocol = port.get("protocol") or "TCP"
        url = f"{protocol.lower()}://{host}:{port['port']}"
        if i == 0:
            out[f"{word}_PORT"] = url
        prefix = f"{word}_PORT_{port['port']}_{protocol.upper()}"
        out |= {
            prefix: url,
            f"{prefix}_PROTO": protocol.lower(),
            f"{prefix}_PORT": str(port["port"]),
            f"{prefix}_ADDR": ip,
        }
    return out
