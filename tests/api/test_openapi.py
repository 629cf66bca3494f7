"""What kubectl needs to find in an OpenAPI document."""

import orjson

from lifepod.api.kinds import Kind, Subresource
from lifepod.api.openapi import document, index

POD = Kind(
    "",
    "v1",
    "Pod",
    "pods",
    "pod",
    True,
    "io.k8s.api.core.v1.Pod",
    subresources=(Subresource("status", "Pod", ("get", "patch", "update")),),
)
NODE = Kind("", "v1", "Node", "nodes", "node", False, "io.k8s.api.core.v1.Node")
WIDGET = Kind("ex.io", "v1", "Widget", "widgets", "widget", True, "")


def references(value):
    if isinstance(value, dict):
        return {value["$ref"]} if "$ref" in value else set().union(*map(references, value.values()), set())
    return set().union(*map(references, value), set()) if isinstance(value, list) else set()


def test_every_reference_leads_somewhere():
    made = document("", "v1", [POD, NODE])
    assert {r.removeprefix("#/components/schemas/") for r in references(made)} <= made["components"]["schemas"].keys()


def test_writing_operations_declare_field_validation_and_their_kind():
    paths = document("", "v1", [POD, NODE])["paths"]
    for path, method in [
        ("/api/v1/namespaces/{namespace}/pods", "post"),
        ("/api/v1/nodes/{name}", "put"),
        ("/api/v1/namespaces/{namespace}/pods/{name}", "patch"),
    ]:
        operation = paths[path][method]
        assert "fieldValidation" in {p["name"] for p in operation["parameters"]}
        assert operation["x-kubernetes-group-version-kind"]["kind"] in ("Pod", "Node")
    assert paths["/api/v1/pods"]["get"]["x-kubernetes-action"] == "list"
    assert paths["/api/v1/namespaces/{namespace}/pods/{name}/status"].keys() == {"get", "patch", "put", "parameters"}


def test_list_fields_say_how_they_are_patched():
    schemas = document("", "v1", [POD])["components"]["schemas"]
    containers = schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"]
    assert (containers["x-kubernetes-patch-merge-key"], containers["x-kubernetes-patch-strategy"]) == ("name", "merge")
    assert (containers["x-kubernetes-list-type"], containers["x-kubernetes-list-map-keys"]) == ("map", ["name"])
    assert schemas["io.k8s.api.core.v1.PodSpec"]["required"] == ["containers"]
    assert schemas["io.k8s.api.core.v1.Pod"]["x-kubernetes-group-version-kind"] == [
        {"group": "", "version": "v1", "kind": "Pod"}
    ]
    assert schemas["io.k8s.api.core.v1.Pod"]["properties"]["spec"]["description"]


def test_custom_resources_show_the_schema_of_their_definition():
    made = document(
        "ex.io", "v1", [WIDGET._replace(custom_schema={"type": "object", "properties": {"spec": {"type": "object"}}})]
    )
    schema = made["components"]["schemas"]["io.ex.v1.Widget"]
    assert schema["properties"].keys() == {"spec", "apiVersion", "kind", "metadata"}
    assert schema["x-kubernetes-group-version-kind"] == [{"group": "ex.io", "version": "v1", "kind": "Widget"}]
    assert "/apis/ex.io/v1/namespaces/{namespace}/widgets/{name}" in made["paths"]


def test_documents_are_json_and_the_index_names_them():
    assert orjson.dumps(document("", "v1", [POD]))
    assert index({"apis/batch/v1": "AA"}) == {
        "paths": {"apis/batch/v1": {"serverRelativeURL": "/openapi/v3/apis/batch/v1?hash=AA"}}
    }


def test_custom_resources_do_not_say_that_they_take_strategic_patches():
    def patch_types(kind: Kind) -> set[str]:
        paths = document(kind.group, "v1", [kind])["paths"]
        (path,) = (path for path in paths if path.endswith("/{name}"))
        return {name.split("/")[1] for name in paths[path]["patch"]["requestBody"]["content"]}

    plain = {"apply-patch+yaml", "json-patch+json", "merge-patch+json"}
    assert patch_types(WIDGET._replace(is_custom=True, custom_schema={})) == plain
    assert patch_types(POD) == {*plain, "strategic-merge-patch+json"}
