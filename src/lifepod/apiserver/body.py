"""What a request's body means: decoded as its kind, with unknown and repeated fields refused, warned of or dropped.

Source: k8s.io/apiserver v0.34.4 pkg/endpoints/handlers/create.go: createHandler (decode part)
        k8s.io/apimachinery v0.34.4 pkg/runtime/serializer/json/json.go: Decode
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from lifepod.api.decode import DecodeError, JsonSyntaxError, decode_json, prune
from lifepod.api.field_errors import invalid as invalid_field
from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject
from lifepod.api.schema import Type
from lifepod.api.writes import ApiError
from lifepod.apiserver.http_errors import bad_request
from lifepod.apiserver.options import WriteOptions
from lifepod.apiserver.status_errors import invalid
from lifepod.apiserver.table_response import go_package
from lifepod.errors import LifepodError

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api


class UnreadableBody(LifepodError):
    """The body is not in the format that it says to be in; the message is upstream's, without the frame around it."""


class YamlObject(NamedTuple):
    """A YAML document as JSON text. `repeated`: what its keys that stand twice are told as, `line 8: key "name" already set in map`."""

    text: bytes
    repeated: tuple[str, ...]


class EncodedBody(NamedTuple):
    """A body that is no JSON, and how to read it. `read` raises UnreadableBody."""

    raw: bytes
    read: Callable[[bytes], JsonObject | YamlObject]


Body = bytes | JsonObject | EncodedBody
"""A request's object: JSON text as it came (repeated keys can be seen), in another format, or decoded already (in process)."""


def read_body(api: Api, kind: Kind, body: Body, options: WriteOptions) -> JsonObject:
    """The object that a POST or PUT sends. Raises 400 in upstream's words; warnings are left with the API."""
    try:
        decoded = decoded_body(body, api.type_of(kind), duplicates=options.field_validation != "Ignore")
    except JsonSyntaxError as exc:
        raise _unrecognized(kind, f"couldn't get version/kind; json parse error: {exc}", body) from None
    except UnreadableBody as exc:
        raise _unrecognized(kind, str(exc), body) from None
    except DecodeError as exc:
        raise bad_request(f"{_frame(kind)}: {exc}") from None
    if kind.is_custom:
        _check_custom_type(kind, decoded.obj, body)
    else:
        _check_type(api, kind, decoded.obj)
    if options.field_validation == "Strict" and decoded.problems:
        problems = [_MANY_IN_YAML + "\n  ".join(decoded.repeated)] if decoded.repeated else []
        problems += decoded.problems[len(decoded.repeated) :]
        raise bad_request(f"{_frame(kind)}: strict decoding error: {', '.join(problems)}")
    if options.field_validation == "Warn":
        api.warn(*decoded.problems)
    return decoded.obj


_MANY_IN_YAML: Final = "yaml: unmarshal errors:\n  "


class DecodedBody(NamedTuple):
    """`problems` begin with those that only YAML can have, `repeated`."""

    obj: JsonObject
    problems: tuple[str, ...]
    repeated: tuple[str, ...] = ()


def decoded_body(body: Body, type_: Type, *, duplicates: bool = True) -> DecodedBody:
    """The object of a body as `type_`. Raises UnreadableBody, DecodeError."""
    if isinstance(body, bytes):
        return DecodedBody(*decode_json(body, type_, duplicates=duplicates))
    if isinstance(body, dict):
        return DecodedBody(*prune(body, type_))
    found = body.read(body.raw)
    if isinstance(found, dict):
        return DecodedBody(*prune(found, type_))
    obj, problems = decode_json(found.text, type_, duplicates=False)
    return DecodedBody(obj, (*found.repeated, *problems), found.repeated) if duplicates else DecodedBody(obj, problems)


