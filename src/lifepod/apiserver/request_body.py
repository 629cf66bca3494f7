"""A request's body by its Content-Type: JSON as it came, YAML and protobuf as decoded objects.

Source: k8s.io/apiserver v0.34.4 pkg/endpoints/handlers/negotiation/negotiate.go: NegotiateInputSerializer
        k8s.io/apiserver v0.34.4 pkg/endpoints/handlers/patch.go: PatchResource (the patch types)
"""

from __future__ import annotations

from typing import Final

import orjson

from lifepod.api.objects import JsonObject
from lifepod.api.writes import PatchType
from lifepod.apiserver.body import Body, EncodedBody, UnreadableBody, YamlObject, decoded_body
from lifepod.apiserver.exchange import Request
from lifepod.apiserver.http_errors import bad_request, unsupported_body, unsupported_patch

_PATCH_TYPES: Final[dict[str, PatchType]] = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
    "application/apply-patch+yaml": "apply",
}


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def object_body(request: Request) -> Body:
    """The object of a POST or PUT, not read yet: what is wrong with it is told in the words of its kind. Raises ApiError 415."""
    match _media_type(request):
        case "application/json" | "" | "application/x-www-form-urlencoded" if request.body[:4] != b"k8s\0":
            return request.body
        case "application/yaml" | "text/yaml" | "application/x-yaml":
            return EncodedBody(request.body, _yaml_object)
        case "application/vnd.kubernetes.protobuf" | "":
            return EncodedBody(request.body, _protobuf_object)
        case _:
            raise unsupported_body()


def delete_options_body(request: Request) -> JsonObject | None:
    """The DeleteOptions of a DELETE; None when there is no body. Raises ApiError 400, 415."""
    if not request.body or not request.body.strip():
        return None
    from lifepod.api.decode import DecodeError
    from lifepod.api.schema import type_named

    type_ = type_named("io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions")
    try:
        return decoded_body(object_body(request), type_).obj
    except UnreadableBody as problem:
        raise bad_request(str(problem)) from None
    except DecodeError as problem:
        raise bad_request(f'DeleteOptions in version "v1" cannot be handled as a DeleteOptions: {problem}') from None


def patch_type(request: Request) -> PatchType:
    """What kind of patch the body is. Raises ApiError 415."""
    found = _PATCH_TYPES.get(_media_type(request))
    if found is None:
        raise unsupported_patch()
    return found


def _yaml_object(body: bytes) -> YamlObject:
    """The first document as JSON text, and its repeated keys as Go's YAML library tells of them."""
    from lifepod.api.yaml_text import Repeated, YamlError, read_documents

    repeated: list[Repeated] = []
    try:
        documents = read_documents(body, repeated)
    except YamlError as problem:
        raise UnreadableBody(f"yaml: line {problem.line}: {problem.message}") from None
    lines = tuple(f'line {key.line}: key "{key.name}" already set in map' for key in repeated)
    return YamlObject(orjson.dumps(documents[0].value if documents else None), lines)


def _protobuf_object(body: bytes) -> JsonObject:
    from lifepod.api.protobuf import ProtobufError, decode_protobuf

    try:
        return decode_protobuf(body)
    except ProtobufError as problem:
        raise UnreadableBody(str(problem)) from None
