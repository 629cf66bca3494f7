"""Each cause is found from what the API shows, and told with what happens next and what to do."""

from datetime import UTC, datetime, timedelta

import pytest

from lifepod.diagnosis.findings import Picture
from lifepod.diagnosis.why import why
from lifepod.lifecycle.vocabulary import Because

NOW = datetime(2025, 1, 1, 0, 0, 30, tzinfo=UTC)


def pod(*statuses, phase="Running", spec=None, init=(), meta=None, **status):
    return {
        "metadata": {"name": "p", "namespace": "default", "uid": "u", **(meta or {})},
        "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "busybox"}], **(spec or {})},
        "status": {"phase": phase, "containerStatuses": list(statuses), "initContainerStatuses": list(init), **status},
    }


def container(state, name="c", **more):
    return {
        "name": name,
        "image": "busybox",
        "restartCount": 0,
        "ready": False,
        "started": False,
        "state": state,
        **more,
    }


def waiting(reason, message=""):
    return {"waiting": {"reason": reason, "message": message}}


def ended(code, reason="Error", **more):
    return {"terminated": {"exitCode": code, "reason": reason, "finishedAt": "2025-01-01T00:00:25Z", **more}}


def event(reason, message, container="", kind="Warning"):
    field = {"fieldPath": f"spec.containers{{{container}}}"} if container else {}
    return {
        "metadata": {"name": reason},
        "reason": reason,
        "message": message,
        "type": kind,
        "count": 2,
        "involvedObject": field,
    }


def only(picture):
    (finding,) = why(picture)
    return finding


def test_a_crash_loop_names_the_exit_code_and_the_moment_of_the_next_start():
    status = container(
        waiting("CrashLoopBackOff", "back-off 1m20s restarting failed container=c"),
        restartCount=4,
        lastState=ended(3, message="no config"),
    )
    finding = only(Picture(pod(status), NOW))
    assert finding.cause == 'It ends with exit code 3, 4 times restarted; it left the message "no config".'
    assert finding.at == datetime(2025, 1, 1, 0, 1, 45, tzinfo=UTC)
    assert "wait doubles" in finding.happens
    assert finding.remedy == ("kubectl logs p -c c",)


def test_what_the_core_noted_counts_more_than_the_message():
    status = container(waiting("CrashLoopBackOff", "back-off 10s"), restartCount=1, lastState=ended(1))
    because = Because("restart_backoff.may_restart_at", "c", "held back", (), NOW + timedelta(seconds=3))
    assert only(Picture(pod(status), NOW, decisions=(because,))).at == NOW + timedelta(seconds=3)


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (container(waiting("CrashLoopBackOff"), lastState=ended(137, "OOMKilled")), "used more memory than its limit"),
        (
            container(waiting("CrashLoopBackOff"), lastState=ended(0, "Completed")),
            "restartPolicy Always starts it again",
        ),
        (
            container(
                waiting("CrashLoopBackOff"), lastState=ended(128, "StartError", message='exec: "nope": not found')
            ),
            'exec: "nope": not found',
        ),
        (container(ended(139)), "exit code 139 (signal 11)"),
        (
            container(waiting("InvalidImageName", "x: invalid reference format"), image="busybox:1.28'"),
            "is not valid: invalid reference format",
        ),
        (container(waiting("ErrImageNeverPull")), "imagePullPolicy Never forbids"),
        (container(waiting("ImagePullBackOff", "Back-off")), "cannot be pulled"),
        (container(waiting("CreateContainerConfigError", 'configmap "x" not found')), 'configmap "x" not found'),
        (container(waiting("CreateContainerError", "no command specified")), "no command specified"),
    ],
)
def test_a_container_that_does_not_run_says_why(status, cause):
    finding = only(Picture(pod(status), NOW))
    assert finding.subject == "c"
    assert cause in finding.cause


