"""Bytes that were right once and were then damaged: bodies, patches, selectors, tokens, WebSocket frames. Never our mistake.

`LIFEPOD_FUZZ=100` tries a hundred times as many. A failure names its seed: `LIFEPOD_FUZZ_SEED=N` tries that one alone.
"""

import asyncio
import base64
import contextlib
import json
import logging
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from lifepod.apiserver.exchange import Request, Response, Stream
from lifepod.apiserver.server import serve

TRIES = 150 * int(os.environ.get("LIFEPOD_FUZZ", "1"))
ONLY = os.environ.get("LIFEPOD_FUZZ_SEED")
HEADERS = {"authorization": "Bearer admin-token"}
NS = "/api/v1/namespaces/default"
BODIES = json.loads((Path(__file__).parents[2] / "api" / "kubectl_protobuf_bodies.json").read_text())
POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p", "labels": {"a": "b"}, "ownerReferences": [], "finalizers": []},
    "spec": {
        "containers": [
            {
                "name": "c",
                "image": "busybox",
                "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                "ports": [{"containerPort": 80}],
                "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "2"}},
                "livenessProbe": {"httpGet": {"port": 80}, "periodSeconds": 1},
                "lifecycle": {"preStop": {"exec": {"command": ["x"]}}},
                "volumeMounts": [{"name": "v", "mountPath": "/v"}],
            }
        ],
        "volumes": [{"name": "v", "projected": {"sources": [{"secret": {"name": "s"}}]}}],
        "tolerations": [{"key": "k", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}},
        "topologySpreadConstraints": [],
        "schedulingGates": [{"name": "g"}],
    },
}
OTHERS = {
    "/apis/batch/v1/namespaces/default/jobs": {
        "metadata": {"name": "j"},
        "spec": {
            "template": {"spec": {"restartPolicy": "Never", "containers": POD["spec"]["containers"][:1]}},
            "podFailurePolicy": {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "x", "status": "True"}]}]},
        },
    },
    "/apis/apps/v1/namespaces/default/deployments": {
        "metadata": {"name": "d"},
        "spec": {
            "selector": {
                "matchLabels": {"a": "b"},
                "matchExpressions": [{"key": "k", "operator": "In", "values": ["v"]}],
            },
            "strategy": {"rollingUpdate": {"maxSurge": "25%"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": POD["spec"]},
        },
    },
    f"{NS}/services": {
        "metadata": {"name": "s"},
        "spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30001}]},
    },
    f"{NS}/resourcequotas": {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "9", "requests.cpu": "9"}}},
    f"{NS}/limitranges": {"metadata": {"name": "l"}, "spec": {"limits": [{"type": "Pod", "max": {"cpu": "9"}}]}},
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions": {
        "metadata": {"name": "ws.ex.io"},
        "spec": {
            "group": "ex.io",
            "scope": "Namespaced",
            "names": {"plural": "ws", "kind": "W", "shortNames": ["w"]},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {
                                "spec": {"type": "object", "properties": {"a": {"type": "string", "pattern": "a"}}}
                            },
                        }
                    },
                    "additionalPrinterColumns": [{"name": "A", "type": "string", "jsonPath": ".spec.a"}],
                }
            ],
        },
    },
}
ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    1e308,
    2**63,
    2**31,
    "",
    "x" * 300,
    "\u0000",
    "é",
    [],
    {},
    [None],
    {"": None},
    "1Gi",
    "0x1",
    "-1",
    ["a", "a"],
]


def seeds() -> Iterator[random.Random]:
    """A source of chance per try; the seed stands in the name of the failing assertion."""
    for seed in [int(ONLY)] if ONLY else range(TRIES):
        chance = random.Random(seed)
        chance.named = seed  # type: ignore[attr-defined]
        yield chance


def damaged(value: Any, chance: random.Random) -> Any:
    """A copy with one to three places changed."""
    copy = json.loads(json.dumps(value))
    for _ in range(chance.randint(1, 3)):
        at = copy
        while True:
            keys = list(at) if isinstance(at, dict) else list(range(len(at)))
            if not keys:
                break
            key = chance.choice(keys)
            if isinstance(at[key], dict | list) and at[key] and chance.random() < 0.8:
                at = at[key]
                continue
            if chance.random() < 0.2 and isinstance(at, dict):
                del at[key]
            else:
                at[key] = json.loads(json.dumps(chance.choice(ODD)))
            break
    return copy


def scrambled(data: bytes, chance: random.Random) -> bytes:
    """Bytes with a few flipped, cut or doubled."""
    made = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(made) + 1)
        match chance.randrange(4):
            case 0 if at < len(made):
                made[at] ^= 1 << chance.randrange(8)
            case 1:
                del made[at : at + chance.randint(1, 8)]
            case 2:
                made[at:at] = bytes(chance.randrange(256) for _ in range(chance.randint(1, 4)))
            case _:
                made[at:at] = made[at : at + 8]
    return bytes(made)


@pytest.fixture
def send(cluster: Any, caplog: pytest.LogCaptureFixture):
    """Sends a request; fails when the answer is a mistake of ours."""
    caplog.set_level(logging.ERROR)

    def call(chance: Any, method: str, path: str, body: bytes, content_type: str, query: str = "") -> Response | None:
        request = Request(method, path, query, HEADERS | {"content-type": content_type}, body)
        answer = cluster.app.site(request)
        told = f"seed {chance.named}: {method} {path}?{query} {content_type} {body[:2000]!r}"
        assert not caplog.records, told
        if isinstance(answer, Response):
            assert answer.status in (500, 504) or answer.status < 500, told
            assert (
                b'"reason":"InternalError"' not in answer.body or b"Internal error occurred: failed" in answer.body
            ), told
            return answer
        if not isinstance(answer, Stream):
            answer.close()
        return None

    return call


