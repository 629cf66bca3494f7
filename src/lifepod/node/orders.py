"""From what the core wants to what the runtime is told: an `Action` becomes an `Order` with everything resolved.

`order_for` answers an `Order`, or at once how the action ended when it cannot even be asked for. The environment is made in
`container_environment.py`, the volumes in `pod_volumes.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from lifepod.api.objects import JsonObject, dig
from lifepod.api.quantity import parse_quantity
from lifepod.lifecycle import vocabulary as v
from lifepod.node.container_environment import ConfigError, PodPlace, Reader, container_environment, expand
from lifepod.node.pod_volumes import MintToken, pod_volumes
from lifepod.runtime import base as r

_POD_LABELS = ("io.kubernetes.pod.name", "io.kubernetes.pod.namespace", "io.kubernetes.pod.uid")
Asked: TypeAlias = "r.Verb | v.Outcome"


class Setting(NamedTuple):
    """What of the node and the cluster goes into orders."""

    node: str
    host_ips: tuple[str, ...]
    reader: Reader
    mint: MintToken
    allocatable: Mapping[str, str]
    cluster_dns: str = "10.96.0.10"
    cluster_domain: str = "cluster.local"
    node_resolv_conf: str = ""


class Subject(NamedTuple):
    """The pod that an action is about, as the agent has it."""

    obj: JsonObject
    report: v.RuntimeReport


def order_for(action: v.Action, subject: Subject, setting: Setting) -> Asked:
    """The verb to perform, or how the action ended already."""
    match action:
        case v.MountVolumes():
            volumes, failed = pod_volumes(_place(subject, setting), setting.reader, setting.mint)
            return r.SetUpVolumes(volumes, failed)
        case v.CreateSandbox(_, attempt):
            return r.RunSandbox(sandbox_config(subject.obj, attempt, setting))
        case v.StopSandbox(_, sandbox_id):
            return r.StopSandboxOrder(sandbox_id)
        case v.RemoveSandbox(_, sandbox_id):
            return r.RemoveSandboxOrder(sandbox_id)
        case v.InspectImage(_, container, image):
            return r.InspectImageOrder(image, container)
        case v.PullImage(_, container, image):
            return r.PullImageOrder(image, container=container)
        case v.CreateContainer():
            try:
                return r.CreateContainerOrder(container_config(action, subject, setting))
            except ConfigError as exc:
                return v.Failed("CreateContainerConfigError", str(exc))
        case v.StartContainer(_, _, container_id):
            return r.StartContainerOrder(container_id)
        case v.RunHook(_, container, container_id, hook, handler):
            return r.HookOrder(container_id, hook, _with_port(handler, subject.obj, container))
        case v.RunProbe(_, container, container_id, probe, handler, timeout):
            return r.ProbeOrder(container_id, probe, _for_probe(handler, subject.obj, container), timeout)
        case v.StopContainer(_, container, container_id, grace):
            return r.StopContainerOrder(container_id, grace, _stop_signal(subject.obj, container))
        case v.RemoveContainer(_, _, container_id):
            return r.RemoveContainerOrder(container_id)
        case v.UnmountVolumes():
            return r.TearDownVolumes()
        case v.DeletePod():
            raise AssertionError("the agent deletes pods itself")


# ------------------------------------------------------------------------------------------------ the pod


def _place(subject: Subject, setting: Setting) -> PodPlace:
    ready = next((s for s in subject.report.sandboxes if s.state == "ready"), None)
    ips = ready.ips if ready is not None else ()
    if ready is not None and ready.host_network:
        ips = setting.host_ips
    return PodPlace(subject.obj, ips, setting.host_ips, setting.allocatable)


def sandbox_config(pod: JsonObject, attempt: int, setting: Setting) -> r.SandboxConfig:
    """The sandbox of a pod.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kuberuntime/kuberuntime_sandbox.go: generatePodSandboxConfig
    """
    metadata, spec = pod["metadata"], pod["spec"]
    host_network = bool(spec.get("hostNetwork"))
    identity = (metadata["name"], metadata.get("namespace", ""), metadata.get("uid", ""))
    labels = {**(metadata.get("labels") or {}), **dict(zip(_POD_LABELS, identity, strict=True))}
    return r.SandboxConfig(
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
        attempt=attempt,
        hostname=setting.node if host_network else hostname_of(pod),
        host_network=host_network,
        hosts=hosts_file(pod, setting),
        resolv_conf=resolv_conf(pod, setting),
        labels=tuple(sorted(labels.items())),
        annotations=tuple(sorted((metadata.get("annotations") or {}).items())),
        share_process_namespace=bool(spec.get("shareProcessNamespace")),
        host_pid=bool(spec.get("hostPID")),
        host_ipc=bool(spec.get("hostIPC")),
    )


def hostname_of(pod: JsonObject) -> str:
    """The pod's host name, at most 63 characters (lifecycle.md §9.4)."""
    name = pod["spec"].get("hostname") or pod["metadata"]["name"]
    return str(name)[:63].rstrip("-.")


