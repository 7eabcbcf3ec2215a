"""What another program commits to a table is seen, and not taken for a missing month."""

from __future__ import annotations

import pyarrow as pa
import pytest
from pyiceberg.table import Table as IcebergTable

from glue_jobs.contracts import CURATED_TABLES
from taxi_assets.lake.catalog_check import check_catalog
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.status import lake_status
from taxi_assets_tests.support.tiny_table import write_rows

DAILY = CURATED_TABLES["daily_metrics"]


@pytest.fixture
def published(lake: Lake) -> Lake:
    """A lake with a month of three rows of a table."""
    write_rows(lake.paths.version(DAILY, "2024-02", "v1"), DAILY, 3)
    lake.publisher.publish(DAILY, "2024-02", "v1", {}, replacing=None)
    return lake


def append(iceberg: IcebergTable, month: str) -> None:
    """A row of ``month``, as another program would add it."""
    row = iceberg.scan().to_arrow().slice(0, 1)
    at = row.column_names.index("month")
    iceberg.append(row.set_column(at, "month", pa.array([month], row.schema.field(at).type)))


def remarks(lake: Lake) -> dict[str, tuple[str, ...]]:
    return {one.month: tuple(text for text in one.remarks if "another program" in text) for one in lake_status(lake)}


def test_what_is_as_published_is_no_change(published: Lake) -> None:
    assert published.publisher.changed_by_others(DAILY) == {}
    assert remarks(published) == {"2024-02": ()}


@pytest.mark.parametrize(
    ("month", "seen", "of"), [("2024-02", "4 rows, not the 3", "2024-02"), ("2024-05", "1 rows, not the 0", "2024-05")]
)
def test_rows_that_another_program_appended_are_told(published: Lake, month: str, seen: str, of: str) -> None:
    append(published.catalog.open(DAILY), month)
    [remark] = remarks(published)[of]
    assert f"curated.daily_metrics: readers see {seen} that were published" in remark
    [fault] = [fault for fault in check_catalog(published) if "another program" in fault.problem]
    assert seen in fault.problem
    assert fault.repair == f"taxi-assets run --month {of}"


def test_a_month_that_another_program_deleted_is_told_and_can_be_published_again(published: Lake) -> None:
    published.catalog.open(DAILY).delete("month == '2024-02'")
    assert "readers see 0 rows, not the 3" in remarks(published)["2024-02"][0]
    live = published.publisher.live(DAILY, "2024-02")
    write_rows(published.paths.version(DAILY, "2024-02", "v2"), DAILY, 2)
    published.publisher.publish(DAILY, "2024-02", "v2", {}, replacing=live)
    assert remarks(published) == {"2024-02": ()}
    assert published.catalog.open(DAILY).scan().to_arrow().num_rows == 2
