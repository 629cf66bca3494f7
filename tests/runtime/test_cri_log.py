"""Log files in CRI's format: written whole lines at a time, read back as asked."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifepod.runtime.base import LogOptions
from lifepod.runtime.cri_log import (
    LogSelection,
    LogWriter,
    find_tail_start,
    format_nanoseconds,
    parse_entry,
    read_entries,
    read_tail,
)

AT = 1_767_225_600_123_456_789


def _written(path, *writes):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    writer = LogWriter(fd)
    for stream, data in writes:
        writer.write(stream, data, AT)
    for stream in ("stdout", "stderr"):
        writer.finish(stream, AT)
    os.close(fd)
    return path.read_bytes()


def test_a_line_carries_time_stream_and_whether_it_is_whole(tmp_path):
    assert _written(tmp_path / "l", ("stdout", b"one\ntw"), ("stderr", b"bad\n"), ("stdout", b"o\nrest")) == (
        b"2026-01-01T00:00:00.123456789Z stdout F one\n"
        b"2026-01-01T00:00:00.123456789Z stderr F bad\n"
        b"2026-01-01T00:00:00.123456789Z stdout F two\n"
        b"2026-01-01T00:00:00.123456789Z stdout P rest\n"
    )


def test_a_long_line_is_written_in_pieces_of_16_kib(tmp_path):
    lines = _written(tmp_path / "l", ("stdout", b"x" * 40_000 + b"\n")).splitlines()
    entries = [parse_entry(line + b"\n") for line in lines]
    assert [len(entry.text.rstrip(b"\n")) for entry in entries] == [16384, 16384, 7232]
    assert [entry.text.endswith(b"\n") for entry in entries] == [False, False, True]


@given(st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.binary(max_size=50)), max_size=20))
def test_whatever_is_written_is_read_back_stream_by_stream(tmp_path_factory, writes):
    path = tmp_path_factory.mktemp("log") / "l"
    _written(path, *writes)
    with open(path, "rb") as file:
        entries = list(read_entries(file))
    for stream in ("stdout", "stderr"):
        sent = b"".join(data for name, data in writes if name == stream)
        assert b"".join(entry.text for entry in entries if entry.stream == stream.encode()) == sent


@pytest.mark.parametrize(
    ("lines", "text"), [(0, b""), (1, b"l9999\n"), (3, b"l9997\nl9998\nl9999\n"), (10_000, None), (99_999, None)]
)
def test_the_tail_begins_where_the_last_lines_do(tmp_path, lines, text):
    everything = b"".join(b"l%04d\n" % n for n in range(10_000))
    _written(tmp_path / "l", ("stdout", everything))
    assert read_tail(str(tmp_path / "l"), lines, 10**9) == (everything if text is None else text)
    with open(tmp_path / "l", "rb") as file:
        assert find_tail_start(file, lines) <= os.path.getsize(tmp_path / "l")


def test_an_unfinished_entry_waits_and_a_damaged_one_is_left_out(tmp_path):
    path = tmp_path / "l"
    head = format_nanoseconds(AT) + b" stdout F "
    path.write_bytes(head + b"one\ngarbage\n" + head + b"tw")
    with open(path, "rb") as file:
        assert [entry.text for entry in read_entries(file)] == [b"one\n"]
        with open(path, "ab") as more:
            more.write(b"o\n")
        assert [entry.text for entry in read_entries(file)] == [b"two\n"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (LogOptions(), b"early\nlate\n"),
        (LogOptions(since_epoch=1_767_225_601.0), b"late\n"),
        (LogOptions(limit_bytes=8), b"early\nla"),
        (LogOptions(timestamps=True), b"2026-01-01T00:00:00.000000000Z early\n2026-01-01T00:00:02.000000000Z late\n"),
        (LogOptions(timestamps=True, limit_bytes=3), b"202"),
    ],
)
def test_a_selection_takes_what_was_asked_for(options, text):
    selection = LogSelection(options)
    entries = [
        parse_entry(format_nanoseconds(at * 10**9) + b" stdout F " + word + b"\n")
        for at, word in ((1_767_225_600, b"early"), (1_767_225_602, b"late"))
    ]
    assert b"".join(selection.take(entry) for entry in entries) == text
    assert selection.is_full == (options.limit_bytes is not None)


def test_a_line_in_pieces_has_one_timestamp():
    selection = LogSelection(LogOptions(timestamps=True))
    first = parse_entry(format_nanoseconds(AT) + b" stdout P half\n")
    second = parse_entry(format_nanoseconds(AT) + b" stdout F whole\n")
    assert selection.take(first) + selection.take(second) == b"2026-01-01T00:00:00.123456789Z halfwhole\n"


def test_no_log_has_no_tail(tmp_path):
    assert read_tail(str(tmp_path / "absent"), 1, 100) == b""
