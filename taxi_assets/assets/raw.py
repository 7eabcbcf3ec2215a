"""The raw layer: the source's own files, landed and entered in the ledger; and the source, where lineage begins."""

import json
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import Any

import dagster as dg
from pydantic import Field

from glue_jobs.contracts import FILES
from glue_jobs.contracts.months import ranges
from glue_jobs.contracts.raw import TRIPS_DATASET, ZONES_DATASET, k_of
from glue_jobs.errors import Cause, PipelineError
from glue_jobs.reports import INGEST_RAW, IngestReport, LandedTripsReport
from glue_jobs.sources import refuse_password
from glue_jobs.sources.inbox import INBOX
from taxi_assets.asset_keys import RAW_TRIPS, RAW_ZONES, SOURCE_TRIPS, SOURCE_ZONES
from taxi_assets.assets.columns import TRIP_FILE_SCHEMA, ZONE_FILE_SCHEMA
from taxi_assets.assets.ledger import show_in_catalog
from taxi_assets.assets.previews import schema_table
from taxi_assets.assets.publish import Published, Result, Work, run_and_publish
from taxi_assets.assets.specs import OWNERS, RUNS_POOL, tags_of
from taxi_assets.checks.check import Check
from taxi_assets.checks.raw import CHECKS, ROWS_HIDE, LandedMonth
from taxi_assets.docs import dictionary
from taxi_assets.jobs.base import JobRun, Jobs
from taxi_assets.lake.append_tables import LandedFile
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.resource import LakeResource, SourceResource
from taxi_assets.metrics.recorder import Metrics
from taxi_assets.partitions import Months


def source_specs(months: Months) -> list[dg.AssetSpec]:
    """What others make, so that lineage begins where the data does."""
    return [
        dg.AssetSpec(
            SOURCE_TRIPS,
            description="The trip files that the TLC publishes, one a month. The watcher reports each that is new.",
            group_name="source",
            tags=tags_of("source"),
            kinds={"parquet"},
            partitions_def=months,
        ),
        dg.AssetSpec(
            SOURCE_ZONES,
            description="The lookup of taxi zones that the TLC publishes.",
            group_name="source",
            tags=tags_of("source"),
            kinds={"csv"},
        ),
    ]


class IngestConfig(dg.Config):
    """What the launchpad offers for a run; empty is as set."""

    source: str = Field(
        default="",
        description="Where the month comes from instead of TAXI_SOURCE, its zone lookup too: https://… in the TLC's "
        "layout, a folder with its files, or synthetic:rows=50000,seed=1. Of inbox:FOLDER, which has trip files "
        "only (also s3://…), the lookup is that of TAXI_SOURCE. Never with a password: Dagster keeps "
        "what is typed here.",
        examples=["synthetic:rows=50000,seed=1"],
    )


def _ingest_raw(
    context: dg.AssetExecutionContext,
    config: IngestConfig,
    jobs: Jobs,
    lake: LakeResource,
    source: SourceResource,
    metrics: dg.ResourceParam[Metrics],
) -> Iterator[Result]:
    """Fetch the month's files from the source, verify and land them, enter them in the ledger."""
    places = _places(config.source, source.spec)
    yield from run_and_publish(
        context, jobs, lake, metrics, lambda opened: _work(context, opened, places, source.mask_k)
    )


def _places(given: str, set_: str) -> dict[str, str]:
    """Where trips and zones come from; an inbox, alone of all sources, has no zones."""
    if given.startswith(INBOX):
        return {"source": given, "zones_source": set_}
    return {"source": given or set_}


def ingest_raw(months: Months, masked: bool = False) -> dg.AssetsDefinition:
    """The step that lands a month's files, ``masked`` or as they come."""
    return dg.multi_asset(
        name="ingest_raw",
        specs=[
            dg.AssetSpec(
                RAW_TRIPS,
                deps=[SOURCE_TRIPS],
                description="The TLC's trip file of the month, "
                f"{'masked' if masked else 'byte for byte'}, one object for each content.",
                group_name="raw",
                kinds={"python", "parquet"},
                owners=OWNERS,
                tags=tags_of("raw"),
                metadata={
                    "dagster/column_schema": TRIP_FILE_SCHEMA,
                    "data_dictionary": dg.MetadataValue.md(dictionary.trip_file()),
                    "ledger": FILES.full_name,
                },
            ),
            dg.AssetSpec(
                RAW_ZONES,
                deps=[SOURCE_ZONES],
                description="The TLC's lookup of its 265 taxi zones, as it was when the month was landed.",
                group_name="raw",
                kinds={"python", "csv"},
                owners=OWNERS,
                tags=tags_of("raw"),
                metadata={"dagster/column_schema": ZONE_FILE_SCHEMA, "ledger": FILES.full_name},
            ),
        ],
        check_specs=[one.spec(months) for one in _checks(masked)],
        partitions_def=months,
        pool=RUNS_POOL,
    )(_ingest_raw)


