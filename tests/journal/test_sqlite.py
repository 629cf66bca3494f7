"""The journal: what was answered is there again, whatever happened to the process."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from datetime import UTC, datetime
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifepod.api.writes import ApiError
from lifepod.journal import JournalInUse, database, sqlite
from lifepod.journal.sqlite import REVISIONS_AHEAD, SqliteJournal
from lifepod.store import Store

NOW = datetime(2025, 1, 1, tzinfo=UTC)


def pod(name, **more):
    metadata = {"name": name, "namespace": "default", "uid": f"uid-{name}"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, **more}


def opened(folder):
    journal, store = SqliteJournal(folder), Store()
    journal.attach(store)
    return journal, store


def test_everything_is_there_again_after_a_restart_far_above_the_last_revision(tmp_path):
    journal, store = opened(tmp_path)
    store.create("pods", pod("a", spec={"x": 1}), NOW)
    store.create("pods", pod("b"), NOW)
    store.update("pods", pod("a", spec={"x": 2}), NOW)
    store.delete("pods", "default", "b", NOW)
    journal.close()
    journal, store = opened(tmp_path)
    assert [r.name for r in store.list("pods").records] == ["a"]
    assert store.get("pods", "default", "a")["spec"] == {"x": 2}
    assert store.get("pods", "default", "a")["metadata"]["resourceVersion"] == "3"
    assert store.revision == 4 + REVISIONS_AHEAD
    journal.close()


def test_an_empty_folder_starts_at_revision_zero(tmp_path):
    journal, store = opened(tmp_path / "new")
    assert store.revision == 0
    journal.close()


def test_waiting_ends_when_the_revision_is_on_disk(tmp_path):
    journal, store = opened(tmp_path)

    async def write():
        store.create("pods", pod("a"), NOW)
        waiting = journal.durable(store.revision)
        if waiting is not None:
            await waiting
        assert journal.durable(store.revision) is None
        with sqlite3.connect(tmp_path / "journal.sqlite") as db:
            return db.execute("SELECT count(*) FROM changes").fetchone()[0]

    assert asyncio.run(write()) == 1
    journal.close()


def test_a_second_process_on_the_folder_is_refused_and_told_who_holds_it(tmp_path):
    journal, _ = opened(tmp_path)
    with pytest.raises(JournalInUse, match=str(os.getpid())):
        SqliteJournal(tmp_path)
    journal.close()
    opened(tmp_path)[0].close()


def quick(journal):
    """As after a quick commit of the one client there is: the next one is made on the caller's thread."""
    journal.turns = lambda: 0
    journal._turn = 0
    journal._pace.took(0.0, 0.0, here=False)


def test_who_writes_alone_on_a_quick_disk_need_not_wait(tmp_path):
    journal, store = opened(tmp_path)
    quick(journal)
    store.create("pods", pod("a"), NOW)
    assert journal.durable(store.revision) is None
    with sqlite3.connect(tmp_path / "journal.sqlite") as db:
        assert db.execute("SELECT key FROM changes").fetchall() == [("default/a",)]
    journal.close()


def other_speaks(journal, store):
    journal.turns = lambda: 1


def slow_disk(journal, store):
    journal._pace.took(0.1, 0.0, here=False)


def many_rows(journal, store):
    for number in range(sqlite.FEW_ROWS):
        store.create("pods", pod(f"b{number}"), NOW)


def many_bytes(journal, store):
    store.create("pods", pod("b", text="x" * sqlite.FEW_BYTES), NOW)


def tidying_is_due(journal, store):
    journal._database._unchecked_pages = database.CHECKPOINT_PAGES


@pytest.mark.parametrize("hindrance", [other_speaks, slow_disk, many_rows, many_bytes, tidying_is_due])
def test_the_thread_commits_what_would_hold_the_loop_or_keep_others_waiting(tmp_path, hindrance):
    journal, store = opened(tmp_path)

    async def write():
        quick(journal)
        with journal._changed:  # or the thread would take them as rows nobody waits for
            hindrance(journal, store)
            store.create("pods", pod("a"), NOW)
            waiting = journal.durable(store.revision)
        assert waiting is not None
        await waiting
        assert journal.durable(store.revision) is None

    asyncio.run(write())
    journal.close()


