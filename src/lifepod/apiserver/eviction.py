"""POST of `pods/x/eviction`: a graceful deletion that asks the disruption budgets first.

Source: k8s.io/kubernetes v1.34.4 pkg/registry/core/pod/storage/eviction.go: EvictionREST.Create, checkAndDecrement
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lifepod.api.objects import JsonObject, dig, format_time, replaced
from lifepod.api.selectors import label_terms, labels_match
from lifepod.apiserver.delete import delete_stored
from lifepod.apiserver.delete_options import delete_options_of
from lifepod.apiserver.http_errors import bad_request, internal_error, refusal
from lifepod.apiserver.options import DeleteOptions, WriteOptions
from lifepod.apiserver.status_errors import conflict, not_found, success_created, too_many_requests
from lifepod.store import Selection

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api

BUDGETS = "poddisruptionbudgets.policy"
VIOLATES = "Cannot evict pod as it would violate the pod's disruption budget."
MAX_DISRUPTED_PODS = 2000


def evict(api: Api, namespace: str, name: str, eviction: JsonObject, options: WriteOptions) -> JsonObject:
    """Delete a pod gracefully if its disruption budget allows it. Raises 404, 429, 500."""
    kind = api.kinds.of("pods")
    given = (eviction.get("metadata") or {}).get("name")
    if given and given != name:
        raise bad_request("name in URL does not match name in Eviction object")
    pod = api.store.get("pods", namespace, name)
    if pod is None:
        raise not_found(kind, name)
    body = eviction.get("deleteOptions") or {}
    wanted = delete_options_of(body)
    if body.get("dryRun") == ["All"]:
        options = options._replace(dry_run=True)
    if not _is_free_to_go(pod):
        budget = _budget_of(api, namespace, pod)
        if budget is not None:
            if not _spared_as_unready(pod, budget):
                _take_from_budget(api, budget, name, options)
            elif wanted.resource_version is None:
                wanted = wanted._replace(resource_version=pod["metadata"]["resourceVersion"])
    _delete_evicted(api, pod, wanted, options)
    return success_created()


def _is_free_to_go(pod: JsonObject) -> bool:
    """Pods that have ended, are pending or are being deleted take nothing from a budget.

    Source: eviction.go: canIgnorePDB
    """
    phase = dig(pod, "status", "phase")
    return phase in ("Succeeded", "Failed", "Pending") or bool(pod["metadata"].get("deletionTimestamp"))


def _budget_of(api: Api, namespace: str, pod: JsonObject) -> JsonObject | None:
    labels = pod["metadata"].get("labels") or {}
    found = []
    for record in api.store.list(BUDGETS, Selection(namespace)).records:
        budget = api.store.decoded(record)
        selector = dig(budget, "spec", "selector")
        if selector is not None and labels_match(label_terms(selector), labels):
            found.append(budget)
    if len(found) > 1:
        text = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        raise internal_error(text)
    return found[0] if found else None


def _spared_as_unready(pod: JsonObject, budget: JsonObject) -> bool:
    """A running pod that is not ready does not count, when the budget is met or its policy says AlwaysAllow."""
    conditions = dig(pod, "status", "conditions") or []
    if any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions):
        return False
    if dig(budget, "spec", "unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    healthy, desired = dig(budget, "status", "currentHealthy") or 0, dig(budget, "status", "desiredHealthy") or 0
    return bool(desired > 0 and healthy >= desired)


def _take_from_budget(api: Api, budget: JsonObject, name: str, options: WriteOptions) -> None:
    status: JsonObject = budget.get("status") or {}
    budget_name = budget["metadata"]["name"]
    generation = budget["metadata"].get("generation", 0)
    if (status.get("observedGeneration") or 0) < generation:
        text = f"The disruption budget {budget_name} is still being processed by the server."
        raise too_many_requests(VIOLATES, 10, [{"reason": "DisruptionBudget", "message": text}])
    allowed = status.get("disruptionsAllowed") or 0
    if allowed < 0:
        raise refusal(403, "Forbidden", "pdb disruptions allowed is negative")
    if allowed == 0:
        desired, healthy = status.get("desiredHealthy") or 0, status.get("currentHealthy") or 0
        text = f"The disruption budget {budget_name} needs {desired} healthy pods and has {healthy} currently"
        raise too_many_requests(VIOLATES, 0, [{"reason": "DisruptionBudget", "message": text}])
    disrupted = status.get("disruptedPods") or {}
    if len(disrupted) > MAX_DISRUPTED_PODS:
        raise refusal(
            403, "Forbidden", "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        )
    if options.dry_run:
        return
    conditions = _allowed_condition(status, allowed - 1, generation, options)
    changed = {
        **status,
        "conditions": conditions,
        "disruptionsAllowed": allowed - 1,
        "disruptedPods": {**disrupted, name: format_time(options.now)},
    }
    api.store.update(BUDGETS, {**budget, "status": changed}, options.now)


def _allowed_condition(status: JsonObject, left: int, generation: int, options: WriteOptions) -> list[JsonObject]:
    """The condition DisruptionAllowed after one was taken.

    Source: k8s.io/component-helpers v0.34.4 apps/poddisruptionbudget/helpers.go: UpdateDisruptionAllowedCondition
    """
    value, reason = ("True", "SufficientPods") if left > 0 else ("False", "InsufficientPods")
    old: JsonObject = next((c for c in status.get("conditions") or () if c.get("type") == "DisruptionAllowed"), {})
    since = old["lastTransitionTime"] if old.get("status") == value else format_time(options.now)
    made = {
        "type": "DisruptionAllowed",
        "status": value,
        "observedGeneration": generation,
        "lastTransitionTime": since,
        "reason": reason,
        "message": "",
    }
    others = [c for c in status.get("conditions") or () if c.get("type") != "DisruptionAllowed"]
    return [*others, made]


def _delete_evicted(api: Api, pod: JsonObject, wanted: DeleteOptions, options: WriteOptions) -> None:
    """Mark the pod as disrupted and delete it.

    Source: eviction.go: addConditionAndDeletePod
    """
    kind = api.kinds.of("pods")
    if wanted.resource_version not in (None, pod["metadata"]["resourceVersion"]):
        raise conflict(kind, pod["metadata"]["name"])
    if not options.dry_run and _is_running(pod):
        condition = {
            "type": "DisruptionTarget",
            "status": "True",
            "lastProbeTime": None,
            "lastTransitionTime": format_time(options.now),
            "reason": "EvictionByEvictionAPI",
            "message": "Eviction API: evicting",
        }
        if pod["metadata"].get("generation"):
            condition["observedGeneration"] = pod["metadata"]["generation"]
        conditions = [c for c in dig(pod, "status", "conditions") or () if c.get("type") != "DisruptionTarget"]
        marked = replaced(pod, ("status", "conditions"), [*conditions, condition])
        pod = api.store.update("pods", marked, options.now)
    delete_stored(api, kind, pod, wanted._replace(resource_version=None), options)


def _is_running(pod: JsonObject) -> bool:
    return dig(pod, "status", "phase") not in ("Succeeded", "Failed") and not pod["metadata"].get("deletionTimestamp")
