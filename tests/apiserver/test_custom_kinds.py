"""CustomResourceDefinitions: served at once, withdrawn with their objects."""

from __future__ import annotations

import pytest

from lifepod.api.writes import ApiError
from lifepod.apiserver.options import DeleteOptions, ListOptions, WriteOptions

from .conftest import NOW

OPTIONS = WriteOptions(NOW)
SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {"type": "object", "properties": {"size": {"type": "integer"}}},
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}
WIDGETS = {
    "metadata": {"name": "widgets.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": SCHEMA},
                "subresources": {"status": {}},
            }
        ],
    },
}


@pytest.fixture
def widgets(api):
    kind = api.kinds.of("customresourcedefinitions.apiextensions.k8s.io")
    made = api.create(kind, "", WIDGETS, OPTIONS)
    assert {c["type"]: c["status"] for c in made["status"]["conditions"]} == {
        "NamesAccepted": "True",
        "Established": "True",
    }
    assert made["status"]["storedVersions"] == ["v1"]
    return api.kinds.of("widgets.example.com")


def test_objects_of_a_new_kind_are_pruned_and_keep_their_status_apart(api, widgets):
    body = {"metadata": {"name": "w"}, "spec": {"size": 1, "bogus": 2}}
    made = api.create(widgets, "default", body, OPTIONS)
    assert made["apiVersion"] == "example.com/v1"
    assert made["spec"] == {"size": 1}
    assert made["metadata"]["generation"] == 1
    patched = api.patch(
        widgets, "default", "w", b'{"status":{"x":1},"spec":{"size":9}}', "merge", OPTIONS, "status"
    ).obj
    assert (patched["status"], patched["spec"], patched["metadata"]["generation"]) == ({"x": 1}, {"size": 1}, 1)


def test_custom_objects_take_no_strategic_patch(api, widgets):
    api.create(widgets, "default", {"metadata": {"name": "w"}}, OPTIONS)
    with pytest.raises(ApiError) as refused:
        api.patch(widgets, "default", "w", b"{}", "strategic", OPTIONS)
    assert refused.value.code == 415


def test_a_custom_object_stays_what_it_is(api, widgets):
    api.create(widgets, "default", {"metadata": {"name": "w"}}, OPTIONS)
    for change, says in (
        (b'{"kind":"Other"}', f'Other.{widgets.group} "w" is invalid: kind: Invalid value: "Other": must be {widgets.kind}'),
        (b'{"apiVersion":"a/v9"}', f'{widgets.kind}.{widgets.group} "w" is invalid: apiVersion: Invalid value: "a/v9": must be {widgets.api_version}'),
    ):  # fmt: skip
        with pytest.raises(ApiError) as refused:
            api.patch(widgets, "default", "w", change, "merge", OPTIONS)
        assert (refused.value.code, str(refused.value)) == (422, says)


def test_a_withdrawn_definition_takes_its_objects_along(api, widgets):
    api.create(widgets, "default", {"metadata": {"name": "w"}}, OPTIONS)
    kind = api.kinds.of("customresourcedefinitions.apiextensions.k8s.io")
    api.delete(kind, "", "widgets.example.com", DeleteOptions(), OPTIONS)
    assert api.kinds.at("example.com", "v1", "widgets") is None
    assert api.store.keys("widgets.example.com") == []


LIMITED = {
    "type": "object",
    "required": ["spec"],
    "properties": {
        "spec": {
            "type": "object",
            "required": ["image"],
            "properties": {
                "image": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 5},
                "replicas": {"type": "integer", "minimum": 1, "maximum": 10, "default": 1},
                "mode": {"type": "string", "enum": ["fast", "slow"], "default": "fast"},
                "ports": {
                    "type": "array",
                    "maxItems": 2,
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {
                            "name": {"type": "string"},
                            "protocol": {"type": "string", "default": "TCP"},
                        },
                    },
                },
                "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                "when": {"type": "string", "format": "date-time"},
                "amount": {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
                "note": {"type": "string", "nullable": True},
            },
            "x-kubernetes-validations": [
                {"rule": "self.mode != 'slow' || self.replicas < 5", "message": "slow ones are few"},
                {"rule": "!has(oldSelf.image) || self.image == oldSelf.image", "fieldPath": ".image"},
            ],
        },
        "status": {
            "type": "object",
            "properties": {"replicas": {"type": "integer"}, "selector": {"type": "string"}},
        },
    },
}


