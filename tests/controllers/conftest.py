"""A whole small API in memory, and the loop that drives controllers over it in virtual time."""

from __future__ import annotations

import heapq
import itertools
from datetime import UTC, datetime, timedelta

import pytest

from lifepod.api.objects import format_time
from lifepod.api.writes import ApiError
from lifepod.controller_manager.manager import ControllerPart
from lifepod.turn import Answered, Changed

START = datetime(2025, 1, 1, tzinfo=UTC)
KINDS = {
    ("v1", "Pod"): ("pods", True),
    ("v1", "Service"): ("services", True),
    ("v1", "Endpoints"): ("endpoints", True),
    ("v1", "ConfigMap"): ("configmaps", True),
    ("v1", "ServiceAccount"): ("serviceaccounts", True),
    ("v1", "Event"): ("events", True),
    ("v1", "ResourceQuota"): ("resourcequotas", True),
    ("v1", "Namespace"): ("namespaces", False),
    ("v1", "Node"): ("nodes", False),
    ("v1", "PersistentVolume"): ("persistentvolumes", False),
    ("v1", "PersistentVolumeClaim"): ("persistentvolumeclaims", True),
    ("batch/v1", "Job"): ("jobs.batch", True),
    ("batch/v1", "CronJob"): ("cronjobs.batch", True),
    ("apps/v1", "ReplicaSet"): ("replicasets.apps", True),
    ("v1", "ReplicationController"): ("replicationcontrollers", True),
    ("apps/v1", "Deployment"): ("deployments.apps", True),
    ("apps/v1", "StatefulSet"): ("statefulsets.apps", True),
    ("apps/v1", "DaemonSet"): ("daemonsets.apps", True),
    ("apps/v1", "ControllerRevision"): ("controllerrevisions.apps", True),
    ("coordination.k8s.io/v1", "Lease"): ("leases.coordination.k8s.io", True),
    ("discovery.k8s.io/v1", "EndpointSlice"): ("endpointslices.discovery.k8s.io", True),
    ("policy/v1", "PodDisruptionBudget"): ("poddisruptionbudgets.policy", True),
    ("storage.k8s.io/v1", "StorageClass"): ("storageclasses.storage.k8s.io", False),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"): ("clusterroles.rbac.authorization.k8s.io", False),
}


class CountingIds:
    """Ids that count instead of drawing."""

    def __init__(self) -> None:
        self._number = itertools.count(1)

    def uid(self) -> str:
        return f"uid-{next(self._number)}"

    def suffix(self, length: int = 5) -> str:
        return f"{next(self._number):0{length}d}"

    def hexadecimal(self, length: int) -> str:
        return f"{next(self._number):0{length}x}"

    def fraction(self) -> float:
        return 0.5


def refusal(code: int, reason: str, message: str) -> ApiError:
    return ApiError({"code": code, "reason": reason, "message": message})


