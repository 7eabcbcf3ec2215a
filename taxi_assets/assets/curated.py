"""The curated layer: five tables from one job, for whichever of them are asked for."""

import json
from collections.abc import Iterator
from typing import Any

import dagster as dg
import duckdb

from glue_jobs.contracts import CURATED_TABLES, TRIPS
from taxi_assets.asset_checks.audit import scan
from taxi_assets.asset_checks.curated import AUDITS, CuratedMonth
from taxi_assets.asset_keys import STAGING_TRIPS, asset_key
from taxi_assets.assets.common import (
    audit,
    by_asset,
    failed_blocking,
    preview,
    publication_metadata,
    readers_see,
    refusal,
    seconds_table,
    table_spec,
)
from taxi_assets.lake.paths import new_version
from taxi_assets.partitions import MONTHS
from taxi_assets.pictures import FIGURES, write_picture
from taxi_assets.resources.jobs import Jobs
from taxi_assets.resources.lake import LakeResource

_KINDS = {"pyspark", "iceberg"}


@dg.multi_asset(
    name="build_curated",
    specs=[table_spec(table, [STAGING_TRIPS], _KINDS) for table in CURATED_TABLES.values()],
    check_specs=[one.spec for one in AUDITS],
    partitions_def=MONTHS,
    can_subset=True,
)
def build_curated(
    context: dg.AssetExecutionContext, jobs: Jobs, lake: LakeResource
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    """Build the selected tables of the month from the published staging.

    They are audited together and then committed one right after the other: if an audit fails, none is.
    """
    month = context.partition_key
    opened = lake.open()
    staging = opened.publisher.live(TRIPS, month)
    if staging is None:
        raise dg.Failure(f"{month} is not staged. What to do: materialize staging/trips for it.", allow_retries=False)
    chosen = [table for table in CURATED_TABLES.values() if asset_key(table) in context.selected_asset_keys]
    if not chosen:
        raise dg.Failure("No curated table is selected. What to do: select at least one with its checks.")
    live = {table.name: opened.publisher.live(table, month) for table in chosen}
    version = new_version(context.run_id)
    built = CuratedMonth(
        month, staging.path, {table.name: opened.paths.version(table, month, version) for table in chosen}
    )
    facts = jobs.run(
        context,
        "build_curated",
        {"month": month, "staging": staging.path, "outputs": json.dumps(built.tables)},
    )
    results = audit(AUDITS, built, context.selected_asset_keys)
    if failed_blocking(results):
        yield from results
        raise refusal(results, month, built.tables.values(), readers_see(live[chosen[0].name]))
    lineage = {
        "run_id": context.run_id,
        "engine": jobs.engine_name,
        "staging_version": staging.version,
        "staging_snapshot_id": str(staging.snapshot_id),
        **{name: staging.lineage[name] for name in ("source_sha256", "rules_version") if name in staging.lineage},
    }
    publications = [
        (table, opened.publisher.publish(table, month, version, lineage, replacing=live[table.name]))
        for table in chosen
    ]
    for table, publication in publications:
        with duckdb.connect() as connection:
            rows = connection.sql(f"SELECT * FROM {scan(table, publication.path)}").df()
        metadata = {
            **publication_metadata(publication),
            "preview": preview(rows),
            "seconds": seconds_table(facts["seconds"]),
        }
        if table.name in FIGURES:
            path = opened.paths.picture(table, month, version)
            try:
                write_picture(FIGURES[table.name](rows, month), path)
                metadata["picture"] = dg.MetadataValue.path(path)
            except OSError as error:  # the table is published; a full disk must not say that it is not
                context.log.warning(f"{path} could not be written: {error}")
        yield dg.MaterializeResult(
            asset_key=asset_key(table), metadata=metadata, check_results=by_asset(results, asset_key(table))
        )
