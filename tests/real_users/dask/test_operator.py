"""dask-kubernetes: its definitions, the objects that `KubeCluster` makes, and its own operator in a process of its own."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("dask_kubernetes")
pytest.importorskip("kopf")

import dask_kubernetes
from dask_kubernetes.operator import make_cluster_spec
from dask_kubernetes.operator._objects import DaskCluster

DEFINITIONS = Path(dask_kubernetes.__file__).parent / "operator/deployment/helm/dask-kubernetes-operator/crds"
IMAGE = "ghcr.io/dask/dask"
OF_WORKERS, OF_SCHEDULER = "dask.org/component=worker", "dask.org/component=scheduler"

pytestmark = pytest.mark.lifepod(clock="manual", nodes=2)


@pytest.fixture
def operator(kube, tmp_path):
    """The operator as its image starts it, and what `dask` does in its containers: a scheduler answers on its two ports."""

    @kube.image(IMAGE)
    def dask(c):
        yield c.listen(8786)
        yield c.listen(8787)
        yield c.sleep(10**8)

    kube.apply(DEFINITIONS)
    command = ["-m", "kopf", "run", "-m", "dask_kubernetes.operator.controller", "--standalone", "-n", "default"]
    with (tmp_path / "operator.log").open("w") as log:
        process = subprocess.Popen([sys.executable, *command], stdout=log, stderr=subprocess.STDOUT)
        yield
        process.terminate()
        process.wait(30)


def until(holds, seconds=30):
    """Wait for the operator, whose time is its own; the cluster's stands still meanwhile."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "the operator did not get there"
        time.sleep(0.02)


def phase(kube, name="simple"):
    return (kube.get("daskclusters", name).get("status") or {}).get("phase")


def deployments(kube, selector=OF_WORKERS):
    return len(kube.list("deployments", selector=selector))


def pods(kube, selector=OF_WORKERS):
    return sorted(pod["status"]["phase"] for pod in kube.list("pods", selector=selector))


def job(**container):
    """A DaskJob whose runner is one container."""
    runner = {"name": "job", "image": "busybox", **container}
    spec = {
        "job": {"spec": {"restartPolicy": "Never", "containers": [runner]}},
        "cluster": {"spec": make_cluster_spec("simple", n_workers=1)["spec"]},
    }
    return {"apiVersion": "kubernetes.dask.org/v1", "kind": "DaskJob", "metadata": {"name": "simple"}, "spec": spec}


def job_status(kube):
    return (kube.get("daskjobs", "simple").get("status") or {}).get("jobStatus")


def test_a_cluster_is_made_scaled_survives_a_node_and_leaves_nothing(kube, operator):
    """A mock of the API takes any object and makes nothing of it. Here the operator's 17,000 lines of definitions decide what is kept
    of a DaskCluster (nulls go, a replica count in words is refused), its Service needs the `status` that a real one has from the start, the
    scale subresource answers, labels of seven kinds of objects have to fit for endpoints to be ready, and owner references through five
    levels for all of it to go.
    """
    with pytest.raises(Exception, match="expected numeric"):
        kube.apply(make_cluster_spec("simple", n_workers="two"))
    kube.apply(make_cluster_spec("simple", n_workers=2, env={"COLOUR": "red"}, resources=None))
    until(lambda: deployments(kube) == 2 and phase(kube) == "Running")
    kube.advance("10s")
    assert pods(kube) == ["Running"] * 2
    assert pods(kube, OF_SCHEDULER) == ["Running"]
    (endpoints,) = kube.list("endpointslices", selector="kubernetes.io/service-name=simple-scheduler")
    assert [endpoint["conditions"]["ready"] for endpoint in endpoints["endpoints"]] == [True]
    kube.patch("daskworkergroups", "simple-default", {"spec": {"replicas": 4}}, subresource="scale")
    until(lambda: deployments(kube) == 4)
    kube.advance("10s")
    assert {pod["spec"]["nodeName"] for pod in kube.list("pods")} == {"node1", "node2"}
    kube.fault("node-gone node2 for=1h")
    kube.advance("10m")
    assert pods(kube) == ["Running"] * 4
    assert {pod["spec"]["nodeName"] for pod in kube.list("pods")} == {"node1"}
    kube.delete("daskclusters", "simple")
    until(lambda: kube.get("daskclusters", "simple") is None)
    kube.advance("2m")
    assert not any(
        kube.list(kind) for kind in ("daskworkergroups", "deployments", "replicasets", "pods", "endpointslices")
    )
    assert [service["metadata"]["name"] for service in kube.list("services")] == ["kubernetes"]