class SmallCluster:
    """Objects by resource and (namespace, name); writes applied as an API server would, as far as controllers can tell."""

    def __init__(self) -> None:
        self.now = START
        self.ids = CountingIds()
        self.objects: dict[str, dict[tuple[str, str], dict]] = {}
        self.parts: list = []
        self.inbox: list[list] = []
        self.wakes: list = []
        self.log: list = []
        self.refuse = lambda write: None
        self._revision = 0

    # ---------------------------------------------------------------- View

    def get(self, resource, namespace, name):
        return self.objects.get(resource, {}).get((namespace, name))

    def list(self, resource, namespace=None):
        table = self.objects.get(resource, {})
        return [table[key] for key in sorted(table) if namespace is None or key[0] == namespace]

    def owned_by(self, uid, resource):
        return [obj for name, obj in self.dependents(uid) if name == resource]

    def dependents(self, uid):
        return [
            (resource, obj)
            for resource in sorted(self.objects)
            for obj in self.list(resource)
            if any(r.get("uid") == uid for r in obj["metadata"].get("ownerReferences") or ())
        ]

    def labelled(self, resource, namespace, labels):
        return [
            obj
            for obj in self.list(resource, namespace)
            if labels.items() <= (obj["metadata"].get("labels") or {}).items()
        ]

    def on_node(self, node):
        return [pod for pod in self.list("pods") if pod["spec"].get("nodeName") == node]

    def resource_of(self, api_version, kind):
        return KINDS.get((api_version, kind))

    def namespaced_resources(self):
        return [r for r, namespaced in KINDS.values() if namespaced and self.objects.get(r)]

    # ---------------------------------------------------------------- changing things

    def add(self, obj):
        """Put an object in, as a client would create it."""
        resource, _ = KINDS[obj["apiVersion"], obj["kind"]]
        metadata = {
            "uid": self.ids.uid(),
            "creationTimestamp": format_time(self.now),
            "generation": 1,
            **obj["metadata"],
        }
        if KINDS[obj["apiVersion"], obj["kind"]][1]:
            metadata.setdefault("namespace", "default")
        obj = {**obj, "metadata": metadata}
        if resource == "pods":
            obj.setdefault("status", {"phase": "Pending"})
        return self._store(resource, obj, None)

    def change(self, obj, **members):
        """Replace members of an object (`status`, `spec`, `metadata`)."""
        resource, _ = KINDS[obj["apiVersion"], obj["kind"]]
        old = self.get(resource, *self._key(obj))
        return self._store(resource, {**old, **members}, old)

    def delete(self, obj, grace=0):
        resource, _ = KINDS[obj["apiVersion"], obj["kind"]]
        self._delete(resource, *self._key(obj), {"gracePeriodSeconds": grace})

    def _key(self, obj):
        return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]

    def _tell(self, type_, resource, obj, old):
        for part, inbox in zip(self.parts, self.inbox, strict=True):
            if any(i.resource in ("*", resource) for i in part.interests):
                inbox.append(Changed(type_, resource, obj, old))

    def _store(self, resource, obj, old):
        self._revision += 1
        if old is not None and obj.get("spec") != old.get("spec") and "generation" in old["metadata"]:
            obj["metadata"] = {**obj["metadata"], "generation": old["metadata"]["generation"] + 1}
        obj = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self._revision)}}
        if obj["metadata"].get("deletionTimestamp") and not obj["metadata"].get("finalizers"):
            gone = resource != "pods" or not obj["metadata"].get("deletionGracePeriodSeconds")
            if gone and not (resource == "namespaces" and obj["spec"].get("finalizers")):
                self._remove(resource, obj)
                return obj
        self.objects.setdefault(resource, {})[self._key(obj)] = obj
        self._tell("MODIFIED" if old else "ADDED", resource, obj, old)
        return obj

    def _remove(self, resource, obj):
        self.objects[resource].pop(self._key(obj), None)
        self._tell("DELETED", resource, obj, None)

    def _delete(self, resource, namespace, name, options):
        obj = self.get(resource, namespace, name)
        if obj is None:
            raise refusal(404, "NotFound", f'{resource} "{name}" not found')
        metadata = dict(obj["metadata"])
        if metadata.get("deletionTimestamp") and options.get("gracePeriodSeconds") != 0:
            return obj
        finalizers = list(metadata.get("finalizers") or [])
        if options.get("propagationPolicy") == "Foreground":
            finalizers.append("foregroundDeletion")
        if options.get("propagationPolicy") == "Orphan":
            finalizers.append("orphan")
        grace = options.get("gracePeriodSeconds")
        if resource == "pods":
            running = obj["spec"].get("nodeName") and obj["status"].get("phase") not in ("Succeeded", "Failed")
            grace = (obj["spec"].get("terminationGracePeriodSeconds", 30) if grace is None else grace) if running else 0
        else:
            grace = 0
        metadata["deletionTimestamp"] = format_time(self.now + timedelta(seconds=grace))
        metadata["deletionGracePeriodSeconds"] = grace
        if finalizers:
            metadata["finalizers"] = finalizers
        return self._store(resource, {**obj, "metadata": metadata}, obj)

    def apply(self, write):
        """Carry out one write; raises ApiError."""
        self.log.append(write)
        error = self.refuse(write)
        if error is not None:
            raise error
        have = self.get(write.resource, write.namespace, write.name)
        if write.verb == "delete":
            return self._delete(write.resource, write.namespace, write.name, write.body)
        if write.verb == "create" and write.subresource == "binding":
            node = write.body["target"]["name"]
            condition = {"type": "PodScheduled", "status": "True"}
            status = {**have["status"], "conditions": [condition]}
            return self._store(
                write.resource, {**have, "spec": {**have["spec"], "nodeName": node}, "status": status}, have
            )
        if write.verb == "create":
            if have is not None:
                raise refusal(409, "AlreadyExists", f'"{write.name}" already exists')
            return self.add(write.body)
        if have is None:
            raise refusal(404, "NotFound", f'{write.resource} "{write.name}" not found')
        version = write.body.get("metadata", {}).get("resourceVersion")
        if version is not None and version != have["metadata"]["resourceVersion"]:
            raise refusal(409, "Conflict", "the object has been modified")
        if write.verb == "patch":
            new = merged(have, write.body, write.patch_type)
        elif write.subresource == "status":
            new = {**have, "status": write.body["status"]}
        elif write.subresource == "finalize":
            new = {**have, "spec": write.body["spec"]}
        else:
            new = {**write.body, "status": have["status"]} if "status" in have else write.body
        if comparable(new) == comparable(have):
            return have
        return self._store(write.resource, new, have)

    # ---------------------------------------------------------------- driving

    def drive(self, *controllers, parts=()):
        """Add controllers (or whole parts); they hear of everything that is there."""
        for part in [*(ControllerPart(c, self, self.ids) for c in controllers), *parts]:
            self.parts.append(part)
            self.inbox.append(
                [
                    Changed("ADDED", resource, obj, None)
                    for resource in sorted(self.objects)
                    for obj in self.list(resource)
                    if any(i.resource in ("*", resource) for i in part.interests)
                ]
            )
            self.wakes.append(self.now)
        self.settle()

    def settle(self, most=2000):
        """Let every part with news or a due timer work until all is quiet."""
        for _ in range(most):
            for i, part in enumerate(self.parts):
                if self.inbox[i] or (self.wakes[i] is not None and self.wakes[i] <= self.now):
                    news, self.inbox[i] = tuple(self.inbox[i]), []
                    turned = part.on_news(news, self.now)
                    self.wakes[i] = turned.wake_at
                    for write in turned.effects:
                        try:
                            self.inbox[i].append(Answered(write, self.apply(write), None))
                        except ApiError as error:
                            self.inbox[i].append(Answered(write, None, error))
                    break
            else:
                return
        raise AssertionError("the controllers never come to rest")

    def run(self, seconds):
        """Let virtual time pass, stopping at every timer."""
        end = self.now + timedelta(seconds=seconds)
        self.settle()
        while True:
            due = [w for w in self.wakes if w is not None]
            heapq.heapify(due)
            if not due or due[0] > end:
                break
            self.now = max(due[0], self.now)
            self.settle()
        self.now = end
        self.settle()

    # ---------------------------------------------------------------- looking

    def events(self, name=None):
        """(object, reason, message, count) of every event, in order of their names' times."""
        found = sorted(self.list("events"), key=lambda e: int(e["metadata"]["name"].rsplit(".", 1)[1], 16))
        return [
            (e["involvedObject"]["name"], e["reason"], e["message"])
            for e in found
            if name is None or e["involvedObject"]["name"] == name
        ]

    def again(self, obj):
        """The object as it is now, None when it is gone."""
        return self.get(KINDS[obj["apiVersion"], obj["kind"]][0], *self._key(obj))

    def finish(self, pod, phase="Succeeded", code=None):
        """Let a pod end, as its node would tell."""
        code = (0 if phase == "Succeeded" else 1) if code is None else code
        ended = {"exitCode": code, "finishedAt": format_time(self.now)}
        containers = [{"name": "main", "ready": False, "restartCount": 0, "state": {"terminated": ended}}]
        status = {**self.again(pod)["status"], "phase": phase, "containerStatuses": containers}
        return self.change(pod, status=status)

    def make_ready(self, pod, ip="10.0.0.1", ready=True):
        """Let a pod run and be Ready, as its node would tell."""
        condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": format_time(self.now)}
        status = {
            **self.again(pod)["status"],
            "phase": "Running",
            "podIP": ip,
            "podIPs": [{"ip": ip}],
            "conditions": [condition],
        }
        return self.change(pod, status=status)


