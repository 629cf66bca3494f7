"""The journal in SQLite: every change is a row; a commit takes all that has gathered (group commit).

A write has its revision in memory at once; whoever asks `durable` waits for the commit that holds it. There are two ways to it.
Where one client writes alone and the disk is quick, `durable` commits itself, on its caller's thread: waking another thread and
being woken by it takes longer than the disk. Else one thread commits, so that a slow disk never holds the loop and many
writers share a flush. What nobody waits for (statuses and events of our own node) goes with the next commit, at the latest
after LINGER_SECONDS.

If the thread's commit fails (full disk) those who wait get the reason as a 500, `problem` says it to those who come later, and the
same rows are tried again until they are kept: nothing that was answered is lost. What fails on the caller's thread is left to that
thread. docs/decisions/0011 says why.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Final, NamedTuple

from lifepod.api.writes import ApiError
from lifepod.journal.base import JournalError
from lifepod.journal.database import BUSY_SECONDS, Database, Row
from lifepod.journal.pace import Pace
from lifepod.store import Change, Store

REVISIONS_AHEAD = 1_000_000
"""Watchers may have seen revisions that were never committed: a start begins this far above the last one kept."""
LINGER_SECONDS = 0.05
RETRY_SECONDS = 1.0
FEW_ROWS: Final = 16
FEW_BYTES: Final = 128 * 1024
"""More than this is left to the thread, however quick the disk is."""


class _Waiter(NamedTuple):
    revision: int
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[None]


class SqliteJournal:
    """The journal of one data folder. Made and used on one thread; a second one of its own commits what that leaves."""

    def __init__(self, folder: Path) -> None:
        self._database = Database(folder)
        self.revision = self._database.revision
        self.problem: str | None = None
        self.turns: Callable[[], int] = count().__next__
        """A number that stays the same as long as one and the same client speaks. As long as nobody knows it never does."""
        self._turn = -1
        self._pace = Pace()
        self._pending: list[Row] = []
        self._waiters: list[_Waiter] = []
        self._kept = self.revision
        self._closing = False
        self._asleep = False
        self._thread_commits = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def objects(self) -> Iterator[tuple[str, bytes]]:
        """(resource, JSON text) of everything that was kept, oldest revision first."""
        return self._database.objects()

    def attach(self, store: Store) -> None:
        """Fill the store, then keep every change of it. Revisions begin far above the last one kept."""
        if self.revision:
            store.load(self.objects(), self.revision + REVISIONS_AHEAD)
        store.on_change(self._note)
        self._kept = store.revision
        self._thread = threading.Thread(target=self._commit_forever, name="lifepod-journal", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Keep what is pending and let go of the folder. Raises JournalError if that fails."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()
        self._database.close()
        if self._pending:
            raise JournalError(f"{len(self._pending)} changes could not be kept: {self.problem}")

    # ------------------------------------------------------------------------------------------------- the caller's thread

    def _note(self, change: Change) -> None:
        body = None if change.type == "DELETED" else change.new.encoded
        row = Row(change.revision, change.new.resource, change.new.key, body)
        with self._changed:
            self._pending.append(row)
            if self._asleep:
                self._asleep = False
                self._changed.notify()

    def durable(self, revision: int) -> Awaitable[None] | None:
        """None when the revision is on disk, else a future of the running loop. It raises ApiError 500 if the commit fails."""
        if revision <= self._kept:
            return None
        with self._changed:
            turn = self.turns()
            is_alone, self._turn = turn == self._turn, turn
            if is_alone and self._may_commit_here():
                self._commit_here()
            if revision <= self._kept:
                return None
            loop = asyncio.get_running_loop()
            done: asyncio.Future[None] = loop.create_future()
            self._waiters.append(_Waiter(revision, loop, done))
            self._changed.notify()
        return done

    def _may_commit_here(self) -> bool:
        return (
            not (self._thread_commits or self._waiters or self.problem or self._database.wants_tidying)
            and 0 < len(self._pending) <= FEW_ROWS
            and self._pace.is_quick(perf_counter())
            and sum(row.size for row in self._pending) <= FEW_BYTES
        )

    def _commit_here(self) -> None:
        """Keep what is pending. Whatever hinders that, the thread finds out again, and tells."""
        start = perf_counter()
        with suppress(sqlite3.Error):
            self._database.commit(self._pending)
            self._kept = self._pending[-1].revision
            self._pending = []
        end = perf_counter()
        self._pace.took(end - start, end, here=True)

    # ------------------------------------------------------------------------------------------------- the commit thread

    def _commit_forever(self) -> None:
        while True:
            with self._changed:
                self._thread_commits = False
                self._await_rows()
                if not self._pending:
                    if self._closing:
                        return
                    continue
                rows, waiters = self._pending, self._waiters
                self._pending, self._waiters = [], []
                self._thread_commits, is_last = True, self._closing
            if self._committed(rows, waiters):
                self._tidy()
                continue
            with self._changed:
                self._pending = rows + self._pending
                if is_last:
                    return
                if not self._closing:
                    self._changed.wait(RETRY_SECONDS)

    def _await_rows(self) -> None:
        """Return when somebody waits, or when rows have lain long enough."""
        if not self._pending and not self._closing:
            self._asleep = True
            self._changed.wait()
            self._asleep = False
        if self._pending and not self._waiters and not self._closing:
            self._changed.wait(LINGER_SECONDS)

    def _committed(self, rows: list[Row], waiters: list[_Waiter]) -> bool:
        start = perf_counter()
        try:
            self._database.commit(rows, BUSY_SECONDS)
        except sqlite3.Error as exc:
            self.problem = f"the journal cannot be written: {exc}"
            _tell(waiters, _failure(self.problem))
            return False
        end = perf_counter()
        with self._changed:
            self._pace.took(end - start, end, here=False)
            self._kept = kept = rows[-1].revision
            self.problem = None
            waiters += [waiter for waiter in self._waiters if waiter.revision <= kept]
            self._waiters = [waiter for waiter in self._waiters if waiter.revision > kept]
        _tell(waiters, None)
        return True

    def _tidy(self) -> None:
        if self._database.wants_tidying:
            with suppress(sqlite3.Error):  # no room: the next commit finds that out, too
                self._database.tidy()


def _failure(why: str) -> ApiError:
    return ApiError(
        {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": f"Internal error occurred: {why}",
            "reason": "InternalError",
            "details": {"causes": [{"message": why}]},
            "code": 500,
        }
    )


def _tell(waiters: list[_Waiter], error: ApiError | None) -> None:
    """End the waiting, with one call into each loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for waiter in waiters:
        by_loop.setdefault(waiter.loop, []).append(waiter.done)
    for loop, futures in by_loop.items():
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_settle, futures, error)


def _settle(futures: list[asyncio.Future[None]], error: ApiError | None) -> None:
    for future in futures:
        if future.done():
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(ApiError(error.status))
