"""What the API server refuses, in upstream's words, with the path of the field."""

from __future__ import annotations

import copy
import importlib.util
from pathlib import Path

import pytest

from lifepod.api.builtin import builtin_kinds
from lifepod.api.kinds import KindRegistry
from lifepod.api.validation_job import indexes_in
from lifepod.api.validation_pod import ephemeral_update_errors, resize_errors

_SPEC = importlib.util.spec_from_file_location("recordings", Path(__file__).with_name("recordings.py"))
recordings = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(recordings)

KINDS = KindRegistry(builtin_kinds())


def made(resource, spec, name="x", **more):
    """An object as it is when it comes to validation: defaulted and prepared."""
    kind = KINDS.of(resource)
    metadata = {"name": name, "uid": "u", **({"namespace": "default"} if kind.namespaced else {})}
    return kind.prepare_create(kind.default({"metadata": metadata, "spec": spec, **more}))


def complaints(resource, obj):
    return [str(error) for error in KINDS.of(resource).validate(obj)]


def container(**more):
    return {"name": "c", "image": "i:1", **more}


def pod_spec(*containers, **more):
    return {"containers": list(containers) or [container()], **more}


@pytest.mark.parametrize("name", recordings.NAMES)
def test_what_a_real_server_took_is_taken(name):
    for obj in recordings.recorded_objects(name):
        obj = copy.deepcopy(obj)
        text = str(obj["metadata"])
        if "@" in text or "#" in text:
            continue  # names were masked
        obj["metadata"]["namespace"] = "ns"
        uid = "0b5c"
        obj = _unmasked(obj, uid)
        assert complaints(KINDS.named(obj["apiVersion"], obj["kind"]).resource, obj) == []


