"""The curated layer: five tables from one job, for whichever of them are asked for."""

import json
from collections.abc import Collection, Iterator
from functools import partial
from typing import Any

import dagster as dg

from glue_jobs.contracts import CURATED_TABLES, TRIPS, Table
from glue_jobs.errors import Cause, PipelineError
from glue_jobs.files import parquet_files
from glue_jobs.reports import BUILD_CURATED, BuildReport
from taxi_assets.asset_keys import STAGING_TRIPS, asset_key
from taxi_assets.assets.previews import numbers_of, preview
from taxi_assets.assets.publish import Published, Result, Work, run_and_publish
from taxi_assets.assets.specs import RUNS_POOL, publication_metadata, readers_see, table_spec
from taxi_assets.checks.curated import CHECKS, CuratedMonth
from taxi_assets.jobs.base import JobRun, Jobs
from taxi_assets.lake.duck import connect
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.paths import new_version
from taxi_assets.lake.publishing import Publication
from taxi_assets.lake.reading import parquet_scan
from taxi_assets.lake.resource import LakeResource
from taxi_assets.metrics.recorder import Metrics
from taxi_assets.partitions import Months

_KINDS = {"pyspark", "iceberg"}


def _build_curated(
    context: dg.AssetExecutionContext, jobs: Jobs, lake: LakeResource, metrics: dg.ResourceParam[Metrics]
) -> Iterator[Result]:
    """Build the selected tables of the month from the published staging.

    They are checked together and then committed one right after the other; a table whose checks fail is not, which
    does not hold the others back.
    """
    yield from run_and_publish(context, jobs, lake, metrics, lambda opened: _work(context, opened))


def build_curated(months: Months) -> dg.AssetsDefinition:
    """The step that builds the tables of a month."""
    return dg.multi_asset(
        name="build_curated",
        specs=[table_spec(table, months, [STAGING_TRIPS], _KINDS) for table in CURATED_TABLES.values()],
        check_specs=[one.spec(months) for one in CHECKS],
        partitions_def=months,
        pool=RUNS_POOL,
        can_subset=True,
    )(_build_curated)


def _work(context: dg.AssetExecutionContext, lake: Lake) -> Work[BuildReport, CuratedMonth]:
    month = context.partition_key
    staging = _staging_of(lake, month)
    chosen = [table for table in CURATED_TABLES.values() if asset_key(table) in context.selected_asset_keys]
    if not chosen:
        raise PipelineError("No curated table is selected", "select at least one with its checks", cause=Cause.ORDER)
    live = {table.name: lake.publisher.live(table, month) for table in CURATED_TABLES.values()}
    version = new_version(context.run_id)
    built = CuratedMonth(
        month,
        staging.path,
        {table.name: lake.paths.version(table, month, version) for table in chosen},
        live={
            name: entry.path
            for name, entry in live.items()
            if entry is not None
            and entry.lineage.get("staging_version") == staging.version
            and entry.is_under(CURATED_TABLES[name])
        },
    )

    def publish(job_run: JobRun[BuildReport], passed: Collection[dg.AssetKey]) -> Iterator[Published]:
        lineage = {
            "run_id": context.run_id,
            **job_run.lineage,
            "staging_version": staging.version,
            "staging_snapshot_id": str(staging.snapshot_id),
            **{name: staging.lineage[name] for name in ("source_sha256", "rules_version") if name in staging.lineage},
        }
        for table in chosen:
            if asset_key(table) in passed:
                of_table = {**lineage, "contract_version": str(table.version)}
                rows = job_run.report["rows"][table.name]
                entry = lake.publisher.publish(table, month, version, of_table, live[table.name], checked_rows=rows)
                yield Published(
                    asset_key(table),
                    entry.rows,
                    publication_metadata(lake, table, entry, job_run.metadata),
                    partial(_for_people, table, entry),
                )

    return Work(
        job=BUILD_CURATED,
        arguments={"month": month, "staging": staging.path, "outputs": json.dumps(built.tables)},
        checks=CHECKS,
        version=lambda _: version,
        subject=lambda _: built,
        publish=publish,
        folders=lambda _: {asset_key(table): built.tables[table.name] for table in chosen},
        readers_see={asset_key(table): f"{table.name}: {readers_see(live[table.name])}" for table in chosen},
        together=False,
    )


def _staging_of(lake: Lake, month: str) -> Publication:
    """The published trips of the month; PipelineError if there are none, or if they are of an earlier contract."""
    staging = lake.publisher.live(TRIPS, month)
    if staging is None:
        raise PipelineError(f"{month} is not staged", "materialize staging/trips for it", cause=Cause.ORDER)
    if not staging.is_under(TRIPS):
        raise PipelineError(
            f"staging of {month} was written under an earlier contract than {TRIPS.full_name} v{TRIPS.version}",
            f"run {month} again from staging on",
            cause=Cause.ORDER,
        )
    return staging


def _for_people(table: Table, entry: Publication) -> dict[str, Any]:
    """A version of a table in a few numbers and a few rows."""
    with connect(copies=True) as connection:
        rows = connection.sql(f"SELECT * FROM {parquet_scan(parquet_files(entry.path))}").df()
    return {**numbers_of(rows), "preview": preview(table, rows)}
