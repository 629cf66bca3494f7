"""Listens: sockets, TLS, and the end of both. What is said on a connection is `protocol.py`'s.

TLS is asyncio's own, with a smaller read buffer: `SSLProtocol.max_size` is private, so a test guards that it is still there.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import tempfile
from asyncio import sslproto
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from lifepod.apiserver.exchange import Site
from lifepod.apiserver.http_errors import status_response, too_large
from lifepod.apiserver.listener import Listener, bound_socket
from lifepod.apiserver.protocol import MAX_BODY_BYTES, Connections, HttpProtocol

if TYPE_CHECKING:
    from lifepod.apiserver.certificates import CertifiedKey

TLS_BUFFER_BYTES: Final = 16 * 1024
HANDSHAKE_SECONDS: Final = 32
"""Source: k8s.io/apiserver v0.34.4 pkg/server/secure_serving.go: Serve (ReadHeaderTimeout); net/http: tlsHandshakeTimeout"""
_LIKE_HTTP: Final = (b"GET /", b"HEAD ", b"POST ", b"PUT /", b"OPTIO")
_SPEAK_TLS: Final = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
GRACE_SECONDS: Final = 2.0
_AS_SEEN_HERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""What a listener at all addresses is reached by on this machine."""


class Tls(NamedTuple):
    """The server's certificate and the CA that client certificates must come from (PEM)."""

    server: CertifiedKey
    client_ca: bytes


class SmallTlsProtocol(sslproto.SSLProtocol):
    """asyncio's TLS with 16 kB instead of 256 kB set aside for each connection: a watch is idle most of its life."""

    max_size = TLS_BUFFER_BYTES
    _spoke = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._plain = cast("asyncio.Transport", transport)
        super().connection_made(transport)

    def buffer_updated(self, nbytes: int) -> None:
        """Something came. Who speaks HTTP to this port is told so, in plain text.

        Source: golang net/http server.go: conn.serve, tlsRecordHeaderLooksLikeHTTP
        """
        if not self._spoke:
            self._spoke = True
            if bytes(self.get_buffer(-1)[: min(nbytes, 5)]) in _LIKE_HTTP:
                self._plain.write(_SPEAK_TLS)
                self._plain.close()
                return
        super().buffer_updated(nbytes)


class Server:
    """A listening API server. `stop` ends it; afterwards nothing of it is left in the loop."""

    def __init__(self, listener: Listener, connections: Connections, host: str, port: int, scheme: str) -> None:
        self._listener = listener
        self._connections = connections
        self.host = host
        self.port = port
        self.url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    @property
    def connection_count(self) -> int:
        """How many connections are open."""
        return len(self._connections.open)

    @property
    def turns(self) -> int:
        """How often another client than before began to speak: unchanged, one has the server to itself."""
        return self._connections.turns

    async def stop(self, grace_seconds: float = GRACE_SECONDS) -> None:
        """Take no more connections; end watches and idle connections now, give requests under way `grace_seconds`."""
        self._connections.stopping = True
        self._listener.close()
        for connection in list(self._connections.open):
            connection.shut_down()
        if not await self._all_closed(grace_seconds):
            for connection in list(self._connections.open):
                connection.transport.abort()
            await self._all_closed(1.0)

    def drop_clients(self) -> None:
        """End idle connections and streams now, requests under way when they are answered; go on listening."""
        for connection in list(self._connections.open):
            connection.shut_down()

    async def _all_closed(self, seconds: float) -> bool:
        if not self._connections.open:
            return True
        try:
            await asyncio.wait_for(self._connections.all_closed.wait(), seconds)
        except TimeoutError:
            return False
        return True


async def serve(
    site: Site,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: Tls | None = None,
    sock: socket.socket | None = None,
) -> Server:
    """Listen in the running loop, at `host`:`port` (0: any free port) or on `sock`, which is already bound.

    Without `tls` the server speaks plain HTTP. No signal handler is installed.
    """
    loop = asyncio.get_running_loop()
    connections = Connections(site, status_response(too_large(MAX_BODY_BYTES)))
    context = tls_context(tls) if tls is not None else None

    def connect() -> asyncio.BaseProtocol:
        protocol = HttpProtocol(connections, loop)
        if context is None:
            return protocol
        return SmallTlsProtocol(
            loop,
            protocol,
            context,
            cast("asyncio.Future[None]", None),  # nobody waits for the handshake
            server_side=True,
            ssl_handshake_timeout=HANDSHAKE_SECONDS,
            ssl_shutdown_timeout=1,
        )

    sock = sock or bound_socket(host, port)
    name = sock.getsockname()
    listener = Listener(sock, connect, lambda: len(connections.open))
    here = _AS_SEEN_HERE.get(name[0], name[0])
    return Server(listener, connections, here, name[1], "https" if context else "http")


def tls_context(tls: Tls) -> ssl.SSLContext:
    """Server side TLS 1.2+ that accepts, but does not ask for, client certificates of our CA."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(cadata=tls.client_ca.decode())
    context.set_alpn_protocols(["http/1.1"])
    context.num_tickets = 0  # nobody resumes, and each ticket costs a signature's worth of work and memory
    with tempfile.NamedTemporaryFile(
        prefix="lifepod-", suffix=".pem"
    ) as file:  # ssl reads keys from files only; mode 0600
        os.write(file.fileno(), tls.server.key + tls.server.certificate)
        context.load_cert_chain(file.name)
    return context
