"""Pods, Services and names on a real cluster, asked from inside pods."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.sandbox, pytest.mark.kubectl]

_PYTHON = "/usr/bin/python3"
_SERVER = """
import os, socket, socketserver, threading
class Tcp(socketserver.StreamRequestHandler):
    def handle(self): self.wfile.write(os.environ["HOSTNAME"].encode() + b" " + self.rfile.readline())
class Udp(socketserver.BaseRequestHandler):
    def handle(self): self.request[1].sendto(b"udp " + self.request[0], self.client_address)
socketserver.ThreadingTCPServer.allow_reuse_address = True
tcp = socketserver.ThreadingTCPServer(("", 80), Tcp)
udp = socketserver.UDPServer(("", 53), Udp)
threading.Thread(target=udp.serve_forever, daemon=True).start()
print("up", flush=True)
tcp.serve_forever()
"""
_ASK = "import socket,sys; s=socket.create_connection((sys.argv[1],int(sys.argv[2])),5); s.sendall(b'hi\\n'); print(s.makefile().read().strip())"
_ASK_UDP = "import socket; s=socket.socket(2,2); s.settimeout(5); s.connect(('web',53)); s.send(b'hi'); print(s.recv(99).decode())"
_READY = {"readinessProbe": {"tcpSocket": {"port": 80}, "periodSeconds": 1}}


def _service(name, selector, **spec):
    ports = [
        {"name": "tcp", "port": 8080, "targetPort": 80, "protocol": "TCP"},
        {"name": "udp", "port": 53, "targetPort": 53, "protocol": "UDP"},
    ]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": selector, "ports": ports, **spec},
    }


@pytest.fixture(scope="module")
def net(shared):
    """Two servers behind Services, and a client."""
    command = {"command": [_PYTHON, "-c", _SERVER], **_READY}
    shared.apply(
        _service("web", {"app": "web"}),
        _service("sticky", {"app": "web"}, sessionAffinity="ClientIP"),
        _service("headless", {"app": "web"}, clusterIP="None"),
        _service("empty", {"app": "nobody"}),
        *({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "web"}},
           "spec": {"terminationGracePeriodSeconds": 1,
                    "containers": [{"name": "c", "image": "x", **command}]}} for name in ("one", "two")),
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "client"},
         "spec": {"terminationGracePeriodSeconds": 1,
                  "containers": [{"name": "c", "image": "x", "command": ["sleep", "600"]}]}},
    )  # fmt: skip
    for name in ("one", "two", "client"):
        shared.wait(name)
    return shared


def _ask(cluster, host, port=8080, pod="client"):
    return cluster.kubectl("exec", pod, "--", _PYTHON, "-c", _ASK, host, str(port), check=False).strip()


def test_pods_talk_over_a_service_s_name_in_turn(net):
    answers = {_ask(net, "web") for _ in range(4)}
    assert answers == {"one hi", "two hi"}
    assert _ask(net, "web.default.svc.cluster.local") in answers


def test_a_pod_reaches_itself_through_its_own_service(net):
    assert {_ask(net, "web", pod="one") for _ in range(4)} == {"one hi", "two hi"}


def test_session_affinity_keeps_a_client_with_one_pod(net):
    assert len({_ask(net, "sticky") for _ in range(5)}) == 1


def test_a_service_carries_udp(net):
    assert net.kubectl("exec", "client", "--", _PYTHON, "-c", _ASK_UDP).strip() == "udp hi"


def test_a_service_without_endpoints_refuses_at_once(net):
    assert "ConnectionRefusedError" in _ask(net, "empty")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("web", 0),
        ("web.default", 0),
        ("web.default.svc.cluster.local", 0),
        ("web.default.svc.cluster.local.", 0),
        ("kubernetes.default.svc", 0),
        ("headless", 0),
        ("one.headless", 1),  # a pod without hostname and subdomain has no name of its own
        ("absent", 1),
        ("absent.default.svc.cluster.local", 1),
    ],
)
def test_names_resolve_as_cluster_dns_answers_them(net, name, code):
    said = net.kubectl("exec", "client", "--", "sh", "-c", f"nslookup {name}; echo code $?", check=False)
    assert f"code {code}" in said


def test_a_headless_service_resolves_to_its_pods(net):
    said = net.kubectl("exec", "client", "--", "nslookup", "headless")
    assert all(net.json("pod", name)["status"]["podIP"] in said for name in ("one", "two"))


_SRV = """
import socket, struct
name = b"".join(bytes([len(p)]) + p.encode() for p in "_tcp._tcp.web.default.svc.cluster.local".split(".")) + bytes(1)
s = socket.socket(2, 2); s.settimeout(5); s.connect(("10.96.0.10", 53))
s.send(struct.pack(">6H", 7, 256, 1, 0, 0, 0) + name + struct.pack(">2H", 33, 1))
answer = s.recv(4096)
at = 12 + len(name) + 4
at += 2 if answer[at] >= 192 else len(name)
print(answer[3] & 15, struct.unpack_from(">3H", answer, at + 10)[2])
"""


def test_a_named_port_has_a_srv_record(net):
    assert net.kubectl("exec", "client", "--", _PYTHON, "-c", _SRV).split() == ["0", "8080"]


_API = """
import json, os, ssl, urllib.request
base = "/var/run/secrets/kubernetes.io/serviceaccount/"
context = ssl.create_default_context(cafile=base + "ca.crt")
token, namespace = open(base + "token").read(), open(base + "namespace").read()
for server in ("kubernetes.default.svc", os.environ["KUBERNETES_SERVICE_HOST"] + ":" + os.environ["KUBERNETES_SERVICE_PORT"]):
    request = urllib.request.Request(f"https://{server}/api/v1/namespaces/{namespace}/pods/client", headers={"Authorization": "Bearer " + token})
    print(json.load(urllib.request.urlopen(request, context=context, timeout=5))["metadata"]["name"])
"""


def test_a_pod_asks_the_api_with_its_mounted_token_what_its_account_may(net):
    assert "HTTP Error 403: Forbidden" in net.kubectl("exec", "client", "--", _PYTHON, "-c", _API, check=False)
    net.kubectl("create", "rolebinding", "readers", "--clusterrole=view", "--serviceaccount=default:default")
    assert net.kubectl("exec", "client", "--", _PYTHON, "-c", _API).split() == ["client", "client"]


def test_port_forward_carries_both_ways(net):
    import re
    import socket
    import subprocess

    process = subprocess.Popen(
        ["kubectl", "port-forward", "pod/one", ":80"],
        env={**net.command.env, "KUBECONFIG": str(net.kubeconfig)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        port = int(re.search(r":(\d+) ->", process.stdout.readline())[1])
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", port), 5) as sock:
                sock.sendall(b"there\n")
                assert sock.makefile().read() == "one there\n"
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
