"""What a journal is: told of every change, it says when a revision is safe."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from lifepod.errors import LifepodError
from lifepod.store import Store


class JournalError(LifepodError):
    """The journal cannot be read or written."""


class JournalInUse(JournalError):
    """Another lifepod holds this folder."""


class Journal(Protocol):
    """The disk behind a store."""

    def attach(self, store: Store) -> None:
        """Fill the store with what was kept, then keep every change of it."""
        ...

    def durable(self, revision: int) -> Awaitable[None] | None:
        """None when the revision is safe already, else what ends when it is. Raises ApiError 500 when the commit fails."""
        ...

    @property
    def problem(self) -> str | None:
        """Why nothing can be kept at present; writes from outside are then refused."""
        ...

    def close(self) -> None:
        """Keep what is pending and let go of the folder."""
        ...
