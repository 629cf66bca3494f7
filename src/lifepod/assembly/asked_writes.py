"""Writes of the cluster's parts that webhooks must be asked about: held until the answers are there, then done as if just wished for.

The part goes on meanwhile and is told of the outcome like of any other write. What one part writes to one object keeps its order. In
virtual time the answers are taken in the order of the questions, so that a run depends on what was answered and not on how fast.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from lifepod.api.objects import JsonObject
from lifepod.api.writes import ApiError, Write
from lifepod.apiserver.admission_call import are_asked
from lifepod.apiserver.webhook_session import MOST_ROUNDS, Question, Reply, Session, Unanswered
from lifepod.apiserver.webhooks import given_up

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api

Do: TypeAlias = Callable[[], JsonObject]
Tell: TypeAlias = Callable[[str, Write, JsonObject | None, ApiError | None], None]
_ACCOUNTS: Final = {
    "cluster-role-aggregation": "clusterrole-aggregation-controller",
    "cron-job": "cronjob-controller",
    "daemon-set": "daemon-set-controller",
    "deployment": "deployment-controller",
    "endpoint-slice": "endpointslice-controller",
    "endpoint-slice-mirroring": "endpointslicemirroring-controller",
    "endpoints": "endpoint-controller",
    "ephemeral-claims": "ephemeral-volume-controller",
    "node-lifecycle": "node-controller",
    "owner-gc": "generic-garbage-collector",
    "pod-gc": "pod-garbage-collector",
    "replica-set": "replicaset-controller",
    "resource-quota": "resourcequota-controller",
    "stateful-set": "statefulset-controller",
    "taint-eviction": "node-controller",
    "volume-phases": "persistent-volume-binder",
    "volume-protection": "pvc-protection-controller",
}
"""The service accounts of upstream's controllers; those not named here are called `NAME-controller`.

Source: k8s.io/kubernetes v1.34.4 plugin/pkg/auth/authorizer/rbac/bootstrappolicy/controller_policy.go
"""


class _Held:
    """One write on its way. `asked` is empty while it waits behind an earlier one."""

    def __init__(self, part: str, write: Write, do: Do, session: Session) -> None:
        self.part, self.write, self.do, self.session = part, write, do, session
        self.asked: tuple[tuple[Question, Future[Reply]], ...] = ()

    @property
    def place(self) -> tuple[str, str, str, str]:
        """What must keep its order; a write without a name makes something new each time."""
        write = self.write
        return (self.part, write.resource, write.namespace, write.name or str(id(self)))

    @property
    def is_answered(self) -> bool:
        return all(future.done() for _, future in self.asked)


class Waiting(NamedTuple):
    """A held write as a value: a copy of the cluster wishes for it again."""

    part: str
    write: Write


class AskedWrites:
    """All held writes of a cluster, in the order in which they were wished for."""

    def __init__(self, api: Api, tell: Tell) -> None:
        self._api, self._tell = api, tell
        self._held: list[_Held] = []
        self._answered: threading.Condition | None = None
        self.in_order = False
        """Whether answers are taken in the order of the questions, whichever comes first."""
        self.on_answer: Callable[[], None] = lambda: None
        """Called from any thread when an answer came; `take` is to be called then."""

    def holds_any(self) -> bool:
        """Whether a write is held."""
        return bool(self._held)

    def do(self, part: str, write: Write, do: Do, now: datetime) -> None:
        """Do a write, or hold it."""
        if not self._held and not are_asked(self._api):
            self._finish(part, write, do)
            return
        try:
            kind = self._api.kinds.of(write.resource)
        except KeyError:
            self._finish(part, write, do)
            return
        held = _Held(part, write, do, Session(kind, now, user_of(part)))
        is_behind = any(each.place == held.place for each in self._held)
        if is_behind or not self._try(held):
            self._held.append(held)

    def _finish(self, part: str, write: Write, do: Do) -> None:
        try:
            obj = do()
        except ApiError as error:
            self._tell(part, write, None, error)
        else:
            self._tell(part, write, obj, None)

    def _try(self, held: _Held) -> bool:
        """Run it; False when it must wait for answers."""
        try:
            with held.session.running(self._api):
                obj = held.do()
        except ApiError as error:
            self._tell(held.part, held.write, None, error)
        except Unanswered as stopped:
            if held.session.rounds >= MOST_ROUNDS:
                self._tell(held.part, held.write, None, given_up())
                return True
            held.asked = tuple((question, self._api.ask(question)) for question in stopped.questions)
            for _, future in held.asked:
                future.add_done_callback(self._on_done)
            return False
        else:
            self._tell(held.part, held.write, obj, None)
        return True

    def _on_done(self, future: Future[Reply]) -> None:
        if self._answered is not None:
            with self._answered:
                self._answered.notify_all()
        self.on_answer()

    def take(self) -> bool:
        """Go on with the writes whose answers are there; whether there was any."""
        took = False
        while (held := self._next()) is not None:
            took = True
            if held.asked:
                held.session.take([q for q, _ in held.asked], [future.result() for _, future in held.asked])
                held.asked = ()
            if self._try(held):
                self._held.remove(held)
        return took

    def _next(self) -> _Held | None:
        before: set[tuple[str, str, str, str]] = set()
        for held in self._held:
            if held.place not in before and held.is_answered:
                return held
            if self.in_order:
                return None
            before.add(held.place)
        return None

    def share(self, lock: AbstractContextManager[object]) -> None:
        """The lock that several threads hold around each look at the cluster, if it is one."""
        if hasattr(lock, "acquire"):
            self._answered = threading.Condition(lock)  # type: ignore[arg-type]  # a lock, as its method tells

    def wait(self) -> None:
        """Wait until there is something to take. The lock is let go meanwhile, however often this thread holds it."""
        if self._answered is None:
            wait([future for held in self._held[:1] for _, future in held.asked])
            return
        with self._answered:
            self._answered.wait_for(lambda: not self._held or self._next() is not None)

    # ------------------------------------------------------------------------------------------------ copies

    def snapshot(self) -> tuple[Waiting, ...]:
        """What is held, as a value."""
        return tuple(Waiting(held.part, held.write) for held in self._held)

    def clear(self) -> None:
        """Forget what is held; answers that still come are nobody's."""
        self._held = []


def user_of(part: str) -> JsonObject:
    """As whom webhooks know a part: by the name that upstream's component of this task has."""
    if part.startswith("node/"):
        groups = ["system:nodes", "system:authenticated"]
        return {"username": f"system:node:{part.removeprefix('node/')}", "groups": groups}
    if part == "scheduler":
        return {"username": "system:kube-scheduler", "groups": ["system:authenticated"]}
    groups = ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"]
    account = _ACCOUNTS.get(part, f"{part}-controller")
    return {"username": f"system:serviceaccount:kube-system:{account}", "groups": groups}
