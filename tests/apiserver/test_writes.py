"""The writing verbs, in upstream's words."""

from __future__ import annotations

from datetime import timedelta

import orjson
import pytest

from lifepod.api.writes import ApiError, Write
from lifepod.apiserver.options import DeleteOptions, ListOptions, WriteOptions

from .conftest import NOW

OPTIONS = WriteOptions(NOW)


def pod(name="a", **more):
    spec = {"containers": [{"name": "c", "image": "busybox:1.36"}], **more.pop("spec", {})}
    return {"metadata": {"name": name, **more}, "spec": spec}


def create(api, resource, obj, namespace="default", options=OPTIONS):
    return api.create(api.kinds.of(resource), namespace, obj, options)


def refusal(call, *args, **kwargs):
    with pytest.raises(ApiError) as refused:
        call(*args, **kwargs)
    status = refused.value.status
    assert status["kind"] == "Status"
    return status["code"], status.get("reason"), status["message"]


def bound(api, name="a"):
    api.carry_out(Write("create", "pods", "default", name, {"target": {"name": "n1"}}, "binding"), NOW)


# ----------------------------------------------------------------------------------------------------------------- create


def test_the_server_gives_uid_time_generation_and_revision(api):
    made = create(api, "pods", pod(uid="mine", creationTimestamp="1999-01-01T00:00:00Z", generation=7))
    metadata = made["metadata"]
    assert metadata["uid"] != "mine"
    assert (metadata["creationTimestamp"], metadata["generation"]) == ("2025-01-01T00:00:00Z", 1)
    assert metadata["resourceVersion"] == str(api.store.revision)
    assert made["status"]["phase"] == "Pending"


@pytest.mark.parametrize(
    ("obj", "namespace", "code", "message"),
    [
        (pod(), "nons", 404, 'namespaces "nons" not found'),
        (
            pod(namespace="other"),
            "default",
            400,
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
        (pod(resourceVersion="3"), "default", 500, "resourceVersion should not be set on objects to be created"),
        (
            pod(name=""),
            "default",
            422,
            'Pod "" is invalid: metadata.name: Required value: name or generateName is required',
        ),
        (
            pod(spec={"serviceAccountName": "x"}),
            "default",
            403,
            'pods "a" is forbidden: error looking up service account default/x: serviceaccount "x" not found',
        ),
        (
            pod(spec={"priorityClassName": "nope"}),
            "default",
            403,
            'pods "a" is forbidden: no PriorityClass with name nope was found',
        ),
        (
            pod(spec={"runtimeClassName": "nope"}),
            "default",
            403,
            'pods "a" is forbidden: pod rejected: RuntimeClass "nope" not found',
        ),
        (
            {"apiVersion": "v2", "kind": "Pod"},
            "default",
            400,
            'Pod in version "v2" cannot be handled as a Pod: no kind "Pod" is registered for version "v2" in scheme '
            '"pkg/runtime/scheme.go:110"',
        ),
        (
            {"apiVersion": "v1", "kind": "Service"},
            "default",
            400,
            'Service in version "v1" cannot be handled as a Pod: converting (v1.Service) to (core.Pod): unknown conversion',
        ),
    ],
)
def test_a_pod_that_cannot_be_created_is_refused_in_upstreams_words(api, obj, namespace, code, message):
    assert refusal(create, api, "pods", obj, namespace)[::2] == (code, message)


def test_a_name_that_is_taken_is_a_conflict_of_its_own_reason(api):
    create(api, "pods", pod())
    assert refusal(create, api, "pods", pod()) == (409, "AlreadyExists", 'pods "a" already exists')


def test_generated_names_keep_their_prefix_and_are_cut_to_63_characters(api):
    obj = {"metadata": {"generateName": "x" * 70}, "spec": pod()["spec"]}
    made = create(api, "pods", obj)
    assert len(made["metadata"]["name"]) == 63
    assert made["metadata"]["generateName"] == "x" * 70


def test_a_generated_name_that_is_taken_is_tried_again(api):
    api.ids.suffix = _suffixes(["bbbbb", "bbbbb", "ccccc"])
    first = create(api, "configmaps", {"metadata": {"generateName": "x-"}})
    second = create(api, "configmaps", {"metadata": {"generateName": "x-"}})
    assert (first["metadata"]["name"], second["metadata"]["name"]) == ("x-bbbbb", "x-ccccc")


def test_a_generated_name_that_stays_taken_is_refused_after_eight_tries(api):
    api.ids.suffix = _suffixes(["bbbbb"] * 9)
    create(api, "configmaps", {"metadata": {"generateName": "x-"}})
    code, reason, message = refusal(create, api, "configmaps", {"metadata": {"generateName": "x-"}})
    assert (code, reason) == (409, "AlreadyExists")
    assert message == (
        'configmaps "x-bbbbb" already exists, the server was not able to generate a unique name for the object'
    )


def _suffixes(values):
    rest = iter(values)
    return lambda length=5: next(rest)


def test_a_dry_run_has_a_uid_but_no_revision_and_leaves_nothing(api):
    before = api.store.revision
    made = create(api, "pods", pod(), options=OPTIONS._replace(dry_run=True))
    assert made["metadata"]["uid"]
    assert "resourceVersion" not in made["metadata"]
    assert api.store.revision == before


def test_unknown_fields_are_refused_warned_of_or_ignored(api):
    body = b'{"metadata":{"name":"a"},"spec":{"bogus":1,"containers":[{"name":"c","image":"x"}]}}'
    strict = OPTIONS._replace(field_validation="Strict")
    assert refusal(create, api, "pods", body, options=strict)[::2] == (
        400,
        'Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec.bogus"',
    )
    made = create(api, "pods", body)
    assert api.take_warnings() == ('unknown field "spec.bogus"',)
    assert "bogus" not in made["spec"]
    create(api, "pods", body.replace(b'"a"', b'"b"'), options=OPTIONS._replace(field_validation="Ignore"))
    assert api.take_warnings() == ()


def test_a_new_namespace_has_its_service_account_and_root_certificate_at_once(api):
    made = create(api, "namespaces", {"metadata": {"name": "t"}}, "")
    assert made["metadata"]["labels"] == {"kubernetes.io/metadata.name": "t"}
    assert made["spec"] == {"finalizers": ["kubernetes"]}
    assert api.store.get("serviceaccounts", "t", "default")
    assert "ca.crt" in api.store.get("configmaps", "t", "kube-root-ca.crt")["data"]


def test_a_pod_gets_its_token_volume_mounted_in_every_container(api):
    made = create(api, "pods", pod(spec={"initContainers": [{"name": "i", "image": "x"}]}))
    volume = made["spec"]["volumes"][0]["name"]
    assert volume.startswith("kube-api-access-")
    for container in (*made["spec"]["containers"], *made["spec"]["initContainers"]):
        mount = {"name": volume, "readOnly": True, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
        assert container["volumeMounts"] == [mount]


def test_a_pod_that_wants_no_token_gets_none(api):
    made = create(api, "pods", pod(spec={"automountServiceAccountToken": False}))
    assert "volumes" not in made["spec"]


def test_a_pods_own_toleration_of_a_lost_node_stands(api):
    own = {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 1}
    made = create(api, "pods", pod(spec={"tolerations": [own]}))
    assert [t["key"] for t in made["spec"]["tolerations"]] == [
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    ]
    assert made["spec"]["tolerations"][0]["tolerationSeconds"] == 1


def test_a_job_gets_its_selector_from_its_uid(api):
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}}
    made = create(api, "jobs.batch", {"metadata": {"name": "j"}, "spec": {"template": template}})
    selector = made["spec"]["selector"]["matchLabels"]
    assert selector == {"batch.kubernetes.io/controller-uid": made["metadata"]["uid"]}


