"""Airflow's KubernetesPodOperator, unmodified: `execute` as the task runner calls it, with a context and nothing else of Airflow.

What `docs/testing.md` says of clients with clocks of their own holds here: Airflow reads the log of a container that has ended only for two
minutes of its own time, so the cluster's time begins now.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.cncf.kubernetes.callbacks import KubernetesPodOperatorCallback
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from kubernetes.client import models as k8s

import lifepod

PATIENCE_SECONDS = 60
pytestmark = pytest.mark.lifepod(start=datetime.now(UTC).replace(microsecond=0), clock="auto")


class Task:
    """One try of a task, in a thread, as a worker of Airflow runs it. Each try has an operator of its own."""

    def __init__(self, kube: lifepod.Kube | lifepod.RealKube, script: str, try_number: int = 1, **options: Any) -> None:
        self.lines: list[str] = []
        self.pushed: dict[str, Any] = {}
        self.result: Any = None
        self.error: BaseException | None = None
        instance = SimpleNamespace(
            dag_id="report", task_id="count", map_index=-1, try_number=try_number, xcom_push=self._push
        )
        self.context: Any = {"ti": instance, "run_id": "manual", "dag": SimpleNamespace(parent_dag=None)}
        self.operator = KubernetesPodOperator(
            task_id="count",
            name="count",
            namespace="default",
            image="busybox",
            cmds=["sh", "-c"],
            arguments=[script],
            kubernetes_conn_id=None,
            in_cluster=False,
            config_file=str(kube.kubeconfig),
            startup_check_interval_seconds=0.1,
            log_pod_spec_on_failure=False,
            callbacks=[_lines_into(self.lines)],
            **{"on_finish_action": "keep_pod", **options},
        )
        self._thread = threading.Thread(target=self._work, daemon=True)

    def _push(self, key: str, value: Any) -> None:
        self.pushed[key] = value

    def _work(self) -> None:
        try:
            self.result = self.operator.execute(self.context)
        except BaseException as problem:
            self.error = problem

    def start(self) -> Task:
        self._thread.start()
        return self

    def is_over(self, within: float = PATIENCE_SECONDS) -> bool:
        self._thread.join(within)
        return not self._thread.is_alive()

    @property
    def pod(self) -> str:
        """The name of its pod; "" before there is one."""
        return str(self.pushed.get("pod_name", ""))


def _lines_into(lines: list[str]) -> type[KubernetesPodOperatorCallback]:
    class Lines(KubernetesPodOperatorCallback):
        @staticmethod
        def progress_callback(*, line: str, container_name: str, **_: Any) -> None:
            lines.append(line.strip())

    return Lines


def wait_until(seen: Callable[[], object]) -> None:
    """Wait, in real time, for what another thread does."""
    pause = threading.Event()
    for _ in range(PATIENCE_SECONDS * 20):
        if seen():
            return
        pause.wait(0.05)
    raise AssertionError("it never came to that")


def exit_code_of_base(kube: lifepod.Kube, pod: str) -> int | None:
    """How the container `base` of a pod has ended; None: it has not."""
    statuses = kube.get("pod", pod)["status"].get("containerStatuses", ())
    states = [status["state"] for status in statuses if status["name"] == "base"]
    return states[0]["terminated"]["exitCode"] if states and "terminated" in states[0] else None


def test_a_task_runs_to_its_end_and_its_log_is_read(kube: lifepod.Kube) -> None:
    """A mock of the API has no log that is followed: whether the operator sees the last line is decided by who is first, the end of the
    stream or the end of the container. Ninety seconds of the container's life take none of the test's."""
    task = Task(kube, "echo counting; sleep 90; echo counted").start()
    assert task.is_over()
    assert task.error is None
    assert task.lines == ["counting", "counted"]
    kube.pod(task.pod).went("Pending", "Running", "Succeeded").restarted(0)


def test_the_result_is_read_from_the_sidecar_which_is_then_stopped(kube: lifepod.Kube) -> None:
    """Mocks answer `connect_get_namespaced_pod_exec` with a string. Here a command runs in the sidecar, which sees the volume that it shares
    with the task, and the sidecar ends because a shell that is fed from here sends its first process SIGINT; the pod is over only then."""
    task = Task(kube, """sleep 90; echo '{"rows": 7}' > /airflow/xcom/return.json""", do_xcom_push=True).start()
    assert task.is_over()
    assert task.error is None
    assert task.result == {"rows": 7}
    assert kube.run_until(lambda: kube.pod(task.pod).phase == "Succeeded", timeout="5s")
    kube.pod(task.pod).went("Running", "base Completed", "airflow-xcom-sidecar Completed", "Succeeded")


def test_no_result_is_no_error(kube: lifepod.Kube) -> None:
    """The sidecar's answer for a missing file goes through a real `if [ -s … ]`, which a canned answer does not."""
    task = Task(kube, "sleep 5", do_xcom_push=True).start()
    assert task.is_over()
    assert (task.error, task.result) == (None, None)


