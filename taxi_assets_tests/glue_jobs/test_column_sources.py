"""Whether contracts name the columns that a column is computed from: each is changed, and it is seen what changes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from glue_jobs.contracts import CURATED_TABLES, TRIPS, tlc
from glue_jobs.contracts.model import Kind, Table
from glue_jobs.files import parse_zones
from glue_jobs.sources.synthetic import make_zones
from glue_jobs.staged import ZONE_SCHEMA, with_links
from glue_jobs.transforms import curated, enrich, judge
from taxi_assets_tests.support.trips import TRIP, source_rows, staged_rows

MONTH = "2025-02"  # every fee has begun
PICKUP = datetime(2025, 2, 12, 9, 0)


def lasting(minutes: int) -> dict[str, Any]:
    return {"tpep_dropoff_datetime": PICKUP + timedelta(minutes=minutes)}


REFUND = {name: -value for name, value in TRIP.items() if name in tlc.MONEY_COLUMNS and value is not None}
ROWS: list[dict[str, Any]] = [
    {},
    {"total_amount": 43.5, "trip_distance": 6.0, "passenger_count": 2.0, "pulocationid": 132, **lasting(20)},
    {"payment_type": 2, "tip_amount": 0.0, "total_amount": 19.6, "trip_distance": 1.5, **lasting(8)},
    {"payment_type": 0, "passenger_count": None, "ratecodeid": None, "total_amount": 30.0, **lasting(31)},
    {"payment_type": 0, "tip_amount": 0.0, "total_amount": 17.0, "cbd_congestion_fee": 0.75, **lasting(13)},
    {"payment_type": 1, "tip_amount": 0.0, "total_amount": 26.0, "dolocationid": 132, **lasting(16)},
    {"payment_type": 3, "pulocationid": 138, **lasting(5)},
    {"payment_type": 3, "dolocationid": 1, "trip_distance": 2.5, **lasting(6)},
    {"payment_type": 3, "total_amount": 21.0, "dolocationid": 138, **lasting(7)},
    {"payment_type": 3, "total_amount": 22.0, "pulocationid": 1, **lasting(9)},
    {**REFUND, "trip_distance": 1.5, **lasting(2)},
    REFUND,
]
ROWS = [{"tpep_pickup_datetime": PICKUP, **lasting(15), **row} for row in ROWS]
"""Ways of paying of which no two are as frequent; durations of which no two are alike, but of a trip and its refund."""
_NO_ROW_SHOWS_IT = "among its sources, and no change of them shows: give a row of ROWS a value that the column counts"
FOLLOWING = {1: 2, 2: 0, 0: 3, 3: 1}
"""Another way of paying, for each."""


@pytest.fixture(scope="module")
def staged(spark: SparkSession) -> list[Row]:
    return staged_rows(spark, *ROWS, month=MONTH).collect()


@pytest.fixture(scope="module")
def with_changes(spark: SparkSession, staged: list[Row]) -> DataFrame:
    """The rows once as they are, in the month ``as it is``, and once for each column, in a month of its name.

    In one frame, because the tables keep months apart.
    """
    months = [{**row.asDict(), "month": "as it is"} for row in staged]
    for name in TRIPS.column_names[1:]:
        months += [{**row.asDict(), name: another(name, row[name]), "month": name} for row in staged]
    schema = ", ".join(f"{column.name} {column.type.ddl}" for column in TRIPS.columns)
    return spark.createDataFrame([tuple(row[name] for name in TRIPS.column_names) for row in months], schema)


def another(name: str, value: Any) -> Any:
    """Another value of a staged column; different values stay different, so that a key makes the same groups."""
    if name == "payment_type":
        return FOLLOWING[value]
    if name == "quality_flags":
        return "" if value else "unlinked_refund"
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return f"{value} too"
    if hasattr(value, "year"):
        return value + timedelta(days=1)
    if isinstance(value, int) and abs(value) >= 1 << 31:  # a hash
        return value ^ 1
    return 1 if value is None else value * 2 + 1


@pytest.mark.parametrize("table", CURATED_TABLES.values(), ids=CURATED_TABLES.keys())
def test_a_curated_column_comes_from_the_columns_that_its_contract_names(with_changes: DataFrame, table: Table) -> None:
    months: dict[str, list[Row]] = {}
    for row in curated.build(table, with_changes).collect():
        months.setdefault(row.month, []).append(row)
    found = {column.name: set[str]() for column in table.columns[1:]}
    for changed in TRIPS.column_names[1:]:
        for name in differing(months["as it is"], months[changed], found):
            found[name].add(changed)
    # The change of a key makes the same groups under other names: a share of a group is the same.
    keys = {source for name in table.grain for source in table.column(name).sources}
    declared = {column.name: set(column.sources) for column in table.columns[1:]}
    unnamed = {name: found[name] - declared[name] for name in found}
    assert {name: sources for name, sources in unnamed.items() if sources} == {}, "read, and not among its sources"
    unused = {name: declared[name] - found[name] - keys for name in found}
    assert {name: sources for name, sources in unused.items() if sources} == {}, _NO_ROW_SHOWS_IT


def differing(some: list[Row], others: list[Row], names: Iterable[str]) -> list[str]:
    """The columns that do not have the same values, in whatever order."""

    def values(rows: list[Row], name: str) -> list[str]:
        return sorted(repr(row[name]) for row in rows)

    return [name for name in names if values(some, name) != values(others, name)]


def changed_source(name: str, kind: Kind) -> list[dict[str, Any]]:
    """``ROWS`` with another value of a source column in the first, and of money in its refund, the last, as well."""
    first = {**TRIP, **ROWS[0]}[name]
    if kind is Kind.MONEY:
        return [{**ROWS[0], name: -2 * first - 1}, *ROWS[1:-1], {**ROWS[-1], name: 3 * first + 1}]
    other = {
        Kind.TIMESTAMP: PICKUP + timedelta(days=3, hours=3),  # from Wednesday morning to Saturday noon
        Kind.INTEGER: {"payment_type": 2, "vendorid": 1}.get(name, 132),
        Kind.COUNT: 2.0,
        Kind.TEXT: "Y",
        Kind.DISTANCE: 6.0,
    }
    return [{**ROWS[0], name: other[kind]}, *ROWS[1:]]


def staged_with(spark: SparkSession, zone_column: str) -> list[Row]:
    """The staged rows with another value in a column of the zone lookup."""
    zones = spark.createDataFrame(parse_zones(make_zones(), "zones"), ZONE_SCHEMA)
    judged = judge.judge(source_rows(spark, *ROWS).withColumn("is_repeated", F.lit(False)), MONTH)
    named = enrich.with_zones(with_links(judged), zones.withColumn(zone_column, F.lit("Airports")))
    return enrich.trips(named, MONTH).collect()


def test_a_staged_column_comes_from_the_columns_that_its_contract_names(spark: SparkSession, staged: list[Row]) -> None:
    found = {column.name: set[str]() for column in TRIPS.columns}
    changes = {
        c.name: staged_rows(spark, *changed_source(c.name, c.kind), month=MONTH).collect() for c in tlc.TRIP_COLUMNS
    }
    changes |= {f"zones.{name}": staged_with(spark, name) for name in tlc.ZONE_COLUMNS[1:]}  # the first is the key
    for source, rows in changes.items():
        for name in differing(staged, rows, found):
            found[name].add(source)
    declared = {column.name: set(column.sources) - {"any other"} for column in TRIPS.columns}
    unnamed = {name: found[name] - declared[name] for name in found}
    assert {name: sources for name, sources in unnamed.items() if sources} == {}, "read, and not among its sources"
    # Which flags a row has depends on its other values as well: one change of a column need not change them.
    unused = {name: declared[name] - found[name] for name in found if name != "quality_flags"}
    assert {name: sources for name, sources in unused.items() if sources} == {}, _NO_ROW_SHOWS_IT
