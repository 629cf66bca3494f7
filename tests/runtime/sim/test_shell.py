"""What the simulated shell makes of command lines, in virtual time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifepod.runtime.base import ContainerConfig, Mount
from lifepod.runtime.sim.log import Log
from lifepod.runtime.sim.shell import Files, Shell, Target, start_shell
from lifepod.runtime.sim.world import ContainerWorld

START = datetime(2025, 1, 1, tzinfo=UTC)


def world(
    tree: dict[str, bytes | None] | None = None, names: dict[str, tuple[str, ...]] | None = None
) -> ContainerWorld:
    config = ContainerConfig("default", "p", "c", 0, "s", "busybox", "", (), (), (), "", (Mount("m", "/m", False),))
    known = names or {}
    return ContainerWorld(config, "c1", tree or {"v/m": None}, Log(), "p", lambda _, name: known.get(name, ()), START)


def live(
    script: str, term_after: float | None = None, limit: float = 3600, at: ContainerWorld | None = None
) -> tuple[int | None, float]:
    """(exit code, seconds lived); (None, limit) when it still runs."""
    at = at or world()
    process = start_shell(("sh", "-c", script), {"A": "x y"}).run(at)
    termed = term_after is None
    while process.exit_code is None:
        wake = process.wake_at
        if not termed and (wake is None or wake > START + timedelta(seconds=term_after or 0)):
            termed, at.now = True, START + timedelta(seconds=term_after or 0)
            process = process.signal(at, "TERM")
        elif wake is None or wake > START + timedelta(seconds=limit):
            return None, limit
        else:
            at.now = wake
            process = process.run(at)
    return process.exit_code, (at.now - START).total_seconds()


@pytest.mark.parametrize(
    ("script", "code", "seconds"),
    [
        ("sleep 2; exit 3", 3, 2),
        ("true && false", 1, 0),
        ("false || exit 5", 5, 0),
        ("sleep 1m", 0, 60),
        ("sleep 1; test -e /m/x || { touch /m/x; exit 1; }", 1, 1),
        ("for i in 1 2 3; do sleep $i; done", 0, 6),
        ("i=0; while [ $i -lt 3 ]; do i=$((i+1)); sleep 1; done; exit $i", 3, 3),
        ("(exit 4); exit $?", 4, 0),
        ("f() { return 7; }; f; exit $?", 7, 0),
        ("sleep 1 & sleep 3 & wait; echo done", 0, 3),
        ("! true", 1, 0),
        ("exec sleep 2", 0, 2),
        ("[ $(echo hi | wc -c) = 3 ] && exit 9", 9, 0),
        ("mkdir /tmp/w && cd /tmp/w && touch a b && ls | wc -l | grep -q 2", 0, 0),
    ],
)
def test_a_script_ends_with_its_code_after_its_time(script: str, code: int, seconds: float) -> None:
    assert live(script) == (code, seconds)


@pytest.mark.parametrize(
    "script",
    [
        "sleep infinity",
        "while :; do sleep 0.1; done",
        "nginx -g 'daemon off;'",
        "case x in y) ;; esac",
        "while true; do echo x; done",
    ],
)
def test_what_never_ends_or_is_not_understood_runs_until_stopped(script: str) -> None:
    assert live(script, limit=5) == (None, 5)


@pytest.mark.parametrize(
    ("script", "code", "seconds"),
    [
        ("trap 'exit 0' TERM; while :; do sleep 0.1; done", 0, 5.1),  # the trap waits for the sleep in the foreground
        ("trap 'exit 0' TERM; sleep 600 & wait", 0, 5),  # wait is interrupted
        ("trap 'exit 3' TERM; sleep 8; exit 0", 3, 8),
        ("sleep 600", 0, 600),  # a pid 1 without a handler ignores SIGTERM
        ("trap '' TERM; sleep 10", 0, 10),
        ("trap 'exit 1' TERM; exec sleep 20", 0, 20),  # exec forgets handlers
    ],
)
def test_sigterm_does_what_the_script_says(script: str, code: int, seconds: float) -> None:
    assert live(script, term_after=5) == (code, seconds)


def test_a_name_that_appears_lets_a_waiting_script_go_on() -> None:
    at = world()
    process = start_shell(("sh", "-c", "until nslookup myservice; do echo waiting; sleep 2; done"), {}).run(at)
    assert process.exit_code is None
    at._lookup = lambda _, name: ("10.96.0.1",) if name == "myservice" else ()
    at.now += timedelta(seconds=2)
    assert process.run(at).exit_code == 0


def test_output_goes_to_the_log_and_files_keep_what_was_written() -> None:
    at = world()
    live("echo one; echo two >&2; echo $A > /m/f; echo more >> /m/f; cat /m/f /m/none", at=at)
    lines = [(e.stream, e.text) for e in at.logged.since(0)]
    assert lines == [
        (b"stdout", b"one\n"),
        (b"stderr", b"two\n"),
        (b"stderr", b"cat: can't open '/m/none': No such file or directory\n"),
        (b"stdout", b"x y\n"),
        (b"stdout", b"more\n"),
    ]
    assert at.tree["v/m/f"] == b"x y\nmore\n"


def test_a_copy_of_a_process_goes_its_own_way() -> None:
    at = world()
    process: Shell = start_shell(("sh", "-c", "sleep 1; touch /m/a; sleep 1; exit 2"), {}).run(at)
    other: Any = world(dict(at.tree))
    at.now += timedelta(seconds=1)
    later = process.run(at)
    assert "v/m/a" in at.tree
    assert "v/m/a" not in other.tree
    other.now += timedelta(seconds=1)
    assert process.run(other) == later


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    live(text, limit=1)


@pytest.mark.parametrize(
    ("command", "pieces", "output"),
    [
        (("sh",), ["echo one\n", "echo two\n"], b"one\ntwo\n"),
        (("sh",), ["ec", "ho one\necho", " two\n"], b"one\ntwo\n"),  # a line may come in pieces
        (("sh",), ["for i in 1 2; do\n", "echo $i\n", "done\n"], b"1\n2\n"),  # and a command in lines
        (("sh",), ["read x; echo got $x\n", "this line\n"], b"got this line\n"),  # commands read the same input
        (("sh",), ["# nothing\n", "\n", "echo $1$((1+2))\n"], b"3\n"),
        (("sh", "-c", "while read x; do echo [$x]; done"), ["a\n", "b c\n"], b"[a]\n[b c]\n"),
        (("cat",), ["a", "b\nc"], b"ab\nc"),
        (("sh", "-c", "cat | wc -c"), ["four", "four"], b"8\n"),
        (("wc", "-l"), ["1\n2", "\n"], b"2\n"),
        (("grep", "b"), ["abc\nxyz\n", "b\n"], b"abc\nb\n"),
    ],
)
def test_what_comes_in_is_read_as_it_comes(command: tuple[str, ...], pieces: list[str], output: bytes) -> None:
    at = world()
    files = Files(None, Target("capture", 0), Target("capture", 1))
    process = start_shell(command, {}, is_init=False, files=files, captures=(b"", b""))._replace(input_open=True)
    for piece in pieces:
        process = process.run(at).fed(piece.encode())
    process = process.run(at)
    assert process.exit_code is None, "more may come"
    process = process.fed(b"", is_end=True).run(at)
    assert (process.exit_code, process.captures[1]) == (0, b"")
    assert process.captures[0] == output


def test_what_was_read_is_answered_before_the_end() -> None:
    at = world()
    files = Files(None, Target("capture", 0), Target("capture", 1))
    shell = start_shell(("sh",), {}, is_init=False, files=files, captures=(b"", b""))._replace(input_open=True).run(at)
    shell = shell.fed(b"echo here\n").run(at)
    assert (shell.exit_code, shell.captures[0]) == (None, b"here\n")
    shell = shell.fed(b"exit 3\n").run(at)
    assert shell.exit_code == 3
