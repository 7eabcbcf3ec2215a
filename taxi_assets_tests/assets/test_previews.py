from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import pandas as pd

from glue_jobs.contracts import Table
from glue_jobs.contracts.curated import DAILY_METRICS, LOCATION_ANALYTICS
from glue_jobs.contracts.model import Column, Type
from taxi_assets.assets.previews import (
    PREVIEW_COLUMNS,
    PREVIEW_ROWS,
    numbers_of,
    percent,
    preview,
    reasons_table,
    schema_table,
    seconds_table,
)


def rows_of(table: Table, *rows: Mapping[str, object]) -> pd.DataFrame:
    """Rows of the table as DuckDB gives them; what a row does not name is a value of its column's type."""
    some: dict[Type, object] = {Type.STRING: "a", Type.DATE: pd.Timestamp(2024, 2, 1), Type.INT: 1, Type.BIGINT: 1}
    usual = {column.name: some.get(column.type, 1.0) for column in table.columns}
    frame: pd.DataFrame = pd.DataFrame.from_records([{**usual, **row} for row in rows])
    return frame


def cells(markdown: str) -> dict[str, list[str]]:
    """Column to its cells."""
    header, _, *body = [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in markdown.replace("\\|", "¦").splitlines()
    ]
    return {name: [row[at] for row in body] for at, name in enumerate(header)}


def test_a_preview_has_dates_as_dates_money_to_the_cent_and_thousands_set_apart() -> None:
    table = Table(
        "curated",
        "of_all_kinds",
        "A table for tests.",
        (
            Column(1, "pickup_date", Type.DATE, "A day"),
            Column(2, "trips", Type.BIGINT, "A count", unit="rows"),
            Column(3, "net_revenue", Type.MONEY_SUM, "Money", unit="USD"),
            Column(4, "average_total", Type.DOUBLE, "A mean of money", unit="USD"),
            Column(5, "card_share", Type.DOUBLE, "A share", unit="0-1"),
            Column(6, "median_speed", Type.DOUBLE, "A number", unit="mph"),
        ),
        (),
        ("pickup_date",),
    )
    row = {
        "pickup_date": pd.Timestamp(2024, 2, 3),
        "trips": 1_234,
        "net_revenue": 1234567.5,
        "average_total": 27.078914,
        "card_share": 0.80129,
        "median_speed": None,
    }
    assert cells(preview(table, rows_of(table, row)).md_str or "") == {
        "pickup_date": ["2024-02-03"],
        "trips": ["1,234"],
        "net_revenue": ["1,234,567.50"],
        "average_total": ["27.08"],
        "card_share": ["0.801"],
        "median_speed": [""],
    }


def test_a_preview_has_no_more_columns_than_can_be_read_and_not_the_month() -> None:
    shown = cells(preview(DAILY_METRICS, rows_of(DAILY_METRICS, {})).md_str or "")
    assert list(shown) == list(DAILY_METRICS.column_names[1 : PREVIEW_COLUMNS + 1])


def test_numbers_stand_to_the_right() -> None:
    ruler = (preview(DAILY_METRICS, rows_of(DAILY_METRICS, {})).md_str or "").splitlines()[1]
    dashes = dict(zip(DAILY_METRICS.column_names[1:], ruler.strip("| ").split(" | "), strict=False))
    assert [name for name, ruled in dashes.items() if not ruled.endswith(":")] == ["pickup_date", "day_type"]


def test_a_code_is_no_quantity() -> None:
    shown = cells(preview(LOCATION_ANALYTICS, rows_of(LOCATION_ANALYTICS, {"pickup_location_id": 1_265})).md_str or "")
    assert shown["pickup_location_id"] == ["1265"]


def test_days_stand_in_their_order_and_zones_by_their_trips() -> None:
    days = rows_of(DAILY_METRICS, *({"pickup_date": pd.Timestamp(2024, 2, day)} for day in range(12, 0, -1)))
    shown = cells(preview(DAILY_METRICS, days).md_str or "")["pickup_date"]
    assert shown == [f"2024-02-{day:02d}" for day in range(1, PREVIEW_ROWS + 1)]
    zones = rows_of(LOCATION_ANALYTICS, *({"pickup_zone": f"zone {n}", "trips": n} for n in range(20)))
    assert cells(preview(LOCATION_ANALYTICS, zones).md_str or "")["pickup_zone"][:2] == ["zone 19", "zone 18"]


def test_a_bar_in_a_name_starts_no_new_cell() -> None:
    shown = cells(preview(LOCATION_ANALYTICS, rows_of(LOCATION_ANALYTICS, {"pickup_zone": "A|B"})).md_str or "")
    assert shown["pickup_zone"] == ["A¦B"]


def test_a_month_in_numbers() -> None:
    one = {"trips": 3, "refunds": 1, "gross_revenue": 60.12, "net_revenue": 40.1}
    other = {"trips": 1, "refunds": 0, "gross_revenue": Decimal("0.20"), "net_revenue": Decimal("0.20")}
    assert numbers_of(rows_of(DAILY_METRICS, one, other)) == {
        "trips": 4,
        "refunds": 1,
        "net_revenue_usd": 40.3,
        "average_total_usd": 15.08,
    }


def test_without_trips_there_is_no_average() -> None:
    none = {"trips": 0, "refunds": 1, "gross_revenue": 0, "net_revenue": -5}
    assert numbers_of(rows_of(DAILY_METRICS, none)) == {"trips": 0, "refunds": 1, "net_revenue_usd": -5.0}


def test_a_small_share_is_not_nothing() -> None:
    assert percent(21, 1_030_141) == 0.002
    assert percent(0, 0) == 0


def test_the_tables_of_a_run_can_be_read() -> None:
    reasons = cells(reasons_table({"zone_out_of_range": 2, "exact_duplicate": 1_200}).md_str or "")
    assert (reasons["reason"], reasons["rows"]) == (["exact_duplicate", "zone_out_of_range"], ["1,200", "2"])
    assert all(reasons["meaning"])
    assert cells(seconds_table({"read": 1.23456}).md_str or "") == {"phase": ["read"], "seconds": ["1.2"]}
    assert cells(schema_table({"VendorID": "int32"}).md_str or "") == {"column": ["VendorID"], "type": ["int32"]}
