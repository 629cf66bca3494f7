"""What `lifepod simulate` prints and how it ends."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import orjson

from lifepod.api.objects import JsonObject
from lifepod.assembly.replay import read_recording, replay
from lifepod.assembly.simulate import Outcome, difference, play, read_scenario, rewritten, tell_story
from lifepod.simulation.recording import BadRecording, is_recording
from lifepod.simulation.scenario import Scenario
from lifepod.simulation.scenario_lines import ScenarioError
from lifepod.simulation.story_rows import StoryRows, json_of


class Wanted(NamedTuple):
    """What the command line asks for."""

    file: Path
    seed: int | None
    output: str
    until: timedelta | None
    rewrite: bool


def simulate(wanted: Wanted) -> int:
    """Play the file, print what was asked for; the exit code."""
    out = sys.stdout.buffer
    if wanted.file.is_file() and is_recording(wanted.file.read_bytes()[:64]):
        return _replay(wanted)
    try:
        scenario = read_scenario(wanted.file)
        each_event = out.write if wanted.output == "events" else None
        outcome = play(scenario, wanted.seed, str(wanted.file), each_event, wanted.until)  # type: ignore[arg-type]  # what write answers is not looked at
    except ScenarioError as exc:
        print(exc, file=sys.stderr)
        return 2
    if wanted.output == "timeline":
        out.write(outcome.text.encode() + b"\n")
    elif wanted.output == "json":
        out.write(orjson.dumps(_as_json(wanted, outcome), option=orjson.OPT_INDENT_2) + b"\n")
    out.flush()
    return _verdict(wanted, scenario, outcome)


def _replay(wanted: Wanted) -> int:
    """Live a recording again, to its end or to `--until`, and print what was asked for."""
    out = sys.stdout.buffer
    try:
        recording = read_recording(wanted.file)
    except BadRecording as exc:
        print(f"{wanted.file}: {exc}", file=sys.stderr)
        return 2
    if wanted.seed not in (None, recording.seed):
        print(f"{wanted.file}: a recording has its own seed, {recording.seed}", file=sys.stderr)
        return 2
    story = StoryRows(recording.start, (), len(recording.nodes) > 1)
    each_event = out.write if wanted.output == "events" else None
    done = replay(recording, wanted.until, watch=lambda sim: tell_story(sim, story, each_event))  # type: ignore[arg-type]  # as above
    outcome = Outcome(recording.seed, story.rows, (), done.cluster, done.at)
    if wanted.output == "timeline":
        out.write(outcome.text.encode() + b"\n")
    elif wanted.output == "json":
        out.write(orjson.dumps(_as_json(wanted, outcome), option=orjson.OPT_INDENT_2) + b"\n")
    out.flush()
    return 0


def _as_json(wanted: Wanted, outcome: Outcome) -> JsonObject:
    return {
        "scenario": str(wanted.file),
        "seed": outcome.seed,
        "lastedSeconds": round(outcome.lasted.total_seconds(), 3),
        "timeline": [json_of(row) for row in outcome.rows],
        "problems": list(outcome.problems),
    }


def _verdict(wanted: Wanted, scenario: Scenario, outcome: Outcome) -> int:
    """Say what was not as expected. The expected part holds for the file's own seed and the whole run only."""
    for problem in outcome.problems:
        print(problem, file=sys.stderr)
    is_own_run = wanted.until is None and outcome.seed == scenario.seed
    if wanted.rewrite and is_own_run:
        wanted.file.write_text(rewritten(wanted.file.read_text(), outcome.text))
        return 1 if outcome.problems else 0
    diff = difference(scenario, outcome) if is_own_run else ""
    if diff:
        print(f"{wanted.file}: it did not go as the expected part says:\n{diff}", file=sys.stderr)
        print(f"If the new story is right: lifepod simulate {wanted.file} --rewrite", file=sys.stderr)
    return 1 if diff or outcome.problems else 0
