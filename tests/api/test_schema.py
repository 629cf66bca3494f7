"""The schema table, and types made from a CRD's schema."""

import subprocess
import sys

import pytest

from lifepod.api.builtin import builtin_kinds
from lifepod.api.schema import kinds_of, type_named, type_of_crd_schema, type_of_kind

POD = type_named("io.k8s.api.core.v1.Pod")


def test_fields_know_their_type_and_rules():
    containers = POD.fields["spec"].type.fields["containers"]
    assert containers.required
    assert (containers.patch_strategy, containers.patch_merge_key) == ("merge", "name")
    assert (containers.type.kind, containers.type.list_type, containers.type.list_keys) == ("array", "map", ("name",))
    assert containers.type.go == "[]v1.Container"
    assert containers.type.item is type_named("io.k8s.api.core.v1.Container")


def test_go_says_which_fields_are_pointers_and_always_printed():
    status = type_named("io.k8s.api.core.v1.ContainerStatus").fields
    assert not status["restartCount"].omitempty
    assert not status["restartCount"].pointer
    assert POD.fields["spec"].type.fields["terminationGracePeriodSeconds"].pointer


def test_maps_name_their_values():
    limits = type_named("io.k8s.api.core.v1.ResourceRequirements").fields["limits"].type
    assert (limits.kind, limits.go) == ("map", "v1.ResourceList")
    assert limits.item is not None
    assert limits.item.kind == "quantity"


def test_a_field_may_say_otherwise_than_its_type_whether_it_is_atomic():
    assert type_named("io.k8s.api.core.v1.ObjectReference").atomic
    assert not type_named("io.k8s.api.core.v1.PersistentVolumeSpec").fields["claimRef"].type.atomic
    assert type_named("io.k8s.api.core.v1.ServiceSpec").fields["selector"].type.atomic


@pytest.mark.parametrize("kind", builtin_kinds(), ids=lambda k: f"{k.api_version}/{k.kind}")
def test_every_built_in_kind_is_in_the_table(kind):
    type_ = type_named(kind.schema)
    assert "metadata" in type_.fields
    assert (kind.group, kind.version, kind.kind) in kinds_of(kind.schema)
    assert type_of_kind(kind.group, kind.version, kind.kind) is type_


def test_unknown_names_are_key_errors():
    with pytest.raises(KeyError):
        type_named("io.k8s.api.core.v1.Nothing")
    assert type_of_kind("", "v1", "Nothing") is None


def test_a_crd_schema_becomes_a_type_with_its_list_rules():
    widget = type_of_crd_schema(
        {
            "properties": {
                "spec": {
                    "type": "object",
                    "required": ["n"],
                    "properties": {
                        "n": {"type": "integer", "default": 3},
                        "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                        "either": {"x-kubernetes-int-or-string": True},
                        "opt": {"type": "string", "nullable": True},
                    },
                }
            }
        },
        "Widget",
    )
    spec = widget.fields["spec"].type.fields
    assert (spec["n"].required, spec["n"].default, spec["n"].type.kind) == (True, 3, "int64")
    assert spec["tags"].type.list_type == "set"
    assert spec["either"].type.kind == "int-or-string"
    assert spec["opt"].type.nullable
    assert widget.fields["metadata"].type is type_named("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")


def test_the_table_is_not_read_before_it_is_needed():
    code = "import sys, lifepod.api.schema, lifepod.api.decode, lifepod.api.openapi; sys.exit('lifepod.api.schema_data' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