def test_the_thread_tidies_so_that_the_log_does_not_grow_for_ever(tmp_path):
    journal, store = opened(tmp_path)

    async def write():
        for number in range(400):
            store.create("pods", pod(f"p{number}", text="x" * 20_000), NOW)
            if (waiting := journal.durable(store.revision)) is not None:
                await waiting

    asyncio.run(write())
    assert (tmp_path / "journal.sqlite-wal").stat().st_size < 7_000_000  # eight million bytes were written
    journal.close()


def test_who_holds_the_file_keeps_a_writer_waiting_but_not_the_loop(tmp_path):
    journal, store = opened(tmp_path)

    async def write():
        other = sqlite3.connect(tmp_path / "journal.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        quick(journal)
        store.create("pods", pod("a"), NOW)
        start = time.monotonic()
        waiting = journal.durable(store.revision)
        assert time.monotonic() - start < database.BUSY_SECONDS / 2
        assert waiting is not None
        assert not waiting.done()
        other.execute("ROLLBACK")
        await waiting
        other.close()

    asyncio.run(write())
    journal.close()


@pytest.mark.parametrize("here", [False, True])
def test_a_full_disk_fails_those_who_wait_and_loses_nothing_once_there_is_room(tmp_path, monkeypatch, here):
    monkeypatch.setattr(sqlite, "RETRY_SECONDS", 0.01)
    journal, store = opened(tmp_path)
    if here:
        quick(journal)
    pages = journal._database.connection.execute("PRAGMA page_count").fetchone()[0]
    journal._database.connection.execute(f"PRAGMA max_page_count = {pages}")

    async def write():
        store.create("pods", pod("a", spec={"text": "x" * 100_000}), NOW)
        with pytest.raises(ApiError, match="full") as refused:
            await journal.durable(store.revision)
        assert refused.value.code == 500
        assert "full" in journal.problem
        journal._database.connection.execute("PRAGMA max_page_count = 100000")
        store.create("pods", pod("b"), NOW)
        while (waiting := journal.durable(store.revision)) is not None:
            try:
                await waiting
            except ApiError:
                continue
        assert journal.problem is None

    asyncio.run(write())
    journal.close()
    journal, store = opened(tmp_path)
    assert [r.name for r in store.list("pods").records] == ["a", "b"]
    journal.close()


def test_replaced_rows_are_deleted_in_time_and_revisions_never_go_back(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "COMPACT_AFTER", 10)
    monkeypatch.setattr(sqlite, "LINGER_SECONDS", 0.0)
    for turn in range(4):
        journal, store = opened(tmp_path)
        before = store.revision
        store.create("pods", pod(f"gone-{turn}"), NOW)
        store.delete("pods", "default", f"gone-{turn}", NOW)
        for number in range(12):
            held = pod("a", spec={"n": number, "turn": turn})
            (store.update if store.record("pods", "default", "a") else store.create)("pods", held, NOW)
        assert store.revision > before
        journal.close()
    with sqlite3.connect(tmp_path / "journal.sqlite") as db:
        assert db.execute("SELECT count(*) FROM changes").fetchone()[0] < 40
    journal, store = opened(tmp_path)
    assert store.get("pods", "default", "a")["spec"] == {"n": 11, "turn": 3}
    assert [r.name for r in store.list("pods").records] == ["a"]
    journal.close()


class Disk:
    """What a journal's database goes through: commits fail while it is `full`, and it can be looked at between two."""

    def __init__(self, database):
        self.full = False
        self.lock = threading.RLock()
        self.asked = threading.Event()
        self._commit, self._tidy = database.commit, database.tidy
        database.commit, database.tidy = self.commit, self.tidy

    def commit(self, rows, *patience):
        self.asked.set()
        with self.lock:
            if self.full:
                raise sqlite3.OperationalError("database or disk is full")
            self._commit(rows, *patience)

    def tidy(self):
        with self.lock:
            self._tidy()

    def as_killed_now(self, folder, copy):
        """Copy the folder as a kill at this moment leaves it."""
        with self.lock:
            for name in ("journal.sqlite-wal", "journal.sqlite"):
                shutil.copy(folder / name, copy / name)


def test_while_the_thread_commits_nobody_else_does(tmp_path):
    journal, store = opened(tmp_path)
    disk = Disk(journal._database)

    async def write():
        with disk.lock:  # the thread is in the middle of a commit
            store.create("pods", pod("a"), NOW)
            first = journal.durable(store.revision)
            assert disk.asked.wait(5)
            quick(journal)
            store.create("pods", pod("b"), NOW)
            second = journal.durable(store.revision)
            assert second is not None
        await asyncio.gather(first, second)

    asyncio.run(write())
    journal.close()


def objects(store):
    return {record.name: bytes(record.encoded) for record in store.list("pods").records}


CHANGES = ["create", "update", "delete"]
WAITS = ["wait", "wait for later"]
STEPS = st.lists(
    st.sampled_from([*CHANGES, *WAITS, "another speaks", "quick", "slow", "full", "room", "pause"]), max_size=40
)


async def lived_through(steps, journal, store, disk):
    """Do the steps; returns the latest revision that was said to be kept, and what there was at each revision."""
    states, waiting, turn, kept = {0: {}}, [], 0, 0
    journal.turns = lambda: turn
    for number, step in enumerate(steps):
        alive = sorted(objects(store))
        match step:
            case "create":
                store.create("pods", pod(f"p{number}"), NOW)
            case "update" if alive:
                store.update("pods", pod(alive[0], spec={"number": number}), NOW)
            case "delete" if alive:
                store.delete("pods", "default", alive[0], NOW)
            case "wait" | "wait for later":
                revision, answer = store.revision, journal.durable(store.revision)
                if answer is None:
                    kept = max(kept, revision)
                else:
                    waiting.append((revision, answer))
                    if step == "wait":
                        await asyncio.wait([answer])
            case "another speaks":
                turn += 1
            case "quick" | "slow":
                journal._pace.took(0.0 if step == "quick" else 1.0, 0.0, here=False)
            case "full" | "room":
                disk.full = step == "full"
            case _:
                await asyncio.sleep(0)
        states[store.revision] = objects(store)
    answered = [revision for revision, answer in waiting if answer.done() and answer.exception() is None]
    return max([kept, *answered]), states


@settings(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_whatever_happens_in_whatever_order_what_was_answered_is_on_disk(tmp_path_factory, steps):
    with (
        mock.patch.object(sqlite, "RETRY_SECONDS", 0.001),
        mock.patch.object(sqlite, "LINGER_SECONDS", 0.001),
        mock.patch.object(database, "COMPACT_AFTER", 3),
    ):
        folder, copy = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("killed")
        journal, store = opened(folder)
        disk = Disk(journal._database)
        answered, states = asyncio.run(lived_through(steps, journal, store, disk))
        disk.as_killed_now(folder, copy)
        survivor = SqliteJournal(copy)
        assert survivor.revision >= answered
        kept = Store()
        survivor.attach(kept)
        assert objects(kept) == states[survivor.revision]
        survivor.close()
        disk.full = False
        journal.close()
        journal, kept = opened(folder)
        assert objects(kept) == objects(store)
        journal.close()


WRITER = """
    import asyncio, sys
    from datetime import datetime, UTC
    from pathlib import Path
    from lifepod.journal.sqlite import SqliteJournal
    from lifepod.store import Store
    async def main():
        journal, store = SqliteJournal(Path(sys.argv[1])), Store()
        journal.attach(store)
        number = 0
        while True:
            metadata = {"name": f"p{number}", "namespace": "default", "uid": str(number)}
            store.create("pods", {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}, datetime.now(UTC))
            waiting = journal.durable(store.revision)
            if waiting is not None:
                await waiting
            print(number, flush=True)
            number += 1
    asyncio.run(main())
"""


def test_what_was_answered_before_a_kill_is_there_afterwards(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(WRITER), tmp_path], stdout=subprocess.PIPE)
    answered = [int(child.stdout.readline()) for _ in range(50)]
    child.send_signal(signal.SIGKILL)
    answered += [int(line) for line in child.stdout.read().split(b"\n") if line]
    child.wait()
    journal, store = opened(tmp_path)
    assert all(store.record("pods", "default", f"p{number}") for number in answered)
    journal.close()
