"""`lifepod run`: apply manifests somewhere, watch what they make, tell it, end with the right exit code, clean up.

Where is a `Venue`: a cluster of this process's own or a context of the kubeconfig; the rest is the same. What the run's end
and its exit code are is decided in `diagnosis/run_end.py`; how things look in `ui/`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from lifepod.api.objects import JsonObject, dig
from lifepod.api.writes import ApiError
from lifepod.client.base import Client
from lifepod.client.errors import ClientError
from lifepod.client.manifests import Manifest
from lifepod.diagnosis.findings import Finding, Picture
from lifepod.diagnosis.run_end import Ending, Until, ending
from lifepod.diagnosis.why import why
from lifepod.lifecycle.vocabulary import Because
from lifepod.ui.story import Change, LogLine, Story, container_statuses

if TYPE_CHECKING:
    from lifepod.runtime.images.local_images import Progress

BAD_INPUT, TIMED_OUT, INTERRUPTED = 2, 124, 130
_RUNS_FOR_EVER = frozenset(
    (
        "deployments.apps",
        "statefulsets.apps",
        "daemonsets.apps",
        "replicasets.apps",
        "cronjobs.batch",
        "replicationcontrollers",
    )
)
Take: TypeAlias = Callable[[str, JsonObject], None]
_FIRST = ("namespaces", "customresourcedefinitions.apiextensions.k8s.io")


class Venue(NamedTuple):
    """Where the run takes place. `is_ours`: a cluster of this process's own, so everything in it is the run's.

    `listen` says who hears from now on what people should know of the whole cluster, and how far pulls are.
    """

    client: Client
    title: str
    notes: tuple[str, ...]
    is_ours: bool
    now: Callable[[], datetime]
    decisions: Callable[[str], tuple[Because, ...]] = lambda uid: ()
    listen: Callable[[Callable[[str], None], Callable[[Progress], None]], None] = lambda on_notice, on_pull: None


class Screen(Protocol):
    """Who shows the run: the live board, plain lines, or nobody (`-o json`)."""

    def begin(self, session: Session) -> None: ...

    def change(self, change: Change) -> None: ...

    def event(self, event: JsonObject) -> None: ...

    def log(self, line: LogLine) -> None: ...

    def pull(self, progress: Progress) -> None: ...

    def say(self, text: str) -> None: ...

    def tick(self) -> None: ...

    def end(self, result: Result) -> None: ...


class Result(NamedTuple):
    """How a run ended."""

    exit_code: int
    cause: str
    subject: str
    pods: tuple[JsonObject, ...]
    jobs: tuple[JsonObject, ...]
    findings: dict[str, tuple[Finding, ...]]


class Refused(Exception):
    """The API did not take an object; nothing of the run stays."""

    def __init__(self, manifest: Manifest, error: ApiError) -> None:
        at = f"{manifest.source}:{manifest.place.line}:{manifest.place.column}"
        super().__init__(f'{at}: {manifest.kind.kind} "{manifest.name}": {error}')


class Session:
    """One run under way."""

    def __init__(self, venue: Venue, manifests: Sequence[Manifest], until: Until | None, screen: Screen) -> None:
        self.venue, self.story, self.started = venue, Story(), venue.now()
        self._manifests, self._until, self._screen = list(manifests), until, screen
        self._applied: list[JsonObject] = []
        self._others: dict[tuple[str, str, str], JsonObject] = {}
        self._owners: set[str] = set()
        self._followed: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()
        self._broken: Exception | None = None
        self._early: list[tuple[Take, str, JsonObject]] = []
        self._is_applied = False
        self._is_over = False

    # -------------------------------------------------------------------------------------------- from start to end

    async def run(self, at_most: timedelta | None, stop: asyncio.Event) -> Result:
        """Apply, watch and wait for the end. Raises Refused when an object is not taken."""
        for namespace in sorted({m.namespace for m in self._manifests if m.namespace}):
            self._watch_all(namespace)
        await asyncio.sleep(0)
        await self._apply()
        self._screen.begin(self)
        for take, kind, obj in self._early:
            take(kind, obj)
        self._early, self._is_applied = [], True
        return await self._wait(at_most, stop)

    async def clean_up(self) -> None:
        """Delete what was applied, newest first; what is gone already is fine."""
        for obj, manifest in reversed(list(zip(self._applied, self._manifests, strict=False))):
            with contextlib.suppress(ApiError, ClientError):
                path = f"{_collection(manifest)}/{obj['metadata']['name']}"
                await self.venue.client.request("DELETE", path, {"propagationPolicy": "Background"})

    async def close(self) -> None:
        """Let go of every watch and log."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _wait(self, at_most: timedelta | None, stop: asyncio.Event) -> Result:
        deadline = None if at_most is None else self.started + at_most
        stopped = asyncio.ensure_future(stop.wait())
        try:
            while True:
                self._screen.tick()
                end = self._ending(deadline, stop)
                if end is not None:
                    await self._drain_logs()
                    self._is_over = True
                    return self._result(end)
                self._news.clear()
                news = asyncio.ensure_future(self._news.wait())
                await asyncio.wait(
                    (news, stopped), timeout=self._patience(deadline), return_when=asyncio.FIRST_COMPLETED
                )
                news.cancel()
        finally:
            stopped.cancel()

    def _patience(self, deadline: datetime | None) -> float:
        left = 1.0 if deadline is None else (deadline - self.venue.now()).total_seconds()
        return min(max(left, 0.0), 0.25)

    def _ending(self, deadline: datetime | None, stop: asyncio.Event) -> Ending | None:
        if self._broken is not None:
            return Ending(1, str(self._broken))
        pods, jobs = self._own("pods", self.story.pods), self._own("jobs.batch", self.story.jobs)
        seen = [*self.story.pods.values(), *self.story.gone.values()]
        for_ever = any(m.kind.resource in _RUNS_FOR_EVER for m in self._manifests)
        end = ending(self._until, pods, jobs, seen, self._applied, for_ever)
        if end is not None:
            return end
        if stop.is_set():
            return Ending(INTERRUPTED, "interrupted")
        if deadline is not None and self.venue.now() >= deadline:
            return Ending(TIMED_OUT, "the time is up")
        return None

    def _own(self, resource: str, seen: dict[str, JsonObject]) -> list[JsonObject]:
        """The applied objects of one resource as they are now (as applied, until a watch tells more)."""
        found = []
        for obj, manifest in zip(self._applied, self._manifests, strict=False):
            if manifest.kind.resource == resource:
                key = f"{manifest.namespace}/{obj['metadata']['name']}"
                found.append(seen.get(key) or self.story.gone.get(key) or obj)
        return found

    def _result(self, end: Ending) -> Result:
        pods = {**self.story.gone, **self.story.pods}
        return Result(
            end.exit_code,
            end.cause,
            end.subject,
            tuple(pods.values()),
            tuple(self.story.jobs.values()),
            self.findings(),
        )

    def on_pull(self, progress: Progress) -> None:
        """An image is on its way."""
        if not self._is_over:
            self.story.on_pull(progress)
            self._screen.pull(progress)
            self._news.set()

    # -------------------------------------------------------------------------------------------- applying

    async def _apply(self) -> None:
        self._manifests.sort(key=lambda m: m.kind.resource not in _FIRST)
        for manifest in self._manifests:
            try:
                made = await self.venue.client.request(
                    "POST", _collection(manifest), manifest.obj, {"fieldManager": "lifepod"}
                )
            except ApiError as exc:
                await self.clean_up()
                raise Refused(manifest, exc) from exc
            self._applied.append(made)
            self._owners.add(made["metadata"]["uid"])

    # -------------------------------------------------------------------------------------------- watching

    def _watch_all(self, namespace: str) -> None:
        core = f"/api/v1/namespaces/{namespace}"
        for path, take in (
            (f"{core}/services", self._take_other("services")),
            (f"/apis/apps/v1/namespaces/{namespace}/replicasets", self._take_owner),
            (f"/apis/batch/v1/namespaces/{namespace}/jobs", self._take_job),
            (f"{core}/events", self._take_event),
            (f"{core}/pods", self._take_pod),
        ):
            self._start(self._watch(path, take))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch(self, path: str, take: Take) -> None:
        """Watch for ever: from the start, then from where it broke off; from the start again when that is too long ago."""
        revision = ""
        while True:
            try:
                async for event in self.venue.client.watch(path, {"resourceVersion": revision} if revision else {}):
                    if event.type == "ERROR":
                        revision = ""
                        break
                    revision = event.object["metadata"]["resourceVersion"]
                    if event.type != "BOOKMARK":
                        self._take(take, event.type, event.object)
            except ApiError as exc:
                if exc.code in (403, 404):
                    return
                revision = ""
                await asyncio.sleep(1)
            except (ClientError, OSError) as exc:
                self._broken = exc
                self._news.set()
                return

    def _take(self, take: Take, kind: str, obj: JsonObject) -> None:
        """Whose an object is, is known once everything is applied; what comes earlier is kept until then."""
        if self._is_over:
            return
        if self._is_applied:
            take(kind, obj)
            self._news.set()
        else:
            self._early.append((take, kind, obj))

    def _take_pod(self, kind: str, pod: JsonObject) -> None:
        if not self._is_ours(pod):
            return
        self._follow_logs(pod)
        change = self.story.on_pod(kind, pod, self.venue.now())
        if change:
            self._screen.change(change)

    def _take_job(self, kind: str, job: JsonObject) -> None:
        if self._is_ours(job):
            self._owners.add(job["metadata"]["uid"])
            change = self.story.on_job(kind, job, self.venue.now())
            if change:
                self._screen.change(change)

    def _take_owner(self, kind: str, obj: JsonObject) -> None:
        if self._is_ours(obj):
            self._owners.add(obj["metadata"]["uid"])

    def _take_event(self, kind: str, event: JsonObject) -> None:
        self.story.on_event(kind, event)
        if kind != "DELETED" and self._is_known(dig(event, "involvedObject", "uid")):
            self._screen.event(event)

    def _take_other(self, resource: str) -> Take:
        def take(kind: str, obj: JsonObject) -> None:
            key = (resource, obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
            if kind == "DELETED":
                self._others.pop(key, None)
            else:
                self._others[key] = obj

        return take

    def _is_known(self, uid: str | None) -> bool:
        return uid in self._owners or any(p["metadata"]["uid"] == uid for p in self.story.pods.values())

    def _is_ours(self, obj: JsonObject) -> bool:
        meta = obj["metadata"]
        return (
            self.venue.is_ours
            or meta["uid"] in self._owners
            or any(o.get("uid") in self._owners for o in meta.get("ownerReferences") or [])
        )

    # -------------------------------------------------------------------------------------------- logs

    def _follow_logs(self, pod: JsonObject) -> None:
        for status in container_statuses(pod):
            started = dig(status, "state", "running") is not None or dig(status, "state", "terminated") is not None
            identity = status.get("containerID")
            if started and identity and identity not in self._followed:
                self._followed.add(identity)
                self._start(self._follow(pod, status["name"]))

    async def _follow(self, pod: JsonObject, container: str) -> None:
        meta = pod["metadata"]
        path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/log"
        with contextlib.suppress(ApiError, ClientError):
            async for line in _lines(self.venue.client.stream(path, {"container": container, "follow": "true"})):
                self.story.on_log(LogLine(meta["name"], container, line))
                self._screen.log(LogLine(meta["name"], container, line))
                self._news.set()

    async def _drain_logs(self) -> None:
        """Give the last lines of what has ended a moment to arrive."""
        before = -1
        while before != len(self.story.logs):
            before = len(self.story.logs)
            await asyncio.sleep(0.02)

    # -------------------------------------------------------------------------------------------- causes

    def findings(self) -> dict[str, tuple[Finding, ...]]:
        """Why each pod is as it is, by `namespace/name`."""
        now = self.venue.now()
        return {key: why(self._picture(pod, now)) for key, pod in {**self.story.gone, **self.story.pods}.items()}

    def _picture(self, pod: JsonObject, now: datetime) -> Picture:
        return Picture(
            pod,
            now,
            self.story.events_of(pod),
            lambda resource, namespace, name: self._others.get((resource, namespace, name)),
            self.venue.decisions(pod["metadata"]["uid"]),
            self.story.last_lines_of(pod),
        )


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace")
    if rest:
        yield rest.decode(errors="replace")


def _collection(manifest: Manifest) -> str:
    kind = manifest.kind
    base = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    return f"{base}/namespaces/{manifest.namespace}/{kind.plural}" if kind.namespaced else f"{base}/{kind.plural}"