# ------------------------------------------------------------------------------------------------ eviction

WORK = """echo started; echo working; sleep 90; mkdir -p /airflow/xcom; echo '[7]' > /airflow/xcom/return.json; echo done"""


@pytest.mark.parametrize("has_result", [False, True], ids=["without a result", "with a result"])
def test_an_evicted_task_fails_and_its_second_try_succeeds(kube: lifepod.Kube, has_result: bool) -> None:
    """A mock goes from Running to Failed. Here the pod stays Running, not Ready, while its containers are killed; then it is Failed for the
    reason Evicted, with statuses and a log that are still there; and the second try cannot be scheduled at first: for as long as the node
    is short of memory it has a taint, and the operator waits as patiently as its `schedule_timeout_seconds`."""
    kube.clock.mode = "manual"
    first = Task(kube, WORK, do_xcom_push=has_result).start()
    wait_until(lambda: first.pod)
    kube.advance("30s")
    wait_until(lambda: "started" in first.lines)
    kube.fault("memory-pressure node1 evict=1 for=2m")
    kube.advance("10s")
    assert first.is_over()
    assert first.error is not None
    assert "started" in first.lines
    assert "done" not in first.lines
    kube.pod(first.pod).went("Running", "NotReady", "DisruptionTarget", "Failed").never("Succeeded")
    status = kube.get("pod", first.pod)["status"]
    assert (status["phase"], status["reason"]) == ("Failed", "Evicted")
    assert exit_code_of_base(kube, first.pod) == 137

    second = Task(kube, WORK, try_number=2, do_xcom_push=has_result).start()
    wait_until(lambda: second.pod)
    kube.advance("1m")
    kube.pod(second.pod).condition("PodScheduled").was(False, reason="Unschedulable")
    kube.clock.mode = "auto"
    assert second.is_over()
    assert second.error is None
    assert second.result == ([7] if has_result else None)
    assert second.pod != first.pod
    kube.pod(second.pod).went("Pending", "Running", "base Completed")
    assert kube.get("pod", first.pod)["metadata"]["labels"]["already_checked"] == "True"


def test_a_worker_that_comes_back_does_not_take_up_an_evicted_pod(kube: lifepod.Kube) -> None:
    """The first worker dies after it has made the pod, which is evicted while nobody looks. The same try on another worker finds the pod by
    its labels, sees that it is of no use, deletes it and makes another. It then looks for the one pod with these labels: had the API kept
    the old one for its grace period, as it keeps one that runs, there would be two and the task would fail. Mocks of `list_namespaced_pod`
    know neither labels nor what a deletion depends on."""
    lost = Task(kube, "sleep 90", on_finish_action="delete_pod")
    left = lost.operator.get_or_create_pod(
        lost.operator.build_pod_request_obj(lost.context), lost.context
    ).metadata.name
    assert kube.run_until(lambda: kube.pod(left).phase == "Running", timeout="1m")
    kube.fault("memory-pressure node1 evict=1 for=10s")
    assert kube.run_until(lambda: kube.pod(left).phase == "Failed", timeout="1m")

    task = Task(kube, "sleep 90", on_finish_action="delete_pod").start()
    assert task.is_over()
    assert task.error is None
    assert task.pod != left
    kube.pod(left).went("Failed", "Deleted")
    kube.pod(task.pod).went("Pending", "Running", "Succeeded")


