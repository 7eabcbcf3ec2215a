from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from glue_jobs.ingest_raw import verify_trips
from glue_jobs.sources.synthetic import make_month
from taxi_assets.checks import raw
from taxi_assets.checks.raw import LandedMonth


def landed(path: Path, month: str, **changes: Any) -> LandedMonth:
    pq.write_table(make_month(month, 600, 1), path)
    content = path.read_bytes()
    facts: Any = {
        **verify_trips(path, "url", month),
        "path": str(path),
        "bytes": len(content),
        "sha256": sha256(content).hexdigest(),
    }
    zones: Any = {"rows": 265, "path": "zones.csv"}
    return LandedMonth(month, facts | changes, zones)


def failed(month: LandedMonth) -> set[str]:
    return {one.name for one in raw.CHECKS if not one.evaluate(month).outcome.passed}


@pytest.mark.parametrize("month", ["2011-06", "2014-08", "2019-01", "2023-02", "2024-02", "2025-01", "2026-06"])
def test_a_good_file_passes(tmp_path: Path, month: str) -> None:
    assert failed(landed(tmp_path / "f.parquet", month)) == set()


@pytest.mark.parametrize(
    ("changes", "caught_by"),
    [
        ({"rows": 1}, "has_rows"),
        ({"bytes": 1}, "has_its_size"),
        ({"sha256": "of what was fetched"}, "has_its_content"),
        ({"unknown_columns": ["driver_mood"]}, "columns_are_known"),
        ({"missing_columns": ["cbd_congestion_fee"]}, "columns_are_complete"),
        ({"changed_types": {"VendorID": "int32 expected, double found"}}, "types_are_those_of_the_era"),
    ],
)
def test_a_fault_is_caught(tmp_path: Path, changes: dict[str, Any], caught_by: str) -> None:
    assert failed(landed(tmp_path / "f.parquet", "2025-01", **changes)) == {caught_by}
