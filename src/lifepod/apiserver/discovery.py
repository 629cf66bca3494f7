"""What the API serves, as clients ask it first: aggregated (`/api`, `/apis` in one document each) and the legacy lists.

The documents are made from the registry of kinds and kept until that changes, as it does with CustomResourceDefinitions.

Source: k8s.io/apiserver v0.34.4 pkg/endpoints/discovery/aggregated/handler.go; pkg/endpoints/discovery/root.go, group.go, version.go
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from typing import Final, NamedTuple

from lifepod.api.kinds import Kind, KindRegistry, Subresource
from lifepod.api.objects import JsonObject
from lifepod.apiserver.exchange import Request, Response
from lifepod.apiserver.negotiation import accepted_form, encoded

_AGGREGATED: Final = "application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"


class _Group(NamedTuple):
    name: str
    versions: dict[str, list[Kind]]


class Discovery:
    """Answers `/api…` and `/apis…` down to the group version."""

    def __init__(self, kinds: KindRegistry, address: str = "") -> None:
        self._kinds = kinds
        self._address = address
        self._made_for: tuple[Kind, ...] = ()
        self._groups: dict[str, _Group] = {}
        self._documents: dict[tuple[str, str], tuple[bytes, str]] = {}

    def answer(self, request: Request, path: str) -> Response | None:
        """The document at `path` (no slash at the end), or None when there is none."""
        self._refresh()
        match path.split("/")[1:]:
            case ["api" | "apis" as root]:
                return self._root(request, root)
            case ["api", version]:
                return self._version("", version)
            case ["apis", group]:
                found = self._groups.get(group)
                return (
                    None
                    if found is None or not group
                    else _json({"kind": "APIGroup", "apiVersion": "v1", **_group(found)})
                )
            case ["apis", group, version]:
                return self._version(group, version) if group else None
            case _:
                return None

    def serves(self, group: str, version: str) -> bool:
        """Whether there is such a group version."""
        self._refresh()
        found = self._groups.get(group)
        return found is not None and version in found.versions

    def group_versions(self) -> list[tuple[str, str]]:
        """Every group version, in discovery's order."""
        self._refresh()
        return [(group.name, version) for group in self._groups.values() for version in group.versions]

    def kinds_of(self, group: str, version: str) -> list[Kind]:
        """The kinds of one group version."""
        self._refresh()
        return self._groups[group].versions[version]

    def _refresh(self) -> None:
        kinds = tuple(self._kinds)
        if kinds == self._made_for:
            return
        groups: dict[str, _Group] = {}
        for kind in kinds:
            groups.setdefault(kind.group, _Group(kind.group, {})).versions.setdefault(kind.version, []).append(kind)
        self._made_for, self._groups, self._documents = kinds, groups, {}

    def _root(self, request: Request, root: str) -> Response:
        form = accepted_form(request, discovery=True)
        if form.convert != "APIGroupDiscoveryList":
            return _json(self._legacy_core(request) if root == "api" else self._legacy_groups())
        body, etag = self._aggregated(root, form.version)
        headers = (("ETag", etag), ("Vary", "Accept"), ("Cache-Control", "public"))
        if request.headers.get("if-none-match") == etag:
            return Response(304, b"", headers=headers)
        return Response(200, body, _AGGREGATED.format(version=form.version), headers)

    def _aggregated(self, root: str, version: str) -> tuple[bytes, str]:
        known = self._documents.get((root, version))
        if known is None:
            groups = [group for group in self._groups.values() if (group.name == "") == (root == "api")]
            body = encoded(
                {
                    "kind": "APIGroupDiscoveryList",
                    "apiVersion": f"apidiscovery.k8s.io/{version}",
                    "metadata": {},
                    "items": [_discovered_group(group) for group in groups],
                }
            )
            known = self._documents[root, version] = body, f'"{hashlib.sha512(body).hexdigest().upper()}"'
        return known

    def _legacy_core(self, request: Request) -> JsonObject:
        address = self._address or request.headers.get("host", "")
        return {
            "kind": "APIVersions",
            "versions": list(self._groups[""].versions) if "" in self._groups else [],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
        }

    def _legacy_groups(self) -> JsonObject:
        groups = [_group(group) for group in self._groups.values() if group.name]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}

    def _version(self, group: str, version: str) -> Response | None:
        if not self.serves(group, version):
            return None
        resources: list[JsonObject] = []
        for kind in self._groups[group].versions[version]:
            resources.append(_resource(kind, self._kinds))
            resources.extend(_subresource(kind, sub) for sub in kind.subresources)
        name = f"{group}/{version}" if group else version
        listed: JsonObject = {"kind": "APIResourceList"}
        if group:
            listed["apiVersion"] = "v1"
        return _json(listed | {"groupVersion": name, "resources": resources})


def _json(document: JsonObject) -> Response:
    return Response(200, encoded(document))


def _group(group: _Group) -> JsonObject:
    versions = [{"groupVersion": f"{group.name}/{version}", "version": version} for version in group.versions]
    return {"name": group.name, "versions": versions, "preferredVersion": versions[0]}


def _resource(kind: Kind, kinds: KindRegistry) -> JsonObject:
    found: JsonObject = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        found["shortNames"] = list(kind.short_names)
    if kind.categories:
        found["categories"] = list(kind.categories)
    if kind.is_stored:
        found["storageVersionHash"] = _storage_version_hash(kinds.of(kind.stored_as) if kind.storage else kind)
    return found


def _storage_version_hash(kind: Kind) -> str:
    """What changes when objects of a kind come to be kept in another version.

    Source: k8s.io/apiserver v0.34.4 pkg/endpoints/discovery/storageversionhash.go: StorageVersionHash
    """
    name = f"{kind.group}/{kind.version}/{kind.kind}"
    return b64encode(hashlib.sha256(name.encode()).digest()[:8]).decode()


def _subresource(kind: Kind, sub: Subresource) -> JsonObject:
    found: JsonObject = {"name": f"{kind.plural}/{sub.name}", "singularName": "", "namespaced": kind.namespaced}
    if sub.group or sub.version:
        found |= {"group": sub.group, "version": sub.version}
    return found | {"kind": sub.kind, "verbs": list(sub.verbs)}


def _discovered_group(group: _Group) -> JsonObject:
    versions = [
        {"version": version, "resources": [_discovered(kind) for kind in kinds], "freshness": "Current"}
        for version, kinds in group.versions.items()
    ]
    return {"metadata": {"name": group.name} if group.name else {}, "versions": versions}


def _discovered(kind: Kind) -> JsonObject:
    found: JsonObject = {
        "resource": kind.plural,
        "responseKind": {"group": "", "version": "", "kind": kind.kind},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        found["shortNames"] = list(kind.short_names)
    if kind.categories:
        found["categories"] = list(kind.categories)
    if kind.subresources:
        found["subresources"] = [
            {
                "subresource": sub.name,
                "responseKind": {"group": sub.group, "version": sub.version, "kind": sub.kind},
                "verbs": list(sub.verbs),
            }
            for sub in kind.subresources
        ]
    return found
