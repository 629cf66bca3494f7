"""docs/runtimes.md promises nothing that no test holds: each cell of its table, on its own level.

On which levels a test runs is read from its fixtures, from `parametrize("level", …)`, or from its mark `levels`.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COLUMNS = ("image", "stand-in", "host")
_BY_FIXTURE = {
    "on_level": {"image", "stand-in", "host"},
    "on_kind": {"image", "stand-in"},
    "on_sandbox": {"stand-in"},
    "on_image": {"image"},
    "play": {"image"},
    "on_host": {"host"},
}


def _words(node: ast.AST) -> set[str]:
    return {n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)}


def levels_of(test: ast.FunctionDef) -> set[str]:
    """The columns of the table on which a test is played."""
    by_fixture = [_BY_FIXTURE[a.arg] for a in test.args.args if a.arg in _BY_FIXTURE]
    levels = set().union(*by_fixture)
    for decorator in test.decorator_list:
        if not isinstance(decorator, ast.Call):
            continue
        name = ast.unparse(decorator.func)
        if name == "pytest.mark.levels":
            levels |= _words(decorator)
        elif name == "pytest.mark.parametrize" and ast.unparse(decorator.args[0]) == "'level'":
            levels &= _words(decorator.args[1])
    return levels & set(COLUMNS)


def _tests() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for path in (ROOT / "tests/runtime").rglob("test_*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found[node.name] = levels_of(node)
    return found


def _rows() -> list[list[str]]:
    lines = (ROOT / "docs/runtimes.md").read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("| feature |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


ROWS = _rows()
TESTS = _tests()


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_every_cell_is_held_by_a_test_on_its_level(row: list[str]) -> None:
    assert len(row) == 5
    assert all(row), "no cell is empty"
    named = re.findall(r"`(test_\w+)`", row[4])
    assert [name for name in named if name not in TESTS] == []
    held = set().union(*(TESTS[name] for name in named))
    assert {column for column in COLUMNS if column not in held} == set()


def test_the_table_is_there() -> None:
    assert len(ROWS) >= 28


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("def test_x(on_level): ...", {"image", "stand-in", "host"}),
        ("@pytest.mark.parametrize('level', ['host', pytest.param('image')], indirect=True)\ndef test_x(on_level): ...", {"host", "image"}),
        ("@pytest.mark.levels('host')\ndef test_x(on_sandbox): ...", {"host", "stand-in"}),
        ("@pytest.mark.parametrize('size', ['host'])\ndef test_x(tmp_path): ...", set()),
    ],
)  # fmt: skip
def test_the_levels_of_a_test_are_read(text: str, levels: set[str]) -> None:
    test = ast.parse(text).body[0]
    assert isinstance(test, ast.FunctionDef)
    assert levels_of(test) == levels
