"""From JSON to values and from reports to container statuses (lifecycle.md §2.1, §4.1, §4.3)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from lifepod.lifecycle.container_status import StatusInput, container_statuses, cut
from lifepod.lifecycle.init_containers import init_actions
from lifepod.lifecycle.memory import Reason
from lifepod.lifecycle.pod_actions import pod_actions, sandbox_need
from lifepod.lifecycle.pod_spec import container_named, field_path, pod_from_json, spec_from_json
from lifepod.lifecycle.version import Profile, profile_of
from lifepod.lifecycle.vocabulary import (
    ContainerReport,
    GrpcHandler,
    HttpGetHandler,
    RuntimeReport,
    SandboxReport,
    SleepHandler,
    TcpHandler,
)

T = datetime(2026, 1, 1, 0, 0, 0, 900000, tzinfo=UTC)
P = profile_of("v1.34.4")
BOX = SandboxReport("sb", 0, "ready", T, ("10.1.0.5",))


def report(name: str, state: Any, attempt: int = 0, code: int | None = None) -> ContainerReport:
    return ContainerReport(
        f"{name}{attempt}", name, "sb", attempt, state, "img", "ref", T, started_at=T, finished_at=T, exit_code=code
    )


def statuses(
    spec: dict[str, Any],
    *seen: ContainerReport,
    old: dict[str, Any] | None = None,
    deleting: bool = False,
    reasons: tuple[Reason, ...] = (),
    profile: Profile = P,
    member: str = "containerStatuses",
) -> Any:
    given = StatusInput(
        spec_from_json(spec),
        RuntimeReport((BOX,), seen),
        old or {},
        reasons,
        deleting,
        "sim",
        profile,
        lambda c, container_id: (True, True),
    )
    return container_statuses(given)[member][0]


ONE = {"containers": [{"name": "c", "image": "i"}]}


def test_times_are_cut_to_seconds_and_the_older_instance_is_the_last_state() -> None:
    made = statuses(ONE, report("c", "running", 1), report("c", "exited", 0, 1))
    assert made["state"] == {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
    assert made["lastState"]["terminated"]["containerID"] == "sim://c0"
    assert made["restartCount"] == 1


def test_a_container_that_vanished_while_running_counts_as_restarted() -> None:
    """lifecycle.md §2.1.3."""
    old = {"containerStatuses": [{"name": "c", "restartCount": 2, "state": {"running": {}}}]}
    made = statuses(ONE, old=old)
    assert made["restartCount"] == 3
    assert made["lastState"]["terminated"]["message"].startswith(
        "The container could not be located when the pod was deleted.  The"
    )
    assert statuses(ONE, old=old, deleting=True)["restartCount"] == 2


def test_an_old_end_is_taken_over_whole() -> None:
    old = {"name": "c", "state": {"terminated": {"exitCode": 3}}, "ready": False, "started": False, "restartCount": 1}
    assert statuses(ONE, old={"containerStatuses": [old]}) == old


def test_a_container_in_an_unknown_state_ends_only_if_it_ran() -> None:
    assert statuses(ONE, report("c", "unknown"))["state"] == {"waiting": {}}
    old = {"containerStatuses": [{"name": "c", "restartCount": 1, "state": {"running": {}}}]}
    made = statuses(ONE, report("c", "unknown"), old=old)
    assert (made["state"]["terminated"]["reason"], made["restartCount"]) == ("ContainerStatusUnknown", 2)


def test_mounts_resources_and_user_are_shown() -> None:
    mounts = [{"name": "v", "mountPath": "/v", "readOnly": True}, {"name": "w", "mountPath": "/w"}]
    spec = {
        "containers": [{"name": "c", "image": "i", "volumeMounts": mounts, "resources": {"requests": {"cpu": "1"}}}]
    }
    made = statuses(spec, report("c", "created")._replace(user=(0, 0, (10,))))
    assert made["volumeMounts"] == [
        {"name": "v", "mountPath": "/v", "readOnly": True, "recursiveReadOnly": "Disabled"},
        {"name": "w", "mountPath": "/w"},
    ]
    assert made["allocatedResources"] == {"cpu": "1"}
    assert made["user"] == {"linux": {"uid": 0, "gid": 0, "supplementalGroups": [10]}}
    assert cut("äää", 3) == "ä"


@pytest.mark.parametrize(
    ("handler", "value"),
    [
        (
            {"httpGet": {"port": "web", "httpHeaders": [{"name": "A", "value": "b"}]}},
            HttpGetHandler("web", headers=(("A", "b"),)),
        ),
        ({"tcpSocket": {"port": 80}}, TcpHandler(80)),
        ({"grpc": {"port": 5}}, GrpcHandler(5)),
        ({"sleep": {"seconds": 3}}, SleepHandler(3)),
    ],
)
def test_handlers(handler: dict[str, Any], value: object) -> None:
    spec = spec_from_json({"containers": [{"name": "c", "lifecycle": {"preStop": handler}, "livenessProbe": handler}]})
    assert spec.containers[0].pre_stop == value
    probe = spec.containers[0].liveness_probe
    assert probe is not None
    assert (probe.timeout_seconds, probe.period_seconds, probe.failure_threshold, probe.success_threshold) == (
        1,
        10,
        3,
        1,
    )


def test_the_spec_is_read_once_per_generation() -> None:
    obj = {"metadata": {"name": "p", "uid": "u", "generation": 1}, "spec": ONE, "status": {}}
    first = pod_from_json(obj)
    assert pod_from_json({**obj, "status": {"phase": "Running"}}, first).spec is first.spec
    again = {**obj, "metadata": {**obj["metadata"], "generation": 2}}
    assert pod_from_json(again, first).spec is not first.spec
    assert field_path("sidecar", "s") == "spec.initContainers{s}"


@pytest.mark.parametrize(
    ("boxes", "needed", "attempt"),
    [
        ((), True, 0),
        ((BOX,), False, 0),
        ((BOX, BOX._replace(id="x")), True, 1),
        ((BOX._replace(state="notready"),), True, 1),
        ((BOX._replace(ips=()),), True, 1),
        ((BOX._replace(host_network=True),), True, 1),
    ],
)
def test_when_a_new_sandbox_is_needed(boxes: tuple[SandboxReport, ...], needed: bool, attempt: int) -> None:
    """lifecycle.md §4.1."""
    need = sandbox_need(spec_from_json(ONE), RuntimeReport(boxes))
    assert (need.needed, need.attempt) == (needed, attempt)


@pytest.mark.parametrize(
    ("policy", "code", "creates"),
    [("Never", 1, False), ("OnFailure", 0, False), ("OnFailure", 1, True), ("Always", 0, True)],
)
def test_a_lost_sandbox_is_made_anew_only_for_what_still_has_to_run(policy: str, code: int, creates: bool) -> None:
    seen = RuntimeReport((BOX._replace(state="notready"),), (report("c", "exited", 0, code),))
    made = pod_actions(spec_from_json({**ONE, "restartPolicy": policy}), seen, lambda *_: "", False, P)
    assert (made.kill_pod, made.create_sandbox) == (True, creates)


@pytest.mark.parametrize(
    ("reason", "message", "shown"),
    [("R", "m", {"reason": "R", "message": "m"}), ("R", "", {"reason": "R"}), ("", "m", {"message": "m"})],
)
def test_a_failed_start_shows_what_is_known_of_it(reason: str, message: str, shown: dict[str, str]) -> None:
    """lifecycle.md §2.1.5."""
    made = statuses(ONE, reasons=(Reason("other", "X", "x"), Reason("c", reason, message)))
    assert made["state"] == {"waiting": shown}


WITH_INIT = {"initContainers": [{"name": "i", "restartPolicy": None}], "restartPolicy": "Always", **ONE}
WITH_SIDECAR = {"initContainers": [{"name": "i", "restartPolicy": "Always"}], "restartPolicy": "Never", **ONE}
RULES = Profile("1.35", container_restart_rules=True)


@pytest.mark.parametrize(
    ("spec", "seen", "deleting", "profile", "shown"),
    [
        (WITH_INIT, report("i", "exited", 0, 0), False, P, "terminated"),  # done: it does not start again
        (WITH_INIT, report("i", "exited", 0, 1), False, P, "waiting"),
        (WITH_INIT, report("i", "running"), False, P, "running"),
        (WITH_SIDECAR, report("i", "exited", 0, 0), False, RULES, "waiting"),  # whatever the policy
        (WITH_SIDECAR, report("i", "exited", 0, 0), True, RULES, "terminated"),
        (WITH_SIDECAR, report("i", "exited", 0, 1), True, P, "terminated"),
    ],
)
def test_the_reason_of_a_failed_start_is_shown_only_of_what_is_to_start(
    spec: dict[str, Any], seen: ContainerReport, deleting: bool, profile: Profile, shown: str
) -> None:
    reasons = (Reason("i", "CrashLoopBackOff", "m"),)
    made = statuses(spec, seen, reasons=reasons, deleting=deleting, profile=profile, member="initContainerStatuses")
    assert set(made["state"]) == {shown}


def test_a_container_that_has_not_started_shows_its_mounts_too() -> None:
    spec = {"containers": [{"name": "c", "image": "i", "volumeMounts": [{"name": "w", "mountPath": "/w"}]}]}
    assert statuses(spec)["volumeMounts"] == [{"name": "w", "mountPath": "/w"}]
    assert "volumeMounts" not in statuses(ONE)


def test_a_handler_of_no_known_kind_is_no_probe() -> None:
    spec = spec_from_json({"containers": [{"name": "c", "livenessProbe": {"periodSeconds": 3}}]})
    assert spec.containers[0].liveness_probe is None


def test_containers_are_found_in_all_three_lists() -> None:
    spec = spec_from_json({**INITS, "ephemeralContainers": [{"name": "e"}]})
    kinds = {name: found.kind for name in "acse" if (found := container_named(spec, name)) is not None}
    assert kinds == {"a": "init", "c": "regular", "s": "sidecar", "e": "ephemeral"}
    assert container_named(spec, "nobody") is None


INITS = {"initContainers": [{"name": "a"}, {"name": "s", "restartPolicy": "Always"}, {"name": "b"}], **ONE}


@pytest.mark.parametrize(
    ("seen", "starts", "initialized"),
    [
        ((), ("a",), False),
        ((report("a", "created"),), ("a",), False),
        ((report("a", "running"),), (), False),
        ((report("a", "exited", 0, 1),), ("a",), False),
        ((report("a", "exited", 0, 0),), ("s",), False),
        ((report("s", "running"), report("a", "exited", 0, 0)), ("b",), False),
        ((report("b", "running"), report("s", "exited", 0, 1), report("a", "exited", 0, 0)), ("s",), False),
        ((report("b", "exited", 0, 0), report("s", "running"), report("a", "exited", 0, 0)), (), True),
        ((report("c", "running"), report("b", "exited", 0, 0)), ("s",), True),
        ((report("a", "unknown", 0),), ("a",), False),
        ((report("s", "unknown"), report("a", "exited", 0, 0)), ("s",), False),
    ],
)
def test_how_far_the_init_containers_have_come(
    seen: tuple[ContainerReport, ...], starts: tuple[str, ...], initialized: bool
) -> None:
    """lifecycle.md §4.3."""
    made = init_actions(spec_from_json(INITS), RuntimeReport((BOX,), seen), lambda *_: "", P)
    assert (made.starts, made.initialized) == (starts, initialized)


@pytest.mark.parametrize(
    ("startup", "liveness", "kills", "starts"),
    [
        ("failure", "", ["Init container s failed startup probe"], ("s",)),
        ("", "failure", [], ()),  # still starting up: liveness does not count, and what follows waits
        ("success", "failure", ["Init container s failed liveness probe"], ("s", "b")),
        ("success", "success", [], ("b",)),
    ],
)
def test_a_sidecar_that_fails_a_probe_is_stopped_and_started_again(
    startup: str, liveness: str, kills: list[str], starts: tuple[str, ...]
) -> None:
    probe = {"exec": {"command": ["x"]}}
    sidecar = {"name": "s", "restartPolicy": "Always", "startupProbe": probe, "livenessProbe": probe}
    spec = spec_from_json({"initContainers": [sidecar, {"name": "b"}], **ONE})
    results = {"startup": startup, "liveness": liveness}
    made = init_actions(spec, RuntimeReport((BOX,), (report("s", "running"),)), lambda c, kind, i: results[kind], P)
    assert ([k.message for k in made.kills], made.starts) == (kills, starts)


def test_an_init_container_that_failed_for_good_stops_the_pod() -> None:
    seen = RuntimeReport((BOX,), (report("a", "exited", 0, 1),))
    made = pod_actions(spec_from_json({**INITS, "restartPolicy": "Never"}), seen, lambda *_: "", False, P)
    assert (made.kill_pod, made.starts) == (True, ())


def test_a_container_in_an_unknown_state_is_stopped_before_it_starts_again() -> None:
    made = pod_actions(spec_from_json(ONE), RuntimeReport((BOX,), (report("c", "unknown"),)), lambda *_: "", False, P)
    assert [k.message for k in made.kills] == ['Container is in "unknown" state, try killing it before restart']
    assert made.starts == ("c",)


@pytest.mark.parametrize("deleting", [True, False])
def test_nothing_starts_in_a_pod_that_is_deleted(deleting: bool) -> None:
    made = pod_actions(spec_from_json(ONE), RuntimeReport((BOX,)), lambda *_: "", deleting, P)
    assert made.starts == (() if deleting else ("c",))
