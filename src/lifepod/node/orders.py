"""From what the core wants to what the runtime is told: an `Action` becomes an `Order` with everything resolved.

`order_for` answers an `Order`, or at once how the action ended when it cannot even be asked for. The environment is made in
`lifecycle/environment.py`, the volumes in `pod_volumes.py`.
"""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from lifepod.api.objects import JsonObject, dig
from lifepod.api.quantity import parse_quantity
from lifepod.lifecycle import vocabulary as v
from lifepod.lifecycle.environment import ConfigError, Lookups, container_of, environment_of, expanded, expanded_all
from lifepod.lifecycle.pod_files import NodeNames, hostname_of, hosts_file, resolv_conf
from lifepod.node.pod_volumes import MintToken, pod_volumes
from lifepod.node.reader import Reader
from lifepod.runtime import base as r

_REFERENCE = re.compile(r"\$\(([^)]*)\)")
_POD_LABELS = ("io.kubernetes.pod.name", "io.kubernetes.pod.namespace", "io.kubernetes.pod.uid")
Asked: TypeAlias = "r.Verb | v.Outcome"


class Setting(NamedTuple):
    """What of the node and the cluster goes into orders."""

    node: str
    host_ips: tuple[str, ...]
    reader: Reader
    mint: MintToken
    allocatable: Mapping[str, str]
    names: NodeNames


class Subject(NamedTuple):
    """The pod that an action is about, as the agent has it."""

    obj: JsonObject
    report: v.RuntimeReport


def order_for(action: v.Action, subject: Subject, setting: Setting) -> Asked:
    """The verb to perform, or how the action ended already."""
    match action:
        case v.MountVolumes():
            volumes, failed = pod_volumes(subject.obj, lookups_of(subject, setting), setting.reader, setting.mint)
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
            return r.PullImageOrder(image, pull_secrets(subject.obj, setting), container)
        case v.CreateContainer():
            config = container_config(action, subject, setting)
            if isinstance(config, ConfigError):
                return v.Failed("CreateContainerConfigError", config.message)
            return r.CreateContainerOrder(config)
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


def lookups_of(subject: Subject, setting: Setting) -> Lookups:
    """What the pod's references lead to at this moment."""
    namespace = subject.obj["metadata"].get("namespace", "")
    reader = setting.reader
    ready = next((s for s in subject.report.sandboxes if s.state == "ready"), None)
    ips = ready.ips if ready is not None else ()
    if ready is not None and ready.host_network:
        ips = setting.host_ips
    master = reader.get("services", "default", "kubernetes") if namespace != "default" else None
    return Lookups(
        lambda name: reader.get("configmaps", namespace, name),
        lambda name: reader.get("secrets", namespace, name),
        (*reader.list("services", namespace), *((master,) if master is not None else ())),
        setting.allocatable,
        setting.host_ips,
        ips,
    )


def missing_pull_secrets(pod: JsonObject, reader: Reader) -> tuple[str, ...]:
    """The pull secrets that the pod names and nobody has."""
    namespace = pod["metadata"].get("namespace", "")
    names = [reference["name"] for reference in pod["spec"].get("imagePullSecrets") or () if reference.get("name")]
    return tuple(name for name in names if reader.get("secrets", namespace, name) is None)


def pull_secrets(pod: JsonObject, setting: Setting) -> tuple[tuple[str, str], ...]:
    """(name, docker configuration) of the pod's pull secrets; those that are missing or of another form are left out.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kubelet_pods.go: getPullSecretsForPod;
            pkg/credentialprovider/secrets/secrets.go: MakeDockerKeyring
    """
    found = []
    for reference in pod["spec"].get("imagePullSecrets") or ():
        name = reference.get("name", "")
        secret = setting.reader.get("secrets", pod["metadata"].get("namespace", ""), name) or {}
        data = secret.get("data") or {}
        encoded = data.get(".dockerconfigjson") or data.get(".dockercfg")
        if encoded:
            with contextlib.suppress(ValueError):
                found.append((name, base64.b64decode(encoded).decode()))
    return tuple(found)


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
        hostname=hostname_of(pod, setting.names)[0],
        host_network=host_network,
        hosts=hosts_file(pod, setting.names),
        resolv_conf=resolv_conf(pod, setting.names),
        labels=tuple(sorted(labels.items())),
        annotations=tuple(sorted((metadata.get("annotations") or {}).items())),
        share_process_namespace=bool(spec.get("shareProcessNamespace")),
        host_pid=bool(spec.get("hostPID")),
        host_ipc=bool(spec.get("hostIPC")),
    )


# ------------------------------------------------------------------------------------------------ the container