def limited(**version):
    """A definition whose objects are checked."""
    named = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": LIMITED}, **version}
    return {**WIDGETS, "spec": {**WIDGETS["spec"], "versions": [named]}}


@pytest.fixture
def checked(api):
    definitions = api.kinds.of("customresourcedefinitions.apiextensions.k8s.io")
    scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
    scale["labelSelectorPath"] = ".status.selector"
    columns = [{"name": "Size", "type": "integer", "jsonPath": ".spec.replicas"}]
    api.create(
        definitions,
        "",
        limited(
            subresources={"status": {}, "scale": scale},
            additionalPrinterColumns=columns,
            selectableFields=[{"jsonPath": ".spec.mode"}],
        ),
        OPTIONS,
    )
    return api.kinds.of("widgets.example.com")


def test_defaults_are_filled_in_also_inside_lists(api, checked):
    made = api.create(
        checked, "default", {"metadata": {"name": "w"}, "spec": {"image": "a", "ports": [{"name": "p"}]}}, OPTIONS
    )
    assert made["spec"] == {"image": "a", "ports": [{"name": "p", "protocol": "TCP"}], "replicas": 1, "mode": "fast"}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({}, "spec.image: Required value"),
        (
            {"image": "A"},
            "spec.image: Invalid value: \"A\": spec.image in body should match '^[a-z]+$'",
        ),
        ({"image": "abcdef"}, "spec.image: Too long: may not be more than 5 bytes"),
        (
            {"image": "a", "replicas": 11},
            "spec.replicas: Invalid value: 11: spec.replicas in body should be less than or equal to 10",
        ),
        (
            {"image": "a", "replicas": "2"},
            'spec.replicas: Invalid value: "string": spec.replicas in body must be of type integer: "string"',
        ),
        ({"image": "a", "mode": "x"}, 'spec.mode: Unsupported value: "x": supported values: "fast", "slow"'),
        ({"image": "a", "tags": ["x", "x"]}, 'spec.tags[1]: Duplicate value: "x"'),
        ({"image": "a", "ports": [{"name": "x"}] * 2}, 'spec.ports[1]: Duplicate value: {"name":"x"}'),
        (
            {"image": "a", "ports": [{"name": n} for n in "abc"]},
            "spec.ports: Too many: 3: must have at most 2 items",
        ),
        (
            {"image": "a", "when": "noon"},
            'spec.when: Invalid value: "noon": spec.when in body must be of type date-time: "noon"',
        ),
        (
            {"image": "a", "amount": 1.5},
            'spec.amount: Invalid value: "number": spec.amount in body must be of type integer,string: "number"',
        ),
    ],
)
def test_values_are_checked_by_the_schema(api, checked, spec, message):
    with pytest.raises(ApiError) as refused:
        api.create(checked, "default", {"metadata": {"name": "w"}, "spec": spec}, OPTIONS)
    assert refused.value.code == 422
    assert message in refused.value.status["message"]


def test_null_is_a_value_only_where_the_schema_says_so(api, checked):
    made = api.create(
        checked, "default", {"metadata": {"name": "w"}, "spec": {"image": "a", "note": None, "mode": None}}, OPTIONS
    )
    assert made["spec"]["note"] is None
    assert made["spec"]["mode"] == "fast"


