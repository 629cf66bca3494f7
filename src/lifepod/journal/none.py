"""No disk: everything is gone when the process ends."""

from __future__ import annotations

from lifepod.store import Store


class NoJournal:
    """A `Journal` that keeps nothing."""

    problem: str | None = None

    def attach(self, store: Store) -> None:
        """Nothing was kept."""

    def durable(self, revision: int) -> None:
        """Nobody waits."""
        return

    def close(self) -> None:
        """Nothing to do."""
