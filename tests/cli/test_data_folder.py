"""What --data keeps, and a disk that fills up under it: nothing answered is lost, who waits or comes later is told why."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

pytestmark = [pytest.mark.sandbox, pytest.mark.kubectl]


@pytest.fixture
def small_disk(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], check=False)
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def _config_map(name, size=10):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"x": "y" * size}}


def _fill(folder):
    with open(folder / "filler", "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            return


def test_a_full_disk_refuses_writes_until_there_is_room_again(lifepod, tools, small_disk):
    cluster = lifepod.up("--data", str(small_disk / "data"))

    def create(name, size=10):
        return cluster.kubectl("create", "-f", "-", stdin=json.dumps(_config_map(name, size)), check=False)

    answered = ["before"]
    assert "created" in create("before")
    _fill(small_disk)
    refusals = []
    for n in range(40):
        said = create(f"full{n}", 20_000)
        if "created" in said:
            answered.append(f"full{n}")
        else:
            refusals.append(said)
        if len(refusals) == 2:
            break
    assert "InternalError" in refusals[0]
    assert "disk is full" in refusals[0]
    assert "ServiceUnavailable" in refusals[1] or "disk is full" in refusals[1]
    assert cluster.kubectl("get", "configmap", "before", "-o", "name") == "configmap/before\n"
    (small_disk / "filler").unlink()
    tools.wait_until(lambda: "created" in create("after"), 10)
    answered.append("after")
    cluster.process.kill()
    cluster.process.wait()
    again = lifepod.up("--data", str(small_disk / "data"))
    assert "objects came back" in again.said
    kept = {item["metadata"]["name"] for item in again.json("configmaps")["items"]}
    assert set(answered) <= kept
    again.process.terminate()
    assert again.process.wait(20) == 0


def test_user_defined_kinds_come_back_with_the_data(lifepod, tools):
    data = str(lifepod.folder / "data")
    cluster = lifepod.up("--data", data)
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    names = {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]},
    }  # fmt: skip
    cluster.apply(definition)
    cluster.kubectl("wait", "--for=condition=Established", "crd/things.example.com", "--timeout=10s")
    cluster.apply({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "one"}})
    cluster.process.terminate()
    cluster.process.wait(20)
    again = lifepod.up("--data", data)
    assert again.kubectl("get", "things", "-o", "name") == "thing.example.com/one\n"


def test_a_folder_that_cannot_be_used_is_said(lifepod):
    (lifepod.folder / "file").touch()
    done = lifepod("up", "--data", str(lifepod.folder / "file" / "data"))
    assert (done.returncode, "cannot be used for --data" in done.stderr, "Traceback" in done.stderr) == (1, True, False)
