"""Every verb of kubectl, in every version to be had, prints what it prints against upstream."""

import os
from pathlib import Path

import pytest

from . import session
from .conftest import kubectls

HERE = Path(__file__).parent


VERSIONS = sorted(kubectls())
SESSIONS = sorted((HERE / "sessions").glob("*.session"))

pytestmark = pytest.mark.kubectl


@pytest.mark.parametrize("version", VERSIONS or [pytest.param("none", marks=pytest.mark.skip("there is no kubectl"))])
@pytest.mark.parametrize("path", SESSIONS, ids=lambda path: path.stem)
def test_session(path: Path, version: str, shell: tuple[dict[str, str], Path]) -> None:
    env, folder = shell
    came: list[tuple[object, list[str]]] = []
    wrong: list[str] = []
    for step in session.steps_of(path):
        printed = session.run(step, version, env, folder)
        came.append((step, printed))
        expected = session.expected_lines(step, version)
        if not session.matches(expected, printed):
            said = "\n".join(["$ " + "\n> ".join(step.command), "-- expected", *expected, "-- printed", *printed])
            wrong.append(said)
    if wrong and os.environ.get("LIFEPOD_REWRITE"):
        path.write_text(session.rewritten(came, version))
    assert not wrong, "\n\n".join(wrong)
