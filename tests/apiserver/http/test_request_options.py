"""What a query or an Accept header may say, and upstream's words for what it may not."""

from __future__ import annotations

import asyncio
from base64 import urlsafe_b64encode
from typing import Any

import orjson
import pytest
import yaml

from lifepod.api.builtin import builtin_kinds
from lifepod.apiserver.exchange import Request, Response
from lifepod.apiserver.watch_lines import bookmark_object
from lifepod.apiserver.write_requests import warning_headers
from lifepod.apiserver.yaml_answers import as_yaml

MAPS = "/api/v1/namespaces/default/configmaps"


async def _whole(waiting: Any) -> Any:
    return await waiting


@pytest.fixture
def ask(cluster: Any):
    """Sends a request; the answer's status and its JSON."""

    def call(
        method: str, target: str, body: bytes = b"", content_type: str = "application/json", accept: str = "*/*"
    ) -> tuple[int, Any]:
        path, _, query = target.partition("?")
        sent = {"authorization": "Bearer admin-token", "content-type": content_type, "accept": accept}
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


def _token(**members: Any) -> str:
    return urlsafe_b64encode(orjson.dumps(members)).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("token", "says"),
    [
        ("$$$$", ": illegal base64 data at input byte 0"),
        ("abcde", ": illegal base64 data at input byte 4"),
        ("eyJ9=", ": illegal base64 data at input byte 4"),
        (urlsafe_b64encode(b"what").rstrip(b"=").decode(), ": invalid character 'w' looking for beginning of value"),
        (
            urlsafe_b64encode(b"[]").rstrip(b"=").decode(),
            ": json: cannot unmarshal array into Go value of type storage.continueToken",
        ),
        (
            _token(v="meta.k8s.io/v1", rv="5", start="a"),
            ": json: cannot unmarshal string into Go struct field continueToken.rv of type int64",
        ),
        (
            _token(v="meta.k8s.io/v2", rv=5, start="a"),
            ": server does not recognize this encoded version meta.k8s.io/v2",
        ),
        (_token(), ": server does not recognize this encoded version "),
        (
            _token(v="meta.k8s.io/v1", start="a"),
            ": incorrect encoded start resourceVersion (version meta.k8s.io/v1)",
        ),
        (_token(v="meta.k8s.io/v1", rv=5), ": encoded start key empty (version meta.k8s.io/v1)"),
        (_token(v="meta.k8s.io/v1", rv=5, start="../secrets/a"), ": ../secrets/a"),
        (_token(v="meta.k8s.io/v1", rv=5, start="a//b"), ": a//b"),
        (_token(v="meta.k8s.io/v1", rv=5, start="//a"), ": //a"),
    ],
)
def test_a_continue_token_that_is_none_is_told_as_upstream_tells_it(ask, token, says):
    status, refused = ask("GET", f"{MAPS}?continue={token}")
    assert (status, refused["message"]) == (400, f"invalid continue token: continue key is not valid{says}")


@pytest.mark.parametrize(
    ("query", "fields", "says"),
    [
        (
            "resourceVersionMatch=Exact",
            2,
            'resourceVersionMatch: Unsupported value: "Exact": supported values: "NotOlderThan"',
        ),
        (
            "resourceVersionMatch=NotOlderThan&sendInitialEvents=true&continue=a",
            1,
            "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided",
        ),
        (
            "sendInitialEvents=true&resourceVersionMatch=Exact",
            2,
            "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        ),
    ],
)
def test_options_of_a_watch_that_exclude_each_other_are_all_named(ask, query, fields, says):
    status, refused = ask("GET", f"{MAPS}?watch=true&{query}")
    assert (status, len(refused["details"]["causes"])) == (422, fields)
    assert says in refused["message"]


@pytest.mark.parametrize(
    ("path", "kind", "says"),
    [
        (
            MAPS,
            "PartialObjectMetadata",
            "PartialObjectMetadata, but the requested object is a list (*core.ConfigMapList)",
        ),
        (
            "/apis/rbac.authorization.k8s.io/v1/clusterroles",
            "PartialObjectMetadata",
            "PartialObjectMetadata, but the requested object is a list (*rbac.ClusterRoleList)",
        ),
        (
            f"{MAPS}/kube-root-ca.crt",
            "PartialObjectMetadataList",
            "PartialObjectMetadataList, but the requested object is not a list (*core.ConfigMap)",
        ),
    ],
)
def test_metadata_of_one_is_not_metadata_of_many(ask, path, kind, says):
    status, refused = ask("GET", path, accept=f"application/json;as={kind};v=v1;g=meta.k8s.io")
    assert (status, refused["reason"], refused["message"]) == (406, "NotAcceptable", f"you requested {says}")


def test_a_field_that_new_events_cannot_be_selected_by_is_told_as_of_core_events(ask):
    for group in ("api/v1", "apis/events.k8s.io/v1"):
        status, refused = ask("GET", f"/{group}/events?fieldSelector=nope=1")
        assert (status, refused["message"]) == (400, "field label not supported: nope")


@pytest.mark.parametrize(
    ("scope", "field", "says"),
    [
        ("Namespaced", "spec.color", None),
        ("Namespaced", "metadata.namespace", None),
        ("Namespaced", "spec.size", "field label not supported: spec.size"),
        ("Cluster", "metadata.namespace", "field label not supported: metadata.namespace"),
    ],
)
def test_a_custom_resource_is_selected_by_the_fields_of_its_definition(ask, scope, field, says):
    color = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"color": {"type": "string"}}}}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": color}}
    names = {"plural": "shirts", "singular": "shirt", "kind": "Shirt"}
    spec = {"group": "g.io", "scope": scope, "names": names}
    spec["versions"] = [{**version, "selectableFields": [{"jsonPath": ".spec.color"}]}]
    definition = {"metadata": {"name": "shirts.g.io"}, "spec": spec}
    ask("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", orjson.dumps(definition))
    status, answer = ask("GET", f"/apis/g.io/v1/shirts?fieldSelector={field}=x")
    assert (status, answer.get("message")) == (400 if says else 200, says)


