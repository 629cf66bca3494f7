"""The same story told to pipes and to programs."""

from __future__ import annotations

import io
import json
from typing import Any, NamedTuple

from lifepod.diagnosis.findings import Finding
from lifepod.ui.screens import JsonScreen, PlainScreen
from lifepod.ui.story import Change, LogLine, Story


class _Result(NamedTuple):
    exit_code: int = 3
    cause: str = 'container "app" of pod "crash" ended with exit code 3'
    subject: str = "crash"
    pods: tuple[Any, ...] = ()
    jobs: tuple[Any, ...] = ()
    findings: Any = {}  # noqa: RUF012 - never changed


def _tell(screen, told):
    screen.begin(told)
    screen.change(Change(told.now, "pod/crash", "Running", ("app Running", "Ready")))
    screen.event(
        {
            "type": "Warning",
            "reason": "Unhealthy",
            "message": "a\nb",
            "involvedObject": {"kind": "Pod", "name": "crash"},
        }
    )
    screen.event(
        {"type": "Normal", "reason": "Pulled", "message": "x", "involvedObject": {"kind": "Pod", "name": "crash"}}
    )
    screen.log(LogLine("crash", "app", "hello"))
    screen.end(_Result(pods=(told.crash,), findings=told.found))


def test_plain_lines_say_each_step_once(told):
    out = io.StringIO()
    _tell(PlainScreen("the title", ("a note",), lambda: told.now, out), told)
    assert out.getvalue().splitlines() == [
        "the title",
        "a note",
        "   10.0s  pod/crash  Running  app Running; Ready",
        "   10.0s  pod/crash  Warning Unhealthy: a b",
        "          | crash app | hello",
        "",
        "pod/crash  Running",
        "  app: Exit code 1.",
        "    next: It is started again in 5s.",
        "    do: Look at its log.",
        'exit code 3: container "app" of pod "crash" ended with exit code 3',
    ]


def test_a_pod_that_stands_still_says_once_what_it_waits_for(told):
    out = io.StringIO()
    screen = PlainScreen("t", (), lambda: told.now, out)
    screen.QUIET_SECONDS = 0.0
    screen.begin(told)
    for _ in range(3):
        screen.tick()
    assert out.getvalue().count('init-myservice: No Service is called "myservice".') == 1


def test_json_is_one_object_a_line_and_the_last_carries_the_cause(told):
    out = io.BytesIO()
    _tell(JsonScreen(lambda: told.now, out), told)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["type"] for line in lines] == ["started", "change", "event", "event", "log", "result"]
    assert lines[1]["details"] == ["app Running", "Ready"]
    assert (lines[-1]["exitCode"], lines[-1]["subject"]) == (3, "crash")
    assert lines[-1]["findings"]["default/crash"] == [
        {"container": "app", "cause": "Exit code 1.", "next": "It is started again.", "at": "2026-01-01T12:00:15.000000Z",
         "remedy": ["Look at its log."], "evidence": []}
    ]  # fmt: skip


def test_a_story_makes_a_line_only_of_what_moved(told, parts):
    story = Story()
    before = parts.pod("a", "Pending", [parts.condition("Ready", "False")], [parts.waiting("c", "ContainerCreating")])
    after = parts.pod("a", "Running", [parts.condition("Ready")], [parts.running("c")])
    assert story.on_pod("ADDED", before, told.now) is not None
    assert story.on_pod("MODIFIED", before, told.now) is None
    assert story.on_pod("MODIFIED", after, told.now) == Change(told.now, "pod/a", "Running", ("c Running", "Ready"))
    done = parts.pod("a", "Failed", [parts.condition("Ready", "False")], [parts.ended("c", 2)])
    assert story.on_pod("MODIFIED", done, told.now) == Change(
        told.now, "pod/a", "Error", ("c Terminated Error (exit code 2)", "not Ready")
    )
    assert story.on_pod("DELETED", done, told.now) == Change(told.now, "pod/a", "deleted", ())
    assert (list(story.pods), list(story.gone)) == ([], ["default/a"])


def test_a_repeated_event_moves_to_the_end(told):
    story = Story()
    for name in ("one", "two", "one"):
        story.on_event("ADDED", {"metadata": {"name": name}})
    assert [event["metadata"]["name"] for event in story.events] == ["two", "one"]
    assert Finding("", "x").remedy == ()
