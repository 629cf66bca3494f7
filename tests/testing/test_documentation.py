"""Each block of Python in docs/testing.md, run as a test file by pytest."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
PAGE = Path(__file__).parents[2] / "docs" / "testing.md"


def test_every_example_of_the_page_runs(pytester: pytest.Pytester) -> None:
    for package in ("kubernetes", "lightkube"):
        pytest.importorskip(package)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    source = "import pytest\n\n" + "\n\n".join(blocks)
    examples = re.findall(r"^def (test_\w+)", source, re.MULTILINE)
    assert len(examples) == len(set(examples)) > 15, "an example hides another of its name"
    pytester.makepyfile(test_page=source)
    pytester.makeini("[pytest]\naddopts = -p no:cacheprovider --strict-markers\n")
    missing = sum(importlib.util.find_spec(package) is None for package in ("kubernetes_asyncio", "kr8s"))
    result = pytester.runpytest_subprocess("--tb=short")
    result.assert_outcomes(passed=len(examples) - missing, skipped=missing)


def test_the_example_of_the_readme_runs(pytester: pytest.Pytester) -> None:
    readme = (PAGE.parents[1] / "README.md").read_text()
    (block,) = re.findall(r"^```python\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    pytester.makepyfile(test_readme=block)
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
