"""What the assets of all layers share.

Belongs here: specs from contracts, the order audit, publish, materialize, what a run measures. Does not: any one
asset.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

import dagster as dg
import pandas as pd
from sqlalchemy.exc import SQLAlchemyError

from glue_jobs.contracts import CHECK_HISTORY, Table
from glue_jobs.contracts.rules import RULES_VERSION
from glue_jobs.errors import DATA
from taxi_assets.asset_keys import CHECK_HISTORY_KEY, QUARANTINE_KEY, STAGING_TRIPS, asset_key
from taxi_assets.assets.policies import follow, policy
from taxi_assets.checks.audit import Answer
from taxi_assets.jobs.base import JobRun
from taxi_assets.lake.catalog import CatalogUnavailable, comment
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.publishing import Publication
from taxi_assets.lake.status import freshness
from taxi_assets.metrics.names import (
    CHECKS_FAILED,
    CHECKS_WARNED,
    ESTIMATED_COST,
    JOB_SECONDS,
    QUARANTINED_SHARE,
    ROWS_PUBLISHED,
    ROWS_QUARANTINED,
    Point,
)
from taxi_assets.metrics.recorder import Metrics, NotTaken, freshness_points
from taxi_assets.partitions import MONTHS

OWNERS = ["team:data-platform"]
PREVIEW_ROWS = 8
RUNS_POOL = "engine"
"""Steps of this pool use an engine, or audit a month: how many at once is the Dagster instance's to say."""


def table_spec(table: Table, deps: Iterable[dg.AssetKey], kinds: set[str], skippable: bool = True) -> dg.AssetSpec:
    """The asset of a published table: description, columns, partitions and tags from its contract."""
    schema = dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                column.type.value,
                comment(column),
                constraints=dg.TableColumnConstraints(nullable=column.nullable),
            )
            for column in table.columns
        ]
    )
    return dg.AssetSpec(
        asset_key(table),
        deps=deps,
        description=table.description,
        group_name=table.layer,
        kinds=kinds,
        owners=OWNERS,
        partitions_def=MONTHS,
        metadata={
            "dagster/column_schema": schema,
            "dagster/table_name": table.full_name,
            "grain": ", ".join(table.grain) or "one row of the source",
            "partitioned_by": ", ".join(table.partition_by),
        },
        code_version=str(table.version),
        skippable=skippable,
        freshness_policy=policy(table.layer),
        automation_condition=follow() if table.layer in ("staging", "curated") else None,
    )


CHECK_HISTORY_SPEC = table_spec(CHECK_HISTORY, [], {"iceberg"}, skippable=False)
"""The history of checks, which every asset's run appends to."""


def keep(context: dg.AssetExecutionContext, lake: Lake, answers: Sequence[Answer], version: str) -> None:
    """Append what was answered to the history of checks, whatever becomes of the version."""
    month = context.partition_key
    rows = lake.checks.record(
        month,
        [answer.finding for answer in answers],
        version=version,
        rules_version=RULES_VERSION,
        run_id=context.run_id,
    )
    context.log_event(
        dg.AssetMaterialization(
            CHECK_HISTORY_KEY,
            partition=month,
            metadata={"rows_appended": rows, "step": context.op_execution_context.op.name},
        )
    )


def measure_attempt(
    context: dg.AssetExecutionContext | dg.OpExecutionContext,
    metrics: Metrics,
    answers: Sequence[Answer],
    job_run: JobRun | None = None,
) -> None:
    """Put what checks found and what the job took, whatever becomes of the version."""
    points = []
    for asset in dict.fromkeys(answer.asset for answer in answers):
        failed = [answer.blocking for answer in answers if answer.asset == asset and not answer.outcome.passed]
        name = asset.to_user_string()
        points += [Point(CHECKS_FAILED, sum(failed), name), Point(CHECKS_WARNED, len(failed) - sum(failed), name)]
    if job_run is not None:
        points.append(Point(JOB_SECONDS, job_run.seconds, job_run.job))
        if (cost := job_run.metadata.get("estimated_cost_usd")) is not None:
            points.append(Point(ESTIMATED_COST, cost, job_run.job))
    _put(context, metrics, points)