def hosts_file(pod: JsonObject, setting: Setting) -> str:
    """/etc/hosts; `%POD_IP%` stands for the pod's address.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kubelet_pods.go: managedHostsFileContent
    """
    lines = [
        "# Kubernetes-managed hosts file.",
        "127.0.0.1\tlocalhost",
        "::1\tlocalhost ip6-localhost ip6-loopback",
        "fe00::0\tip6-localnet",
        "fe00::0\tip6-mcastprefix",
        "fe00::1\tip6-allnodes",
        "fe00::2\tip6-allrouters",
    ]
    spec = pod["spec"]
    if not spec.get("hostNetwork"):
        name, subdomain = hostname_of(pod), spec.get("subdomain")
        domain = f"{subdomain}.{pod['metadata'].get('namespace', '')}.svc.{setting.cluster_domain}"
        lines.append(f"%POD_IP%\t{name}.{domain}\t{name}" if subdomain else f"%POD_IP%\t{name}")
    aliases = spec.get("hostAliases") or ()
    if aliases:
        lines += ["", "# Entries added by HostAliases."]
        lines += ["\t".join([a["ip"], *(a.get("hostnames") or ())]) for a in aliases]
    return "\n".join(lines) + "\n"


def resolv_conf(pod: JsonObject, setting: Setting) -> str:
    """/etc/resolv.conf by the pod's DNS policy.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/network/dns/dns.go: GetPodDNS, generateSearchesForDNSClusterFirst
    """
    spec = pod["spec"]
    policy = spec.get("dnsPolicy") or "ClusterFirst"
    cluster = policy == "ClusterFirstWithHostNet" or (policy == "ClusterFirst" and not spec.get("hostNetwork"))
    config = spec.get("dnsConfig") or {}
    servers, searches, options = [], [], []
    if cluster:
        domain = setting.cluster_domain
        servers = [setting.cluster_dns]
        searches = [f"{pod['metadata'].get('namespace', '')}.svc.{domain}", f"svc.{domain}", domain]
        options = ["ndots:5"]
    elif policy != "None":
        if not config:
            return setting.node_resolv_conf
    servers = list(dict.fromkeys([*servers, *(config.get("nameservers") or ())]))
    searches = list(dict.fromkeys([*searches, *(config.get("searches") or ())]))
    options = _merged_options(options, config.get("options") or ())
    lines = [f"search {' '.join(searches)}"] if searches else []
    lines += [f"nameserver {server}" for server in servers]
    lines += [f"options {' '.join(options)}"] if options else []
    return "\n".join(lines) + "\n"


def _merged_options(options: list[str], more: list[JsonObject] | tuple[JsonObject, ...]) -> list[str]:
    merged = dict(option.partition(":")[::2] for option in options)
    for option in more:
        merged[option["name"]] = option.get("value") or ""
    return [f"{name}:{value}" if value else name for name, value in merged.items()]


# ------------------------------------------------------------------------------------------------ the container


def spec_of(pod: JsonObject, container: str) -> JsonObject:
    """The container's part of the pod's spec."""
    spec = pod["spec"]
    for member in ("containers", "initContainers", "ephemeralContainers"):
        for each in spec.get(member) or ():
            if each["name"] == container:
                return dict(each)
    return {}


def container_config(action: v.CreateContainer, subject: Subject, setting: Setting) -> r.ContainerConfig:
    """Everything that the runtime needs to create the container. Raises ConfigError.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kuberuntime/kuberuntime_container.go: generateContainerConfig
    """
    pod = subject.obj
    spec, place = spec_of(pod, action.container), _place(subject, setting)
    env = container_environment(spec, place, setting.reader)
    security = security_config(pod, spec)
    metadata = pod["metadata"]
    return r.ContainerConfig(
        pod_namespace=metadata.get("namespace", ""),
        pod_name=metadata["name"],
        name=action.container,
        attempt=action.attempt,
        sandbox_id=action.sandbox_id,
        image=spec.get("image", ""),
        image_ref=action.image_ref,
        command=tuple(expand(word, env) for word in spec.get("command") or ()),
        args=tuple(expand(word, env) for word in spec.get("args") or ()),
        env=tuple(env.items()),
        working_dir=spec.get("workingDir") or "",
        mounts=mounts_of(pod, spec, env),
        termination_message_path=spec.get("terminationMessagePath") or "/dev/termination-log",
        termination_message_policy=spec.get("terminationMessagePolicy") or "File",
        tty=bool(spec.get("tty")),
        stdin=bool(spec.get("stdin")),
        stdin_once=bool(spec.get("stdinOnce")),
        resources=resources_of(spec),
        security=security,
        annotations=tuple(sorted((metadata.get("annotations") or {}).items())),
    )


