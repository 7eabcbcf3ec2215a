"""What the assets of all layers say of themselves: specs from contracts, metadata of what was published.

Belongs here: descriptions, tables and previews for the Dagster UI. Does not: running or publishing (``publish``), or
any one asset.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg
import pandas as pd

from glue_jobs.contracts import CHECK_HISTORY, Table
from taxi_assets.asset_keys import asset_key
from taxi_assets.assets.policies import follow, policy
from taxi_assets.lake.catalog import comment
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.publishing import Publication
from taxi_assets.partitions import MONTHS

OWNERS = ["team:data-platform"]
PREVIEW_ROWS = 8
RUNS_POOL = "engine"
"""Steps of this pool use an engine, or check a month: how many at once is the Dagster instance's to say."""


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


def readers_see(live: Publication | None) -> str:
    """What readers see of a month, in words."""
    return f"version {live.version}" if live else "nothing of it, as before"


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
