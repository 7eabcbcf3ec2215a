from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession

from glue_jobs.contracts import tlc
from glue_jobs.errors import InputError
from glue_jobs.files import parquet_schema
from glue_jobs.sources.synthetic import make_month
from glue_jobs.transforms.normalise import layout_of, normalise
from taxi_assets_tests.trips import source_rows

PLAIN = {name: str(field.type) for name, field in ((f.name, f) for f in make_month("2024-02", 100, 1).schema)}


def read(spark: SparkSession, table: pa.Table, path: str) -> DataFrame:
    pq.write_table(table, path)
    layout = layout_of(parquet_schema(path), path)
    return normalise(spark.read.schema(layout.schema).parquet(path), layout)


@pytest.mark.parametrize("month", ["2011-06", "2014-08", "2019-01", "2019-03", "2023-02", "2025-01", "2026-06"])
def test_files_of_every_era_become_rows_of_one_shape(spark: SparkSession, month: str, tmp_path: Path) -> None:
    table = make_month(month, 200, 1)
    rows = read(spark, table, f"{tmp_path}/trips.parquet")
    assert rows.columns == [*(column.name for column in tlc.TRIP_COLUMNS), "row_hash"]
    assert [kind for name, kind in rows.dtypes if name != "row_hash"] == [c.type.value for c in tlc.TRIP_COLUMNS]
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
    assert sorted(hashes) == [-3804293034691806672, 5302391066565662954]


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
    with pytest.raises(InputError, match=r"differ only by case, Airport_fee among them"):
        layout_of({**PLAIN, "airport_fee": "double"}, "f.parquet")


@pytest.mark.parametrize(
    ("name", "kind"), [("PULocationID", "double"), ("tpep_pickup_datetime", "timestamp[ns]"), ("VendorID", "string")]
)
def test_a_type_that_would_lose_values_is_refused(name: str, kind: str) -> None:
    with pytest.raises(InputError, match=f"column {name} is of type"):
        layout_of({**PLAIN, name: kind}, "f.parquet")


def test_a_missing_column_is_named_with_the_file() -> None:
    physical = {name: kind for name, kind in PLAIN.items() if name != "tpep_pickup_datetime"}
    with pytest.raises(InputError, match=r"f\.parquet lacks the column tpep_pickup_datetime"):
        layout_of(physical, "f.parquet")


@pytest.mark.parametrize("coordinates", [["Start_Lon", "Start_Lat"], ["pickup_longitude", "pickup_latitude"]])
def test_files_with_coordinates_are_refused_as_what_they_are(coordinates: list[str]) -> None:
    with pytest.raises(InputError, match="instead of taxi zones, as files of 2009 and 2010"):
        layout_of(dict.fromkeys(coordinates, "double"), "old.parquet")


def test_a_type_that_cannot_hold_the_value_is_refused() -> None:
    with pytest.raises(InputError, match=r"column fare_amount is of type string"):
        layout_of({**PLAIN, "fare_amount": "string"}, "f.parquet")
