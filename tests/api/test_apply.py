"""Server-side apply and managedFields, as a real API server keeps them."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifepod.api.apply import ApplyConflict, server_side_apply
from lifepod.api.decode import prune
from lifepod.api.field_sets import difference, intersection, paths, union
from lifepod.api.managed_fields import MAX_UPDATE_MANAGERS, record_update
from lifepod.api.patch_errors import PatchError
from lifepod.api.schema import type_named, type_of_crd_schema

CONFIG_MAP = type_named("io.k8s.api.core.v1.ConfigMap")
POD = type_named("io.k8s.api.core.v1.Pod")
DEPLOYMENT = type_named("io.k8s.api.apps.v1.Deployment")
SERVICE = type_named("io.k8s.api.core.v1.Service")
T1, T2, T3 = (f"2025-01-01T00:00:0{n}Z" for n in (1, 2, 3))


def config_map(**data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm", "namespace": "d"}, "data": data}


def apply(live, patch, type_=CONFIG_MAP, *, manager="m1", time=T1, force=False, subresource=""):
    made = server_side_apply(
        live,
        patch,
        type_,
        manager=manager,
        api_version=patch["apiVersion"],
        kind=patch["kind"],
        time=time,
        force=force,
        subresource=subresource,
    )
    return prune(made, type_).obj


def update(old, new, type_=CONFIG_MAP, *, manager="up", time=T1, subresource=""):
    return record_update(
        old, new, type_, manager=manager, api_version=new["apiVersion"], time=time, subresource=subresource
    )


def stored(obj):
    return {**obj, "metadata": {**obj["metadata"], "uid": "u1", "resourceVersion": "5"}}


def owners(obj):
    return {e["manager"]: e["fieldsV1"] for e in obj["metadata"].get("managedFields", [])}


def keep_entries(old, new):
    return {**new, "metadata": {**new["metadata"], "managedFields": old["metadata"]["managedFields"]}}


# --- apply ----------------------------------------------------------------------------------------------------------


def test_applying_creates_with_one_entry():
    made = apply(None, config_map(a="1"))
    assert made["data"] == {"a": "1"}
    assert made["metadata"]["managedFields"] == [
        {
            "manager": "m1",
            "operation": "Apply",
            "apiVersion": "v1",
            "time": T1,
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:data": {"f:a": {}}},
        }
    ]


def test_what_is_no_longer_applied_is_removed():
    live = stored(apply(None, config_map(a="1", b="2")))
    made = apply(live, config_map(a="1"), time=T2)
    assert made["data"] == {"a": "1"}
    assert owners(made) == {"m1": {"f:data": {"f:a": {}}}}
    assert made["metadata"]["uid"] == "u1"


def test_what_another_applier_owns_too_stays():
    live = stored(apply(None, config_map(a="1", b="2")))
    live = apply(live, config_map(b="2"), manager="m2")
    made = apply(live, config_map(a="1"))
    assert made["data"] == {"a": "1", "b": "2"}
    assert owners(made) == {"m1": {"f:data": {"f:a": {}}}, "m2": {"f:data": {"f:b": {}}}}


def test_what_an_updater_changed_stays_when_its_former_applier_drops_it():
    live = stored(apply(None, config_map(a="1", b="2")))
    live = update(live, keep_entries(live, {**live, "data": {"a": "1", "b": "3"}}))
    made = apply(live, config_map(a="1"))
    assert made["data"] == {"a": "1", "b": "3"}


def test_applying_the_same_again_changes_nothing():
    live = stored(apply(None, config_map(a="1")))
    assert apply(live, config_map(a="1"), time=T2) == live


def test_the_same_value_is_shared_without_conflict():
    live = stored(apply(None, config_map(a="1")))
    made = apply(live, config_map(a="1"), manager="m2", time=T2)
    assert owners(made) == {"m1": {"f:data": {"f:a": {}}}, "m2": {"f:data": {"f:a": {}}}}


def test_another_value_is_a_conflict_in_upstreams_words():
    live = stored(apply(None, config_map(a="1")))
    with pytest.raises(ApplyConflict) as caught:
        apply(live, config_map(a="2"), manager="m2")
    assert (caught.value.code, str(caught.value)) == (409, 'Apply failed with 1 conflict: conflict with "m1": .data.a')
    assert caught.value.causes == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "m1"', "field": ".data.a"}
    ]


def test_several_conflicts_are_listed_by_manager():
    live = stored(apply(None, config_map(a="1", b="2")))
    with pytest.raises(ApplyConflict) as caught:
        apply(live, config_map(a="x", b="y"), manager="m2")
    assert str(caught.value) == 'Apply failed with 2 conflicts: conflicts with "m1":\n- .data.a\n- .data.b'


def test_a_conflict_with_an_updater_names_its_version():
    live = stored(update(None, config_map(c="1")))
    with pytest.raises(ApplyConflict) as caught:
        apply(live, config_map(c="2"))
    assert str(caught.value) == 'Apply failed with 1 conflict: conflict with "up" using v1: .data.c'


def test_a_conflict_with_a_subresource_names_it():
    live = update(None, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"hostname": "h"}}, POD)
    live = update(
        stored(live), {**stored(live), "status": {"phase": "Running"}}, POD, manager="k", subresource="status"
    )
    patch = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "status": {"phase": "Failed"}}
    with pytest.raises(ApplyConflict) as caught:
        apply(live, patch, POD, subresource="status")
    assert (
        str(caught.value)
        == 'Apply failed with 1 conflict: conflict with "k" with subresource "status" using v1: .status.phase'
    )


def test_force_takes_the_field_over():
    live = stored(apply(None, config_map(a="1", b="1")))
    made = apply(live, config_map(a="2"), manager="m2", force=True, time=T2)
    assert made["data"] == {"a": "2", "b": "1"}
    assert owners(made) == {"m1": {"f:data": {"f:b": {}}}, "m2": {"f:data": {"f:a": {}}}}


def deployment(*containers, **spec):
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": list(containers)}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template, **spec},
    }


def containers_of(obj):
    return obj["spec"]["template"]["spec"]["containers"]


def test_list_elements_are_owned_by_their_keys():
    port = {"containerPort": 80}
    made = apply(None, deployment({"name": "c", "image": "i", "args": ["x"], "ports": [port]}), DEPLOYMENT)
    assert owners(made)["m1"] == {
        "f:spec": {
            "f:selector": {},
            "f:template": {
                "f:metadata": {"f:labels": {"f:a": {}}},
                "f:spec": {
                    "f:containers": {
                        'k:{"name":"c"}': {
                            ".": {},
                            "f:args": {},
                            "f:image": {},
                            "f:name": {},
                            "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}},
                        }
                    }
                },
            },
        }
    }


def test_appliers_share_a_list_and_each_takes_only_its_own_away():
    live = stored(apply(None, deployment({"name": "a", "image": "1"}, {"name": "b", "image": "1"}), DEPLOYMENT))
    sidecar = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d"},
        "spec": {"template": {"spec": {"containers": [{"name": "s", "image": "9"}]}}},
    }
    live = apply(live, sidecar, DEPLOYMENT, manager="m2")
    assert [c["name"] for c in containers_of(live)] == ["a", "b", "s"]
    made = apply(live, deployment({"name": "b", "image": "2"}), DEPLOYMENT)
    assert containers_of(made) == [{"name": "b", "image": "2"}, {"name": "s", "image": "9"}]
    with pytest.raises(ApplyConflict, match=r'containers\[name="s"\].image'):
        apply(made, deployment({"name": "s", "image": "0"}), DEPLOYMENT)


def test_the_applied_order_wins_and_foreign_elements_keep_their_place():
    live = stored(apply(None, deployment({"name": "a"}, {"name": "x"}, {"name": "b"}), DEPLOYMENT))
    del live["metadata"]["managedFields"]
    made = apply(live, deployment({"name": "b"}, {"name": "a"}, {"name": "n"}), DEPLOYMENT)
    assert [c["name"] for c in containers_of(made)] == ["x", "b", "a", "n"]


def test_sets_merge_by_value():
    obj = config_map(a="1")
    one = {**obj, "metadata": {**obj["metadata"], "finalizers": ["x.io/a"]}}
    two = {**obj, "metadata": {**obj["metadata"], "finalizers": ["x.io/b"]}}
    made = apply(stored(apply(None, one)), two, manager="m2")
    assert made["metadata"]["finalizers"] == ["x.io/a", "x.io/b"]
    assert owners(made)["m2"]["f:metadata"] == {"f:finalizers": {'v:"x.io/b"': {}}}


def test_an_untracked_object_belongs_to_before_first_apply():
    live = stored(config_map(a="1"))
    made = apply(live, config_map(b="2"), time=T2)
    assert owners(made) == {"before-first-apply": {"f:data": {".": {}, "f:a": {}}}, "m1": {"f:data": {"f:b": {}}}}


def test_kubectl_takes_over_what_it_applied_on_the_client_side():
    last = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"cm"},"data":{"a":"1"}}'
    obj = config_map(a="1")
    obj["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": last}
    live = stored(update(None, obj, manager="kubectl-client-side-apply"))
    made = apply(live, config_map(a="2"), manager="kubectl")
    assert made["data"] == {"a": "2"}
    assert '"data":{"a":"2"}' in made["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"]
    with pytest.raises(ApplyConflict):
        apply(live, config_map(a="2"), manager="other")


@pytest.mark.parametrize(
    ("patch", "code", "text"),
    [
        ({"kind": "ConfigMap"}, 400, "invalid object type: /, Kind=ConfigMap"),
        ({"apiVersion": "apps/v1", "kind": "Deployment"}, 400, "invalid object type: apps/v1, Kind=Deployment"),
        (
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"managedFields": [{}]}},
            400,
            "metadata.managedFields must be nil",
        ),
        (
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ap"}, "foo": 1},
            500,
            "failed to create typed patch object (/ap; /v1, Kind=ConfigMap): .foo: field not declared in schema",
        ),
        (
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ap"}, "foo": 1, "bar": 2},
            500,
            "failed to create typed patch object (/ap; /v1, Kind=ConfigMap): errors:\n  .bar: field not declared in schema\n  .foo: field not declared in schema",
        ),
    ],
)
def test_patches_that_cannot_be_applied(patch, code, text):
    with pytest.raises(PatchError) as caught:
        server_side_apply(None, patch, CONFIG_MAP, manager="m", api_version="v1", kind="ConfigMap", time=T1)
    assert (caught.value.code, str(caught.value)) == (code, text)


@pytest.mark.parametrize(
    ("containers", "text"),
    [
        ([{"name": "a"}, {"name": "a"}], '.spec.template.spec.containers: duplicate entries for key [name="a"]'),
        (
            [{"image": "x"}],
            '.spec.template.spec.containers: element 0: associative list with keys has an element that omits all key fields ["name"]',
        ),
        ([{"name": "a", "imag": "x"}], '.spec.template.spec.containers[name="a"].imag: field not declared in schema'),
        ([{"name": "a", "stdin": "x"}], '.spec.template.spec.containers[name="a"].stdin: expected boolean'),
    ],
)
def test_mistakes_in_lists_are_told_with_their_keys(containers, text):
    with pytest.raises(PatchError) as caught:
        apply(None, deployment(*containers), DEPLOYMENT)
    assert text in str(caught.value)


# --- updates --------------------------------------------------------------------------------------------------------


def test_a_created_pod_is_owned_as_upstream_writes_it():
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "labels": {"run": "p"}},
        "spec": {
            "containers": [{"name": "p", "image": "i", "resources": {}, "env": [{"name": "A", "value": "b"}]}],
            "restartPolicy": "Always",
            "securityContext": {},
        },
        "status": {"phase": "Pending"},
    }
    made = update(None, pod, POD, manager="kubectl-run")
    assert made["metadata"]["managedFields"] == [
        {
            "manager": "kubectl-run",
            "operation": "Update",
            "apiVersion": "v1",
            "time": T1,
            "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:metadata": {"f:labels": {".": {}, "f:run": {}}},
                "f:spec": {
                    "f:containers": {
                        'k:{"name":"p"}': {
                            ".": {},
                            "f:env": {".": {}, 'k:{"name":"A"}': {".": {}, "f:name": {}, "f:value": {}}},
                            "f:image": {},
                            "f:name": {},
                            "f:resources": {},
                        }
                    },
                    "f:restartPolicy": {},
                    "f:securityContext": {},
                },
            },
        }
    ]


def test_a_status_update_is_an_entry_of_its_own():
    live = stored(
        update(
            None,
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "p"},
                "spec": {"hostname": "h"},
                "status": {"phase": "Pending"},
            },
            POD,
        )
    )
    new = {**live, "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
    made = update(live, new, POD, manager="kubelet", time=T2, subresource="status")
    entry = made["metadata"]["managedFields"][-1]
    assert (entry["manager"], entry["subresource"], entry["time"]) == ("kubelet", "status", T2)
    condition = {'k:{"type":"Ready"}': {".": {}, "f:status": {}, "f:type": {}}}
    assert entry["fieldsV1"] == {"f:status": {"f:conditions": {".": {}, **condition}, "f:phase": {}}}


def test_an_updater_takes_fields_from_the_applier():
    live = stored(apply(None, config_map(a="1", b="1")))
    made = update(live, {**live, "data": {"a": "2", "b": "1"}}, time=T2)
    assert owners(made) == {"m1": {"f:data": {"f:b": {}}}, "up": {"f:data": {"f:a": {}}}}


def test_a_removed_field_is_owned_by_nobody():
    live = stored(apply(None, config_map(a="1", b="1")))
    made = update(live, {**live, "data": {"b": "1"}})
    assert owners(made) == {"m1": {"f:data": {"f:b": {}}}}


def test_an_update_that_changes_nothing_keeps_the_entries_and_their_times():
    live = stored(update(None, config_map(a="1"), time=T1))
    assert update(live, copy.deepcopy(live), manager="other", time=T2) == live


def test_a_managers_entries_are_merged_and_get_the_new_time():
    live = stored(update(None, config_map(a="1"), time=T1))
    made = update(live, {**live, "data": {"a": "1", "b": "2"}}, time=T2)
    assert owners(made) == {"up": {"f:data": {".": {}, "f:a": {}, "f:b": {}}}}
    assert made["metadata"]["managedFields"][0]["time"] == T2


@pytest.mark.parametrize("entries", [[], [{}]])
def test_entries_can_be_reset(entries):
    live = stored(apply(None, config_map(a="1")))
    new = {**live, "metadata": {**live["metadata"], "managedFields": entries}}
    assert "managedFields" not in update(live, new)["metadata"]


def test_entries_a_client_forgot_are_kept():
    live = stored(apply(None, config_map(a="1")))
    new = {**live, "metadata": {k: v for k, v in live["metadata"].items() if k != "managedFields"}}
    assert update(live, new) == live


def test_entries_a_client_rewrites_are_taken():
    live = stored(update(None, config_map(a="1"), manager="kubectl-client-side-apply"))
    entry = {**live["metadata"]["managedFields"][0], "manager": "kubectl", "operation": "Apply"}
    new = {**live, "metadata": {**live["metadata"], "managedFields": [entry]}}
    assert update(live, new)["metadata"]["managedFields"] == [entry]


def test_more_than_ten_updaters_are_merged_into_ancient_changes():
    live = stored(update(None, config_map(a="0"), manager="m00"))
    for n in range(1, 14):
        live = update(
            live,
            {**live, "data": {**live["data"], f"k{n}": "1"}},
            manager=f"m{n:02d}",
            time=f"2025-01-01T00:00:{n:02d}Z",
        )
    names = [e["manager"] for e in live["metadata"]["managedFields"]]
    assert len(names) == MAX_UPDATE_MANAGERS
    assert names[0] == "ancient-changes"
    assert owners(live)["ancient-changes"]["f:data"].keys() >= {"f:a", "f:k1", "f:k2"}


def test_custom_resources_are_merged_by_their_schema():
    widget = type_of_crd_schema(
        {
            "properties": {
                "spec": {
                    "type": "object",
                    "properties": {
                        "items": {
                            "type": "array",
                            "x-kubernetes-list-type": "map",
                            "x-kubernetes-list-map-keys": ["id"],
                            "items": {
                                "type": "object",
                                "properties": {"id": {"type": "string"}, "v": {"type": "integer"}},
                            },
                        },
                        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                    },
                }
            }
        }
    )

    def obj(**spec):
        return {"apiVersion": "ex.io/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": spec}

    live = stored(apply(None, obj(items=[{"id": "a", "v": 1}], free={"x": {"y": 1}}), widget))
    made = apply(live, obj(items=[{"id": "b", "v": 2}], free={"x": {"z": 2}}), widget, manager="m2")
    assert made["spec"] == {"items": [{"id": "a", "v": 1}, {"id": "b", "v": 2}], "free": {"x": {"y": 1, "z": 2}}}


# --- properties -----------------------------------------------------------------------------------------------------

DATA = st.dictionaries(st.sampled_from("abcd"), st.sampled_from("12"), max_size=4)
WRITES = st.lists(
    st.tuples(st.sampled_from(["apply", "force", "update"]), st.sampled_from(["m1", "m2"]), DATA),
    min_size=1,
    max_size=6,
)


@given(WRITES)
def test_every_owned_field_is_there_and_a_forced_apply_gets_what_it_says(writes):
    live = stored(update(None, config_map()))
    for verb, manager, data in writes:
        before = copy.deepcopy(live)
        try:
            if verb == "update":
                made = update(live, {**live, "data": data}, manager=manager)
            else:
                made = apply(live, config_map(**data), manager=manager, force=verb == "force")
        except ApplyConflict:
            continue
        assert live == before
        if verb != "update":
            assert made.get("data", {}).items() >= data.items()
        for fields in owners(made).values():
            owned = {p.removeprefix(".data.") for p in paths(fields) if p != ".data"}
            assert owned <= made.get("data", {}).keys()
        live = made


SETS = st.recursive(
    st.just({}),
    lambda inner: st.dictionaries(st.sampled_from(["f:a", "f:b", "f:c", "."]), inner, min_size=1, max_size=3).map(
        lambda d: {k: ({} if k == "." else v) for k, v in d.items() if k != "." or len(d) > 1}
    ),
    max_leaves=8,
).map(lambda d: {k: v for k, v in d.items() if k != "."})


@given(SETS, SETS)
def test_field_sets_are_sets(a, b):
    in_a, in_b = set(paths(a)), set(paths(b))
    assert set(paths(union(a, b))) == in_a | in_b
    assert set(paths(difference(a, b))) == in_a - in_b
    assert set(paths(intersection(a, b))) == in_a & in_b
