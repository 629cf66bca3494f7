"""`--runtime sim` in real time: scripted containers behind the same API, on as many nodes as asked for."""

import asyncio

from lifepod.assembly.local_cluster import LocalCluster, LocalOptions
from lifepod.client.base import Client

PODS = "/api/v1/namespaces/default/pods"


def pod(name: str, *command: str) -> dict:
    spec = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox", "command": list(command)}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


async def until(client: Client, name: str, phase: str) -> dict:
    async for event in client.watch(PODS, {"fieldSelector": f"metadata.name={name}"}):
        if event.object["status"].get("phase") == phase:
            return event.object
    raise AssertionError(f"the watch ended before {name} was {phase}")


async def story() -> tuple[list[str], dict, dict, bytes]:
    cluster = LocalCluster(LocalOptions("sim", nodes=3))
    await cluster.start()
    client = cluster.client()
    try:
        nodes = [n["metadata"]["name"] for n in (await client.get("/api/v1/nodes"))["items"]]
        await client.request("POST", PODS, pod("stays", "sh", "-c", "echo up; sleep 1000"))
        await client.request("POST", PODS, pod("ends", "sh", "-c", "exit 3"))
        stays, ends = await until(client, "stays", "Running"), await until(client, "ends", "Failed")
        log = b"".join([chunk async for chunk in client.stream(f"{PODS}/stays/log", {"container": "c"})])
        return nodes, stays, ends, log
    finally:
        await client.close()
        await cluster.stop()


def test_scripted_pods_live_in_real_time_with_logs_and_exit_codes():
    nodes, stays, ends, log = asyncio.run(asyncio.wait_for(story(), 30))
    assert nodes == ["node1", "node2", "node3"]
    assert stays["status"]["podIP"]
    assert ends["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 3
    assert log == b"up\n"
