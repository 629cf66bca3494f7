"""What `kubectl get` shows, checked against what it printed of the same objects on a real cluster."""

from __future__ import annotations

import importlib.util
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lifepod.api.builtin import builtin_kinds
from lifepod.api.human_duration import human_duration
from lifepod.api.kinds import Kind, KindRegistry
from lifepod.api.tables import column_definitions, table_columns, table_row

_SPEC = importlib.util.spec_from_file_location("recordings", Path(__file__).with_name("recordings.py"))
recordings = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(recordings)

KINDS = KindRegistry(builtin_kinds())
NOW = datetime(2026, 1, 1, tzinfo=UTC)
UNMASKED = ("READY", "STATUS", "UP-TO-DATE", "AVAILABLE", "COMPLETIONS", "NODE", "READINESS GATES", "NOMINATED NODE",
            "CONTAINERS", "IMAGES", "DESIRED", "CURRENT")  # fmt: skip


def recorded_rows():
    for name in recordings.NAMES:
        printed = recordings.printed_rows(name)
        for obj in recordings.recorded_objects(name):
            kind = KINDS.named(obj["apiVersion"], obj["kind"])
            for row in printed:
                is_of_kind = row["resource"] == ".".join(filter(None, (kind.singular, kind.group)))
                if is_of_kind and row["NAME"] == obj["metadata"]["name"]:
                    yield pytest.param(kind, obj, row, id=f"{name}-{obj['kind']}-{obj['metadata']['name']}")


@pytest.mark.parametrize(("kind", "obj", "printed"), list(recorded_rows()))
def test_a_recorded_object_prints_as_it_did(kind, obj, printed):
    columns = [column.name.upper() for column in table_columns(kind)]
    cells = dict(zip(columns, (str(cell) for cell in table_row(kind, obj, NOW).cells), strict=True))
    wanted = {column: printed[column] for column in UNMASKED if column in printed}
    assert {column: cells[column] for column in wanted} == wanted
    if "RESTARTS" in printed:
        assert cells["RESTARTS"].split(" ")[0] == printed["RESTARTS"].split(" ")[0]
        assert ("(" in cells["RESTARTS"]) == ("(" in printed["RESTARTS"])


def test_there_are_recorded_rows_of_pods_and_jobs():
    assert {param.values[0].kind for param in recorded_rows()} == {"Pod", "Job"}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"), (-1, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (330, "5m30s"), (599, "9m59s"), (600, "10m"),
        (3 * 3600 - 1, "179m"), (3 * 3600, "3h"), (3 * 3600 + 300, "3h5m"), (8 * 3600, "8h"), (47 * 3600 + 3599, "47h"),
        (48 * 3600, "2d"), (76 * 3600, "3d4h"), (8 * 86400, "8d"), (400 * 86400, "400d"), (733 * 86400, "2y3d"), (9 * 365 * 86400, "9y"),
    ],
)  # fmt: skip
def test_durations_lose_detail_with_length(seconds, text):
    assert human_duration(timedelta(seconds=seconds)) == text


def waiting(reason, **more):
    return {"name": "c", "state": {"waiting": {"reason": reason}}, **more}


def ended(code, reason="", **more):
    state = {"exitCode": code, **({"reason": reason} if reason else {}), "finishedAt": "2025-12-31T23:55:00Z"}
    return {"name": "c", "state": {"terminated": state}, **more}


def running(**more):
    return {"name": "c", "state": {"running": {}}, "ready": True, **more}


