"""LIST: selectors, pages, and lists of the past.

Source: k8s.io/apiserver v0.34.4 pkg/endpoints/handlers/get.go: ListResource
        k8s.io/apimachinery v0.34.4 pkg/apis/meta/internalversion/validation/validation.go: ValidateListOptions
        k8s.io/apiserver v0.34.4 pkg/storage/continue.go
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache
from posixpath import normpath
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from lifepod.api.decode import JsonSyntaxError, parse_json
from lifepod.api.field_errors import FieldError, forbidden
from lifepod.api.integers import UINT64, IntegerError, parse_integer
from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject, JsonValue
from lifepod.api.selectors import LabelTerm, SelectorError, parse_field_selector, parse_label_selector
from lifepod.api.writes import ApiError
from lifepod.apiserver.http_errors import bad_request
from lifepod.apiserver.options import ListOptions
from lifepod.apiserver.status_errors import expired, invalid_options, too_large_revision
from lifepod.store import FieldTerm, Page, Record, Selection, TooOld, key_of

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api

TOKEN_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted "
    "between the time the first chunk was returned and now may show up in the list."
)


class ListPage(NamedTuple):
    """The objects of one answer, still encoded, and the list's metadata."""

    kind: Kind
    storage: Kind
    records: list[Record]
    metadata: JsonObject

    def encoded(self, api: Api) -> bytes:
        """The whole answer as JSON text. Items carry neither kind nor apiVersion, unless a definition made the kind."""
        head = {"kind": f"{self.kind.kind}List", "apiVersion": self.kind.api_version, "metadata": self.metadata}
        if self.storage is self.kind:
            if self.kind.is_custom:
                items = b",".join([record.encoded for record in self.records])
            else:
                items = b",".join([b"{" + record.encoded[record.bare :] for record in self.records])
        else:
            items = b",".join(orjson.dumps(item) for item in self.objects(api))
        return orjson.dumps(head)[:-1] + b',"items":[' + items + b"]}"

    def objects(self, api: Api) -> list[JsonObject]:
        """The items, decoded, without kind and apiVersion."""
        found = [api.store.decoded(record) for record in self.records]
        if self.storage is not self.kind:
            found = [self.kind.from_storage(obj) for obj in found]
        if self.kind.is_custom:
            return found
        return [{k: v for k, v in obj.items() if k not in ("kind", "apiVersion")} for obj in found]


def list_page(api: Api, kind: Kind, options: ListOptions) -> ListPage:
    """What a LIST answers. Raises 400, 410, 422, 504 in upstream's words."""
    check_list_options(options)
    storage = api.storage_kind(kind)
    selection = selection_of(kind, options)
    limit, after, revision = options.limit, "", 0
    if options.continue_token:
        after, revision = _read_token(options)
    elif options.resource_version == "0":
        limit = 0  # answered from the watch cache, which knows no pages
    elif options.resource_version:
        revision = _list_revision(api, options)
    page = _stored_page(api, storage, selection, limit, after, revision, options)
    metadata: JsonObject = {"resourceVersion": str(page.revision)}
    if page.last_key:
        metadata["continue"] = continue_token(page.last_key, page.revision, options.namespace)
        if page.remaining and selection.is_everything:
            metadata["remainingItemCount"] = page.remaining
    return ListPage(kind, storage, page.records, metadata)


def _stored_page(
    api: Api, storage: Kind, selection: Selection, limit: int, after: str, revision: int, options: ListOptions
) -> Page:
    try:
        return api.store.list(storage.resource, selection, limit, after, revision)
    except TooOld:
        if options.continue_token:
            raise expired(TOKEN_TOO_OLD, continue_token(after, -1, options.namespace)) from None
        raise expired("The resourceVersion for the provided list is too old.") from None


def _list_revision(api: Api, options: ListOptions) -> int:
    wanted = parse_revision(options.resource_version)
    if wanted > api.store.revision:
        raise too_large_revision(wanted, api.store.revision)
    exact = options.resource_version_match == "Exact" or (not options.resource_version_match and options.limit > 0)
    return wanted if exact else 0


def parse_revision(text: str) -> int:
    """A client's resourceVersion as a number. Raises 400.

    Source: k8s.io/apiserver v0.34.4 pkg/storage/versioner.go: ParseResourceVersion
    """
    try:
        return parse_integer(text, UINT64)
    except IntegerError as problem:
        raise bad_request(
            f'invalid resource version: resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": '
            f"{problem}"
        ) from None


