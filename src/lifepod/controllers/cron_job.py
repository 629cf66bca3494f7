"""CronJobs: a Job at each scheduled time, as the concurrency policy allows; old Jobs are cleared away.

Key: (namespace, name). Source: k8s.io/kubernetes v1.34.4 pkg/controller/cronjob/cronjob_controllerv2.go: syncCronJob,
cleanupFinishedJobs; utils.go: mostRecentScheduleTime, getJobFromTemplate2; injection.go
Differs: a Job is noted in the status at the look after it was made, so no reference to it has to be kept in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

from lifepod.api.cron_schedule import Schedule, ScheduleError, parse_schedule
from lifepod.api.objects import JsonObject, format_time, parse_time
from lifepod.api.writes import Write
from lifepod.controllers.outcome import (
    NOTHING,
    Change,
    Controller,
    Look,
    ObjectEvent,
    Outcome,
    Stage,
    Wish,
    status_wish,
)
from lifepod.controllers.ownership import (
    annotations_of,
    controlled,
    controller_key,
    controller_reference,
    is_being_deleted,
    key_of,
    name_of,
    namespace_of,
    uid_of,
)
from lifepod.controllers.status_conditions import has_condition
from lifepod.controllers.view import Key

RESOURCE = "cronjobs.batch"
JOBS = "jobs.batch"
SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"
TOO_MANY = 100
Zones = Callable[[str], tzinfo | None]


def _keys(change: Change) -> Iterable[Key]:
    if change.resource == RESOURCE:
        return (key_of(change.obj),)
    key = controller_key(change.obj, "CronJob", "batch")
    return (key,) if key else ()


def cron_job_controller(zone_of: Zones) -> Controller:
    """The controller; `zone_of` finds a time zone by name."""

    def reconcile(look: Look) -> Outcome:
        cron_job = look.view.get(RESOURCE, look.key[0], look.key[1])
        return NOTHING if cron_job is None else _reconcile(look, cron_job, zone_of)

    return Controller("cron-job", "cronjob-controller", (RESOURCE, JOBS), _keys, reconcile)


class _Noted(NamedTuple):
    """The status as the Jobs make it, and what is told of them."""

    status: JsonObject
    events: tuple[ObjectEvent, ...]


def _reconcile(look: Look, cron_job: JsonObject, zone_of: Zones) -> Outcome:
    jobs = controlled(look.view, cron_job, JOBS)
    noted = _noted(cron_job, jobs)
    events = list(noted.events)
    stages: list[Stage] = []
    if noted.status != (cron_job.get("status") or {}):
        stages.append((status_wish(RESOURCE, cron_job, noted.status),))
    stages.append(tuple(_removal(cron_job, job) for job in superfluous_jobs(cron_job, jobs)))
    plan = _scheduled(look, {**cron_job, "status": noted.status}, zone_of)
    return Outcome(
        tuple(stage for stage in (*stages, *plan.stages) if stage), (*events, *plan.events), wake_at=plan.wake_at
    )


# ------------------------------------------------------------------------------------------------ what the Jobs say


def _noted(cron_job: JsonObject, jobs: Sequence[JsonObject]) -> _Noted:
    """New Jobs enter the active list, finished and vanished ones leave it; the last success is kept."""
    status = dict(cron_job.get("status") or {})
    active: list[JsonObject] = list(status.get("active") or [])
    events: list[ObjectEvent] = []
    for job in sorted(jobs, key=lambda j: annotations_of(j).get(SCHEDULED, "")):
        listed = any(reference.get("uid") == uid_of(job) for reference in active)
        ended = finished_as(job)
        if not listed and ended is None:
            moment = _scheduled_at(job)
            last = status.get("lastScheduleTime")
            if moment is not None and (last is None or moment > parse_time(last)):
                active.append(_reference(job))
                status["lastScheduleTime"] = format_time(moment)
            elif not is_being_deleted(job):
                text = f"Saw a job that the controller did not create or forgot: {name_of(job)}"
                events.append(ObjectEvent(cron_job, "Warning", "UnexpectedJob", text))
        elif listed and ended is not None:
            active = [reference for reference in active if reference.get("uid") != uid_of(job)]
            text = f"Saw completed job: {name_of(job)}, condition: {ended}"
            events.append(ObjectEvent(cron_job, "Normal", "SawCompletedJob", text))
        done = (job.get("status") or {}).get("completionTime") if ended == "Complete" else None
        if done and (
            not status.get("lastSuccessfulTime") or parse_time(done) > parse_time(status["lastSuccessfulTime"])
        ):
            status["lastSuccessfulTime"] = done
    there = {uid_of(job) for job in jobs}
    for reference in active:
        if reference.get("uid") not in there:
            text = f"Active job went missing: {reference.get('name')}"
            events.append(ObjectEvent(cron_job, "Normal", "MissingJob", text))
    active = [reference for reference in active if reference.get("uid") in there]
    status.pop("active", None)
    return _Noted({"active": active, **status} if active else status, tuple(events))


def _reference(job: JsonObject) -> JsonObject:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": name_of(job),
        "namespace": namespace_of(job),
        "resourceVersion": job["metadata"].get("resourceVersion", ""),
        "uid": uid_of(job),
    }


def _scheduled_at(job: JsonObject) -> datetime | None:
    text = annotations_of(job).get(SCHEDULED)
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def finished_as(job: JsonObject) -> str | None:
    """Complete or Failed; None while the Job runs."""
    conditions = (job.get("status") or {}).get("conditions") or []
    return next((type_ for type_ in ("Complete", "Failed") if has_condition(conditions, type_)), None)


def superfluous_jobs(cron_job: JsonObject, jobs: Sequence[JsonObject]) -> list[JsonObject]:
    """The oldest finished Jobs beyond the two history limits."""
    found: list[JsonObject] = []
    for end, member, usual in (("Complete", "successfulJobsHistoryLimit", 3), ("Failed", "failedJobsHistoryLimit", 1)):
        limit = cron_job["spec"].get(member, usual)
        ended = [job for job in jobs if finished_as(job) == end and not is_being_deleted(job)]
        ended.sort(key=lambda job: ((job.get("status") or {}).get("startTime") or "~", name_of(job)))
        if limit is not None:
            found += ended[: max(0, len(ended) - limit)]
    return found


def _removal(cron_job: JsonObject, job: JsonObject) -> Wish:
    options = {"propagationPolicy": "Background", "preconditions": {"uid": uid_of(job)}}
    return Wish(
        Write("delete", JOBS, namespace_of(job), name_of(job), options),
        ObjectEvent(cron_job, "Normal", "SuccessfulDelete", f"Deleted job {name_of(job)}"),
        ObjectEvent(cron_job, "Warning", "FailedDelete", "Deleted job: "),
    )


# ------------------------------------------------------------------------------------------------ the next Job


def _scheduled(look: Look, cron_job: JsonObject, zone_of: Zones) -> Outcome:
    """Start the Job that is due, or say why not; and wake at the next time."""
    spec = cron_job["spec"]
    if is_being_deleted(cron_job):
        return NOTHING
    zone_name = spec.get("timeZone")
    zone = zone_of(str(zone_name)) if zone_name else UTC
    if zone is None:
        text = f'invalid timeZone: "{zone_name}": unknown time zone {zone_name}'
        return _told(cron_job, "Warning", "UnknownTimeZone", text)
    if spec.get("suspend"):
        return NOTHING
    try:
        schedule = parse_schedule(spec["schedule"], zone)
    except ScheduleError as exc:
        text = f'unparseable schedule: "{spec["schedule"]}" : {exc}'
        return _told(cron_job, "Warning", "UnparseableSchedule", text)
    if schedule.next(look.now) is None:
        text = f"invalid schedule: {spec['schedule']} : time difference between two schedules is less than 1 second"
        return _told(cron_job, "Warning", "InvalidSchedule", text)
    due, many = latest_due(cron_job, schedule, look.now)
    wake_at = _next_look(cron_job, schedule, look.now)
    if due is None:
        return Outcome(wake_at=wake_at)
    missed: tuple[ObjectEvent, ...] = ()
    if many:
        text = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
        missed = (ObjectEvent(cron_job, "Warning", "TooManyMissedTimes", text),)
    started = _start(look, cron_job, due, zone)
    return started._replace(events=(*missed, *started.events), wake_at=wake_at)


def _next_look(cron_job: JsonObject, schedule: Schedule, now: datetime) -> datetime | None:
    """When the next Job is due, counted from the last: `@every` does not begin anew with each look.

    Source: k8s.io/kubernetes v1.34.4 pkg/controller/cronjob/utils.go: nextScheduleTimeDuration
    """
    spec = {name: value for name, value in cron_job["spec"].items() if name != "startingDeadlineSeconds"}
    last, _ = latest_due({**cron_job, "spec": spec}, schedule, now)
    return schedule.next(last or _counted_from(cron_job))


def _counted_from(cron_job: JsonObject) -> datetime:
    """The last scheduled time; of a new CronJob its creation."""
    last = (cron_job.get("status") or {}).get("lastScheduleTime")
    return parse_time(last or cron_job["metadata"]["creationTimestamp"])


def _told(cron_job: JsonObject, type_: str, reason: str, text: str) -> Outcome:
    return Outcome(events=(ObjectEvent(cron_job, "Warning" if type_ == "Warning" else "Normal", reason, text),))


def _start(look: Look, cron_job: JsonObject, due: datetime, zone: tzinfo) -> Outcome:
    spec, status = cron_job["spec"], cron_job["status"]
    deadline = spec.get("startingDeadlineSeconds")
    if deadline is not None and due + timedelta(seconds=deadline) < look.now:
        text = f"Missed scheduled time to start a job: {due.strftime('%a, %d %b %Y %H:%M:%S +0000')}"
        return _told(cron_job, "Warning", "MissSchedule", text)
    name = f"{name_of(cron_job)}-{int(due.timestamp()) // 60}"
    active = status.get("active") or []
    if any(reference.get("name") == name for reference in active) or status.get("lastScheduleTime") == format_time(due):
        return NOTHING
    if spec.get("concurrencyPolicy") == "Forbid" and active:
        text = "Not starting job because prior execution is running and concurrency policy is Forbid"
        return _told(cron_job, "Normal", "JobAlreadyActive", text)
    stages: list[Stage] = []
    if spec.get("concurrencyPolicy") == "Replace":
        running = [look.view.get(JOBS, namespace_of(cron_job), str(reference.get("name"))) for reference in active]
        stages.append(tuple(_removal(cron_job, job) for job in running if job is not None))
    if look.view.get(JOBS, namespace_of(cron_job), name) is not None:
        return Outcome(tuple(stages))
    wish = Wish(
        Write("create", JOBS, namespace_of(cron_job), name, new_job(cron_job, name, due, zone)),
        ObjectEvent(cron_job, "Normal", "SuccessfulCreate", f"Created job {name}"),
        ObjectEvent(cron_job, "Warning", "FailedCreate", "Error creating job: "),
    )
    return Outcome((*stages, (wish,)))


def new_job(cron_job: JsonObject, name: str, due: datetime, zone: tzinfo) -> JsonObject:
    """The Job of one scheduled time, named after its minute."""
    template = cron_job["spec"].get("jobTemplate") or {}
    wanted = template.get("metadata") or {}
    local = due.astimezone(zone).isoformat(timespec="seconds").replace("+00:00", "Z")
    metadata: JsonObject = {
        "name": name,
        "namespace": namespace_of(cron_job),
        "annotations": {**(wanted.get("annotations") or {}), SCHEDULED: local},
        "ownerReferences": [controller_reference(cron_job)],
    }
    if wanted.get("labels"):
        metadata["labels"] = wanted["labels"]
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template.get("spec") or {}}


def latest_due(cron_job: JsonObject, schedule: Schedule, now: datetime) -> tuple[datetime | None, bool]:
    """The latest scheduled time not yet started, and whether more than a hundred were missed.

    Source: k8s.io/kubernetes v1.34.4 pkg/controller/cronjob/utils.go: mostRecentScheduleTime, nextScheduleTime
    """
    earliest = _counted_from(cron_job)
    deadline = cron_job["spec"].get("startingDeadlineSeconds")
    if deadline is not None:
        earliest = max(earliest, now - timedelta(seconds=deadline))
    first = schedule.next(earliest)
    if first is None or now < first:
        return None, False
    second = schedule.next(first)
    if second is None or now < second:
        return first, False
    # Not every one is walked through: minutes of a year would be half a million.
    missed = int((now - first) / (second - first)) + 1
    recent = moment = schedule.next(first + (missed - 2) * (second - first))
    while moment is not None and moment <= now:
        recent, moment = moment, schedule.next(moment)
    return (recent if recent is not None and recent <= now else None), missed > TOO_MANY
