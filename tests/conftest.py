"""Scenario files (`*.pod`) are tests: played, and compared with their expected part. `--rewrite-scenarios` writes that part anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite-scenarios", action="store_true", help="write the expected part of each scenario played")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    return ScenarioFile.from_parent(parent, path=file_path) if file_path.suffix == ".pod" else None


class ScenarioFile(pytest.File):
    """One file is one test, named by it."""

    def collect(self) -> Iterator[pytest.Item]:
        yield ScenarioItem.from_parent(self, name=self.path.stem)


class ScenarioFailed(Exception):
    """The run was not as the file says."""


class ScenarioItem(pytest.Item):
    """Plays a scenario."""

    def runtest(self) -> None:
        from lifepod.assembly.simulate import difference, play, read_scenario, rewritten

        scenario = read_scenario(self.path)
        outcome = play(scenario, source=self.path.name)
        if self.config.getoption("--rewrite-scenarios"):
            self.path.write_text(rewritten(self.path.read_text(), outcome.text))
        elif scenario.expected is None:
            raise ScenarioFailed(
                "there is no expected part after ----; write it with --rewrite-scenarios and review it"
            )
        elif diff := difference(scenario, outcome):
            raise ScenarioFailed(f"{diff}\n\nIf the new story is right: pytest {self.path} --rewrite-scenarios")
        if outcome.problems:
            raise ScenarioFailed("\n".join(outcome.problems))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> str:  # type: ignore[override]
        from lifepod.errors import LifepodError

        if isinstance(excinfo.value, ScenarioFailed | LifepodError):
            return f"{excinfo.value}\n\nplay it: lifepod simulate {self.path}"
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, f"scenario {self.name}"
