"""The public golden cases, in virtual time, judged by the judge that judges real nodes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from virtual_cases import case_names, run_case


@pytest.mark.parametrize(
    "name", case_names() or [pytest.param("", marks=pytest.mark.skip(reason="no golden cases here"))]
)
def test_a_case_in_virtual_time_is_what_a_real_node_showed(name: str) -> None:
    found, _ = run_case(name)
    assert found == []
