"""CronJobs and their schedules, as upstream's TestControllerV2SyncCronJob and robfig/cron's TestNext have them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from tests.controllers.conftest import refusal

from lifepod.api.cron_schedule import ScheduleError, parse_schedule
from lifepod.controllers.cron_job import cron_job_controller

ZONES = {"Europe/Berlin": ZoneInfo("Europe/Berlin")}
CRON_JOB = cron_job_controller(ZONES.get)


def cron_job(schedule="* * * * *", **spec):
    template = {"spec": {"template": {"spec": {"containers": [], "restartPolicy": "Never"}}}}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "cj"},
        "spec": {"schedule": schedule, "jobTemplate": {"metadata": {"labels": {"a": "b"}}, **template}, **spec},
        "status": {},
    }


def jobs(cluster):
    return [job["metadata"]["name"] for job in cluster.list("jobs.batch")]


def end(cluster, name, type_="Complete"):
    job = cluster.get("jobs.batch", "default", name)
    moment = f"{cluster.now:%Y-%m-%dT%H:%M:%SZ}"
    status = {"startTime": job["metadata"]["creationTimestamp"], "conditions": [{"type": type_, "status": "True"}]}
    if type_ == "Complete":
        status["completionTime"] = moment
    cluster.change(job, status=status)
    cluster.settle()


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def number(text):
    return int(at(text).timestamp()) // 60


def test_a_job_is_made_each_minute(cluster):
    made = cluster.add(cron_job())
    cluster.drive(CRON_JOB)
    assert jobs(cluster) == []
    cluster.run(60)
    name = f"cj-{number('2025-01-01T00:01')}"
    assert jobs(cluster) == [name]
    job = cluster.list("jobs.batch")[0]
    assert job["metadata"]["labels"] == {"a": "b"}
    assert job["metadata"]["annotations"] == {"batch.kubernetes.io/cronjob-scheduled-timestamp": "2025-01-01T00:01:00Z"}
    assert job["metadata"]["ownerReferences"][0]["kind"] == "CronJob"
    status = cluster.again(made)["status"]
    assert status["lastScheduleTime"] == "2025-01-01T00:01:00Z"
    assert [(r["kind"], r["name"], r["uid"]) for r in status["active"]] == [("Job", name, job["metadata"]["uid"])]
    assert cluster.events("cj") == [("cj", "SuccessfulCreate", f"Created job {name}")]


@pytest.mark.parametrize("ended", ["Complete", "Failed"])
def test_an_ended_job_leaves_the_active_list(cluster, ended):
    made = cluster.add(cron_job())
    cluster.drive(CRON_JOB)
    cluster.run(60)
    (name,) = jobs(cluster)
    end(cluster, name, ended)
    status = cluster.again(made)["status"]
    assert "active" not in status
    assert ("lastSuccessfulTime" in status) == (ended == "Complete")
    assert cluster.events("cj")[-1] == ("cj", "SawCompletedJob", f"Saw completed job: {name}, condition: {ended}")


def test_a_vanished_job_is_missed(cluster):
    made = cluster.add(cron_job())
    cluster.drive(CRON_JOB)
    cluster.run(60)
    (name,) = jobs(cluster)
    cluster.delete(cluster.list("jobs.batch")[0])
    cluster.settle()
    assert "active" not in cluster.again(made)["status"]
    assert ("cj", "MissingJob", f"Active job went missing: {name}") in cluster.events("cj")


def test_forbid_waits_for_the_running_job_and_starts_the_missed_one_then(cluster):
    cluster.add(cron_job(concurrencyPolicy="Forbid"))
    cluster.drive(CRON_JOB)
    cluster.run(120)
    (name,) = jobs(cluster)
    text = "Not starting job because prior execution is running and concurrency policy is Forbid"
    assert ("cj", "JobAlreadyActive", text) in cluster.events("cj")
    end(cluster, name)
    assert jobs(cluster) == [name, f"cj-{number('2025-01-01T00:02')}"]


def test_replace_deletes_the_running_job(cluster):
    cluster.add(cron_job(concurrencyPolicy="Replace"))
    cluster.drive(CRON_JOB)
    cluster.run(60)
    (first,) = jobs(cluster)
    cluster.run(60)
    assert jobs(cluster) == [f"cj-{number('2025-01-01T00:02')}"]
    assert ("cj", "SuccessfulDelete", f"Deleted job {first}") in cluster.events("cj")


def test_allow_lets_them_run_side_by_side(cluster):
    made = cluster.add(cron_job())
    cluster.drive(CRON_JOB)
    cluster.run(180)
    assert len(jobs(cluster)) == len(cluster.again(made)["status"]["active"]) == 3


def test_a_suspended_one_starts_nothing_and_only_the_latest_once_resumed(cluster):
    made = cluster.add(cron_job(suspend=True))
    cluster.drive(CRON_JOB)
    cluster.run(300)
    assert jobs(cluster) == []
    cluster.change(made, spec={**made["spec"], "suspend": False})
    cluster.settle()
    assert jobs(cluster) == [f"cj-{number('2025-01-01T00:05')}"]


def test_too_many_missed_times_are_told_and_the_latest_started(cluster):
    made = cluster.add(cron_job(suspend=True))
    cluster.drive(CRON_JOB)
    cluster.run(102 * 60)
    cluster.change(made, spec={**made["spec"], "suspend": False})
    cluster.settle()
    assert jobs(cluster) == [f"cj-{number('2025-01-01T01:42')}"]
    text = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
    assert ("cj", "TooManyMissedTimes", text) in cluster.events("cj")


def test_later_than_the_deadline_nothing_is_started(cluster):
    made = cluster.add(cron_job("0 * * * *", startingDeadlineSeconds=30, suspend=True))
    cluster.drive(CRON_JOB)
    cluster.run(3600 + 31)
    cluster.change(made, spec={**made["spec"], "suspend": False})
    cluster.settle()
    assert jobs(cluster) == []


def test_history_limits_clear_the_oldest(cluster):
    cluster.add(cron_job(successfulJobsHistoryLimit=2, failedJobsHistoryLimit=1))
    cluster.drive(CRON_JOB)
    for ended in ("Complete", "Failed", "Complete", "Failed", "Complete"):
        cluster.run(60)
        end(cluster, jobs(cluster)[-1], ended)
    left = [int(name.split("-")[1]) - number("2025-01-01T00:00") for name in jobs(cluster)]
    assert left == [3, 4, 5]


def test_no_limit_keeps_all(cluster):
    cluster.add(cron_job(successfulJobsHistoryLimit=None))
    cluster.drive(CRON_JOB)
    for _ in range(5):
        cluster.run(60)
        end(cluster, jobs(cluster)[-1])
    assert len(jobs(cluster)) == 5


def test_a_foreign_job_of_ours_is_told(cluster):
    made = cluster.add(cron_job(suspend=True))
    owner = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "name": "cj",
        "uid": made["metadata"]["uid"],
        "controller": True,
    }
    manual = {"name": "manual", "ownerReferences": [owner]}
    cluster.add({"apiVersion": "batch/v1", "kind": "Job", "metadata": manual, "spec": {}, "status": {}})
    cluster.drive(CRON_JOB)
    text = "Saw a job that the controller did not create or forgot: manual"
    assert cluster.events("cj") == [("cj", "UnexpectedJob", text)]


def test_a_job_of_that_name_that_is_there_already_is_not_made_again(cluster):
    cluster.add(cron_job())
    name = f"cj-{number('2025-01-01T00:01')}"
    cluster.add({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {}, "status": {}})
    cluster.drive(CRON_JOB)
    cluster.run(60)
    assert cluster.events("cj") == []


def test_a_refused_job_is_tried_again(cluster):
    cluster.add(cron_job())
    cluster.drive(CRON_JOB)
    cluster.refuse = lambda w: refusal(500, "InternalError", "boom") if w.resource == "jobs.batch" else None
    cluster.run(60)
    assert ("cj", "FailedCreate", "Error creating job: boom") in cluster.events("cj")
    cluster.refuse = lambda w: None
    cluster.run(30)
    assert len(jobs(cluster)) == 1


def test_the_time_zone_decides_when_midnight_is(cluster):
    cluster.add(cron_job("0 0 * * *", timeZone="Europe/Berlin"))
    cluster.drive(CRON_JOB)
    cluster.run(23 * 3600)
    assert jobs(cluster) == [f"cj-{number('2025-01-01T23:00')}"]
    note = cluster.list("jobs.batch")[0]["metadata"]["annotations"]
    assert list(note.values()) == ["2025-01-02T00:00:00+01:00"]


@pytest.mark.parametrize(
    ("spec", "reason", "text"),
    [
        ({"timeZone": "No/Where"}, "UnknownTimeZone", 'invalid timeZone: "No/Where": unknown time zone No/Where'),
        ({"schedule": "61 * * * *"}, "UnparseableSchedule", 'unparseable schedule: "61 * * * *" : '),
    ],
)
def test_what_cannot_be_read_is_told(cluster, spec, reason, text):
    cluster.add(cron_job(**spec))
    cluster.drive(CRON_JOB)
    assert [(r, t.startswith(text)) for _, r, t in cluster.events("cj")] == [(reason, True)]


def test_one_that_is_being_deleted_starts_nothing(cluster):
    made = cron_job()
    made["metadata"] |= {"deletionTimestamp": "2025-01-01T00:00:00Z", "finalizers": ["x"]}
    cluster.add(made)
    cluster.drive(CRON_JOB)
    cluster.run(120)
    assert jobs(cluster) == []


# ------------------------------------------------------------------------------------------------ schedules


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        ("0/15 * * * *", "2012-07-09T14:45", "2012-07-09T15:00"),
        ("20-35/15 * * * *", "2012-07-09T15:45", "2012-07-09T16:20"),
        ("0 0 * Feb Mon", "2012-07-09T00:00", "2013-02-04T00:00"),
        ("0 0 29 2 ?", "2012-02-29T00:00", "2016-02-29T00:00"),
        ("*/15 10-12 * * *", "2012-07-09T12:45", "2012-07-10T10:00"),
        ("0 0 1,15 * sun", "2025-01-02T00:00", "2025-01-05T00:00"),
        ("0 0 */2 * sun", "2025-01-01T00:00", "2025-01-03T00:00"),
        ("@hourly", "2025-01-01T00:30", "2025-01-01T01:00"),
        ("@yearly", "2025-01-01T00:00", "2026-01-01T00:00"),
        ("@every 90s", "2025-01-01T00:00", "2025-01-01T00:01:30"),
        ("@every 1h30m", "2025-01-01T00:00", "2025-01-01T01:30"),
        ("@every 10ms", "2025-01-01T00:00", "2025-01-01T00:00:01"),
        ("59 23 31 12 *", "2025-12-31T23:59", "2026-12-31T23:59"),
    ],
)
def test_the_next_time(schedule, after, expected):
    assert parse_schedule(schedule).next(at(after)) == at(expected)


def test_a_day_that_never_comes_has_no_next_time():
    assert parse_schedule("0 0 30 2 *").next(at("2025-01-01T00:00")) is None


def test_an_hour_that_the_clock_skips_is_skipped():
    berlin = parse_schedule("30 2 * * *", ZONES["Europe/Berlin"])
    assert berlin.next(at("2025-03-29T12:00")) == at("2025-03-31T00:30")


def test_every_day_has_its_time_across_the_clock_change():
    berlin = parse_schedule("0 12 * * *", ZONES["Europe/Berlin"])
    moment, found = at("2025-10-25T00:00"), []
    for _ in range(3):
        moment = berlin.next(moment)
        found.append(moment)
    assert found == [at("2025-10-25T10:00"), at("2025-10-26T11:00"), at("2025-10-27T11:00")]


@pytest.mark.parametrize(
    "text",
    [
        "* * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 7",
        "5-1 * * * *",
        "*/0 * * * *",
        "a * * * *",
        "@noon",
        "@every x",
        "@every 5",
        "* * * * mon-x",
        "1.5 * * * *",
    ],
)
def test_what_is_no_schedule_is_refused(text):
    with pytest.raises(ScheduleError):
        parse_schedule(text)


def test_times_strictly_rise():
    schedule, moment = parse_schedule("*/7 3,5 * * 1-5"), at("2025-01-01T00:00")
    for _ in range(200):
        following = schedule.next(moment)
        assert following > moment
        assert following.minute % 7 == 0
        assert following.hour in (3, 5)
        assert following.weekday() < 5
        moment = following
    assert moment - at("2025-01-01T00:00") > timedelta(days=10)


def test_a_job_template_without_labels_makes_jobs_without_labels(cluster):
    made = cron_job()
    del made["spec"]["jobTemplate"]["metadata"]
    cluster.add(made)
    cluster.drive(CRON_JOB)
    cluster.run(60)
    assert "labels" not in cluster.list("jobs.batch")[0]["metadata"]


def test_a_delay_counts_from_the_last_time_whatever_happens_meanwhile(cluster):
    made = cluster.add(cron_job("@every 5m"))
    cluster.drive(CRON_JOB)
    cluster.run(180)
    now = cluster.again(made)
    cluster.change(now, metadata={**now["metadata"], "labels": {"a": "b"}})
    cluster.run(119)
    assert jobs(cluster) == []
    cluster.run(1)
    assert jobs(cluster) == [f"cj-{number('2025-01-01T00:05')}"]


def test_a_day_that_no_month_has_is_told(cluster):
    cluster.add(cron_job("0 0 31 2 *"))
    cluster.drive(CRON_JOB)
    text = "invalid schedule: 0 0 31 2 * : time difference between two schedules is less than 1 second"
    assert cluster.events("cj") == [("cj", "InvalidSchedule", text)]
