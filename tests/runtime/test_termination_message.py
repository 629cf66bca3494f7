"""What counts as a container's last words: its file, the end of its log, or why the file could not be read (lifecycle.md §7.7)."""

from __future__ import annotations

from pathlib import Path

import pytest

from lifepod.runtime.termination_message import termination_message

LOG = "2026-01-01T00:00:00.000000000Z stdout F logged\n"


@pytest.mark.parametrize(
    ("about", "file", "policy", "code", "message"),
    [
        ("the file", "words", "FallbackToLogsOnError", 1, "words"),
        ("an empty file", "", "FallbackToLogsOnError", 1, "logged\n"),
        ("no file", None, "FallbackToLogsOnError", 1, "logged\n"),
        ("a good end", "", "FallbackToLogsOnError", 0, ""),
        ("no fallback wished", "", "File", 1, ""),
    ],
)
def test_the_log_s_end_counts_where_the_file_says_nothing(
    tmp_path: Path, about: str, file: str | None, policy: str, code: int, message: str
) -> None:
    (tmp_path / "log").write_text(LOG)
    if file is not None:
        (tmp_path / "file").write_text(file)
    found = termination_message(str(tmp_path / "file"), "/dev/termination-log", policy, str(tmp_path / "log"), code)
    assert found == message, about


def test_a_file_that_cannot_be_read_is_told_of_in_place_of_the_log(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(LOG)
    found = termination_message(
        str(tmp_path), "/dev/termination-log", "FallbackToLogsOnError", str(tmp_path / "log"), 1
    )
    assert found.startswith("Error on reading termination log /dev/termination-log: ")