@pytest.mark.parametrize(
    ("path", "name", "found"),
    [
        ("/api/v1", "pods", "xPOwRZ+Yhw8="),
        ("/api/v1", "configmaps", "qFsyl6wFWjQ="),
        ("/apis/events.k8s.io/v1", "events", "r2yiGXH7wu8="),  # kept as core events
        ("/api/v1", "pods/status", None),
        ("/api/v1", "bindings", None),
    ],
)
def test_discovery_says_in_which_version_objects_are_kept(ask, path, name, found):
    resources = {each["name"]: each for each in ask("GET", path)[1]["resources"]}
    assert resources[name].get("storageVersionHash") == found


def test_warnings_that_are_too_much_are_cut_off():
    few = warning_headers(["a" * 300, 'say "b\\c"'])
    assert few == [("Warning", f'299 - "{"a" * 300}"'), ("Warning", r'299 - "say \"b\\c\""')]
    many = warning_headers([f"{n}" + "a" * 300 for n in range(100)])
    assert len(many) == 16
    assert {len(value) for _, value in many} == {len('299 - ""') + 256}


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("application/json", "application/json"),
        (
            "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
            "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
        ),
    ],
)
def test_the_v2_document_is_revalidated_and_follows_the_kinds(cluster, ask, accept, content_type):
    def fetch(etag: str = "") -> Response:
        sent = {"authorization": "Bearer admin-token", "accept": accept, "if-none-match": etag}
        answer = cluster.app.site(Request("GET", "/openapi/v2", "", sent, b""))
        assert isinstance(answer, Response)
        return answer

    first = fetch()
    assert (first.status, first.content_type) == (200, content_type)
    assert b"io.k8s.api.core.v1.Pod" in first.body
    assert b"com.example.v1.Widget" not in first.body
    etag = dict(first.headers)["ETag"]
    assert (fetch(etag).status, fetch(etag).body) == (304, b"")
    definition = {
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}],
        },
    }  # fmt: skip
    ask("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", orjson.dumps(definition))
    assert b"com.example.v1.Widget" in fetch(etag).body


def test_yaml_is_written_as_upstream_writes_it():
    value = {
        "number": "1",
        "word": "true",
        "time": "2026-11-24T04:11:13Z",
        "lines": "x\ny\n",
        "long": "b " * 80 + "b",
        "none": None,
        "empty": "",
        "list": ["a", 3, True],
    }
    text = as_yaml(orjson.dumps(value)).decode()
    assert text == (
        'empty: ""\nlines: |\n  x\n  y\nlist:\n- a\n- 3\n- true\n'
        f'long: {"b " * 80}b\nnone: null\nnumber: "1"\ntime: "2026-11-24T04:11:13Z"\nword: "true"\n'
    )
    assert yaml.safe_load(text) == value


def test_a_bookmark_is_an_object_in_which_nothing_is_set():
    deployments = next(kind for kind in builtin_kinds() if kind.kind == "Deployment")
    assert bookmark_object(deployments, 7, initial_events_end=True) == {
        "kind": "Deployment",
        "apiVersion": "apps/v1",
        "metadata": {"resourceVersion": "7", "annotations": {"k8s.io/initial-events-end": "true"}},
        "spec": {"selector": None, "template": {"metadata": {}, "spec": {"containers": None}}, "strategy": {}},
        "status": {},
    }
