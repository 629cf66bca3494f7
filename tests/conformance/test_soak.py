"""A few seconds of the soak that `.ci/long` runs for an hour: mixed load, rude clients, watchers that must miss nothing."""

import subprocess
import sys
from pathlib import Path

SOAK = Path(__file__).parents[2] / "benchmarks" / "soak.py"


def test_nothing_is_lost_under_mixed_load() -> None:
    done = subprocess.run(
        [sys.executable, str(SOAK), "5"], capture_output=True, text=True, timeout=90, check=False, cwd=SOAK.parent
    )
    assert "nothing lost" in done.stdout or "memory grows" in done.stdout, done.stdout + done.stderr[-2000:]
    assert "watcher" not in done.stdout
    assert "500 " not in done.stdout