def container_config(action: v.CreateContainer, subject: Subject, setting: Setting) -> r.ContainerConfig | ConfigError:
    """Everything that the runtime needs to create the container.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kuberuntime/kuberuntime_container.go: generateContainerConfig
    """
    pod = subject.obj
    spec = container_of(pod, action.container)
    env = environment_of(pod, spec, lookups_of(subject, setting))
    if isinstance(env, ConfigError):
        return env
    mounts = mounts_of(pod, spec, dict(env))
    if isinstance(mounts, ConfigError):
        return mounts
    target = spec.get("targetContainerName")
    if target and not any(seen.name == target for seen in subject.report.containers):
        return ConfigError(f"unable to find target container {target}")
    problem = why_not_as_root(pod, spec)
    if problem is not None:
        return problem
    metadata = pod["metadata"]
    return r.ContainerConfig(
        pod_namespace=metadata.get("namespace", ""),
        pod_name=metadata["name"],
        name=action.container,
        attempt=action.attempt,
        sandbox_id=action.sandbox_id,
        image=spec.get("image", ""),
        image_ref=action.image_ref,
        command=expanded_all(spec.get("command") or (), env),
        args=expanded_all(spec.get("args") or (), env),
        env=env,
        working_dir=spec.get("workingDir") or "",
        mounts=mounts,
        termination_message_path=spec.get("terminationMessagePath") or "/dev/termination-log",
        termination_message_policy=spec.get("terminationMessagePolicy") or "File",
        tty=bool(spec.get("tty")),
        stdin=bool(spec.get("stdin")),
        stdin_once=bool(spec.get("stdinOnce")),
        resources=resources_of(spec),
        security=security_config(pod, spec),
        annotations=tuple(sorted((metadata.get("annotations") or {}).items())),
    )


def mounts_of(pod: JsonObject, spec: JsonObject, env: Mapping[str, str]) -> tuple[r.Mount, ...] | ConfigError:
    """The volume mounts, subPathExpr expanded."""
    known = {volume["name"] for volume in pod["spec"].get("volumes") or ()}
    found = []
    for mount in spec.get("volumeMounts") or ():
        if mount["name"] not in known:
            return ConfigError(f'cannot find volume "{mount["name"]}" to mount into container "{spec["name"]}"')
        sub_path = mount.get("subPath") or ""
        if mount.get("subPathExpr"):
            problem = missing_variables(mount["subPathExpr"], env)
            if problem is not None:
                return problem
            sub_path = expanded(mount["subPathExpr"], env)
        found.append(r.Mount(mount["name"], mount["mountPath"], bool(mount.get("readOnly")), sub_path))
    return tuple(found)


def missing_variables(expression: str, env: Mapping[str, str]) -> ConfigError | None:
    """A subPathExpr may only name variables that have a value.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/container/helpers.go: ExpandContainerVolumeMounts
    """
    names = set(_REFERENCE.findall(expression.replace("$$", "")))
    missing = sorted(name for name in names if not env.get(name))
    return ConfigError(f"missing value for {', '.join(missing)}") if missing else None


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


def why_not_as_root(pod: JsonObject, spec: JsonObject) -> ConfigError | None:
    """What stands against the user when `runAsNonRoot` is asked for; the user of the image is the runtime's to judge.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/kuberuntime/security_context_others.go: verifyRunAsNonRoot
    """
    both = {**(pod["spec"].get("securityContext") or {}), **(spec.get("securityContext") or {})}
    user, metadata = both.get("runAsUser"), pod["metadata"]
    if not both.get("runAsNonRoot") or user != 0:
        return None
    of_pod = f"{metadata['name']}_{metadata.get('namespace', '')}({metadata.get('uid', '')})"
    where = f'(pod: "{of_pod}", container: {spec["name"]})'
    return ConfigError(f"container's runAsUser breaks non-root policy {where}")


def security_config(pod: JsonObject, spec: JsonObject) -> r.SecurityConfig:
    """Who the container runs as: its own wishes over the pod's.

    Source: k8s.io/kubernetes v1.34.4 pkg/securitycontext/util.go: DetermineEffectiveSecurityContext
    """
    of_pod, own = pod["spec"].get("securityContext") or {}, spec.get("securityContext") or {}
    both = {**of_pod, **own}
    groups = [*(of_pod.get("supplementalGroups") or ())]
    if of_pod.get("fsGroup") is not None:
        groups.append(of_pod["fsGroup"])
    capabilities = own.get("capabilities") or {}
    return r.SecurityConfig(
        run_as_user=both.get("runAsUser"),
        run_as_group=both.get("runAsGroup"),
        run_as_non_root=bool(both.get("runAsNonRoot")),
        supplemental_groups=tuple(groups),
        privileged=bool(own.get("privileged")),
        read_only_root=bool(own.get("readOnlyRootFilesystem")),
        add_capabilities=tuple(capabilities.get("add") or ()),
        drop_capabilities=tuple(capabilities.get("drop") or ()),
        seccomp_unconfined=(both.get("seccompProfile") or {}).get("type") == "Unconfined",
        allow_privilege_escalation=own.get("allowPrivilegeEscalation") is not False,
    )


# ------------------------------------------------------------------------------------------------ handlers


def _with_port(handler: v.Handler, pod: JsonObject, container: str) -> v.Handler:
    """A named port becomes its number."""
    if isinstance(handler, (v.HttpGetHandler, v.TcpHandler)) and isinstance(handler.port, str):
        for port in container_of(pod, container).get("ports") or ():
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
        values = {
            e["name"]: e.get("value") or ""
            for e in container_of(pod, container).get("env") or ()
            if not e.get("valueFrom")
        }
        return v.ExecHandler(tuple(expanded(word, values) for word in handler.command))
    return _with_port(handler, pod, container)


def _stop_signal(pod: JsonObject, container: str) -> str:
    signal = dig(container_of(pod, container), "lifecycle", "stopSignal") or "SIGTERM"
    return str(signal).removeprefix("SIG")