@pytest.mark.parametrize(
    ("resource", "body", "owned"),
    [
        ("pods", pod(), {"f:spec"}),
        ("services", {"spec": {"ports": [{"port": 80}]}}, {"f:spec"}),
        (
            "persistentvolumeclaims",
            {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1"}}}},
            {"f:spec"},
        ),
        (
            "daemonsets.apps",
            {
                "spec": {
                    "selector": {"matchLabels": {"a": "b"}},
                    "template": {**pod(), "metadata": {"labels": {"a": "b"}}},
                }
            },
            {"f:metadata", "f:spec"},
        ),
        ("namespaces", {}, {"f:metadata"}),
    ],
)
def test_who_creates_owns_what_was_sent_and_defaults_but_nothing_that_the_server_adds_later(api, resource, body, owned):
    made = create(api, resource, {**body, "metadata": {"name": "it"}})
    (entry,) = made["metadata"]["managedFields"]
    assert set(entry["fieldsV1"]) == owned
    added = {
        "f:tolerations",
        "f:volumes",
        "f:priority",
        "f:serviceAccountName",
        "f:clusterIP",
        "f:ipFamilies",
        "f:storageClassName",
    }
    assert not added & set(entry["fieldsV1"].get("f:spec", {}))


# ---------------------------------------------------------------------------------------------------------- update, patch


def update(api, resource, obj, namespace="default", subresource="", options=OPTIONS):
    kind = api.kinds.of(resource)
    return api.update(kind, namespace, obj["metadata"]["name"], obj, options, subresource)


def patch(api, resource, name, change, kind_of_patch="merge", subresource="", namespace="default", options=OPTIONS):
    kind = api.kinds.of(resource)
    return api.patch(kind, namespace, name, orjson.dumps(change), kind_of_patch, options, subresource).obj


def test_an_update_that_changes_nothing_keeps_the_revision(api):
    made = create(api, "configmaps", {"metadata": {"name": "m"}, "data": {"a": "1"}})
    again = update(api, "configmaps", {"metadata": {"name": "m"}, "data": {"a": "1"}})
    assert again.obj["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_an_update_from_an_old_revision_conflicts(api):
    made = create(api, "pods", pod())
    patch(api, "pods", "a", {"metadata": {"labels": {"x": "y"}}})
    assert refusal(update, api, "pods", made) == (
        409,
        "Conflict",
        'Operation cannot be fulfilled on pods "a": the object has been modified; please apply your changes to the '
        "latest version and try again",
    )


def test_a_patch_may_insist_on_a_revision(api):
    create(api, "pods", pod())
    change = {"metadata": {"resourceVersion": "1", "labels": {"x": "y"}}}
    assert refusal(patch, api, "pods", "a", change)[:2] == (409, "Conflict")


def test_another_uid_is_a_conflict(api):
    create(api, "pods", pod())
    code, _, message = refusal(patch, api, "pods", "a", {"metadata": {"uid": "zzz"}})
    assert code == 409
    assert "Precondition failed: UID in precondition: zzz, UID in object meta:" in message


def test_the_name_of_the_url_counts(api):
    kind = api.kinds.of("configmaps")
    assert refusal(api.update, kind, "default", "a", {"metadata": {"name": "other"}}, OPTIONS)[::2] == (
        400,
        "the name of the object (other) does not match the name on the URL (a)",
    )


@pytest.mark.parametrize(
    ("resource", "obj", "is_created"),
    [
        ("configmaps", {"metadata": {"name": "m"}}, False),
        ("leases.coordination.k8s.io", {"metadata": {"name": "l"}, "spec": {"holderIdentity": "me"}}, True),
    ],
)
def test_only_some_kinds_are_created_by_an_update(api, resource, obj, is_created):
    if is_created:
        assert update(api, resource, obj).created
    else:
        assert refusal(update, api, resource, obj)[:2] == (404, "NotFound")


def test_a_lease_must_say_which_revision_it_updates(api):
    lease = {"metadata": {"name": "l"}, "spec": {"holderIdentity": "me"}}
    update(api, "leases.coordination.k8s.io", lease)
    assert refusal(update, api, "leases.coordination.k8s.io", lease) == (
        422,
        "Invalid",
        'leases.coordination.k8s.io "l" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update',
    )


def test_the_main_resource_keeps_the_status_and_the_status_keeps_the_rest(api):
    create(api, "pods", pod())
    same = patch(api, "pods", "a", {"status": {"phase": "Running"}})
    assert same["status"]["phase"] == "Pending"
    change = {"status": {"phase": "Running"}, "spec": {"activeDeadlineSeconds": 5}}
    made = patch(api, "pods", "a", change, subresource="status")
    assert made["status"]["phase"] == "Running"
    assert "activeDeadlineSeconds" not in made["spec"]
    assert made["metadata"]["generation"] == 1


def test_a_spec_change_counts_as_a_generation_and_a_label_does_not(api):
    create(api, "pods", pod())
    assert patch(api, "pods", "a", {"metadata": {"labels": {"x": "y"}}})["metadata"]["generation"] == 1
    assert patch(api, "pods", "a", {"spec": {"activeDeadlineSeconds": 5}})["metadata"]["generation"] == 2


def test_the_four_patch_types(api):
    create(api, "pods", pod())
    patch(api, "pods", "a", {"spec": {"containers": [{"name": "c", "image": "x:2"}]}}, "strategic")
    patch(api, "pods", "a", [{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}], "json")
    made = patch(api, "pods", "a", {"metadata": {"annotations": {"c": "d"}}}, "merge")
    assert made["spec"]["containers"][0]["image"] == "x:2"
    assert made["spec"]["containers"][0]["name"] == "c"
    assert (made["metadata"]["labels"], made["metadata"]["annotations"]) == ({"a": "b"}, {"c": "d"})


@pytest.mark.parametrize(
    ("change", "kind_of_patch", "code", "message"),
    [
        (b"{", "merge", 400, "error decoding patch: unexpected end of JSON input"),
        (b"{", "strategic", 400, "unexpected end of JSON input"),
        (
            b"5",
            "merge",
            400,
            "error decoding patch: json: cannot unmarshal number into Go value of type map[string]interface {}",
        ),
        (b'"s"', "strategic", 400, "json: cannot unmarshal string into Go value of type map[string]interface {}"),
        (b"null", "merge", 400, "Invalid JSON Patch"),
        (
            b"[" + b",".join([b'{"op":"test","path":""}'] * 10_001) + b"]",
            "json",
            413,
            "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001",
        ),
        (
            b'{"data":{"a":1}}',
            "strategic",
            422,
            ' "" is invalid: patch: Invalid value: "map[data:map[a:1]]": cannot convert int64 to string',
        ),
        (
            b'{"kind":"Pod","data":null,"metadata":{"creationTimestamp":null,"uid":null,"managedFields":null,"resourceVersion":null}}',
            "merge",
            422,
            ' "" is invalid: patch: Invalid value: "{\\"apiVersion\\":\\"v1\\",\\"kind\\":\\"Pod\\",\\"metadata\\":{\\"name\\":\\"m\\",\\"namespace\\":\\"default\\"}}": converting (v1.Pod) to (core.ConfigMap): unknown conversion',
        ),
        (
            b'[{"op":"test","path":"/metadata/name","value":"b"}]',
            "json",
            422,
            "the server rejected our request due to an error in our request",
        ),
        (
            b'{"kind":1,"metadata":{"creationTimestamp":null,"uid":null,"managedFields":null,"resourceVersion":null}}',
            "merge",
            422,
            ' "" is invalid: patch: Invalid value: "{\\"apiVersion\\":\\"v1\\",\\"kind\\":1,\\"metadata\\":{\\"name\\":\\"m\\",\\"namespace\\":\\"default\\"}}": '
            "couldn't get version/kind; json parse error: json: cannot unmarshal number into Go struct field .kind of type string",
        ),
        (b'{"$patch":"bogus"}', "strategic", 500, "unknown patch type: bogus in map: map[$patch:bogus]"),
        (
            b"{}",
            "json",
            400,
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
        ),
    ],
)
def test_bad_patches(api, change, kind_of_patch, code, message):
    create(api, "configmaps", {"metadata": {"name": "m"}})
    kind = api.kinds.of("configmaps")
    assert refusal(api.patch, kind, "default", "m", change, kind_of_patch, OPTIONS)[::2] == (code, message)


def test_a_patch_of_null_changes_nothing(api):
    made = create(api, "configmaps", {"metadata": {"name": "m"}, "data": {"a": "1"}})
    for kind_of_patch in ("strategic", "json"):
        assert patch(api, "configmaps", "m", None, kind_of_patch)["data"] == {"a": "1"}
    assert api.store.revision == int(made["metadata"]["resourceVersion"])


@pytest.mark.parametrize(
    ("change", "kind_of_patch", "problems"),
    [
        (b'{"data":{"a":"1","a":"2"}}', "merge", ['duplicate field "data.a"']),
        (b'{"data":{"a":"1","a":"2"},"bogus":1}', "strategic", ['duplicate field "data.a"', 'unknown field "bogus"']),
        (b'[{"op":"add","path":"/data/a","value":"1","by":"me"}]', "json", ['json patch unknown field "[0].by"']),
        (b'[{"op":"add","op":"add","path":"/bogus","value":1}]', "json", ['json patch duplicate field "[0].op"', 'unknown field "bogus"']),
    ],
)  # fmt: skip
def test_a_patch_is_read_strictly_itself(api, change, kind_of_patch, problems):
    kind = api.kinds.of("configmaps")
    create(api, "configmaps", {"metadata": {"name": "m"}, "data": {"b": "1"}})
    strict = OPTIONS._replace(field_validation="Strict")
    code, _, message = refusal(api.patch, kind, "default", "m", change, kind_of_patch, strict)
    assert (code, message.partition("strict decoding error: ")[2]) == (422, ", ".join(problems))
    api.patch(kind, "default", "m", change, kind_of_patch, OPTIONS._replace(field_validation="Ignore"))


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        (b"{", 400, "error decoding YAML: error converting YAML to JSON: yaml: line 2: did not find expected node content"),
        (b"[]", 400, "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go value of type map[string]interface {}"),
        (b"", 400, "invalid object type: /, Kind="),
        (b"apiVersion: v1\nkind: ConfigMap\nmetadata: {uid: zz}\n", 409, 'Operation cannot be fulfilled on configmaps "m": uid mismatch: the provided object specified uid zz, and no existing object was found'),
        (b"apiVersion: v1\nkind: ConfigMap\ndata: {a: '1', a: '2'}\n", 400, 'error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  line 3: key "a" already set in map'),
        (b'{"apiVersion":"v1","kind":"ConfigMap","data":{"a":"1","a":"2"}}', 400, 'error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  line 1: key "a" already set in map'),
    ],
)  # fmt: skip
def test_what_cannot_be_applied_is_refused_as_upstream_words_it(api, text, code, message):
    kind = api.kinds.of("configmaps")
    strict = OPTIONS._replace(field_manager="me", field_validation="Strict")
    assert refusal(api.patch, kind, "default", "m", text, "apply", strict)[::2] == (code, message)


