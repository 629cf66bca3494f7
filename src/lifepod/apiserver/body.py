"""What a request's body means: decoded as its kind, with unknown and repeated fields refused, warned of or dropped.

Source: k8s.io/apiserver v0.34.4 pkg/endpoints/handlers/create.go: createHandler (decode part)
        k8s.io/apimachinery v0.34.4 pkg/runtime/serializer/json/json.go: Decode
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lifepod.api.decode import Decoded, DecodeError, JsonSyntaxError, decode_json, prune
from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject
from lifepod.apiserver.http_errors import bad_request
from lifepod.apiserver.options import WriteOptions

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api

Body = bytes | JsonObject
"""A request's object: JSON text as it came (repeated keys can be seen), or decoded already (YAML, protobuf, in process)."""


def read_body(api: Api, kind: Kind, body: Body, options: WriteOptions) -> JsonObject:
    """The object that a POST or PUT sends. Raises 400 in upstream's words; warnings are left with the API."""
    try:
        decoded = _decoded(api, kind, body, options)
    except JsonSyntaxError as exc:
        raise bad_request(
            f"the object provided is unrecognized (must be of type {kind.kind}): couldn't get version/kind; "
            f"json parse error: {exc} ({_first_bytes(body)})"
        ) from None
    except DecodeError as exc:
        raise bad_request(f"{_frame(kind)}: {exc}") from None
    check_type(kind, decoded.obj)
    problems = decoded.problems
    if problems and options.field_validation == "Strict":
        raise bad_request(f"{_frame(kind)}: strict decoding error: {', '.join(problems)}")
    if options.field_validation == "Warn":
        api.warn(*problems)
    return decoded.obj


def _decoded(api: Api, kind: Kind, body: Body, options: WriteOptions) -> Decoded:
    type_ = api.type_of(kind)
    if isinstance(body, bytes):
        return decode_json(body, type_, duplicates=options.field_validation != "Ignore")
    return prune(body, type_)


def check_type(kind: Kind, obj: JsonObject) -> None:
    """Refuse an object that says to be of another kind or version. Either may be absent: the URL decides.

    Source: k8s.io/apimachinery v0.34.4 pkg/runtime/serializer/versioning/versioning.go: Decode
    """
    given_kind, version = obj.get("kind") or kind.kind, obj.get("apiVersion") or kind.api_version
    if given_kind == kind.kind and version == kind.api_version:
        return
    frame = f'{given_kind} in version "{version.rpartition("/")[2]}" cannot be handled as a {kind.kind}'
    if version == kind.api_version or (given_kind != kind.kind and version.rpartition("/")[0] != kind.group):
        package = (kind.group.partition(".")[0] or "core") if kind.group else "core"
        given = version.rpartition("/")[2]
        raise bad_request(f"{frame}: converting ({given}.{given_kind}) to ({package}.{kind.kind}): unknown conversion")
    raise bad_request(
        f'{frame}: no kind "{given_kind}" is registered for version "{version}" in scheme "pkg/runtime/scheme.go:110"'
    )


def _frame(kind: Kind) -> str:
    return f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}'


def _first_bytes(body: Body) -> str:
    text = body[:40].decode("utf-8", "replace") if isinstance(body, bytes) else ""
    return f"{text!r}"
