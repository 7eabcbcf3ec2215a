from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from glue_jobs.contracts import tlc
from glue_jobs.errors import InputError
from glue_jobs.files import parse_zones
from glue_jobs.ingest_raw import verify_trips
from glue_jobs.sources.synthetic import make_month, make_zones


def test_a_good_file_is_described(tmp_path: Path) -> None:
    table = make_month("2024-02", 300, 1)
    table = table.append_column("driver_mood", pa.array(["good"] * table.num_rows))
    pq.write_table(table, tmp_path / "f.parquet")
    facts = verify_trips(tmp_path / "f.parquet", "the url", "2024-02")
    assert facts["rows"] == table.num_rows
    assert facts["unknown_columns"] == ["driver_mood"]
    assert facts["physical_schema"]["Airport_fee"] == "double"


def retyped(name: str, values: list[object], kind: pa.DataType, path: Path) -> Path:
    """A good month with ``values`` in the first rows of a column, all of it in type ``kind``."""
    table = make_month("2024-02", 500, 1)
    position = table.column_names.index(name)
    column = [*values, *table.column(name).to_pylist()[len(values) :]]
    pq.write_table(table.set_column(position, name, pa.array(column, kind)), path)
    return path


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("VendorID", [1.5], pa.float64()),
        ("PULocationID", [161.25], pa.float64()),
        ("payment_type", [2**63 + 1], pa.uint64()),
        ("passenger_count", [2**53 + 1], pa.int64()),
    ],
)
def test_a_change_of_type_that_would_lose_values_is_refused(
    tmp_path: Path, name: str, values: list[object], kind: pa.DataType
) -> None:
    path = retyped(name, values, kind, tmp_path / "f.parquet")
    with pytest.raises(InputError, match=f"the url: column {name} is of type .*, and values of it would be lost"):
        verify_trips(path, "the url", "2024-02")


def test_a_text_that_is_no_number_is_refused(tmp_path: Path) -> None:
    table = make_month("2024-02", 500, 1)
    texts = pa.array(["12.5 dollars", *(["12.5"] * (table.num_rows - 1))])
    pq.write_table(table.set_column(table.column_names.index("fare_amount"), "fare_amount", texts), tmp_path / "f")
    with pytest.raises(InputError, match="column fare_amount is of type string, and values of it would be lost"):
        verify_trips(tmp_path / "f", "the url", "2024-02")


def test_a_change_of_type_that_loses_nothing_is_accepted_and_reported(tmp_path: Path) -> None:
    path = retyped("VendorID", [1.0, 2.0], pa.float64(), tmp_path / "f.parquet")
    facts = verify_trips(path, "the url", "2024-02")
    assert facts["changed_types"] == {"VendorID": "int32 expected, double found"}
    assert facts["era"] == "2023-02"


def test_broken_pages_behind_a_good_footer_are_found(tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    pq.write_table(make_month("2024-02", 5000, 1), path, compression="zstd")
    content = bytearray(path.read_bytes())
    content[len(content) // 4 : len(content) // 2] = bytes(len(content) // 2 - len(content) // 4)
    path.write_bytes(content)
    with pytest.raises(InputError, match="the url has a readable footer but broken data"):
        verify_trips(path, "the url", "2024-02")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1PAR1", b"\x00" * 100])
def test_what_is_not_parquet_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "f.parquet").write_bytes(content)
    with pytest.raises(InputError, match="the url"):
        verify_trips(tmp_path / "f.parquet", "the url", "2024-02")


def test_the_zone_lookup_has_every_zone_once() -> None:
    zones = parse_zones(make_zones(), "zones.csv")
    assert len(zones) == tlc.ZONE_COUNT
    assert zones[263] == (264, "Unknown", "N/A", "N/A")


@pytest.mark.parametrize(
    "content", [b"<html>", b"\xff\xfe", make_zones()[:-30], make_zones() + b'1,"EWR","Newark Airport","EWR"\n']
)
def test_another_file_is_no_zone_lookup(content: bytes) -> None:
    with pytest.raises(InputError, match=r"zones\.csv"):
        parse_zones(content, "zones.csv")