def test_keys_that_are_applied_twice_are_warned_of_and_the_last_counts(api):
    kind, mine = api.kinds.of("configmaps"), OPTIONS._replace(field_manager="me", field_validation="Warn")
    made = api.patch(kind, "default", "m", b"apiVersion: v1\nkind: ConfigMap\ndata: {a: '1', a: '2'}\n", "apply", mine)
    assert made.obj["data"] == {"a": "2"}
    assert api.take_warnings() == (
        'error converting YAML to JSON: yaml: unmarshal errors:\n  line 3: key "a" already set in map',
    )


def owners_of(obj):
    return {
        (m["manager"], m["operation"], m.get("subresource", "")): m["fieldsV1"]
        for m in obj["metadata"]["managedFields"]
    }


def test_replicas_set_through_scale_are_owned_through_it(api):
    kind = api.kinds.of("deployments.apps")
    pod = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": pod}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}
    mine, theirs = OPTIONS._replace(field_manager="me"), OPTIONS._replace(field_manager="they")
    api.patch(kind, "default", "d", orjson.dumps(body), "apply", mine)
    patch(api, "deployments.apps", "d", {"spec": {"replicas": 2}}, subresource="scale", options=theirs)
    owners = owners_of(api.get(kind, "default", "d"))
    assert owners["they", "Update", "scale"] == {"f:spec": {"f:replicas": {}}}
    assert "f:replicas" not in owners["me", "Apply", ""]["f:spec"]
    code, _, message = refusal(api.patch, kind, "default", "d", orjson.dumps(body), "apply", mine)
    assert (code, message) == (
        409,
        'Apply failed with 1 conflict: conflict with "they" with subresource "scale" using apps/v1: .spec.replicas',
    )


