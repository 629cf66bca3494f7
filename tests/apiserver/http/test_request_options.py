"""What a query may say, and upstream's words for what it may not."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from lifepod.apiserver.exchange import Request, Response

MAPS = "/api/v1/namespaces/default/configmaps"


async def _whole(waiting: Any) -> Any:
    return await waiting


@pytest.fixture
def ask(cluster: Any):
    """Sends a request; the answer's status and its JSON."""

    def call(method: str, target: str, body: bytes = b"", content_type: str = "application/json") -> tuple[int, Any]:
        path, _, query = target.partition("?")
        sent = {"authorization": "Bearer admin-token", "content-type": content_type}
        answer = cluster.app.site(Request(method, path, query, sent, body))
        if not isinstance(answer, Response | tuple):
            answer = asyncio.run(_whole(answer))
        return answer.status, orjson.loads(answer.body) if answer.body else None

    return call


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("fieldManager=a%01b", r'fieldManager: Invalid value: "a\u0001b": invalid character U+0001 (at position 1)'),
        ("fieldManager=%C3%A9%01", r'fieldManager: Invalid value: "é\u0001": invalid character U+0001 (at position 2)'),
        ("fieldManager=" + "x" * 129, "fieldManager: Too long: may not be more than 128 bytes"),
        ("fieldManager=" + "%C3%A9" * 65, "fieldManager: Too long: may not be more than 128 bytes"),
        ("dryRun=", 'dryRun: Unsupported value: [""]: supported values: "All"'),
    ],
)
def test_the_options_of_a_create_are_checked(ask, query, says):
    status, refused = ask("POST", f"{MAPS}?{query}", b'{"metadata":{"name":"w"}}')
    assert (status, refused["message"]) == (422, f'CreateOptions.meta.k8s.io "" is invalid: {says}')


def test_the_manager_is_complained_of_before_the_dry_run(ask):
    _, refused = ask("POST", f"{MAPS}?dryRun=x&fieldManager=a%01", b'{"metadata":{"name":"w"}}')
    assert [cause["field"] for cause in refused["details"]["causes"]] == ["fieldManager", "dryRun"]


def test_only_an_apply_may_say_whether_it_forces(ask):
    ask("POST", MAPS, b'{"metadata":{"name":"m"}}')
    status, refused = ask("PATCH", f"{MAPS}/m?force=", b"{}", "application/merge-patch+json")
    assert status == 422
    assert refused["message"].endswith("force: Forbidden: may not be specified for non-apply patch")


@pytest.mark.parametrize(
    "query", ["limit=abc", "limit=", "timeoutSeconds=abc", "timeoutSeconds=", "limit=9223372036854775808"]
)
def test_a_number_of_a_list_is_a_number(ask, query):
    status, refused = ask("GET", f"{MAPS}?{query}")
    name, _, text = query.partition("=")
    why = "value out of range" if text.isdecimal() else "invalid syntax"
    assert (status, refused["message"]) == (400, f'strconv.ParseInt: parsing "{text}": {why}'), name
