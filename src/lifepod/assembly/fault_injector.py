"""What a fault does to a simulated cluster: begins it, ends it when its time is over, and draws random ones by the seed.

A part of the cluster like any other (`turn.Part`): its timers lie in the cluster's heap and its state is a value, so that a fork
has the same faults before it. Which faults there are and what they mean is `simulation/faults.py`'s.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from lifepod.api.objects import JsonObject, dig
from lifepod.api.writes import ApiError, Write
from lifepod.assembly.node_faults import Due, NodeFaults
from lifepod.assembly.pod_faults import PodFaults
from lifepod.runtime.sim.faults import ProbeFault, PullFault, SimFaults, StartFault
from lifepod.simulation.api_faults import Asked, refusal_of, struck
from lifepod.simulation.faults import BY_NAME, CATALOGUE, Fault, RandomFaults, parse_fault, random_text
from lifepod.turn import Interest, News, Turned

if TYPE_CHECKING:
    from lifepod.assembly.simulated import SimulatedCluster

PULL_ERRORS = {
    "image-not-found": "not-found",
    "image-unauthorised": "unauthorised",
    "registry-down": "registry-down",
    "pull-slow": "",
}
Told: TypeAlias = Callable[[datetime, str], None]


class Active(NamedTuple):
    """A fault under way. `ends_at` None: until it is ended by name."""

    number: int
    fault: Fault
    ends_at: datetime | None


class Drawing(NamedTuple):
    """Random faults under way: what was asked for and when the next one comes."""

    what: RandomFaults
    next_at: datetime
    until: datetime | None


class InjectorState(NamedTuple):
    """A snapshot."""

    active: tuple[Active, ...]
    drawings: tuple[Drawing, ...]
    number: int
    random: object
    evictions: Due


class FaultInjector:
    """The faults of one cluster. Those who append to `told` hear of each that begins or ends, as a line of text."""

    name = "faults"
    interests: tuple[Interest, ...] = ()

    def __init__(self, sim: SimulatedCluster, seed: int) -> None:
        self._sim = sim
        self._random = random.Random(f"faults {seed}")
        self._active: tuple[Active, ...] = ()
        self._drawings: tuple[Drawing, ...] = ()
        self._number = 0
        self._nodes, self._pods = NodeFaults(sim), PodFaults(sim)
        self.told: list[Told] = []
        self.asked: Callable[[str], None] = lambda line: None
        """Hears of what is asked for from outside, in words that ask for it again."""

    # ------------------------------------------------------------------------------------------------ from outside

    def inject(self, fault: Fault | str) -> str:
        """Let a fault begin now; answers the line that says what it struck, "" when there was nothing to strike.

        Raises BadFault when the text names none.
        """
        asked = parse_fault(fault) if isinstance(fault, str) else fault
        self.asked(str(asked))
        line = self._begin(asked, self._sim.clock.now())
        self._sim.cluster.poke(self.name)
        return line

    def end(self, kind: str, target: str = "") -> int:
        """End the faults of that kind (and target) that are under way; says how many."""
        self.asked(f"end {kind} {target}")
        now = self._sim.clock.now()
        ended = [a for a in self._active if a.fault.kind == kind and target in ("", a.fault.target)]
        for active in ended:
            self._end(active, now)
        self._sim.cluster.poke(self.name)
        return len(ended)

    def draw(self, what: RandomFaults) -> None:
        """Have random faults from now on."""
        self.asked(random_text(what))
        now = self._sim.clock.now()
        until = None if what.until is None else now + what.until
        self._drawings += (Drawing(what, now + what.since + self._gap(what), until),)
        self._sim.cluster.poke(self.name)

    @property
    def active(self) -> tuple[Fault, ...]:
        """What goes wrong at present."""
        return tuple(a.fault for a in self._active)

    # ------------------------------------------------------------------------------------------------ Part

    def on_news(self, news: tuple[News, ...], now: datetime) -> Turned:
        """End what is over, draw what is due."""
        for active in self._active:
            if active.ends_at is not None and active.ends_at <= now:
                self._end(active, now)
        for drawing in self._drawings:
            if drawing.next_at <= now:
                self._draw_one(drawing, now)
        wake = self._nodes.keep_evicting(now)
        moments = [a.ends_at for a in self._active if a.ends_at is not None]
        moments += [d.next_at for d in self._drawings]
        moments += [wake] if wake is not None else []
        return Turned((), min(moments, default=None))

    def snapshot(self) -> InjectorState:
        return InjectorState(self._active, self._drawings, self._number, self._random.getstate(), self._nodes.due)

    def restore(self, state: object) -> None:
        assert isinstance(state, InjectorState)
        before = self.active
        self._active, self._drawings, self._number = state.active, state.drawings, state.number
        self._nodes.due = state.evictions
        self._random.setstate(state.random)  # type: ignore[arg-type]  # what getstate returned
        self._tell_runtimes()
        if any(f.kind == "clock-skew" for f in (*before, *self.active)):
            self._nodes.take_up(self.active)

    # ------------------------------------------------------------------------------------------------ random ones

    def _gap(self, what: RandomFaults) -> timedelta:
        return timedelta(seconds=round(self._random.expovariate(1.0) * what.every.total_seconds(), 3))

    def _draw_one(self, drawing: Drawing, now: datetime) -> None:
        what = drawing.what
        is_over = drawing.until is not None and now >= drawing.until
        following = drawing._replace(next_at=now + max(self._gap(what), timedelta(milliseconds=1)))
        self._drawings = tuple(
            following if d is drawing else d for d in self._drawings if not (d is drawing and is_over)
        )
        if is_over:
            return
        kinds = [k for k in CATALOGUE if (k.name in what.kinds if what.kinds else k.weight)]
        kind = self._random.choices(kinds, weights=[max(k.weight, 1) for k in kinds])[0]
        lasts = what.lasts if kind.lasts is not None and what.lasts is not None else kind.lasts
        options: tuple[tuple[str, str], ...] = ()
        if kind.name in ("api-error", "api-conflict", "api-timeout"):
            options = (("rate", "0.3"), ("who", "parts"))
        target = f"{what.namespace}/*" if what.namespace and kind.target in ("pod", "container") else ""
        self._begin(Fault(kind.name, target, options, lasts), now)

    # ------------------------------------------------------------------------------------------------ beginning, ending

    def _begin(self, fault: Fault, now: datetime) -> str:
        """Carry out what happens at once, keep what lasts."""
        found = self._with_target(fault)
        if found is None:
            return ""
        fault = found
        line = f"fault {fault}"
        for told in self.told:
            told(now, line)
        if not self._carry_out(fault, now):
            return ""
        if fault.lasts is not None:
            self._number += 1
            self._active += (Active(self._number, fault, now + fault.lasts),)
            self._tell_runtimes()
        return line

    def _end(self, active: Active, now: datetime) -> None:
        if active not in self._active:
            return
        self._active = tuple(a for a in self._active if a is not active)
        self._tell_runtimes()
        same = [a.fault for a in self._active if a.fault.target == active.fault.target]
        if not any(f.kind in (active.fault.kind, "node-gone") for f in same):
            self._nodes.end(active.fault, now)
        for told in self.told:
            told(now, f"end of fault {active.fault._replace(lasts=None)}")

    def _with_target(self, fault: Fault) -> Fault | None:
        """The fault with a target that is there: as named, the first that fits a pattern… or drawn; None: there is none."""
        kind = BY_NAME[fault.kind].target
        if kind in ("", "namespace", "image"):
            return fault._replace(target=fault.target or "*") if kind else fault
        if fault.kind in ("start-slow", "probe-flap"):
            return fault._replace(target=fault.target.rpartition("/")[2] or "*")
        candidates = self._nodes.names() if kind == "node" else self._pods.names(kind == "container")
        wanted = fault.target if fault.target != "random" else ""
        if wanted:
            candidates = [name for name in candidates if _fits(name, wanted)]
        if not candidates:
            return None
        exact = [name for name in candidates if name == wanted]
        return fault._replace(target=(exact or [self._random.choice(candidates)])[0])

    def _carry_out(self, fault: Fault, now: datetime) -> bool:
        """Do what happens at the beginning; False when there was nothing to do it to."""
        match BY_NAME[fault.kind].target:
            case "node":
                return self._nodes.begin(fault, now)
            case "pod" | "container" if fault.lasts is None:
                return self._pods.strike(fault, now)
        if fault.kind == "watch-gone":
            self._sim.forget_history()
        return True

    def _tell_runtimes(self) -> None:
        """Every node's runtime hears what goes wrong below the pods now."""
        faults = self.active
        pulls = tuple(
            PullFault(f.target, PULL_ERRORS[f.kind], f.duration("by") if f.kind == "pull-slow" else timedelta(0))  # type: ignore[arg-type]  # the table's values are PullErrors
            for f in faults
            if f.kind in PULL_ERRORS
        )
        starts = tuple(StartFault(f.target, f.duration("by")) for f in faults if f.kind == "start-slow")
        probes = tuple(
            ProbeFault(f.target, f.option("probe"), float(f.option("rate"))) for f in faults if f.kind == "probe-flap"
        )
        told = SimFaults(pulls, starts, probes)
        for runtime in self._sim.runtimes.values():
            runtime.faults = told

    # ------------------------------------------------------------------------------------------------ the API

    def refusal(self, asked: Asked) -> Fault | None:
        """The fault that strikes this request, if one does."""
        if not self._active:
            return None
        return struck(self.active, asked, self._random.random)

    def refuse_part(self, part: str, write: Write, carry_out: Callable[[], JsonObject]) -> JsonObject:
        """Do a part's write unless a fault strikes it. Raises ApiError."""
        if not self._active:
            return carry_out()
        name = write.name or dig(write.body, "metadata", "name") or ""
        asked = Asked("parts", write.verb, write.resource, write.namespace, str(name), write.subresource)
        fault = self.refusal(asked)
        if fault is None:
            return carry_out()
        if fault.kind == "api-timeout":
            carry_out()
        error: ApiError = refusal_of(fault, asked)
        raise error


def _fits(name: str, pattern: str) -> bool:
    """`web-1` and `web-*` fit `default/web-1`, as does the whole; a container `default/web-1/app` fits its pod's name too."""
    parts = name.split("/")
    forms = {"/".join(parts[start:end]) for start in range(len(parts)) for end in range(start + 1, len(parts) + 1)}
    return any(fnmatchcase(form, pattern) for form in forms)