def test_a_scale_can_be_applied_and_conflicts(api):
    kind = api.kinds.of("deployments.apps")
    pod = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": pod}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}
    mine, theirs = OPTIONS._replace(field_manager="me"), OPTIONS._replace(field_manager="they")
    api.patch(kind, "default", "d", orjson.dumps(body), "apply", mine)
    scale = orjson.dumps({"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": {"replicas": 5}})
    code, _, message = refusal(api.patch, kind, "default", "d", scale, "apply", theirs, "scale")
    assert (code, message) == (409, 'Apply failed with 1 conflict: conflict with "me": .spec.replicas')
    made = api.patch(kind, "default", "d", scale, "apply", theirs._replace(force=True), "scale").obj
    assert (made["kind"], made["spec"]) == ("Scale", {"replicas": 5})
    owners = owners_of(api.get(kind, "default", "d"))
    assert owners["they", "Apply", "scale"] == {"f:spec": {"f:replicas": {}}}
    assert api.get(kind, "default", "d")["spec"]["replicas"] == 5


def test_apply_creates_merges_and_conflicts(api):
    mine = OPTIONS._replace(field_manager="m1")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ap"}, "data": {"a": "1"}}
    kind = api.kinds.of("configmaps")
    made = api.patch(kind, "default", "ap", orjson.dumps(body), "apply", mine)
    assert made.created
    assert made.obj["metadata"]["managedFields"][0]["manager"] == "m1"
    body["data"] = {"a": "2"}
    other = OPTIONS._replace(field_manager="m2")
    assert refusal(api.patch, kind, "default", "ap", orjson.dumps(body), "apply", other) == (
        409,
        "Conflict",
        'Apply failed with 1 conflict: conflict with "m1": .data.a',
    )
    forced = api.patch(kind, "default", "ap", orjson.dumps(body), "apply", other._replace(force=True))
    assert not forced.created
    assert forced.obj["data"] == {"a": "2"}
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ap\ndata:\n  b: x\n"
    assert api.patch(kind, "default", "ap", text, "apply", mine).obj["data"] == {"a": "2", "b": "x"}