def test_a_missing_config_map_comes_with_the_command_that_makes_it():
    finding = only(Picture(pod(container(waiting("CreateContainerConfigError", 'configmap "x" not found'))), NOW))
    assert finding.remedy[0].startswith("kubectl create configmap x")


def test_a_volume_that_cannot_be_set_up_names_what_is_missing():
    message = 'MountVolume.SetUp failed for volume "cfg" : configmap "absent" not found'
    finding = only(
        Picture(pod(container(waiting("ContainerCreating")), phase="Pending"), NOW, (event("FailedMount", message),))
    )
    assert finding.cause == 'The volume "cfg" cannot be set up: ConfigMap "absent" does not exist in namespace default.'


def test_a_stray_quote_in_an_image_is_pointed_at():
    finding = only(
        Picture(pod(container(waiting("InvalidImageName", "e: invalid reference format"), image="busybox:1.28'")), NOW)
    )
    assert finding.remedy == ("Take away the stray quote: image: busybox:1.28",)


def test_an_init_container_that_polls_a_missing_service_says_which():
    init = container({"running": {"startedAt": "2025-01-01T00:00:00Z"}}, name="wait")
    spec = {"initContainers": [{"name": "wait", "command": ["sh", "-c", "until nslookup mydb; do sleep 2; done"]}]}
    absent = only(Picture(pod(phase="Pending", spec=spec, init=(init,)), NOW))
    assert absent.cause == 'It waits for the Service "mydb", which does not exist in namespace default.'
    there = only(Picture(pod(phase="Pending", spec=spec, init=(init,)), NOW, find=lambda *_: {"kind": "Service"}))
    assert there.cause == "This init container still runs."


def test_a_liveness_kill_is_told_as_such():
    status = container(waiting("CrashLoopBackOff", "back-off 10s"), restartCount=1, lastState=ended(137))
    finding = only(Picture(pod(status), NOW, (event("Unhealthy", "Liveness probe failed: HTTP 500", "c"),)))
    assert finding.cause.startswith("Liveness probe failed, so it was killed")


def test_a_running_container_that_is_not_ready_shows_its_probe():
    spec = {"containers": [{"name": "c", "image": "b", "readinessProbe": {"periodSeconds": 5}}]}
    status = container({"running": {}}, started=True)
    finding = only(Picture(pod(status, spec=spec), NOW, (event("Unhealthy", "Readiness probe failed: no", "c"),)))
    assert "readiness probe does not pass" in finding.cause
    assert finding.happens == "The probe is tried again every 5 s."


@pytest.mark.parametrize(
    ("status", "meta", "spec", "cause"),
    [
        ({}, {}, {"nodeName": None}, "The scheduler has not looked at it yet."),
        (
            {
                "conditions": [
                    {
                        "type": "PodScheduled",
                        "status": "False",
                        "reason": "Unschedulable",
                        "message": "0/1 nodes are available: 1 Insufficient cpu.",
                    }
                ]
            },
            {},
            {"nodeName": None},
            "No node takes it: 0/1 nodes",
        ),
        (
            {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory. "},
            {},
            {},
            "Evicted: The node was low on resource: memory.",
        ),
        (
            {"phase": "Failed"},
            {"deletionTimestamp": "2025-01-01T00:00:40Z", "finalizers": ["a/b"]},
            {},
            "its finalizers keep it: a/b",
        ),
        ({"phase": "Running"}, {"deletionTimestamp": "2025-01-01T00:00:40Z"}, {}, "It is being deleted"),
    ],
)
def test_causes_of_the_whole_pod_come_first(status, meta, spec, cause):
    one = pod(container(waiting("CrashLoopBackOff")), phase="Pending", spec=spec, meta=meta)
    one["status"].update(status)
    assert cause in only(Picture(one, NOW)).cause


def test_a_good_pod_is_said_to_be_good():
    status = container({"running": {}}, ready=True, started=True)
    good = pod(status, conditions=[{"type": "Ready", "status": "True"}])
    assert only(Picture(good, NOW)).cause == "Nothing is wrong: it is Running and Ready."
