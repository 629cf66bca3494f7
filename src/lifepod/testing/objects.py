"""What a test does with the objects of a cluster: apply, read, change, delete; logs and causes. By the API, as any client."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import quote, urlencode

import orjson

from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject, dig
from lifepod.diagnosis.findings import Finding, Picture
from lifepod.diagnosis.why import why
from lifepod.lifecycle.vocabulary import Because
from lifepod.testing.errors import TestingError
from lifepod.testing.pod_story import PodStory
from lifepod.testing.recorder import Recorder

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api
    from lifepod.assembly.cluster import Cluster
    from lifepod.clock import Clock
    from lifepod.store import Store

T = TypeVar("T")
_MANAGER = "lifepod-test"


class Inside(Protocol):
    """A cluster as its own process sees it."""

    @property
    def api(self) -> Api: ...

    @property
    def store(self) -> Store: ...

    @property
    def cluster(self) -> Cluster: ...

    @property
    def clock(self) -> Clock: ...


class Findings(tuple[Finding, ...]):
    """Why a pod is as it is, most telling first; as text, a line each."""

    def __str__(self) -> str:
        return "\n".join(_finding_text(finding) for finding in self)


class Objects:
    """The objects of one cluster. `_request` and `_look` are the cluster's."""

    _recorder: Recorder

    def _request(self, method: str, path: str, body: JsonObject | None = None, content_type: str = "") -> JsonObject:
        raise NotImplementedError

    def _look(self, look: Callable[[Inside], T]) -> T:
        raise NotImplementedError

    # ------------------------------------------------------------------------------------------------ writing

    def apply(self, *manifests: Mapping[str, Any] | str | Path, namespace: str = "default") -> Any:
        """Create or update what the manifests say, by server-side apply; returns the object, or a list of several.

        A manifest is a dict, YAML text, or the path of a file or folder. Raises BadManifests with file and line for what
        cannot be right, ApiError for what the API refuses.
        """
        objects = [obj for manifest in manifests for obj in self._objects(manifest, namespace)]
        made = [self._apply_one(obj, namespace) for obj in objects]
        return made[0] if len(made) == 1 else made

    def _objects(self, manifest: Mapping[str, Any] | str | Path, namespace: str) -> Iterator[JsonObject]:
        if isinstance(manifest, Mapping):
            whole = json.loads(json.dumps(manifest))
            yield from whole["items"] if str(whole.get("kind")).endswith("List") and "items" in whole else [whole]
            return
        from lifepod.client.manifests import STDIN, read_manifests

        kinds = self._look(lambda inside: inside.api.kinds)
        is_path = isinstance(manifest, Path) or ("\n" not in manifest and ":" not in manifest)
        text = str(manifest).encode()
        for each in read_manifests([str(manifest) if is_path else STDIN], kinds, namespace, lambda: text):
            yield each.obj

    def _apply_one(self, obj: JsonObject, namespace: str) -> JsonObject:
        api_version, name = obj.get("apiVersion", ""), obj.get("kind", "")
        kind = self._look(lambda inside: inside.api.kinds.named(api_version, name))
        if kind is None:
            raise TestingError(f'no kind "{name}" is known in version "{api_version}"')
        metadata = obj.get("metadata") or {}
        collection = _path(kind, metadata.get("namespace") or namespace)
        if not metadata.get("name"):
            return self._request("POST", f"{collection}?fieldManager={_MANAGER}", obj)
        path = f"{collection}/{quote(metadata['name'])}?fieldManager={_MANAGER}&force=true"
        return self._request("PATCH", path, obj, "application/apply-patch+yaml")

    def patch(
        self, resource: str, name: str, patch: Mapping[str, Any], namespace: str = "default", subresource: str = ""
    ) -> JsonObject:
        """Merge `patch` into an object."""
        path = f"{_path(self._kind(resource), namespace)}/{quote(name)}{f'/{subresource}' if subresource else ''}"
        return self._request("PATCH", path, dict(patch), "application/merge-patch+json")

    def delete(
        self, resource: str, name: str, namespace: str = "default", grace_seconds: int | None = None
    ) -> JsonObject:
        """Delete an object, as `kubectl delete` does; a pod has its grace period, unless another is given."""
        body: JsonObject = {"propagationPolicy": "Background"}
        if grace_seconds is not None:
            body["gracePeriodSeconds"] = grace_seconds
        return self._request("DELETE", f"{_path(self._kind(resource), namespace)}/{quote(name)}", body)

    # ------------------------------------------------------------------------------------------------ reading

    def get(self, resource: str, name: str, namespace: str = "default") -> JsonObject | None:
        """One object as it is now, None when there is none. `resource` as kubectl knows it: pod, pods, po, deployments.apps."""
        kind = self._kind(resource)
        where = namespace if kind.namespaced else ""
        encoded = self._look(lambda inside: inside.store.get_encoded(kind.stored_as, where, name))
        if encoded is None:
            return None
        found: JsonObject = orjson.loads(encoded)
        return kind.from_storage(found) if kind.storage else found

    def list(self, resource: str, namespace: str | None = "default", selector: str = "") -> list[JsonObject]:
        """The objects of a kind, in one namespace, or in all with None; `selector` on labels as for kubectl -l."""
        query = f"?{urlencode({'labelSelector': selector})}" if selector else ""
        kind = self._kind(resource)
        listed = self._request("GET", f"{_path(kind, namespace or '')}{query}")
        head = {"apiVersion": kind.api_version, "kind": kind.kind}
        return [{**head, **item} for item in listed["items"]]

    def list_revision(self, resource: str) -> str:
        """The resourceVersion of a list made now."""
        return str(self._request("GET", _path(self._kind(resource), ""))["metadata"]["resourceVersion"])

    def pod(self, name: str, namespace: str = "default") -> PodStory:
        """One pod: what it is now, and assertions on what it went through."""
        recorder = self._recorder
        return PodStory(
            namespace,
            name,
            lambda: self._look(lambda inside: recorder.versions(namespace, name)),
            lambda: self._look(lambda inside: recorder.events(namespace, name)),
        )

    def _kind(self, resource: str) -> Kind:
        word = resource.lower()
        for kind in self._look(lambda inside: tuple(inside.api.kinds)):
            if word in (kind.plural, kind.singular, kind.resource, kind.kind.lower(), *kind.short_names):
                return kind
        raise TestingError(f'there is no resource "{resource}" in this cluster')

    # ------------------------------------------------------------------------------------------------ inside pods

    def decisions(self, pod: str, namespace: str = "default") -> tuple[Because, ...]:
        """Why the last things were decided about a pod, oldest first."""
        return self._look(
            lambda inside: inside.cluster.decisions(required_pod(inside, namespace, pod)["metadata"]["uid"])
        )

    def why(self, pod: str, namespace: str = "default") -> Findings:
        """Why a pod is as it is: the cause, what happens next and when. `print` it."""

        def look(inside: Inside) -> Findings:
            obj = required_pod(inside, namespace, pod)
            uid = obj["metadata"]["uid"]
            events = [e for e in inside.cluster.list("events", namespace) if dig(e, "involvedObject", "uid") == uid]
            picture = Picture(obj, inside.clock.now(), tuple(events), inside.cluster.get, inside.cluster.decisions(uid))
            return Findings(why(picture))

        return self._look(look)


def _path(kind: Kind, namespace: str) -> str:
    """The path of a collection."""
    base = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    return (
        f"{base}/namespaces/{quote(namespace)}/{kind.plural}"
        if kind.namespaced and namespace
        else f"{base}/{kind.plural}"
    )


def required_pod(inside: Inside, namespace: str, name: str) -> JsonObject:
    """A pod that has to be there. Raises TestingError."""
    obj = inside.store.get("pods", namespace, name)
    if obj is None:
        raise TestingError(f'there is no pod "{name}" in namespace {namespace}')
    return obj


def _finding_text(finding: Finding) -> str:
    subject = f"{finding.subject}: " if finding.subject else ""
    happens = f" {finding.happens}{f' at {finding.at:%H:%M:%S}' if finding.at else ''}." if finding.happens else ""
    return f"{subject}{finding.cause}{happens.replace('..', '.')}" + "".join(f"\n  {line}" for line in finding.remedy)