# ----------------------------------------------------------------------------------------------------------------- delete


def delete(api, resource, name, wanted=DeleteOptions(), namespace="default", options=OPTIONS):  # noqa: B008
    return api.delete(api.kinds.of(resource), namespace, name, wanted, options)


def test_what_is_gone_at_once_is_answered_by_a_status(api):
    made = create(api, "configmaps", {"metadata": {"name": "m"}})
    assert delete(api, "configmaps", "m") == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {"name": "m", "kind": "configmaps", "uid": made["metadata"]["uid"]},
    }


@pytest.mark.parametrize(
    ("node", "phase", "asked", "grace"),
    [
        (True, "Running", None, 30),
        (True, "Running", 7, 7),
        (True, "Running", -1, 1),
        (True, "Running", 0, None),
        (False, "Pending", 7, None),
        (True, "Succeeded", 7, None),
        (True, "Failed", None, None),
    ],
)
def test_a_pods_grace(api, node, phase, asked, grace):
    create(api, "pods", pod())
    if node:
        bound(api)
    api.carry_out(Write("update", "pods", "default", "a", {"status": {"phase": phase}}, "status"), NOW)
    answer = delete(api, "pods", "a", DeleteOptions(asked))
    assert answer["kind"] == "Pod"
    assert answer["metadata"]["generation"] == 2
    if grace is None:
        assert api.store.get("pods", "default", "a") is None
        assert answer["metadata"]["deletionGracePeriodSeconds"] == 0
    else:
        assert api.store.get("pods", "default", "a") == answer
        assert answer["metadata"]["deletionGracePeriodSeconds"] == grace
        assert answer["metadata"]["deletionTimestamp"] == f"2025-01-01T00:00:{grace:02d}Z"


