"""Programs that people run on Kubernetes, unmodified, against lifepod: a folder each, with the packages it needs.

`.ci/long users` makes an environment for each folder, since their packages do not go together, and runs its tests there. Where not all
that a folder's `requirements.txt` names is installed it is not even collected.
"""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

_HERE = Path(__file__).parent


def _is_installed(requirement: str) -> bool:
    try:
        distribution(re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0])
    except PackageNotFoundError:
        return False
    return True


def _lacks_packages(folder: Path) -> bool:
    lines = (line.partition("#")[0].strip() for line in (folder / "requirements.txt").read_text().splitlines())
    return not all(_is_installed(line) for line in lines if line)


collect_ignore = [path.parent.name for path in _HERE.glob("*/requirements.txt") if _lacks_packages(path.parent)]
