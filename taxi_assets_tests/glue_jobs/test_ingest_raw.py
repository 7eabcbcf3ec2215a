from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
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


@pytest.mark.parametrize(
    ("kind", "options", "remedy"),
    [
        (
            pa.timestamp("ns"),
            {},
            r"^write the file .*: df = pd\.read_parquet\(path\); df\.to_parquet",
        ),
        (pa.timestamp("ns"), {"use_deprecated_int96_timestamps": True}, "not as INT96 or nanoseconds"),
        (pa.timestamp("us", "UTC"), {}, r"df\['tpep_dropoff_datetime'\]\.dt\.tz_convert\('America/New_York'\)"),
    ],
    ids=["nanoseconds", "INT96", "instants"],
)
def test_times_that_are_no_wall_clock_in_microseconds_are_refused_with_the_lines_that_write_them_so(
    tmp_path: Path, kind: pa.DataType, options: dict[str, bool], remedy: str
) -> None:
    pq.write_table(with_times_as(kind), tmp_path / "f.parquet", **options)
    with pytest.raises(InputError, match=r"the url: column tpep_.*_datetime is of type timestamp") as refused:
        verify_trips(tmp_path / "f.parquet", "the url", "2024-02")
    assert re.search(remedy, refused.value.remedy)


def with_times_as(kind: pa.DataType) -> pa.Table:
    table, name = make_month("2024-02", 500, 1), "tpep_dropoff_datetime"
    return table.set_column(table.column_names.index(name), name, table.column(name).cast(kind))


def test_the_lines_of_such_a_remedy_make_a_file_that_is_accepted(tmp_path: Path) -> None:
    path, name = tmp_path / "f.parquet", "tpep_dropoff_datetime"
    pq.write_table(with_times_as(pa.timestamp("ns", "UTC")), path)
    with pytest.raises(InputError) as refused:
        verify_trips(path, "the url", "2024-02")
    lines = re.sub(r" \(without [^)]*\)", "", refused.value.remedy.partition(": ")[2])
    exec(lines, {"pd": pd, "path": path})  # noqa: S102 -- the lines are those that people are told to run
    verify_trips(path, "the url", "2024-02")
    # 5 hours earlier than UTC in February
    first = [make_month("2024-02", 500, 1)[name][0].as_py(), pq.read_table(path)[name][0].as_py()]
    assert first[0] - first[1] == timedelta(hours=5)


def test_categoricals_of_pandas_are_accepted_as_what_they_are_of(tmp_path: Path) -> None:
    frame = make_month("2024-02", 500, 1).to_pandas()
    for name in ("store_and_fwd_flag", "VendorID", "payment_type", "RatecodeID"):
        frame[name] = frame[name].astype("category")
    frame.to_parquet(tmp_path / "f.parquet", coerce_timestamps="us", allow_truncated_timestamps=True)
    facts = verify_trips(tmp_path / "f.parquet", "the url", "2024-02")
    assert facts["physical_schema"]["store_and_fwd_flag"] in ("string", "large_string")
    assert facts["unknown_columns"] == []


@pytest.mark.parametrize(
    "told",
    [b"not JSON", b"[]", b'{"index_columns": 5}', b'{"index_columns": [["a"]]}', b"[" * 100_000, b"\xff\xfe"],
    ids=["no JSON", "a list", "a number", "a list of lists", "nested without end", "no UTF-8"],
)
def test_metadata_of_pandas_that_is_none_is_passed_over(tmp_path: Path, told: bytes) -> None:
    table = make_month("2024-02", 500, 1)
    pq.write_table(table.replace_schema_metadata({b"pandas": told}), tmp_path / "f.parquet")
    assert verify_trips(tmp_path / "f.parquet", "the url", "2024-02")["index_columns"] == []


ROWS = make_month("2024-02", 500, 1).num_rows
FILTERED = [*range(3, ROWS + 2), 900]
"""An index from which rows were taken; pandas writes one that is a range into its metadata alone."""


def frame_with(**columns: Any) -> pd.DataFrame:
    frame: pd.DataFrame = make_month("2024-02", 500, 1).to_pandas()
    with_more: pd.DataFrame = frame.assign(**columns)
    return with_more


INDEXED: list[tuple[str, Callable[[], pd.DataFrame], str]] = [
    ("without a name", lambda: frame_with().set_index(pd.Index(FILTERED)), "__index_level_0__"),
    ("with a name", lambda: frame_with(trip_id=FILTERED).set_index("trip_id"), "trip_id"),
    ("by way of CSV", lambda: frame_with(**{"Unnamed: 0": range(ROWS)}), "Unnamed: 0"),
    ("reset", lambda: frame_with().reset_index(), "index"),
]


@pytest.mark.parametrize(("make", "name"), [one[1:] for one in INDEXED], ids=[one[0] for one in INDEXED])
def test_an_index_of_pandas_is_known_for_one(tmp_path: Path, make: Callable[[], pd.DataFrame], name: str) -> None:
    make().to_parquet(tmp_path / "f.parquet", coerce_timestamps="us", row_group_size=100)
    facts = verify_trips(tmp_path / "f.parquet", "the url", "2024-02")
    assert (facts["index_columns"], facts["unknown_columns"], facts["new_columns"]) == ([name], [], [])


@pytest.mark.parametrize(
    "values",
    [[5, *range(1, ROWS)], [None, *range(1, ROWS)], [str(n) for n in range(ROWS)]],
    ids=["gap", "null", "texts"],
)
def test_a_column_that_is_only_called_as_an_index_is_data(tmp_path: Path, values: list[object]) -> None:
    frame_with(index=values).to_parquet(tmp_path / "f.parquet", coerce_timestamps="us")
    facts = verify_trips(tmp_path / "f.parquet", "the url", "2024-02")
    assert (facts["index_columns"], facts["unknown_columns"]) == ([], ["index"])


def test_a_column_of_the_contract_is_data_even_if_it_is_the_index(tmp_path: Path) -> None:
    frame_with().set_index("VendorID").to_parquet(tmp_path / "f.parquet", coerce_timestamps="us")
    facts = verify_trips(tmp_path / "f.parquet", "the url", "2024-02")
    assert (facts["index_columns"], "vendorid" in facts["absent_columns"]) == ([], False)
