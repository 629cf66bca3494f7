"""Prefect's KubernetesWorker, unmodified: it makes a Job for a flow run, and its observer, a kopf operator in a thread of its own, watches
the Job and its pods and tells Prefect's server, a real one with a database of its own, what became of them.

The container does not run Prefect; where the flow's own process would tell the server something, the test does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from prefect import flow, get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Completed, Running
from prefect.testing.utilities import prefect_test_harness
from prefect_kubernetes.worker import KubernetesWorker, KubernetesWorkerJobConfiguration

import lifepod

PATIENCE_SECONDS = 30
pytestmark = pytest.mark.lifepod(start=datetime.now(UTC).replace(microsecond=0), clock="manual")
IGNORE_DISRUPTIONS = {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]}


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """Prefect's server in a process of its own; it takes some seconds to start."""
    with prefect_test_harness(server_startup_timeout=120):
        yield


@flow
def report() -> None:
    """Never runs here: its container is simulated."""


class Running10Minutes:
    """A flow run whose Job the worker has made, in the middle of its work; what the tests ask of it."""

    def __init__(self, kube: lifepod.Kube, client: PrefectClient, run: FlowRun) -> None:
        self.kube, self._client, self._run = kube, client, run

    @property
    def job(self) -> dict[str, Any]:
        """The one Job, as it is now."""
        (found,) = self.kube.list("jobs")
        return found

    @property
    def pods(self) -> list[str]:
        """The names of its pods, oldest first."""
        pods = sorted(self.kube.list("pods"), key=lambda pod: str(pod["metadata"]["creationTimestamp"]))
        return [pod["metadata"]["name"] for pod in pods]

    async def state(self) -> State:
        found = (await self._client.read_flow_run(self._run.id)).state
        assert found is not None
        return found

    async def says(self, state: State) -> None:
        """What the flow's process would tell the server."""
        await self._client.set_flow_run_state(self._run.id, state, force=True)

    async def becomes(self, name: str) -> State:
        """Wait, in real time, until the server knows the run in that state."""
        for _ in range(PATIENCE_SECONDS * 10):
            state = await self.state()
            if state.name == name:
                return state
            await asyncio.sleep(0.1)
        raise AssertionError(f"the flow run is {state!r}, not {name}\n{self.kube.pod(self.pods[0]).timeline}")

    async def settles(self) -> State:
        """The state when the observer has had time to react to all that it has been told."""
        await asyncio.sleep(2)
        return await self.state()


def played(
    kube: lifepod.Kube,
    story: Callable[[Running10Minutes], Awaitable[None]],
    values: dict[str, Any],
    policy: dict[str, Any] | None = None,
) -> None:
    """Have the worker start a flow run of ten minutes; when it has run for ten seconds the story goes on."""

    @kube.image("flows")
    def flows(c: Any) -> Any:
        yield c.log("running")
        yield c.sleep(600)

    async def main() -> None:
        async with KubernetesWorker(work_pool_name="kubernetes") as worker, get_client() as client:
            template = worker.get_default_base_job_template()
            if policy:
                template["job_configuration"]["job_manifest"]["spec"]["podFailurePolicy"] = policy
            run = await client.create_flow_run(report)
            configuration = await KubernetesWorkerJobConfiguration.from_template_and_values(
                template, {"image": "flows", "namespace": "default", **values}
            )
            configuration.prepare_for_flow_run(run)
            await worker.run(run, configuration)
            running = Running10Minutes(kube, client, run)
            kube.advance("10s")
            await running.becomes("InfrastructurePending")
            await running.says(Running())
            await story(running)

    asyncio.run(main())


@pytest.mark.parametrize("fault", ["", "watch-gone"], ids=["with its watches", "and its watches lost"])
def test_a_run_whose_pod_is_evicted_has_crashed(kube: lifepod.Kube, prefect_server: None, fault: str) -> None:
    """The observer compares `status.failed` of the Job with its limit. A mock writes both ends of that sum; here the Job controller counts the
    pod only when it has ended for good, two seconds after the eviction, and when its finalizer is gone, after the Job was already marked
    to fail: an observer that looked at the condition, or at the pod's phase alone, would be early or blind. And the news must come
    through a watch, even where all watches ended in 410 just before."""

    async def story(running: Running10Minutes) -> None:
        if fault:
            kube.fault(fault)
        kube.fault("memory-pressure node1 evict=1 for=5m")
        kube.advance("1s")
        assert (await running.settles()).name == "Running"
        assert "failed" not in running.job["status"]
        kube.advance("1m")
        state = await running.becomes("Crashed")
        assert "No active or succeeded pods" in str(state.message)
        assert running.job["status"]["failed"] == 1
        kube.pod(running.pods[0]).went("Running", "NotReady", "DisruptionTarget", "Failed")

    played(kube, story, {"backoff_limit": 0})


def test_a_run_whose_job_tries_again_has_not_crashed(kube: lifepod.Kube, prefect_server: None) -> None:
    """With a limit of one the Job makes another pod, after its back-off and when the node can take one again. The flow run must stay what it
    is through all of that: a mock that answers "pod Failed" has no second pod."""

    async def story(running: Running10Minutes) -> None:
        kube.fault("memory-pressure node1 evict=1 for=5m")
        kube.advance("1m")
        first, second = running.pods
        assert (await running.settles()).name == "Running"
        kube.pod(first).went("Failed")
        kube.pod(second).condition("PodScheduled").was(False, reason="Unschedulable")
        kube.advance("20m")
        kube.pod(second).went("Pending", "Running", "Succeeded")
        assert (running.job["status"]["failed"], running.job["status"]["succeeded"]) == (1, 1)
        assert (await running.settles()).name == "Running"
        await running.says(Completed())

    played(kube, story, {"backoff_limit": 1})


def test_an_eviction_that_the_policy_ignores_does_not_count(kube: lifepod.Kube, prefect_server: None) -> None:
    """With a `podFailurePolicy` that ignores disruptions even a limit of zero survives an eviction: the Job makes another pod and `failed`
    stays away, because the evicted pod carries the condition DisruptionTarget. Mocks of pods have no such condition, and nobody to read it."""

    async def story(running: Running10Minutes) -> None:
        kube.fault("memory-pressure node1 evict=1 for=1m")
        kube.advance("20m")
        first, second = running.pods
        kube.pod(first).went("DisruptionTarget", "Failed")
        kube.pod(second).went("Running", "Succeeded")
        status = running.job["status"]
        assert (status.get("failed", 0), status["succeeded"]) == (0, 1)
        assert (await running.settles()).name == "Running"

    played(kube, story, {"backoff_limit": 0}, IGNORE_DISRUPTIONS)


def test_a_run_whose_job_is_deleted_has_crashed(kube: lifepod.Kube, prefect_server: None) -> None:
    """The observer asks whether the Job is really gone when it hears DELETED, since a selector that no longer fits says the same. Here both are
    true of the same API: the label is taken away and put back without harm, the deletion, once the pods are gone, is the end."""

    async def story(running: Running10Minutes) -> None:
        name, labels = running.job["metadata"]["name"], running.job["metadata"]["labels"]
        label = "prefect.io/flow-run-id"
        kube.patch("jobs", name, {"metadata": {"labels": {label: None}}})
        assert (await running.settles()).name == "Running"
        kube.patch("jobs", name, {"metadata": {"labels": {label: labels[label]}}})
        kube.delete("jobs", name)
        kube.advance("1m")
        state = await running.becomes("Crashed")
        assert "deleted" in str(state.message)

    played(kube, story, {"backoff_limit": 0})
