"""The annotation that scripts a container."""

from __future__ import annotations

import pytest

from lifepod.runtime.sim.script import Attempt, BadScript, attempt_of, parse_script


@pytest.mark.parametrize(
    ("text", "attempts"),
    [
        ("run=3s exit=1; run=forever", (Attempt(3.0, 1), Attempt())),
        ("exit=4", (Attempt(0.0, 4),)),
        ("run=1m oom", (Attempt(60.0, oom=True),)),
        ("term-exit=0 ready-after=5s", (Attempt(term_exit=0, ready_after_seconds=5.0),)),
        ("pull=fail; pull=slow=5s", (Attempt(pull_fails=True), Attempt(pull_seconds=5.0))),
        ("log='hello there' log=bye", (Attempt(log=("hello there", "bye")),)),
        ("", (Attempt(),)),
    ],
)
def test_a_script_says_what_each_attempt_does(text: str, attempts: tuple[Attempt, ...]) -> None:
    assert parse_script(text) == attempts


def test_the_last_attempt_repeats() -> None:
    assert attempt_of("exit=1; run=forever", 7) == Attempt()


@pytest.mark.parametrize("text", ["run=soon", "exit=300", "walk=3s", "log='open"])
def test_a_mistake_is_named(text: str) -> None:
    with pytest.raises(BadScript, match=r"script|time|code|quotation"):
        parse_script(text)
