"""An API elsewhere: a `Transport` over HTTPS, with the credentials of a kubeconfig context. Imported only when needed."""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
from collections.abc import AsyncIterator

import httpx

from lifepod.client.base import Response
from lifepod.client.errors import ClientError
from lifepod.client.kubeconfig import Access


class Http:
    """A connection pool to one API server."""

    def __init__(self, access: Access) -> None:
        self._access = access
        headers = {"authorization": f"Bearer {access.token}"} if access.token else {}
        auth = httpx.BasicAuth(access.username, access.password) if access.username else None
        self._client = httpx.AsyncClient(
            base_url=access.server,
            verify=_ssl_context(access) if access.server.startswith("https") else False,
            headers=headers,
            auth=auth,
            proxy=access.proxy or None,
            timeout=httpx.Timeout(30, read=None),
            limits=httpx.Limits(max_connections=None),
        )

    async def send(
        self, method: str, target: str, headers: tuple[tuple[str, str], ...] = (), body: bytes = b""
    ) -> Response:
        """Send; returns at the answer's head."""
        extensions = {"sni_hostname": self._access.server_name} if self._access.server_name else {}
        request = self._client.build_request(
            method, self._access.server + target, headers=list(headers), content=body or None, extensions=extensions
        )
        try:
            response = await self._client.send(request, stream=True)
        except httpx.HTTPError as exc:
            text = str(exc) or type(exc).__name__
            raise ClientError(f"{self._access.server} cannot be reached: {text}. Is the cluster up?") from exc
        shown = tuple((name.lower(), value) for name, value in response.headers.multi_items())
        return Response(response.status_code, shown, _chunks(response))

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()


async def _chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.aiter_bytes():
            yield chunk
    except httpx.HTTPError as exc:
        raise ClientError(f"the connection broke in the middle of an answer: {exc or type(exc).__name__}") from exc
    finally:
        await response.aclose()


def _ssl_context(access: Access) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=access.ca_pem.decode() if access.ca_pem else None)
    if not access.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if access.client_cert_pem:
        # OpenSSL reads certificates only from files; these are gone again before anybody could look.
        with tempfile.NamedTemporaryFile(delete=False) as file:
            file.write(access.client_cert_pem + b"\n" + access.client_key_pem)
        try:
            context.load_cert_chain(file.name)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(file.name)
    return context
