"""How the Dagster code location is made from settings.

Belongs here: which assets, jobs and resources it has. Does not: reading settings (``definitions`` does).
"""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg
from dagster_pyspark import LazyPySparkResource

from taxi_assets.assets.common import CHECK_HISTORY_SPEC
from taxi_assets.assets.curated import build_curated
from taxi_assets.assets.raw import SOURCE_SPECS, ingest_raw
from taxi_assets.assets.staging import stage_trips
from taxi_assets.automation.alerts import alerts_sensor
from taxi_assets.automation.conditions import follow_upstream
from taxi_assets.automation.dropped_files import dropped_files
from taxi_assets.automation.heartbeat import heartbeat
from taxi_assets.automation.lost_jobs import stop_lost_jobs
from taxi_assets.automation.source_watcher import source_watcher, unreachable_since, watched
from taxi_assets.automation.verification import verify_each_month, verify_published
from taxi_assets.deploy import build
from taxi_assets.resources.engine import spark_conf
from taxi_assets.resources.glue import GlueJobs
from taxi_assets.resources.jobs import Jobs, LocalJobs
from taxi_assets.resources.lake import LakeResource, SourceResource
from taxi_assets.resources.metrics import metrics_of
from taxi_assets.resources.notifier import notifier_of, slack_of
from taxi_assets.settings import Profile, Settings

MONTH_JOB = "process_month"


def build_definitions(settings: Settings, resource_overrides: Mapping[str, object] | None = None) -> dg.Definitions:
    """The whole code location for ``settings``; ``resource_overrides`` replaces resources by name, for tests.

    Runs execute in one process: the work is done in the jobs' processes, and the engine is shared by them.
    """
    month_job = dg.define_asset_job(
        MONTH_JOB,
        selection=dg.AssetSelection.groups("raw", "staging", "curated"),
        description="One month from the source to the five curated tables.",
    )
    return dg.Definitions(
        assets=[*SOURCE_SPECS, ingest_raw, stage_trips, build_curated, CHECK_HISTORY_SPEC],
        jobs=[month_job, verify_published],
        schedules=[verify_each_month],
        sensors=[
            follow_upstream,
            stop_lost_jobs,
            source_watcher(settings),
            dropped_files(settings),
            _alerts(settings),
            heartbeat(settings),
        ],
        executor=dg.in_process_executor,
        resources={
            "lake": LakeResource.of(settings),
            "source": SourceResource(spec=settings.source),
            "jobs": _jobs(settings),
            "metrics": metrics_of(settings),
            "notifier": notifier_of(settings),
            "slack": slack_of(settings),
            **(resource_overrides or {}),
        },
    )


def _alerts(settings: Settings) -> dg.SensorDefinition:
    return alerts_sensor(settings.ui_url.rstrip("/"), lambda context: unreachable_since(watched(context.instance)))


def _jobs(settings: Settings) -> Jobs:
    """What runs the jobs: all that the profiles differ in, apart from where the lake is."""
    if settings.profile is Profile.LOCAL:
        return LocalJobs(
            engine=settings.engine,
            python=str(settings.jobs_python),
            spark=LazyPySparkResource(spark_config=spark_conf(settings.engine)),
        )
    return GlueJobs(
        spark=LazyPySparkResource(spark_config=spark_conf()),
        lake=settings.lake,
        region=settings.region,
        job_prefix=settings.glue_job_prefix,
        glue_version=settings.glue_version,
        code_version=build().version,
        worker_type=settings.glue_worker_type,
        workers=settings.glue_workers,
        timeout_minutes=settings.glue_timeout_minutes,
        poll_seconds=settings.glue_poll_seconds,
        retries=settings.glue_retries,
        usd_per_dpu_hour=settings.glue_usd_per_dpu_hour,
    )
