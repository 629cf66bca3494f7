"""What a pod, a pod template and their containers mean when fields are left out.

Every function returns its argument itself when nothing was missing: defaulting runs on each write of a pod, of which
nearly all are of pods defaulted before.

Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/v1/defaults.go
"""

from __future__ import annotations

from collections.abc import Callable

from lifepod.api.defaults_volumes import default_volume
from lifepod.api.objects import JsonObject
from lifepod.api.pull_policy import default_pull_policy

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_PROBE_NUMBERS = (("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3))
_POD_SPEC = (
    ("dnsPolicy", "ClusterFirst"),
    ("restartPolicy", "Always"),
    ("schedulerName", "default-scheduler"),
)


def default_pod(pod: JsonObject) -> JsonObject:
    """A pod with every default filled in.

    Beyond what a template gets: limits stand in for requests that are missing, service links are on, and host ports
    equal container ports on the host network.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/v1/defaults.go: SetDefaults_Pod
    """
    given: JsonObject = pod.get("spec") or {}
    spec = default_pod_spec(given)
    changed: JsonObject = {}
    for name in ("containers", "initContainers"):
        containers = spec.get(name)
        if containers:
            filled = _each(containers, _requests_from_limits)
            if spec.get("hostNetwork"):
                filled = _each(filled, _host_ports)
            if filled is not containers:
                changed[name] = filled
    if spec.get("enableServiceLinks") is None:
        changed["enableServiceLinks"] = True
    resources = spec.get("resources")
    if resources is not None:
        filled_resources = _pod_requests(resources, spec)
        if filled_resources is not resources:
            changed["resources"] = filled_resources
    if not changed:
        return pod if spec is given else {**pod, "spec": spec}
    return {**pod, "spec": {**spec, **changed}}


def default_pod_template(template: JsonObject) -> JsonObject:
    """The pod template of a workload with the defaults that upstream gives templates too."""
    given: JsonObject = template.get("spec") or {}
    spec = default_pod_spec(given)
    if spec is given and "metadata" in template:
        return template
    return {**template, "metadata": template.get("metadata") or {}, "spec": spec}


def default_pod_spec(spec: JsonObject) -> JsonObject:
    """The defaults that a pod and a template share.

    `serviceAccount` is the old name of `serviceAccountName`: whichever is given fills the other.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/v1/defaults.go: SetDefaults_PodSpec
            k8s.io/kubernetes v1.34.4 pkg/apis/core/v1/conversion.go: Convert_core_PodSpec_To_v1_PodSpec
    """
    changed: JsonObject = {name: value for name, value in _POD_SPEC if not spec.get(name)}
    if spec.get("securityContext") is None:
        changed["securityContext"] = {}
    if spec.get("terminationGracePeriodSeconds") is None:
        changed["terminationGracePeriodSeconds"] = 30
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account and (spec.get("serviceAccountName") != account or spec.get("serviceAccount") != account):
        changed["serviceAccountName"] = changed["serviceAccount"] = account
    for name, default in _LISTS:
        held = spec.get(name)
        if held:
            filled = _each(held, default)
            if filled is not held:
                changed[name] = filled
    return {**spec, **changed} if changed else spec


def default_container(container: JsonObject) -> JsonObject:
    """Pull policy by the image's tag, where the termination message lies, empty resources, ports and probes.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/v1/defaults.go: SetDefaults_Container
    """
    changed: JsonObject = {}
    if not container.get("imagePullPolicy"):
        changed["imagePullPolicy"] = default_pull_policy(container.get("image") or "")
    if not container.get("terminationMessagePath"):
        changed["terminationMessagePath"] = "/dev/termination-log"
    if not container.get("terminationMessagePolicy"):
        changed["terminationMessagePolicy"] = "File"
    if container.get("resources") is None:
        changed["resources"] = {}
    for name, default in _CONTAINER_PARTS:
        held = container.get(name)
        if held is not None:
            filled = default(held)
            if filled is not held:
                changed[name] = filled
    for name in ("ports", "env"):
        entries = container.get(name)
        if entries:
            each = _each(entries, _default_port if name == "ports" else _default_env)
            if each is not entries:
                changed[name] = each
    return {**container, **changed} if changed else container


def default_probe(probe: JsonObject) -> JsonObject:
    """One second's patience, every ten seconds, up after one success and down after three failures.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/v1/defaults.go: SetDefaults_Probe
    """
    changed: JsonObject = {name: value for name, value in _PROBE_NUMBERS if not probe.get(name)}
    http = probe.get("httpGet")
    if http is not None:
        filled = _default_http_get(http)
        if filled is not http:
            changed["httpGet"] = filled
    grpc = probe.get("grpc")
    if grpc is not None and grpc.get("service") is None:
        changed["grpc"] = {**grpc, "service": ""}
    return {**probe, **changed} if changed else probe


def _default_http_get(action: JsonObject) -> JsonObject:
    missing: JsonObject = {}
    if not action.get("path"):
        missing["path"] = "/"
    if not action.get("scheme"):
        missing["scheme"] = "HTTP"
    return {**action, **missing} if missing else action


def _default_lifecycle(lifecycle: JsonObject) -> JsonObject:
    changed: JsonObject = {}
    for hook in ("postStart", "preStop"):
        handler: JsonObject = lifecycle.get(hook) or {}
        http = handler.get("httpGet")
        if http is not None:
            filled = _default_http_get(http)
            if filled is not http:
                changed[hook] = {**handler, "httpGet": filled}
    return {**lifecycle, **changed} if changed else lifecycle


def _default_port(port: JsonObject) -> JsonObject:
    return port if port.get("protocol") else {**port, "protocol": "TCP"}


def _default_env(variable: JsonObject) -> JsonObject:
    """A `fieldRef` without a version means v1; a `resourceFieldRef` without a divisor shows it as 0 (meaning 1)."""
    source = variable.get("valueFrom")
    if not source:
        return variable
    field = source.get("fieldRef")
    if field is not None and not field.get("apiVersion"):
        return {**variable, "valueFrom": {**source, "fieldRef": {**field, "apiVersion": "v1"}}}
    resource = source.get("resourceFieldRef")
    if resource is not None and resource.get("divisor") is None:
        return {**variable, "valueFrom": {**source, "resourceFieldRef": {**resource, "divisor": "0"}}}
    return variable


def _requests_from_limits(container: JsonObject) -> JsonObject:
    resources: JsonObject = container.get("resources") or {}
    limits = resources.get("limits")
    if not limits:
        return container
    requests = resources.get("requests") or {}
    missing = {name: amount for name, amount in limits.items() if name not in requests}
    return {**container, "resources": {**resources, "requests": {**requests, **missing}}} if missing else container


def _host_ports(container: JsonObject) -> JsonObject:
    ports = container.get("ports")
    if not ports:
        return container
    filled = _each(ports, _default_host_port)
    return container if filled is ports else {**container, "ports": filled}


def _default_host_port(port: JsonObject) -> JsonObject:
    return port if port.get("hostPort") else {**port, "hostPort": port.get("containerPort")}


def _pod_requests(resources: JsonObject, spec: JsonObject) -> JsonObject:
    """Pod-level requests that are missing: what the containers ask for together, else the pod-level limit.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/v1/defaults.go: defaultPodRequests
    """
    limits = resources.get("limits")
    if not limits:
        return resources
    from lifepod.api.pod_resources import pod_requests_of_containers

    requests = dict(resources.get("requests") or {})
    for name, amount in pod_requests_of_containers(spec).items():
        if name in ("cpu", "memory"):
            requests.setdefault(name, amount)
    for name, amount in limits.items():
        if name in ("cpu", "memory") or name.startswith("hugepages-"):
            requests.setdefault(name, amount)
    return resources if requests == resources.get("requests") else {**resources, "requests": requests}


def _each(items: list[JsonObject], default: Callable[[JsonObject], JsonObject]) -> list[JsonObject]:
    """The items defaulted; the same list when none changed."""
    filled = [default(item) for item in items]
    for before, after in zip(items, filled, strict=True):
        if before is not after:
            return filled
    return items


_CONTAINER_PARTS: tuple[tuple[str, Callable[[JsonObject], JsonObject]], ...] = (
    *((name, default_probe) for name in _PROBES),
    ("lifecycle", _default_lifecycle),
)
_LISTS: tuple[tuple[str, Callable[[JsonObject], JsonObject]], ...] = (
    ("containers", default_container),
    ("initContainers", default_container),
    ("ephemeralContainers", default_container),
    ("volumes", default_volume),
)
