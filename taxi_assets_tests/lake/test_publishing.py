from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.table import Table as IcebergTable

from glue_jobs.contracts import Table
from glue_jobs.contracts.model import Column, Type
from glue_jobs.files import each_footer, open_file_system, parquet_files
from taxi_assets.lake import publishing
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.publishing import NoSuchVersion, PublishConflict

TINY = Table(
    "curated",
    "tiny",
    "A table for tests.",
    (
        Column(1, "month", Type.STRING, "Month", nullable=False),
        Column(2, "day", Type.INT, "Day", nullable=False),
        Column(3, "amount", Type.MONEY, "Amount", unit="USD"),
    ),
    ("month",),
    ("month", "day"),
)
SCHEMA = pa.schema([("month", pa.string()), ("day", pa.int32()), ("amount", pa.decimal128(10, 2))])


def write(lake: Lake, month: str, version: str, days: int) -> None:
    rows = [{"month": month, "day": day, "amount": None} for day in range(days)]
    put_parquet(lake.paths.version(TINY, month, version), pa.Table.from_pylist(rows, schema=SCHEMA))


def put_parquet(folder: str, rows: pa.Table) -> None:
    """One file with these rows below a folder, in S3 too; an empty folder if there are none."""
    system, path = open_file_system(folder)
    system.create_dir(path, recursive=True)
    if rows.num_rows:
        pq.write_table(rows, f"{path}/part-0.parquet", filesystem=system)


def publish(lake: Lake, month: str, version: str, days: int) -> publishing.Publication:
    live = lake.publisher.live(TINY, month)
    write(lake, month, version, days)
    return lake.publisher.publish(TINY, month, version, {"run_id": f"run of {version}"}, replacing=live)


def days_of(lake: Lake, month: str) -> int:
    files = [file for file in lake.publisher.files(TINY) if f"month={month}" in file]
    return sum(each_footer(files, lambda file: int(file.metadata.num_rows)))


def test_a_published_month_is_what_readers_see(lake: Lake) -> None:
    publication = publish(lake, "2024-02", "v1", 3)
    assert (publication.version, publication.rows, publication.lineage) == ("v1", 3, {"run_id": "run of v1"})
    assert lake.publisher.live(TINY, "2024-02") == publication
    assert days_of(lake, "2024-02") == 3


def test_a_second_version_replaces_the_first_and_leaves_other_months_alone(lake: Lake) -> None:
    publish(lake, "2024-01", "v1", 7)
    publish(lake, "2024-02", "v1", 3)
    publish(lake, "2024-02", "v2", 4)
    assert (days_of(lake, "2024-01"), days_of(lake, "2024-02")) == (7, 4)
    assert [entry.version for entry in lake.publisher.history(TINY, "2024-02")] == ["v2", "v1"]
    assert len(parquet_files(lake.paths.version(TINY, "2024-02", "v1"))) == 1


def test_a_version_folder_that_was_not_published_is_invisible(lake: Lake) -> None:
    publish(lake, "2024-02", "v1", 3)
    write(lake, "2024-02", "crashed", 9)
    assert days_of(lake, "2024-02") == 3


def test_a_version_without_rows_is_a_version(lake: Lake) -> None:
    publish(lake, "2024-02", "v1", 3)
    assert publish(lake, "2024-02", "empty", 0).rows == 0
    assert days_of(lake, "2024-02") == 0
    assert lake.publisher.roll_back(TINY, "2024-02").version == "v1"
    assert days_of(lake, "2024-02") == 3


def test_rolling_back_goes_to_the_version_before_the_live_one(lake: Lake) -> None:
    for version, days in (("v1", 1), ("v2", 2), ("v3", 3)):
        publish(lake, "2024-02", version, days)
    publication = lake.publisher.roll_back(TINY, "2024-02")
    assert (publication.version, publication.is_rollback, days_of(lake, "2024-02")) == ("v2", True, 2)


def test_rolling_back_twice_goes_two_versions_back(lake: Lake) -> None:
    for version, days in (("v1", 1), ("v2", 2), ("v3", 3)):
        publish(lake, "2024-02", version, days)
    lake.publisher.roll_back(TINY, "2024-02")
    assert lake.publisher.roll_back(TINY, "2024-02").version == "v1"
    with pytest.raises(NoSuchVersion, match="no version before the live one for 2024-02; live is v1, others: v3, v2"):
        lake.publisher.roll_back(TINY, "2024-02")
    assert days_of(lake, "2024-02") == 1


def test_any_version_can_be_named(lake: Lake) -> None:
    for version, days in (("v1", 1), ("v2", 2), ("v3", 3)):
        publish(lake, "2024-02", version, days)
    assert lake.publisher.roll_back(TINY, "2024-02", to="v1").version == "v1"
    assert lake.publisher.roll_back(TINY, "2024-02", to="v3").rows == 3
    assert days_of(lake, "2024-02") == 3


@pytest.mark.parametrize("to", [None, "v9", "v1"])
def test_rolling_back_to_what_is_not_there_says_what_is(lake: Lake, to: str | None) -> None:
    publish(lake, "2024-02", "v1", 1)
    with pytest.raises(NoSuchVersion, match="live is v1, others: none"):
        lake.publisher.roll_back(TINY, "2024-02", to=to)
    with pytest.raises(NoSuchVersion, match="nothing published for 2024-03"):
        lake.publisher.roll_back(TINY, "2024-03", to=to)


def test_a_run_that_began_before_another_one_published_does_not_replace_it(lake: Lake) -> None:
    before = publish(lake, "2024-02", "v1", 1)
    publish(lake, "2024-02", "newer", 5)
    write(lake, "2024-02", "slow", 2)
    with pytest.raises(PublishConflict, match="version newer of 2024-02 was published by another run"):
        lake.publisher.publish(TINY, "2024-02", "slow", {}, replacing=before)
    assert days_of(lake, "2024-02") == 5


@pytest.mark.parametrize("published_before", [True, False])
@pytest.mark.parametrize("other", ["2024-02", "2024-03"])
def test_two_runs_at_once(lake: Lake, monkeypatch: pytest.MonkeyPatch, other: str, published_before: bool) -> None:
    """Another run commits between our look at the table and our commit: of our month it wins, of another both land."""
    if published_before:
        publish(lake, "2024-02", "v1", 1)
    publish(lake, "2024-01", "v1", 1)
    replace = publishing._replace
    rivals = iter(["rival"])

    def rival_first(iceberg: IcebergTable, month: str, files: Sequence[str], summary: dict[str, str]) -> None:
        for version in rivals:
            publish(lake, other, version, 5)
        replace(iceberg, month, files, summary)

    monkeypatch.setattr(publishing, "_replace", rival_first)
    if other == "2024-02":
        with pytest.raises(PublishConflict, match="version rival of 2024-02 was published by another run"):
            publish(lake, "2024-02", "mine", 2)
        assert days_of(lake, "2024-02") == 5
    else:
        assert publish(lake, "2024-02", "mine", 2).version == "mine"
        assert (days_of(lake, "2024-02"), days_of(lake, "2024-03")) == (2, 5)
    assert days_of(lake, "2024-01") == 1
