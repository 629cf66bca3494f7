"""Which kinds the group `batch/v1` has."""

from __future__ import annotations

from lifepod.api.defaults_workloads import default_cron_job, default_job
from lifepod.api.first_status import starting_with
from lifepod.api.honoured_warnings import template_warnings
from lifepod.api.job_writes import prepared_job
from lifepod.api.kinds import Kind, status_of
from lifepod.api.validation_job import cron_job_errors, cron_job_update_errors, job_errors, job_update_errors
from lifepod.api.validation_job_status import job_status_errors

KINDS = (
    Kind(
        group="batch",
        version="v1",
        kind="CronJob",
        plural="cronjobs",
        singular="cronjob",
        namespaced=True,
        schema="io.k8s.api.batch.v1.CronJob",
        short_names=("cj",),
        categories=("all",),
        subresources=(status_of("CronJob"),),
        has_generation=True,
        has_status=True,
        default=default_cron_job,
        prepare_create=starting_with({}),
        validate=cron_job_errors,
        warnings=template_warnings("spec", "jobTemplate", "spec", "template", "spec"),
        validate_update=cron_job_update_errors,
    ),
    Kind(
        group="batch",
        version="v1",
        kind="Job",
        plural="jobs",
        singular="job",
        namespaced=True,
        schema="io.k8s.api.batch.v1.Job",
        categories=("all",),
        subresources=(status_of("Job"),),
        has_generation=True,
        has_status=True,
        fields={"status.successful": ("status", "succeeded")},
        default=default_job,
        prepare_create=prepared_job,
        validate=job_errors,
        warnings=template_warnings("spec", "template", "spec"),
        validate_update=job_update_errors,
        validate_status=job_status_errors,
    ),
)