def measure_published(
    context: dg.AssetExecutionContext, metrics: Metrics, lake: Lake, rows: Mapping[dg.AssetKey, int]
) -> None:
    """Put how many ``rows`` were published of each asset, and how fresh the lake is by it."""
    points = [
        Point(ROWS_PUBLISHED, count, key.to_user_string()) for key, count in rows.items() if key != QUARANTINE_KEY
    ]
    if QUARANTINE_KEY in rows:
        quarantined = rows[QUARANTINE_KEY]
        points.append(Point(ROWS_QUARANTINED, quarantined))
        points.append(Point(QUARANTINED_SHARE, 100 * quarantined / max(1, quarantined + rows[STAGING_TRIPS])))
    if any(key.path[0] == "curated" for key in rows):  # the last step of a month: only it can complete one
        try:
            fresh = freshness(lake, datetime.now(timezone.utc))
            points += freshness_points(fresh)
        except (CatalogUnavailable, SQLAlchemyError, OSError, ValueError) as error:
            context.log.warning(f"How fresh the lake is could not be told: {error}. The tables are published.")
    _put(context, metrics, points)


def _put(context: dg.AssetExecutionContext | dg.OpExecutionContext, metrics: Metrics, points: Sequence[Point]) -> None:
    try:
        metrics.put(points, context.partition_key, context.run_id)
    except NotTaken as error:  # what was measured stands; a run does not fail for a number about it
        context.log.warning(str(error))


def refusal(
    answers: Sequence[Answer], month: str, folders: Iterable[str], readers_see: str, cause: str = DATA
) -> dg.Failure:
    """The failure that says which audits failed, what readers see meanwhile and where to look."""
    names = [
        f"{answer.asset.to_user_string()}: {answer.name} ({answer.outcome.actual})"
        for answer in answers
        if answer.holds_back
    ]
    return dg.Failure(
        f"{month} was not published, because audits failed: {'; '.join(names)}. Readers still see {readers_see}. "
        f"What to do: look at the checks' metadata and at the files in {', '.join(folders)}, mend the cause, then "
        "run the month again.",
        metadata={"cause": cause},
        allow_retries=False,
    )


def readers_see(live: Publication | None) -> str:
    """What readers see of a month, in words."""
    return f"version {live.version}" if live else "nothing of it, as before"


def results_of(answers: Iterable[Answer], key: dg.AssetKey) -> list[dg.AssetCheckResult]:
    """The results that belong to one asset, in Dagster's words."""
    return [answer.result for answer in answers if answer.asset == key]


def publication_metadata(
    lake: Lake, table: Table, publication: Publication, run_metadata: Mapping[str, Any]
) -> dict[str, Any]:
    """What a materialization says of the version that it published, and of the job run that made it."""
    links = lake.links(table)
    if "catalog" in links:
        links["catalog"] = dg.MetadataValue.url(links["catalog"])
    return {
        **links,
        "dagster/row_count": publication.rows,
        "dagster/uri": publication.path,
        "version": publication.version,
        "snapshot_id": str(publication.snapshot_id),  # beyond the 53 bits that a browser counts with
        **publication.lineage,
        **run_metadata,
    }


def preview(rows: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """A few rows as a table."""
    return dg.MetadataValue.md(markdown_table(rows.head(PREVIEW_ROWS)))


def markdown_table(rows: pd.DataFrame) -> str:
    """A frame as a Markdown table."""
    header = [str(column) for column in rows.columns]
    body = [["" if pd.isna(value) else str(value) for value in row] for row in rows.itertuples(index=False)]
    lines = [header, ["---"] * len(header), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def seconds_table(seconds: Mapping[str, float]) -> dg.MarkdownMetadataValue:
    """A job's seconds per phase as a table."""
    return dg.MetadataValue.md(markdown_table(pd.DataFrame(seconds.items(), columns=["phase", "seconds"])))
