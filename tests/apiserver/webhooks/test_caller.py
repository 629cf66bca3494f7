"""Webhooks behind a pod's port are reached through the node's streams, by the loop that serves."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from pathlib import Path
from urllib.parse import urlsplit

from lifepod.apiserver.webhook_caller import WebhookCaller
from lifepod.apiserver.webhook_session import PodTarget, Question, Reply
from lifepod.runtime.base import StreamRefused
from lifepod.runtime.process.byte_stream import SocketStream

from .webhook_server import allowed, serving


class Node:
    """A node whose every pod answers at one port of this machine."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.dialled: list[tuple[str, int]] = []

    async def dial(self, pod_uid: str, port: int) -> SocketStream:
        self.dialled.append((pod_uid, port))
        if not self._port:
            raise StreamRefused(f"dial tcp4 127.0.0.1:{port}: connect: connection refused")
        return await SocketStream.wrap(socket.create_connection(("127.0.0.1", self._port)))


def asked(node: Node | None, ca: str, size: int = 10) -> Reply:
    body = json.dumps({"apiVersion": "admission.k8s.io/v1", "request": {"uid": "u", "padding": "x" * size}}).encode()
    question = Question(
        "https://127.0.0.1:443/check?timeout=5s", PodTarget("n", "uid", 8443), base64.b64decode(ca), 5, body
    )

    async def ask() -> Reply:
        return await asyncio.wrap_future(WebhookCaller(lambda name: node).ask(question))  # type: ignore[arg-type, return-value]  # of a node only `dial` is used

    return asyncio.run(ask())


def test_the_question_goes_to_the_pods_port_and_its_answer_comes_back_whole(tmp_path: Path) -> None:
    with serving(tmp_path, lambda review: allowed(warnings=["y" * 300_000])) as hook:
        node = Node(urlsplit(hook.url).port or 0)
        reply = asked(node, hook.ca, size=300_000)
    assert not reply.problem
    assert json.loads(reply.body)["response"]["warnings"] == ["y" * 300_000]
    assert node.dialled == [("uid", 8443)]
    assert len(hook.requests[0]["padding"]) == 300_000


def test_a_pod_that_does_not_listen_is_told_in_gos_words(tmp_path: Path) -> None:
    reply = asked(Node(0), "")
    assert reply.problem.endswith("127.0.0.1:8443: connect: connection refused")
    assert reply.problem.startswith('Post "https://127.0.0.1:443/check?timeout=5s": dial tcp')
    assert "connection refused" in asked(None, "").problem
