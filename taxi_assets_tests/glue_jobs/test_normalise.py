from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession

from glue_jobs.contracts import tlc
from glue_jobs.contracts.eras import ERAS, era_of
from glue_jobs.errors import InputError
from glue_jobs.files import parquet_schema
from glue_jobs.sources.synthetic import make_month
from glue_jobs.transforms.normalise import Drift, drift_of, layout_of, normalise
from taxi_assets_tests.support.trips import source_rows

PLAIN = {name: str(field.type) for name, field in ((f.name, f) for f in make_month("2024-02", 100, 1).schema)}


def read(spark: SparkSession, table: pa.Table, path: str) -> DataFrame:
    pq.write_table(table, path)
    layout = layout_of(parquet_schema(path), path)
    return normalise(spark.read.schema(layout.schema).parquet(path), layout)


@pytest.mark.parametrize("month", ["2011-06", "2014-08", "2019-01", "2019-03", "2023-02", "2025-01", "2026-06"])
def test_files_of_every_era_become_rows_of_one_shape(spark: SparkSession, month: str, tmp_path: Path) -> None:
    table = make_month(month, 200, 1)
    rows = read(spark, table, f"{tmp_path}/trips.parquet")
    assert rows.columns == [*(column.name for column in tlc.TRIP_COLUMNS), "extra_columns", "row_hash"]
    assert [kind for name, kind in rows.dtypes][:-2] == [c.type.value for c in tlc.TRIP_COLUMNS]
    assert rows.where("extra_columns IS NOT NULL").count() == 0
    assert rows.count() == table.num_rows


def test_the_case_of_a_name_and_the_width_of_a_number_change_nothing(spark: SparkSession, tmp_path: Path) -> None:
    table = make_month("2024-02", 200, 1)
    shouting = table.rename_columns([name.upper() for name in table.column_names])
    for name, kind in (("VENDORID", pa.int64()), ("PASSENGER_COUNT", pa.float64()), ("PULOCATIONID", pa.int64())):
        position = shouting.column_names.index(name)
        shouting = shouting.set_column(position, name, shouting.column(name).cast(kind))
    one = read(spark, table, f"{tmp_path}/one.parquet")
    other = read(spark, shouting, f"{tmp_path}/other.parquet")
    assert sorted(map(tuple, one.collect()), key=repr) == sorted(map(tuple, other.collect()), key=repr)


def test_the_row_hash_is_the_same_for_ever(spark: SparkSession) -> None:
    # Written down once: a later change would make hashes of different versions incomparable.
    hashes = [row.row_hash for row in source_rows(spark, {}, {"tip_amount": None}).select("row_hash").collect()]
    assert sorted(hashes) == [3479882906118872043, 8049683729916510711]


def test_a_value_that_is_no_number_stays_one_beside_equal_values(spark: SparkSession, tmp_path: Path) -> None:
    # Statistics leave NaN out: an engine that trusts them reads a constant instead.
    table = make_month("2024-02", 100, 1).slice(0, 2)
    totals = table.set_column(table.column_names.index("total_amount"), "total_amount", pa.array([23.5, float("nan")]))
    rows = read(spark, totals, f"{tmp_path}/f.parquet").collect()
    assert sorted(str(row.total_amount) for row in rows) == ["23.5", "nan"]


def test_unknown_columns_are_named_and_not_read() -> None:
    layout = layout_of({**PLAIN, "driver_mood": "string"}, "f.parquet")
    assert layout.unknown == {"driver_mood": "string"}
    assert "`driver_mood` string" in layout.schema


def test_a_column_without_a_type_counts_as_absent() -> None:
    layout = layout_of({**PLAIN, "congestion_surcharge": "null"}, "f.parquet")
    assert "congestion_surcharge" in layout.absent


def test_a_required_column_without_a_type_is_refused() -> None:
    with pytest.raises(InputError, match=r"lacks the column tip_amount, or has no value in it"):
        layout_of({**PLAIN, "tip_amount": "null"}, "f.parquet")


