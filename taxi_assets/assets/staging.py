"""The staging layer: clean trips, and the quarantine of rows that are no usable trip."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pandas as pd

from glue_jobs.contracts import QUARANTINE, TRIPS
from glue_jobs.contracts.raw import TRIPS_DATASET, ZONES_DATASET
from glue_jobs.contracts.rules import RULES
from taxi_assets.asset_checks.staging import AUDITS, StagedMonth
from taxi_assets.asset_keys import QUARANTINE_KEY, RAW_TRIPS, RAW_ZONES, STAGING_TRIPS, asset_key
from taxi_assets.assets.common import (
    audit,
    by_asset,
    failed_blocking,
    markdown_table,
    publication_metadata,
    readers_see,
    refusal,
    seconds_table,
    table_spec,
)
from taxi_assets.lake.paths import new_version
from taxi_assets.partitions import MONTHS
from taxi_assets.resources.jobs import Jobs
from taxi_assets.resources.lake import LakeResource

_KINDS = {"pyspark", "iceberg"}


@dg.multi_asset(
    name="stage_trips",
    specs=[table_spec(table, [RAW_TRIPS, RAW_ZONES], _KINDS) for table in (TRIPS, QUARANTINE)],
    check_specs=[one.spec for one in AUDITS],
    partitions_def=MONTHS,
)
def stage_trips(
    context: dg.AssetExecutionContext, jobs: Jobs, lake: LakeResource
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    """Clean, judge and enrich the month; publish trips and quarantine if the audits pass."""
    month = context.partition_key
    opened = lake.open()
    trips_file = opened.ledger.current(month, TRIPS_DATASET)
    zones_file = opened.ledger.current(month, ZONES_DATASET)
    if trips_file is None or zones_file is None:
        raise dg.Failure(f"{month} is not landed. What to do: materialize raw/trips for it.", allow_retries=False)
    live = {table.name: opened.publisher.live(table, month) for table in (TRIPS, QUARANTINE)}
    version = new_version(context.run_id)
    staged = StagedMonth(
        month=month,
        source=trips_file.path,
        trips=opened.paths.version(TRIPS, month, version),
        quarantine=opened.paths.version(QUARANTINE, month, version),
        facts={},
    )
    facts = jobs.run(
        context,
        "stage_trips",
        {
            "month": month,
            "trips": staged.source,
            "source_sha256": trips_file.sha256,
            "zones": zones_file.path,
            "trips_out": staged.trips,
            "quarantine_out": staged.quarantine,
        },
    )
    staged.facts.update(facts)
    results = audit(AUDITS, staged, (STAGING_TRIPS, QUARANTINE_KEY))
    if failed_blocking(results):
        yield from results
        raise refusal(results, month, [staged.trips, staged.quarantine], readers_see(live[TRIPS.name]))
    lineage = {
        "run_id": context.run_id,
        "source_sha256": trips_file.sha256,
        "zones_sha256": zones_file.sha256,
        "rules_version": str(facts["rules_version"]),
        "engine": jobs.engine_name,
    }
    # Quarantine first: if the run dies in between, trips still shows the version that it showed before.
    publications = [
        (opened.publisher.publish(table, month, version, lineage, replacing=live[table.name]), extra, asset_key(table))
        for table, extra in ((QUARANTINE, _quarantine_metadata(facts)), (TRIPS, _trips_metadata(facts)))
    ]
    for publication, extra, key in publications:
        yield dg.MaterializeResult(
            asset_key=key,
            metadata={**publication_metadata(publication), **extra},
            check_results=by_asset(results, key),
        )


def _trips_metadata(facts: dict[str, Any]) -> dict[str, Any]:
    return {
        "source_rows": facts["source_rows"],
        "published_rows": facts["published_rows"],
        "quarantined_rows": facts["quarantined_rows"],
        "files": facts["files"],
        "total_amount": facts["money"]["total_amount"],
        "absent_columns": facts["absent_columns"],
        "unknown_columns": facts["unknown_columns"],
        "seconds": seconds_table(facts["seconds"]),
    }


def _quarantine_metadata(facts: dict[str, Any]) -> dict[str, Any]:
    reasons = {rule.rule_id: rule.reason for rule in RULES}
    table = pd.DataFrame(
        [(name, rows, reasons[name]) for name, rows in facts["quarantine_reasons"].items()],
        columns=["reason", "rows", "meaning"],
    )
    return {"quarantine_reasons": facts["quarantine_reasons"], "reasons": dg.MetadataValue.md(markdown_table(table))}
