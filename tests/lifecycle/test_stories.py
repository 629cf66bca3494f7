"""Whole lives of pods in virtual time, as a watcher of the API sees them."""

from mini_runtime import Life, Script, World, container, pod_json


def test_a_pod_starts_runs_and_is_deleted_gracefully() -> None:
    world = World(pod_json({"containers": [container()]}))
    world.at(5, world.delete)
    world.run(60)
    assert world.story() == ["Pending c=ContainerCreating#0", "Running/Ready c=running#0", "Succeeded c=Completed#0"]
    assert [reason for reason, _ in world.told()] == ["Pulled", "Created", "Started", "Killing"]
    assert world.finished
    assert world.unmounted


def test_a_pod_that_dies_at_once_starts_at_0_0_10_30_70_150_310_610_seconds() -> None:
    """lifecycle.md §14 C."""
    world = World(pod_json({"containers": [container()]}), Script(life=lambda name, attempt: Life(runs=0.0, code=1)))
    world.run(700)
    assert world.starts("c") == [0, 0, 10, 30, 70, 150, 310, 610]
