"""What a test's own HTTPS server needs to be trusted by the cluster: a webhook's certificate and its `caBundle`."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import NamedTuple

from lifepod.apiserver.certificates import mint_server
from lifepod.assembly.real_time import RealClock
from lifepod.assembly.simulated import virtual_credentials


class ServerTls(NamedTuple):
    """Files for `ssl.SSLContext.load_cert_chain`, and the base64 text of a webhook's `caBundle`."""

    certificate: Path
    key: Path
    ca_bundle: str


def server_tls(folder: Path, names: tuple[str, ...]) -> ServerTls:
    """A certificate for this machine's loopback and `names`, valid now in real time; servers do not live in the cluster's."""
    ca = virtual_credentials().ca
    minted = mint_server(ca, names, RealClock().now())
    made = ServerTls(folder / "server.crt", folder / "server.key", base64.b64encode(ca.certificate).decode())
    for path, content in ((made.certificate, minted.certificate), (made.key, minted.key)):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    return made
