"""Pods reach each other by address, by Service and by name, inside namespaces made without root's help."""

from __future__ import annotations

import pytest

from lifepod.net import NodeNetwork, service_table

pytestmark = pytest.mark.sandbox

_SERVER = """
import socketserver
class Handler(socketserver.StreamRequestHandler):
    def handle(self): self.wfile.write(b"hello " + self.rfile.readline())
server = socketserver.TCPServer(("", 80), Handler)
print("up", flush=True)
server.serve_forever()
"""
_CLIENT = "import socket,sys; s=socket.create_connection((sys.argv[1],8080),5); s.sendall(b'me\\n'); print(s.makefile().read())"


def _service(name, cluster_ip, *ips):
    service = {
        "metadata": {"namespace": "default", "name": name},
        "spec": {"clusterIP": cluster_ip, "ports": [{"name": "web", "port": 8080, "protocol": "TCP"}]},
    }
    found = {
        "metadata": {"namespace": "default", "name": f"{name}-x", "labels": {"kubernetes.io/service-name": name}},
        "ports": [{"name": "web", "protocol": "TCP", "port": 80}],
        "endpoints": [{"addresses": [ip], "conditions": {"ready": True}} for ip in ips],
    }
    return service, found


def test_a_service_name_leads_to_another_pod_and_back_to_one_s_own(on_sandbox):
    async def story(node):
        network = NodeNetwork("10.96.0.0/16", node.runtime.node_socket)
        await network.start()
        there = await node.pod(uid="u1", name="server")
        server = await node.start(there, "/usr/bin/python3", "-c", _SERVER, uid="u1")
        ip = node.latest["u1"].sandboxes[0].ips[0]
        objects = [
            _service("myservice", "10.96.1.2", ip),
            _service("headless", "None", ip),
            _service("empty", "10.96.1.3"),
        ]
        await network.update(service_table([s for s, _ in objects], [e for _, e in objects]))
        here = await node.pod(uid="u2", name="client")

        async def run(*command, uid="u2", sandbox=here):
            return await node.run(sandbox, *command, uid=uid)

        from lifepod.runtime.base import LogOptions

        await anext(aiter(node.runtime.log("u1", server, LogOptions(follow=True))))
        assert (await run("/usr/bin/python3", "-c", _CLIENT, "myservice"))[1].strip() == b"hello me"
        own = await node.runtime.exec(
            "u1", server, ("/usr/bin/python3", "-c", _CLIENT, "myservice"), stdin=False, tty=False
        )
        assert b"".join([data async for _, data in own.output()]).strip() == b"hello me"
        for name in ("myservice", "myservice.default.svc.cluster.local"):
            code, output = await run("nslookup", name)
            assert (code, b"10.96.1.2" in output) == (0, True)
        code, output = await run("nslookup", "headless")
        assert (code, ip.encode() in output) == (0, True)
        assert (await run("nslookup", "absent"))[0] == 1
        code, output = await run("/usr/bin/python3", "-c", _CLIENT, "empty")
        assert (code, b"ConnectionRefusedError" in output) == (1, True)
        await network.close()

    on_sandbox(story)
