"""Objects in a scenario's short form: `pod web restartPolicy=Never`, `container app runs=1s exit=1`, as manifests.

A word `field=value` is a field of the object's spec; dots lead deeper (`securityContext.runAsUser=0`), the value is read as YAML.
A few words are shorter than the field they stand for: `grace=5s`, `deadline=1m`, `node=`, `priority=`, `label.app=web`.
What a container does is said in the words of `runtime/sim/script.py`; `then` begins the next attempt.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable
from functools import cache

from lifepod.api.objects import JsonObject, JsonValue
from lifepod.api.schema import Type, type_named
from lifepod.api.yaml_text import YamlError, read_documents
from lifepod.runtime.sim.script import ANNOTATION_PREFIX, BadScript, parse_script
from lifepod.simulation.durations import duration_of
from lifepod.simulation.scenario_lines import Line, Word

IMAGE = "busybox:1.36"
POD_SPEC, CONTAINER, SERVICE_SPEC = (f"io.k8s.api.core.v1.{name}" for name in ("PodSpec", "Container", "ServiceSpec"))
PRIORITY_CLASS = "io.k8s.api.scheduling.v1.PriorityClass"
BUDGET_SPEC = "io.k8s.api.policy.v1.PodDisruptionBudgetSpec"
_SCRIPT_WORDS = frozenset(
    "run runs exit oom ignore-term term-exit start-error pull slow ready-after alive-for log message then".split()
)
_PROBES = {"liveness": "livenessProbe", "readiness": "readinessProbe", "startup": "startupProbe"}
_PROBE_WORDS = {
    "period": "periodSeconds",
    "delay": "initialDelaySeconds",
    "timeout": "timeoutSeconds",
    "grace": "terminationGracePeriodSeconds",
    "failures": "failureThreshold",
    "successes": "successThreshold",
}
_CONTAINERS = ("container", "init", "sidecar")
_POD_WORDS = {
    "grace": "terminationGracePeriodSeconds",
    "deadline": "activeDeadlineSeconds",
    "node": "nodeName",
    "priority": "priorityClassName",
    "host-network": "hostNetwork",
}
_TEMPLATE_ONLY = ("restartPolicy", "grace", "node", "priority")
"""Words of a Job's or Deployment's line that are about its pods. All others of them are written `pod.<word>`."""


def object_of(line: Line) -> JsonObject:
    """The manifest that a line in short form stands for. Raises ScenarioError."""
    make = SHORT_FORMS[line.name]
    if len(line.words) < 2 or line.words[1].value is not None:
        raise line.wrong(f"{line.name} what?", f"Write its name: {line.name} web")
    return make(line)


def _pod(line: Line) -> JsonObject:
    obj = _object("v1", "Pod", line)
    annotations: dict[str, str] = {}
    spec = _pod_spec(line, [w for w in line.words[2:] if not _is_metadata(w)], annotations)
    return _with_annotations({**obj, "spec": spec}, annotations)


def _workload(api_version: str, kind: str) -> Callable[[Line], JsonObject]:
    def make(line: Line) -> JsonObject:
        obj = _object(api_version, kind, line)
        own, of_pods = _divided(line)
        annotations: dict[str, str] = {}
        spec = _pod_spec(line, of_pods, annotations)
        labels = {"app": line.words[1].text, **obj["metadata"].get("labels", {})}
        if kind == "Job":
            spec.setdefault("restartPolicy", "Never")
        template = _with_annotations({"metadata": {}, "spec": spec}, annotations)
        if kind != "Job":
            template["metadata"]["labels"] = labels
        whole = {"template": template, **({} if kind == "Job" else {"selector": {"matchLabels": labels}})}
        schema = f"io.k8s.api.{api_version.partition('/')[0]}.v1.{kind}Spec"
        for word in own:
            alias = {"deadline": "activeDeadlineSeconds", "ttl": "ttlSecondsAfterFinished"}.get(word.key)
            _set(whole, word, (alias or word.key).split("."), schema)
        return {**obj, "spec": whole}

    return make


def _divided(line: Line) -> tuple[list[Word], list[Word]]:
    own, of_pods = [], []
    for word in line.words[2:]:
        if word.key.startswith("pod."):
            of_pods.append(word._replace(key=word.key.removeprefix("pod.")))
        elif word.key in _TEMPLATE_ONLY:
            of_pods.append(word)
        elif not _is_metadata(word):
            own.append(word)
    return own, of_pods


def _is_metadata(word: Word) -> bool:
    return word.key == "namespace" or word.key.startswith(("label.", "annotation."))


def _object(api_version: str, kind: str, line: Line, namespaced: bool = True) -> JsonObject:
    metadata: JsonObject = {"name": line.words[1].text}
    if namespaced:
        metadata["namespace"] = "default"
    for word in line.words[2:]:
        member, _, name = word.key.partition(".")
        if word.key == "namespace":
            metadata["namespace"] = word.value
        elif member in ("label", "annotation") and name:
            metadata[f"{member}s"] = {**metadata.get(f"{member}s", {}), name: word.value or ""}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def _with_annotations(obj: JsonObject, annotations: dict[str, str]) -> JsonObject:
    if not annotations:
        return obj
    metadata = obj["metadata"]
    return {**obj, "metadata": {**metadata, "annotations": {**metadata.get("annotations", {}), **annotations}}}


# ------------------------------------------------------------------------------------------------ pods


def _pod_spec(line: Line, words: list[Word], annotations: dict[str, str]) -> JsonObject:
    spec: JsonObject = {}
    for word in words:
        _set(spec, word, (_POD_WORDS.get(word.key) or word.key).split("."), POD_SPEC)
    for each in line.below:
        if each.name not in _CONTAINERS:
            raise each.words[0].wrong(
                f'"{each.name}" is nothing that a pod has', f"Below a pod stand: {', '.join(_CONTAINERS)}."
            )
        if len(each.words) < 2:
            raise each.wrong(f"{each.name} what?", f"Write its name: {each.name} app")
        container = _container(each, annotations)
        if each.name == "sidecar":
            container["restartPolicy"] = "Always"
        member = "containers" if each.name == "container" else "initContainers"
        spec[member] = [*spec.get(member, []), container]
    if "containers" not in spec:
        raise line.wrong("this pod has no container", "Write one below it, indented:   container app runs=1s exit=0")
    return spec


def _container(line: Line, annotations: dict[str, str]) -> JsonObject:
    name = line.words[1].text
    container: JsonObject = {"name": name, "image": IMAGE}
    script: list[str] = []
    for word in line.words[2:]:
        if word.key in _SCRIPT_WORDS:
            script.append(_script_word(word))
        else:
            _set_in_container(container, word)
    if script:
        annotations[ANNOTATION_PREFIX + name] = script_text(script, line)
    for below in line.below:
        _below_container(container, below)
    return container


def _script_word(word: Word) -> str:
    if word.key == "then":
        return ";"
    key = "run" if word.key == "runs" else word.key
    return key if word.value is None else f"{key}={shlex.quote(word.value)}"


def script_text(words: list[str], line: Line) -> str:
    """The words of a script as its annotation. Raises ScenarioError when they make none."""
    text = " ".join(words).replace(" ;", ";")
    try:
        parse_script(text)
    except BadScript as exc:
        raise line.wrong(str(exc), "The words are listed in docs/scenarios.md.") from exc
    return text


def _set_in_container(container: JsonObject, word: Word) -> None:
    value = word.value or ""
    match word.key.partition("."):
        case ("command" | "args", "", ""):
            container[word.key] = shlex.split(value)
        case ("cpu" | "memory", "", ""):
            resources = container.setdefault("resources", {})
            resources.setdefault("requests", {})[word.key] = value
        case ("cpu-limit" | "memory-limit", "", ""):
            resources = container.setdefault("resources", {})
            resources.setdefault("limits", {})[word.key.removesuffix("-limit")] = value
        case ("env", ".", name):
            container.setdefault("env", []).append({"name": name, "value": value})
        case ("port", "", ""):
            container.setdefault("ports", []).append({"containerPort": _whole(word)})
        case _:
            _set(container, word, word.key.split("."), CONTAINER)


def _below_container(container: JsonObject, line: Line) -> None:
    if line.name in _PROBES:
        container[_PROBES[line.name]] = _probe(line)
    elif line.name in ("postStart", "preStop"):
        container.setdefault("lifecycle", {})[line.name] = _handler(line.words[1:], line)
    else:
        known = ", ".join([*_PROBES, "postStart", "preStop"])
        raise line.words[0].wrong(f'"{line.name}" is nothing that a container has', f"Below one stand: {known}.")


def _probe(line: Line) -> JsonObject:
    probe: JsonObject = {}
    handler: list[Word] = []
    for word in line.words[1:]:
        field = _PROBE_WORDS.get(word.key)
        if field is None:
            handler.append(word)
        elif field.endswith("Seconds"):
            probe[field] = _seconds(word)
        else:
            probe[field] = _whole(word)
    return {**(_handler(handler, line) if handler else {"exec": {"command": ["true"]}}), **probe}


def _handler(words: tuple[Word, ...] | list[Word], line: Line) -> JsonObject:
    if len(words) != 1:
        raise line.wrong(f"{line.name} does one thing", 'Write exec="…", http=8080/path, tcp=80 or sleep=3s.')
    word = words[0]
    value = word.value or ""
    match word.key:
        case "exec":
            return {"exec": {"command": shlex.split(value)}}
        case "http":
            port, slash, path = value.partition("/")
            return {"httpGet": {"port": _port(port), "path": slash + path or "/"}}
        case "tcp":
            return {"tcpSocket": {"port": _port(value)}}
        case "grpc":
            return {"grpc": {"port": _port(value)}}
        case "sleep" if line.name in ("preStop", "postStart"):
            return {"sleep": {"seconds": _seconds(word)}}
    raise word.wrong(f'"{word.text}" is nothing that {line.name} can do', 'Write exec="…", http=8080/path or tcp=80.')


def _port(text: str) -> JsonValue:
    return int(text) if text.isdigit() else text


# ------------------------------------------------------------------------------------------------ other objects


def _service(line: Line) -> JsonObject:
    obj = _object("v1", "Service", line)
    spec: JsonObject = {}
    for word in line.words[2:]:
        if word.key == "port":
            port, _, target = (word.value or "").partition(":")
            spec["ports"] = [{"port": _port(port), **({"targetPort": _port(target)} if target else {})}]
        elif word.key == "headless":
            spec["clusterIP"] = "None"
        elif word.key.startswith("selector."):
            spec["selector"] = {**spec.get("selector", {}), word.key.removeprefix("selector."): word.value}
        elif not _is_metadata(word):
            _set(spec, word, word.key.split("."), SERVICE_SPEC)
    return {**obj, "spec": {"ports": [{"port": 80}], **spec}}


def _namespace(line: Line) -> JsonObject:
    return _object("v1", "Namespace", line, namespaced=False)


def _config_map(line: Line) -> JsonObject:
    data = {w.key: w.value or "" for w in line.words[2:] if not _is_metadata(w)}
    return {**_object("v1", "ConfigMap", line), "data": data}


def _priority_class(line: Line) -> JsonObject:
    obj: JsonObject = _object("scheduling.k8s.io/v1", "PriorityClass", line, namespaced=False)
    for word in line.words[2:]:
        _set(obj, word, word.key.split("."), PRIORITY_CLASS)
    return obj


def _budget(line: Line) -> JsonObject:
    obj = _object("policy/v1", "PodDisruptionBudget", line)
    spec: JsonObject = {}
    for word in line.words[2:]:
        if word.key.startswith("selector."):
            labels = spec.setdefault("selector", {}).setdefault("matchLabels", {})
            labels[word.key.removeprefix("selector.")] = word.value
        elif not _is_metadata(word):
            _set(spec, word, word.key.split("."), BUDGET_SPEC)
    return {**obj, "spec": spec}


SHORT_FORMS: dict[str, Callable[[Line], JsonObject]] = {
    "pod": _pod,
    "job": _workload("batch/v1", "Job"),
    "deployment": _workload("apps/v1", "Deployment"),
    "replicaset": _workload("apps/v1", "ReplicaSet"),
    "service": _service,
    "namespace": _namespace,
    "configmap": _config_map,
    "priorityclass": _priority_class,
    "budget": _budget,
}


# ------------------------------------------------------------------------------------------------ fields


def _set(target: JsonObject, word: Word, path: list[str], schema: str) -> None:
    """Put a word's value at its field, which must exist in the schema."""
    if word.value is None:
        raise word.wrong(f'what is "{word.key}"?', f"Write {word.key}=<value>.")
    _check_field(word, path, schema)
    value = _value(word)
    if "Seconds" in path[-1] and isinstance(value, str):
        value = _seconds(word)
    at = target
    for step in path[:-1]:
        at = at.setdefault(step, {})
    at[path[-1]] = value


