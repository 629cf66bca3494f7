"""Carrying a stop forward: begin it, take the hook's end, let it wait for its turn, order the stop, see it end.

How long and in which order is `termination.py`'s affair.
"""

from __future__ import annotations

from lifepod.lifecycle import event_reasons as say
from lifepod.lifecycle.draft import Draft
from lifepod.lifecycle.memory import Kill, UnderWay
from lifepod.lifecycle.pod_spec import container_named
from lifepod.lifecycle.termination import after_hook, after_turn, begin_kill, has_turn, let_end_first
from lifepod.lifecycle.vocabulary import ContainerSpec, Failed, Outcome, RunHook, StopContainer


def start_kill(d: Draft, container: str, container_id: str, grace: int, message: str = "") -> None:
    """Say so, and begin with the hook, the turn, or the stop."""
    c = container_named(d.pod.spec, container) or ContainerSpec(container, "regular", "")
    d.events.append(say.killing(container, message))
    after = let_end_first(d.pod.spec, container, d.report) if d.killing_pod else ()
    kill = begin_kill(c, container_id, grace, after, d.now)
    if kill.stage == "hook" and c.pre_stop is not None:
        number = d.next_number("preStop", container, container_id)
        d.actions.append(RunHook(number, container, container_id, "preStop", c.pre_stop))
        kill = kill._replace(number=number)
    d.explain(
        "kills.start_kill", container, "stopped", ("grace", f"{grace}s"), ("message", message), until=kill.deadline
    )
    d.kills = (*d.kills, kill)


def kill_every(d: Draft, grace: int) -> bool:
    """Begin to stop whatever runs and is not being stopped yet. Whether anything still runs."""
    going = False
    stopping = {k.container_id for k in d.kills}
    for r in reversed(d.report.containers):
        if r.state == "running":
            going = True
            if r.id not in stopping:
                start_kill(d, r.name, r.id, grace)
    return going or bool(d.kills)


def advance_kills(d: Draft) -> None:
    """Take every stop as far as it goes now."""
    if not d.kills:
        return
    running = {r.id for r in d.report.containers if r.state == "running"}
    d.kills = tuple([_advanced(d, kill) for kill in d.kills if kill.container_id in running])


def _advanced(d: Draft, kill: Kill) -> Kill:
    if kill.stage == "hook" and (kill.number == 0 or (kill.deadline is not None and d.now >= kill.deadline)):
        kill = after_hook(kill, d.now)
    if kill.stage == "turn":
        is_late = kill.deadline is not None and d.now >= kill.deadline
        if is_late or has_turn(kill, d.report):
            kill = after_turn(kill, d.now)
    if kill.stage == "stop" and kill.number == 0:
        number = d.next_number("stop", kill.container, kill.container_id)
        d.actions.append(StopContainer(number, kill.container, kill.container_id, kill.grace_seconds))
        kill = kill._replace(number=number)
    return kill


def take_kill_end(d: Draft, ended: UnderWay, outcome: Outcome) -> None:
    """A hook or a stop ended. A hook given up long ago still says that it failed."""
    if ended.kind == "preStop":
        if isinstance(outcome, Failed):
            d.events.append(say.hook_failed(ended.container, "preStop"))
        d.kills = tuple(k._replace(number=0) if k.number == ended.number and k.stage == "hook" else k for k in d.kills)
    elif isinstance(outcome, Failed):
        d.events.append(say.kill_failed(outcome.message))
        d.kills = tuple(k._replace(number=-1) if k.number == ended.number else k for k in d.kills)


def drop_failed_kills(d: Draft) -> bool:
    """A stop that the runtime refused ends the sync; the next one tries again. Whether there was one."""
    if not any(k.number == -1 for k in d.kills):
        return False
    assert d.sync is not None
    d.kills, d.killing_pod = (), False
    d.sync = d.sync._replace(tasks=(), failed=True)
    return True
