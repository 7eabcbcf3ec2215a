"""What a materialization shows to people: a month in a few numbers, and tables that can be read.

Belongs here: which numbers, and how values are written: dates as dates, money to the cent, thousands set apart. Does
not: links and ids (``specs``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg
import pandas as pd

from glue_jobs.contracts import Table
from glue_jobs.contracts.model import Column, Type
from glue_jobs.contracts.rules import RULES
from glue_jobs.files import parquet_files
from taxi_assets.lake.duck import connect
from taxi_assets.lake.reading import parquet_scan

PREVIEW_ROWS, PREVIEW_COLUMNS = 8, 8
"""What Dagster's page of a month shows without breaking dates in two."""
_WHOLE = (Type.INT, Type.BIGINT)
_COUNTED = ("rows", "persons")
_DATE = "pickup_date"


def numbers_of(rows: pd.DataFrame) -> dict[str, Any]:
    """A month of a curated table in numbers, which Dagster draws month by month."""
    trips, gross = int(rows["trips"].sum()), float(rows["gross_revenue"].astype(float).sum())
    return _numbers(trips, int(rows["refunds"].sum()), float(rows["net_revenue"].astype(float).sum()), gross)


def numbers_of_trips(folder: str) -> dict[str, Any]:
    """The same of a version of ``staging.trips``; duckdb.Error if its files cannot be read."""
    sums = (
        "count(*) FILTER (NOT is_refund), count(*) FILTER (is_refund), sum(total_amount)::DOUBLE, "
        "coalesce(sum(total_amount) FILTER (NOT is_refund), 0)::DOUBLE"
    )
    with connect(copies=True) as connection:
        [found] = connection.execute(f"SELECT {sums} FROM {parquet_scan(parquet_files(folder))}").fetchall()
    return _numbers(*found)


def _numbers(trips: int, refunds: int, net_revenue: float, gross_revenue: float) -> dict[str, Any]:
    average = {"average_total_usd": round(gross_revenue / trips, 2)} if trips else {}
    return {"trips": trips, "refunds": refunds, "net_revenue_usd": round(net_revenue, 2), **average}


def percent(part: int, whole: int) -> float:
    """``part`` of ``whole`` in percent; four digits, so that 21 rows of a million are not zero."""
    return round(100 * part / max(1, whole), 4)


def preview(table: Table, rows: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """The first rows of a month in the order of its grain or, where that has no date, those with most trips.

    Without the month, which all rows share, and with the first columns only: the dictionary names all.
    """
    if _DATE in table.grain:
        shown = rows.sort_values(list(table.grain)).head(PREVIEW_ROWS)
    else:
        shown = rows.nlargest(PREVIEW_ROWS, "trips")
    return _first_columns([column for column in table.columns if column.name != "month"], shown)


def as_table(table: Table, shown: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """Rows of a table, all of them, in their order; with the first columns only, as ``preview`` has them."""
    return _first_columns(table.columns, shown)


def _first_columns(columns: Sequence[Column], shown: pd.DataFrame) -> dg.MarkdownMetadataValue:
    told = [_Shown(column.name, _text_of(column), _is_number(column)) for column in columns[:PREVIEW_COLUMNS]]
    return _table(told, shown)


def reasons_table(reasons: Mapping[str, int]) -> dg.MarkdownMetadataValue:
    """Why rows are in quarantine, the most frequent first."""
    meanings = {rule.rule_id: rule.reason for rule in RULES}
    ordered = sorted(reasons.items(), key=lambda one: (-one[1], one[0]))
    rows = pd.DataFrame(
        [(name, count, meanings[name]) for name, count in ordered], columns=["reason", "rows", "meaning"]
    )
    return _table([_Shown("reason"), _Shown("rows", _thousands, True), _Shown("meaning")], rows)


def seconds_table(seconds: Mapping[str, float]) -> dg.MarkdownMetadataValue:
    """A job's seconds, phase by phase."""
    rows = pd.DataFrame(seconds.items(), columns=["phase", "seconds"])
    return _table([_Shown("phase"), _Shown("seconds", lambda value: f"{value:,.1f}", True)], rows)


def schema_table(schema: Mapping[str, str]) -> dg.MarkdownMetadataValue:
    """The columns of a file with their types."""
    return _table([_Shown("column"), _Shown("type")], pd.DataFrame(schema.items(), columns=["column", "type"]))


@dataclass(frozen=True)
class _Shown:
    """How a column of a table is shown: its name, the text of a value, whether it stands to the right."""

    name: str
    text: Callable[[Any], str] = str
    is_number: bool = False


def _table(columns: Sequence[_Shown], rows: pd.DataFrame) -> dg.MarkdownMetadataValue:
    lines = [
        [column.name for column in columns],
        ["---:" if column.is_number else "---" for column in columns],
        *(
            [_cell(column, value) for column, value in zip(columns, row, strict=True)]
            for row in rows[[column.name for column in columns]].itertuples(index=False)
        ),
    ]
    return dg.MetadataValue.md("\n".join("| " + " | ".join(line) + " |" for line in lines))


def _cell(column: _Shown, value: Any) -> str:
    return "" if pd.isna(value) else column.text(value).replace("|", "\\|")


def _is_number(column: Column) -> bool:
    return column.type not in (Type.STRING, Type.BOOLEAN, Type.DATE, Type.TIMESTAMP_NTZ)


def _text_of(column: Column) -> Callable[[Any], str]:
    """How a value of the column is written."""
    if column.type in (Type.DATE, Type.TIMESTAMP_NTZ):
        return _day if column.type is Type.DATE else str
    if column.type in _WHOLE:
        return _thousands if column.unit in _COUNTED else lambda value: str(int(value))
    if _is_number(column):
        return lambda value: f"{value:,.{3 if column.unit == '0-1' else 2}f}"
    return str


def _thousands(value: float) -> str:
    return f"{int(value):,}"


def _day(value: date) -> str:
    return f"{value:%Y-%m-%d}"
