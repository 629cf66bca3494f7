"""When a Job may replace a failed pod: 10 s, doubled with each failure since the last success, at most 10 min.

Source: k8s.io/kubernetes v1.34.4 pkg/controller/job/backoff_utils.go
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from lifepod.api.objects import JsonObject
from lifepod.controllers.job_pods import finish_time
from lifepod.controllers.ownership import uid_of

FIRST_DELAY = timedelta(seconds=10)
LONGEST_DELAY = timedelta(minutes=10)


class Backoff(NamedTuple):
    """The controller's memory of a Job: failures since the last success, the last one, and the pods counted in it.

    `batch_until`: finished pods wait for company until then, as long as the Job is of this `generation`.
    """

    failures: int = 0
    last_failure: datetime | None = None
    counted: frozenset[str] = frozenset()
    batch_until: datetime | None = None
    generation: int = 0


def after_finished(before: Backoff, succeeded: Sequence[JsonObject], failed: Sequence[JsonObject]) -> Backoff:
    """The record after these finished pods; those counted before are not counted again.

    A success resets; failures that ended later than the newest success count from there.
    """
    uids = frozenset(uid_of(p) for p in (*succeeded, *failed))
    new_failed = sorted(finish_time(p) for p in failed if uid_of(p) not in before.counted)
    new_succeeded = [finish_time(p) for p in succeeded if uid_of(p) not in before.counted]
    if not new_succeeded:
        if not new_failed:
            return Backoff(before.failures, before.last_failure, uids)
        return Backoff(before.failures + len(new_failed), new_failed[-1], uids)
    later = [moment for moment in new_failed if moment > max(new_succeeded)]
    return Backoff(len(later), later[-1] if later else None, uids)


def may_create_at(failures: int, last_failure: datetime | None) -> datetime | None:
    """When the next pod may be created; None: at once. Counted from the end of the last failed pod."""
    if failures <= 0 or last_failure is None:
        return None
    doublings: int = min(failures - 1, 16)
    delay: timedelta = min(FIRST_DELAY * (1 << doublings), LONGEST_DELAY)
    return last_failure + delay
