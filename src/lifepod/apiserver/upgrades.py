"""May this request become a tunnel, over which wire, and which protocol will be spoken in it.

Browsers, Python and kubectl from 1.31 on ask for a WebSocket; older kubectl and most programs in Go for SPDY/3.1.

Source: k8s.io/apimachinery v0.34.4 pkg/util/httpstream/httpstream.go: Handshake
"""

from __future__ import annotations

from typing import Final, NamedTuple

from lifepod.apiserver.exchange import SPDY, WEBSOCKET, Request, Wire
from lifepod.apiserver.http_errors import bad_request, refusal

_SPDY_PROTOCOLS: Final = "x-stream-protocol-version"


class Chosen(NamedTuple):
    """What was agreed upon."""

    wire: Wire
    protocol: str


def chosen_protocol(request: Request, websocket: tuple[str, ...], spdy: tuple[str, ...]) -> Chosen:
    """The first of the served protocols that the client offers; "" in `websocket` is for those who offer nothing.

    Raises ApiError 400 when this cannot become a tunnel, 403 when nothing of what is offered is served.
    """
    wanted = request.headers.get("upgrade", "").lower()
    if not wanted or "upgrade" not in request.headers.get("connection", "").lower():
        raise bad_request("Upgrade request required")
    if wanted == SPDY.lower():
        return Chosen(SPDY, _spdy_protocol(request, spdy))
    if wanted != "websocket":
        raise bad_request(f"the server streams over WebSocket and SPDY/3.1 only, not {wanted.upper()}")
    if request.headers.get("sec-websocket-version") != "13" or not request.headers.get("sec-websocket-key"):
        raise bad_request("the WebSocket handshake needs Sec-WebSocket-Version 13 and a Sec-WebSocket-Key")
    offered = _names(request, "sec-websocket-protocol")
    for protocol in websocket:
        if protocol in offered:
            return Chosen(WEBSOCKET, protocol)
    raise bad_request(f"unable to upgrade: the WebSocket must offer one of the subprotocols {', '.join(websocket)}")


def _spdy_protocol(request: Request, served: tuple[str, ...]) -> str:
    offered = _names(request, _SPDY_PROTOCOLS)
    for protocol in served:
        if protocol in offered:
            return protocol
    client, server = " ".join(name for name in offered if name), " ".join(served)
    raise refusal(
        403,
        "Forbidden",
        f"unable to upgrade: unable to negotiate protocol: client supports [{client}], server accepts [{server}]",
    )


def _names(request: Request, header: str) -> list[str]:
    return [name.strip() for name in request.headers.get(header, "").split(",")]
