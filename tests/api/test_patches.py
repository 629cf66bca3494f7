"""The three patch kinds against tables of upstream's behaviour, and what must hold of each."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifepod.api.patch_conversion import conversion_error
from lifepod.api.patch_errors import REJECTED, PatchError, go_print
from lifepod.api.patch_json import json_patch
from lifepod.api.patch_merge import merge_patch
from lifepod.api.patch_strategic import strategic_merge
from lifepod.api.schema import type_named

POD = type_named("io.k8s.api.core.v1.Pod")
DEPLOYMENT = type_named("io.k8s.api.apps.v1.Deployment")

SCALAR = st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "b"])
JSON = st.recursive(
    SCALAR, lambda i: st.lists(i, max_size=3) | st.dictionaries(st.sampled_from("abc"), i, max_size=3), max_leaves=8
)
OBJECT = st.dictionaries(st.sampled_from("abc"), JSON, max_size=3)


# --- RFC 6902 -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "operation", "after"),
    [
        ({}, {"op": "add", "path": "/a", "value": 1}, {"a": 1}),
        ({}, {"op": "add", "path": "/a", "value": None}, {"a": None}),
        ({"a": [1, 3]}, {"op": "add", "path": "/a/1", "value": 2}, {"a": [1, 2, 3]}),
        ({"a": [1]}, {"op": "add", "path": "/a/-", "value": 2}, {"a": [1, 2]}),
        ({"a": [1, 2]}, {"op": "remove", "path": "/a/-1"}, {"a": [1]}),
        ({"a/b": 1, "c~d": 2}, {"op": "remove", "path": "/a~1b"}, {"c~d": 2}),
        ({"c~d": 2}, {"op": "replace", "path": "/c~0d", "value": 3}, {"c~d": 3}),
        ({"a": {"b": 1}}, {"op": "move", "from": "/a/b", "path": "/c"}, {"a": {}, "c": 1}),
        ({"a": {"b": 1}}, {"op": "copy", "from": "/a", "path": "/c"}, {"a": {"b": 1}, "c": {"b": 1}}),
        ({"a": 1}, {"op": "test", "path": "/a", "value": 1}, {"a": 1}),
        ({"a": 1}, {"op": "test", "path": "/b", "value": None}, {"a": 1}),
        ({"a": {"b": 1, "c": 2}}, {"op": "test", "path": "/a", "value": {"c": 2, "b": 1}}, {"a": {"b": 1, "c": 2}}),
        ({"": 1}, {"op": "remove", "path": "/"}, {}),
        ({"a": 1}, {"op": "replace", "path": "", "value": {"b": 2}}, {"b": 2}),
    ],
)
def test_one_json_patch_operation(before, operation, after):
    assert json_patch(before, [operation]) == after


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/x"},
        {"op": "replace", "path": "/x", "value": 1},
        {"op": "add", "path": "/x/y", "value": 1},
        {"op": "add", "path": "/l/5", "value": 1},
        {"op": "add", "path": "/l/x", "value": 1},
        {"op": "add", "path": "/a"},
        {"op": "test", "path": "/a", "value": 2},
        {"op": "test", "path": "/a", "value": True},
        {"op": "test", "path": "/a", "value": 1.0},
        {"op": "move", "from": "/x", "path": "/y"},
        {"op": "bogus", "path": "/a"},
        {"op": "add", "path": "a", "value": 1},
        {"op": "add", "value": 1},
        {"path": "/a", "value": 1},
        {"op": "remove", "path": ""},
        {"op": "replace", "path": "", "value": 1},
        {"op": "remove", "path": "/l/99999999999999999999"},
    ],
)
def test_an_operation_that_does_not_fit_is_422_without_saying_why(operation):
    with pytest.raises(PatchError) as caught:
        json_patch({"a": 1, "l": [1]}, [operation])
    assert (caught.value.code, str(caught.value)) == (422, REJECTED)


def test_a_json_patch_that_is_no_list_is_told_as_go_tells_it():
    with pytest.raises(PatchError) as caught:
        json_patch({}, {"op": "add"})
    text = "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"
    assert (caught.value.code, str(caught.value)) == (400, text)


def test_more_than_ten_thousand_operations_are_refused():
    with pytest.raises(PatchError) as caught:
        json_patch({}, [{"op": "test", "path": "/a", "value": None}] * 10_001)
    assert caught.value.code == 413


def test_copies_cannot_grow_an_object_without_bound():
    doubling = [{"op": "copy", "from": "/a", "path": "/a/-"}] * 60
    with pytest.raises(PatchError) as caught:
        json_patch({"a": ["x" * 100]}, doubling)
    assert caught.value.code == 422


OPERATION = st.fixed_dictionaries(
    {
        "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]),
        "path": st.sampled_from(["", "/a", "/a/b", "/a/0", "/b/-", "/c/1/a"]),
    },
    optional={"value": JSON, "from": st.sampled_from(["/a", "/b/0", ""])},
)


@given(OBJECT, st.lists(OPERATION, max_size=4))
def test_a_json_patch_applies_or_says_422_and_changes_no_input(obj, operations):
    before = copy.deepcopy(obj)
    try:
        made = json_patch(obj, operations)
    except PatchError as error:
        made, code = {}, error.code
        assert code == 422
    assert obj == before
    assert isinstance(made, dict)


# --- RFC 7386 -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "patch", "after"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({"a": "foo"}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ({"a": 1}, {"a": True}, {"a": True}),
    ],
)
def test_merge_patch(before, patch, after):
    made = merge_patch(before, patch)
    assert made == after
    assert {k: type(v) for k, v in made.items()} == {k: type(v) for k, v in after.items()}


def difference(old, new):
    """The merge patch that leads from one object to the other."""
    patch = {k: None for k in old if k not in new}
    for key, value in new.items():
        if key in old and isinstance(old[key], dict) and isinstance(value, dict):
            patch[key] = difference(old[key], value)
        elif key not in old or old[key] != value or type(old[key]) is not type(value):
            patch[key] = value
    return patch


@given(OBJECT, OBJECT)
def test_merging_the_difference_leads_to_the_other_object(old, new):
    before = copy.deepcopy(old)
    assert merge_patch(old, difference(old, new)) == new
    assert old == before


@given(OBJECT)
def test_merging_an_object_into_itself_is_the_same_object(obj):
    assert merge_patch(obj, copy.deepcopy(obj)) is obj


# --- strategic merge ------------------------------------------------------------------------------------------------


def spec(**fields):
    return {"spec": fields}


AB = [{"name": "a", "image": "1"}, {"name": "b", "image": "2"}]


@pytest.mark.parametrize(
    ("why", "before", "patch", "after"),
    [
        (
            "containers merge by name",
            spec(containers=AB),
            spec(containers=[{"name": "b", "image": "3"}]),
            spec(containers=[AB[0], {"name": "b", "image": "3"}]),
        ),
        (
            "a new element comes before those only the server has",
            spec(containers=AB),
            spec(containers=[{"name": "c"}]),
            spec(containers=[{"name": "c"}, *AB]),
        ),
        (
            "delete by key",
            spec(containers=AB),
            spec(containers=[{"$patch": "delete", "name": "a"}]),
            spec(containers=[AB[1]]),
        ),
        (
            "replace a list",
            spec(containers=AB),
            spec(containers=[{"name": "c"}, {"$patch": "replace"}]),
            spec(containers=[{"name": "c"}]),
        ),
        (
            "tolerations are replaced",
            spec(tolerations=[{"key": "a"}]),
            spec(tolerations=[{"key": "b"}]),
            spec(tolerations=[{"key": "b"}]),
        ),
        (
            "command is replaced",
            spec(containers=[{"name": "a", "command": ["x", "y"]}]),
            spec(containers=[{"name": "a", "command": ["z"]}]),
            spec(containers=[{"name": "a", "command": ["z"]}]),
        ),
        (
            "null removes",
            {"metadata": {"labels": {"a": "1", "b": "2"}}},
            {"metadata": {"labels": {"a": None}}},
            {"metadata": {"labels": {"b": "2"}}},
        ),
        (
            "null for nothing is nothing",
            {},
            {"metadata": {"labels": {"a": None, "b": "1"}}},
            {"metadata": {"labels": {"b": "1"}}},
        ),
        (
            "a map replaced",
            spec(securityContext={"runAsUser": 1, "fsGroup": 2}),
            spec(securityContext={"$patch": "replace", "runAsUser": 3}),
            spec(securityContext={"runAsUser": 3}),
        ),
        (
            "a map deleted is empty",
            spec(securityContext={"runAsUser": 1}),
            spec(securityContext={"$patch": "delete"}),
            spec(securityContext={}),
        ),
        (
            "finalizers are a set",
            {"metadata": {"finalizers": ["a", "b"]}},
            {"metadata": {"finalizers": ["b", "c"]}},
            {"metadata": {"finalizers": ["a", "b", "c"]}},
        ),
        (
            "primitives are deleted from a list",
            {"metadata": {"finalizers": ["a", "b"]}},
            {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}},
            {"metadata": {"finalizers": ["b"]}},
        ),
        (
            "the order is the patch's",
            spec(containers=AB),
            {
                "spec": {
                    "$setElementOrder/containers": [{"name": "b"}, {"name": "a"}],
                    "containers": [{"name": "a", "image": "9"}],
                }
            },
            spec(containers=[AB[1], {"name": "a", "image": "9"}]),
        ),
        (
            "an order without changes",
            spec(containers=AB),
            {"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}},
            spec(containers=[AB[1], AB[0]]),
        ),
        (
            "what only the server has keeps its place between",
            spec(containers=[{"name": "a"}, {"name": "x"}, {"name": "b"}]),
            {
                "spec": {
                    "$setElementOrder/containers": [{"name": "a"}, {"name": "b"}, {"name": "c"}],
                    "containers": [{"name": "c"}],
                }
            },
            spec(containers=[{"name": "a"}, {"name": "x"}, {"name": "b"}, {"name": "c"}]),
        ),
        (
            "an order with a deletion",
            spec(containers=AB),
            {
                "spec": {
                    "$setElementOrder/containers": [{"name": "b"}],
                    "containers": [{"$patch": "delete", "name": "a"}],
                }
            },
            spec(containers=[AB[1]]),
        ),
        (
            "retainKeys drops the other volume source",
            spec(volumes=[{"name": "v", "emptyDir": {}}]),
            spec(volumes=[{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}]),
            spec(volumes=[{"name": "v", "hostPath": {"path": "/x"}}]),
        ),
        (
            "container statuses are replaced",
            {"status": {"containerStatuses": [{"name": "a"}]}},
            {"status": {"containerStatuses": [{"name": "b"}]}},
            {"status": {"containerStatuses": [{"name": "b"}]}},
        ),
        (
            "conditions merge by type",
            {"status": {"conditions": [{"type": "A", "status": "x"}]}},
            {"status": {"conditions": [{"type": "A", "status": "y"}]}},
            {"status": {"conditions": [{"type": "A", "status": "y"}]}},
        ),
    ],
)
def test_strategic_merge_of_pods(why, before, patch, after):
    saved = copy.deepcopy((before, patch))
    assert strategic_merge(before, patch, POD) == after
    assert (before, patch) == saved


def test_retain_keys_of_a_deployment_strategy_drops_the_rolling_update():
    before = spec(strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}})
    patch = spec(strategy={"$retainKeys": ["type"], "type": "Recreate"})
    assert strategic_merge(before, patch, DEPLOYMENT) == spec(strategy={"type": "Recreate"})


def test_nested_lists_merge_by_their_own_keys():
    before = spec(
        template=spec(
            containers=[{"name": "a", "env": [{"name": "X", "value": "1"}], "ports": [{"containerPort": 80}]}]
        )
    )
    patch = spec(
        template=spec(
            containers=[
                {"name": "a", "env": [{"name": "X", "value": "2"}], "ports": [{"containerPort": 80, "name": "h"}]}
            ]
        )
    )
    after = spec(
        template=spec(
            containers=[
                {"name": "a", "env": [{"name": "X", "value": "2"}], "ports": [{"containerPort": 80, "name": "h"}]}
            ]
        )
    )
    assert strategic_merge(before, patch, DEPLOYMENT) == after


@pytest.mark.parametrize(
    ("patch", "code", "text"),
    [
        ({"$patch": "bogus"}, 500, "unknown patch type: bogus in map: map[$patch:bogus]"),
        (spec(containers=[{"image": "x"}]), 500, "map: map[image:x] does not contain declared merge key: name"),
        (spec(containers=[{"$patch": "merge"}]), 500, "merging lists cannot yet be specified in the patch"),
        (
            spec(containers=["x"]),
            500,
            "list element types are not identical: [[map[image:1 name:a] map[image:2 name:b]] [x]]",
        ),
        ({"spec": {"$setElementOrder/containers": "x"}}, 500, "expected a []interface {}, but received a string"),
        ({"spec": {"$setElementOrder": []}}, 400, "invalid patch format of setElementOrder list"),
        ({"spec": {"$deleteFromPrimitiveList": []}}, 400, "invalid patch format of primitive list"),
        ({"spec": {"$retainKeys": 1}}, 400, "invalid patch format of retainKeys"),
        ({"spec": {"$retainKeys": ["a"], "b": 1}}, 400, "invalid patch format of retainKeys"),
        (
            {"spec": {"$setElementOrder/containers": [{"name": "b"}], "containers": [{"name": "a"}]}},
            500,
            "The order in patch list:\n[map[name:a]]\n doesn't match $setElementOrder list:\n[map[name:b]]\n",
        ),
    ],
)
def test_a_strategic_patch_that_makes_no_sense(patch, code, text):
    with pytest.raises(PatchError) as caught:
        strategic_merge(spec(containers=AB), patch, POD)
    assert (caught.value.code, str(caught.value)) == (code, text)


ITEMS = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from("abcd"), "image": SCALAR}), unique_by=lambda c: c["name"], max_size=4
)


@given(ITEMS, ITEMS)
def test_after_a_strategic_merge_every_patched_container_is_as_patched_and_none_is_lost(live, change):
    before = copy.deepcopy(live)
    made = strategic_merge(spec(containers=live), spec(containers=change), POD)["spec"]["containers"]
    assert live == before
    by_name = {c["name"]: c for c in made}
    assert len(by_name) == len(made)
    assert by_name == {c["name"]: c for c in live} | {c["name"]: c for c in change}
    assert [c["name"] for c in made if c in change] == [c["name"] for c in change]


ANY_PATCH = st.recursive(
    st.none() | SCALAR,
    lambda i: (
        st.lists(i, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "containers",
                    "name",
                    "$patch",
                    "$retainKeys",
                    "$setElementOrder/containers",
                    "volumes",
                    "$deleteFromPrimitiveList/volumes",
                ]
            ),
            i,
            max_size=3,
        )
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["spec", "metadata", "$patch"]), ANY_PATCH, max_size=2))
def test_any_strategic_patch_merges_or_is_refused(patch):
    live = spec(containers=AB, volumes=[{"name": "v"}])
    saved = copy.deepcopy((live, patch))
    try:
        strategic_merge(live, patch, POD)
    except PatchError as error:
        assert error.code in (400, 422, 500)  # noqa: PT017 - both outcomes go on
    assert (live, patch) == saved


@pytest.mark.parametrize(
    ("value", "text"),
    [({"b": [1, "x"], "a": None}, "map[a:<nil> b:[1 x]]"), (True, "true"), ({}, "map[]")],
)
def test_values_are_printed_as_go_prints_them(value, text):
    assert go_print(value) == text


def nested(depth):
    value = {"a": 1}
    for _ in range(depth):
        value = {"a": value}
    return value


def test_patches_that_nest_too_deeply_are_refused():
    deep = nested(2000)
    with pytest.raises(PatchError, match="max depth"):
        merge_patch({}, deep)
    with pytest.raises(PatchError, match="max depth"):
        strategic_merge({}, {"spec": deep}, POD)
    with pytest.raises(PatchError, match="max depth"):
        json_patch({}, [{"op": "test", "path": "/a", "value": deep}])


@pytest.mark.parametrize(
    ("decoding", "converting"),
    [
        ("number into Go struct field ConfigMap.data of type string", "cannot convert int64 to string"),
        ("string into Go struct field DeploymentSpec.spec.replicas of type int32", "unrecognized type: int32"),
        (
            "number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
            "cannot convert float64 to int32",
        ),
        ("string into Go struct field PodSpec.spec.hostNetwork of type bool", "unrecognized type: bool"),
        ("string into Go struct field ConfigMap.data of type map[string]string", "cannot restore map from string"),
        ("object into Go struct field PodSpec.spec.containers of type []v1.Container", "cannot restore slice from map"),
        ("string into Go struct field Pod.spec of type v1.PodSpec", "cannot restore struct from: string"),
        ("array into Go struct field PodSpec.spec.restartPolicy of type v1.RestartPolicy", "unrecognized type: string"),
    ],
)
def test_a_strategic_patch_speaks_of_conversion(decoding, converting):
    assert conversion_error(f"json: cannot unmarshal {decoding}") == converting


def test_what_is_no_matter_of_types_is_said_as_it_is():
    assert conversion_error("quantities must match") == "quantities must match"