def comparable(obj):
    return {**obj, "metadata": {k: v for k, v in obj["metadata"].items() if k != "resourceVersion"}}


def merged(target, patch, patch_type):
    """A JSON merge patch; a strategic one merges conditions by type."""
    if not isinstance(patch, dict) or not isinstance(target, dict):
        return patch
    out = dict(target)
    for key, value in patch.items():
        if key.startswith("$deleteFromPrimitiveList/"):
            member = key.partition("/")[2]
            out[member] = [v for v in out.get(member, []) if v not in value]
            if not out[member]:
                del out[member]
        elif value is None:
            out.pop(key, None)
        elif patch_type == "strategic" and key == "conditions":
            kept = [c for c in out.get(key, []) if c["type"] not in {n["type"] for n in value}]
            out[key] = kept + value
        else:
            out[key] = merged(out.get(key, {}), value, patch_type) if isinstance(value, dict) else value
    return out


@pytest.fixture
def cluster():
    """A small cluster at the start of virtual time."""
    return SmallCluster()


@pytest.fixture
def make_node():
    """A function that makes a Node."""

    def node(name="n1", cpu="4", memory="8Gi", pods="110", labels=None, **spec):
        labels = {"kubernetes.io/hostname": name, **(labels or {})}
        allocatable = {"cpu": cpu, "memory": memory, "pods": pods}
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": labels},
            "spec": spec,
            "status": {"allocatable": allocatable},
        }

    return node


@pytest.fixture
def make_pod():
    """A function that makes a Pod with one container."""

    def pod(name="p", labels=None, requests=None, **spec):
        resources = {"requests": requests} if requests else {}
        container = {"name": "main", "image": "busybox:1.36", "resources": resources}
        metadata = {"name": name, "namespace": "default", **({"labels": labels} if labels else {})}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container], **spec}}

    return pod
