"""The curated layer: five tables from one job, for whichever of them are asked for."""

import json
from collections.abc import Iterator
from typing import Any

import dagster as dg

from glue_jobs.contracts import CURATED_TABLES, TRIPS, Table
from taxi_assets.asset_keys import STAGING_TRIPS, asset_key
from taxi_assets.assets.charts import FIGURES, write_picture
from taxi_assets.assets.specs import (
    RUNS_POOL,
    keep,
    measure_attempt,
    measure_published,
    preview,
    publication_metadata,
    readers_see,
    refusal,
    results_of,
    seconds_table,
    table_spec,
)
from taxi_assets.checks.audit import ask_all, scan
from taxi_assets.checks.curated import AUDITS, CuratedMonth
from taxi_assets.jobs.base import Jobs
from taxi_assets.lake.duck import connect
from taxi_assets.lake.paths import new_version
from taxi_assets.lake.resource import LakeResource
from taxi_assets.metrics.recorder import Metrics
from taxi_assets.partitions import MONTHS

_KINDS = {"pyspark", "iceberg"}


@dg.multi_asset(
    name="build_curated",
    specs=[table_spec(table, [STAGING_TRIPS], _KINDS) for table in CURATED_TABLES.values()],
    check_specs=[one.spec for one in AUDITS],
    partitions_def=MONTHS,
    pool=RUNS_POOL,
    can_subset=True,
)
def build_curated(
    context: dg.AssetExecutionContext, jobs: Jobs, lake: LakeResource, metrics: dg.ResourceParam[Metrics]
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    """Build the selected tables of the month from the published staging.

    They are audited together and then committed one right after the other; a table whose audits fail is not, which
    does not hold the others back.
    """
    month = context.partition_key
    opened = lake.open()
    staging = opened.publisher.live(TRIPS, month)
    if staging is None:
        raise dg.Failure(f"{month} is not staged. What to do: materialize staging/trips for it.", allow_retries=False)
    if staging.lineage.get("contract_version") != str(TRIPS.version):
        raise dg.Failure(
            f"staging of {month} was written under an earlier contract than {TRIPS.full_name} v{TRIPS.version}. "
            f"What to do: run {month} again from staging on.",
            allow_retries=False,
        )
    chosen = [table for table in CURATED_TABLES.values() if asset_key(table) in context.selected_asset_keys]
    if not chosen:
        raise dg.Failure("No curated table is selected. What to do: select at least one with its checks.")
    live = {table.name: opened.publisher.live(table, month) for table in CURATED_TABLES.values()}
    version = new_version(context.run_id)
    built = CuratedMonth(
        month,
        staging.path,
        {table.name: opened.paths.version(table, month, version) for table in chosen},
        live={
            name: entry.path
            for name, entry in live.items()
            if entry is not None
            and entry.lineage.get("staging_version") == staging.version
            and entry.lineage.get("contract_version") == str(CURATED_TABLES[name].version)
        },
    )
    job_run = jobs.run(
        context,
        "build_curated",
        {"month": month, "staging": staging.path, "outputs": json.dumps(built.tables)},
    )
    answers = ask_all(AUDITS, built, context.selected_asset_keys)
    keep(context, opened, answers, version)
    measure_attempt(context, metrics, answers, job_run)
    refused = {answer.asset for answer in answers if answer.holds_back}
    held_back = [table for table in chosen if asset_key(table) in refused]
    passed = [table for table in chosen if asset_key(table) not in refused]
    lineage = {
        "run_id": context.run_id,
        **job_run.lineage,
        "staging_version": staging.version,
        "staging_snapshot_id": str(staging.snapshot_id),
        **{name: staging.lineage[name] for name in ("source_sha256", "rules_version") if name in staging.lineage},
    }

    def lineage_of(table: Table) -> dict[str, str]:
        return {**lineage, "contract_version": str(table.version)}

    publications = [
        (table, opened.publisher.publish(table, month, version, lineage_of(table), replacing=live[table.name]))
        for table in passed
    ]
    for table, publication in publications:
        with connect(copies=True) as connection:
            rows = connection.sql(f"SELECT * FROM {scan(table, publication.path)}").df()
        metadata = {
            **publication_metadata(opened, table, publication, job_run.metadata),
            "preview": preview(rows),
            "seconds": seconds_table(job_run.facts["seconds"]),
        }
        if table.name in FIGURES:
            path = opened.paths.picture(table, month, version)
            try:
                write_picture(FIGURES[table.name](rows, month), path)
                metadata["picture"] = dg.MetadataValue.path(path)
            except OSError as error:  # the table is published; a full disk must not say that it is not
                context.log.warning(f"{path} could not be written: {error}")
        yield dg.MaterializeResult(
            asset_key=asset_key(table), metadata=metadata, check_results=results_of(answers, asset_key(table))
        )
    measure_published(context, metrics, opened, {asset_key(table): entry.rows for table, entry in publications})
    if held_back:
        yield from (answer.result for answer in answers if answer.asset in refused)
        seen = "; ".join(f"{table.name}: {readers_see(live[table.name])}" for table in held_back)
        others = f" Published: {', '.join(table.name for table in passed)}." if passed else ""
        raise refusal(answers, month, [built.tables[table.name] for table in held_back], f"{seen}.{others}".rstrip("."))
