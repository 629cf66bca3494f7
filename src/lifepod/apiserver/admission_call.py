"""One write on its way to admission: what webhooks and policies are asked about is made from it, and what they answer put back.

Verbs work on objects as the store keeps them; whoever is asked wants them at a version of his own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from lifepod.api.admission import Attributes, Operation, Place
from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject
from lifepod.apiserver.options import SYSTEM, DeleteOptions, WriteOptions
from lifepod.apiserver.reviews import user_info

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api

_OPTIONS: Final = {"CREATE": "CreateOptions", "UPDATE": "UpdateOptions", "DELETE": "DeleteOptions"}


MUTATING: Final = "mutatingwebhookconfigurations.admissionregistration.k8s.io"
VALIDATING: Final = "validatingwebhookconfigurations.admissionregistration.k8s.io"
BINDINGS: Final = "validatingadmissionpolicybindings.admissionregistration.k8s.io"


def are_asked(api: Api) -> bool:
    """Whether anybody is to be asked about requests at all. This is all that admission costs where nobody is."""
    count = api.store.count
    return bool(count(MUTATING) or count(VALIDATING) or count(BINDINGS))


class Call(NamedTuple):
    """A write. `kind` is the stored one; `shown` what is sent to a subresource that is not the object itself."""

    operation: Operation
    kind: Kind
    obj: JsonObject | None
    old: JsonObject | None
    options: WriteOptions
    subresource: str = ""
    shown: Kind | None = None
    wanted: DeleteOptions | None = None
    namespace: str = ""
    name: str = ""

    def attributes(self, api: Api) -> Attributes:
        """The request as admission sees it."""
        metadata = ((self.obj if self.obj is not None else self.old) or {}).get("metadata") or {}
        return Attributes(
            self.operation,
            self._places(api),
            self.subresource,
            (self.namespace or metadata.get("namespace", "")) if self.kind.namespaced else "",
            self.name or metadata.get("name", ""),
            self.obj,
            self.old,
            self._asker(api),
            self.options.dry_run,
            self._options(),
        )

    def _asker(self, api: Api) -> JsonObject:
        """Who asks; the cluster's own parts go by the names that upstream's have."""
        if self.options.user is SYSTEM and api.session is not None and api.session.user is not None:
            return api.session.user
        return user_info(self.options.user)

    def _places(self, api: Api) -> tuple[Place, ...]:
        came_as = api.session.kind if api.session is not None else self.kind
        first = came_as if came_as.stored_as == self.kind.resource else self.kind
        same = [kind for kind in api.kinds if kind.stored_as == self.kind.resource and kind != first]
        return tuple(self._place(kind) for kind in (first, *same))

    def _place(self, kind: Kind) -> Place:
        sent = self.shown or kind
        return Place(kind.group, kind.version, kind.plural, sent.group, sent.version, sent.kind)

    def _options(self) -> JsonObject | None:
        if self.operation == "CONNECT":
            return None
        made: JsonObject = {"kind": _OPTIONS[self.operation], "apiVersion": "meta.k8s.io/v1"}
        if self.options.dry_run:
            made["dryRun"] = ["All"]
        if self.operation == "DELETE":
            return made | (_deletion(self.wanted) if self.wanted is not None else {})
        if self.options.field_manager:
            made["fieldManager"] = self.options.field_manager
        return made | {"fieldValidation": self.options.field_validation}

    # ------------------------------------------------------------------------------------------------ versions

    def at_place(self, api: Api, place: Place) -> Kind:
        """The kind that a place names."""
        found = api.kinds.at(place.group, place.version, place.plural)
        assert found is not None
        return found

    def as_place(self, api: Api, obj: JsonObject, place: Place) -> JsonObject:
        """The object at the version of a place."""
        if self.shown is not None:
            return obj
        return self.at_place(api, place).from_storage(obj)

    def from_place(self, api: Api, obj: JsonObject, place: Place) -> JsonObject:
        """The object as the store keeps it, defaulted."""
        if self.shown is not None:
            return obj
        kind = self.at_place(api, place)
        return self.kind.default(kind.to_storage(kind.default(obj)) if kind.storage else obj)


def _deletion(wanted: DeleteOptions) -> JsonObject:
    made: JsonObject = {}
    if wanted.grace is not None:
        made["gracePeriodSeconds"] = wanted.grace
    if wanted.propagation is not None:
        made["propagationPolicy"] = wanted.propagation
    guards = {"uid": wanted.uid, "resourceVersion": wanted.resource_version}
    if given := {name: value for name, value in guards.items() if value is not None}:
        made["preconditions"] = given
    return made
