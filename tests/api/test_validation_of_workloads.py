"""What the API server refuses of apps and batch, in upstream's words and order, and what of a change it takes."""

import pytest

from lifepod.api.builtin import builtin_kinds
from lifepod.api.kinds import KindRegistry

KINDS = KindRegistry(builtin_kinds())
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}
BAD_SELECTOR = {"matchExpressions": [{"key": "a", "operator": "In"}]}
SHOWN_BAD = '{"matchExpressions":[{"key":"a","operator":"In"}]}'
NO_VALUES = (
    "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'"
)
MISMATCH = 'spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`'


def made(resource, spec, name="x", **members):
    """An object as it is when it comes to validation: defaulted and prepared."""
    kind = KINDS.of(resource)
    metadata = {"name": name, "uid": "u", "namespace": "default"}
    return kind.prepare_create(kind.default({"kind": kind.kind, "metadata": metadata, "spec": spec, **members}))


def complaints(resource, spec):
    return [str(error) for error in KINDS.of(resource).validate(made(resource, spec))]


def changes(resource, before, after, **status):
    kind, old = KINDS.of(resource), {**made(resource, before), **status}
    return [str(error) for error in kind.validate_update({**made(resource, after), **status}, old)]


def workload(**more):
    return {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE, **more}


def template(**pod):
    return {**TEMPLATE, "spec": {**TEMPLATE["spec"], "restartPolicy": "Never", **pod}}


def job(pod=None, **more):
    return {"template": template(**pod or {}), **more}


def cron(schedule="@daily", job_spec=None, **more):
    return {"schedule": schedule, "jobTemplate": {"spec": job_spec or job()}, **more}


@pytest.mark.parametrize(
    ("resource", "spec", "wanted"),
    [
        ("deployments.apps", {"template": TEMPLATE}, ["spec.selector: Required value", MISMATCH]),
        ("replicasets.apps", {"template": TEMPLATE}, ["spec.selector: Required value", MISMATCH]),
        ("statefulsets.apps", {"template": TEMPLATE}, ["spec.selector: Required value", MISMATCH]),
        ("daemonsets.apps", {"template": TEMPLATE}, [MISMATCH]),
        ("deployments.apps", {"selector": BAD_SELECTOR, "template": {}},
         [NO_VALUES, f"spec.selector: Invalid value: {SHOWN_BAD}: invalid label selector"]),
        ("statefulsets.apps", {"selector": BAD_SELECTOR, "template": {}}, [NO_VALUES, f"spec.selector: Invalid value: {SHOWN_BAD}"]),
        ("daemonsets.apps", {"selector": BAD_SELECTOR, "template": TEMPLATE}, [NO_VALUES]),
        ("deployments.apps", workload(strategy={"type": "X"}),
         ['spec.strategy: Unsupported value: {"Type":"X","RollingUpdate":null}: supported values: "Recreate", "RollingUpdate"']),
        ("daemonsets.apps", workload(updateStrategy={"type": "X"}, minReadySeconds=-1, revisionHistoryLimit=-1),
         ["spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0",
          'spec.updateStrategy: Unsupported value: {"Type":"X","RollingUpdate":null}: supported values: "RollingUpdate", "OnDelete"',
          "spec.revisionHistoryLimit: Invalid value: -1: must be greater than or equal to 0"]),
        ("statefulsets.apps", workload(volumeClaimTemplates=[{"metadata": {"name": "d"}, "spec": {"accessModes": ["ReadWriteOnce"]}}]),
         ["spec.volumeClaimTemplates[0].spec.resources[storage]: Required value"]),
        ("statefulsets.apps", workload(podManagementPolicy=""), []),
        ("statefulsets.apps", workload(updateStrategy={"type": "OnDelete", "rollingUpdate": {"partition": 1}}),
         ['spec.updateStrategy.rollingUpdate: Invalid value: {"Partition":1,"MaxUnavailable":null}: only allowed for updateStrategy \'RollingUpdate\'']),
        ("statefulsets.apps", workload(updateStrategy={"type": "X"}),
         ['spec.updateStrategy: Invalid value: {"Type":"X","RollingUpdate":null}: must be \'RollingUpdate\' or \'OnDelete\'']),
        ("poddisruptionbudgets.policy", {"minAvailable": 1, "maxUnavailable": "1%"},
         ['spec: Invalid value: {"MinAvailable":1,"Selector":null,"MaxUnavailable":"1%","UnhealthyPodEvictionPolicy":null}: '
          "minAvailable and maxUnavailable cannot be both set"]),
        ("jobs.batch", job(managedBy="acme"),
         ['spec.managedBy: Invalid value: "acme": must be a domain-prefixed path (such as "acme.io/foo")']),
        ("jobs.batch", job(managedBy="a.io/b c"),
         ["spec.managedBy: Invalid value: \"b c\": Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')"]),
        ("jobs.batch", job(managedBy="a.io/" + "x" * 60), ["spec.managedBy: Too long: may not be more than 63 bytes"]),
        ("jobs.batch", job(manualSelector=True), [
            "spec.selector: Required value",
            "spec.template.metadata.labels: Invalid value: {\"a\":\"b\"}: `selector` does not match template `labels`"]),
        ("cronjobs.batch", cron(job_spec=job(selector={"matchLabels": {"a": "b"}}, manualSelector=True)),
         ['spec.jobTemplate.spec.selector: Invalid value: {"matchLabels":{"a":"b"}}: `selector` will be auto-generated',
          'spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "nil", "false"']),
        ("cronjobs.batch", cron(timeZone="a//b", concurrencyPolicy="X"),
         ['spec.timeZone: Invalid value: "a//b": unknown time zone a//b',
          'spec.concurrencyPolicy: Unsupported value: "X": supported values: "Allow", "Forbid", "Replace"']),
        ("cronjobs.batch", cron("TZ=UTC @x"),
         ['spec.schedule: Invalid value: "TZ=UTC @x": unrecognized descriptor: @x',
          'spec.schedule: Invalid value: "TZ=UTC @x": cannot use TZ or CRON_TZ in schedule, use timeZone field instead']),
        ("cronjobs.batch", cron(timeZone="Abcdefghijklmno"),
         ['spec.timeZone: Invalid value: "Abcdefghijklmno": unknown time zone Abcdefghijklmno']),
        ("cronjobs.batch", cron(job_spec=job(podFailurePolicy={"rules": [{"action": "Ignore", "onPodConditions": [{"type": "A"}]}]})), []),
    ],
)  # fmt: skip
def test_a_workload_is_refused_in_upstreams_words_and_order(resource, spec, wanted):
    assert complaints(resource, spec) == wanted


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("9-x", 'too large index: "9"'),
        ("x-9", 'cannot convert string to integer for index: "x"'),
        ("3,2-1", "non-increasing order, previous: 2, current: 1"),
        ("3,1-2", "non-increasing order, previous: 3, current: 1"),
    ],
)
def test_of_indexes_the_first_mistake_is_told(text, problem):
    spec = job(completionMode="Indexed", completions=5, successPolicy={"rules": [{"succeededIndexes": text}]})
    path = "spec.successPolicy.rules[0].succeededIndexes"
    assert complaints("jobs.batch", spec) == [
        f'{path}: Invalid value: "{text}": error parsing succeededIndexes: {problem}'
    ]


