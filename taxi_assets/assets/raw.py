"""The raw layer: the source's own files, landed and entered in the ledger; and the source, where lineage begins."""

import json
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pandas as pd
from botocore.exceptions import BotoCoreError, ClientError

from glue_jobs.contracts import FILES, tlc
from glue_jobs.contracts.raw import TRIPS_DATASET, ZONES_DATASET
from taxi_assets.asset_keys import RAW_TRIPS, RAW_ZONES, SOURCE_TRIPS, SOURCE_ZONES
from taxi_assets.assets.policies import policy
from taxi_assets.assets.specs import (
    OWNERS,
    RUNS_POOL,
    keep,
    markdown_table,
    measure_attempt,
    measure_published,
    refusal,
    results_of,
    seconds_table,
)
from taxi_assets.checks.audit import ask_all
from taxi_assets.checks.raw import AUDITS, LandedMonth
from taxi_assets.jobs.base import Jobs
from taxi_assets.lake.append_tables import LandedFile
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.resource import LakeResource, SourceResource
from taxi_assets.metrics.recorder import Metrics
from taxi_assets.partitions import MONTHS

SOURCE_SPECS = [
    dg.AssetSpec(
        SOURCE_TRIPS,
        description="The trip files that the TLC publishes, one a month. The watcher tells of each that is new.",
        group_name="source",
        kinds={"parquet"},
        partitions_def=MONTHS,
    ),
    dg.AssetSpec(
        SOURCE_ZONES,
        description="The lookup of taxi zones that the TLC publishes.",
        group_name="source",
        kinds={"csv"},
    ),
]
"""What others make, so that lineage begins where the data does."""
_TRIP_SCHEMA = dg.TableSchema(
    columns=[dg.TableColumn(column.name, column.type.value, column.description) for column in tlc.TRIP_COLUMNS]
)


LANDING = "landing"
"""The cause when audits of a landed file fail: they compare it with what was fetched, and judge no trip."""


class IngestConfig(dg.Config):
    """``source``: where the trip file comes from instead of the source that is set, which still gives the zones.

    As ``TAXI_SOURCE``, or ``inbox:`` and a folder, or ``s3://…``, with the file directly in it.
    """

    source: str = ""


@dg.multi_asset(
    name="ingest_raw",
    specs=[
        dg.AssetSpec(
            RAW_TRIPS,
            deps=[SOURCE_TRIPS],
            description="The TLC's trip file of the month, byte for byte, one object for each content.",
            group_name="raw",
            kinds={"python", "parquet"},
            owners=OWNERS,
            metadata={"dagster/column_schema": _TRIP_SCHEMA, "ledger": FILES.full_name},
            freshness_policy=policy("raw"),
        ),
        dg.AssetSpec(
            RAW_ZONES,
            deps=[SOURCE_ZONES],
            description="The TLC's lookup of its 265 taxi zones, as it was when the month was landed.",
            group_name="raw",
            kinds={"python", "csv"},
            owners=OWNERS,
            metadata={"ledger": FILES.full_name},
        ),
    ],
    check_specs=[one.spec for one in AUDITS],
    partitions_def=MONTHS,
    pool=RUNS_POOL,
)
def ingest_raw(
    context: dg.AssetExecutionContext,
    config: IngestConfig,
    jobs: Jobs,
    lake: LakeResource,
    source: SourceResource,
    metrics: dg.ResourceParam[Metrics],
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    """Fetch the month's files from the source, verify and land them, enter them in the ledger."""
    month = context.partition_key
    opened = lake.open()
    places = {"source": config.source, "zones_source": source.spec} if config.source else {"source": source.spec}
    job_run = jobs.run(context, "ingest_raw", {"month": month, **places, "raw_dir": opened.paths.raw})
    facts = job_run.facts
    landed = LandedMonth(month, facts["trips"], facts["zones"])
    answers = ask_all(AUDITS, landed, (RAW_TRIPS, RAW_ZONES))
    keep(context, opened, answers, version=landed.trips["sha256"])
    measure_attempt(context, metrics, answers, job_run)
    if any(answer.holds_back for answer in answers):
        yield from (answer.result for answer in answers)
        before = opened.ledger.current(month, TRIPS_DATASET)
        seen = before.path if before else "nothing of it, as before"
        raise refusal(answers, month, [landed.trips["path"]], seen, LANDING)
    for key, dataset, file_facts in (
        (RAW_TRIPS, TRIPS_DATASET, landed.trips),
        (RAW_ZONES, ZONES_DATASET, landed.zones),
    ):
        file = opened.ledger.record(month, dataset, file_facts, context.run_id)
        metadata = _file_metadata(file) | {"seconds": seconds_table(facts["seconds"]), **job_run.metadata}
        if key == RAW_TRIPS:
            metadata |= {"in_catalog": _show_in_catalog(context, opened, month)} | {
                name: facts["trips"][name]
                for name in ("era", "new_columns", "missing_columns", "changed_types", "unknown_columns")
            }
        yield dg.MaterializeResult(
            asset_key=key,
            metadata=metadata,
            check_results=results_of(answers, key),
            data_version=dg.DataVersion(file.sha256),
        )
    measure_published(context, metrics, opened, {RAW_TRIPS: landed.trips["rows"]})


def _show_in_catalog(context: dg.AssetExecutionContext, lake: Lake, month: str) -> bool:
    """Whether the catalog's plain table over the raw files shows the month; the month is landed all the same."""
    try:
        return lake.show_raw(month)
    except (ClientError, BotoCoreError) as error:
        context.log.warning(f"raw.trips does not show {month} yet ({error}). What to do: taxi-assets catalog update")
        return False


def _file_metadata(file: LandedFile) -> dict[str, Any]:
    return {
        "dagster/row_count": file.rows,
        "dagster/uri": file.path,
        "source": file.url,
        "etag": file.etag,
        "sha256": file.sha256,
        "bytes": file.bytes,
        "landed_at": f"{file.landed_at:%Y-%m-%d %H:%M:%S} UTC",
        "physical_schema": dg.MetadataValue.md(_schema_table(file)),
    }


def _schema_table(file: LandedFile) -> str:
    schema = json.loads(file.physical_schema)
    return markdown_table(pd.DataFrame(schema.items(), columns=["column", "type"]))
