"""What a real v1.34 API server showed: objects, and what `kubectl get` printed of them (`tests/api/recorded/`)."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

_HERE = Path(__file__).with_name("recorded")
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

NAMES = sorted(path.stem for path in _HERE.glob("*.yaml"))


def recorded_objects(name):
    """The objects of a recording."""
    return [obj for obj in yaml.safe_load_all((_HERE / f"{name}.yaml").read_text()) if obj]


def applied_objects():
    """(name, what was applied, what the server made of it) for every object that was applied."""
    return [
        (f"{name}-{obj['kind']}", json.loads(obj["metadata"]["annotations"][_APPLIED]), obj)
        for name in NAMES
        for obj in recorded_objects(name)
        if _APPLIED in (obj["metadata"].get("annotations") or {})
    ]


def printed_rows(name):
    """The rows of `kubectl get pods,jobs… -o wide` as dicts by column heading, names without their resource prefix."""
    text = (_HERE / f"{name}.txt").read_text()
    wide = text.split("-o wide\n", 1)[1]
    rows = []
    for block in wide.strip().split("\n\n"):
        lines = [line for line in block.splitlines() if line and not line.startswith("$")]
        if lines and lines[0].startswith("NAME"):
            rows += [_cells(lines[0], line) for line in lines[1:]]
    return rows


def _cells(heading, line):
    """Split at runs of blanks: masked values have moved the columns."""
    cells = dict(zip(re.split(r"\s{2,}", heading.strip()), re.split(r"\s{2,}", line.strip()), strict=True))
    resource, _, name = cells["NAME"].rpartition("/")
    return {**cells, "NAME": name, "resource": resource}
