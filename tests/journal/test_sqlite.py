"""The journal: what was answered is there again, whatever happened to the process."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from datetime import UTC, datetime

import pytest

from lifepod.api.writes import ApiError
from lifepod.journal import JournalInUse, sqlite
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


def test_a_full_disk_fails_those_who_wait_and_loses_nothing_once_there_is_room(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite, "RETRY_SECONDS", 0.01)
    journal, store = opened(tmp_path)
    pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
    journal._db.execute(f"PRAGMA max_page_count = {pages}")

    async def write():
        store.create("pods", pod("a", spec={"text": "x" * 100_000}), NOW)
        with pytest.raises(ApiError, match="full") as refused:
            await journal.durable(store.revision)
        assert refused.value.code == 500
        assert "full" in journal.problem
        journal._db.execute("PRAGMA max_page_count = 100000")
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
    monkeypatch.setattr(sqlite, "COMPACT_AFTER", 10)
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