def test_rules_in_cel_hold_for_objects_and_for_changes(api, checked):
    pytest.importorskip("cel")
    with pytest.raises(ApiError, match="slow ones are few"):
        api.create(
            checked,
            "default",
            {"metadata": {"name": "w"}, "spec": {"image": "a", "mode": "slow", "replicas": 7}},
            OPTIONS,
        )
    api.create(checked, "default", {"metadata": {"name": "w"}, "spec": {"image": "a"}}, OPTIONS)
    with pytest.raises(ApiError, match=r"spec.image: Invalid value"):
        api.patch(checked, "default", "w", b'{"spec":{"image":"b"}}', "merge", OPTIONS)


def test_a_change_is_not_refused_for_what_it_leaves_as_it_was(api, checked):
    definitions = api.kinds.of("customresourcedefinitions.apiextensions.k8s.io")
    api.create(checked, "default", {"metadata": {"name": "w"}, "spec": {"image": "a", "replicas": 9}}, OPTIONS)
    stricter = b'[{"op":"replace","path":"/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/replicas/maximum","value":3}]'
    api.patch(definitions, "", "widgets.example.com", stricter, "json", OPTIONS)
    kind = api.kinds.of("widgets.example.com")
    assert api.patch(kind, "default", "w", b'{"spec":{"mode":"fast","tags":["n"]}}', "merge", OPTIONS).obj["spec"][
        "tags"
    ] == ["n"]
    with pytest.raises(ApiError, match="less than or equal to 3"):
        api.patch(kind, "default", "w", b'{"spec":{"replicas":8}}', "merge", OPTIONS)


def test_the_status_is_checked_too(api, checked):
    api.create(checked, "default", {"metadata": {"name": "w"}, "spec": {"image": "a"}}, OPTIONS)
    with pytest.raises(ApiError, match=r"status.replicas in body must be of type integer"):
        api.patch(checked, "default", "w", b'{"status":{"replicas":"many"}}', "merge", OPTIONS, "status")


def test_scale_reads_and_writes_where_the_definition_says(api, checked):
    api.create(checked, "default", {"metadata": {"name": "w"}, "spec": {"image": "a"}}, OPTIONS)
    api.patch(checked, "default", "w", b'{"status":{"replicas":1,"selector":"a=b"}}', "merge", OPTIONS, "status")
    scale = api.subresource(checked, "default", "w", "scale")
    assert (scale["spec"], scale["status"]) == ({"replicas": 1}, {"replicas": 1, "selector": "a=b"})
    api.patch(checked, "default", "w", b'{"spec":{"replicas":4}}', "merge", OPTIONS, "scale")
    assert api.get(checked, "default", "w")["spec"]["replicas"] == 4


def test_selectable_fields_select(api, checked):
    for name, mode in (("a", "fast"), ("b", "slow")):
        api.create(checked, "default", {"metadata": {"name": name}, "spec": {"image": "a", "mode": mode}}, OPTIONS)
    found = api.list(checked, ListOptions(field_selector="spec.mode=slow"))["items"]
    assert [(item["metadata"]["name"], item["kind"], item["apiVersion"]) for item in found] == [
        ("b", "Widget", "example.com/v1")
    ]
    with pytest.raises(ApiError, match=r"field label not supported: spec\.image"):
        api.list(checked, ListOptions(field_selector="spec.image=a"))


