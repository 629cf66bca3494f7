"""`kube.pod("web")`: what a pod is now, and assertions on what it went through. One that fails prints the pod's timeline.

The versions are those that a watcher of the API would have seen, each of them, from the cluster's beginning on; a pod that was
deleted and made again under its name is one story. Marks, the words that can be asked about, are `diagnosis/timeline.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from lifepod.api.objects import JsonObject, dig
from lifepod.api.table_pod import pod_status_text
from lifepod.diagnosis.timeline import Moment, first_holding, misspelt, restarts, timeline_text
from lifepod.simulation.clock_modes import length_of_time

ANY = "any"


class PodStory:
    """One pod by name. `versions` and `events` tell what is known of it by now."""

    def __init__(
        self,
        namespace: str,
        name: str,
        versions: Callable[[], Sequence[Moment]],
        events: Callable[[], Sequence[Moment]],
    ) -> None:
        self.namespace, self.name = namespace, name
        self._versions, self._events = versions, events

    def __repr__(self) -> str:
        return f"<pod {self.namespace}/{self.name} {self.status}>"

    # ------------------------------------------------------------------------------------------------ now

    @property
    def exists(self) -> bool:
        """Whether it is there now."""
        versions = self._versions()
        return bool(versions) and versions[-1].kind != "DELETED"

    @property
    def object(self) -> JsonObject:
        """The pod as it is now, as it was last when it is gone. Raises LookupError when there never was one."""
        versions = self._versions()
        if not versions:
            raise LookupError(f'there has never been a pod "{self.name}" in namespace {self.namespace}')
        return versions[-1].obj

    @property
    def phase(self) -> str:
        """`status.phase`; "" when there never was such a pod."""
        return str(dig(self.object, "status", "phase") or "") if self._versions() else ""

    @property
    def status(self) -> str:
        """What kubectl's STATUS column says; `Deleted` when it is gone, `unknown` when there never was one."""
        versions = self._versions()
        if not versions:
            return "unknown"
        return pod_status_text(versions[-1].obj) if versions[-1].kind != "DELETED" else "Deleted"

    @property
    def is_ready(self) -> bool:
        """Whether its condition Ready is True now."""
        return self.exists and self.condition("Ready").holds

    @property
    def restarts(self) -> int:
        """How often its containers have been restarted."""
        return restarts(self.object) if self._versions() else 0

    @property
    def timeline(self) -> str:
        """What happened to it, as text."""
        moments = sorted([*self._versions(), *self._events()], key=lambda moment: moment.at)
        return timeline_text(f"pod {self.namespace}/{self.name}", moments)

    # ------------------------------------------------------------------------------------------------ assertions

    def went(self, *marks: str) -> PodStory:
        """It went through these, in this order; others may lie between."""
        __tracebackhide__ = True
        versions, place, before = self._versions(), 0, ""
        for mark in marks:
            self._check(mark)
            found = first_holding(versions, mark, place)
            if found is None:
                after = f' after "{before}"' if before else ""
                self._fail(f'was never "{mark}"{after}')
            else:
                place, before = found, mark
        return self

    def never(self, mark: str, before: str | None = None) -> PodStory:
        """It never was so; with `before`, not until the first time that holds."""
        __tracebackhide__ = True
        self._check(mark)
        versions = self._versions()
        end = len(versions)
        if before is not None:
            self._check(before)
            found = first_holding(versions, before)
            end = end if found is None else found
        place = first_holding(versions[:end], mark)
        if place is not None:
            until = f' before "{before}"' if before else ""
            self._fail(f'was "{mark}"{until}, first at {versions[place].at:%H:%M:%S.%f}')
        return self

    def restarted(self, times: int, container: str = "", within: str | float | timedelta | None = None) -> PodStory:
        """Its containers (or the one named) have been restarted exactly so often; `within` that time of its creation."""
        __tracebackhide__ = True
        versions = self._versions()
        if within is not None and versions:
            end = versions[0].at + length_of_time(within)
            versions = [version for version in versions if version.at <= end]
        count = restarts(versions[-1].obj, container) if versions else 0
        if count != times:
            of = f" of container {container}" if container else ""
            self._fail(f"had {count} restarts{of}, not {times}")
        return self

    def condition(self, kind: str) -> ConditionStory:
        """One of its conditions, to ask about."""
        return ConditionStory(self, kind, self._versions)

    def _check(self, mark: str) -> None:
        if self._versions():
            problem = misspelt(self._versions(), mark)
            if problem:
                raise ValueError(problem)

    def _fail(self, what: str) -> None:
        __tracebackhide__ = True
        raise AssertionError(f"pod {self.name} {what}\n\n{self.timeline}")


class ConditionStory:
    """One condition of a pod through its life."""

    def __init__(self, pod: PodStory, kind: str, versions: Callable[[], Sequence[Moment]]) -> None:
        self._pod, self._kind, self._versions = pod, kind, versions

    @property
    def holds(self) -> bool:
        """Whether it is True now."""
        versions = self._versions()
        return bool(versions) and self._at(versions[-1]).get("status") == "True"

    @property
    def reason(self) -> str:
        """Its reason now."""
        versions = self._versions()
        return str(self._at(versions[-1]).get("reason") or "") if versions else ""

    def was(self, status: bool | str, reason: str = ANY) -> PodStory:
        """At some time it had this status and, if given, this reason."""
        __tracebackhide__ = True
        wanted = status if isinstance(status, str) else str(status)
        if self._first(wanted, reason) is None:
            self._fail(f"was never {wanted}{f' with reason {reason}' if reason != ANY else ''}")
        return self._pod

    def is_(self, status: bool | str, reason: str = ANY) -> PodStory:
        """It has this status, and, if given, this reason, now."""
        __tracebackhide__ = True
        wanted = status if isinstance(status, str) else str(status)
        versions = self._versions()
        if not versions or not self._is(versions[-1], wanted, reason):
            self._fail(f"is not {wanted}{f' with reason {reason}' if reason != ANY else ''} now")
        return self._pod

    def became(self, status: bool | str, within: str | float | timedelta) -> PodStory:
        """It came to have this status within that time of the pod's creation."""
        __tracebackhide__ = True
        wanted = status if isinstance(status, str) else str(status)
        at, versions = self._first(wanted, ANY), self._versions()
        if at is None or at > versions[0].at + length_of_time(within):
            when = "never" if at is None else f"after {at - versions[0].at}"
            self._fail(f"became {wanted} {when}, not within {within}")
        return self._pod

    def _first(self, wanted: str, reason: str) -> datetime | None:
        return next((version.at for version in self._versions() if self._is(version, wanted, reason)), None)

    def _is(self, version: Moment, wanted: str, reason: str) -> bool:
        condition = self._at(version)
        return condition.get("status") == wanted and reason in (ANY, condition.get("reason") or "")

    def _at(self, version: Moment) -> JsonObject:
        for condition in dig(version.obj, "status", "conditions") or []:
            if condition.get("type") == self._kind:
                found: JsonObject = condition
                return found
        return {}

    def _fail(self, what: str) -> None:
        __tracebackhide__ = True
        self._pod._fail(f"'s condition {self._kind} {what}".strip())
