"""What a kind is, and which there are. Adding a kind is adding a file that holds `KINDS`.

A `Kind` is everything the API needs to know of one: its names for discovery, which verbs and subresources it has, and the
pure functions that default, validate and print it. CustomResourceDefinitions become `Kind`s at run time the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from lifepod.api.field_errors import FieldError
from lifepod.api.objects import JsonObject

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
CREATE_ONLY = ("create",)
"""The verbs of a question asked by POST (`SelfSubjectAccessReview`): answered, never stored."""


class Subresource(NamedTuple):
    """One subresource as discovery lists it. `group`, `version` differ from the parent's for `scale`, `eviction`, `token`."""

    name: str
    kind: str
    verbs: tuple[str, ...]
    group: str = ""
    version: str = ""


def status_of(kind: str) -> Subresource:
    """The `status` subresource that most kinds have."""
    return Subresource("status", kind, ("get", "patch", "update"))


def scale_of() -> Subresource:
    """The `scale` subresource of workloads."""
    return Subresource("scale", "Scale", ("get", "patch", "update"), "autoscaling", "v1")


def _same(obj: JsonObject) -> JsonObject:
    return obj


def _no_errors(obj: JsonObject) -> list[FieldError]:
    return []


def _no_update_errors(obj: JsonObject, old: JsonObject) -> list[FieldError]:
    return []


def _keep_status(obj: JsonObject, old: JsonObject) -> JsonObject:
    return obj


def _no_warnings(obj: JsonObject, old: JsonObject | None) -> tuple[str, ...]:
    return ()


class Kind(NamedTuple):
    """One kind at one version.

    `schema` names its type in the schema table (`io.k8s.api.core.v1.Pod`). The functions are pure:

    default(obj)            fills in upstream's defaults; idempotent, run on every write
    prepare_create(obj)     what upstream's strategy does before validation (status reset, generated selector…)
    prepare_update(obj, old)  likewise for an update; keeps what a client may not change. Status is kept by the caller.
    validate(obj)           errors of a new object; validate_update(obj, old) those of a change, immutable fields included;
                            validate_status(obj, old) those of a write to `/status`
    fields                  selectable fields beside metadata.name/namespace: label → path
    storage                 the resource under which objects of this kind are kept when it is another's ("" = its own):
                            `events.events.k8s.io` keeps its objects as `events`. Then to_storage(obj) turns this shape
                            into the stored one and from_storage(obj) back; both are the identity elsewhere. validate
                            and validate_update are then what this version asks for beyond the stored one, of whose
                            shape their arguments are.
    is_custom, printer_columns  of a CustomResourceDefinition: its additionalPrinterColumns as they stand there
    custom_schema           its openAPIV3Schema
    warnings(obj, old)      texts for `Warning:` headers on a write; old is None on create
    deprecation             the text of the `Warning:` header of every answer, "" for a kind that will stay
    """

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    namespaced: bool
    schema: str
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: tuple[Subresource, ...] = ()
    has_generation: bool = False
    has_status: bool = False
    create_on_update: bool = False
    unconditional_update: bool = True
    default: Callable[[JsonObject], JsonObject] = _same
    prepare_create: Callable[[JsonObject], JsonObject] = _same
    prepare_update: Callable[[JsonObject, JsonObject], JsonObject] = _keep_status
    validate: Callable[[JsonObject], list[FieldError]] = _no_errors
    validate_update: Callable[[JsonObject, JsonObject], list[FieldError]] = _no_update_errors
    validate_status: Callable[[JsonObject, JsonObject], list[FieldError]] = _no_update_errors
    fields: Mapping[str, tuple[str, ...]] = {}
    storage: str = ""
    to_storage: Callable[[JsonObject], JsonObject] = _same
    from_storage: Callable[[JsonObject], JsonObject] = _same
    is_custom: bool = False
    printer_columns: tuple[JsonObject, ...] = ()
    custom_schema: JsonObject | None = None
    warnings: Callable[[JsonObject, JsonObject | None], tuple[str, ...]] = _no_warnings
    deprecation: str = ""

    @property
    def is_stored(self) -> bool:
        """Whether objects of this kind are kept at all; reviews and bindings are only answered."""
        return "get" in self.verbs and self.plural != "componentstatuses"

    @property
    def stored_as(self) -> str:
        """The resource under which the store keeps objects of this kind."""
        return self.storage or self.resource

    @property
    def resource(self) -> str:
        """`pods`, `jobs.batch`: the one spelling of a resource inside lifepod, and in messages."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        """`v1`, `batch/v1`: as it stands in `apiVersion`."""
        return f"{self.group}/{self.version}" if self.group else self.version


class KindRegistry:
    """The kinds that one API serves: the built-in ones plus those that CustomResourceDefinitions add."""

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self._by_path: dict[tuple[str, str, str], Kind] = {}
        self._by_resource: dict[str, Kind] = {}
        self._by_kind: dict[tuple[str, str], Kind] = {}
        for kind in kinds:
            self.add(kind)

    def add(self, kind: Kind) -> None:
        """Serve `kind`; replaces what was served under the same group, version and plural."""
        self._by_path[kind.group, kind.version, kind.plural] = kind
        self._by_resource.setdefault(kind.resource, kind)
        self._by_kind[kind.api_version, kind.kind] = kind

    def remove(self, kind: Kind) -> None:
        """Serve it no longer."""
        self._by_path.pop((kind.group, kind.version, kind.plural), None)
        self._by_kind.pop((kind.api_version, kind.kind), None)
        if self._by_resource.get(kind.resource) == kind:
            del self._by_resource[kind.resource]

    def at(self, group: str, version: str, plural: str) -> Kind | None:
        """The kind served at `/apis/<group>/<version>/…/<plural>` (core: group "")."""
        return self._by_path.get((group, version, plural))

    def of(self, resource: str) -> Kind:
        """The kind of a resource such as `jobs.batch`, at its storage version. Raises KeyError."""
        return self._by_resource[resource]

    def named(self, api_version: str, kind: str) -> Kind | None:
        """The kind that a manifest's apiVersion and kind name."""
        return self._by_kind.get((api_version, kind))

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._by_path.values())
