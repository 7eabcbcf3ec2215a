"""What the assets of all layers say of themselves: specs from contracts, metadata of what was published.

Belongs here: descriptions, columns, links and ids for the Dagster UI. Does not: numbers and previews (``previews``),
running or publishing (``publish``), or any one asset.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg

from glue_jobs.contracts import CHECK_HISTORY, RUN_METRICS, Table
from taxi_assets.asset_keys import asset_key
from taxi_assets.assets.columns import column_lineage, column_schema
from taxi_assets.assets.policies import follow
from taxi_assets.docs import dictionary
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.publishing import Publication
from taxi_assets.partitions import Months

OWNERS = ["team:data-platform"]
RUNS_POOL = "engine"
"""Steps of this pool use an engine, or check a month: how many at once is the Dagster instance's to say."""


def tags_of(layer: str) -> dict[str, str]:
    """What assets of a layer are found by."""
    return {"domain": "nyc-taxi", "layer": layer}


def table_spec(
    table: Table, months: Months | None, deps: Iterable[dg.AssetKey], kinds: set[str], skippable: bool = True
) -> dg.AssetSpec:
    """The asset of a published table: description, columns, partitions and tags from its contract.

    Without ``months`` it has no partitions.
    """
    lineage = column_lineage(table)
    return dg.AssetSpec(
        asset_key(table),
        deps=deps,
        description=table.description,
        group_name=table.layer,
        kinds=kinds,
        owners=OWNERS,
        tags=tags_of(table.layer),
        partitions_def=months,
        metadata={
            "dagster/column_schema": column_schema(table),
            **({"dagster/column_lineage": lineage} if lineage else {}),
            "data_dictionary": dg.MetadataValue.md(dictionary.section(table)),
            "dagster/table_name": table.full_name,
            "grain": ", ".join(table.grain) or "one row of the source",
            "partitioned_by": ", ".join(table.partition_by),
        },
        code_version=str(table.version),
        skippable=skippable,
        automation_condition=follow() if table.layer in ("staging", "curated") else None,
    )


def quality_specs(months: Months) -> list[dg.AssetSpec]:
    """The history of checks and the metrics of runs: no step makes them, every run appends to them and reports it."""
    return [table_spec(table, months, [], {"iceberg"}, skippable=False) for table in (CHECK_HISTORY, RUN_METRICS)]


def readers_see(live: Publication | None) -> str:
    """What readers see of a month, in words."""
    return f"version {live.version}" if live else "nothing of it, as before"


def publication_metadata(
    lake: Lake, table: Table, publication: Publication, run_metadata: Mapping[str, Any]
) -> dict[str, Any]:
    """What a materialization says of the version that it published: links first, ids and places last.

    Dagster's pages keep this order.
    """
    links = {name: link for name, link in run_metadata.items() if isinstance(link, dg.UrlMetadataValue)}
    catalog = lake.links(table)
    if "catalog" in catalog:
        links = {"catalog": dg.MetadataValue.url(catalog.pop("catalog")), **links}
    return {
        **links,
        "dagster/row_count": publication.rows,
        **catalog,
        **{name: value for name, value in run_metadata.items() if name not in links},
        "version": publication.version,
        "snapshot_id": str(publication.snapshot_id),  # beyond the 53 bits that a browser counts with
        "dagster/uri": publication.path,
        **publication.lineage,
    }
