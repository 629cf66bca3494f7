"""What the API server refuses of a status that is reported, in upstream's words."""

import pytest

from lifepod.api.builtin import builtin_kinds
from lifepod.api.kinds import KindRegistry

KINDS = KindRegistry(builtin_kinds())
HPA = "horizontalpodautoscalers.autoscaling"
START, END = "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"


def complaints(resource, status, before=None, spec=None):
    metadata = {"name": "x", "namespace": "default", "uid": "u"}
    new, old = ({"metadata": metadata, "spec": spec or {}, "status": each} for each in (status, before or {}))
    return [str(error) for error in KINDS.of(resource).validate_status(new, old)]


def true(*kinds):
    return [{"type": kind, "status": "True"} for kind in kinds]


COMPLETE = {"conditions": true("SuccessCriteriaMet", "Complete"), "startTime": START, "completionTime": END}
FAILED = {"conditions": true("FailureTarget", "Failed"), "startTime": START}


@pytest.mark.parametrize(
    ("resource", "status", "wanted"),
    [
        ("deployments.apps", {"replicas": 2, "readyReplicas": 2, "updatedReplicas": 2, "availableReplicas": 2}, []),
        ("deployments.apps", {"updatedReplicas": -1}, ["status.updatedReplicas: Invalid value: -1: must be greater than or equal to 0"]),
        ("deployments.apps", {"replicas": 1, "availableReplicas": 2},
         ["status.availableReplicas: Invalid value: 2: cannot be greater than status.replicas",
          "status.availableReplicas: Invalid value: 2: cannot be greater than readyReplicas"]),
        ("replicasets.apps", {"replicas": 1, "fullyLabeledReplicas": 2},
         ["status.fullyLabeledReplicas: Invalid value: 2: cannot be greater than status.replicas"]),
        ("statefulsets.apps", {"replicas": 3, "availableReplicas": 2, "readyReplicas": 1},
         ["status.availableReplicas: Invalid value: 2: cannot be greater than status.readyReplicas"]),
        ("daemonsets.apps", {"numberReady": -1}, ["status.numberReady: Invalid value: -1: must be greater than or equal to 0"]),
        (HPA, {"desiredReplicas": -1}, ["status.desiredReplicas: Invalid value: -1: must be greater than or equal to 0"]),
        ("poddisruptionbudgets.policy", {"disruptionsAllowed": -1},
         ["status.disruptionsAllowed: Invalid value: -1: must be greater than or equal to 0"]),
        ("ingresses.networking.k8s.io", {"loadBalancer": {"ingress": [{"ip": "x"}, {"hostname": "1.2.3.4"}]}},
         ['status.loadBalancer.ingress[0].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
          'status.loadBalancer.ingress[1].hostname: Invalid value: "1.2.3.4": must be a DNS name, not an IP address']),
        ("jobs.batch", COMPLETE, []),
        ("jobs.batch", FAILED, []),
        ("jobs.batch", {"active": 1, "ready": 2}, ["status.ready: Invalid value: 2: cannot set more ready pods than active"]),
        ("jobs.batch", {"uncountedTerminatedPods": {"succeeded": ["a", ""], "failed": ["a"]}},
         ['status.uncountedTerminatedPods.succeeded[1]: Invalid value: "": must not be empty',
          'status.uncountedTerminatedPods.failed[0]: Duplicate value: "a"']),
        ("jobs.batch", {**COMPLETE, "active": 1, "terminating": 1, "uncountedTerminatedPods": {"failed": ["a"]}},
         ["status.active: Invalid value: 1: active>0 is invalid for finished job",
          'status.uncountedTerminatedPods: Invalid value: {"failed":["a"]}: must be empty for finished job',
          "status.terminating: Invalid value: 1: terminating>0 is invalid for finished job"]),
        ("jobs.batch", {"conditions": true("Complete"), "startTime": START},
         ["status.completionTime: Required value: completionTime is required for Complete jobs",
          "status.conditions: Invalid value: cannot set Complete=True condition without the SuccessCriteriaMet=true condition"]),
        ("jobs.batch", {"conditions": true("Failed")},
         ["status.conditions: Invalid value: cannot set Failed=True condition without the FailureTarget=true condition",
          "status.startTime: Required value: startTime is required for finished job"]),
        ("jobs.batch", {**COMPLETE, "startTime": END, "completionTime": START},
         [f'status.completionTime: Invalid value: "{START}": must be equal to or after `startTime`']),
        ("jobs.batch", {"completionTime": END},
         [f'status.completionTime: Invalid value: "{END}": cannot set completionTime when there is no Complete=True condition']),
        ("jobs.batch", {"completedIndexes": "0"},
         ['status.completedIndexes: Invalid value: "0": cannot set non-empty completedIndexes when non-indexed completion mode']),
        ("jobs.batch", {"failedIndexes": "0"},
         ['status.failedIndexes: Invalid value: "0": cannot set non-null failedIndexes when backoffLimitPerIndex is null']),
        ("jobs.batch", {"conditions": true("SuccessCriteriaMet", "FailureTarget")},
         ["status.conditions: Invalid value: cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"]),
    ],
)  # fmt: skip
def test_a_status_is_refused_in_upstreams_words(resource, status, wanted):
    assert complaints(resource, status) == wanted


@pytest.mark.parametrize(
    ("resource", "before", "after", "wanted"),
    [
        ("deployments.apps", {"collisionCount": 2}, {"collisionCount": 1},
         ["status.collisionCount: Invalid value: 1: cannot be decremented"]),
        ("daemonsets.apps", {"collisionCount": 2}, {}, ["status.collisionCount: Invalid value: 0: cannot be decremented"]),
        ("jobs.batch", {"failed": 2, "succeeded": 1}, {"failed": 1},
         ["status.failed: Invalid value: 1: cannot decrease the failed counter",
          "status.succeeded: Invalid value: 0: cannot decrease the succeeded counter"]),
        ("jobs.batch", FAILED, {"startTime": START},
         ["status.conditions: Invalid value: cannot disable the terminal Failed=True condition",
          "status.conditions: Invalid value: cannot disable the terminal FailureTarget=True condition"]),
        ("jobs.batch", {"startTime": START}, {}, ["status.startTime: Required value: startTime cannot be removed for unsuspended job"]),
        ("jobs.batch", COMPLETE, {**COMPLETE, "completionTime": "2026-01-01T00:02:00Z"},
         ['status.completionTime: Invalid value: "2026-01-01T00:02:00Z": field is immutable']),
        ("jobs.batch", {"active": 1, "ready": 2}, {"active": 1, "ready": 2, "failed": 1}, []),
    ],
)  # fmt: skip
def test_what_a_status_said_once_stays_said(resource, before, after, wanted):
    assert complaints(resource, after, before) == wanted


def test_an_elastic_indexed_job_may_count_fewer_successes():
    spec = {"completionMode": "Indexed", "completions": 2, "parallelism": 2}
    assert complaints("jobs.batch", {"succeeded": 1}, {"succeeded": 2}, spec) == []


def test_indexes_are_checked_against_the_completions():
    spec = {"completionMode": "Indexed", "completions": 2, "backoffLimitPerIndex": 1}
    status = {"completedIndexes": "0-5", "failedIndexes": "x"}
    assert complaints("jobs.batch", status, spec=spec) == [
        'status.completedIndexes: Invalid value: "0-5": error parsing completedIndexes: too large index: "5"',
        'status.failedIndexes: Invalid value: "x": error parsing failedIndexes: cannot convert string to integer for index: "x"',
    ]
