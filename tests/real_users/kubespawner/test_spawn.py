"""JupyterHub's KubeSpawner: start, poll and stop of a user's server with a home directory of its own."""

import asyncio
from types import SimpleNamespace

import pytest

pytest.importorskip("kubespawner")

from jupyterhub.objects import Hub
from kubespawner import KubeSpawner
from traitlets.config import Config

IMAGE = "quay.io/jupyterhub/singleuser:5"
NAMES = {"pod_name_template": "jupyter-{username}", "pvc_name_template": "home-{username}"}
HOME = {
    "storage_pvc_ensure": True,
    "storage_capacity": "1Gi",
    "volumes": [{"name": "home", "persistentVolumeClaim": {"claimName": "{pvc_name}"}}],
    "volume_mounts": [{"name": "home", "mountPath": "/home/jovyan"}],
}


def spawner(name="ada", **options):
    """A spawner as the hub makes it for a user."""
    user = SimpleNamespace(name=name, id=1, url=f"/user/{name}/", escaped_name=name, db=None)
    config = Config(KubeSpawner={"image": IMAGE, **NAMES, **HOME, **options})
    return KubeSpawner(hub=Hub(), user=user, config=config, api_token="t", oauth_client_id="unused")


def in_the_hub(work):
    """Run what the hub does, in its event loop; its reflectors live as long as that."""

    async def hub():
        try:
            await work()
        finally:
            await KubeSpawner._stop_all_reflectors()

    asyncio.run(hub())


async def ended(server, seconds=20):
    """What `poll` tells at the end, asked as the hub asks, but more often."""
    async with asyncio.timeout(seconds):
        while (code := await server.poll()) is None:  # noqa: ASYNC110 - the hub polls, too
            await asyncio.sleep(0.02)
    return code


def test_a_server_gets_its_home_starts_stops_and_finds_its_home_again(kube):
    """A mock hands out a pod that runs and has an address. Here the spawner first meets the pod without a status, then without
    containers, then without an address while its image is pulled for half a minute; the claim is bound by the cluster, not by the
    test; and after `stop` the pod is there for its grace period, the claim for good.
    """
    kube.fault(f"pull-slow {IMAGE} by=30s for=1h")

    async def work():
        server = spawner()
        url = await server.start()
        pod, claim = kube.get("pods", "jupyter-ada"), kube.get("pvc", "home-ada")
        assert url == f"http://{pod['status']['podIP']}:8888"
        assert await server.poll() is None
        assert claim["status"] == {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}}
        kube.pod("jupyter-ada").went("Pending", "ContainerCreating", "Running", "Ready").restarted(0)
        assert server.get_state()["pvc_name"] == "home-ada"
        await server.stop()
        assert await server.poll() == 1
        kube.pod("jupyter-ada").went("Running", "Terminating", "Deleted")
        await server.start()
        assert kube.get("pvc", "home-ada")["spec"]["volumeName"] == claim["spec"]["volumeName"]
        assert kube.get("pods", "jupyter-ada")["metadata"]["uid"] != pod["metadata"]["uid"]

    in_the_hub(work)


def test_an_image_that_cannot_be_pulled_ends_the_spawn_with_its_reason_and_leaves_nothing(kube):
    """Mocks let such a pod fail. It never does: its phase is Pending for ever, `poll` says that all is well, and only the events tell
    why: those of the kubelet with their `lastTimestamp`, that of the scheduler with null there and an `eventTime`, which a mock
    that leaves the key out would turn into a KeyError in `progress`.
    """
    kube.fault("image-not-found typo/singleuser* for=10h")

    async def work():
        server, told = spawner(image="typo/singleuser:5", start_timeout=2), []
        starting = server.start()
        async for each in server.progress():
            told.append(each)
            assert await server.poll() is None
        with pytest.raises(TimeoutError, match="did not start in 2 seconds"):
            await starting
        messages = [each["message"] for each in told]
        assert "Successfully assigned default/jupyter-ada to node1" in messages[0]
        assert told[0]["raw_event"]["lastTimestamp"] is None
        assert told[0]["raw_event"]["eventTime"]
        assert any('[Warning] Failed to pull image "typo/singleuser:5"' in message for message in messages)
        assert any("[Warning] Error: ImagePullBackOff" in message for message in messages)
        assert [each["progress"] for each in told] == sorted(each["progress"] for each in told)
        kube.pod("jupyter-ada").went("ErrImagePull", "ImagePullBackOff").never("Running").never("Failed")
        await server.stop(now=True)
        assert await server.poll() == 1
        assert kube.list("pods") == []
        server.image = IMAGE
        assert (await server.start()).endswith(":8888")

    in_the_hub(work)


def test_a_server_that_culls_itself_is_told_by_its_exit_code_and_removed(kube):
    """A mock's pod has the state that was typed. This one ran ten minutes, ended by itself, and is Succeeded with a terminated container
    from which `poll` takes the code and removes the pod.
    """

    @kube.image(IMAGE)
    def singleuser(c):
        yield c.listen(8888)
        yield c.sleep(600)
        yield c.exit(0)

    async def work():
        server = spawner()
        await server.start()
        assert await ended(server) == 0
        assert kube.list("pods") == []
        kube.pod("jupyter-ada").went("Running", "Succeeded", "Deleted")

    in_the_hub(work)


def test_an_evicted_server_is_told_and_the_next_start_meets_no_remains(kube):
    """An evicted pod stays, Failed, under its name: a spawner that only looks for Running or gone would hang, and a start that does
    not remove it gets 409. No mock has the pod of before.
    """

    async def work():
        server = spawner(delete_stopped_pods=False)
        await server.start()
        evicted = kube.get("pods", "jupyter-ada")["metadata"]["uid"]
        assert kube.fault("memory-pressure node1 for=1m")
        assert await ended(server) == 137
        assert kube.get("pods", "jupyter-ada")["status"]["reason"] == "Evicted"
        await server.start()
        assert kube.get("pods", "jupyter-ada")["metadata"]["uid"] != evicted
        assert await server.poll() is None

    in_the_hub(work)


def test_a_server_deleted_while_the_watch_was_broken_is_missed(kube):
    """Mocks of a watch never end with 410. The reflector has to list again, and a pod that went meanwhile is in no event: it is gone
    only because the list takes the place of what was known.
    """

    async def work():
        server = spawner()
        await server.start()
        kube.fault("watch-gone")
        kube.delete("pods", "jupyter-ada", grace_seconds=0)
        assert await ended(server) == 1
        await server.start()
        assert await server.poll() is None

    in_the_hub(work)