def test_names_that_differ_only_by_case_are_refused() -> None:
    with pytest.raises(InputError, match="differ only by case: Airport_fee, airport_fee"):
        layout_of({**PLAIN, "airport_fee": "double"}, "f.parquet")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("tpep_pickup_datetime", "timestamp[ns]"),
        ("tpep_pickup_datetime", "timestamp[us, tz=UTC]"),
        ("tpep_pickup_datetime", "int64"),
        ("store_and_fwd_flag", "bool"),
        ("fare_amount", "list<item: double>"),
        ("VendorID", "bool"),
    ],
)
def test_a_type_that_cannot_hold_what_the_column_means_is_refused(name: str, kind: str) -> None:
    with pytest.raises(InputError, match=re.escape(f"column {name} is of type {kind}")):
        layout_of({**PLAIN, name: kind}, "f.parquet")


RETYPED: dict[str, pa.DataType] = {
    "VendorID": pa.float64(),
    "PULocationID": pa.string(),
    "DOLocationID": pa.uint16(),
    "payment_type": pa.uint64(),
    "passenger_count": pa.decimal128(20, 0),
    "RatecodeID": pa.float32(),
    "fare_amount": pa.decimal128(10, 2),
    "extra": pa.string(),
    "tpep_pickup_datetime": pa.timestamp("ms"),
    "tpep_dropoff_datetime": pa.string(),
}


@pytest.mark.parametrize("name", RETYPED)
def test_a_type_that_casts_without_loss_gives_the_same_rows(spark: SparkSession, name: str, tmp_path: Path) -> None:
    table = make_month("2024-02", 200, 1)
    position = table.column_names.index(name)
    retyped = table.set_column(position, name, table.column(name).cast(RETYPED[name], safe=False))
    one = read(spark, table, f"{tmp_path}/one.parquet")
    other = read(spark, retyped, f"{tmp_path}/other.parquet")
    assert one.exceptAll(other).count() == other.exceptAll(one).count() == 0


def test_a_value_that_has_no_place_in_the_type_is_null_and_no_failure(spark: SparkSession, tmp_path: Path) -> None:
    table = make_month("2024-02", 100, 1).slice(0, 4)
    odd = {
        "VendorID": pa.array([float("nan"), float("inf"), -1e300, None]),
        "passenger_count": pa.array(["", "two", "1e3x", None]),
        "tpep_dropoff_datetime": pa.array(["", "soon", "2024-02-30 10:00:00", None]),
    }
    for name, values in odd.items():
        table = table.set_column(table.column_names.index(name), name, values)
    rows = read(spark, table, f"{tmp_path}/f.parquet").select(*(name.lower() for name in odd)).collect()
    assert [tuple(row) for row in rows] == [(None, None, None)] * 4


def test_the_text_of_bytes_has_no_lines(spark: SparkSession, tmp_path: Path) -> None:
    table = make_month("2024-02", 100, 1).slice(0, 1).append_column("photo", pa.array([bytes(60)]))
    [row] = read(spark, table, f"{tmp_path}/f.parquet").collect()
    assert json.loads(row.extra_columns) == {"photo": "A" * 80}


def test_the_row_hash_tells_where_the_nulls_are_and_knows_no_negative_zero_or_nan(spark: SparkSession) -> None:
    rows = source_rows(
        spark,
        {"congestion_surcharge": 2.5, "airport_fee": None},
        {"congestion_surcharge": None, "airport_fee": 2.5},
        {"tolls_amount": 0.0},
        {"tolls_amount": -0.0},
        {"tolls_amount": float("nan")},
        {"tolls_amount": -float("nan")},
    )
    assert rows.select("row_hash").distinct().count() == 4


