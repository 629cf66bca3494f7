"""The scenarios that ship as examples are played as their expected part says."""

from __future__ import annotations

from pathlib import Path

import pytest

from lifepod.assembly.simulate import difference, play, read_scenario

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "scenarios").glob("*.pod"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_goes_as_it_says(path: Path) -> None:
    scenario = read_scenario(path)
    outcome = play(scenario, source=path.name)
    assert outcome.problems == ()
    assert difference(scenario, outcome) == ""
