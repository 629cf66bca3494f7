"""How much CPU and memory pods and the node use: which two samples a rate is made of. Reads nothing itself, polls nobody.

A sample is taken when somebody asks. Asked again within 15 s, the answer is the same; later, the rate is that since the last
sample. Where that is over a minute old, it would tell of the past: then two samples are taken, a second apart (`look` says
so, the caller waits). A container that was not seen before and is younger than 10 s is not known, and nothing of its pod is.

Differs: metrics-server samples every node every 15 s, asked or not.
Source: sigs.k8s.io/metrics-server v0.8 pkg/storage/pod.go: Store, GetMetrics; pkg/storage/types.go: resourceUsage
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from lifepod.runtime.base import ContainerUsage, MeasuredUsage, UsageSample

RESOLUTION = timedelta(seconds=15)
YOUNGEST = timedelta(seconds=10)
STALE = timedelta(minutes=1)
_AGAIN = timedelta(seconds=1)
_FORGOTTEN = timedelta(hours=1)
_NODE = ""


class _Look(NamedTuple):
    """The samples of one pod at one moment, and what the rates are counted from: cpu so far, when."""

    at: datetime
    samples: tuple[UsageSample, ...]
    since: tuple[tuple[datetime, int], ...]


class ResourceUsage:
    """What was seen of each pod and of the node. `pod_samples` and `node_sample` measure."""

    def __init__(
        self, pod_samples: Callable[[str], tuple[UsageSample, ...]], node_sample: Callable[[], UsageSample | None]
    ) -> None:
        self._pod_samples, self._node_sample = pod_samples, node_sample
        self._looks: dict[str, _Look] = {}

    def look_at_pods(self, uids: Iterable[str], now: datetime) -> bool:
        """Measure those that were not seen lately. True: look again in a second, for some were not seen for long."""
        self._forget(now)
        again = [uid for uid in uids if self._look(uid, self._pod_samples, now)]
        return bool(again)

    def look_at_node(self, now: datetime) -> bool:
        """The same of the node."""
        return self._look(_NODE, self._whole_node, now)

    def pod(self, uid: str) -> MeasuredUsage | None:
        """What a pod's containers use by the last look; None when that is not known, or nothing of it runs."""
        look = self._looks.get(uid)
        if look is None or not look.samples or len(look.since) != len(look.samples):
            return None
        used = tuple(
            ContainerUsage(sample.name, _rate(sample, since, look.at), sample.memory_bytes)
            for sample, since in zip(look.samples, look.since, strict=True)
        )
        return MeasuredUsage(look.at, look.at - min(at for at, _ in look.since), used)

    def node(self) -> MeasuredUsage | None:
        """What the node uses, as one container without a name."""
        return self.pod(_NODE)

    def _whole_node(self, key: str) -> tuple[UsageSample, ...]:
        sample = self._node_sample()
        return () if sample is None else (sample,)

    def _look(self, key: str, measure: Callable[[str], tuple[UsageSample, ...]], now: datetime) -> bool:
        before = self._looks.get(key)
        if before is not None and now - before.at < (RESOLUTION if before.since else _AGAIN):
            return not before.since
        self._looks.pop(key, None)
        samples = measure(key)
        starts = [_start(sample, before, now) for sample in samples]
        if any(
            start is None and now - sample.started_at >= YOUNGEST for start, sample in zip(starts, samples, strict=True)
        ):
            self._looks[key] = _Look(now, samples, ())
            return True
        since = tuple(start for start in starts if start is not None)
        if since and len(since) == len(samples):
            self._looks[key] = _Look(now, samples, since)
        return False

    def _forget(self, now: datetime) -> None:
        """The oldest look stands first."""
        for key, look in list(self._looks.items()):
            if now - look.at < _FORGOTTEN:
                return
            del self._looks[key]


def _start(sample: UsageSample, before: _Look | None, now: datetime) -> tuple[datetime, int] | None:
    """What the rate of a container is counted from: its sample before, or its start when that is not long ago."""
    for earlier in before.samples if before is not None else ():
        if before is not None and earlier.id == sample.id and now - before.at <= STALE:
            return before.at, earlier.cpu_nanoseconds
    if YOUNGEST <= now - sample.started_at <= STALE:
        return sample.started_at, 0
    return None


def _rate(sample: UsageSample, since: tuple[datetime, int], at: datetime) -> int:
    """In billionths of a core. What was used by processes that nobody waited for is lost: never less than nothing."""
    seconds = (at - since[0]).total_seconds()
    return max(0, int((sample.cpu_nanoseconds - since[1]) / seconds)) if seconds > 0 else 0