def test_damaged_objects(send):
    for chance in seeds():
        path, good = chance.choice([(f"{NS}/pods", POD), *OTHERS.items()])
        body = json.dumps(damaged(good, chance)).encode()
        if chance.random() < 0.2:
            body = scrambled(body, chance)
        send(chance, "POST", path, body, chance.choice(["application/json", "application/yaml"]), "dryRun=All")
        send(chance, "POST", path, body, "application/json")
        send(chance, "PUT", f"{path}/{good['metadata']['name']}", body, "application/json")
        send(chance, "DELETE", f"{path}/{good['metadata']['name']}", b'{"gracePeriodSeconds":0}', "application/json")


def test_damaged_protobuf(send):
    plurals = {"configmap": "configmaps", "secret": "secrets", "serviceaccount": "serviceaccounts"}
    for chance in seeds():
        command, text = chance.choice(list(BODIES.items()))
        path = f"{NS}/{plurals.get(command.split()[1], 'configmaps')}"
        send(chance, "POST", path, scrambled(base64.b64decode(text), chance), "application/vnd.kubernetes.protobuf")


PATCHES: list[tuple[str, Any]] = [
    (
        "application/json-patch+json",
        [
            {"op": "replace", "path": "/spec/containers/0/image", "value": "x"},
            {"op": "copy", "from": "/metadata/labels", "path": "/metadata/annotations"},
            {"op": "test", "path": "/kind", "value": "Pod"},
        ],
    ),
    (
        "application/merge-patch+json",
        {"metadata": {"labels": {"a": None, "b": "c"}}, "spec": {"activeDeadlineSeconds": 5}},
    ),
    (
        "application/strategic-merge-patch+json",
        {
            "spec": {
                "$setElementOrder/containers": [{"name": "c"}],
                "containers": [{"name": "c", "image": "y", "$patch": "merge"}],
                "$retainKeys": ["containers"],
            },
            "metadata": {"$deleteFromPrimitiveList/finalizers": ["x"]},
        },
    ),
    (
        "application/apply-patch+yaml",
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "p"},
            "spec": {"containers": [{"name": "c", "image": "z", "env": [{"name": "A", "value": "1"}]}]},
        },
    ),
]


def test_damaged_patches(send):
    first = next(seeds())
    send(first, "POST", f"{NS}/pods", json.dumps(POD).encode(), "application/json")
    for chance in seeds():
        kind, good = chance.choice(PATCHES)
        body = json.dumps(damaged(good, chance)).encode()
        body = scrambled(body, chance) if chance.random() < 0.2 else body
        sub = chance.choice(["", "/status", "/resize", "/ephemeralcontainers"])
        query = "fieldManager=f&force=true" if kind.endswith("yaml") else "fieldManager=f"
        send(chance, "PATCH", f"{NS}/pods/p{sub}", body, kind, query)


def test_damaged_selectors_and_tokens(send):
    token = base64.urlsafe_b64encode(b'{"v":"meta.k8s.io/v1","rv":9,"start":"a\\u0000"}')
    goods = [
        ("labelSelector", b"a=b,c!=d,e in (f,g),h notin (i),!j,k,l>1"),
        ("fieldSelector", rb"metadata.name=x,spec.nodeName!=y,status.phase=\,"),
        ("continue", token),
        ("resourceVersion", b"12"),
    ]
    for chance in seeds():
        name, good = chance.choice(goods)
        query = f"{name}={quote(scrambled(good, chance))}&limit={chance.choice(['1', '', '-1', '9' * 30, 'x'])}"
        send(chance, "GET", f"{NS}/pods", b"", "", query)
        send(chance, "DELETE", f"{NS}/secrets", b"", "", query)


def test_damaged_websocket_frames_end_the_socket_and_nothing_else(
    cluster: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """An exec whose client sends garbage after the handshake; the server goes on."""
    upgrade = (
        b"GET /api/v1/namespaces/default/pods/p/exec?command=cat&stdin=true&stdout=true HTTP/1.1\r\nHost: x\r\n"
        b"Authorization: Bearer admin-token\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n"
    )
    frame = b"\x82\x86\x01\x02\x03\x04\x01jfolq" + b"\x89\x80\x00\x00\x00\x00" + b"\x82\x82\x00\x00\x00\x00\xff\x00"

    async def one(port: int, chance: random.Random) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(upgrade + scrambled(frame, chance))
        writer.write_eof() if chance.random() < 0.5 else None
        with contextlib.suppress(TimeoutError, ConnectionError):
            await asyncio.wait_for(reader.read(200), 0.2)
        writer.close()

    async def main() -> None:
        plain = {**POD, "spec": {"containers": [{"name": "c", "image": "busybox"}]}}
        cluster.app.site(Request("POST", f"{NS}/pods", "", HEADERS, json.dumps(plain).encode()))
        cluster.run_pods()
        server = await serve(cluster.app.site)
        for chance in seeds():
            await one(server.port, chance)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in await reader.read(100)
        writer.close()
        await server.stop(0.2)

    asyncio.run(main())
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR], caplog.text
