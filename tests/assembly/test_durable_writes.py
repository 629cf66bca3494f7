"""A cluster with a data folder: its journal knows whether one client has the server to itself."""

from __future__ import annotations

import asyncio
import json
import ssl
from http.client import HTTPSConnection
from itertools import pairwise
from pathlib import Path

from lifepod.assembly.local_cluster import LocalCluster, LocalOptions


def client_of(cluster: LocalCluster) -> HTTPSConnection:
    context = ssl.create_default_context(cadata=cluster.plane.api.settings.root_ca)
    return HTTPSConnection("127.0.0.1", cluster.server.port, timeout=10, context=context)


def created(client: HTTPSConnection, token: str, name: str) -> int:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    body = json.dumps({"metadata": {"name": name}})
    client.request("POST", "/api/v1/namespaces/default/configmaps", body, headers)
    answer = client.getresponse()
    answer.read()
    return answer.status


def test_the_journal_hears_when_another_client_speaks(tmp_path: Path) -> None:
    async def check() -> None:
        cluster = LocalCluster(LocalOptions("sim", nodes=0, data=tmp_path))
        await cluster.start()
        try:
            assert cluster._data is not None
            heard = []
            clients = [client_of(cluster), client_of(cluster)]
            for number, client in enumerate([clients[0], clients[0], clients[1], clients[1], clients[0]]):
                assert await asyncio.to_thread(created, client, cluster.plane.token, f"m{number}") == 201
                heard.append(cluster._data.journal.turns())
            assert [after - before for before, after in pairwise(heard)] == [0, 1, 0, 1]
        finally:
            await cluster.stop()

    asyncio.run(check())
