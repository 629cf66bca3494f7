"""One seed gives one story to the byte, in whatever process it is told; another seed gives another."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from lifepod.assembly.simulate import play, read_scenario

ROOT = Path(__file__).parents[2]
RANDOM = ROOT / "examples" / "scenarios" / "random-faults.pod"
MORE = """
cluster nodes=3
image worker run=20s exit=1 then run=forever term-exit=0
deployment web replicas=6
  sidecar proxy runs=45s exit=1
  container app image=worker
    readiness period=5s
    liveness period=10s
job work completions=6 parallelism=3 backoffLimit=50
  container main runs=15s exit=0
every 2m scale deployment/web replicas=4
every 3m scale deployment/web replicas=7
faults random every=7s
run until=20m
"""


def events_of(path: Path, seed: int, until: timedelta | None = None) -> bytes:
    found: list[bytes] = []
    play(read_scenario(path), seed, path.name, found.append, until)
    return b"".join(found)


def in_a_process_of_its_own(path: Path, seed: int, hash_seed: str) -> bytes:
    command = [sys.executable, "-m", "lifepod", "simulate", str(path), "--seed", str(seed), "-o", "events"]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=False, timeout=120).stdout


@pytest.fixture
def story(tmp_path: Path) -> Path:
    path = tmp_path / "story.pod"
    path.write_text(MORE)
    return path


def test_two_runs_of_one_seed_are_equal_to_the_byte(story: Path) -> None:
    assert events_of(story, 5) == events_of(story, 5)


def test_another_seed_tells_another_story(story: Path) -> None:
    assert events_of(story, 5) != events_of(story, 6)


def test_a_process_with_other_hashes_tells_the_same_story(story: Path) -> None:
    one = in_a_process_of_its_own(story, 5, "1")
    assert one.count(b"\n") > 500
    assert one == in_a_process_of_its_own(story, 5, "2") == events_of(story, 5)


def test_a_run_can_be_played_to_any_moment(story: Path) -> None:
    whole, part = events_of(story, 5), events_of(story, 5, timedelta(minutes=7))
    assert 0 < len(part) < len(whole)
    assert whole.startswith(part)


def test_two_hundred_pods_with_random_faults_are_equal_in_two_processes() -> None:
    runs = [
        hashlib.sha256(in_a_process_of_its_own(RANDOM, seed, hashes)).hexdigest()
        for seed, hashes in ((7, "1"), (7, "2"), (8, "1"))
    ]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]