@pytest.mark.parametrize(
    ("spec", "status", "deleting", "ready", "shown"),
    [
        ({}, {"phase": "Pending"}, False, "0/1", "Pending"),
        ({}, {"phase": "Failed", "reason": "Evicted"}, False, "0/1", "Evicted"),
        ({}, {"phase": "Pending", "conditions": [{"type": "PodScheduled", "reason": "SchedulingGated"}]}, False, "0/1", "SchedulingGated"),
        ({}, {"phase": "Pending", "containerStatuses": [waiting("ImagePullBackOff")]}, False, "0/1", "ImagePullBackOff"),
        ({}, {"phase": "Running", "containerStatuses": [running()]}, False, "1/1", "Running"),
        ({}, {"phase": "Running", "containerStatuses": [running()]}, True, "1/1", "Terminating"),
        ({}, {"phase": "Succeeded", "containerStatuses": [ended(0, "Completed")]}, True, "0/1", "Completed"),
        ({}, {"phase": "Running", "reason": "NodeLost"}, True, "0/1", "Unknown"),
        ({}, {"phase": "Failed", "containerStatuses": [ended(3)]}, False, "0/1", "ExitCode:3"),
        ({}, {"phase": "Failed", "containerStatuses": [{"state": {"terminated": {"exitCode": 137, "signal": 9}}}]}, False, "0/1", "Signal:9"),
        # the first container wins
        ({"containers": [{}, {}]}, {"phase": "Running", "containerStatuses": [ended(1, "Error"), waiting("CrashLoopBackOff")]}, False, "0/2", "Error"),
        ({"containers": [{}, {}]}, {"phase": "Running", "containerStatuses": [ended(0, "Completed"), running()]}, False, "1/2", "NotReady"),
        ({"containers": [{}, {}]}, {"phase": "Running", "containerStatuses": [ended(0, "Completed"), running()],
                                    "conditions": [{"type": "Ready", "status": "True"}]}, False, "1/2", "Running"),
        ({"initContainers": [{"name": "c"}, {"name": "d"}]}, {"phase": "Pending", "initContainerStatuses": [running()]}, False, "0/1", "Init:0/2"),
        ({"initContainers": [{"name": "c"}, {"name": "d"}]},
         {"phase": "Pending", "initContainerStatuses": [ended(0, "Completed"), waiting("PodInitializing")]}, False, "0/1", "Init:1/2"),
        ({"initContainers": [{"name": "c"}]}, {"phase": "Pending", "initContainerStatuses": [waiting("CrashLoopBackOff")]}, False, "0/1", "Init:CrashLoopBackOff"),
        ({"initContainers": [{"name": "c"}]}, {"phase": "Pending", "initContainerStatuses": [ended(2)]}, False, "0/1", "Init:ExitCode:2"),
        ({"initContainers": [{"name": "c", "restartPolicy": "Always"}]},
         {"phase": "Running", "initContainerStatuses": [running(started=True)], "containerStatuses": [running()]}, False, "2/2", "Running"),
    ],
)  # fmt: skip
def test_the_status_of_a_pod_is_its_most_telling_reason(spec, status, deleting, ready, shown):
    metadata = {"name": "p", **({"deletionTimestamp": "2026-01-01T00:00:30Z"} if deleting else {})}
    cells = table_row(
        KINDS.of("pods"), {"metadata": metadata, "spec": {"containers": [{}], **spec}, "status": status}, NOW
    ).cells
    assert (cells[1], cells[2]) == (ready, shown)


def test_restarts_tell_when_the_last_one_was():
    last = {"terminated": {"exitCode": 1, "finishedAt": "2025-12-31T23:55:00Z"}}
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{}]},
           "status": {"phase": "Running", "containerStatuses": [running(restartCount=3, lastState=last)]}}  # fmt: skip
    assert table_row(KINDS.of("pods"), pod, NOW).cells[3] == "3 (5m ago)"


def test_a_finished_pod_carries_the_condition_completed():
    row = table_row(KINDS.of("pods"), {"metadata": {}, "status": {"phase": "Failed"}}, NOW)
    assert row.conditions == [{"type": "Completed", "status": "True", "reason": "Failed", "message": "The pod failed."}]


def test_every_kind_has_as_many_cells_as_columns():
    for kind in KINDS:
        obj = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "n"}}
        assert len(table_row(kind, obj, NOW).cells) == len(table_columns(kind)), kind.kind


