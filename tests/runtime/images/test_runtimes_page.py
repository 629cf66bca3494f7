"""docs/runtimes.md promises nothing that no test holds."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_every_feature_of_the_page_names_a_test_that_exists() -> None:
    rows = [line.split("|") for line in (ROOT / "docs/runtimes.md").read_text().splitlines() if line.startswith("| ")]
    tests = "".join(path.read_text() for path in (ROOT / "tests/runtime").rglob("test_*.py"))
    named = [re.fullmatch(r" `(test_\w+)` ", row[5]) for row in rows[1:]]
    assert len([name for name in named if name]) >= 18
    missing = [name[1] for name in named if name and f"def {name[1]}(" not in tests]
    assert missing == []
    unheld = [row[2].strip() for row, name in zip(rows[1:], named, strict=True) if name is None]
    assert all(cell.startswith(("no", "none")) for cell in unheld), "only what is not there needs no test"
