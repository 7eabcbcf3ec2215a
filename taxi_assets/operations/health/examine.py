"""All checks, asked one after the other; one that cannot be asked says so, and stops no other."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime

import dagster as dg
from dagster_shared.check import CheckError

from glue_jobs.errors import PipelineError
from taxi_assets.aws.client import AWS_ERRORS, aws_error_in
from taxi_assets.operations.health.aws import glue_jobs_have_this_code, glue_runs_ended_well, no_alarm_rings
from taxi_assets.operations.health.daemon import daemon_beats, heart_beats
from taxi_assets.operations.health.finding import Finding, Level, Line, short
from taxi_assets.operations.health.lake import (
    contracts_catalog_and_files_agree,
    data_is_fresh,
    lake_answers,
    months_fit_together,
    warehouse_answers,
)
from taxi_assets.operations.health.runs import runs_succeeded
from taxi_assets.operations.health.subject import Ask, Subject
from taxi_assets.settings import Profile, Settings

CHECKS: tuple[tuple[str, Ask], ...] = (
    ("lake", lake_answers),
    ("months", months_fit_together),
    ("catalog and files", contracts_catalog_and_files_agree),
    ("warehouse", warehouse_answers),
    ("runs", runs_succeeded),
    ("freshness", data_is_fresh),
    ("daemon", daemon_beats),
    ("heartbeat", heart_beats),
)
"""What is asked everywhere."""

AWS_CHECKS: tuple[tuple[str, Ask], ...] = (
    ("Glue jobs", glue_jobs_have_this_code),
    ("Glue runs", glue_runs_ended_well),
    ("alarms", no_alarm_rings),
)
"""What is asked on AWS besides."""


def examine(settings: Settings, now: datetime) -> list[Line]:
    """All that the checks of the profile find. One that cannot be asked has failed, and says why."""
    with ExitStack() as until_the_end:
        subject = Subject(settings, now, until_the_end)
        checks = [*CHECKS, *(AWS_CHECKS if settings.profile is Profile.AWS else ())]
        return [
            Line(name, finding.level, finding.found, finding.repair)
            for name, ask in checks
            for finding in answer(ask, subject)
        ]


def answer(ask: Ask, subject: Subject) -> Sequence[Finding]:
    """What a check finds, or why it cannot be asked."""
    try:
        return ask(subject)
    except PipelineError as error:
        return [_cannot_answer(error)]
    except (dg.DagsterError, CheckError) as error:
        return [_cannot_answer(PipelineError(str(error), "see to Dagster's dagster.yaml and database in DAGSTER_HOME"))]
    except (*AWS_ERRORS, ValueError) as error:  # ValueError: a file is no JSON, or no Parquet
        remedy = "see to the disk, then: taxi-assets rebuild --yes"
        return [_cannot_answer(aws_error_in(error) or PipelineError(str(error) or type(error).__name__, remedy))]


def _cannot_answer(error: PipelineError) -> Finding:
    return Finding(Level.FAIL, f"cannot be told: {short(error.problem)}", error.remedy)
