"""Pod Security admission: what a namespace's labels ask of its pods, and how violations are told.

Source: k8s.io/pod-security-admission v0.34.4 api/helpers.go: PolicyToEvaluate; admission/admission.go: EvaluatePod,
        EvaluatePodsInNamespace, isSignificantPodUpdate
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from lifepod.api.field_errors import FieldError, invalid
from lifepod.api.objects import JsonObject, dig
from lifepod.api.pod_security_checks import LATEST_MINOR, Violation, violations

PREFIX: Final = "pod-security.kubernetes.io/"
MAX_PODS: Final = 3000
_LEVELS: Final = ("privileged", "baseline", "restricted")
_VERSION: Final = re.compile(r"v1\.([0-9]|[1-9][0-9]*)")


class Standard(NamedTuple):
    """A level of the standards in one version; `minor` None is the latest."""

    level: str = "privileged"
    minor: int | None = None

    def __str__(self) -> str:
        return f"{self.level}:{'latest' if self.minor is None else f'v1.{self.minor}'}"

    def violations(self, metadata: JsonObject, spec: JsonObject) -> tuple[Violation, ...]:
        """What a pod does that is forbidden here."""
        return violations(self.level, LATEST_MINOR if self.minor is None else self.minor, metadata, spec)


class Policy(NamedTuple):
    """What is refused and what is warned of. (Upstream's third mode only marks audit records.)"""

    enforce: Standard = Standard()
    warn: Standard = Standard()


def policy_of(labels: Mapping[str, str]) -> tuple[Policy, list[FieldError]]:
    """The policy that a namespace's labels name, and what is wrong with them; wrong ones enforce `restricted`, warn of nothing."""
    if not any(key.startswith(PREFIX) for key in labels):
        return Policy(), []
    errors: list[FieldError] = []
    enforce = _standard(labels, "enforce", "restricted", errors)
    _standard(labels, "audit", "privileged", errors)
    warn = _standard(labels, "warn", "privileged", errors)
    if f"{PREFIX}warn" not in labels and labels.get(f"{PREFIX}enforce") in _LEVELS[1:]:
        minor = warn.minor if f"{PREFIX}warn-version" in labels else enforce.minor
        warn = Standard(enforce.level, minor)
    return Policy(enforce, warn), errors


def _standard(labels: Mapping[str, str], mode: str, otherwise: str, errors: list[FieldError]) -> Standard:
    """`otherwise`: the level that stands for one that does not exist."""
    label = f"{PREFIX}{mode}"
    level = labels.get(label, "privileged")
    if level not in _LEVELS:
        errors.append(invalid(f"metadata.labels[{label}]", level, f"must be one of {', '.join(_LEVELS)}"))
        level = otherwise
    version = labels.get(f"{label}-version", "latest")
    found = _VERSION.fullmatch(version)
    if found is None and version != "latest":
        errors.append(invalid(f"metadata.labels[{label}-version]", version, 'must be "latest" or "v1.x"'))
    return Standard(level, int(found[1]) if found is not None else None)


def refusal_of(policy: Policy, metadata: JsonObject, spec: JsonObject) -> str:
    """Why a pod may not be here; "" when it may."""
    found = policy.enforce.violations(metadata, spec)
    return f'violates PodSecurity "{policy.enforce}": {_told(found)}' if found else ""


def warning_of(policy: Policy, metadata: JsonObject, spec: JsonObject) -> str:
    """What the author of a pod or of a template is warned of; "" for nothing."""
    found = policy.warn.violations(metadata, spec)
    return f'would violate PodSecurity "{policy.warn}": {_told(found)}' if found else ""


def _told(found: Iterable[Violation]) -> str:
    return ", ".join(f"{each.reason} ({each.detail})" if each.detail else each.reason for each in found)


def is_significant(pod: JsonObject, old: JsonObject) -> bool:
    """Whether a change of a pod can change what is forbidden to it: another image, another container."""
    return any(_images(pod, each) != _images(old, each) for each in ("containers", "initContainers")) or bool(
        set(_images(pod, "ephemeralContainers")) - set(_images(old, "ephemeralContainers"))
    )


def _images(pod: JsonObject, member: str) -> list[tuple[str, str]]:
    return [(c.get("name", ""), c.get("image", "")) for c in dig(pod, "spec", member) or ()]


def template_of(kind: str, obj: JsonObject) -> JsonObject | None:
    """The pod template in an object that makes pods."""
    match kind:
        case "PodTemplate":
            found = obj.get("template")
        case "CronJob":
            found = dig(obj, "spec", "jobTemplate", "spec", "template")
        case "ReplicationController" | "ReplicaSet" | "Deployment" | "StatefulSet" | "DaemonSet" | "Job":
            found = dig(obj, "spec", "template")
        case _:
            return None
    return found if isinstance(found, dict) else None


def is_stricter(new: Standard, old: Standard) -> bool:
    """Whether a namespace's pods must be looked at again."""
    if new == old or new.level == "privileged":
        return False
    return new.minor != old.minor or _LEVELS.index(new.level) > _LEVELS.index(old.level)


def warnings_of_present(namespace: str, standard: Standard, pods: Iterable[JsonObject]) -> tuple[str, ...]:
    """What to say of the pods that are there already when their namespace becomes stricter."""
    names_by_reason: dict[str, list[str]] = {}
    for pod in pods:
        if found := standard.violations(pod["metadata"], pod.get("spec") or {}):
            names_by_reason.setdefault(", ".join(each.reason for each in found), []).append(pod["metadata"]["name"])
    if not names_by_reason:
        return ()
    lines = sorted(f"{_first_of(names)}: {reason}" for reason, names in names_by_reason.items())
    return (f'existing pods in namespace "{namespace}" violate the new PodSecurity enforce level "{standard}"', *lines)


def _first_of(names: list[str]) -> str:
    others = len(names) - 1
    if not others:
        return names[0]
    return f"{min(names)} (and {others} other {'pod' if others == 1 else 'pods'})"