def check_list_options(options: ListOptions) -> None:
    """Refuse parameters that exclude each other.

    Source: k8s.io/apimachinery v0.34.4 pkg/apis/meta/internalversion/validation/validation.go: validateListOptions
    """
    match = options.resource_version_match
    errors: list[FieldError] = []
    if match:
        if not options.resource_version:
            errors.append(_no_match("resourceVersionMatch is forbidden unless resourceVersion is provided"))
        if options.continue_token:
            errors.append(_no_match("resourceVersionMatch is forbidden when continue is provided"))
        if match not in ("Exact", "NotOlderThan"):
            errors.append(
                FieldError(
                    "FieldValueNotSupported",
                    "resourceVersionMatch",
                    match,
                    'supported values: "Exact", "NotOlderThan", ""',
                )
            )
        if match == "Exact" and options.resource_version == "0":
            errors.append(_no_match('resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
    if options.send_initial_events is not None:
        errors.append(forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    if errors:
        raise invalid_options("ListOptions", errors)
    if options.continue_token and options.resource_version not in ("", "0"):
        raise bad_request("specifying resource version is not allowed when using continue")


def _no_match(detail: str) -> FieldError:
    return forbidden("resourceVersionMatch", detail)


# -------------------------------------------------------------------------------------------------------------- selectors


def selection_of(kind: Kind, options: ListOptions) -> Selection:
    """What the selectors of a query mean for the stored objects of a kind. Raises 400."""
    if not options.label_selector and not options.field_selector:
        return Selection(options.namespace)
    labels = _label_terms(options.label_selector) if options.label_selector else ()
    fields = _field_terms(kind, options.field_selector) if options.field_selector else ()
    return Selection(options.namespace, labels, fields)


@lru_cache(256)
def _parsed_labels(text: str) -> tuple[LabelTerm, ...]:
    return parse_label_selector(text)


def _label_terms(text: str) -> tuple[LabelTerm, ...]:
    try:
        return _parsed_labels(text)
    except SelectorError as exc:
        raise bad_request(str(exc)) from None


def _field_terms(kind: Kind, text: str) -> tuple[FieldTerm, ...]:
    try:
        terms = parse_field_selector(text)
    except SelectorError as exc:
        raise bad_request(str(exc)) from None
    found = [FieldTerm(_stored_path(kind, term.field), term.value, term.equal) for term in terms]
    return tuple(dict.fromkeys(found))


def _stored_path(kind: Kind, field: str) -> tuple[str, ...]:
    """Where a field that a selector names lies in the stored object. Raises 400 for what is not selectable.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/<group>/<version>/conversion.go: AddFieldLabelConversionsFor<Kind>
            k8s.io/apiextensions-apiserver v0.34.4 pkg/apiserver/conversion/converter.go: ConvertFieldLabel
    """
    if field == "metadata.name" or (field == "metadata.namespace" and (kind.namespaced or not kind.is_custom)):
        return ("metadata", field[9:])
    path = kind.fields.get(field)
    if path is None:
        if not kind.fields and not kind.is_custom:
            raise bad_request(f'"{field}" is not a known field selector: only "metadata.name", "metadata.namespace"')
        if kind.group and not kind.storage and not kind.is_custom:
            raise bad_request(f'field label "{field}" not supported for {kind.kind}')
        raise bad_request(f"field label not supported: {field}")
    return _converted_path(kind, path) if kind.storage else path


def _converted_path(kind: Kind, path: tuple[str, ...]) -> tuple[str, ...]:
    """The path under which the stored form of a kind keeps what this kind has at `path`."""
    moved = kind.to_storage({"kind": kind.kind, "apiVersion": kind.api_version, "metadata": {}, path[0]: "\0"})
    name = next((name for name, value in moved.items() if value == "\0"), path[0])
    return (name, *path[1:])


# ---------------------------------------------------------------------------------------------------------------- tokens


def continue_token(last_key: str, revision: int, namespace: str) -> str:
    """Where to go on, as opaque text: upstream's own form."""
    start = last_key.removeprefix(f"{namespace}/") if namespace else last_key
    token = orjson.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": start + "\0"})
    return urlsafe_b64encode(token).rstrip(b"=").decode()


def _read_token(options: ListOptions) -> tuple[str, int]:
    """The key to go on behind, and the revision of the list (0: whatever is now). Raises 400.

    Source: k8s.io/apiserver v0.34.4 pkg/storage/continue.go: DecodeContinue
    """
    token = _loaded_token(_decoded_token(options.continue_token))
    version, revision, start = token.get("v") or "", token.get("rv") or 0, token.get("start") or ""
    if version != "meta.k8s.io/v1":
        raise _bad_token(f": server does not recognize this encoded version {version}")
    if revision == 0:
        raise _bad_token(": incorrect encoded start resourceVersion (version meta.k8s.io/v1)")
    if not start:
        raise _bad_token(": encoded start key empty (version meta.k8s.io/v1)")
    key = start if start.startswith("/") else f"/{start}"
    if key.startswith("//") or normpath(key) != key:
        raise _bad_token(f": {start}")
    return key_of(options.namespace, key[1:].rstrip("\0")), max(revision, 0)


def _bad_token(why: str) -> ApiError:
    return bad_request(f"invalid continue token: continue key is not valid{why}")


def _decoded_token(text: str) -> bytes:
    bad = next((at for at, c in enumerate(text) if not (c.isascii() and (c.isalnum() or c in "-_"))), None)
    if bad is None and len(text) % 4 == 1:
        bad = len(text) - 1
    if bad is not None:
        raise _bad_token(f": illegal base64 data at input byte {bad}")
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


_TOKEN_TYPES: Final = {"v": (str, "string"), "rv": (int, "int64"), "start": (str, "string")}


def _loaded_token(raw: bytes) -> JsonObject:
    """The token's members, each of its type or null."""
    try:
        token = parse_json(raw)
    except JsonSyntaxError as problem:
        raise _bad_token(f": {problem}") from None
    if not isinstance(token, dict):
        if token is None:
            return {}
        raise _bad_token(f": json: cannot unmarshal {_go_word(token)} into Go value of type storage.continueToken")
    for name, (type_, go_type) in _TOKEN_TYPES.items():
        value = token.get(name)
        if value is not None and (not isinstance(value, type_) or isinstance(value, bool)):
            what = f"{_go_word(value)} into Go struct field continueToken.{name} of type {go_type}"
            raise _bad_token(f": json: cannot unmarshal {what}")
    return token


def _go_word(value: JsonValue) -> str:
    match value:
        case bool():
            return "bool"
        case str():
            return "string"
        case list():
            return "array"
        case dict():
            return "object"
        case _:
            return f"number {value}" if isinstance(value, float) else "number"
