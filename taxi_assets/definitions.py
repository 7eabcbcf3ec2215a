"""The Dagster code location: which assets, checks, jobs, schedules, sensors and resources it has.

Belongs here: putting them together, and what the two profiles differ in. Does not: what any of it does.
"""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg
from dagster_pyspark import LazyPySparkResource

from taxi_assets.alerts.notify import Notifier, OutboxNotifier
from taxi_assets.alerts.sensor import alerts_sensor
from taxi_assets.alerts.slack import SlackNotifier
from taxi_assets.asset_keys import REPORT
from taxi_assets.assets.code_links import with_code_links
from taxi_assets.assets.curated import build_curated
from taxi_assets.assets.raw import ingest_raw, source_specs
from taxi_assets.assets.reference import calendar, zones
from taxi_assets.assets.report import write_report
from taxi_assets.assets.specs import quality_specs
from taxi_assets.assets.staging import stage_trips
from taxi_assets.assets.views import ask_views, dashboard_spec
from taxi_assets.assets.warehouse import apply_warehouse
from taxi_assets.aws.cloudwatch import CloudWatchMetrics
from taxi_assets.aws.glue import GlueJobs
from taxi_assets.aws.sns import SnsNotifier
from taxi_assets.checks.freshness import freshness_checks
from taxi_assets.jobs.base import Jobs
from taxi_assets.jobs.code import running_version
from taxi_assets.jobs.engine import spark_conf
from taxi_assets.jobs.local import LocalJobs
from taxi_assets.lake.resource import LakeResource, SourceResource
from taxi_assets.metrics.recorder import Metrics, TableMetrics
from taxi_assets.partitions import months_from
from taxi_assets.presentation.report import Links
from taxi_assets.schedules.ask_freshness import ask_freshness_each_day
from taxi_assets.schedules.maintain_tables import maintain_each_week, maintain_tables
from taxi_assets.schedules.verify_published import verify_each_month, verify_published
from taxi_assets.sensors.dropped_files.sensor import dropped_files
from taxi_assets.sensors.follow_upstream import follow_upstream
from taxi_assets.sensors.heartbeat import heartbeat
from taxi_assets.sensors.lost_jobs import stop_lost_jobs
from taxi_assets.sensors.watch_source.sensor import source_watcher, unreachable_since, watched
from taxi_assets.settings import Profile, Settings
from taxi_assets.warehouse.resource import MemoryWarehouse, Warehouse

MONTH_JOB = "process_month"


def build_definitions(settings: Settings, resource_overrides: Mapping[str, object] | None = None) -> dg.Definitions:
    """The whole code location for ``settings``; ``resource_overrides`` replaces resources by name, for tests.

    Runs execute in one process: the work is done in the jobs' processes, and the engine is shared by them.
    """
    running_version()  # the code as it is loaded now, before anybody edits a file
    fresh = freshness_checks(settings.watches_by_itself)
    month_job = dg.define_asset_job(
        MONTH_JOB,
        selection=(
            dg.AssetSelection.groups("reference", "raw", "staging", "curated") | dg.AssetSelection.assets(REPORT)
        )
        - dg.AssetSelection.checks(fresh),
        description="One month from the source to the five curated tables and its report, and the reference data.",
    )
    months = months_from(settings.first_month)
    links = Links(settings.ui_url.rstrip("/"), settings.dashboard_url.rstrip("/"))
    steps = [
        calendar,
        zones,
        ingest_raw(months, masked=settings.mask),
        stage_trips(months),
        build_curated(months),
        write_report(months, links),
        apply_warehouse,
        ask_views,
    ]
    if settings.profile is Profile.LOCAL:  # elsewhere nobody reads the pages on the machine that has the code
        steps = with_code_links(steps)
    verify = verify_published(months)
    return dg.Definitions(
        assets=[*source_specs(months), *steps, *quality_specs(months), dashboard_spec()],
        asset_checks=[fresh],
        jobs=[month_job, verify, maintain_tables],
        schedules=[
            verify_each_month(verify),
            maintain_each_week,
            ask_freshness_each_day(fresh, settings.watches_by_itself),
        ],
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
            "source": SourceResource(spec=settings.source, mask_k=settings.masked_to),
            "jobs": _jobs_of(settings),
            "metrics": metrics_of(settings),
            "notifier": notifier_of(settings),
            "slack": slack_of(settings),
            "warehouse": warehouse_of(settings),
            **(resource_overrides or {}),
        },
    )


@dg.definitions
def defs() -> dg.Definitions:
    """The code location for the environment's settings, made when Dagster loads it."""
    return build_definitions(Settings())


def metrics_of(settings: Settings) -> Metrics:
    """Where the points of a profile go."""
    table = TableMetrics(LakeResource.of(settings))
    return CloudWatchMetrics(settings.region, table) if settings.profile is Profile.AWS else table


def notifier_of(settings: Settings) -> Notifier:
    """The way that has to take every message: SNS if a topic is named, else the outbox in the lake."""
    if settings.alert_topic_arn:
        return SnsNotifier(settings.alert_topic_arn)
    return OutboxNotifier(f"{settings.lake}/alerts")


def warehouse_of(settings: Settings) -> Warehouse:
    """What answers queries of everything that is published."""
    if not settings.redshift_workgroup:
        return MemoryWarehouse()
    from taxi_assets.warehouse.redshift import Workgroup  # what it imports comes with an extra

    return Workgroup.of(settings)


def slack_of(settings: Settings) -> SlackNotifier:
    """Slack, which gets a copy."""
    return SlackNotifier(settings.slack_webhook_url)


def _alerts(settings: Settings) -> dg.SensorDefinition:
    return alerts_sensor(
        settings.ui_url.rstrip("/"),
        lambda context: unreachable_since(watched(context.instance)),
        is_watched=settings.watches_by_itself,
    )


def _jobs_of(settings: Settings) -> Jobs:
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
        code_version=running_version(),
        worker_type=settings.glue_worker_type,
        workers=settings.glue_workers,
        log_group=settings.glue_log_group,
        timeout_minutes=settings.glue_timeout_minutes,
        poll_seconds=settings.glue_poll_seconds,
        retries=settings.glue_retries,
        usd_per_dpu_hour=settings.glue_usd_per_dpu_hour,
    )