def _check_type(api: Api, kind: Kind, obj: JsonObject) -> None:
    """Refuse an object that says to be of another kind or version. Either may be absent: the URL decides.

    Source: k8s.io/apimachinery v0.34.4 pkg/runtime/serializer/versioning/versioning.go: Decode
            k8s.io/apiserver v0.34.4 pkg/endpoints/handlers/create.go: createHandler (AcceptsGroupVersion)
    """
    given_kind, version = obj.get("kind") or kind.kind, obj.get("apiVersion") or kind.api_version
    if given_kind == kind.kind and version == kind.api_version:
        return
    if problem := other_type(api, kind, obj):
        frame = f'{given_kind} in version "{version.rpartition("/")[2]}" cannot be handled as a {kind.kind}'
        raise bad_request(f"{frame}: {problem}")
    raise _other_version(kind, version)


def other_type(api: Api, kind: Kind, obj: JsonObject) -> str:
    """Why an object that says to be something else cannot be read as this kind; "" when it can, if in another version."""
    given_kind, version = obj.get("kind") or kind.kind, obj.get("apiVersion") or kind.api_version
    if given_kind == kind.kind and version == kind.api_version:
        return ""
    known = api.kinds.named(version, given_kind) or api.kinds.named(version, given_kind.removesuffix("List"))
    if known is None or known.is_custom:
        return f'no kind "{given_kind}" is registered for version "{version}" in scheme "pkg/runtime/scheme.go:110"'
    if known.kind == given_kind and known.stored_as == kind.stored_as:
        return ""
    short, package = version.rpartition("/")[2], go_package(kind.stored_as)
    return f"converting ({short}.{given_kind}) to ({package}.{kind.kind}): unknown conversion"


def _other_version(kind: Kind, version: str) -> ApiError:
    text = f"the API version in the data ({version}) does not match the expected API version ({kind.api_version})"
    return bad_request(text)


def _check_custom_type(kind: Kind, obj: JsonObject, body: Body) -> None:
    """A custom resource says what it is, in the version of the URL.

    Source: k8s.io/apimachinery v0.34.4 pkg/runtime/serializer/json/json.go: Decode (into Unstructured)
            k8s.io/apiextensions-apiserver v0.34.4 pkg/registry/customresource/validator.go: ValidateTypeMeta
    """
    given_kind, version = obj.get("kind") or "", obj.get("apiVersion") or ""
    if isinstance(body, dict):  # in process, where the caller names the kind
        given_kind, version = given_kind or kind.kind, version or kind.api_version
    if not given_kind:
        text = _raw(body).decode("utf-8", "replace")
        raise _unrecognized(kind, f"Object 'Kind' is missing in '{text}'", body)
    if version != kind.api_version:
        raise _other_version(kind, version)
    if given_kind != kind.kind:
        name = (obj.get("metadata") or {}).get("name") or ""
        raise invalid(kind.group, given_kind, name, [invalid_field("kind", given_kind, f"must be {kind.kind}")])


def _unrecognized(kind: Kind, problem: str, body: Body) -> ApiError:
    """Source: k8s.io/apiserver v0.34.4 pkg/endpoints/handlers/rest.go: transformDecodeError"""
    text = f"the object provided is unrecognized (must be of type {kind.kind}): {problem} ({_summary(_raw(body))})"
    return bad_request(text)


def _raw(body: Body) -> bytes:
    return body if isinstance(body, bytes) else orjson.dumps(body) if isinstance(body, dict) else body.raw


def _frame(kind: Kind) -> str:
    return f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}'


def _summary(body: bytes) -> str:
    """The beginning of a body that could not be read: as it came when it looks like JSON, else in hexadecimal digits.

    Source: k8s.io/apiserver v0.34.4 pkg/endpoints/handlers/rest.go: summarizeData
    """
    if not body:
        return "<empty>"
    begin = body[:30].decode("utf-8", "replace") if body.startswith(b"{") else body[:30].hex()
    return f"{begin} ..." if len(body) > 30 else begin
