"""What is live, and what can be put back, does not depend on snapshots that somebody else may expire."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pyarrow as pa
import pytest
from pyiceberg.table import Table as IcebergTable

from glue_jobs.contracts import Table
from taxi_assets.lake import publishing, records
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.publishing import NoSuchVersion
from taxi_assets_tests.support.tiny_table import SCHEMA, TINY, days_of, publish, put_parquet, write

TWIN = replace(TINY, name="twin")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """In a folder: what differs in S3 is only where the properties are kept, which the first test asks of both."""
    return Lake.in_folder(tmp_path / "lake")


def expire_all_but_the_current(lake: Lake) -> IcebergTable:
    """As another tool would, with PyIceberg's own call."""
    tomorrow = datetime.now(timezone.utc) + timedelta(days=1)
    lake.catalog.open(TINY).maintenance.expire_snapshots().older_than(tomorrow).commit()
    left = lake.catalog.open(TINY)
    assert len(left.metadata.snapshots) == 1
    return left


def test_what_is_live_of_each_month_outlives_every_snapshot_but_the_current_one(open_lake: Callable[[], Lake]) -> None:
    lake = open_lake()
    january = publish(lake, "2024-01", "v1", 1)
    publish(lake, "2024-02", "v1", 2)
    february = publish(lake, "2024-02", "v2", 3)
    march = publish(lake, "2024-03", "v1", 0)
    april = publish(lake, "2024-04", "v1", 4)
    left = expire_all_but_the_current(lake)
    assert left.snapshot_by_id(february.snapshot_id) is None
    months = {"2024-01": january, "2024-02": february, "2024-03": march, "2024-04": april}
    assert lake.publisher.months(TINY) == months
    assert {month: lake.publisher.live(TINY, month) for month in months} == months
    assert lake.publisher.history(TINY) == [april, march, february, january]
    assert [days_of(lake, month) for month in months] == [1, 3, 0, 4]


def test_a_month_whose_snapshots_have_expired_is_published_and_put_back_as_before(lake: Lake) -> None:
    before = publish(lake, "2024-02", "v1", 1)
    publish(lake, "2024-03", "v1", 1)
    expire_all_but_the_current(lake)
    write(lake, "2024-02", "v2", 2)
    lake.publisher.publish(TINY, "2024-02", "v2", {}, replacing=before)  # a run that began before the expiry
    publish(lake, "2024-02", "v3", 3)
    assert lake.publisher.roll_back(TINY, "2024-02").version == "v2"
    assert (days_of(lake, "2024-02"), days_of(lake, "2024-03")) == (2, 1)
    assert [entry.version for entry in lake.publisher.history(TINY, "2024-02")] == ["v2", "v3", "v2"]


@pytest.mark.parametrize("to", [None, "v1"])
def test_a_version_that_has_expired_is_refused(lake: Lake, to: str | None) -> None:
    publish(lake, "2024-02", "v1", 1)
    publish(lake, "2024-02", "v2", 2)
    publish(lake, "2024-03", "v1", 1)
    expire_all_but_the_current(lake)
    publish(lake, "2024-02", "v3", 3)
    lake.publisher.publish(TINY, "2024-02", "v2", {}, replacing=lake.publisher.live(TINY, "2024-02"))
    with pytest.raises(NoSuchVersion, match=r"version v1 of 2024-02 has expired: .*; live is v2, others: v3"):
        lake.publisher.roll_back(TINY, "2024-02", to=to)
    assert days_of(lake, "2024-02") == 2
    assert lake.publisher.roll_back(TINY, "2024-02", to="v3").version == "v3"


def test_a_version_whose_files_are_gone_is_refused(lake: Lake) -> None:
    publish(lake, "2024-02", "v1", 1)
    [file] = lake.publisher.files(TINY)
    publish(lake, "2024-02", "v2", 2)
    lake.catalog.open(TINY).io.delete(file)
    with pytest.raises(NoSuchVersion, match="version v1 of 2024-02 has expired"):
        lake.publisher.roll_back(TINY, "2024-02")
    assert days_of(lake, "2024-02") == 2


def test_versions_keep_their_order_when_some_have_expired(lake: Lake) -> None:
    for version, days in (("v1", 1), ("v2", 2), ("v3", 3)):
        publish(lake, "2024-02", version, days)
    lake.publisher.roll_back(TINY, "2024-02", to="v1")
    publish(lake, "2024-03", "v1", 1)
    expire_all_but_the_current(lake)
    publish(lake, "2024-02", "v4", 4)
    assert records.known_versions(lake.catalog.open(TINY), "2024-02") == ["v4", "v3", "v2", "v1"]


