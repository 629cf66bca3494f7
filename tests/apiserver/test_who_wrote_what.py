"""What a writer owns afterwards, and how its request has to name things: before admission and preparation, not after."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from lifepod.api.writes import ApiError
from lifepod.apiserver.options import WriteOptions

NOW = datetime(2025, 1, 1, tzinfo=UTC)
BY_ME = WriteOptions(NOW, user_agent="me/1.0 (linux)")


def made(api: Any, resource: str, obj: Any, options: WriteOptions = BY_ME) -> Any:
    return api.create(api.kinds.of(resource), "default", obj, options)


def put(api: Any, resource: str, obj: Any, options: WriteOptions = BY_ME) -> Any:
    return api.update(api.kinds.of(resource), "default", obj["metadata"]["name"], obj, options).obj


def owned(obj: Any, manager: str = "me") -> Any:
    return next(e["fieldsV1"] for e in obj["metadata"]["managedFields"] if e["manager"] == manager)


def test_nobody_owns_what_only_the_server_says(api):
    sent = {"name": "m", "uid": "u", "deletionTimestamp": "2001-01-01T00:00:00Z", "deletionGracePeriodSeconds": 3}
    fields = owned(made(api, "configmaps", {"metadata": {**sent, "labels": {"a": "b"}}}))
    assert fields == {"f:metadata": {"f:labels": {".": {}, "f:a": {}}}}


def test_the_addresses_that_a_change_of_type_allots_are_nobodys(api):
    service = made(api, "services", {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}})
    changed = put(api, "services", {**service, "spec": {**service["spec"], "type": "NodePort"}}, BY_ME)
    assert changed["spec"]["ports"][0]["nodePort"]
    ports = owned(changed)["f:spec"]["f:ports"]['k:{"port":80,"protocol":"TCP"}']
    assert "f:nodePort" not in ports
    assert "f:clusterIP" not in owned(changed)["f:spec"]


def test_an_owner_that_is_named_twice_is_kept_once_with_a_warning(api):
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u1"}
    other = {**owner, "name": "q"}
    found = made(api, "configmaps", {"metadata": {"name": "m", "ownerReferences": [owner, other, owner]}})
    assert found["metadata"]["ownerReferences"] == [owner, other]
    (warning,) = api.take_warnings()
    assert warning.startswith(".metadata.ownerReferences contains duplicate entries;")
    assert warning.endswith("duplicate UID(s) observed: u1")
    again = put(api, "configmaps", {**found, "metadata": {**found["metadata"], "ownerReferences": [other, other]}})
    assert again["metadata"]["ownerReferences"] == [other]
    assert api.take_warnings()


def test_a_put_names_its_object_in_the_body(api):
    made(api, "configmaps", {"metadata": {"name": "m"}})
    with pytest.raises(ApiError) as refused:
        api.update(api.kinds.of("configmaps"), "default", "m", {"data": {"a": "b"}}, BY_ME)
    assert refused.value.status["message"] == (
        "the name of the object (m based on URL) was undeterminable: name must be provided"
    )


@pytest.mark.parametrize(
    ("agent", "manager"),
    [
        ("kubectl/v1.34 (linux)", "kubectl"),
        ("", "unknown"),
        ("a\x01b/1", "ab"),
        ("x" * 200, "x" * 128),
        ("é" * 100, "é" * 64),
        ("\x01/2", "unknown"),
    ],
)
def test_a_writer_without_a_name_is_called_by_its_agent(agent, manager):
    assert WriteOptions(NOW, user_agent=agent).manager == manager


def test_an_event_shows_what_is_empty_too_and_nobody_owns_that(api):
    event = made(api, "events", {"metadata": {"name": "e"}, "involvedObject": {"namespace": "default"}, "reason": "r"})
    empty = ("source", "firstTimestamp", "lastTimestamp", "eventTime", "reportingComponent", "reportingInstance")
    assert [event[name] for name in empty] == [{}, None, None, None, "", ""]
    assert owned(event) == {"f:involvedObject": {}, "f:reason": {}}
    again = put(api, "events", {name: value for name, value in event.items() if name not in empty})
    assert again["metadata"]["resourceVersion"] == event["metadata"]["resourceVersion"]


def test_a_lease_of_which_nothing_is_known_has_a_spec(api):
    assert made(api, "leases.coordination.k8s.io", {"metadata": {"name": "l"}})["spec"] == {}


@pytest.mark.parametrize("entries", [[], [{}]])
@pytest.mark.parametrize("encoded", [False, True])
def test_a_put_can_ask_to_forget_who_wrote_what(api, entries, encoded):
    found = made(api, "configmaps", {"metadata": {"name": "m"}, "data": {"a": "b"}})
    body = {**found, "metadata": {**found["metadata"], "managedFields": entries}}
    forgotten = put(api, "configmaps", body) if not encoded else api.update(
        api.kinds.of("configmaps"), "default", "m", orjson.dumps(body), BY_ME
    ).obj  # fmt: skip
    assert "managedFields" not in forgotten["metadata"]


def test_what_belongs_to_no_namespace_may_name_one(api):
    roles = api.kinds.of("clusterroles.rbac.authorization.k8s.io")
    found = api.create(roles, "", {"metadata": {"name": "r", "namespace": "other"}}, BY_ME)
    assert "namespace" not in found["metadata"]
    body = {**found, "metadata": {**found["metadata"], "namespace": "other", "labels": {"a": "b"}}}
    assert "namespace" not in api.update(roles, "", "r", body, BY_ME).obj["metadata"]


def refusal(call: Any, *args: Any) -> str:
    with pytest.raises(ApiError) as refused:
        call(*args)
    assert refused.value.code == 422
    return refused.value.status["message"]


@pytest.mark.parametrize(
    ("field", "value"), [("deletionTimestamp", "2020-01-01T00:00:00Z"), ("deletionGracePeriodSeconds", 3)]
)
def test_only_a_delete_says_that_an_object_goes(api, field, value):
    found = made(api, "configmaps", {"metadata": {"name": "m"}})
    message = refusal(put, api, "configmaps", {**found, "metadata": {**found["metadata"], field: value}})
    assert message == (
        f'ConfigMap "m" is invalid: metadata.{field}: Invalid value: {orjson.dumps(value).decode()}: field is immutable'
    )


def test_a_finalizer_says_whose_it_is_on_a_change_too(api):
    says = 'Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified'
    message = refusal(made, api, "configmaps", {"metadata": {"name": "m", "finalizers": ["a.b/c", "mine"]}})
    assert message == f'ConfigMap "m" is invalid: metadata.finalizers[1]: {says}'
    found = made(api, "configmaps", {"metadata": {"name": "m", "finalizers": ["orphan"]}})
    message = refusal(put, api, "configmaps", {**found, "metadata": {**found["metadata"], "finalizers": ["mine"]}})
    assert message == f'ConfigMap "m" is invalid: metadata.finalizers[0]: {says}'


def test_a_custom_resource_is_only_warned(api):
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
    names = {"plural": "shirts", "singular": "shirt", "kind": "Shirt"}
    spec = {"group": "g.io", "scope": "Namespaced", "names": names, "versions": [version]}
    made(api, "customresourcedefinitions.apiextensions.k8s.io", {"metadata": {"name": "shirts.g.io"}, "spec": spec})
    api.take_warnings()
    finalizers = ["a.b/c", "mine", "my.own", "orphan"]
    found = made(api, "shirts.g.io", {"metadata": {"name": "m", "finalizers": finalizers}})
    to_avoid = " to avoid accidental conflicts with other finalizer writers"
    prefer = "prefer a domain-qualified finalizer name"
    assert api.take_warnings() == (
        f'metadata.finalizers: "mine": {prefer}{to_avoid}',
        f'metadata.finalizers: "my.own": {prefer} including a path (/){to_avoid}',
    )
    put(api, "shirts.g.io", {**found, "metadata": {**found["metadata"], "labels": {"a": "b"}}})
    assert api.take_warnings() == ()
