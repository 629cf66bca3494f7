"""An API that listens for other machines: its certificate names the address, and nobody gets in without a credential."""

from __future__ import annotations

import asyncio
import ssl
from http.client import HTTPSConnection
from ipaddress import ip_address
from pathlib import Path

import pytest

from lifepod.assembly.bind_address import names_of
from lifepod.assembly.local_cluster import LocalCluster, LocalOptions

ALL = "0.0.0.0"


def own_address() -> str:
    """An address of this machine that other machines might use; the loopback where it has none."""
    addresses = []
    for name in names_of(ALL):
        try:
            addresses.append(ip_address(name))
        except ValueError:
            continue
    return next((str(each) for each in addresses if each.version == 4 and not each.is_loopback), "127.0.0.1")


async def _asked(cluster: LocalCluster, address: str, path: str, token: str = "") -> int:
    context = ssl.create_default_context(cadata=cluster.plane.api.settings.root_ca)

    def ask() -> int:
        connection = HTTPSConnection(address, cluster.server.port, timeout=10, context=context)
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
        status = connection.getresponse().status
        connection.close()
        return status

    return await asyncio.to_thread(ask)


@pytest.mark.parametrize("host", [ALL, "127.0.0.2"])
def test_another_address_has_a_certificate_that_names_it_and_asks_who_it_is(host: str, tmp_path: Path) -> None:
    async def check(data: Path | None) -> None:
        cluster = LocalCluster(LocalOptions("sim", nodes=0, host=host, data=data))
        await cluster.start()
        try:
            address = own_address() if host == ALL else host
            secrets = "/api/v1/namespaces/default/secrets"
            assert await _asked(cluster, address, secrets, cluster.plane.token) == 200
            assert await _asked(cluster, address, secrets) == 403
            assert await _asked(cluster, address, secrets, "guessed") == 401
            assert await _asked(cluster, address, "/version") == 200
            assert cluster.server.url.startswith("https://127.0.0.")
        finally:
            await cluster.stop()

    asyncio.run(check(None))
    asyncio.run(check(tmp_path))


def test_a_folder_of_a_cluster_that_listened_here_alone_may_listen_elsewhere(tmp_path: Path) -> None:
    async def check(host: str) -> None:
        cluster = LocalCluster(LocalOptions("sim", nodes=0, host=host, data=tmp_path))
        await cluster.start()
        try:
            assert await _asked(cluster, host, "/version") == 200
        finally:
            await cluster.stop()

    for host in ("127.0.0.1", "127.0.0.2", "127.0.0.1"):
        asyncio.run(check(host))


def test_only_a_listener_for_others_has_more_names() -> None:
    assert names_of("127.0.0.1") == ()
    assert names_of("10.1.2.3") == ("10.1.2.3",)
    assert "0.0.0.0" not in names_of(ALL)