def _unmasked(value, uid):
    if isinstance(value, dict):
        return {k: _unmasked(v, uid) for k, v in value.items()}
    if isinstance(value, list):
        return [_unmasked(v, uid) for v in value]
    return uid if value == "<uid>" else value


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ({}, ["spec.containers: Required value"]),
        (pod_spec({"name": "c"}), ["spec.containers[0].image: Required value"]),
        (pod_spec({"image": "i"}), ["spec.containers[0].name: Required value"]),
        (pod_spec(container(), container()), ['spec.containers[1].name: Duplicate value: "c"']),
        (pod_spec(restartPolicy="Nope"), ['spec.restartPolicy: Unsupported value: "Nope": supported values: "Always", "OnFailure", "Never"']),
        (pod_spec(container(imagePullPolicy="Now")),
         ['spec.containers[0].imagePullPolicy: Unsupported value: "Now": supported values: "Always", "IfNotPresent", "Never"']),
        (pod_spec(container(resources={"requests": {"cpu": "2"}, "limits": {"cpu": "1"}})),
         ['spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1']),
        (pod_spec(container(volumeMounts=[{"name": "nope", "mountPath": "/x"}])), ['spec.containers[0].volumeMounts[0].name: Not found: "nope"']),
        (pod_spec(container(volumeMounts=[{"name": "v", "mountPath": "/x"}] * 2), volumes=[{"name": "v"}]),
         ['spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/x": must be unique']),
        (pod_spec(volumes=[{"name": "v", "emptyDir": {}, "hostPath": {"path": "/"}}]),
         ["spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"]),
        (pod_spec(container(env=[{"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}])),
         ['spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty']),
        (pod_spec(container(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.foo"}}}])),
         ['spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.foo": error converting fieldPath: field label not supported: spec.foo']),
        (pod_spec(container(livenessProbe={"tcpSocket": {"port": 80}, "successThreshold": 2})),
         ["spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1"]),
        (pod_spec(container(readinessProbe={})), ["spec.containers[0].readinessProbe: Required value: must specify a handler type"]),
        (pod_spec(container(readinessProbe={"exec": {"command": ["a"]}, "tcpSocket": {"port": 1}})),
         ["spec.containers[0].readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type"]),
        (pod_spec(container(lifecycle={"preStop": {"sleep": {"seconds": 31}}})),
         ["spec.containers[0].lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and less than terminationGracePeriodSeconds (30)"]),
        (pod_spec(initContainers=[{"name": "i", "image": "i:1", "readinessProbe": {"exec": {"command": ["a"]}}}]),
         ["spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without restartPolicy=Always"]),
        (pod_spec(initContainers=[{"name": "i", "image": "i:1", "restartPolicy": "Never"}]),
         ['spec.initContainers[0].restartPolicy: Unsupported value: "Never": supported values: "Always"']),
        (pod_spec(container(restartPolicy="Always")), ["spec.containers[0].restartPolicy: Forbidden: may not be set for non-init containers"]),
        (pod_spec(activeDeadlineSeconds=0), ["spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"]),
        (pod_spec(container(ports=[{"containerPort": 70000}])),
         ["spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive"]),
        (pod_spec(container(ports=[{"containerPort": 80, "hostPort": 81}]), hostNetwork=True),
         ["spec.containers[0].ports[0].hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true"]),
        (pod_spec(tolerations=[{"key": "k", "operator": "Exists", "value": "v"}]),
         ['spec.tolerations[0].operator: Invalid value: "v": value must be empty when `operator` is \'Exists\'']),
        (pod_spec(ephemeralContainers=[{"name": "e", "image": "i:1"}]), ["spec.ephemeralContainers: Forbidden: cannot be set on create"]),
        (pod_spec(nodeName="n", schedulingGates=[{"name": "a.b/c"}]),
         ["spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared"]),
        (pod_spec(container(securityContext={"privileged": True, "allowPrivilegeEscalation": False})),
         ['spec.containers[0].securityContext: Invalid value: {"allowPrivilegeEscalation":false,"privileged":true}: '
          "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"]),
    ],
)  # fmt: skip
def test_a_pod_is_refused_in_upstreams_words(spec, wanted):
    assert complaints("pods", made("pods", spec)) == wanted


def test_a_name_is_an_rfc_1123_subdomain():
    assert complaints("pods", made("pods", pod_spec(), name="Bad_Name")) == [
        'metadata.name: Invalid value: "Bad_Name": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric '
        "characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for "
        "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
    ]


def changed(resource, obj, **spec):
    return [str(e) for e in KINDS.of(resource).validate_update({**obj, "spec": {**obj["spec"], **spec}}, obj)]


def test_an_image_of_a_pod_may_change_and_its_command_may_not():
    pod = made("pods", pod_spec())
    held = pod["spec"]["containers"][0]
    assert changed("pods", pod, containers=[{**held, "image": "j:2"}]) == []
    (complaint,) = changed("pods", pod, containers=[{**held, "command": ["x"]}])
    assert complaint.splitlines()[0] == (
        "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
        "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing "
        "tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
    )
    assert complaint.splitlines()[1:] == ['+ spec.containers[0].command: ["x"]']
    (complaint,) = changed("pods", pod, hostNetwork=True, dnsPolicy="Default")
    assert complaint.splitlines()[1:] == [
        '- spec.dnsPolicy: "ClusterFirst"',
        '+ spec.dnsPolicy: "Default"',
        "+ spec.hostNetwork: true",
    ]


def test_containers_of_a_pod_stay_as_many():
    pod = made("pods", pod_spec())
    more = [*pod["spec"]["containers"], {**pod["spec"]["containers"][0], "name": "d"}]
    assert changed("pods", pod, containers=more) == [
        "spec.containers: Forbidden: pod updates may not add or remove containers"
    ]


def test_a_deadline_can_only_come_nearer():
    pod = made("pods", pod_spec(activeDeadlineSeconds=10))
    assert changed("pods", pod, activeDeadlineSeconds=5) == []
    assert changed("pods", pod, activeDeadlineSeconds=20) == [
        "spec.activeDeadlineSeconds: Invalid value: 20: must be less than or equal to previous value"
    ]


def test_tolerations_may_be_added_and_not_taken_away():
    pod = made("pods", pod_spec(tolerations=[{"key": "a", "operator": "Exists"}]))
    more = [*pod["spec"]["tolerations"], {"key": "b", "operator": "Exists"}]
    assert changed("pods", pod, tolerations=more) == []
    assert changed("pods", pod, tolerations=[]) == [
        "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"
    ]


def test_an_ephemeral_container_is_never_removed_and_has_no_ports():
    pod = made("pods", pod_spec())
    ephemeral = {"name": "e", "image": "i:1", "imagePullPolicy": "Always", "terminationMessagePolicy": "File"}
    with_one = {**pod, "spec": {**pod["spec"], "ephemeralContainers": [ephemeral]}}
    assert ephemeral_update_errors(with_one, pod) == []
    assert [str(e) for e in ephemeral_update_errors(pod, with_one)] == [
        'spec.ephemeralContainers: Forbidden: existing ephemeral containers "e" may not be removed\n'
    ]


def test_a_resize_keeps_the_quality_of_service():
    pod = made("pods", pod_spec(container(resources={"requests": {"cpu": "1"}})))
    none = made("pods", pod_spec())
    assert "Pod QOS Class may not change" in str(resize_errors(none, pod)[0])


def job_spec(**more):
    return {"template": {"spec": {**pod_spec(), "restartPolicy": "Never"}}, **more}


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        (job_spec(), []),
        ({"template": {"spec": pod_spec()}}, ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"']),
        (job_spec(parallelism=-1), ["spec.parallelism: Invalid value: -1: must be greater than or equal to 0"]),
        (job_spec(completionMode="Indexed", parallelism=1), ["spec.completions: Required value: when completion mode is Indexed"]),
        (job_spec(backoffLimitPerIndex=1), ["spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"]),
        (job_spec(podFailurePolicy={"rules": [{"action": "FailJob"}]}),
         ["spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required"]),
        (job_spec(podFailurePolicy={"rules": [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [0]}}]}),
         ["spec.podFailurePolicy.rules[0].onExitCodes.values[0]: Invalid value: 0: must not be 0 for the In operator"]),
    ],
)  # fmt: skip
def test_a_job_is_refused_in_upstreams_words(spec, wanted):
    assert complaints("jobs.batch", made("jobs.batch", spec)) == wanted


def test_a_selector_of_ones_own_is_refused():
    job = made("jobs.batch", job_spec(selector={"matchLabels": {"a": "b"}}))
    assert any("`selector` not auto-generated" in complaint for complaint in complaints("jobs.batch", job))


def test_completions_and_template_of_a_job_stay():
    job = made("jobs.batch", job_spec())
    assert changed("jobs.batch", job, completions=5) == ["spec.completions: Invalid value: 5: field is immutable"]
    template = copy.deepcopy(job["spec"]["template"])
    template["spec"]["containers"][0]["image"] = "j:1"
    (complaint,) = changed("jobs.batch", job, template=template)
    assert complaint.startswith("spec.template: Invalid value: {")
    assert complaint.endswith(": field is immutable")
    assert changed("jobs.batch", job, parallelism=0, suspend=True) == []


@pytest.mark.parametrize(("text", "count"), [("0-2,5", 4), ("", 0), ("3", 1)])
def test_success_indexes_are_counted(text, count):
    assert indexes_in(text, 10) == count


@pytest.mark.parametrize("text", ["2,1", "1-1", "a", "0-1-2", "10"])
def test_wrong_success_indexes_are_refused(text):
    with pytest.raises(ValueError):
        indexes_in(text, 10)


def test_a_deployment_finds_its_own_pods():
    spec = {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "c"}}, "spec": pod_spec()},
    }
    assert complaints("deployments.apps", made("deployments.apps", spec)) == [
        'spec.template.metadata.labels: Invalid value: {"a":"c"}: `selector` does not match template `labels`'
    ]