def test_a_second_deletion_can_only_shorten_and_counts_from_the_first(api):
    create(api, "pods", pod())
    bound(api)
    first = delete(api, "pods", "a", DeleteOptions(7))
    later = OPTIONS._replace(now=NOW + timedelta(seconds=2))
    assert delete(api, "pods", "a", DeleteOptions(9), options=later) == first
    assert delete(api, "pods", "a", options=later) == first
    shorter = delete(api, "pods", "a", DeleteOptions(3), options=later)
    assert shorter["metadata"]["deletionTimestamp"] == "2025-01-01T00:00:03Z"
    assert shorter["metadata"]["generation"] == 2


def test_finalizers_hold_an_object_until_the_last_is_gone(api):
    create(api, "configmaps", {"metadata": {"name": "m", "finalizers": ["x/y"]}})
    held = delete(api, "configmaps", "m")
    assert held["metadata"]["deletionGracePeriodSeconds"] == 0
    assert delete(api, "configmaps", "m") == held
    code, _, message = refusal(patch, api, "configmaps", "m", {"metadata": {"finalizers": ["x/y", "z/z"]}})
    assert code == 422
    assert message.endswith(
        "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new "
        'finalizers []string{"z/z"}'
    )
    before = api.get(api.kinds.of("configmaps"), "default", "m")["metadata"]["resourceVersion"]
    gone = patch(api, "configmaps", "m", {"metadata": {"finalizers": None}})["metadata"]
    assert ("finalizers" in gone, gone["resourceVersion"]) == (False, before)
    assert api.store.get("configmaps", "default", "m") is None


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (
            DeleteOptions(uid="zz"),
            'Operation cannot be fulfilled on ConfigMap "m": the UID in the precondition (zz) does not match the UID in '
            "record ({uid}). The object might have been deleted and then recreated",
        ),
        (
            DeleteOptions(resource_version="1"),
            'Operation cannot be fulfilled on ConfigMap "m": the ResourceVersion in the precondition (1) does not match '
            "the ResourceVersion in record ({rv}). The object might have been modified",
        ),
    ],
)
def test_preconditions(api, wanted, message):
    made = create(api, "configmaps", {"metadata": {"name": "m"}})["metadata"]
    expected = message.format(uid=made["uid"], rv=made["resourceVersion"])
    assert refusal(delete, api, "configmaps", "m", wanted) == (409, "Conflict", expected)


@pytest.mark.parametrize(
    ("policy", "finalizers", "is_warned"),
    [(None, ["orphan"], True), ("Orphan", ["orphan"], False), ("Foreground", ["foregroundDeletion"], False)],
)
def test_a_job_waits_for_the_garbage_collector(api, policy, finalizers, is_warned):
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}}
    create(api, "jobs.batch", {"metadata": {"name": "j"}, "spec": {"template": template}})
    api.take_warnings()
    answer = delete(api, "jobs.batch", "j", DeleteOptions(propagation=policy))
    assert answer["metadata"]["finalizers"] == finalizers
    assert bool(api.take_warnings()) is is_warned


def test_a_namespace_terminates_and_goes_by_finalize(api):
    create(api, "namespaces", {"metadata": {"name": "t"}}, "")
    ending = delete(api, "namespaces", "t", namespace="")
    assert ending["status"]["phase"] == "Terminating"
    code, reason, message = refusal(create, api, "configmaps", {"metadata": {"name": "f2"}}, "t")
    assert (code, reason) == (403, "Forbidden")
    assert message == (
        'configmaps "f2" is forbidden: unable to create new content in namespace t because it is being terminated'
    )
    body = {**ending, "spec": {}}
    update(api, "namespaces", body, "", "finalize")
    assert api.store.get("namespaces", "", "t") is None


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public"])
def test_some_namespaces_may_not_be_deleted(api, name):
    message = f'namespaces "{name}" is forbidden: this namespace may not be deleted'
    assert refusal(delete, api, "namespaces", name, namespace="")[::2] == (403, message)


def test_deleting_a_collection_answers_with_what_was_deleted(api):
    for name in "abc":
        create(api, "pods", pod(name, labels={"app": "x" if name != "b" else "y"}))
    which = ListOptions("default", label_selector="app=x")
    answer = api.delete_collection(api.kinds.of("pods"), which, DeleteOptions(), OPTIONS)
    assert answer["kind"] == "PodList"
    assert [item["metadata"]["name"] for item in answer["items"]] == ["a", "c"]
    assert api.store.keys("pods") == ["default/b"]


# ----------------------------------------------------------------------------------------------------------- subresources


def test_a_pod_is_bound_once(api):
    create(api, "pods", pod())
    bound(api)
    made = api.store.get("pods", "default", "a")
    assert made["spec"]["nodeName"] == "n1"
    assert [(c["type"], c["status"]) for c in made["status"]["conditions"]] == [("PodScheduled", "True")]
    assert refusal(bound, api) == (
        409,
        "Conflict",
        'Operation cannot be fulfilled on pods/binding "a": pod a is already assigned to node "n1"',
    )


