"""May this request become a WebSocket, and which subprotocol will it speak.

Only WebSockets are served: a client that asks for SPDY (kubectl before 1.31, and newer ones after a refusal) is told so.
"""

from __future__ import annotations

from lifepod.apiserver.exchange import Request
from lifepod.apiserver.http_errors import bad_request


def chosen_subprotocol(request: Request, served: tuple[str, ...]) -> str:
    """The first of `served` that the client offers; "" in `served` is for those who offer nothing. Raises ApiError 400 when this cannot become a WebSocket."""
    wanted = request.headers.get("upgrade", "").lower()
    if not wanted or "upgrade" not in request.headers.get("connection", "").lower():
        raise bad_request("Upgrade request required")
    if wanted != "websocket":
        raise bad_request(f"the server streams over WebSocket only, not {wanted.upper()}; kubectl does so from 1.31 on")
    if request.headers.get("sec-websocket-version") != "13" or not request.headers.get("sec-websocket-key"):
        raise bad_request("the WebSocket handshake needs Sec-WebSocket-Version 13 and a Sec-WebSocket-Key")
    offered = {name.strip() for name in request.headers.get("sec-websocket-protocol", "").split(",")}
    for protocol in served:
        if protocol in offered:
            return protocol
    raise bad_request(f"unable to upgrade: the WebSocket must offer one of the subprotocols {', '.join(served)}")
