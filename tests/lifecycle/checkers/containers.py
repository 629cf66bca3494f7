"""Laws about containers: one live instance each, starts in order and in a ready sandbox, all stopped in the end."""

from __future__ import annotations

from mini_runtime import World

from lifepod.lifecycle.vocabulary import RemoveContainer, StartContainer, StopContainer


def one_live_instance_of_each(world: World) -> None:
    for seen, _, _ in world.steps:
        live = [c.name for c in seen.report.containers if c.state == "running"]
        assert len(live) == len(set(live)), f"two live instances: {live}"


def starts_only_in_a_ready_sandbox(world: World) -> None:
    for seen, out, _ in world.steps:
        ready = {s.id for s in seen.report.sandboxes if s.state == "ready"}
        of = {c.id: c.sandbox_id for c in seen.report.containers}
        for a in out.actions:
            if isinstance(a, StartContainer) and a.container_id in of and not world.sandbox_was_lost:
                assert of[a.container_id] in ready, f"{a} outside a ready sandbox"


def init_containers_run_in_order(world: World) -> None:
    """A regular container is started only when every init container is done or, a sidecar, was started."""
    assert world.spec is not None
    for seen, out, _ in world.steps:
        for a in out.actions:
            if not isinstance(a, StartContainer) or world.sandbox_was_lost:
                continue
            names = [c.name for c in world.spec.init_containers]
            before = names[: names.index(a.container)] if a.container in names else names
            for c in world.spec.init_containers:
                if c.name not in before:
                    continue
                instances = [r for r in seen.report.containers if r.name == c.name]
                if c.kind == "init":
                    assert any(r.exit_code == 0 for r in instances), f"{a.container} before {c.name} was done"
                else:
                    assert instances, f"{a.container} before the sidecar {c.name}"


def nothing_is_started_after_the_deletion_was_seen(world: World) -> None:
    """One start under way may finish."""
    seen_at = None
    started = set()
    for at, (seen, out, before) in zip(world.step_times, world.steps, strict=True):
        if seen_at is not None:
            now_started = {a.container for a in out.actions if isinstance(a, StartContainer)}
            started |= now_started
            assert len(started) <= 1, f"started after the deletion was seen at {seen_at}: {started}"
            assert not now_started or before.worker == "syncing"
        if seen_at is None and (seen.pod is None or seen.pod.deletion is not None):
            seen_at = at


def everything_is_stopped_once_the_pod_is_deleted(world: World) -> None:
    if world.finished:
        assert not [c.name for c in world.report.containers if c.state == "running"]
        # An agent that was restarted when all had stopped knows nothing of the pod; its folder goes at the runtime's next start.
        assert world.unmounted or world.refusal is not None or world.agent_restarted


def grace_is_never_exceeded_by_more_than_the_floor(world: World) -> None:
    assert world.spec is not None
    longest = world.spec.termination_grace_period_seconds
    for c in world.spec.containers + world.spec.init_containers:
        for p in (c.liveness_probe, c.startup_probe):
            longest = max(longest, (p.termination_grace_period_seconds or 0) if p else 0)
    for _, a in world.actions:
        if isinstance(a, StopContainer):
            assert a.grace_seconds <= max(longest, 2)


def nothing_alive_is_forgotten(world: World) -> None:
    for seen, out, _ in world.steps:
        live = {c.id for c in seen.report.containers if c.state == "running"}
        for a in out.actions:
            assert not (isinstance(a, RemoveContainer) and a.container_id in live)
