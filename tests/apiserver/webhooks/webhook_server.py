"""A webhook as its author writes it: an HTTPS server of the standard library with a certificate of its own."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from lifepod.apiserver.certificates import mint_credentials

Review = dict[str, Any]
Answer = Callable[[Review], Review]


class Webhook:
    """Its `url`, the `ca` to trust it by, and every review it was asked about."""

    def __init__(self, url: str, ca: str) -> None:
        self.url, self.ca = url, ca
        self.asked: list[Review] = []

    @property
    def requests(self) -> list[Review]:
        return [review["request"] for review in self.asked]


def allowed(**more: Any) -> Review:
    return {"allowed": True, **more}


def denied(**status: Any) -> Review:
    return {"allowed": False, **({"status": status} if status else {})}


def patch(*operations: Review) -> Review:
    text = base64.b64encode(json.dumps(operations).encode()).decode()
    return {"allowed": True, "patchType": "JSONPatch", "patch": text}


def configuration(mutating: bool, name: str, webhook: Webhook, **more: Any) -> Review:
    """A configuration of one webhook for pods, `more` in its place."""
    entry = {
        "name": f"{name}.example.com",
        "clientConfig": {"url": webhook.url, "caBundle": webhook.ca},
        "rules": [{"operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        **more,
    }
    kind = "MutatingWebhookConfiguration" if mutating else "ValidatingWebhookConfiguration"
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name},
        "webhooks": [entry],
    }


@contextmanager
def serving(
    folder: Path, decide: Answer, raw: Callable[[Review], tuple[int, bytes]] | None = None
) -> Iterator[Webhook]:
    """A webhook that answers `decide(review)`; `raw` answers with a status code and bytes instead."""
    minted = mint_credentials(datetime.now(UTC))
    (folder / "tls.crt").write_bytes(minted.server.certificate)
    (folder / "tls.key").write_bytes(minted.server.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            hook.asked.append(review)
            if raw is not None:
                code, body = raw(review)
            else:
                response = {"uid": review["request"]["uid"], **decide(review)}
                code = 200
                body = json.dumps(
                    {"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response}
                ).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # refused handshakes are part of the game
    server.socket = context.wrap_socket(server.socket, server_side=True)
    hook = Webhook(
        f"https://127.0.0.1:{server.server_address[1]}/check", base64.b64encode(minted.ca.certificate).decode()
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
