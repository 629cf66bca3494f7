"""The journal's file: a SQLite database of rows, one a change, that one process holds.

Not safe for threads: whoever commits must be the only one. Rows that later ones replace are deleted now and then, so the file
stays in proportion to the objects; that and SQLite's own checkpoints are `tidy`'s, so that a commit is one flush and no more.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from lifepod.journal.base import JournalError, JournalInUse

COMPACT_AFTER = 5_000
CHECKPOINT_PAGES: Final = 1_000
BUSY_SECONDS: Final = 5.0
_PAGE_BYTES: Final = 4_096
_INSERT: Final = "INSERT OR REPLACE INTO changes VALUES (?, ?, ?, ?)"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS changes (
    revision INTEGER PRIMARY KEY, resource TEXT NOT NULL, key TEXT NOT NULL, body BLOB
);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""


class Row(NamedTuple):
    """One change. `body` None: deleted."""

    revision: int
    resource: str
    key: str
    body: bytes | None

    @property
    def size(self) -> int:
        """Bytes of the object's text."""
        return len(self.body) if self.body else 0


class Database:
    """The rows of one folder, held from `__init__` to `close`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lock_file = _locked(folder)
        try:
            self.connection = _opened(folder / "journal.sqlite")
            self._latest, self._dead, self.revision = self._surveyed()
        except sqlite3.Error as exc:
            os.close(self._lock_file)
            raise JournalError(f"{folder / 'journal.sqlite'}: cannot be read: {exc}") from exc
        self._unchecked_pages = 0
        self._busy_seconds = BUSY_SECONDS

    def close(self) -> None:
        """Let go of the folder."""
        self.connection.close()
        os.close(self._lock_file)

    # ------------------------------------------------------------------------------------------------------------ reading

    def _surveyed(self) -> tuple[dict[tuple[str, str], int], list[int], int]:
        latest: dict[tuple[str, str], int] = {}
        dead: list[int] = []
        rows = self.connection.execute("SELECT revision, resource, key, body IS NULL FROM changes ORDER BY revision")
        last = 0
        for revision, resource, key, is_gone in rows:
            if (resource, key) in latest:
                dead.append(latest.pop((resource, key)))
            if is_gone:
                dead.append(revision)
            else:
                latest[resource, key] = revision
            last = revision
        found = self.connection.execute("SELECT value FROM facts WHERE name = 'revision'").fetchone()
        return latest, dead, max(last, found[0] if found else 0)

    def objects(self) -> Iterator[tuple[str, bytes]]:
        """(resource, JSON text) of everything there is, oldest revision first."""
        for revision in sorted(self._latest.values()):
            row = self.connection.execute(
                "SELECT resource, body FROM changes WHERE revision = ?", (revision,)
            ).fetchone()
            yield row[0], row[1]

    # ------------------------------------------------------------------------------------------------------------ writing

    def commit(self, rows: list[Row], busy_seconds: float = 0.0) -> None:
        """Put rows on disk, all or none; who else holds the file is waited for so long. Raises sqlite3.Error."""
        self._wait_for_others(busy_seconds)
        if len(rows) == 1:
            self.connection.execute(_INSERT, rows[0])  # is a transaction of its own
        else:
            with self._transaction():
                self.connection.executemany(_INSERT, rows)
        self.revision = rows[-1].revision
        for row in rows:
            self._unchecked_pages += 2 + row.size // _PAGE_BYTES
            replaced = self._latest.pop((row.resource, row.key), None)
            if replaced is not None:
                self._dead.append(replaced)
            if row.body is None:
                self._dead.append(row.revision)
            else:
                self._latest[row.resource, row.key] = row.revision

    @property
    def wants_tidying(self) -> bool:
        """Whether `tidy` has enough to do."""
        return self._unchecked_pages >= CHECKPOINT_PAGES or len(self._dead) > COMPACT_AFTER

    def tidy(self) -> None:
        """Delete what was replaced, and move the log's pages to their place. Raises sqlite3.Error; nothing is lost then."""
        if len(self._dead) > COMPACT_AFTER:
            self._wait_for_others(BUSY_SECONDS)
            with self._transaction():
                self.connection.executemany("DELETE FROM changes WHERE revision = ?", ((each,) for each in self._dead))
                self.connection.execute("INSERT OR REPLACE INTO facts VALUES ('revision', ?)", (self.revision,))
            self._dead.clear()
        self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        self._unchecked_pages = 0

    def _wait_for_others(self, busy_seconds: float) -> None:
        if busy_seconds != self._busy_seconds:
            self.connection.execute(f"PRAGMA busy_timeout = {int(busy_seconds * 1000)}")
            self._busy_seconds = busy_seconds

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.connection.execute("COMMIT")
        except sqlite3.Error:
            with suppress(sqlite3.Error):  # SQLite may have rolled back by itself, as it does when the disk is full
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
            raise


def _opened(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=16
    )
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA wal_autocheckpoint = 0")
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