@pytest.mark.parametrize(
    ("binding", "code", "message"),
    [
        ({"metadata": {"name": "b"}, "target": {"name": "n1"}}, 400, "name in URL does not match name in Binding object"),
        ({"target": {"kind": "Node"}}, 500, "target.name: Required value"),
        ({"target": {"kind": "Pod", "name": "n1"}}, 500, 'target.kind: Unsupported value: "Pod": supported values: "Node", "<empty>"'),
    ],
)  # fmt: skip
def test_a_binding_says_which_pod_goes_to_which_node(api, binding, code, message):
    create(api, "pods", pod())
    assert refusal(api.carry_out, Write("create", "pods", "default", "a", binding, "binding"), NOW)[::2] == (
        code,
        message,
    )
    assert "nodeName" not in api.store.get("pods", "default", "a")["spec"]


def test_eviction_asks_the_disruption_budget(api):
    create(api, "pods", pod(labels={"app": "x"}))
    bound(api)
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    api.carry_out(Write("update", "pods", "default", "a", {"status": ready}, "status"), NOW)
    budget = {"metadata": {"name": "p"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "x"}}}}
    create(api, "poddisruptionbudgets.policy", budget)
    evict = Write("create", "pods", "default", "a", {"metadata": {"name": "a"}}, "eviction")
    with pytest.raises(ApiError) as refused:
        api.carry_out(evict, NOW)
    assert refused.value.status["details"]["retryAfterSeconds"] == 10
    counted = {
        "observedGeneration": 1,
        "disruptionsAllowed": 0,
        "desiredHealthy": 1,
        "currentHealthy": 1,
        "expectedPods": 1,
    }
    api.carry_out(Write("update", "poddisruptionbudgets.policy", "default", "p", {"status": counted}, "status"), NOW)
    with pytest.raises(ApiError) as refused:
        api.carry_out(evict, NOW)
    assert refused.value.status["message"] == "Cannot evict pod as it would violate the pod's disruption budget."
    assert refused.value.status["details"]["causes"] == [
        {"reason": "DisruptionBudget", "message": "The disruption budget p needs 1 healthy pods and has 1 currently"}
    ]
    counted["disruptionsAllowed"] = 1
    api.carry_out(Write("update", "poddisruptionbudgets.policy", "default", "p", {"status": counted}, "status"), NOW)
    assert api.carry_out(evict, NOW)["status"] == "Success"
    gone = api.store.get("pods", "default", "a")
    assert gone["metadata"]["deletionTimestamp"]
    assert any(c["reason"] == "EvictionByEvictionAPI" for c in gone["status"]["conditions"] if "reason" in c)
    assert api.store.get("poddisruptionbudgets.policy", "default", "p")["status"]["disruptionsAllowed"] == 0


def deployment():
    template = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "x"}}, "template": template}
    return {"metadata": {"name": "d"}, "spec": spec}


def test_scale_shows_and_sets_the_replicas(api):
    create(api, "deployments.apps", deployment())
    kind = api.kinds.of("deployments.apps")
    shown = api.subresource(kind, "default", "d", "scale")
    assert (shown["spec"], shown["status"]) == ({"replicas": 2}, {"replicas": 0, "selector": "app=x"})
    patch(api, "deployments.apps", "d", {"spec": {"replicas": 3}}, subresource="scale")
    made = api.store.get("deployments.apps", "default", "d")
    assert (made["spec"]["replicas"], made["metadata"]["generation"]) == (3, 2)


def test_ephemeral_containers_are_only_added(api):
    create(api, "pods", pod())
    added = {"spec": {"ephemeralContainers": [{"name": "debug", "image": "busybox", "targetContainerName": "c"}]}}
    made = patch(api, "pods", "a", added, "strategic", "ephemeralcontainers")
    assert made["spec"]["ephemeralContainers"][0]["terminationMessagePolicy"] == "File"
    code, _, message = refusal(
        patch, api, "pods", "a", {"spec": {"ephemeralContainers": []}}, "merge", "ephemeralcontainers"
    )
    assert code == 422
    assert 'existing ephemeral containers "debug" may not be removed' in message


def test_a_token_lives_at_least_ten_minutes(api):
    request = {"spec": {"expirationSeconds": 60}}
    kind = api.kinds.of("serviceaccounts")
    code, _, message = refusal(api.create, kind, "default", request, OPTIONS, "token", "default")
    assert code == 422
    assert "may not specify a duration less than 10 minutes" in message


# --------------------------------------------------------------------------------------------------------------- services


def service(name="s", **spec):
    return {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], **spec}}


def test_a_service_gets_an_address_that_nobody_has(api):
    addresses = {create(api, "services", service(f"s{n}"))["spec"]["clusterIP"] for n in range(50)}
    assert len(addresses) == 50
    assert all(address.startswith("10.96.") for address in addresses)
    assert not addresses & {"10.96.0.1", "10.96.0.10"}


