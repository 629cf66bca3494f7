"""Bodies that are not what they should be: another format, another kind, a key that stands twice."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from lifepod.apiserver.exchange import Request, Response

MAPS = "/api/v1/namespaces/default/configmaps"
DEFINITION = {
    "metadata": {"name": "widgets.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
        ],
    },
}


async def _whole(waiting: Any) -> Any:
    return await waiting


@pytest.fixture
def send(cluster: Any):
    """POSTs a body; the answer's status, its JSON and its warnings."""

    def call(target: str, body: Any, content_type: str = "application/json") -> tuple[int, Any, list[str]]:
        path, _, query = target.partition("?")
        sent = {"authorization": "Bearer admin-token", "content-type": content_type}
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        answer = cluster.app.site(Request("POST", path, query, sent, raw))
        if not isinstance(answer, Response):
            answer = asyncio.run(_whole(answer))
        return answer.status, orjson.loads(answer.body), [value for name, value in answer.headers if name == "Warning"]

    return call


@pytest.mark.parametrize(
    ("body", "content_type", "says"),
    [
        (
            b"",
            "application/json",
            "couldn't get version/kind; json parse error: unexpected end of JSON input (<empty>)",
        ),
        (
            b'{"metadata":{"name":"z"}',
            "application/json",
            'couldn\'t get version/kind; json parse error: unexpected end of JSON input ({"metadata":{"name":"z"})',
        ),
        (
            b'{"metadata":{"name":"a long one"}',
            "application/json",
            'couldn\'t get version/kind; json parse error: unexpected end of JSON input ({"metadata":{"name":"a long on ...)',
        ),
        (
            b"foo",
            "application/json",
            "couldn't get version/kind; json parse error: invalid character 'o' in literal false (expecting 'a') (666f6f)",
        ),
        (
            b"foo",
            "application/yaml",
            "couldn't get version/kind; json parse error: json: cannot unmarshal string into Go value of type struct "
            '{ APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" } (666f6f)',
        ),
        (b"a: [", "application/yaml", "yaml: line 2: did not find expected node content (613a205b)"),
        (
            b"abc",
            "application/vnd.kubernetes.protobuf",
            "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0] (616263)",
        ),
        (b"k8s\0\xff\xff", "application/vnd.kubernetes.protobuf", "unexpected EOF (6b387300ffff)"),
    ],
)
def test_an_unreadable_body_is_shown_with_its_beginning(send, body, content_type, says):
    status, refused, _ = send(MAPS, body, content_type)
    expected = f"the object provided is unrecognized (must be of type ConfigMap): {says}"
    assert (status, refused["reason"], refused["message"]) == (400, "BadRequest", expected)


@pytest.mark.parametrize(
    ("kind", "version", "says"),
    [
        ("Service", "v1", 'Service in version "v1" cannot be handled as a ConfigMap: converting (v1.Service) to (core.ConfigMap): unknown conversion'),
        ("PodList", "v1", 'PodList in version "v1" cannot be handled as a ConfigMap: converting (v1.PodList) to (core.ConfigMap): unknown conversion'),
        ("Job", "batch/v1", 'Job in version "v1" cannot be handled as a ConfigMap: converting (v1.Job) to (core.ConfigMap): unknown conversion'),
        ("Foo", "v1", 'Foo in version "v1" cannot be handled as a ConfigMap: no kind "Foo" is registered for version "v1" in scheme "pkg/runtime/scheme.go:110"'),
        ("ConfigMap", "x/v2", 'ConfigMap in version "v2" cannot be handled as a ConfigMap: no kind "ConfigMap" is registered for version "x/v2" in scheme "pkg/runtime/scheme.go:110"'),
    ],
)  # fmt: skip
def test_a_body_of_another_kind_is_refused(send, kind, version, says):
    status, refused, _ = send(MAPS, {"kind": kind, "apiVersion": version, "metadata": {"name": "m"}})
    assert (status, refused["message"]) == (400, says)


def test_a_kind_is_taken_in_the_version_of_its_url_only(send):
    body = {"kind": "Event", "apiVersion": "events.k8s.io/v1", "metadata": {"name": "e"}}
    status, refused, _ = send("/api/v1/namespaces/default/events", body)
    says = "the API version in the data (events.k8s.io/v1) does not match the expected API version (v1)"
    assert (status, refused["message"]) == (400, says)


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        (
            {"metadata": {"name": "w"}},
            400,
            "the object provided is unrecognized (must be of type Widget): Object 'Kind' is missing in "
            '\'{"metadata":{"name":"w"}}\' ({"metadata":{"name":"w"}})',
        ),
        (
            {"kind": "Widget", "apiVersion": "example.com/v2", "metadata": {"name": "w"}},
            400,
            "the API version in the data (example.com/v2) does not match the expected API version (example.com/v1)",
        ),
        (
            {"kind": "Gadget", "apiVersion": "example.com/v1", "metadata": {"name": "w"}},
            422,
            'Gadget.example.com "w" is invalid: kind: Invalid value: "Gadget": must be Widget',
        ),
        ({"kind": "Widget", "apiVersion": "example.com/v1", "metadata": {"name": "w"}}, 201, None),
    ],
)
def test_a_custom_resource_says_what_it_is(send, body, code, says):
    assert send("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", DEFINITION)[0] == 201
    status, answer, _ = send("/apis/example.com/v1/namespaces/default/widgets", body)
    assert (status, answer.get("message")) == (code, says)


TWICE = b"metadata:\n  name: m\ndata:\n  a: x\n  a: q\n  b: z\n  b: z\nbogus: 1\n"


def test_a_key_that_stands_twice_in_yaml_is_strictly_refused(send):
    status, refused, _ = send(f"{MAPS}?fieldValidation=Strict", TWICE, "application/yaml")
    assert status == 400
    assert refused["message"] == (
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: yaml: unmarshal errors:\n'
        '  line 5: key "a" already set in map\n  line 7: key "b" already set in map, unknown field "bogus"'
    )


@pytest.mark.parametrize(
    ("mode", "warned"),
    [
        (
            "Warn",
            ['299 - "line 5: key \\"a\\" already set in map"', '299 - "line 7: key \\"b\\" already set in map"', '299 - "unknown field \\"bogus\\""'],
        ),
        ("Ignore", []),
    ],
)  # fmt: skip
def test_or_the_last_one_counts(send, mode, warned):
    status, made, warnings = send(f"{MAPS}?fieldValidation={mode}", TWICE, "application/yaml")
    assert (status, made["data"]) == (201, {"a": "q", "b": "z"})
    assert warnings == warned


def test_an_event_is_held_to_the_rules_of_the_group_it_is_sent_to(send):
    about = {"kind": "Pod", "name": "p", "namespace": "default"}
    assert send("/api/v1/namespaces/default/events", {"metadata": {"name": "a"}, "involvedObject": about})[0] == 201
    status, refused, _ = send(
        "/apis/events.k8s.io/v1/namespaces/default/events", {"metadata": {"name": "b"}, "regarding": about}
    )
    assert status == 422
    assert refused["message"] == (
        'Event.events.k8s.io "b" is invalid: [eventTime: Required value, type: Invalid value: "": has invalid value: ]'
    )