def test_every_served_version_shows_the_same_object(api):
    definitions = api.kinds.of("customresourcedefinitions.apiextensions.k8s.io")
    versions = [
        {"name": name, "served": True, "storage": name == "v1", "schema": {"openAPIV3Schema": SCHEMA}}
        for name in ("v1beta1", "v1")
    ]
    api.create(definitions, "", {**WIDGETS, "spec": {**WIDGETS["spec"], "versions": versions}}, OPTIONS)
    old, new = (api.kinds.at("example.com", name, "widgets") for name in ("v1beta1", "v1"))
    made = api.create(old, "default", {"metadata": {"name": "w"}, "spec": {"size": 1}}, OPTIONS)
    assert made["apiVersion"] == "example.com/v1beta1"
    assert api.get(new, "default", "w")["apiVersion"] == "example.com/v1"
    assert [item["apiVersion"] for item in api.list(old)["items"]] == ["example.com/v1beta1"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"metadata": {"name": "wrong"}},
            'metadata.name: Invalid value: "wrong": must be spec.names.plural+"."+spec.group',
        ),
        (
            {"scope": "Everywhere"},
            'spec.scope: Unsupported value: "Everywhere": supported values: "Cluster", "Namespaced"',
        ),
        ({"versions": []}, "must have exactly one version marked as storage version"),
        (
            {"versions": [{"name": "v1", "served": True, "storage": True}]},
            "spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required",
        ),
        (
            {
                "versions": [
                    {
                        "name": "v1",
                        "served": True,
                        "storage": True,
                        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {}}}},
                    }
                ]
            },
            "properties[spec].type: Required value: must not be empty for specified object fields",
        ),
        (
            {
                "versions": [
                    {
                        "name": "v1",
                        "served": True,
                        "storage": True,
                        "schema": {"openAPIV3Schema": SCHEMA},
                        "additionalPrinterColumns": [{"type": "text", "format": "x"}],
                    }
                ]
            },
            'additionalPrinterColumns[0].name: Required value, spec.versions[0].additionalPrinterColumns[0].type: Invalid value: "text": '
            "must be one of boolean,date,integer,number,string, spec.versions[0].additionalPrinterColumns[0].format: Invalid value: "
            '"x": must be one of byte,date,date-time,double,float,int32,int64,password, '
            "spec.versions[0].additionalPrinterColumns[0].JSONPath: Required value",
        ),
    ],
)
def test_a_definition_that_cannot_be_served_is_refused(api, change, message):
    definitions = api.kinds.of("customresourcedefinitions.apiextensions.k8s.io")
    body = {"metadata": change.pop("metadata", WIDGETS["metadata"]), "spec": {**WIDGETS["spec"], **change}}
    with pytest.raises(ApiError) as refused:
        api.create(definitions, "", body, OPTIONS)
    assert message in refused.value.status["message"]


def test_names_that_another_definition_has_are_not_accepted(api, widgets):
    definitions = api.kinds.of("customresourcedefinitions.apiextensions.k8s.io")
    names = {"plural": "gadgets", "singular": "gadget", "kind": "Widget", "listKind": "GadgetList"}
    body = {"metadata": {"name": "gadgets.example.com"}, "spec": {**WIDGETS["spec"], "names": names}}
    made = api.create(definitions, "", body, OPTIONS)
    assert {c["type"]: (c["status"], c["reason"]) for c in made["status"]["conditions"]} == {
        "NamesAccepted": ("False", "NameConflict"),
        "Established": ("False", "NotAccepted"),
    }
    assert api.kinds.at("example.com", "v1", "gadgets") is None


def test_a_group_version_is_registered_as_long_as_a_definition_serves_it(api, widgets):
    services = api.kinds.of("apiservices.apiregistration.k8s.io")
    made = api.get(services, "", "v1.example.com")
    assert made["spec"] == {
        "group": "example.com", "version": "v1", "groupPriorityMinimum": 1000, "versionPriority": 100,
    }  # fmt: skip
    assert made["status"]["conditions"][0]["status"] == "True"
    definitions = api.kinds.of("customresourcedefinitions.apiextensions.k8s.io")
    api.delete(definitions, "", WIDGETS["metadata"]["name"], DeleteOptions(), OPTIONS)
    with pytest.raises(ApiError, match="not found"):
        api.get(services, "", "v1.example.com")
    assert api.get(services, "", "v1.apps")["metadata"]["labels"] == {
        "kube-aggregator.kubernetes.io/automanaged": "onstart"
    }
