"""What the assets of all layers share.

Belongs here: specs from contracts, the order audit, publish, materialize. Does not: any one asset.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import dagster as dg
import pandas as pd

from glue_jobs.contracts import Table
from taxi_assets.asset_checks.audit import Audit
from taxi_assets.asset_keys import asset_key
from taxi_assets.lake import Publication
from taxi_assets.lake.catalog import comment
from taxi_assets.partitions import MONTHS

Subject = TypeVar("Subject")

OWNERS = ["team:data-platform"]
PREVIEW_ROWS = 8


def table_spec(table: Table, deps: Iterable[dg.AssetKey], kinds: set[str]) -> dg.AssetSpec:
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
        skippable=True,
    )


def audit(audits: Sequence[Audit[Subject]], subject: Subject, keys: Iterable[dg.AssetKey]) -> list[dg.AssetCheckResult]:
    """The results of those audits that watch one of ``keys``."""
    chosen = set(keys)
    return [one.evaluate(subject) for one in audits if one.asset in chosen]


def failed_blocking(results: Iterable[dg.AssetCheckResult]) -> list[dg.AssetCheckResult]:
    """The results that must hold a publication back."""
    return [result for result in results if not result.passed and result.severity == dg.AssetCheckSeverity.ERROR]


def refusal(results: Sequence[dg.AssetCheckResult], month: str, folders: Iterable[str], readers_see: str) -> dg.Failure:
    """The failure that says which audits failed, what readers see meanwhile and where to look."""
    names = []
    for result in failed_blocking(results):
        assert result.asset_key is not None
        actual = result.metadata.get("actual") or result.metadata.get("faults")
        found = f" ({actual.value})" if actual is not None else ""
        names.append(f"{result.asset_key.to_user_string()}: {result.check_name}{found}")
    return dg.Failure(
        f"{month} was not published, because audits failed: {'; '.join(names)}. Readers still see {readers_see}. "
        f"What to do: look at the checks' metadata and at the files in {', '.join(folders)}, mend the cause, then "
        "run the month again.",
        allow_retries=False,
    )


def readers_see(live: Publication | None) -> str:
    """What readers see of a month, in words."""
    return f"version {live.version}" if live else "nothing of it, as before"


def by_asset(results: Iterable[dg.AssetCheckResult], key: dg.AssetKey) -> list[dg.AssetCheckResult]:
    """The results that belong to one asset."""
    return [result for result in results if result.asset_key == key]


def publication_metadata(publication: Publication) -> dict[str, Any]:
    """What a materialization says of the version that it published."""
    return {
        "dagster/row_count": publication.rows,
        "dagster/uri": publication.path,
        "version": publication.version,
        "snapshot_id": str(publication.snapshot_id),  # beyond the 53 bits that a browser counts with
        **publication.lineage,
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
