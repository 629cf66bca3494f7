"""The journal in SQLite: every change is a row, one thread commits whatever has gathered (group commit).

A write has its revision in memory at once; whoever asks `durable` waits for the commit that holds it. What nobody waits for
(statuses and events of our own node) is committed within LINGER_SECONDS. Rows that later ones replace are deleted now and
then, so the file stays in proportion to the objects.

If a commit fails (full disk) those who wait get the reason as a 500, `problem` says it to those who come later, and the same
rows are tried again until they are kept: nothing that was answered is lost.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
import threading
from collections.abc import Awaitable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from lifepod.api.writes import ApiError
from lifepod.journal.base import JournalError, JournalInUse
from lifepod.store import Change, Store

REVISIONS_AHEAD = 1_000_000
"""Watchers may have seen revisions that were never committed: a start begins this far above the last one kept."""
LINGER_SECONDS = 0.05
RETRY_SECONDS = 1.0
COMPACT_AFTER = 5_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS changes (
    revision INTEGER PRIMARY KEY, resource TEXT NOT NULL, key TEXT NOT NULL, body BLOB
);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""


class _Row(NamedTuple):
    """One change. `body` None: deleted."""

    revision: int
    resource: str
    key: str
    body: bytes | None


class _Waiter(NamedTuple):
    revision: int
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[None]


class SqliteJournal:
    """The journal of one data folder. Made and used on one thread; commits on its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lock_file = _locked(folder)
        try:
            self._db = _opened(folder / "journal.sqlite")
            self._latest, self._dead, self.revision = self._surveyed()
        except sqlite3.Error as exc:
            os.close(self._lock_file)
            raise JournalError(f"{folder / 'journal.sqlite'}: cannot be read: {exc}") from exc
        self.problem: str | None = None
        self._pending: list[_Row] = []
        self._waiters: list[_Waiter] = []
        self._kept = self.revision
        self._closing = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    # ------------------------------------------------------------------------------------------------------------ reading

    def _surveyed(self) -> tuple[dict[tuple[str, str], int], list[int], int]:
        latest: dict[tuple[str, str], int] = {}
        dead: list[int] = []
        rows = self._db.execute("SELECT revision, resource, key, body IS NULL FROM changes ORDER BY revision")
        last = 0
        for revision, resource, key, is_gone in rows:
            if (resource, key) in latest:
                dead.append(latest.pop((resource, key)))
            if is_gone:
                dead.append(revision)
            else:
                latest[resource, key] = revision
            last = revision
        found = self._db.execute("SELECT value FROM facts WHERE name = 'revision'").fetchone()
        return latest, dead, max(last, found[0] if found else 0)

    def objects(self) -> Iterator[tuple[str, bytes]]:
        """(resource, JSON text) of everything there is, oldest revision first."""
        for revision in sorted(self._latest.values()):
            row = self._db.execute("SELECT resource, body FROM changes WHERE revision = ?", (revision,)).fetchone()
            yield row[0], row[1]

    def attach(self, store: Store) -> None:
        """Fill the store, then keep every change of it. Revisions begin far above the last one kept."""
        if self.revision:
            store.load(self.objects(), self.revision + REVISIONS_AHEAD)
        store.on_change(self._note)
        self._kept = store.revision
        self._thread = threading.Thread(target=self._commit_forever, name="lifepod-journal", daemon=True)
        self._thread.start()

    # ------------------------------------------------------------------------------------------------------------ writing

    def _note(self, change: Change) -> None:
        body = None if change.type == "DELETED" else change.new.encoded
        row = _Row(change.revision, change.new.resource, change.new.key, body)
        with self._changed:
            self._pending.append(row)
            if len(self._pending) == 1:
                self._changed.notify()

    def durable(self, revision: int) -> Awaitable[None] | None:
        """None when the revision is on disk, else a future of the running loop. It raises ApiError 500 if the commit fails."""
        if revision <= self._kept:
            return None
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        with self._changed:
            if revision <= self._kept:
                return None
            self._waiters.append(_Waiter(revision, loop, done))
            self._changed.notify()
        return done

    def close(self) -> None:
        """Keep what is pending and let go of the folder. Raises JournalError if that fails."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()
        self._db.close()
        os.close(self._lock_file)
        if self._pending:
            raise JournalError(f"{len(self._pending)} changes could not be kept: {self.problem}")

    # --------------------------------------------------------------------------------------------------- the commit thread

    def _commit_forever(self) -> None:
        while True:
            with self._changed:
                while not self._pending and not self._closing:
                    self._changed.wait()
                if not self._waiters and not self._closing:
                    self._changed.wait(LINGER_SECONDS)
                if not self._pending:
                    return
                rows, waiters = self._pending, self._waiters
                self._waiters = []
                self._pending = []
            if not self._committed(rows, waiters):
                with self._changed:
                    self._pending = rows + self._pending
                    if self._closing:
                        return
                    self._changed.wait(RETRY_SECONDS)

    def _committed(self, rows: list[_Row], waiters: list[_Waiter]) -> bool:
        try:
            self._commit(rows)
        except sqlite3.Error as exc:
            self._rolled_back()
            self.problem = f"the journal cannot be written: {exc}"
            _tell(waiters, _failure(self.problem))
            return False
        with self._changed:
            self._kept = kept = rows[-1].revision
            self.problem = None
            waiters += [waiter for waiter in self._waiters if waiter.revision <= kept]
            self._waiters = [waiter for waiter in self._waiters if waiter.revision > kept]
        _tell(waiters, None)
        return True

    def _commit(self, rows: list[_Row]) -> None:
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        db.executemany("INSERT OR REPLACE INTO changes VALUES (?, ?, ?, ?)", rows)
        compacted = len(self._dead) > COMPACT_AFTER
        if compacted:
            db.executemany("DELETE FROM changes WHERE revision = ?", ((revision,) for revision in self._dead))
            db.execute("INSERT OR REPLACE INTO facts VALUES ('revision', ?)", (rows[-1].revision,))
        db.execute("COMMIT")
        if compacted:
            self._dead.clear()
        for row in rows:
            replaced = self._latest.pop((row.resource, row.key), None)
            if replaced is not None:
                self._dead.append(replaced)
            if row.body is None:
                self._dead.append(row.revision)
            else:
                self._latest[row.resource, row.key] = row.revision

    def _rolled_back(self) -> None:
        with suppress(sqlite3.Error):  # SQLite may have rolled back by itself, as it does when the disk is full
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")


def _opened(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=16)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.executescript(_SCHEMA)
    return db


def _locked(folder: Path) -> int:
    """The open lock file of a folder; the lock goes with the process. Raises JournalInUse."""
    path = folder / "lock"
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.read(file, 32).decode(errors="replace").strip()
        os.close(file)
        by = f" (process {holder})" if holder else ""
        raise JournalInUse(f"{folder} is in use by another lifepod{by}: stop it, or choose another --data") from None
    os.ftruncate(file, 0)
    os.write(file, f"{os.getpid()}\n".encode())
    return file


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
