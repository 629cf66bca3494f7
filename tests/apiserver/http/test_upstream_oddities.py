"""What imitations of the API get wrong: one test each, over the request's whole way through the site.

The list is that of people who wrote clients against imitations; what needs running pods is in `tests/conformance/`.
"""

import asyncio
import base64
import json
from typing import Any

import orjson
import pytest

from lifepod.apiserver.exchange import Request, Response

NS = "/api/v1/namespaces/default"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
MAP = {"metadata": {"name": "m"}, "data": {"a": "1"}}
POD = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "busybox"}]}}


async def _whole(waiting: Any) -> Any:
    return await waiting


@pytest.fixture
def ask(cluster: Any):
    """Sends a request; the answer's status and JSON."""

    def call(method: str, target: str, body: Any = None, **headers: str) -> tuple[int, Any, Response]:
        path, _, query = target.partition("?")
        sent = {"authorization": "Bearer admin-token", "content-type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        answer = cluster.app.site(Request(method, path, query, sent, raw))
        if not isinstance(answer, Response):
            answer = asyncio.run(_whole(answer))
        assert isinstance(answer, Response)
        is_json = answer.body[:1] in (b"{", b"[")
        return answer.status, orjson.loads(answer.body) if is_json else answer.body, answer

    return call


def test_revisions_are_numbers_of_one_counter_for_all_kinds(ask):
    revisions = []
    for path, body in ((f"{NS}/configmaps", MAP), (f"{NS}/secrets", {"metadata": {"name": "s"}}), (f"{NS}/pods", POD)):
        revisions.append(int(ask("POST", path, body)[1]["metadata"]["resourceVersion"]))
    assert revisions == sorted(set(revisions))
    assert int(ask("GET", f"{NS}/configmaps")[1]["metadata"]["resourceVersion"]) >= revisions[-1]


def test_a_write_that_changes_nothing_gets_no_revision(ask):
    made = ask("POST", f"{NS}/configmaps", MAP)[1]
    again = ask("PATCH", f"{NS}/configmaps/m", {"data": {"a": "1"}}, content_type="application/merge-patch+json")[1]
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_details_name_the_plural_but_in_422_the_kind(ask):
    assert ask("GET", "/apis/batch/v1/namespaces/default/jobs/x")[1]["details"] == {
        "name": "x",
        "group": "batch",
        "kind": "jobs",
    }
    refused = ask("POST", f"{NS}/pods", {"metadata": {"name": "x"}, "spec": {}})[1]
    assert refused["details"]["kind"] == "Pod"
    assert refused["details"]["causes"] == [
        {"reason": "FieldValueRequired", "message": "Required value", "field": "spec.containers"}
    ]


def test_legacy_and_aggregated_discovery(ask):
    assert "kind" in ask("GET", "/api/v1")[1]
    assert ask("GET", "/version/")[1]["major"] == "1"
    assert ask("GET", "/api/")[1]["kind"] == "APIVersions"
    wanted = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    _, found, answer = ask("GET", "/apis", accept=wanted)
    assert (found["kind"], answer.content_type) == ("APIGroupDiscoveryList", wanted)
    evictions = [r for r in ask("GET", "/api/v1")[1]["resources"] if r["name"] == "pods/eviction"]
    assert (evictions[0]["group"], evictions[0]["kind"]) == ("policy", "Eviction")


def test_events_are_one_storage_of_two_groups_and_their_table_ends_with_the_name(ask):
    event = {
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
        "reason": "R",
        "message": "m",
    }
    ask("POST", f"{NS}/events", event)
    other = ask("GET", "/apis/events.k8s.io/v1/namespaces/default/events/e")[1]
    assert (other["regarding"]["name"], other["note"]) == ("p", "m")
    columns = [c["name"] for c in ask("GET", f"{NS}/events", accept=TABLE)[1]["columnDefinitions"]]
    assert columns[-1] == "Name"
    assert "Age" not in columns


def test_a_pod_row_has_all_nine_cells(ask):
    ask("POST", f"{NS}/pods", POD)
    table = ask("GET", f"{NS}/pods", accept=TABLE)[1]
    assert [len(row["cells"]) for row in table["rows"]] == [len(table["columnDefinitions"])] == [9]


@pytest.mark.parametrize(
    ("selector", "code"),
    [
        ("metadata.name=m,metadata.name=m", 200),
        ("metadata.name!=other,metadata.namespace=default", 200),
        ("data.a=1", 400),
    ],
)
def test_field_selectors_may_repeat_and_negate_but_not_invent(ask, selector, code):
    ask("POST", f"{NS}/configmaps", MAP)
    status, found, _ = ask("GET", f"{NS}/configmaps?fieldSelector={selector}")
    assert status == code
    if code == 200:
        assert "m" in [item["metadata"]["name"] for item in found["items"]]


def test_a_list_from_revision_0_knows_no_pages(ask):
    for name in ("a", "b", "c"):
        ask("POST", f"{NS}/configmaps", {"metadata": {"name": name}})
    whole = ask("GET", f"{NS}/configmaps?limit=1&resourceVersion=0")[1]
    assert len(whole["items"]) > 1
    assert "continue" not in whole["metadata"]
    page = ask("GET", f"{NS}/configmaps?limit=1&labelSelector=!x")[1]["metadata"]
    assert page["continue"]
    assert "remainingItemCount" not in page


def test_strict_validation_refuses_and_warn_warns_once_each(ask):
    wrong = {**POD, "spec": {**POD["spec"], "bogus": 1, "other": 2}}
    refused = ask("POST", f"{NS}/pods?fieldValidation=Strict", wrong)
    assert refused[0] == 400
    assert refused[1]["message"].endswith(
        'strict decoding error: unknown field "spec.bogus", unknown field "spec.other"'
    )
    headers = [
        value for name, value in ask("POST", f"{NS}/pods?fieldValidation=Warn", wrong)[2].headers if name == "Warning"
    ]
    assert headers == ['299 - "unknown field \\"spec.bogus\\""', '299 - "unknown field \\"spec.other\\""']


def test_container_statuses_are_replaced_and_conditions_merged(ask):
    ask("POST", f"{NS}/pods", POD)
    kind = "application/strategic-merge-patch+json"
    names = ({"name": "c", "image": "i", "imageID": "", "ready": True, "restartCount": 0},)
    first = {"conditions": [{"type": "A", "status": "True"}], "containerStatuses": [{**names[0], "restartCount": 1}]}
    ask("PATCH", f"{NS}/pods/p/status", {"status": first}, content_type=kind)
    second = {"conditions": [{"type": "B", "status": "True"}], "containerStatuses": [names[0]]}
    status = ask("PATCH", f"{NS}/pods/p/status", {"status": second}, content_type=kind)[1]["status"]
    assert {c["type"] for c in status["conditions"]} >= {"A", "B"}
    assert [c["restartCount"] for c in status["containerStatuses"]] == [0]


def test_a_job_gets_its_labels_and_orphans_its_pods_with_a_warning(ask):
    template = {"spec": {"restartPolicy": "Never", "containers": POD["spec"]["containers"]}}
    jobs = "/apis/batch/v1/namespaces/default/jobs"
    made = ask("POST", jobs, {"metadata": {"name": "j"}, "spec": {"template": template}})[1]
    assert set(made["spec"]["template"]["metadata"]["labels"]) == {
        "batch.kubernetes.io/controller-uid",
        "batch.kubernetes.io/job-name",
        "controller-uid",
        "job-name",
    }
    _, gone, answer = ask("DELETE", f"{jobs}/j")
    assert gone["metadata"]["finalizers"] == ["orphan"]
    assert any(name == "Warning" and "child pods are preserved" in value for name, value in answer.headers)


def test_put_creates_a_lease_and_no_pod(ask):
    lease = {"metadata": {"name": "l"}, "spec": {"holderIdentity": "me"}}
    assert ask("PUT", "/apis/coordination.k8s.io/v1/namespaces/default/leases/l", lease)[0] == 201
    assert ask("PUT", f"{NS}/pods/p", POD)[0] == 404


def test_a_dry_run_names_checks_and_keeps_nothing(ask):
    named = {**POD, "metadata": {"generateName": "g-"}}
    status, made, _ = ask("POST", f"{NS}/pods?dryRun=All", named)
    assert (status, made["metadata"]["name"][:2], "resourceVersion" in made["metadata"]) == (201, "g-", False)
    assert made["metadata"]["uid"]
    assert ask("GET", f"{NS}/pods")[1]["items"] == []


def test_items_of_lists_carry_no_kind_and_lists_are_never_null(ask):
    ask("POST", f"{NS}/configmaps", MAP)
    items = ask("GET", f"{NS}/configmaps")[1]["items"]
    assert all("kind" not in item and "apiVersion" not in item for item in items)
    assert ask("GET", f"{NS}/secrets")[1]["items"] == []
    assert ask("GET", f"{NS}/configmaps/m")[1]["kind"] == "ConfigMap"


def test_errors_that_look_odd_on_purpose(ask):
    ask("POST", f"{NS}/configmaps", MAP)
    bogus = ask(
        "PATCH", f"{NS}/configmaps/m", {"$patch": "bogus"}, content_type="application/strategic-merge-patch+json"
    )
    assert (bogus[0], bogus[1].get("reason")) == (500, None)
    failing = [{"op": "test", "path": "/data/a", "value": "2"}]
    refused = ask("PATCH", f"{NS}/configmaps/m", failing, content_type="application/json-patch+json")
    assert (refused[0], refused[1]["details"]) == (422, {})
    assert refused[1]["message"] == "the server rejected our request due to an error in our request"
    status, text, answer = ask("GET", "/apis/nosuch")
    assert (status, text, answer.content_type) == (404, b"404 page not found\n", "text/plain; charset=utf-8")


def test_no_permanent_error_asks_to_be_tried_again(ask):
    for target in (f"{NS}/pods/x", f"{NS}/nosuch", "/apis/x"):
        assert not [value for name, value in ask("GET", target)[2].headers if name.lower() == "retry-after"]


def test_the_hash_of_a_document_follows_its_content(ask):
    before = ask("GET", "/openapi/v3")[1]["paths"]
    _, _, answer = ask("GET", before["api/v1"]["serverRelativeURL"])
    tag = dict(answer.headers)["ETag"]
    assert ask("GET", before["api/v1"]["serverRelativeURL"], if_none_match=tag)[0] == 304
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
    names = {"plural": "ws", "singular": "w", "kind": "W", "listKind": "WList"}
    definition = {
        "metadata": {"name": "ws.ex.io"},
        "spec": {"group": "ex.io", "scope": "Namespaced", "names": names, "versions": [version]},
    }
    assert ask("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)[0] == 201
    after = ask("GET", "/openapi/v3")[1]["paths"]
    assert after["api/v1"] == before["api/v1"]
    assert "apis/ex.io/v1" in after


def test_a_protobuf_body_is_read_and_answered_in_json(ask):
    body = base64.b64decode("azhzAAoPCgJ2MRIJQ29uZmlnTWFwEicKEgoCY20SABoAIgAqADIAOABCABIGCgFhEgFiEgkKBWVtcHR5EgAaACIA")
    status, made, answer = ask(
        "POST",
        f"{NS}/configmaps",
        body,
        content_type="application/vnd.kubernetes.protobuf",
        accept="application/vnd.kubernetes.protobuf,application/json",
    )
    assert (status, made["data"], answer.content_type) == (201, {"a": "b", "empty": ""}, "application/json")


def test_a_log_ignores_what_accept_says_and_is_empty_before_scheduling(ask, cluster):
    cluster.run_pods = lambda: None
    ask("POST", f"{NS}/pods", POD)
    status, text, _ = ask("GET", f"{NS}/pods/p/log", accept="application/json")
    assert (status, text) == (204, b"")