def _value(word: Word) -> JsonValue:
    assert word.value is not None
    try:
        return read_documents(word.value.encode())[0].value
    except (YamlError, IndexError) as exc:
        raise word.wrong(f'"{word.value}" cannot be read: {exc}') from exc


def _check_field(word: Word, path: list[str], schema: str) -> None:
    known = _fields_of(schema)
    if known and path[0] not in known:
        near = difflib.get_close_matches(path[0], known, 1)
        what = schema.rpartition(".")[2].removesuffix("Spec").lower()
        raise word.wrong(
            f'a {what} has no field "{path[0]}"', f'Did you mean "{near[0]}"?' if near else "See docs/scenarios.md."
        )


@cache
def _fields_of(schema: str) -> frozenset[str]:
    try:
        found: Type = type_named(schema)
    except KeyError:
        return frozenset()
    return frozenset(getattr(found, "fields", None) or ())


def _seconds(word: Word) -> int:
    found = duration_of(word.value or "") if not (word.value or "").isdigit() else None
    if found is not None and found.total_seconds() == int(found.total_seconds()):
        return int(found.total_seconds())
    if (word.value or "").isdigit():
        return int(word.value or "0")
    raise word.wrong(f'"{word.value}" is no whole number of seconds', f"Write {word.key}=30s.")


def _whole(word: Word) -> int:
    if not (word.value or "").isdigit():
        raise word.wrong(f'"{word.value}" is no whole number', f"Write {word.key}=3.")
    return int(word.value or "0")
