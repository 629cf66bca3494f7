"""From a pod's JSON to the small values the rules work on: once per generation."""

from __future__ import annotations

from functools import lru_cache

from lifepod.api.objects import JsonObject, dig, parse_time
from lifepod.lifecycle.vocabulary import (
    ContainerKind,
    ContainerSpec,
    Deletion,
    ExecHandler,
    GrpcHandler,
    Handler,
    HttpGetHandler,
    MountShown,
    Pod,
    PodSpec,
    ProbeSpec,
    RestartRule,
    SleepHandler,
    TcpHandler,
)


def pod_key(obj: JsonObject) -> tuple[str, int]:
    """What the spec of a pod is known by: UID and generation. Equal keys mean an equal `Pod.spec`."""
    meta = obj["metadata"]
    return meta.get("uid", ""), meta.get("generation", 0)


def pod_from_json(obj: JsonObject, known: Pod | None = None) -> Pod:
    """The pod as the rules see it. `known`: an earlier value of the same pod, whose spec is taken over when nothing changed."""
    meta = obj["metadata"]
    uid, generation = pod_key(obj)
    if known is not None and known.uid == uid and known.generation == generation and generation:
        spec = known.spec
    else:
        spec = spec_from_json(obj["spec"])
    stamp = meta.get("deletionTimestamp")
    deletion = Deletion(parse_time(stamp), meta.get("deletionGracePeriodSeconds", 0) or 0) if stamp else None
    annotations = meta.get("annotations") or {}
    return Pod(
        namespace=meta.get("namespace", ""),
        name=meta["name"],
        uid=uid,
        generation=generation,
        spec=spec,
        deletion=deletion,
        status=obj.get("status") or {},
        finalizers=tuple(meta.get("finalizers") or ()),
        is_static=annotations.get("kubernetes.io/config.source", "api") != "api",
    )


def spec_from_json(spec: JsonObject) -> PodSpec:
    """The lifecycle's part of a pod's spec, defaults filled in."""
    grace = spec.get("terminationGracePeriodSeconds")
    return PodSpec(
        restart_policy=spec.get("restartPolicy") or "Always",
        containers=tuple(_container(c, "regular") for c in spec.get("containers") or ()),
        init_containers=tuple(
            _container(c, "sidecar" if c.get("restartPolicy") == "Always" else "init")
            for c in spec.get("initContainers") or ()
        ),
        ephemeral_containers=tuple(_container(c, "ephemeral") for c in spec.get("ephemeralContainers") or ()),
        termination_grace_period_seconds=30 if grace is None else grace,
        active_deadline_seconds=spec.get("activeDeadlineSeconds"),
        host_network=bool(spec.get("hostNetwork")),
        readiness_gates=tuple(g["conditionType"] for g in spec.get("readinessGates") or ()),
        volumes=tuple(v["name"] for v in spec.get("volumes") or ()),
        image_pull_secrets=tuple(s["name"] for s in spec.get("imagePullSecrets") or () if s.get("name")),
    )


def _container(c: JsonObject, kind: ContainerKind) -> ContainerSpec:
    return ContainerSpec(
        name=c["name"],
        kind=kind,
        image=c.get("image", ""),
        image_pull_policy=c.get("imagePullPolicy") or "IfNotPresent",
        restart_policy=c.get("restartPolicy"),
        restart_rules=tuple(_rule(r) for r in c.get("restartPolicyRules") or ()),
        startup_probe=_probe(c.get("startupProbe")),
        liveness_probe=_probe(c.get("livenessProbe")),
        readiness_probe=_probe(c.get("readinessProbe")),
        post_start=_handler(dig(c, "lifecycle", "postStart")),
        pre_stop=_handler(dig(c, "lifecycle", "preStop")),
        mounts=tuple(_mount(m) for m in c.get("volumeMounts") or ()),
        resources=c.get("resources") or {},
        ports=tuple((p["name"], p["containerPort"]) for p in c.get("ports") or () if p.get("name")),
    )


def _rule(r: JsonObject) -> RestartRule:
    codes = r.get("exitCodes") or {}
    return RestartRule(r.get("action", ""), codes.get("operator", "In"), tuple(codes.get("values") or ()))


def _mount(m: JsonObject) -> MountShown:
    """Only read-only mounts show whether they are so recursively."""
    read_only = bool(m.get("readOnly"))
    recursive = m.get("recursiveReadOnly") or "Disabled"
    shown = "Enabled" if recursive in ("Enabled", "IfPossible") else "Disabled"
    return MountShown(m["name"], m["mountPath"], read_only, shown if read_only else None)


def _probe(p: JsonObject | None) -> ProbeSpec | None:
    """A probe with upstream's defaults.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/v1/defaults.go: SetDefaults_Probe
    """
    handler = _handler(p)
    if p is None or handler is None:
        return None
    return ProbeSpec(
        handler=handler,
        initial_delay_seconds=p.get("initialDelaySeconds") or 0,
        timeout_seconds=p.get("timeoutSeconds") or 1,
        period_seconds=p.get("periodSeconds") or 10,
        success_threshold=p.get("successThreshold") or 1,
        failure_threshold=p.get("failureThreshold") or 3,
        termination_grace_period_seconds=p.get("terminationGracePeriodSeconds"),
    )


def _handler(h: JsonObject | None) -> Handler | None:
    if h is None:
        return None
    if (e := h.get("exec")) is not None:
        return ExecHandler(tuple(e.get("command") or ()))
    if (g := h.get("httpGet")) is not None:
        headers = tuple((x["name"], x.get("value", "")) for x in g.get("httpHeaders") or ())
        return HttpGetHandler(g["port"], g.get("path") or "/", g.get("scheme") or "HTTP", g.get("host") or "", headers)
    if (t := h.get("tcpSocket")) is not None:
        return TcpHandler(t["port"], t.get("host") or "")
    if (r := h.get("grpc")) is not None:
        return GrpcHandler(r["port"], r.get("service") or "")
    if (s := h.get("sleep")) is not None:
        return SleepHandler(s.get("seconds", 0))
    return None


def container_named(spec: PodSpec, name: str) -> ContainerSpec | None:
    """The container of that name, of whichever list."""
    for c in spec.containers:
        if c.name == name:
            return c
    for c in spec.init_containers + spec.ephemeral_containers:
        if c.name == name:
            return c
    return None


@lru_cache(maxsize=512)
def field_path(kind: ContainerKind, name: str) -> str:
    """involvedObject.fieldPath of an event about a container."""
    member = {
        "regular": "containers",
        "init": "initContainers",
        "sidecar": "initContainers",
        "ephemeral": "ephemeralContainers",
    }
    return f"spec.{member[kind]}{{{name}}}"