def test_the_selector_of_a_deployment_stays():
    spec = {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b", "c": "d"}}, "spec": pod_spec()},
    }
    deployment = made("deployments.apps", spec)
    assert changed("deployments.apps", deployment, selector={"matchLabels": {"c": "d"}}) == [
        'spec.selector: Invalid value: {"matchLabels":{"c":"d"}}: field is immutable'
    ]


def test_ports_of_a_service_have_names_when_there_are_several():
    service = made("services", {"ports": [{"port": 1}, {"port": 2}]})
    assert complaints("services", service) == [
        "spec.ports[0].name: Required value",
        "spec.ports[1].name: Required value",
    ]


def test_a_cluster_address_stays():
    service = made("services", {"ports": [{"port": 1}], "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"]})
    assert changed("services", service, clusterIP="10.0.0.9", clusterIPs=["10.0.0.9"]) == [
        'spec.clusterIPs[0]: Invalid value: ["10.0.0.9"]: may not change once set'
    ]


def test_a_config_map_is_at_most_a_mebibyte_and_may_be_frozen():
    kind = KINDS.of("configmaps")
    metadata = {"name": "big", "namespace": "d"}
    big = {"metadata": metadata, "data": {"a": "x" * 1048577}}
    assert [str(e) for e in kind.validate(big)] == ["[]: Too long: may not be more than 1048576 bytes"]
    frozen = {"metadata": metadata, "data": {"a": "x"}, "immutable": True}
    assert [str(e) for e in kind.validate_update({**frozen, "data": {"a": "y"}}, frozen)] == [
        "data: Forbidden: field is immutable when `immutable` is set"
    ]