def _checks(masked: bool) -> list[Check[LandedMonth]]:
    return [*CHECKS, ROWS_HIDE] if masked else CHECKS


def _require_one_kind(lake: Lake, mask_k: int) -> None:
    """PipelineError if the lake has masked files and this one will not be, or the other way round."""
    others = [file for file in lake.ledger.all_current(TRIPS_DATASET) if bool(k_of(file.url)) is not bool(mask_k)]
    if others:
        months = ", ".join(ranges(file.month for file in others))
        raise PipelineError(
            f"The lake has {'months that are not masked' if mask_k else 'masked months'} ({months}), and TAXI_MASK is "
            f"{'on' if mask_k else 'off'}: they would stand side by side",
            f"give the {'masked' if mask_k else 'unmasked'} months a lake of their own (--lake, TAXI_LAKE), or set "
            f"TAXI_MASK={'off' if mask_k else 'on'}",
            cause=Cause.ORDER,
        )


def _work(
    context: dg.AssetExecutionContext, lake: Lake, places: Mapping[str, str], mask_k: int
) -> Work[IngestReport, LandedMonth]:
    refuse_password(places["source"])  # before it is an argument of a job, which Glue keeps
    month = context.partition_key
    _require_one_kind(lake, mask_k)
    before = lake.ledger.current(month, TRIPS_DATASET)

    def publish(job_run: JobRun[IngestReport], _: Collection[dg.AssetKey]) -> Iterator[Published]:
        report = job_run.report
        trips = lake.ledger.record(month, TRIPS_DATASET, report["trips"], context.run_id)
        shown = show_in_catalog(context, lake, month)
        in_catalog = {"in_catalog": shown} if lake.raw_trips else {}
        facts = {**_drift(report["trips"]), **job_run.metadata, **in_catalog, **_ids(trips)}
        yield Published(RAW_TRIPS, trips.rows, facts, partial(_for_people, trips), data_version=trips.sha256)
        zones = lake.ledger.record(month, ZONES_DATASET, report["zones"], context.run_id)
        facts = {**job_run.metadata, **_ids(zones)}
        yield Published(RAW_ZONES, None, facts, partial(_for_people, zones), data_version=zones.sha256)

    return Work(
        job=INGEST_RAW,
        arguments={"month": month, **places, "raw_dir": lake.paths.raw, **({"mask_k": str(mask_k)} if mask_k else {})},
        checks=_checks(mask_k > 0),
        version=lambda report: report["trips"]["sha256"],
        subject=lambda report: LandedMonth(month, report["trips"], report["zones"]),
        publish=publish,
        folders=lambda report: {RAW_TRIPS: report["trips"]["path"]},
        readers_see={RAW_TRIPS: before.path if before else "nothing of it, as before"},
        cause=Cause.LANDING,
    )


def _drift(trips: LandedTripsReport) -> dict[str, Any]:
    """How the file differs from those of its era; what does not differ is left out."""
    differences = {
        "new_columns": trips["new_columns"],
        "missing_columns": trips["missing_columns"],
        "unknown_columns": trips["unknown_columns"],
        "index_columns": trips["index_columns"],
    }
    told = {name: ", ".join(what) for name, what in differences.items() if what}
    changed = {"changed_types": trips["changed_types"]} if trips["changed_types"] else {}
    return {"looks_like_files_since": trips["era"], **told, **changed}


def _for_people(file: LandedFile) -> dict[str, Any]:
    is_link = file.url.startswith(("https://", "http://"))
    return {
        "rows": file.rows,
        "megabytes": round(file.bytes / 1e6, 2),
        "landed_at": f"{file.landed_at:%Y-%m-%d %H:%M:%S} UTC",
        "source": dg.MetadataValue.url(file.url) if is_link else file.url,
        **({"masked": f"each row is one of at least {k}"} if (k := k_of(file.url)) else {}),
        "physical_schema": schema_table(json.loads(file.physical_schema)),
    }


def _ids(file: LandedFile) -> dict[str, Any]:
    return {
        "dagster/row_count": file.rows,
        "etag": file.etag,
        "sha256": file.sha256,
        "bytes": file.bytes,
        "dagster/uri": file.path,
    }
