"""What assembly hands to the HTTP edge: the API, the lock around it, the clock, who is told of writes, the nodes' streams."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from lifepod.api.rbac_rules import Attributes
from lifepod.apiserver.access import ALLOWED
from lifepod.apiserver.auth import MASTERS, Decision, TokenVerifier, User
from lifepod.runtime.base import NodeStreams, UsageSource

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api


def _nothing() -> None:
    pass


def _already_durable(revision: int) -> None:
    return None


def _no_streams(node_name: str) -> None:
    return None


def _no_token(token: str) -> User | None:
    return None


class Seams(NamedTuple):
    """Everything around one `Api`.

    lock          held around each synchronous call of the Api; a no-op where one thread does everything
    on_written    called after a write, outside the lock, so that the cluster takes its turn
    durable(rev)  None when that revision needs no waiting, else what the answer waits for
    streams_for   a node's logs, processes and ports by its name; None when it has none
    usage         who measures for metrics.k8s.io; None where nobody does, and then that group is not served
    """

    api: Api
    now: Callable[[], datetime]
    lock: AbstractContextManager[object] = nullcontext()
    on_written: Callable[[], None] = _nothing
    durable: Callable[[int], Awaitable[None] | None] = _already_durable
    streams_for: Callable[[str], NodeStreams | None] = _no_streams
    verify: TokenVerifier = _no_token
    usage: UsageSource | None = None

    def authorize(self, user: User, wish: Attributes) -> Decision:
        """Whether a user may do something. The administrator is known without a look at any role."""
        if MASTERS in user.groups:
            return ALLOWED
        with self.lock:
            return self.api.access.decide(user, wish)