def test_the_type_of_a_secret_stays():
    secret = {"metadata": {"name": "s", "namespace": "d"}, "type": "Opaque"}
    assert [str(e) for e in KINDS.of("secrets").validate_update({**secret, "type": "other"}, secret)] == [
        'type: Invalid value: "other": field is immutable'
    ]


@pytest.mark.parametrize(
    ("schedule", "taken"), [("*/5 * * * *", True), ("@hourly", True), ("* * * *", False), ("TZ=UTC * * * * *", False)]
)
def test_a_cron_schedule_has_five_fields(schedule, taken):
    cron_job = made("cronjobs.batch", {"schedule": schedule, "jobTemplate": {"spec": job_spec()}})
    assert (complaints("cronjobs.batch", cron_job) == []) is taken


def test_no_rule_changes_what_it_looks_at():
    pod = made("pods", pod_spec(container(env=[{"name": "A"}]), volumes=[{"name": "v"}]))
    before = copy.deepcopy(pod)
    complaints("pods", pod)
    changed("pods", pod, activeDeadlineSeconds=5)
    assert pod == before


def test_a_stateful_set_may_mount_the_claims_it_makes():
    mounted = container(volumeMounts=[{"name": "data", "mountPath": "/d"}])
    spec = {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": pod_spec(mounted)},
        "volumeClaimTemplates": [
            {
                "metadata": {"name": "data"},
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
            }
        ],
    }
    stateful_set = made("statefulsets.apps", spec)
    assert complaints("statefulsets.apps", stateful_set) == []
    assert changed("statefulsets.apps", stateful_set, replicas=3) == []
    assert "are forbidden" in changed("statefulsets.apps", stateful_set, serviceName="s")[0]


def test_an_empty_object_of_any_kind_is_judged_without_failing():
    for kind in KINDS:
        if kind.is_stored:
            obj = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "n", "namespace": "d"}}
            obj = kind.prepare_create(kind.default(obj))
            kind.validate(obj)
            kind.validate_update(kind.prepare_update(obj, obj), obj)
