"""How everything that keeps state is driven: news in, effects out, one part at a time.

A part (scheduler, a controller, a node's agent, a scripted runtime) is plain and synchronous. `assembly.cluster.Cluster.turn`
hands it the news it waits for, carries out the effects it returns, and calls it again when its timer is due. Nothing here
does IO or reads a clock; the two drivers (asyncio in `assembly`, discrete events in `simulation`) only decide when to call.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias

from lifepod.api.objects import JsonObject
from lifepod.api.writes import ApiError, Write
from lifepod.lifecycle.vocabulary import Ended, RuntimeReport

if TYPE_CHECKING:
    from lifepod.runtime.base import Order

ChangeType = Literal["ADDED", "MODIFIED", "DELETED"]


class Changed(NamedTuple):
    """An object of the API changed (a watch event). `old` is what it was before, None when added."""

    type: ChangeType
    resource: str
    obj: JsonObject
    old: JsonObject | None


class Answered(NamedTuple):
    """What became of a `Write`: the object as it is now, or the error."""

    write: Write
    obj: JsonObject | None
    error: ApiError | None


class ActionEnded(NamedTuple):
    """A runtime carried out an order (or could not)."""

    pod_uid: str
    ended: Ended


class PodReported(NamedTuple):
    """What a runtime has of one pod changed; the whole present picture, not a difference."""

    pod_uid: str
    report: RuntimeReport


News: TypeAlias = Changed | Answered | ActionEnded | PodReported


class Perform(NamedTuple):
    """An order for the runtime of the node that says so."""

    node: str
    order: Order


Effect: TypeAlias = Write | Perform


class Turned(NamedTuple):
    """What one look led to. `wake_at`: call again no later than then, news or not (None: nothing is due)."""

    effects: tuple[Effect, ...] = ()
    wake_at: datetime | None = None


class Interest(NamedTuple):
    """Which changes a part wants to hear of. `node`: only objects whose `spec.nodeName` is this.

    Resource "*": of all that go, of all that come with owners or finalizers, and of changes to owners, finalizers and deletion.
    `statuses` False: not of changes of nothing but the status.
    """

    resource: str
    node: str | None = None
    statuses: bool = True


class Part(Protocol):
    """One deciding part of a cluster. Its whole state is frozen values that it owns, so that it can be copied."""

    name: str
    interests: tuple[Interest, ...]

    def on_news(self, news: tuple[News, ...], now: datetime) -> Turned:
        """Look at everything that happened since the last call and decide once. Called with no news when a timer is due.

        Level-based: lost or doubled news must not lead elsewhere. The first call brings every existing object of the
        part's interests as ADDED.
        """
        ...

    def snapshot(self) -> object:
        """A value that holds all of this part's state; shares, never copies deeply."""
        ...

    def restore(self, state: object) -> None:
        """Become what `snapshot` returned."""
        ...
