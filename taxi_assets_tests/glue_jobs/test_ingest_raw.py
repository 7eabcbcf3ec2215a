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
    table = make_month("2024-02", 300, 1).append_column("driver_mood", pa.array(["good"] * 303))
    pq.write_table(table, tmp_path / "f.parquet")
    facts = verify_trips(tmp_path / "f.parquet", "the url", "2024-02")
    assert facts["rows"] == table.num_rows
    assert facts["unknown_columns"] == ["driver_mood"]
    assert facts["physical_schema"]["Airport_fee"] == "double"


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
