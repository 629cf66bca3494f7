"""The catalogue of faults, and how a line of text names one: `node-silent node2 for=2m`, `api-error status=503 rate=0.2`.

What each does to a cluster is `assembly/fault_injector.py`'s; docs/faults.md is written from this table by `tools/write_faults.py`.
"""

from __future__ import annotations

import difflib
import shlex
from datetime import timedelta
from typing import Literal, NamedTuple

from lifepod.errors import LifepodError
from lifepod.simulation.durations import duration_of, shown

TargetKind = Literal["", "node", "pod", "container", "image", "namespace"]


class BadFault(LifepodError):
    """The text names no fault; `word` is the word that is wrong."""

    def __init__(self, message: str, word: str, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.message, self.word, self.hint = message, word, hint


class FaultKind(NamedTuple):
    """One kind of fault. `lasts` None: it happens at one moment; else how long it lasts unless `for=` says otherwise.

    `options` are the words it takes with their defaults; `weight`: how often it is drawn among random faults, 0 never.
    """

    name: str
    target: TargetKind
    lasts: timedelta | None
    options: tuple[tuple[str, str], ...]
    weight: int
    what: str
    seen: str


_REQUESTS = (("rate", "1"), ("verb", "*"), ("resource", "*"), ("who", "clients"))

CATALOGUE: tuple[FaultKind, ...] = (
    FaultKind(
        "api-error", "", timedelta(seconds=30), (("status", "503"), *_REQUESTS), 2,
        "The API server answers requests with an error: 429, 500, 503, 504 or any other status.",
        "A `Status` with that code; 429 and 503 carry `Retry-After: 1`. Nothing was carried out.",
    ),
    FaultKind(
        "api-conflict", "", timedelta(seconds=30), _REQUESTS, 2,
        "Updates and patches are answered 409 Conflict, as if somebody else had written first.",
        "`Operation cannot be fulfilled on …: the object has been modified; please apply your changes to the latest version and try again`.",
    ),
    FaultKind(
        "api-timeout", "", timedelta(seconds=30), _REQUESTS, 1,
        "Requests are carried out, but their answer is 504: the client cannot know whether they were.",
        "A `Status` with code 504 and reason Timeout; a create that is tried again gets 409 AlreadyExists.",
    ),
    FaultKind(
        "api-slow", "", timedelta(seconds=30), (("by", "1s"), *_REQUESTS), 0,
        "Answers to clients come late, in the client's own time (requests over HTTP only).",
        "Each answer takes that much longer; the client's own timeout may come first.",
    ),
    FaultKind(
        "api-drop", "", timedelta(seconds=30), _REQUESTS, 0,
        "The connection breaks before a request was carried out (requests over HTTP only).",
        "The connection ends without an answer; the client does not know what became of its request.",
    ),
    FaultKind(
        "watch-gone", "", None, (), 1,
        "The server's memory of changes is lost: every open watch ends, and one from an older revision is refused.",
        "An ERROR event with a `Status` of code 410, reason Expired; the client has to list again.",
    ),
    FaultKind(
        "quota", "namespace", timedelta(minutes=1), (), 1,
        "No more pods may be created in a namespace (`*`: in any).",
        "Creating a pod answers 403 `exceeded quota`; a ReplicaSet or Job gets a FailedCreate event and tries again.",
    ),
    FaultKind(
        "node-not-ready", "node", timedelta(minutes=2), (), 3,
        "The node says that it cannot run pods: its container runtime is down. What runs goes on running.",
        "Ready False, reason KubeletNotReady, and taint not-ready; its pods stay Ready and are evicted after 300 s.",
    ),
    FaultKind(
        "node-silent", "node", timedelta(minutes=2), (), 3,
        "The node is cut off: no status, no lease, no reaction. Its containers go on running.",
        "After 50 s Ready Unknown and taint unreachable; its pods not Ready, after 300 s deleted but Terminating until it speaks again.",
    ),
    FaultKind(
        "node-gone", "node", timedelta(minutes=5), (), 1,
        "The machine is gone for good and its Node object is deleted; after the time another joins under its name.",
        "The Node is DELETED, its pods are removed by pod GC within a minute; controllers make others elsewhere.",
    ),
    FaultKind(
        "node-restart", "node", None, (), 2,
        "The machine restarts: every sandbox and container on it is lost, the node's agent starts anew.",
        "Pods get a new sandbox and their containers restart (restartCount +1); the IP changes.",
    ),
    FaultKind(
        "memory-pressure", "node", timedelta(minutes=1), (("evict", "1"),), 2,
        "The node runs short of memory and evicts pods: the lowest priority first, then those that use more than they asked for.",
        "MemoryPressure True and its taint; the evicted pod is Failed, reason Evicted, with condition DisruptionTarget.",
    ),
    FaultKind(
        "disk-pressure", "node", timedelta(minutes=1), (("evict", "1"),), 2,
        "The node runs short of disk and evicts pods.",
        "DiskPressure True and its taint; the evicted pod is Failed, reason Evicted, `low on resource: ephemeral-storage`.",
    ),
    FaultKind(
        "clock-skew", "node", timedelta(minutes=5), (("by", "30s"),), 0,
        "The node's clock is ahead of the API server's (`by=-30s`: behind). Scheduled only, never random.",
        "startedAt, finishedAt and lease times lie that far off; ages and back-offs of the node go by its own clock.",
    ),
    FaultKind(
        "pod-deleted", "pod", None, (("grace", ""),), 4,
        "Somebody deletes a pod.",
        "deletionTimestamp, Terminating for its grace period, then DELETED; its controller makes another.",
    ),
    FaultKind(
        "preemption", "pod", None, (), 2,
        "The scheduler removes a pod to make room for a more important one.",
        "Condition DisruptionTarget, reason PreemptionByScheduler, event Preempted, and the pod is deleted.",
    ),
    FaultKind(
        "evicted", "pod", None, (), 2,
        "Somebody asks for the pod's eviction, as `kubectl drain` does.",
        "As a deletion; with a PodDisruptionBudget the asker may get 429.",
    ),
    FaultKind(
        "sandbox-lost", "pod", None, (), 3,
        "The pod's sandbox dies, and with it its network and all containers.",
        "Event SandboxChanged, a new IP, all containers restart.",
    ),
    FaultKind(
        "oom", "container", None, (), 4,
        "The kernel kills the container for want of memory.",
        "terminated, exitCode 137, reason OOMKilled; restarted by its policy.",
    ),
    FaultKind(
        "container-killed", "container", None, (("signal", "KILL"),), 4,
        "Somebody kills the container's process by a signal.",
        "terminated, exitCode 128 + the signal, reason Error; restarted by its policy.",
    ),
    FaultKind(
        "image-not-found", "image", timedelta(minutes=1), (), 2,
        "The registry does not know the image (name pattern, `*` for all).",
        "ErrImagePull `… not found`, then ImagePullBackOff; events Failed and BackOff.",
    ),
    FaultKind(
        "image-unauthorised", "image", timedelta(minutes=1), (), 1,
        "The registry refuses the pull.",
        "ErrImagePull `pull access denied, repository does not exist or may require authorization`, then ImagePullBackOff.",
    ),
    FaultKind(
        "registry-down", "image", timedelta(minutes=1), (), 2,
        "The registry does not answer.",
        "ErrImagePull `dial tcp …: connect: connection refused`, then ImagePullBackOff.",
    ),
    FaultKind(
        "pull-slow", "image", timedelta(minutes=1), (("by", "30s"),), 2,
        "Pulls take long; an image that was there has to be pulled anew.",
        "ContainerCreating for that long; event Pulled with the time it took.",
    ),
    FaultKind(
        "start-slow", "pod", timedelta(minutes=1), (("by", "10s"),), 2,
        "Containers take long to start.",
        "Waiting, ContainerCreating, for that much longer.",
    ),
    FaultKind(
        "probe-flap", "pod", timedelta(minutes=1), (("rate", "0.5"), ("probe", "*")), 2,
        "Probes fail now and then although the container is well.",
        "Ready flips; liveness failures in a row restart the container (event Unhealthy, Killing).",
    ),
)  # fmt: skip

BY_NAME = {kind.name: kind for kind in CATALOGUE}


class Fault(NamedTuple):
    """A fault as a line asks for it. `target` is a name or a pattern such as `web-*`; "" or `random`: one drawn by the seed."""

    kind: str
    target: str = ""
    options: tuple[tuple[str, str], ...] = ()
    lasts: timedelta | None = None

    def option(self, name: str) -> str:
        """What was given for an option, else its default."""
        given = dict(self.options)
        return given[name] if name in given else dict(BY_NAME[self.kind].options)[name]

    def duration(self, name: str) -> timedelta:
        """An option that is a length of time, negative with a minus."""
        text = self.option(name)
        found = duration_of(text.removeprefix("-"))
        assert found is not None, text
        return -found if text.startswith("-") else found

    def __str__(self) -> str:
        words = [self.kind, self.target, *(f"{name}={value}" for name, value in self.options)]
        if self.lasts is not None and self.lasts != BY_NAME[self.kind].lasts:
            words.append(f"for={shown(self.lasts)}")
        return " ".join(word for word in words if word)


class RandomFaults(NamedTuple):
    """Faults drawn by the seed: on average one every `every`, of these kinds (empty: all that have a weight)."""

    every: timedelta
    kinds: tuple[str, ...] = ()
    since: timedelta = timedelta(0)
    until: timedelta | None = None
    lasts: timedelta | None = None
    namespace: str = ""


def parse_fault(text: str) -> Fault:
    """The fault that a line of text names. Raises BadFault."""
    try:
        words = shlex.split(text)
    except ValueError as exc:
        raise BadFault(f"the quotes do not match: {exc}", text) from exc
    return fault_of(words)


def fault_of(words: list[str]) -> Fault:
    """The fault that the words of a line name. Raises BadFault."""
    if not words:
        raise BadFault("which fault?", "", f"One of: {', '.join(BY_NAME)}.")
    kind = BY_NAME.get(words[0])
    if kind is None:
        near = difflib.get_close_matches(words[0], BY_NAME, 1)
        raise BadFault(
            f'there is no fault "{words[0]}"', words[0], f'Did you mean "{near[0]}"?' if near else _known_faults()
        )
    target, options, lasts = "", [], kind.lasts
    for word in words[1:]:
        name, equals, value = word.partition("=")
        if not equals:
            if target or not kind.target:
                raise BadFault(f'"{word}" says nothing to {kind.name}', word, _words_of(kind))
            target = word
        elif name == "for":
            lasts = _lasts(kind, word, value)
        else:
            options.append(_option(kind, word, name, value))
    return Fault(kind.name, target, tuple(options), lasts)


def _lasts(kind: FaultKind, word: str, value: str) -> timedelta:
    if kind.lasts is None:
        raise BadFault(f"{kind.name} happens at one moment, it does not last", word, "Leave out for=.")
    found = duration_of(value)
    if found is None:
        raise BadFault(f'"{value}" is no length of time', word, "Write for=30s, for=5m or for=1h.")
    return found


def _option(kind: FaultKind, word: str, name: str, value: str) -> tuple[str, str]:
    if name not in dict(kind.options):
        raise BadFault(f'{kind.name} knows no "{name}="', word, _words_of(kind))
    if name == "by" and duration_of(value.removeprefix("-")) is None:
        raise BadFault(f'"{value}" is no length of time', word, "Write by=5s or by=500ms.")
    if name == "rate" and not _is_share(value):
        raise BadFault(f'"{value}" is no share of all', word, "Write a number from 0 to 1, such as rate=0.3.")
    if name in ("status", "evict", "grace") and not value.removesuffix("s").isdigit():
        raise BadFault(f'"{value}" is no whole number', word)
    if name == "who" and value not in ("clients", "parts", "all"):
        raise BadFault(f'"{value}" is nobody', word, "Write who=clients, who=parts (of the cluster itself) or who=all.")
    return name, value


def _is_share(value: str) -> bool:
    try:
        return 0 <= float(value) <= 1
    except ValueError:
        return False


def _words_of(kind: FaultKind) -> str:
    words = [f"{kind.target.upper()}"] if kind.target else []
    words += [f"{name}={default}" for name, default in kind.options]
    words += [f"for={shown(kind.lasts)}"] if kind.lasts is not None else []
    return f"It is written: {' '.join([kind.name, *words])}."


def _known_faults() -> str:
    return f"There are: {', '.join(BY_NAME)}."


def random_text(what: RandomFaults) -> str:
    """Random faults as one line."""
    words = [f"every={_exact(what.every)}", f"from={_exact(what.since)}"]
    words += [f"kinds={','.join(what.kinds)}"] if what.kinds else []
    words += [f"until={_exact(what.until)}"] if what.until is not None else []
    words += [f"for={_exact(what.lasts)}"] if what.lasts is not None else []
    words += [f"namespace={what.namespace}"] if what.namespace else []
    return "random " + " ".join(words)


def _exact(delta: timedelta) -> str:
    return f"{delta.total_seconds():.6f}s"


def random_faults_of(text: str) -> RandomFaults:
    """What `random_text` wrote, without its first word."""
    words = dict(word.partition("=")[::2] for word in text.split())
    every = duration_of(words["every"])
    assert every is not None
    return RandomFaults(
        every,
        tuple(words["kinds"].split(",")) if "kinds" in words else (),
        duration_of(words["from"]) or timedelta(0),
        duration_of(words["until"]) if "until" in words else None,
        duration_of(words["for"]) if "for" in words else None,
        words.get("namespace", ""),
    )
