"""Every story in `stories/` is told again in virtual time and must be what its file says; the judge's laws must hold."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from story_cases import run_story, seen, story_names, unlawful
from virtual_cases import CONFORMANCE

pytestmark = pytest.mark.skipif(
    not (CONFORMANCE / "trace.py").exists(), reason="the recorder stands beside the checkout, and is not here"
)

NOT_ONE_LIFE = {
    "delete-force": "the recorder takes two pods of one name for one",
    "sandbox-lost": "init containers are purged with their last state in 1.34; the laws know no lost sandbox",
}


@pytest.mark.parametrize("name", story_names())
def test_a_story_is_told_as_its_file_says(name: str) -> None:
    case, recording = run_story(name)
    now = seen(recording)
    assert now["shows"] == case["shows"]
    assert now["events"] == case["events"]
    assert now.get("said") == case.get("said")
    assert now.get("refused") == case.get("refused")
    if name not in NOT_ONE_LIFE:
        assert unlawful(recording) == []
