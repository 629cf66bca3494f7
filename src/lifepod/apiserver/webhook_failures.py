"""Why a webhook could not be called, in the words of upstream's Go client."""

from __future__ import annotations

import errno
import socket
from typing import Final

import orjson

from lifepod.api.objects import JsonObject

_WORDS: Final = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset by peer",
    errno.EHOSTUNREACH: "no route to host",
    errno.ENETUNREACH: "network is unreachable",
    errno.EPIPE: "broken pipe",
}
_REFUSALS: Final = {
    400: "the server rejected our request for an unknown reason",
    401: "the server has asked for the client to provide credentials",
    403: "the server does not allow access to the requested resource",
    404: "the server could not find the requested resource",
    405: "the server does not allow this method on the requested resource",
    406: "the server was unable to respond with a content type that the client supports",
    409: "the server reported a conflict",
    415: "the server was unable to respond with a content type that the client supports",
    422: "the server rejected our request due to an error in our request",
    429: "the server has received too many requests and has asked us to try again later",
    503: "the server is currently unable to handle the request",
    504: "the server was unable to return a response in the time allotted, but may still be processing the request",
}
_EXPIRED, _SELF_SIGNED = 10, (18, 19, 20, 21)


def connection_problem(problem: OSError, host: str, port: int) -> str:
    """Why a connection was not made."""
    if isinstance(problem, socket.gaierror):
        return f"dial tcp: lookup {host}: no such host"
    shown = f"[{host}]" if ":" in host else {"localhost": "127.0.0.1"}.get(host, host)
    return f"dial tcp {shown}:{port}: connect: {_word(problem)}"


def tls_problem(problem: OSError, host: str) -> str:
    """Why a connection was of no use: its certificate, or that it broke."""
    import ssl

    if isinstance(problem, ssl.SSLCertVerificationError):
        return f"tls: failed to verify certificate: x509: {_certificate_problem(problem, host)}"
    if isinstance(problem, ssl.SSLError):
        reason = (problem.reason or str(problem)).lower().replace("_", " ")
        if reason in ("wrong version number", "http request", "record layer failure"):
            return "http: server gave HTTP response to HTTPS client"
        return f"remote error: tls: {reason}"
    return f"read tcp: {_word(problem)}"


def _certificate_problem(problem: object, host: str) -> str:
    code = getattr(problem, "verify_code", 0)
    if code in _SELF_SIGNED:
        return "certificate signed by unknown authority"
    if code == _EXPIRED:
        return "certificate has expired or is not yet valid"
    text = str(getattr(problem, "verify_message", ""))
    return f"certificate is not valid for any names, but wanted to match {host}" if "mismatch" in text else text


def _word(problem: OSError) -> str:
    return _WORDS.get(problem.errno or 0) or (problem.strerror or str(problem) or "EOF").lower()


def answer_problem(status: int, body: bytes) -> str:
    """What an answer with a bad status code means; "" for a good one.

    Source: k8s.io/apimachinery v0.34.4 pkg/api/errors/errors.go: NewGenericServerResponse
    """
    if 200 <= status <= 206:
        return ""
    told = _status_of(body)
    if told.get("message"):
        return str(told["message"])
    if status in _REFUSALS:
        return _REFUSALS[status]
    if status >= 500:
        text = body.decode("utf-8", "replace").strip() or "unknown"
        return f"an error on the server ({orjson.dumps(text).decode()}) has prevented the request from succeeding"
    return f"the server responded with the status code {status} but did not return more information"


def _status_of(body: bytes) -> JsonObject:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) and found.get("kind") == "Status" else {}