def mounts_of(pod: JsonObject, spec: JsonObject, env: Mapping[str, str]) -> tuple[r.Mount, ...]:
    """The volume mounts, subPathExpr expanded. Raises ConfigError."""
    known = {volume["name"] for volume in pod["spec"].get("volumes") or ()}
    found = []
    for mount in spec.get("volumeMounts") or ():
        if mount["name"] not in known:
            raise ConfigError(f'cannot find volume "{mount["name"]}" to mount into container "{spec["name"]}"')
        sub_path = mount.get("subPath") or ""
        if mount.get("subPathExpr"):
            sub_path = expand(mount["subPathExpr"], env)
            if "$(" in sub_path:
                raise ConfigError(f"missing value for {sub_path.partition('$(')[2].partition(')')[0]}")
        found.append(r.Mount(mount["name"], mount["mountPath"], bool(mount.get("readOnly")), sub_path))
    return tuple(found)


def resources_of(spec: JsonObject) -> r.Resources:
    """Limits and requests in base units."""

    def amount(kind: str, name: str) -> int | None:
        text = dig(spec, "resources", kind, name)
        if text is None:
            return None
        quantity = parse_quantity(str(text))
        return quantity.milli if name == "cpu" else quantity.value

    return r.Resources(
        cpu_limit_millicores=amount("limits", "cpu"),
        memory_limit_bytes=amount("limits", "memory"),
        cpu_request_millicores=amount("requests", "cpu"),
        memory_request_bytes=amount("requests", "memory"),
    )


def security_config(pod: JsonObject, spec: JsonObject) -> r.SecurityConfig:
    """Who the container runs as: its own wishes over the pod's. Raises ConfigError.

    Source: k8s.io/kubernetes v1.34.4 pkg/securitycontext/util.go: DetermineEffectiveSecurityContext;
            pkg/kubelet/kuberuntime/security_context_others.go: verifyRunAsNonRoot
    """
    of_pod, own = pod["spec"].get("securityContext") or {}, spec.get("securityContext") or {}
    both = {**of_pod, **own}
    user, metadata = both.get("runAsUser"), pod["metadata"]
    if both.get("runAsNonRoot") and user in (0, None):
        where = f'(pod: "{metadata["name"]}_{metadata.get("namespace", "")}({metadata.get("uid", "")})", container: {spec["name"]})'
        if user == 0:
            raise ConfigError(f"container's runAsUser breaks non-root policy {where}")
        raise ConfigError(f"container has runAsNonRoot and image will run as root {where}")
    groups = [*(of_pod.get("supplementalGroups") or ())]
    if of_pod.get("fsGroup") is not None:
        groups.append(of_pod["fsGroup"])
    capabilities = own.get("capabilities") or {}
    return r.SecurityConfig(
        run_as_user=user,
        run_as_group=both.get("runAsGroup"),
        run_as_non_root=bool(both.get("runAsNonRoot")),
        supplemental_groups=tuple(groups),
        privileged=bool(own.get("privileged")),
        read_only_root=bool(own.get("readOnlyRootFilesystem")),
        add_capabilities=tuple(capabilities.get("add") or ()),
        drop_capabilities=tuple(capabilities.get("drop") or ()),
        allow_privilege_escalation=own.get("allowPrivilegeEscalation") is not False,
    )


# ------------------------------------------------------------------------------------------------ handlers


def _with_port(handler: v.Handler, pod: JsonObject, container: str) -> v.Handler:
    """A named port becomes its number."""
    if isinstance(handler, (v.HttpGetHandler, v.TcpHandler)) and isinstance(handler.port, str):
        for port in spec_of(pod, container).get("ports") or ():
            if port.get("name") == handler.port:
                return handler._replace(port=port["containerPort"])
        if handler.port.isdigit():
            return handler._replace(port=int(handler.port))
    return handler


def _for_probe(handler: v.Handler, pod: JsonObject, container: str) -> v.Handler:
    """Exec probes know the variables that the spec gives literally.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/prober/prober.go: runProbe;
            pkg/kubelet/container/helpers.go: ExpandContainerCommandOnlyStatic
    """
    if isinstance(handler, v.ExecHandler):
        if not any("$" in word for word in handler.command):
            return handler
        values = {e["name"]: e.get("value") or "" for e in spec_of(pod, container).get("env") or () if not e.get("valueFrom")}
        return v.ExecHandler(tuple(expand(word, values) for word in handler.command))
    return _with_port(handler, pod, container)


def _stop_signal(pod: JsonObject, container: str) -> str:
    signal = dig(spec_of(pod, container), "lifecycle", "stopSignal") or "SIGTERM"
    return str(signal).removeprefix("SIG")