def test_a_cluster_is_called_running_though_its_scheduler_cannot_be_pulled(kube, operator):
    """The bug that a mock with a typed-in status repeats: the operator sets Running when the Service is there, and `DaskCluster.ready()`
    believes it. The pods, which no mock has, are in ImagePullBackOff, and nothing listens behind the Service.
    """
    kube.fault(f"registry-down {IMAGE}* for=1h")
    kube.apply(make_cluster_spec("simple", n_workers=1))
    until(lambda: deployments(kube) == 1 and phase(kube) == "Running")
    kube.advance("10m")
    assert asyncio.run(is_ready("simple"))
    (scheduler,) = kube.list("pods", selector=OF_SCHEDULER)
    assert kube.pod(scheduler["metadata"]["name"]).status == "ImagePullBackOff"
    assert "cannot be pulled" in str(kube.why(scheduler["metadata"]["name"]))
    (endpoints,) = kube.list("endpointslices", selector="kubernetes.io/service-name=simple-scheduler")
    assert not any(endpoint["conditions"]["ready"] for endpoint in endpoints.get("endpoints") or [])


async def is_ready(name):
    cluster = await DaskCluster.get(name, namespace="default")
    return await cluster.ready()


@pytest.mark.parametrize(
    ("happens", "told"),
    [("", "Successful"), ("oom simple-runner/job", "Failed"), ("memory-pressure node* evict=9 for=1m", "Failed")],
    ids=["ends by itself", "OOM killed", "evicted by its node"],
)
def test_a_job_is_told_as_its_runner_ends_and_its_workers_go(kube, operator, happens, told):
    """A mock's runner has the phase that was typed. This one runs two hours or is killed for want of memory, of its own or the node's,
    and the operator, which only watches `status.phase`, must see it and remove the workers, who cost money.
    """
    runs(kube, job(command=["sleep", "7200"]))
    if happens:
        assert kube.fault(happens.replace("node*", kube.get("pods", "simple-runner")["spec"]["nodeName"]))
    kube.advance("1m" if happens else "2h")
    until(lambda: job_status(kube) == told)
    until(lambda: kube.get("daskclusters", "simple") is None)
    kube.advance("2m")
    assert pods(kube) == []


def test_a_job_whose_runner_is_drained_runs_for_ever(kube, operator):
    """The bug that a mocked phase cannot show: an eviction through the API deletes the pod. It does become Failed, but with a
    deletionTimestamp, when kopf calls no handler of fields any more; then it is gone. The job is Running, and its workers run, for good.
    """
    runs(kube, job(command=["sleep", "7200"]))
    kube.fault("evicted simple-runner")
    kube.advance("1h")
    kube.pod("simple-runner").went("Running", "Terminating", "Failed", "Deleted")
    other = make_cluster_spec("other", n_workers=1)
    kube.apply(other)
    until(lambda: phase(kube, "other") == "Running")
    assert job_status(kube) == "Running"
    assert kube.get("daskclusters", "simple") is not None
    assert "Running" in pods(kube)


def runs(kube, manifest):
    """The job's runner runs, and the operator has seen it."""
    kube.apply(manifest)
    until(lambda: deployments(kube) == 1 and job_status(kube) == "ClusterCreated")
    kube.advance("10s")
    until(lambda: job_status(kube) == "Running")
