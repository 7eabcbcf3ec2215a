"""Health of what runs on AWS: the Glue jobs and their runs, the CloudWatch alarms."""

from __future__ import annotations

from datetime import timedelta

from taxi_assets.aws.client import alarm_url
from taxi_assets.aws.cloudwatch import alarms_of
from taxi_assets.aws.deploy import deployed
from taxi_assets.aws.glue import failed_runs
from taxi_assets.jobs.code import build
from taxi_assets.metrics.names import ALARM_PREFIX
from taxi_assets.operations.health.finding import Finding, Level, short
from taxi_assets.operations.health.subject import Subject

GLUE_RUNS_SINCE = timedelta(days=1)


def glue_jobs_have_this_code(subject: Subject) -> list[Finding]:
    """The Glue jobs exist and run the code of this checkout."""
    code, findings = build().version, []
    for name, version in deployed(subject.settings).items():
        if version is None:
            repair = "make it with Terraform, or check TAXI_GLUE_JOB_PREFIX, TAXI_REGION and the account"
            findings.append(Finding(Level.FAIL, f"{name} does not exist", repair))
        elif version != code:
            found = f"{name} has code {version or 'of nobody'}, this checkout is {code}"
            findings.append(Finding(Level.FAIL, found, "taxi-assets deploy, with the code that is to run"))
    return findings or [Finding(Level.OK, f"all have code {code}")]


def glue_runs_ended_well(subject: Subject) -> list[Finding]:
    """No Glue run of the last day failed without a good one after it."""
    since = subject.now - GLUE_RUNS_SINCE
    failed = failed_runs(subject.settings.region, subject.settings.glue_job_prefix, since)
    return [Finding(Level.FAIL, f"{run.month}: {run.said}", run.repair) for run in failed] or [
        Finding(Level.OK, "none of the last day failed, or a good one followed")
    ]


def no_alarm_rings(subject: Subject) -> list[Finding]:
    """None of the CloudWatch alarms of this project is in ALARM."""
    region = subject.settings.region
    alarms = alarms_of(region)
    if not alarms:
        return [Finding(Level.WARN, f"there is no alarm called {ALARM_PREFIX}…", "make them with Terraform")]
    ringing = [alarm for alarm in alarms if alarm["StateValue"] == "ALARM"]
    return [
        Finding(
            Level.FAIL,
            f"{alarm['AlarmName']}: {short(alarm.get('StateReason', ''))}",
            alarm.get("AlarmDescription") or alarm_url(region, alarm["AlarmName"]),
        )
        for alarm in ringing
    ] or [Finding(Level.OK, f"{len(alarms)} alarms, none rings")]
