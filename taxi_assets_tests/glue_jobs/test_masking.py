"""A masked file: nobody is alone in it, and its sums are those of the file that it was made of."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from glue_jobs.contracts import tlc
from glue_jobs.contracts.raw import k_of, masked_address, unmasked_address
from glue_jobs.errors import InputError
from glue_jobs.masking import Masked, mask
from taxi_assets_tests.support.odd_months import Month
from taxi_assets_tests.support.trips import TRIP

MONTH = "2025-03"
NINE = datetime(2025, 3, 5, 9)
GROUPS = """
    SELECT count(*) AS n FROM '{}'
    GROUP BY date_trunc('hour', tpep_pickup_datetime), tpep_dropoff_datetime - tpep_pickup_datetime,
             PULocationID, DOLocationID"""


def masked(folder: Path, rows: list[dict[str, Any]], k: int) -> tuple[Path, Masked]:
    file = folder / "f.parquet"
    Month(MONTH, rows).write(file)
    return file, mask(file, "u", k)


def trip(minute: int, **values: Any) -> dict[str, Any]:
    """A trip of nine o'clock that took ten minutes."""
    pickup = values.pop("pickup", NINE + timedelta(minutes=minute))
    times = {"tpep_pickup_datetime": pickup, "tpep_dropoff_datetime": pickup + timedelta(minutes=10)}
    return {**TRIP, **times, "trip_distance": 1.0 + minute / 10, **values}


def times_and_zones(file: Path) -> set[tuple[Any, ...]]:
    columns = ["tpep_pickup_datetime", "tpep_dropoff_datetime", "PULocationID", "DOLocationID"]
    return {tuple(row.values()) for row in pq.read_table(file, columns=columns).to_pylist()}


def test_trips_of_an_hour_between_two_zones_become_alike(tmp_path: Path) -> None:
    file, done = masked(tmp_path, [trip(minute) for minute in (3, 17, 59)], k=3)
    zones = (TRIP["pulocationid"], TRIP["dolocationid"])
    assert times_and_zones(file) == {(NINE, NINE + timedelta(minutes=15), *zones)}
    assert done == Masked(rows=3, merged=0, left_out=0)


@pytest.mark.parametrize(
    ("other", "start", "took", "zones"),
    [
        ({"dolocationid": 7}, NINE, 60, (TRIP["pulocationid"], tlc.UNKNOWN_ZONE)),
        ({"pulocationid": 7}, NINE, 60, (tlc.UNKNOWN_ZONE, tlc.UNKNOWN_ZONE)),
        ({"pickup": NINE - timedelta(hours=2)}, NINE - timedelta(hours=3), 60, (tlc.UNKNOWN_ZONE, tlc.UNKNOWN_ZONE)),
        ({"pickup": NINE + timedelta(hours=8)}, NINE + timedelta(hours=3), 60, (tlc.UNKNOWN_ZONE, tlc.UNKNOWN_ZONE)),
    ],
    ids=["a zone of drop-off", "a zone of pick-up", "a time of day", "a day"],
)
def test_what_is_rare_is_merged_step_by_step(
    tmp_path: Path, other: dict[str, Any], start: datetime, took: int, zones: tuple[int, int]
) -> None:
    file, done = masked(tmp_path, [trip(1), trip(2, **other)], k=2)
    assert times_and_zones(file) == {(start, start + timedelta(minutes=took), *zones)}
    assert done == Masked(rows=2, merged=2, left_out=0)


def test_what_cannot_be_merged_is_left_out(tmp_path: Path) -> None:
    rows = [trip(1), trip(2), trip(3, pickup=NINE + timedelta(days=3)), trip(4, pulocationid=None)]
    rows += [trip(minute) for minute in (5, 6)]
    file, done = masked(tmp_path, rows, k=2)
    assert done == Masked(rows=4, merged=0, left_out=2)
    assert pq.read_metadata(file).num_rows == 4


def test_trips_that_masking_makes_equal_are_told_apart_and_repeated_rows_are_not(tmp_path: Path) -> None:
    alike = {"trip_distance": 1.0}
    rows = [trip(1, **alike), trip(1, **alike), trip(2, **alike), trip(3, **alike)]
    file, _ = masked(tmp_path, rows, k=4)
    found = pq.read_table(file).to_pylist()
    assert sorted(row["tpep_pickup_datetime"] for row in found)[-1] == NINE + timedelta(seconds=2)
    assert len({tuple(row.values()) for row in found}) == 3
    assert {row["tpep_dropoff_datetime"] - row["tpep_pickup_datetime"] for row in found} == {timedelta(minutes=15)}


def test_nobody_is_alone_in_a_month_and_what_a_trip_of_a_day_cost_stays(source: Path, tmp_path: Path) -> None:
    file = tmp_path / "f.parquet"
    original = source / tlc.trip_file_path("2024-02")
    file.write_bytes(original.read_bytes())
    done = mask(file, "u", 5)
    whole = pq.read_table(file).append_column("driver_mood", pa.array(["good"] * done.rows))
    assert done.rows + done.left_out == pq.read_metadata(original).num_rows
    assert done.left_out < 0.02 * done.rows
    with duckdb.connect() as connection:
        [(fewest,)] = connection.execute(f"SELECT min(n) FROM ({GROUPS.format(file)})").fetchall()
        assert fewest >= 5
        same = "tpep_pickup_datetime::DATE AS day, * EXCLUDE ({})".format(
            "tpep_pickup_datetime, tpep_dropoff_datetime, PULocationID, DOLocationID"
        )
        new = f"SELECT {same} FROM '{file}' EXCEPT ALL SELECT {same} FROM '{original}'"
        assert connection.execute(new).fetchall() == []
    pq.write_table(whole, file)
    mask(file, "u", 5)
    assert "driver_mood" not in pq.read_schema(file).names


def test_a_file_of_which_less_than_half_would_stay_is_refused(tmp_path: Path) -> None:
    rows = [trip(1, pickup=NINE + timedelta(days=day)) for day in range(4)]
    with pytest.raises(InputError, match=r"of its 4 rows only 0 can be made one of at least 2.*smaller TAXI_MASK_K"):
        masked(tmp_path, rows, k=2)


def test_times_that_are_text_cannot_be_masked(tmp_path: Path) -> None:
    file = tmp_path / "f.parquet"
    Month(MONTH, [trip(1), trip(2)]).write(file)
    table = pq.read_table(file)
    at = table.column_names.index("tpep_pickup_datetime")
    pq.write_table(table.set_column(at, "tpep_pickup_datetime", table.column(at).cast(pa.string())), file)
    with pytest.raises(InputError, match="tpep_pickup_datetime is of type string, and only timestamps can be masked"):
        mask(file, "u", 2)


def test_an_address_says_that_its_file_was_masked() -> None:
    address = masked_address("https://example.org/f.parquet", 7)
    assert (k_of(address), unmasked_address(address)) == (7, "https://example.org/f.parquet")
    assert (k_of("synthetic:rows=5"), unmasked_address("synthetic:rows=5")) == (0, "synthetic:rows=5")
