"""The API as one synchronous object: what HTTP, clients in this process and the cluster's own parts all call.

Each verb's rules are in the file of its name (`create.py`, `update.py` …); this one only brings them together and holds what
they share: the store, the kinds, the source of names, the service addresses. No IO, no clock: every call says when it is.
Not safe for threads: the caller serialises.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple, TypeAlias

import orjson

from lifepod.api.kinds import Kind, KindRegistry
from lifepod.api.managed_fields import record_update
from lifepod.api.objects import JsonObject, JsonValue, format_time
from lifepod.api.schema import Type, type_named
from lifepod.api.writes import PatchType, Write
from lifepod.apiserver import bootstrap, carry_out, custom_kinds, delete, delete_collection, get, service_addresses
from lifepod.apiserver.access import Access
from lifepod.apiserver.body import Body, read_body
from lifepod.apiserver.create import create
from lifepod.apiserver.http_errors import service_unavailable
from lifepod.apiserver.list import ListPage, list_page
from lifepod.apiserver.options import SYSTEM, DeleteOptions, ListOptions, WriteOptions
from lifepod.apiserver.patch_verb import patch_resource
from lifepod.apiserver.subresources import create_subresource, get_subresource, update_subresource
from lifepod.apiserver.token import TokenIssuer
from lifepod.apiserver.update import update
from lifepod.apiserver.webhook_session import Asker, Session, no_asker
from lifepod.clock import Ids
from lifepod.store import Store

Texts: TypeAlias = list[str]
CertificateSigner: TypeAlias = Callable[[bytes, tuple[str, ...], int, datetime], bytes]
"""(request as PEM, usages, seconds, now) → certificate as PEM."""


class Settings(NamedTuple):
    """What of the cluster the API itself must know."""

    service_cidr: str = "10.96.0.0/16"
    api_port: int = 6443
    root_ca: str = ""
    issuer: str = "https://kubernetes.default.svc.cluster.local"


class ScalePaths(NamedTuple):
    """Where a kind keeps what its `/scale` shows. `selector` () for none."""

    spec: tuple[str, ...] = ("spec", "replicas")
    status: tuple[str, ...] = ("status", "replicas")
    selector: tuple[str, ...] = ("spec", "selector")


EVERYTHING_LISTED = ListOptions()
USUAL = Settings()


class Written(NamedTuple):
    """An object after a write, and whether the write created it (201)."""

    obj: JsonObject
    created: bool = False


class Api:
    """Every verb of the API. Refusals are ApiErrors whose `status` is upstream's, to the letter."""

    def __init__(
        self,
        store: Store,
        kinds: KindRegistry,
        ids: Ids,
        settings: Settings = USUAL,
        tokens: TokenIssuer | None = None,
    ) -> None:
        self.store = store
        self.kinds = kinds
        self.ids = ids
        self.settings = settings
        self.tokens = tokens
        self.access = Access(store)
        """Who may do what."""
        self.types: dict[str, Type] = {}
        """Types of custom resources, by `Kind.schema`."""
        self.custom_scales: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {}
        """Where custom kinds keep their scale (spec, status, selector), by `Kind.schema`."""
        self.problem: Callable[[], str | None] = lambda: None
        """Why writes from outside are refused at present (the disk is full), or None."""
        self.sign: CertificateSigner | None = None
        """Signs what certificate signing requests ask for; None where nobody holds the key."""
        self.session: Session | None = None
        """The present request's way through its webhooks; None where there are none, or nobody could ask them."""
        self.ask: Asker = no_asker
        """Who puts questions to webhooks."""
        self._warnings: Texts = []

    # ------------------------------------------------------------------------------------------------------------ reading

    def get(self, kind: Kind, namespace: str, name: str, resource_version: str = "") -> JsonObject:
        """One object. Raises ApiError 404."""
        return get.get(self, kind, namespace, name, resource_version)

    def get_encoded(self, kind: Kind, namespace: str, name: str, resource_version: str = "") -> bytes:
        """One object as JSON text."""
        return get.get_encoded(self, kind, namespace, name, resource_version)

    def subresource(self, kind: Kind, namespace: str, name: str, subresource: str) -> JsonObject:
        """GET of `status`, `scale`, `ephemeralcontainers`, `resize`."""
        return get_subresource(self, kind, namespace, name, subresource)

    def list(self, kind: Kind, options: ListOptions = EVERYTHING_LISTED) -> JsonObject:
        """A whole list as an object."""
        page = self.list_page(kind, options)
        head = {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": page.metadata}
        return {**head, "items": page.objects(self)}

    def list_page(self, kind: Kind, options: ListOptions = EVERYTHING_LISTED) -> ListPage:
        """A list, its objects still encoded: `.encoded(api)` is the whole answer, `.records` and `.metadata` the parts."""
        return list_page(self, kind, options)

    # ------------------------------------------------------------------------------------------------------------ writing

    def create(
        self, kind: Kind, namespace: str, body: Body, options: WriteOptions, subresource: str = "", name: str = ""
    ) -> JsonObject:
        """POST. `name` and `subresource` for `binding`, `eviction`, `token`."""
        self._check_open()
        if subresource:
            return create_subresource(self, kind, namespace, name, body, subresource, options)
        if not kind.is_stored:
            return create_subresource(self, kind, namespace, name, body, kind.plural, options)
        return create(self, kind, namespace, read_body(self, kind, body, options), options)

    def update(
        self, kind: Kind, namespace: str, name: str, body: Body, options: WriteOptions, subresource: str = ""
    ) -> Written:
        """PUT."""
        self._check_open()
        if subresource:
            return Written(update_subresource(self, kind, namespace, name, body, subresource, options))
        return Written(*update(self, kind, namespace, name, read_body(self, kind, body, options), options))

    def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        change: bytes | JsonValue,
        patch_type: PatchType,
        options: WriteOptions,
        subresource: str = "",
    ) -> Written:
        """PATCH; `change` is JSON text (YAML too for apply) or what was decoded from it."""
        self._check_open()
        return Written(*patch_resource(self, kind, namespace, name, change, patch_type, options, subresource))

    def delete(self, kind: Kind, namespace: str, name: str, wanted: DeleteOptions, options: WriteOptions) -> JsonObject:
        """DELETE: the object while it lingers (a pod always), else a `Status`."""
        self._check_open()
        return delete.delete(self, kind, namespace, name, wanted, options)

    def delete_collection(
        self, kind: Kind, which: ListOptions, wanted: DeleteOptions, options: WriteOptions
    ) -> JsonObject:
        """DELETE of a collection: the list of what was deleted."""
        self._check_open()
        return delete_collection.delete_collection(self, kind, which, wanted, options)

    def read_body(self, kind: Kind, body: Body, options: WriteOptions) -> JsonObject:
        """A request's object, decoded as its kind. Raises ApiError 400."""
        return read_body(self, kind, body, options)

    def _check_open(self) -> None:
        if problem := self.problem():
            raise service_unavailable(problem)

    def carry_out(self, write: Write, now: datetime) -> JsonObject:
        """Do what a part of the cluster wants; returns the object as it is now. Raises ApiError."""
        return carry_out.carry_out(self, write, now)

    # ----------------------------------------------------------------------------------------------------------- warnings

    def warn(self, *texts: str) -> None:
        """Leave texts for `Warning:` headers of the present request."""
        self._warnings += texts

    def take_warnings(self) -> tuple[str, ...]:
        """The warnings since the last call, each once, in order."""
        if not self._warnings:
            return ()
        found = tuple(dict.fromkeys(self._warnings))
        self._warnings.clear()
        return found

    # -------------------------------------------------------------------------------------------------- shared by the verbs

    def storage_kind(self, kind: Kind) -> Kind:
        """The kind as which the store keeps objects of `kind`: mostly itself."""
        return self.kinds.of(kind.stored_as) if kind.storage else kind

    def type_of(self, kind: Kind) -> Type:
        """The fields of a kind."""
        found = self.types.get(kind.schema)
        return found if found is not None else type_named(kind.schema)

    def is_custom(self, kind: Kind) -> bool:
        """Whether a CustomResourceDefinition made this kind."""
        return kind.schema in self.types

    def encoded(self, kind: Kind, obj: JsonObject) -> bytes:
        """The JSON text of an object that a verb just returned; the store's own where it has it."""
        metadata = obj.get("metadata") or {}
        record = self.store.record(kind.stored_as, metadata.get("namespace", ""), metadata.get("name", ""))
        same = record is not None and str(record.revision) == metadata.get("resourceVersion")
        if same and record is not None and not kind.storage and obj.get("kind") == kind.kind:
            return record.encoded
        return orjson.dumps(obj)

    def allocated(self, kind: Kind, obj: JsonObject, old: JsonObject | None) -> JsonObject:
        """The object with what the server allots: a Service's addresses and node ports."""
        return service_addresses.allocated(self, kind, obj, old) if kind.resource == "services" else obj

    def managed(
        self, kind: Kind, new: JsonObject, old: JsonObject | None, options: WriteOptions, subresource: str = ""
    ) -> JsonObject:
        """The object with this write's owner noted in managedFields.

        Differs: what the cluster's own parts create is nobody's, as are the statuses they write; a first apply starts anew.
        """
        if options.applied or (old is None and options.user is SYSTEM):
            return new
        return record_update(
            old,
            new,
            self.type_of(kind),
            manager=options.manager,
            api_version=kind.api_version,
            time=format_time(options.now),
            subresource=subresource,
        )

    def scale_paths(self, kind: Kind) -> ScalePaths:
        """Where a kind keeps what its `/scale` shows."""
        custom = self.custom_scales.get(kind.schema)
        return ScalePaths(*custom) if custom is not None else ScalePaths()

    def furnish_namespace(self, namespace: str, now: datetime) -> None:
        """Give a new namespace its service account and root certificate."""
        bootstrap.furnish_namespace(self, namespace, now)

    def serve_custom(self, definition: JsonObject, options: WriteOptions) -> None:
        """Serve the kinds of a CustomResourceDefinition."""
        custom_kinds.serve(self, definition, options)
