"""In which form an answer goes out: JSON, pretty JSON or YAML; the object itself, a Table, or its metadata alone.

Answers are never protobuf: every client that asks for it takes JSON second, and picks its decoder by what came.

Source: k8s.io/apiserver v0.34.4 pkg/endpoints/handlers/negotiation/negotiate.go: MediaTypesForRequest, NegotiateMediaTypeOptions
        github.com/munnerz/goautoneg v0.0.0 accept.go: the order of clauses
"""

from __future__ import annotations

import zlib
from typing import Final, Literal, NamedTuple

import orjson

from lifepod.api.objects import JsonValue
from lifepod.apiserver.exchange import Request, Response
from lifepod.apiserver.http_errors import not_acceptable

Convert = Literal["", "Table", "PartialObjectMetadata", "PartialObjectMetadataList", "APIGroupDiscoveryList"]
GZIP_FROM: Final = 128 * 1024
_TRUE: Final = frozenset(("1", "t", "T", "TRUE", "true", "True"))
_BROWSERS: Final = ("curl", "Wget", "Mozilla/5.0")


class Form(NamedTuple):
    """The form of an answer. `version` is that of what it is converted to (`v1`, `v1beta1`; `v2` for discovery)."""

    convert: Convert = ""
    version: str = ""
    yaml: bool = False


JSON_FORM: Final = Form()
_KNOWN: dict[str, Form | None] = {"": JSON_FORM, "application/json": JSON_FORM, "*/*": JSON_FORM}
_MAX_KNOWN: Final = 256


def accepted_form(request: Request, *, discovery: bool = False) -> Form:
    """What the Accept header asks for. Raises ApiError 406 when nothing of it is on offer."""
    header = request.headers.get("accept", "")
    key = f"{header}\0" if discovery else header
    if key not in _KNOWN:
        if len(_KNOWN) >= _MAX_KNOWN:
            _KNOWN.clear()
        _KNOWN[key] = _first_acceptable(header, discovery)
    form = _KNOWN[key]
    if form is None:
        raise not_acceptable()
    return form


def _first_acceptable(header: str, discovery: bool) -> Form | None:
    clauses = [_clause(text) for text in header.split(",") if text.strip()]
    if not clauses:
        return JSON_FORM
    for media, params in sorted(clauses, key=_rank):
        if media in ("application/json", "*/*", "application/*", "application/yaml", "text/yaml"):
            form = _converted(params, discovery, media in ("application/yaml", "text/yaml"))
            if form is not None:
                return form
    return None


def _clause(text: str) -> tuple[str, dict[str, str]]:
    media, *params = (part.strip() for part in text.split(";"))
    return media.lower(), {k.strip(): v.strip().strip('"') for k, _, v in (param.partition("=") for param in params)}


def _rank(clause: tuple[str, dict[str, str]]) -> tuple[float, bool, bool]:
    media, params = clause
    try:
        quality = float(params.get("q", "1"))
    except ValueError:
        quality = 1.0
    return -quality, media.startswith("*/"), media.endswith("/*")


def _converted(params: dict[str, str], discovery: bool, yaml: bool) -> Form | None:
    wanted, group, version = params.get("as", ""), params.get("g", ""), params.get("v", "")
    match wanted:
        case "":
            return Form("", "", yaml)
        case "Table" | "PartialObjectMetadata" | "PartialObjectMetadataList":
            if not discovery and group == "meta.k8s.io" and version in ("v1", "v1beta1"):
                return Form(wanted, version, yaml)
        case "APIGroupDiscoveryList":
            if discovery and group == "apidiscovery.k8s.io" and version in ("v2", "v2beta1"):
                return Form(wanted, version, yaml)
        case _:
            pass
    return None


def is_pretty(request: Request) -> bool:
    """Whether JSON is indented: when asked for, and for people's command lines and browsers."""
    if asked := request.param("pretty"):
        return asked in _TRUE
    return request.headers.get("user-agent", "").startswith(_BROWSERS)


def encoded(value: JsonValue) -> bytes:
    """Compact JSON with the newline that every answer ends in."""
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)


def dressed(response: Response, request: Request, form: Form) -> Response:
    """A JSON answer in the form asked for: YAML, indented, compressed, or as it is."""
    status, body, content_type, headers = response
    if form.yaml and content_type == "application/json" and body:
        from lifepod.apiserver.yaml_answers import as_yaml

        body, content_type = as_yaml(body), "application/yaml"
    elif is_pretty(request) and content_type.startswith("application/json") and body:
        body = orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    elif len(body) <= GZIP_FROM:
        return response
    if len(body) > GZIP_FROM and _takes_gzip(request):
        compressor = zlib.compressobj(1, zlib.DEFLATED, 31)
        body = compressor.compress(body) + compressor.flush()
        headers = (*headers, ("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding"))
    return Response(status, body, content_type, headers)


def _takes_gzip(request: Request) -> bool:
    """Whether the client names gzip, bare; with a quality it does not count.

    Source: k8s.io/apiserver v0.34.4 pkg/endpoints/handlers/responsewriters/writers.go: negotiateContentEncoding
    """
    return any(each.strip() == "gzip" for each in request.headers.get("accept-encoding", "").split(","))
