"""What the Pod Security Standards forbid a pod: one function per control, each with upstream's reason and detail.

`violations(level, minor, metadata, spec)` runs those of a level in the policy's version 1.`minor`, baseline's before restricted's.

Source: k8s.io/pod-security-admission v0.34.4 policy/check_*.go, policy/registry.go: populate
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

import orjson

from lifepod.api.objects import JsonObject, JsonValue, dig

LATEST_MINOR: Final = 34


class Violation(NamedTuple):
    """Why a pod is not allowed, in few words and in more."""

    reason: str
    detail: str


class Subject(NamedTuple):
    """The pod, and the version of the policy that it is held against."""

    metadata: JsonObject
    spec: JsonObject
    minor: int


def _containers(spec: JsonObject) -> list[JsonObject]:
    return [c for each in ("initContainers", "containers", "ephemeralContainers") for c in spec.get(each) or ()]


def _quoted(items: Iterable[str]) -> str:
    return ", ".join(f'"{item}"' for item in items)


def _plural(word: str, items: Sequence[object] | set[str]) -> str:
    return word if len(items) == 1 else f"{word}s"


def _named(names: Sequence[str]) -> str:
    return f"{_plural('container', names)} {_quoted(names)}"


def _uses(items: Sequence[str]) -> str:
    return "uses" if len(items) == 1 else "use"


class _Setters(NamedTuple):
    """Who sets a member of the security context to something bad: the pod, containers; and to what."""

    who: list[str]
    values: list[str]

    @property
    def text(self) -> str:
        return " and ".join(self.who)


def _bad_setters(spec: JsonObject, path: tuple[str, ...], is_bad: Callable[[JsonValue], bool]) -> _Setters:
    """`path` below `securityContext`; what is not set at all is not asked about."""
    found = dig(spec, "securityContext", *path)
    who, values = [], set()
    if found is not None and is_bad(found):
        who.append("pod")
        values.add(str(found))
    names = []
    for container in _containers(spec):
        found = dig(container, "securityContext", *path)
        if found is not None and is_bad(found):
            names.append(container["name"])
            values.add(str(found))
    if names:
        who.append(_named(names))
    return _Setters(who, sorted(values))


# ------------------------------------------------------------------------------------------------ baseline


def _app_armor(pod: Subject) -> Violation | None:
    bad = _bad_setters(pod.spec, ("appArmorProfile", "type"), lambda kind: kind not in ("RuntimeDefault", "Localhost"))
    prefix = "container.apparmor.security.beta.kubernetes.io/"
    noted = sorted(
        f"{key}={orjson.dumps(value).decode()}"
        for key, value in (pod.metadata.get("annotations") or {}).items()
        if key.startswith(prefix) and value and value != "runtime/default" and not value.startswith("localhost/")
    )
    who = [*bad.who, _plural("annotation", noted)] if noted else bad.who
    if not who:
        return None
    values = [*bad.values, *noted]
    detail = f"{' and '.join(who)} must not set AppArmor profile type to {_quoted(values)}"
    return Violation(_plural("forbidden AppArmor profile", values), detail)


_DEFAULT_CAPABILITIES: Final = frozenset(
    "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT".split()
)


def _added(pod: Subject, allowed: frozenset[str]) -> tuple[list[str], list[str]]:
    """The containers that add capabilities beyond the allowed, and which."""
    names, extra = [], set()
    for container in _containers(pod.spec):
        beyond = set(dig(container, "securityContext", "capabilities", "add") or ()) - allowed
        if beyond:
            names.append(container["name"])
            extra |= beyond
    return names, sorted(extra)


def _capabilities_baseline(pod: Subject) -> Violation | None:
    names, extra = _added(pod, _DEFAULT_CAPABILITIES)
    if not names:
        return None
    detail = f"{_named(names)} must not include {_quoted(extra)} in securityContext.capabilities.add"
    return Violation("non-default capabilities", detail)


def _host_namespaces(pod: Subject) -> Violation | None:
    shared = [f"{name}=true" for name in ("hostNetwork", "hostPID", "hostIPC") if pod.spec.get(name)]
    return Violation("host namespaces", ", ".join(shared)) if shared else None


def _host_path_volumes(pod: Subject) -> Violation | None:
    names = [volume["name"] for volume in pod.spec.get("volumes") or () if volume.get("hostPath") is not None]
    return Violation("hostPath volumes", f"{_plural('volume', names)} {_quoted(names)}") if names else None


def _host_ports(pod: Subject) -> Violation | None:
    names, ports = [], set()
    for container in _containers(pod.spec):
        found = {str(port["hostPort"]) for port in container.get("ports") or () if port.get("hostPort")}
        if found:
            names.append(container["name"])
            ports |= found
    if not names:
        return None
    return Violation(
        "hostPort", f"{_named(names)} {_uses(names)} {_plural('hostPort', ports)} {', '.join(sorted(ports))}"
    )


def _hosts_of(container: JsonObject) -> set[str]:
    handlers = [container.get(f"{probe}Probe") for probe in ("liveness", "readiness", "startup")]
    handlers += [dig(container, "lifecycle", hook) for hook in ("postStart", "preStop")]
    found = {dig(handler or {}, action, "host") for handler in handlers for action in ("httpGet", "tcpSocket")}
    return {host for host in found if host}


def _host_probes(pod: Subject) -> Violation | None:
    by_container = {c["name"]: found for c in _containers(pod.spec) if (found := _hosts_of(c))}
    if not by_container or pod.minor < 34:
        return None
    names, hosts = sorted(by_container), sorted({host for found in by_container.values() for host in found})
    what = _plural("probe or lifecycle host", hosts)
    return Violation("probe or lifecycle host", f"{_named(names)} {_uses(names)} {what} {_quoted(hosts)}")


def _privileged(pod: Subject) -> Violation | None:
    names = [c["name"] for c in _containers(pod.spec) if dig(c, "securityContext", "privileged")]
    return Violation("privileged", f"{_named(names)} must not set securityContext.privileged=true") if names else None


def _proc_mount(pod: Subject) -> Violation | None:
    found = {c["name"]: dig(c, "securityContext", "procMount") for c in _containers(pod.spec)}
    bad = {name: kind for name, kind in found.items() if kind not in (None, "Default")}
    if not bad:
        return None
    kinds = _quoted(sorted(set(bad.values())))
    return Violation("procMount", f"{_named(list(bad))} must not set securityContext.procMount to {kinds}")


_SELINUX_TYPES: Final = ("", "container_t", "container_init_t", "container_kvm_t")


def _selinux(pod: Subject) -> Violation | None:
    allowed = (*_SELINUX_TYPES, "container_engine_t") if pod.minor >= 31 else _SELINUX_TYPES
    types: set[str] = set()
    others: set[str] = set()

    def is_bad(options: JsonValue) -> bool:
        given = options if isinstance(options, dict) else {}
        named = {name for name in ("user", "role") if given.get(name)}
        others.update(named)
        if (kind := str(given.get("type") or "")) not in allowed:
            types.add(kind)
            return True
        return bool(named)

    bad = _bad_setters(pod.spec, ("seLinuxOptions",), is_bad)
    if not bad.who:
        return None
    data = [f"{_plural('type', types)} {_quoted(sorted(types))}"] if types else []
    data += [f"{name} may not be set" for name in ("user", "role") if name in others]
    return Violation("seLinuxOptions", f"{bad.text} set forbidden securityContext.seLinuxOptions: {'; '.join(data)}")


def _is_bad_seccomp(kind: JsonValue) -> bool:
    return kind not in ("RuntimeDefault", "Localhost")


def _seccomp_baseline(pod: Subject) -> Violation | None:
    if pod.minor < 19:
        return _seccomp_annotations(pod)
    bad = _bad_setters(pod.spec, ("seccompProfile", "type"), _is_bad_seccomp)
    if not bad.who:
        return None
    return Violation(
        "seccompProfile", f"{bad.text} must not set securityContext.seccompProfile.type to {_quoted(bad.values)}"
    )


def _seccomp_annotations(pod: Subject) -> Violation | None:
    prefix = "container.seccomp.security.alpha.kubernetes.io/"
    keys = ["seccomp.security.alpha.kubernetes.io/pod", *(prefix + c["name"] for c in _containers(pod.spec))]
    annotations = pod.metadata.get("annotations") or {}
    bad = sorted(
        f"{key}={orjson.dumps(annotations[key]).decode()}"
        for key in keys
        if key in annotations
        and annotations[key] not in ("runtime/default", "docker/default")
        and not annotations[key].startswith("localhost/")
    )
    return Violation("seccompProfile", f"forbidden {_plural('annotation', bad)} {', '.join(bad)}") if bad else None


_SAFE_SYSCTLS: Final = (
    (0, "kernel.shm_rmid_forced net.ipv4.ip_local_port_range net.ipv4.tcp_syncookies net.ipv4.ping_group_range"),
    (0, "net.ipv4.ip_unprivileged_port_start"),
    (27, "net.ipv4.ip_local_reserved_ports"),
    (29, "net.ipv4.tcp_keepalive_time net.ipv4.tcp_fin_timeout net.ipv4.tcp_keepalive_intvl net.ipv4.tcp_keepalive_probes"),
    (32, "net.ipv4.tcp_rmem net.ipv4.tcp_wmem"),
)  # fmt: skip


def _sysctls(pod: Subject) -> Violation | None:
    safe = {name for since, names in _SAFE_SYSCTLS if pod.minor >= since for name in names.split()}
    bad = [each["name"] for each in dig(pod.spec, "securityContext", "sysctls") or () if each["name"] not in safe]
    return Violation("forbidden sysctls", ", ".join(bad)) if bad else None


def _windows_host_process(pod: Subject) -> Violation | None:
    bad = _bad_setters(pod.spec, ("windowsOptions", "hostProcess"), bool)
    if not bad.who:
        return None
    return Violation("hostProcess", f"{bad.text} must not set securityContext.windowsOptions.hostProcess=true")


# ------------------------------------------------------------------------------------------------ restricted


def _is_windows(pod: Subject) -> bool:
    return pod.minor >= 25 and dig(pod.spec, "os", "name") == "windows"


def _privilege_escalation(pod: Subject) -> Violation | None:
    if pod.minor < 8 or _is_windows(pod):
        return None
    names = [
        c["name"] for c in _containers(pod.spec) if dig(c, "securityContext", "allowPrivilegeEscalation") is not False
    ]
    if not names:
        return None
    detail = f"{_named(names)} must set securityContext.allowPrivilegeEscalation=false"
    return Violation("allowPrivilegeEscalation != false", detail)


def _capabilities_restricted(pod: Subject) -> Violation | None:
    if _is_windows(pod):
        return None
    keeping = [
        c["name"]
        for c in _containers(pod.spec)
        if "ALL" not in (dig(c, "securityContext", "capabilities", "drop") or ())
    ]
    names, extra = _added(pod, frozenset(("NET_BIND_SERVICE",)))
    details = [f'{_named(keeping)} must set securityContext.capabilities.drop=["ALL"]'] if keeping else []
    if names:
        details.append(f"{_named(names)} must not include {_quoted(extra)} in securityContext.capabilities.add")
    return Violation("unrestricted capabilities", "; ".join(details)) if details else None


_FREE_VOLUMES: Final = frozenset(
    (
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    )
)


def _restricted_volumes(pod: Subject) -> Violation | None:
    names, kinds = [], set()
    for volume in pod.spec.get("volumes") or ():
        given = {key for key, source in volume.items() if key != "name" and source is not None}
        if not given & _FREE_VOLUMES:
            names.append(volume["name"])
            kinds |= given or {"unknown"}
    if not names:
        return None
    types = f"{_plural('restricted volume type', kinds)} {_quoted(sorted(kinds))}"
    return Violation("restricted volume types", f"{_plural('volume', names)} {_quoted(names)} {_uses(names)} {types}")


def _without(spec: JsonObject, path: tuple[str, ...], pod_is_good: bool) -> list[str]:
    """The containers that leave it to the pod, which does not set it either."""
    if pod_is_good:
        return []
    return [c["name"] for c in _containers(spec) if dig(c, "securityContext", *path) is None]


def _run_as_non_root(pod: Subject) -> Violation | None:
    reason, path = "runAsNonRoot != true", ("runAsNonRoot",)
    bad = _bad_setters(pod.spec, path, lambda value: value is False)
    if bad.who:
        return Violation(reason, f"{bad.text} must not set securityContext.runAsNonRoot=false")
    names = _without(pod.spec, path, bool(dig(pod.spec, "securityContext", *path)))
    return Violation(reason, f"pod or {_named(names)} must set securityContext.runAsNonRoot=true") if names else None


def _run_as_user(pod: Subject) -> Violation | None:
    bad = _bad_setters(pod.spec, ("runAsUser",), lambda user: user == 0)
    return Violation("runAsUser=0", f"{bad.text} must not set runAsUser=0") if bad.who and pod.minor >= 23 else None


def _seccomp_restricted(pod: Subject) -> Violation | None:
    if _is_windows(pod):
        return None
    path = ("seccompProfile", "type")
    if (bad := _seccomp_baseline(pod)) is not None:
        return bad
    names = _without(pod.spec, path, dig(pod.spec, "securityContext", *path) is not None)
    if not names:
        return None
    wanted = 'securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    return Violation("seccompProfile", f"pod or {_named(names)} must set {wanted}")


# ------------------------------------------------------------------------------------------------ levels

Check = Callable[[Subject], Violation | None]
_BASELINE: Final[tuple[Check, ...]] = (
    _app_armor, _capabilities_baseline, _host_namespaces, _host_path_volumes, _host_ports, _host_probes, _privileged,
    _proc_mount, _selinux, _seccomp_baseline, _sysctls, _windows_host_process,
)  # fmt: skip
_RESTRICTED: Final[tuple[tuple[Check, int, Check | None], ...]] = (
    (_privilege_escalation, 8, None),
    (_capabilities_restricted, 22, _capabilities_baseline),
    (_restricted_volumes, 0, _host_path_volumes),
    (_run_as_non_root, 0, None),
    (_run_as_user, 23, None),
    (_seccomp_restricted, 19, _seccomp_baseline),
)
"""Each with the version it came in, and the baseline's check that it stands for."""


def violations(level: str, minor: int, metadata: JsonObject, spec: JsonObject) -> tuple[Violation, ...]:
    """What a pod does that its level forbids; nothing is forbidden to `privileged`."""
    if level == "privileged":
        return ()
    pod = Subject(metadata, spec, min(minor, LATEST_MINOR))
    stricter = [
        (check, instead) for check, since, instead in _RESTRICTED if pod.minor >= since and level == "restricted"
    ]
    replaced = {instead for _, instead in stricter}
    checks = [*(check for check in _BASELINE if check not in replaced), *(check for check, _ in stricter)]
    return tuple(found for check in checks if (found := check(pod)) is not None)