# ------------------------------------------------------------------------------------------------ sidecars

PROXY = {
    "name": "proxy",
    "image": "busybox",
    "command": ["sh", "-c", "trap 'exit 0' TERM; while true; do sleep 1; done"],
}


def beside(**container: Any) -> k8s.V1Pod:
    """A pod of `base` and one more container."""
    return k8s.V1Pod(spec=k8s.V1PodSpec(containers=[k8s.V1Container(name="base"), k8s.V1Container(**container)]))


def test_a_sidecar_that_outlives_the_task_keeps_it_waiting(kube: lifepod.Kube) -> None:
    """The operator waits for the pod, and a pod whose sidecar runs is Running: hours after `base` has succeeded the task has not. A mock that
    sets phase Succeeded when the work is done, as one would think, never shows it. Only the sidecar's own end lets the task go."""
    task = Task(kube, "sleep 90", full_pod_spec=beside(**PROXY)).start()
    wait_until(lambda: task.pod)
    assert kube.run_until(lambda: exit_code_of_base(kube, task.pod) == 0, timeout="10m")
    kube.advance("6h")
    assert not task.is_over(within=3)
    assert kube.pod(task.pod).phase == "Running"
    assert exit_code_of_base(kube, task.pod) == 0

    assert kube.exec(task.pod, "kill", "1", container="proxy") == (0, "")
    kube.advance("2s")
    assert task.is_over()
    assert task.error is None
    kube.pod(task.pod).went("base Completed", "proxy Completed", "Succeeded")


def test_a_killed_sidecar_fails_a_task_that_has_succeeded(kube: lifepod.Kube) -> None:
    """One container that ends badly makes the pod Failed, whatever the others did: exit code 0 of `base` does not help. In a mock the phase is
    what its author wrote."""
    task = Task(kube, "sleep 90", full_pod_spec=beside(**PROXY)).start()
    wait_until(lambda: task.pod)
    kube.advance("2m")
    kube.fault(f"oom {task.pod}/proxy")
    kube.advance("2s")
    assert task.is_over()
    assert "returned a failure" in str(task.error)
    assert exit_code_of_base(kube, task.pod) == 0


def test_a_native_sidecar_is_stopped_when_the_task_is_done(kube: lifepod.Kube) -> None:
    """The same proxy as an init container with `restartPolicy: Always` is stopped by the kubelet, after `base`; a mock has no order of ends."""
    proxy = k8s.V1Container(**PROXY, restart_policy="Always")
    task = Task(kube, "sleep 90", init_containers=[proxy]).start()
    assert task.is_over()
    assert task.error is None
    kube.pod(task.pod).went("proxy running", "base running", "base Completed", "proxy Completed", "Succeeded")


def test_a_task_with_a_result_does_not_wait_for_its_sidecar(kube: lifepod.Kube) -> None:
    """With `do_xcom_push` the operator looks at `base` instead of the pod, and goes by the status of one container among three: the pod is
    Running, and not Ready, when the task has succeeded."""
    script = "sleep 90; echo '[7]' > /airflow/xcom/return.json"
    task = Task(kube, script, do_xcom_push=True, full_pod_spec=beside(**PROXY)).start()
    assert task.is_over()
    assert (task.error, task.result) == (None, [7])
    assert kube.pod(task.pod).phase == "Running"
    kube.pod(task.pod).went("Running", "base Completed", "NotReady")


# ------------------------------------------------------------------------------------------------ in real time


@pytest.fixture
def kube_real() -> Iterator[lifepod.RealKube]:
    with lifepod.real_cluster() as cluster:
        yield cluster


@pytest.mark.sandbox
def test_with_real_containers(kube_real: lifepod.RealKube) -> None:
    """What only real processes show: the shared volume is a folder, the sidecar's shell is a shell, and the signal is the system's."""
    task = Task(
        kube_real, """echo counting; sleep 1; echo '{"rows": 7}' > /airflow/xcom/return.json""", do_xcom_push=True
    )
    assert task.start().is_over()
    assert (task.error, task.result) == (None, {"rows": 7})
    assert task.lines == ["counting"]
    assert kube_real.run_until(lambda: kube_real.pod(task.pod).phase == "Succeeded", timeout="30s")