def test_a_table_of_before_the_properties_reads_as_it_did(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(publishing, "live_property", lambda *_: {})
        publish(lake, "2024-01", "v1", 1)
        first = publish(lake, "2024-02", "v1", 2)
        second = publish(lake, "2024-02", "v2", 3)
    assert not [name for name in lake.catalog.open(TINY).properties if name.startswith("taxi.")]
    assert lake.publisher.history(TINY, "2024-02") == [second, first]
    assert list(lake.publisher.months(TINY)) == ["2024-01", "2024-02"]
    assert lake.publisher.roll_back(TINY, "2024-02").version == "v1"
    publish(lake, "2024-01", "v2", 5)
    expire_all_but_the_current(lake)
    live = lake.publisher.months(TINY)
    assert {month: entry.version for month, entry in live.items()} == {"2024-01": "v2", "2024-02": "v1"}


def test_a_publication_by_code_that_writes_no_property_is_live(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(lake, "2024-02", "v1", 1)
    with monkeypatch.context() as earlier:
        earlier.setattr(publishing, "live_property", lambda *_: {})
        second = publish(lake, "2024-02", "v2", 2)
    assert lake.publisher.live(TINY, "2024-02") == second
    assert records.known_versions(lake.catalog.open(TINY), "2024-02") == ["v2", "v1"]


def test_a_commit_that_was_undone_in_icebergs_own_way_is_not_live(lake: Lake) -> None:
    first = publish(lake, "2024-02", "v1", 1)
    publish(lake, "2024-02", "v2", 2)
    lake.catalog.open(TINY).manage_snapshots().rollback_to_snapshot(first.snapshot_id).commit()
    assert lake.publisher.history(TINY, "2024-02") == [first]
    assert days_of(lake, "2024-02") == 1


def test_tables_are_put_back_together_or_not_at_all(lake: Lake) -> None:
    publish_both(lake, "v1", 1)
    publish_both(lake, "v2", 2)
    restored = lake.publisher.roll_back_together([TINY, TWIN], "2024-02")
    assert [(one.table, one.version, one.rows) for one in restored] == [
        ("curated.tiny", "v1", 1),
        ("curated.twin", "v1", 1),
    ]
    publish_rows(lake, TINY, "v3", 3)
    lake.publisher.roll_back(TINY, "2024-02", to="v2")
    with pytest.raises(NoSuchVersion, match=r"curated\.twin has no version v3"):
        lake.publisher.roll_back_together([TINY, TWIN], "2024-02", to="v3")
    tiny, twin = (lake.publisher.live(table, "2024-02") for table in (TINY, TWIN))
    assert (tiny and tiny.version, twin and twin.version) == ("v2", "v1")
    # The version is to be put back in the first table and is live in the second, which stays as it is.
    restored = lake.publisher.roll_back_together([TINY, TWIN], "2024-02", to="v1")
    assert [one.version for one in restored] == ["v1", "v1"]
    assert restored[1] == twin


def test_nothing_is_put_back_if_the_version_has_expired_in_one_of_the_tables(lake: Lake) -> None:
    publish_both(lake, "v1", 1)
    publish_both(lake, "v2", 2)
    tomorrow = datetime.now(timezone.utc) + timedelta(days=1)
    lake.catalog.open(TWIN).maintenance.expire_snapshots().older_than(tomorrow).commit()
    with pytest.raises(NoSuchVersion, match=r"curated\.twin: version v1 of 2024-02 has expired"):
        lake.publisher.roll_back_together([TINY, TWIN], "2024-02")
    assert days_of(lake, "2024-02") == 2


def publish_both(lake: Lake, version: str, rows: int) -> None:
    for table in (TINY, TWIN):
        publish_rows(lake, table, version, rows)


def publish_rows(lake: Lake, table: Table, version: str, rows: int) -> None:
    put_parquet(
        lake.paths.version(table, "2024-02", version),
        pa.Table.from_pylist([{"month": "2024-02", "day": day} for day in range(rows)], schema=SCHEMA),
    )
    lake.publisher.publish(table, "2024-02", version, {}, replacing=lake.publisher.live(table, "2024-02"))
