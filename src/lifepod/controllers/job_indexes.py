"""Sets of completion indexes and their text: `0-2,5`.

Source: k8s.io/kubernetes v1.34.4 pkg/controller/job/indexed_job_utils.go: orderedIntervals.String, parseIndexesFromString
"""

from __future__ import annotations

from collections.abc import Iterable

from lifepod.api.objects import JsonObject
from lifepod.controllers.ownership import annotations_of

INDEX = "batch.kubernetes.io/job-completion-index"
FAILURES = "batch.kubernetes.io/job-index-failure-count"
IGNORED_FAILURES = "batch.kubernetes.io/job-index-ignored-failure-count"


def parse_indexes(text: str, completions: int) -> frozenset[int]:
    """The indexes below `completions` that a status field names; what is malformed names none."""
    found: set[int] = set()
    for part in text.split(",") if text else ():
        first, _, last = part.partition("-")
        try:
            found.update(range(int(first), min(int(last or first), completions - 1) + 1))
        except ValueError:
            return frozenset()
    return frozenset(i for i in found if i < completions)


def format_indexes(indexes: Iterable[int]) -> str:
    """Sorted, with runs written `first-last`."""
    parts: list[str] = []
    run: list[int] = []
    for index in [*sorted(indexes), None]:
        if run and (index is None or index != run[-1] + 1):
            # Upstream writes a run of two as a pair, not as a range.
            text = f"{run[0]}" if len(run) == 1 else f"{run[0]},{run[1]}" if len(run) == 2 else f"{run[0]}-{run[-1]}"
            parts.append(text)
            run = []
        if index is not None:
            run.append(index)
    return ",".join(parts)


def index_of(pod: JsonObject) -> int | None:
    """The completion index that a pod carries, None when it has none that can be read."""
    text = annotations_of(pod).get(INDEX, "")
    return int(text) if text.isascii() and text.isdigit() else None


def failure_count(pod: JsonObject, annotation: str = FAILURES) -> int:
    """How many pods of this index failed before this one."""
    text = annotations_of(pod).get(annotation, "")
    return int(text) if text.isascii() and text.isdigit() else 0
