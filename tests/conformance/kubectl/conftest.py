"""Which kubectls there are, and the shell in which a session is typed."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = (Path(os.environ.get("LIFEPOD_KUBECTLS", ROOT / ".cache" / "kubectl")),)


def kubectls() -> dict[str, str]:
    """Every kubectl to be had, by its minor version."""
    found: dict[str, str] = {}
    if on_path := shutil.which("kubectl"):
        text = subprocess.run([on_path, "version", "--client"], capture_output=True, text=True, check=False).stdout
        if match := re.search(r"v(\d+\.\d+)", text):
            found[match[1]] = on_path
    for folder in FOLDERS:
        for path in sorted(folder.glob("kubectl-*")):
            found[path.name.removeprefix("kubectl-")] = str(path)
    return found


@pytest.fixture
def shell(served: Any, tmp_path: Path, request: pytest.FixtureRequest) -> tuple[dict[str, str], Path]:
    """The environment and folder in which commands are typed; `kubectl` is the version of the test."""
    binaries = tmp_path / "bin"
    binaries.mkdir()
    version = request.getfixturevalue("version")
    (binaries / "kubectl").symlink_to(kubectls()[version])
    folder = tmp_path / "here"
    folder.mkdir()
    env = {
        "PATH": f"{binaries}:{os.environ['PATH']}",
        "KUBECONFIG": str(served.kubeconfig),
        "HOME": str(tmp_path),
        "TZ": "UTC",
        "LC_ALL": "C",
    }
    return env, folder
