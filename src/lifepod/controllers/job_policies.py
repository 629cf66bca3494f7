"""podFailurePolicy and successPolicy: which rule a failed pod matches, which rule the succeeded indexes meet.

Source: k8s.io/kubernetes v1.34.4 pkg/controller/job/pod_failure_policy.go, success_policy.go
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from lifepod.api.objects import JsonObject
from lifepod.controllers.job_indexes import parse_indexes
from lifepod.controllers.ownership import name_of, namespace_of
from lifepod.controllers.pod_facts import phase_of

Action = Literal["FailJob", "FailIndex", "Ignore", "Count"]


class Verdict(NamedTuple):
    """What the policy says of one failed pod: whether it counts, the action of the rule that matched, and why."""

    counts: bool = True
    action: str | None = None
    message: str = ""


def judge_failed_pod(job: JsonObject, pod: JsonObject) -> Verdict:
    """The first rule that matches decides; without one the failure counts."""
    policy = job["spec"].get("podFailurePolicy")
    if not policy:
        return Verdict()
    for number, rule in enumerate(policy.get("rules") or ()):
        action = rule.get("action")
        if rule.get("onExitCodes"):
            found = _matching_container(rule["onExitCodes"], pod)
            if found is not None:
                name, code = found
                why = f"Container {name} for pod {_title(pod)} failed with exit code {code} matching {action} rule at index {number}"
                return Verdict(action != "Ignore", action, why)
        elif rule.get("onPodConditions"):
            condition = _matching_condition(rule["onPodConditions"], pod)
            if condition is not None:
                why = f"Pod {_title(pod)} has condition {condition} matching {action} rule at index {number}"
                return Verdict(action != "Ignore", action, why)
    return Verdict()


def _title(pod: JsonObject) -> str:
    return f"{namespace_of(pod)}/{name_of(pod)}"


def _matching_container(rule: JsonObject, pod: JsonObject) -> tuple[str, int] | None:
    """Regular containers first, then init containers; exit code 0 never matches."""
    status = pod.get("status") or {}
    for member in ("containerStatuses", "initContainerStatuses"):
        for container in status.get(member) or ():
            if rule.get("containerName") and rule["containerName"] != container.get("name"):
                continue
            ended = (container.get("state") or {}).get("terminated")
            code = ended.get("exitCode", 0) if ended else 0
            if code and (code in (rule.get("values") or ())) is (rule.get("operator") == "In"):
                return container.get("name", ""), code
    return None


def _matching_condition(patterns: Iterable[JsonObject], pod: JsonObject) -> str | None:
    """The type of the first condition of the pod that one of the patterns means."""
    for condition in (pod.get("status") or {}).get("conditions") or ():
        for pattern in patterns:
            if condition.get("type") == pattern.get("type") and condition.get("status") == (
                pattern.get("status") or "True"
            ):
                return str(condition["type"])
    return None


def fail_job_message(job: JsonObject, pods: Iterable[JsonObject]) -> str | None:
    """Why the policy fails the whole Job, from the first pod that a FailJob rule matches; None if none does."""
    for pod in pods:
        if phase_of(pod) != "Failed":
            continue
        verdict = judge_failed_pod(job, pod)
        if verdict.action == "FailJob":
            return verdict.message
    return None


def success_rule_met(job: JsonObject, succeeded: frozenset[int]) -> str | None:
    """`Matched rules at index 0` for the first successPolicy rule that the succeeded indexes meet; None if none is."""
    policy = job["spec"].get("successPolicy")
    if not policy:
        return None
    completions = job["spec"].get("completions") or 0
    for number, rule in enumerate(policy.get("rules") or ()):
        wanted = rule.get("succeededIndexes")
        relevant = succeeded
        if wanted is not None:
            named = parse_indexes(wanted, completions)
            relevant = succeeded & named
            if rule.get("succeededCount") is None and relevant != named:
                continue
        if rule.get("succeededCount") is None or len(relevant) >= rule["succeededCount"]:
            return f"Matched rules at index {number}"
    return None
