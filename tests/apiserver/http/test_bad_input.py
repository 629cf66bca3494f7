"""What no client of good will sends is refused with a clear Status: numbers of any size, paths that are none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import orjson
import pytest

from lifepod.apiserver.exchange import Request, Response, Whole
from lifepod.apiserver.options import WriteOptions

HUGE = "9" * 5_000
"""Python refuses to make a number of more than 4,300 digits, with an error of its own."""
MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
CRON_JOBS = "/apis/batch/v1/namespaces/default/cronjobs"
BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
OUT_OF_RANGE = "value out of range"


@pytest.fixture
def filled(cluster: Any) -> Any:
    """A cluster with a config map and a pod of a node."""
    options = WriteOptions(cluster.now())
    labelled = {"metadata": {"name": "a", "labels": {"n": "5"}}}
    cluster.api.create(cluster.api.kinds.of("configmaps"), "default", labelled, options)
    pod = {"metadata": {"name": "p"}, "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "i"}]}}
    cluster.api.create(cluster.api.kinds.of("pods"), "default", pod, options)
    return cluster


def ask(cluster: Any, method: str, target: str, body: bytes, kind: str) -> Response:
    path, _, query = target.partition("?")
    headers = {"authorization": "Bearer admin-token", "content-type": kind}
    answer = cluster.app.site(Request(method, path, query, headers, body))
    whole = answer if isinstance(answer, tuple) else asyncio.run(_awaited(answer))
    assert isinstance(whole, Response)
    return whole


async def _awaited(answer: Awaitable[Whole]) -> Whole:
    return await answer


def cron_job(schedule: str) -> bytes:
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}
    spec = {"schedule": schedule, "jobTemplate": {"spec": {"template": {"spec": pod}}}}
    return orjson.dumps({"metadata": {"name": "c"}, "spec": spec})


@pytest.mark.parametrize(
    ("method", "target", "body", "status", "says"),
    [
        ("GET", f"{MAPS}?resourceVersion={HUGE}", b"", 400, OUT_OF_RANGE),
        ("GET", f"{MAPS}/a?resourceVersion={HUGE}", b"", 400, OUT_OF_RANGE),
        ("GET", f"{MAPS}?resourceVersion=1_0", b"", 400, "invalid syntax"),
        ("GET", f"{MAPS}?limit={HUGE}", b"", 400, OUT_OF_RANGE),
        ("GET", f"{MAPS}?limit=1_0", b"", 400, "invalid syntax"),
        ("GET", f"{MAPS}?watch=1&timeoutSeconds={HUGE}", b"", 400, OUT_OF_RANGE),
        ("GET", f"{MAPS}?labelSelector=n%3E{HUGE}", b"", 400, "the value must be an integer"),
        ("DELETE", f"{MAPS}/a?gracePeriodSeconds={HUGE}", b"", 400, OUT_OF_RANGE),
        ("GET", f"{PODS}/p/log?tailLines=-9223372036854775809", b"", 400, OUT_OF_RANGE),
        ("GET", f"{PODS}/p/log?sinceSeconds={HUGE}", b"", 400, OUT_OF_RANGE),
        ("GET", f"{PODS}/p/log?sinceTime=9999-12-31T23:59:59-23:59", b"", 400, "parsing time"),
        ("GET", f"{PODS}/p:{HUGE}/proxy/", b"", 400, "invalid port"),
        ("GET", f"{PODS}/p:%C2%B2/proxy/", b"", 400, "invalid port"),
        ("POST", CRON_JOBS, cron_job(f"{HUGE} * * * *"), 422, OUT_OF_RANGE),
        ("POST", CRON_JOBS, cron_job(f"@every {HUGE}h"), 422, "invalid duration"),
        ("POST", CRON_JOBS, cron_job("@every 9999999999s"), 422, "invalid duration"),
        (
            "POST",
            "/apis/apps/v1/namespaces/default/deployments",
            orjson.dumps({"metadata": {"name": "d"}, "spec": {"strategy": {"rollingUpdate": {"maxUnavailable": f"{HUGE}%"}}}}),
            422,
            "must not be greater than 100%",
        ),
    ],
)  # fmt: skip
def test_a_number_that_no_64_bits_hold_is_refused_in_gos_words(
    filled: Any, method: str, target: str, body: bytes, status: int, says: str
) -> None:
    refused = ask(filled, method, target, body, "application/json")
    assert refused.status == status
    assert says in orjson.loads(refused.body)["message"]


@pytest.mark.parametrize("number", [HUGE, f"-{HUGE}", "0b" + "1" * 9_000, "0x" + "f" * 9_000])
def test_a_number_of_a_yaml_document_that_is_too_large_is_text(filled: Any, number: str) -> None:
    body = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: mine}}\ndata: {{k: {number}}}\n".encode()
    made = ask(filled, "POST", MAPS, body, "application/yaml")
    assert made.status == 201, made.body
    assert orjson.loads(made.body)["data"]["k"] == number


@pytest.mark.parametrize("path", ["*", "a", "api/v1", "//x", "/api/v1/../v1/pods", "/openapi/v3/../../etc/passwd"])
@pytest.mark.parametrize("method", ["GET", "OPTIONS", "POST", "BREW"])
def test_what_is_no_path_is_not_found(filled: Any, method: str, path: str) -> None:
    refused = ask(filled, method, path, b"", "application/json")
    assert refused.status in (404, 405)


def test_the_position_in_a_printer_column_may_not_be_of_any_size(filled: Any) -> None:
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "additionalPrinterColumns": [{"name": "A", "type": "string", "jsonPath": f".spec[{HUGE}]"}],
        "schema": {"openAPIV3Schema": {"type": "object"}},
    }
    names = {"plural": "as", "kind": "A"}
    spec = {"group": "x.com", "scope": "Cluster", "names": names, "versions": [version]}
    body = orjson.dumps({"metadata": {"name": "as.x.com"}, "spec": spec})
    ask(filled, "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", body, "application/json")
    path, table = "/apis/x.com/v1/as", {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    listed = filled.app.site(Request("GET", path, "", {"authorization": "Bearer admin-token", **table}))
    assert listed.status < 500