def test_the_api_itself_is_the_first_service(api):
    assert api.store.get("services", "default", "kubernetes")["spec"]["clusterIP"] == "10.96.0.1"


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ({"clusterIP": "None"}, ("None", ["None"])),
        ({"clusterIP": "10.96.0.77"}, ("10.96.0.77", ["10.96.0.77"])),
        ({"type": "ExternalName", "externalName": "x.y"}, (None, None)),
    ],
)
def test_an_address_can_be_asked_for_or_declined(api, spec, found):
    made = create(api, "services", service(**spec))["spec"]
    assert (made.get("clusterIP"), made.get("clusterIPs")) == found


def test_an_address_that_is_taken_is_refused(api):
    code, _, message = refusal(create, api, "services", service(clusterIP="10.96.0.1"))
    assert code == 422
    assert message.endswith("failed to allocate IP 10.96.0.1: provided IP is already allocated")


def test_a_node_port_is_given_and_kept(api):
    made = create(api, "services", service(type="NodePort"))
    port = made["spec"]["ports"][0]["nodePort"]
    assert 30000 <= port < 32768
    kept = update(api, "services", {**service(type="NodePort"), "metadata": {"name": "s"}}).obj
    assert kept["spec"]["ports"][0]["nodePort"] == port
    assert kept["spec"]["clusterIP"] == made["spec"]["clusterIP"]


# ------------------------------------------------------------------------------------------------------- the cluster's own


def test_a_status_of_the_clusters_own_is_guarded_by_uid_and_revision(api):
    made = create(api, "pods", pod())
    body = {"metadata": {"uid": "other"}, "status": {"phase": "Running"}}
    assert refusal(api.carry_out, Write("update", "pods", "default", "a", body, "status"), NOW)[0] == 409
    body = {"metadata": {"uid": made["metadata"]["uid"], "resourceVersion": "1"}, "status": {}}
    assert refusal(api.carry_out, Write("update", "pods", "default", "a", body, "status"), NOW)[0] == 409
    body = {"metadata": {"uid": made["metadata"]["uid"]}, "status": {"phase": "Running"}}
    done = api.carry_out(Write("update", "pods", "default", "a", body, "status"), NOW)
    assert done["status"] == {"phase": "Running"}


def test_both_event_groups_are_one_storage(api):
    new = api.kinds.of("events.events.k8s.io")
    event = {
        "metadata": {"name": "e"},
        "regarding": {"kind": "Pod", "name": "a", "namespace": "default"},
        "note": "hello",
        "reason": "Because",
        "action": "Act",
        "type": "Normal",
        "reportingController": "x/y",
        "reportingInstance": "z",
        "eventTime": "2025-01-01T00:00:00.000000Z",
    }
    made = api.create(new, "default", event, OPTIONS)
    assert (made["apiVersion"], made["note"]) == ("events.k8s.io/v1", "hello")
    core = api.get(api.kinds.of("events"), "default", "e")
    assert (core["apiVersion"], core["message"], core["involvedObject"]["name"]) == ("v1", "hello", "a")
    found = api.list(new, ListOptions("default", field_selector="regarding.name=a"))
    assert [item["note"] for item in found["items"]] == ["hello"]


def test_writes_from_outside_are_refused_while_nothing_can_be_kept(api):
    api.problem = lambda: "the journal cannot be written: disk full"
    assert refusal(create, api, "pods", pod())[:2] == (503, "ServiceUnavailable")
    assert api.list(api.kinds.of("pods"))["items"] == []


def test_a_grace_period_beyond_the_calendar_is_cut(api):
    pods = api.kinds.of("pods")
    spec = {"nodeName": "n", "terminationGracePeriodSeconds": 2**62, "containers": [{"name": "c", "image": "b"}]}
    api.create(pods, "default", {"metadata": {"name": "long"}, "spec": spec}, OPTIONS)
    going = api.delete(pods, "default", "long", DeleteOptions(), OPTIONS)
    assert going["metadata"]["deletionGracePeriodSeconds"] == 10**9


def test_a_service_is_of_one_family_and_keeps_its_address(api):
    services = api.kinds.of("services")
    made = api.create(services, "default", {"metadata": {"name": "fam"}, "spec": {"ports": [{"port": 80}]}}, OPTIONS)
    assert (made["spec"]["ipFamilies"], made["spec"]["ipFamilyPolicy"]) == (["IPv4"], "SingleStack")
    with pytest.raises(ApiError, match="may not change once set"):
        api.patch(services, "default", "fam", b'{"spec":{"clusterIP":"10.96.9.9"}}', "merge", OPTIONS)
    headless = {"metadata": {"name": "bare"}, "spec": {"clusterIP": "None", "ports": [{"port": 80}]}}
    assert api.create(services, "default", headless, OPTIONS)["spec"]["ipFamilyPolicy"] == "RequireDualStack"
