"""The fixture `kube`, in process: objects, time, copies, programs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import lifepod
from lifepod.api.writes import ApiError
from lifepod.client.manifests import BadManifests
from lifepod.simulation.clock_modes import BadTime
from lifepod.testing.errors import TestingError

from .manifests import pod


def test_the_example_of_the_readme_is_true(kube: lifepod.Kube) -> None:
    kube.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "worker"},
            "spec": {"containers": [{"name": "main", "image": "busybox", "command": ["false"]}]},
        }
    )
    kube.advance("1h")
    kube.pod("worker").restarted(16)


def test_time_begins_in_the_past_and_moves_only_when_told(kube: lifepod.Kube) -> None:
    assert kube.clock.now() == datetime(2025, 1, 1, tzinfo=UTC)
    kube.apply(pod("web", "sleep", "10"))
    assert kube.clock.now() == datetime(2025, 1, 1, tzinfo=UTC)
    kube.advance("1m30s")
    kube.advance(2)
    kube.advance(timedelta(milliseconds=5))
    assert kube.clock.now() == datetime(2025, 1, 1, 0, 1, 32, 5000, tzinfo=UTC)


def test_turning_the_clock_by_hand_makes_it_manual_unless_a_mode_was_asked_for(kube: lifepod.Kube) -> None:
    assert kube.clock.mode == "auto"
    kube.advance(1)
    assert kube.clock.mode == "manual"
    with lifepod.cluster(clock="auto") as other:
        other.advance(1)
        assert other.clock.mode == "auto"


def test_run_until_stops_at_the_first_moment_at_which_it_holds(kube: lifepod.Kube) -> None:
    kube.clock.mode = "manual"
    kube.apply(pod("web", "sleep", "600"))
    assert kube.run_until(lambda: kube.pod("web").phase == "Succeeded", timeout="1h")
    assert timedelta(0) < kube.clock.now() - datetime(2025, 1, 1, 0, 10, tzinfo=UTC) < timedelta(seconds=1)
    assert not kube.run_until(lambda: False, timeout="5s")


def test_run_until_in_auto_ends_at_the_horizon(kube: lifepod.Kube) -> None:
    kube.clock.rules.horizon = timedelta(minutes=1)
    assert not kube.run_until(lambda: False, timeout="48h")
    assert kube.clock.now() == datetime(2025, 1, 1, 0, 1, tzinfo=UTC)


def test_step_goes_from_one_thing_that_happens_to_the_next(kube: lifepod.Kube) -> None:
    kube.apply(pod("web", "sleep", "600"))
    moments = []
    while kube.pod("web").phase != "Running":
        assert kube.step()
        moments.append(kube.clock.now())
    assert moments == sorted(moments)
    assert moments[-1] - datetime(2025, 1, 1, tzinfo=UTC) < timedelta(seconds=1)


@pytest.mark.parametrize("length", ["soon", "1 fortnight", "-5s", -1])
def test_what_is_no_length_of_time_is_refused(kube: lifepod.Kube, length: Any) -> None:
    with pytest.raises(BadTime):
        kube.advance(length)


# ------------------------------------------------------------------------------------------------ objects


def test_apply_takes_dicts_texts_files_and_lists(kube: lifepod.Kube, tmp_path: Path) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: two}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: three}\n"
    (tmp_path / "four.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: four}\n")
    one = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}}
    made = kube.apply({"apiVersion": "v1", "kind": "List", "items": [one]}, text, tmp_path / "four.yaml")
    assert [obj["metadata"]["name"] for obj in made] == ["one", "two", "three", "four"]
    assert {obj["metadata"]["name"] for obj in kube.list("cm")} >= {"one", "two", "three", "four"}


def test_apply_updates_what_is_there(kube: lifepod.Kube) -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"a": "1"}}
    kube.apply(manifest)
    kube.apply({**manifest, "data": {"b": "2"}})
    found = kube.get("configmap", "one")
    assert found is not None
    assert found["data"] == {"b": "2"}


def test_what_the_api_refuses_says_why(kube: lifepod.Kube) -> None:
    bad = pod()
    bad["spec"]["restartPolicy"] = "Sometimes"
    with pytest.raises(ApiError, match="restartPolicy"):
        kube.apply(bad)
    with pytest.raises(BadManifests, match="kind"):
        kube.apply("apiVersion: v1\nkynd: Pod\n")
    with pytest.raises(TestingError, match="no resource"):
        kube.get("podz", "x")


def test_get_list_patch_delete(kube: lifepod.Kube) -> None:
    kube.apply(pod("a"), pod("b"))
    kube.patch("pod", "a", {"metadata": {"labels": {"app": "x"}}})
    assert [p["metadata"]["name"] for p in kube.list("po", selector="app=x")] == ["a"]
    kube.advance(5)
    kube.delete("pods", "a", grace_seconds=0)
    kube.advance(5)
    assert kube.get("pods", "a") is None
    assert not kube.pod("a").exists
    assert kube.pod("a").status == "Deleted"


def test_what_get_returns_may_be_changed_by_the_test(kube: lifepod.Kube) -> None:
    kube.apply(pod())
    mine = kube.get("pod", "web")
    assert mine is not None
    mine["metadata"]["name"] = "other"
    again = kube.get("pod", "web")
    assert again is not None
    assert again["metadata"]["name"] == "web"


# ------------------------------------------------------------------------------------------------ inside pods


def test_a_generator_is_a_container(kube: lifepod.Kube) -> None:
    @kube.image("worker")
    def worker(c: Any) -> Any:
        yield c.log("up")
        yield c.sleep(3)
        yield c.exit(1)

    kube.apply(pod("w", image="worker"))
    kube.advance("10s")
    assert kube.pod("w").phase == "Failed"
    assert kube.logs("w") == "up\n"


def test_logs_and_exec(kube: lifepod.Kube) -> None:
    kube.apply(pod("web", "sh", "-c", "echo hello; sleep 60"))
    kube.advance(5)
    assert kube.logs("web") == "hello\n"
    assert kube.exec("web", "sh", "-c", "echo here; exit 3") == (3, "here\n")


def test_why_and_decisions(kube: lifepod.Kube) -> None:
    kube.apply(pod("web", "false", restart="Always"))
    kube.advance("5m")
    assert "exit code 1" in str(kube.why("web"))
    assert kube.decisions("web")


# ------------------------------------------------------------------------------------------------ copies


def test_a_snapshot_is_gone_back_to_with_clock_and_stories(kube: lifepod.Kube) -> None:
    kube.apply(pod("web", "sleep", "60"))
    kube.advance("10s")
    before = kube.snapshot()
    revision = int(kube.list_revision("pods"))
    kube.advance("5m")
    kube.pod("web").went("Running", "Succeeded")
    kube.restore(before)
    assert kube.clock.now() == datetime(2025, 1, 1, 0, 0, 10, tzinfo=UTC)
    assert kube.pod("web").phase == "Running"
    kube.pod("web").never("Succeeded")
    assert int(kube.list_revision("pods")) > revision
    kube.advance("5m")
    kube.pod("web").went("Running", "Succeeded")


def test_a_snapshot_is_saved_and_loaded_into_another_cluster(kube: lifepod.Kube, tmp_path: Path) -> None:
    kube.apply(pod("web", "false", restart="Always"))
    kube.advance("20m")
    kube.snapshot().save(tmp_path / "state")
    with lifepod.cluster() as other:
        other.restore(lifepod.Snapshot.load(tmp_path / "state"))
        kube.advance("40m")
        other.advance("40m")
        assert other.differences(kube) == []
        other.pod("web").restarted(16).went("Running", "restart 9", "restart 16")
    (tmp_path / "other").write_text("something else")
    with pytest.raises(TestingError, match="is no snapshot"):
        lifepod.Snapshot.load(tmp_path / "other")


def test_a_snapshot_of_other_nodes_is_refused(kube: lifepod.Kube) -> None:
    with lifepod.cluster(nodes=2) as other, pytest.raises(TestingError, match="other nodes"):
        other.restore(kube.snapshot())


def test_a_program_inside_a_test_cannot_be_saved(kube: lifepod.Kube, tmp_path: Path) -> None:
    @kube.image("worker")
    def worker(c: Any) -> Any:
        yield c.forever()

    kube.apply(pod("w", image="worker"))
    kube.advance("1s")
    with pytest.raises(TestingError, match="functions of a module"):
        kube.snapshot().save(tmp_path / "state")


def test_two_clusters_are_compared(kube: lifepod.Kube) -> None:
    kube.apply(pod("web", "sleep", "600"), pod("old"))
    kube.advance("5s")
    fork = kube.fork()
    fork.delete("pod", "old", grace_seconds=0)
    fork.advance("11m")
    lines = kube.differences(fork)
    assert "- pods default/old" in lines
    assert any(line.startswith("~ pods default/web:") for line in lines)
    assert fork.clock.mode == kube.clock.mode == "manual"


def test_reset_leaves_nothing(kube: lifepod.Kube) -> None:
    kube.apply(pod())
    kube.advance("1h")
    kube.reset()
    assert kube.list("pods", namespace=None) == []
    assert kube.clock.now() == datetime(2025, 1, 1, tzinfo=UTC)
    kube.apply(pod())
    kube.advance("1s")
    assert kube.pod("web").phase == "Running"


def test_a_fork_goes_its_own_way(kube: lifepod.Kube) -> None:
    @kube.image("counter")
    def counter(c: Any) -> Any:
        for number in range(100):
            yield c.log(str(number))
            yield c.sleep(10)

    kube.apply(pod("web", image="counter"))
    kube.advance("25s")
    fork = kube.fork()
    fork.advance("10s")
    kube.delete("pod", "web", grace_seconds=0)
    kube.advance("1s")
    assert kube.get("pod", "web") is None
    assert fork.pod("web").phase == "Running"
    assert fork.logs("web") == "0\n1\n2\n3\n"
    assert fork.clock.now() - kube.clock.now() == timedelta(seconds=9)


def test_equal_seeds_give_equal_clusters_and_others_do_not() -> None:
    def story(seed: int) -> str:
        with lifepod.cluster(seed=seed) as kube:
            kube.apply(pod("web", "false", restart="Always"))
            kube.advance("1h")
            return str(kube.list("pods")) + str(kube.list("events")) + str(kube.list("configmaps"))

    assert story(1) == story(1)
    assert story(1) != story(2)


# ------------------------------------------------------------------------------------------------ options


@pytest.mark.lifepod(seed=7, nodes=3, kubernetes="1.34", clock="manual")
def test_the_marker_says_how_the_cluster_is_made(kube: lifepod.Kube) -> None:
    assert [node["metadata"]["name"] for node in kube.list("nodes")] == ["node1", "node2", "node3"]
    assert kube.clock.mode == "manual"
    assert kube.options.seed == 7


@pytest.mark.parametrize(
    "options", [{"colour": "red"}, {"kubernetes": "1.2"}, {"clock": "sometimes"}, {"nodes": -1}], ids=str
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(lifepod.LifepodError):
        lifepod.cluster(**options)


@pytest.mark.lifepod(nodes=2, faults=["node-silent node2 for=1h"])
def test_faults_are_there_from_the_beginning(kube: lifepod.Kube) -> None:
    kube.advance("5m")
    ready = {
        node["metadata"]["name"]: next(c["status"] for c in node["status"]["conditions"] if c["type"] == "Ready")
        for node in kube.list("nodes")
    }
    assert ready == {"node1": "True", "node2": "Unknown"}