@pytest.mark.parametrize(
    ("spec", "status", "cells"),
    [
        ({"type": "ClusterIP", "clusterIPs": ["10.0.0.1"], "ports": [{"port": 80, "protocol": "TCP"}]}, {},
         ["ClusterIP", "10.0.0.1", "<none>", "80/TCP"]),
        ({"type": "NodePort", "clusterIPs": ["10.0.0.1"], "ports": [{"port": 80, "nodePort": 30080, "protocol": "TCP"}]}, {},
         ["NodePort", "10.0.0.1", "<none>", "80:30080/TCP"]),
        ({"type": "LoadBalancer", "clusterIPs": ["10.0.0.1"]}, {}, ["LoadBalancer", "10.0.0.1", "<pending>", "<none>"]),
        ({"type": "LoadBalancer", "externalIPs": ["1.1.1.1"]}, {"loadBalancer": {"ingress": [{"ip": "2.2.2.2"}]}},
         ["LoadBalancer", "<none>", "2.2.2.2,1.1.1.1", "<none>"]),
        ({"type": "ExternalName", "externalName": "x.y"}, {}, ["ExternalName", "<none>", "x.y", "<none>"]),
        ({"type": "ClusterIP", "clusterIPs": ["None"]}, {}, ["ClusterIP", "None", "<none>", "<none>"]),
    ],
)  # fmt: skip
def test_a_service_shows_how_it_is_reached(spec, status, cells):
    assert (
        table_row(KINDS.of("services"), {"metadata": {"name": "s"}, "spec": spec, "status": status}, NOW).cells[1:5]
        == cells
    )