IMMUTABLE_TEMPLATE = "spec.template: Invalid value"


@pytest.mark.parametrize(
    ("what", "pod", "is_taken"),
    [
        ("a node selector", {"nodeSelector": {"a": "b"}}, True),
        ("affinity to nodes", {"affinity": {"nodeAffinity": {}}}, True),
        ("affinity to pods", {"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
            {"topologyKey": "k", "labelSelector": {}}]}}}, False),
        ("an image", {"containers": [{"name": "c", "image": "i:2"}]}, False),
    ],
)  # fmt: skip
def test_a_suspended_job_may_still_change_where_its_pods_go(what, pod, is_taken):
    errors = changes("jobs.batch", job(suspend=True), job(pod, suspend=True))
    assert [error.startswith(IMMUTABLE_TEMPLATE) for error in errors] == ([] if is_taken else [True])


def test_a_suspended_jobs_template_may_be_labelled_until_it_starts():
    labelled = {
        **job(suspend=True),
        "template": {**template(), "metadata": {"labels": {"a": "c"}, "annotations": {"x": "y"}}},
    }
    assert changes("jobs.batch", job(suspend=True), labelled) == []
    started = {"status": {"startTime": "2026-01-01T00:00:00Z"}}
    [error] = changes("jobs.batch", job(suspend=True), labelled, **started)
    assert error.startswith(IMMUTABLE_TEMPLATE)


@pytest.mark.parametrize(
    ("resource", "before", "after", "wanted"),
    [
        ("daemonsets.apps", workload(), workload(selector={"matchLabels": {"a": "c"}}),
         ['spec.selector: Invalid value: {"matchLabels":{"a":"c"}}: field is immutable', MISMATCH]),
        ("cronjobs.batch", cron(timeZone="a//b"), cron("@hourly", timeZone="a//b"), []),
        ("statefulsets.apps", workload(serviceName="A_B"), workload(serviceName="A_B", replicas=2), []),
        ("jobs.batch", job(completionMode="Indexed", completions=2, parallelism=2),
         job(completionMode="Indexed", completions=3, parallelism=3), []),
        ("jobs.batch", job(completionMode="Indexed", completions=2, parallelism=2),
         job(completionMode="Indexed", completions=3, parallelism=2),
         ["spec.completions: Invalid value: 3: can only be modified in tandem with spec.parallelism"]),
        ("jobs.batch", job(completions=2), job(completions=3), ["spec.completions: Invalid value: 3: field is immutable"]),
    ],
)  # fmt: skip
def test_a_change_is_judged_by_what_was_there(resource, before, after, wanted):
    assert changes(resource, before, after) == wanted


@pytest.mark.parametrize(
    ("members", "wanted"),
    [
        ({"data": {}, "revision": -1}, ["revision: Invalid value: -1: must be greater than or equal to 0"]),
        ({"revision": 1}, ["data: Required value: data is mandatory"]),
        ({"data": [1], "revision": 1}, ["data: Required value: data must be a valid JSON object"]),
    ],
)
def test_a_revision_has_data_that_are_an_object(members, wanted):
    obj = {"metadata": {"name": "x", "namespace": "default"}, **members}
    assert [str(error) for error in KINDS.of("controllerrevisions.apps").validate(obj)] == wanted
