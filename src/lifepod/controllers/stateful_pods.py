"""A StatefulSet's pods and claims: their names, what one is made of, and what it lacks to be what it should.

Source: k8s.io/kubernetes v1.34.4 pkg/controller/statefulset/stateful_set_utils.go: newStatefulSetPod, updateIdentity, updateStorage,
getPersistentVolumeClaims, identityMatches, storageMatches
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from lifepod.api.objects import JsonObject
from lifepod.api.writes import Write
from lifepod.controllers.claims import CLAIMS
from lifepod.controllers.ownership import (
    controller_reference,
    is_being_deleted,
    labels_of,
    name_of,
    namespace_of,
    owners_of,
    uid_of,
)
from lifepod.controllers.pod_facts import is_available, is_ready, phase_of, pod_from_template
from lifepod.controllers.revision_history import HASH

POD_NAME = "statefulset.kubernetes.io/pod-name"
POD_INDEX = "apps.kubernetes.io/pod-index"


def ordinal_of(owner: JsonObject, pod: JsonObject) -> int:
    """The number at the end of the pod's name; -1 when it is not one of this set's names."""
    found = re.fullmatch(r"(.*)-([0-9]+)", name_of(pod))
    return int(found[2]) if found is not None and found[1] == name_of(owner) else -1


def start_ordinal(owner: JsonObject) -> int:
    """The first pod's number."""
    return int((owner["spec"].get("ordinals") or {}).get("start") or 0)


def is_created(pod: JsonObject) -> bool:
    """Whether the pod is there: has a phase."""
    return phase_of(pod) != ""


def is_running_and_ready(pod: JsonObject) -> bool:
    """Running, and Ready."""
    return phase_of(pod) == "Running" and is_ready(pod)


def is_unavailable(pod: JsonObject, minimum: int, now: datetime) -> bool:
    """Not available, or going."""
    return is_being_deleted(pod) or not (phase_of(pod) == "Running" and is_available(pod, minimum, now))


def revision_of(pod: JsonObject) -> str:
    """The name of the revision that the pod was made of."""
    return labels_of(pod).get(HASH, "")


def new_pod(owner: JsonObject, template: JsonObject, ordinal: int, revision: str) -> JsonObject:
    """The pod of one ordinal: stable name, hostname and claims."""
    name = f"{name_of(owner)}-{ordinal}"
    pod = pod_from_template(owner, template, f"{name_of(owner)}-", name)
    metadata = pod["metadata"]
    metadata["labels"] = {
        **(metadata.get("labels") or {}),
        POD_NAME: name,
        POD_INDEX: str(ordinal),
        HASH: revision,
    }
    spec = {**pod["spec"], "hostname": name}
    if owner["spec"].get("serviceName"):
        spec["subdomain"] = owner["spec"]["serviceName"]
    volumes = with_claims(owner, spec.get("volumes") or [], ordinal)
    if volumes:
        spec["volumes"] = volumes
    return {**pod, "spec": spec}


def with_claims(owner: JsonObject, volumes: Iterable[JsonObject], ordinal: int) -> list[JsonObject]:
    """The claims' volumes, then the template's, less those whose names the claims take."""
    claimed = [
        {"name": name_of(template), "persistentVolumeClaim": {"claimName": claim_name(owner, template, ordinal)}}
        for template in claim_templates(owner)
    ]
    names = {volume["name"] for volume in claimed}
    return [*claimed, *(volume for volume in volumes if volume.get("name") not in names)]


def claim_templates(owner: JsonObject) -> list[JsonObject]:
    """`spec.volumeClaimTemplates`, empty when absent."""
    return owner["spec"].get("volumeClaimTemplates") or []


def claim_name(owner: JsonObject, template: JsonObject, ordinal: int) -> str:
    """`<template>-<set>-<ordinal>`."""
    return f"{name_of(template)}-{name_of(owner)}-{ordinal}"


def new_claims(owner: JsonObject, ordinal: int) -> list[JsonObject]:
    """The claims of one ordinal, labelled with the set's selector so that they can be found."""
    made: list[JsonObject] = []
    for template in claim_templates(owner):
        metadata: JsonObject = {**template["metadata"], "name": claim_name(owner, template, ordinal)}
        metadata["namespace"] = namespace_of(owner)
        selector = (owner["spec"].get("selector") or {}).get("matchLabels") or {}
        metadata["labels"] = {**(metadata.get("labels") or {}), **selector}
        made.append(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {k: v for k, v in metadata.items() if v},
                "spec": template.get("spec") or {},
            }
        )
    return made


def identity_patch(owner: JsonObject, pod: JsonObject, ordinal: int) -> Write | None:
    """Give the pod back the labels that name it, if somebody took them."""
    wanted = {POD_NAME: name_of(pod), POD_INDEX: str(ordinal)}
    if wanted.items() <= labels_of(pod).items():
        return None
    body = {"metadata": {"uid": uid_of(pod), "labels": wanted}}
    return Write("patch", "pods", namespace_of(pod), name_of(pod), body, patch_type="merge")


def claim_owner_patch(owner: JsonObject, pod: JsonObject | None, claim: JsonObject, *, condemned: bool) -> Write | None:
    """Make the retention policy true by owner references: the garbage collector then deletes the claim, or leaves it.

    whenDeleted Delete: the set owns its claims. whenScaled Delete: a condemned pod owns them, so that they go with it.
    Source: k8s.io/kubernetes v1.34.4 pkg/controller/statefulset/stateful_set_utils.go: updateClaimOwnerRefForSetAndPod
    """
    policy = owner["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    by_pod = condemned and pod is not None and policy.get("whenScaled") == "Delete"
    by_set = policy.get("whenDeleted") == "Delete" and not by_pod
    before = owners_of(claim)
    references = [r for r in before if r.get("uid") != uid_of(owner) and not _is_pod_of(r, claim)]
    if by_set:
        references.append(controller_reference(owner))
    if by_pod and pod is not None:
        references.append(controller_reference({"apiVersion": "v1", "kind": "Pod", **pod}))
    if [r.get("uid") for r in references] == [r.get("uid") for r in before]:
        return None
    body = {"metadata": {"uid": uid_of(claim), "ownerReferences": references or None}}
    return Write("patch", CLAIMS, namespace_of(claim), name_of(claim), body, patch_type="merge")


def is_stale(claim: JsonObject) -> bool:
    """Whether the claim is going, or belongs to a pod that is gone: the next pod of that name must wait for its end."""
    return is_being_deleted(claim) or any(_is_pod_of(reference, claim) for reference in owners_of(claim))


def _is_pod_of(reference: JsonObject, claim: JsonObject) -> bool:
    return reference.get("kind") == "Pod" and name_of(claim).endswith("-" + str(reference.get("name", "")))