@pytest.mark.parametrize(
    ("conditions", "deleting", "shown"),
    [
        ([], False, "Running"),
        ([("Complete", "True")], True, "Complete"),
        ([("FailureTarget", "True"), ("Failed", "True")], False, "Failed"),
        ([("Suspended", "True")], True, "Terminating"),
        ([("Suspended", "True")], False, "Suspended"),
        ([("Suspended", "False")], False, "Running"),
        ([("SuccessCriteriaMet", "True")], False, "SuccessCriteriaMet"),
    ],
)
def test_the_status_of_a_job_is_its_weightiest_condition(conditions, deleting, shown):
    metadata = {"name": "j", **({"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleting else {})}
    status = {"conditions": [{"type": t, "status": s} for t, s in conditions]}
    assert table_row(KINDS.of("jobs.batch"), {"metadata": metadata, "status": status}, NOW).cells[1] == shown


def test_a_work_queue_shows_its_parallelism():
    job = {"metadata": {"name": "j"}, "spec": {"parallelism": 3}, "status": {"succeeded": 1}}
    assert table_row(KINDS.of("jobs.batch"), job, NOW).cells[2] == "1/1 of 3"


def test_a_node_shows_that_it_is_cordoned_and_its_roles():
    node = {"metadata": {"name": "n", "labels": {"node-role.kubernetes.io/worker": "", "node-role.kubernetes.io/control-plane": ""}},
            "spec": {"unschedulable": True}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}  # fmt: skip
    assert table_row(KINDS.of("nodes"), node, NOW).cells[1:3] == ["Ready,SchedulingDisabled", "control-plane,worker"]


def custom(**more):
    return Kind("x.io", "v1", "Thing", "things", "thing", True, "", is_custom=True, **more)


def test_a_custom_kind_without_columns_shows_its_age():
    thing = {"metadata": {"name": "t", "creationTimestamp": "2025-12-31T23:58:59Z"}}
    assert [column.name for column in table_columns(custom())] == ["Name", "Age"]
    assert table_row(custom(), thing, NOW).cells == ["t", "61s"]


@pytest.mark.parametrize(
    ("kind", "path", "cell"),
    [
        ("string", ".spec.color", "red"),
        ("integer", ".spec.size", 3),
        ("string", ".spec.missing", None),
        ("integer", ".spec.color", None),
        ("boolean", ".spec.on", True),
        ("string", '.status.conditions[?(@.type=="Ready")].status', "True"),
        ("string", ".spec.list[1]", "b"),
        ("string", r".metadata.labels.a\.b/c", "v"),
        ("string", ".spec.list", '["a","b"]'),
        ("date", ".spec.at", "30s"),
        ("date", ".spec.color", "<invalid>"),
    ],
)
def test_a_printer_column_finds_its_value_by_path(kind, path, cell):
    column = {"name": "X", "type": kind, "jsonPath": path}
    thing = {
        "metadata": {"name": "t", "labels": {"a.b/c": "v"}},
        "spec": {"color": "red", "size": 3, "on": True, "list": ["a", "b"], "at": "2025-12-31T23:59:30Z"},
        "status": {"conditions": [{"type": "Other", "status": "False"}, {"type": "Ready", "status": "True"}]},
    }
    assert table_row(custom(printer_columns=(column,)), thing, NOW).cells == ["t", cell]


def test_column_definitions_have_every_member():
    definitions = column_definitions(table_columns(KINDS.of("events")))
    assert [d["name"] for d in definitions] == ["Last Seen", "Type", "Reason", "Object", "Subobject", "Source", "Message",
                                                "First Seen", "Count", "Name"]  # fmt: skip
    assert all(d.keys() == {"name", "type", "format", "description", "priority"} for d in definitions)


@pytest.mark.parametrize(
    ("hosts", "shown"),
    [
        ([], "*"),
        ([""], "*"),
        (["a", "", "b"], "a,b"),
        (["a", "b", "c"], "a,b,c"),
        (["a", "b", "c", ""], "a,b,c + 1 more..."),
    ],
)
def test_an_ingress_shows_three_hosts_and_counts_its_rules(hosts, shown):
    ingress = {"metadata": {"name": "i"}, "spec": {"rules": [{"host": host} for host in hosts]}}
    kind = next(kind for kind in builtin_kinds() if kind.kind == "Ingress")
    assert table_row(kind, ingress, NOW).cells[2] == shown


@pytest.mark.parametrize(
    ("resource", "shown", "wide"),
    [
        ("pods", "Name|Ready|Status|Restarts|Age", "IP|Node|Nominated Node|Readiness Gates"),
        ("jobs.batch", "Name|Status|Completions|Duration|Age", "Containers|Images|Selector"),
        ("cronjobs.batch", "Name|Schedule|Timezone|Suspend|Active|Last Schedule|Age", "Containers|Images|Selector"),
        ("services", "Name|Type|Cluster-IP|External-IP|Port(s)|Age", "Selector"),
        ("configmaps", "Name|Data|Age", ""),
        ("secrets", "Name|Type|Data|Age", ""),
        ("serviceaccounts", "Name|Secrets|Age", ""),
        ("namespaces", "Name|Status|Age", ""),
        ("nodes", "Name|Status|Roles|Age|Version", "Internal-IP|External-IP|OS-Image|Kernel-Version|Container-Runtime"),
        ("events", "Last Seen|Type|Reason|Object|Message", "Subobject|Source|First Seen|Count|Name"),
        ("deployments.apps", "Name|Ready|Up-to-date|Available|Age", "Containers|Images|Selector"),
        ("replicasets.apps", "Name|Desired|Current|Ready|Age", "Containers|Images|Selector"),
        ("statefulsets.apps", "Name|Ready|Age", "Containers|Images"),
        ("daemonsets.apps", "Name|Desired|Current|Ready|Up-to-date|Available|Node Selector|Age", "Containers|Images|Selector"),
        ("endpoints", "Name|Endpoints|Age", ""),
        ("endpointslices.discovery.k8s.io", "Name|AddressType|Ports|Endpoints|Age", ""),
        ("persistentvolumeclaims", "Name|Status|Volume|Capacity|Access Modes|StorageClass|VolumeAttributesClass|Age", "VolumeMode"),
        ("persistentvolumes", "Name|Capacity|Access Modes|Reclaim Policy|Status|Claim|StorageClass|VolumeAttributesClass|Reason|Age", "VolumeMode"),
        ("leases.coordination.k8s.io", "Name|Holder|Age", ""),
        ("storageclasses.storage.k8s.io", "Name|Provisioner|ReclaimPolicy|VolumeBindingMode|AllowVolumeExpansion|Age", ""),
        ("priorityclasses.scheduling.k8s.io", "Name|Value|Global-Default|Age|PreemptionPolicy", ""),
        ("runtimeclasses.node.k8s.io", "Name|Handler|Age", ""),
        ("ingresses.networking.k8s.io", "Name|Class|Hosts|Address|Ports|Age", ""),
        ("horizontalpodautoscalers.autoscaling", "Name|Reference|Targets|MinPods|MaxPods|Replicas|Age", ""),
        ("deviceclasses.resource.k8s.io", "Name|Age", ""),
        ("roles.rbac.authorization.k8s.io", "Name|Created At", ""),
        ("limitranges", "Name|Created At", ""),
    ],
)  # fmt: skip
def test_the_columns_of_a_kind_are_upstreams(resource, shown, wide):
    columns = column_definitions(table_columns(KINDS.of(resource)))
    assert "|".join(column["name"] for column in columns if not column["priority"]) == shown
    assert "|".join(column["name"] for column in columns if column["priority"]) == wide
    assert [column["format"] for column in columns if column["name"] == "Name"] == ["name"]


@pytest.mark.parametrize(
    ("about", "resource", "obj", "column", "cell"),
    [
        ("a slice of devices of no one node", "resourceslices.resource.k8s.io", {"spec": {"allNodes": True}}, "Node", ""),
        ("a class that is the empty text", "ingresses.networking.k8s.io", {"spec": {"ingressClassName": ""}}, "Class", ""),
        ("no class", "ingresses.networking.k8s.io", {"spec": {}}, "Class", "<none>"),
        ("a class of attributes that is the empty text", "persistentvolumeclaims", {"spec": {"volumeAttributesClassName": ""}}, "VolumeAttributesClass", ""),
        ("no class of attributes", "persistentvolumes", {"spec": {}}, "VolumeAttributesClass", "<unset>"),
        ("an account without a namespace", "rolebindings.rbac.authorization.k8s.io", {"subjects": [{"kind": "ServiceAccount", "name": "a"}]}, "ServiceAccounts", "/a"),
        ("parameters by labels", "validatingadmissionpolicybindings.admissionregistration.k8s.io", {"spec": {"paramRef": {"selector": {
            "matchLabels": {"b": "2", "a": "1"}, "matchExpressions": [{"key": "k", "operator": "In", "values": ["x", "y"]}]}}}}, "ParamRef",
            "&LabelSelector{MatchLabels:map[string]string{a: 1,b: 2,},MatchExpressions:[]LabelSelectorRequirement{"
            "LabelSelectorRequirement{Key:k,Operator:In,Values:[x y],},},}"),
        ("a metric without its value", "horizontalpodautoscalers.autoscaling", {
            "spec": {"metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"averageValue": "5"}}}]},
            "status": {"currentMetrics": [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 3}}}]}},
            "Targets", "cpu: <nil>/5"),
        ("a metric that is not known yet", "horizontalpodautoscalers.autoscaling", {
            "spec": {"metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"averageValue": "5"}}}]}},
            "Targets", "cpu: <unknown>/5"),
    ],
)  # fmt: skip
def test_a_cell_is_written_as_upstream_writes_it(about, resource, obj, column, cell):
    kind = next(kind for kind in KINDS if kind.stored_as == resource)
    names = [each.name for each in table_columns(kind)]
    assert table_row(kind, obj, NOW).cells[names.index(column)] == cell, about


def test_restarts_behind_a_sidecar_that_waits_do_not_count():
    sidecars = [{"name": name, "restartPolicy": "Always"} for name in "ab"]
    statuses = [
        {"name": "a", "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}},
        {"name": "b", "restartCount": 5, "started": True, "ready": True, "state": {"running": {}}},
    ]
    pod = {
        "spec": {"initContainers": sidecars, "containers": [{"name": "c"}]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Initialized", "status": "True"}],
            "initContainerStatuses": statuses,
            "containerStatuses": [{"name": "c", "restartCount": 1, "ready": True, "state": {"running": {}}}],
        },
    }
    row = table_row(KINDS.named("v1", "Pod"), pod, NOW)
    assert row.cells[1:4] == ["1/3", "Init:CrashLoopBackOff", "4"]
