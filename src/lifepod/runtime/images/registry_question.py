"""Is there anybody at a registry's address? Any HTTP answer counts, a refusal too; a certificate that does not fit is one.

Names that do not resolve and ports where nobody listens are found out by a plain connection first: the HTTP client costs a
tenth of a second to import, which a machine without a network need not pay.
"""

from __future__ import annotations

import os
import re
import socket
import time
from typing import TYPE_CHECKING

from lifepod.runtime.images.registry import Registry, registry_host

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lifepod.api.image_reference import ImageReference

_HOST_AND_PORT = re.compile(r"\[?(?P<host>.*?)\]?(?::(?P<port>\d+))?")
_HTTPS = 443


def registry_problem(image: ImageReference, insecure: tuple[str, ...], seconds: float) -> str:
    """What keeps the image's registry from answering, "" when it answers. Blocks; resolving its name takes what it takes."""
    deadline = time.monotonic() + seconds
    if not _has_proxy() and (problem := _connection_problem(registry_host(image.domain), seconds)):
        return problem
    registry = Registry(image, insecure=insecure)
    try:
        return registry.problem(max(deadline - time.monotonic(), 0.1))
    finally:
        registry.close()


def _has_proxy(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether somebody else may have to be asked to reach a registry."""
    return any(environment.get(name) or environment.get(name.upper()) for name in ("https_proxy", "all_proxy"))


def _connection_problem(address: str, seconds: float) -> str:
    match = _HOST_AND_PORT.fullmatch(address)
    assert match is not None, "everything matches"
    host, port = match["host"], int(match["port"] or _HTTPS)
    try:
        socket.create_connection((host, port), seconds).close()
    except socket.gaierror:
        return f"no such host: {host}"
    except OSError as exc:
        return f"{host}:{port}: {(exc.strerror or str(exc)).lower()}"
    return ""