def test_a_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    table = make_month("2024-02", 100, 1)
    twice = table.append_column("total_amount", table["total_amount"])
    pq.write_table(twice, tmp_path / "f.parquet")
    with pytest.raises(InputError, match="has columns that stand more than once: total_amount"):
        parquet_schema(str(tmp_path / "f.parquet"))


def test_columns_that_nobody_knows_are_kept_beside_the_row(spark: SparkSession, tmp_path: Path) -> None:
    table = make_month("2024-02", 100, 1).slice(0, 3)
    strange = (
        table.append_column("driver_mood", pa.array(["glad", None, 'so "so"']))
        .append_column("seat`heat", pa.array([21, 22, None]))
        .append_column("photo", pa.array([b"\xff", None, b""]))
        .append_column("nothing", pa.nulls(3))
    )
    kept = [json.loads(row.extra_columns) for row in read(spark, strange, f"{tmp_path}/f.parquet").collect()]
    assert sorted(kept, key=str) == sorted(
        [
            {"driver_mood": "glad", "seat`heat": "21", "photo": "/w=="},
            {"seat`heat": "22"},
            {"driver_mood": 'so "so"', "photo": ""},
        ],
        key=str,
    )


def test_a_column_of_a_type_that_no_engine_reads_stays_in_raw_and_is_named() -> None:
    layout = layout_of({**PLAIN, "stops": "list<element: int64>", "seen": "timestamp[ns]"}, "f.parquet")
    assert layout.unreadable == ("stops", "seen")
    assert layout.unknown == {}
    assert layout.strangers == ["stops", "seen"]


def test_rows_that_differ_only_in_an_unknown_column_have_different_hashes(spark: SparkSession, tmp_path: Path) -> None:
    table = make_month("2024-02", 100, 1).slice(0, 1)
    twice = pa.concat_tables([table, table]).append_column("driver_mood", pa.array(["glad", "sad"]))
    rows = read(spark, twice, f"{tmp_path}/f.parquet")
    assert rows.select("row_hash").distinct().count() == 2


ERA_MONTHS = ["2011-06", "2014-08", "2019-01", "2023-02", "2025-01", "2026-06"]


@pytest.mark.parametrize("month", ERA_MONTHS)
def test_a_file_of_its_era_has_not_drifted(month: str) -> None:
    physical = {field.name: str(field.type) for field in make_month(month, 100, 1).schema}
    assert drift_of(physical, era_of(month)) == Drift((), (), {})


def test_drift_is_named_against_the_era() -> None:
    physical = {**PLAIN, "VendorID": "double", "driver_mood": "string"}
    del physical["congestion_surcharge"]
    drift = drift_of(physical, era_of("2024-02"))
    assert drift.new == ("driver_mood",)
    assert drift.missing == ("congestion_surcharge",)
    assert drift.changed == {"VendorID": "int32 expected, double found"}


def test_every_column_of_every_era_is_one_of_the_contract_in_a_type_that_it_reads() -> None:
    assert ERAS[0].since == tlc.FIRST_MONTH
    for era in ERAS:
        layout = layout_of(era.columns, era.since)
        assert layout.unknown == {}
        assert layout.unreadable == ()


def test_a_month_before_the_first_era_has_none() -> None:
    with pytest.raises(ValueError, match="2010-12 is before 2011-01"):
        era_of("2010-12")


def test_a_missing_column_is_named_with_the_file() -> None:
    physical = {name: kind for name, kind in PLAIN.items() if name != "tpep_pickup_datetime"}
    with pytest.raises(InputError, match=r"f\.parquet lacks the column tpep_pickup_datetime"):
        layout_of(physical, "f.parquet")


@pytest.mark.parametrize("coordinates", [["Start_Lon", "Start_Lat"], ["pickup_longitude", "pickup_latitude"]])
def test_files_with_coordinates_are_refused_as_what_they_are(coordinates: list[str]) -> None:
    with pytest.raises(InputError, match="instead of taxi zones, as files of 2009 and 2010"):
        layout_of(dict.fromkeys(coordinates, "double"), "old.parquet")
