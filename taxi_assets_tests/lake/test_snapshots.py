from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest

from glue_jobs.contracts.curated import DAILY_METRICS
from taxi_assets.lake import snapshots
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.snapshots import NoSuchMoment, moment, newest
from taxi_assets_tests.conftest import MONTH
from taxi_assets_tests.support.tiny_table import write_rows

NAME = DAILY_METRICS.full_name


def publish(lake: Lake, version: str, rows: int) -> None:
    live = lake.publisher.live(DAILY_METRICS, MONTH)
    write_rows(lake.paths.version(DAILY_METRICS, MONTH, version), DAILY_METRICS, rows)
    lake.publisher.publish(DAILY_METRICS, MONTH, version, {}, replacing=live)


def rows_as_of(lake: Lake, when: str) -> int:
    with lake.connect(f"FROM {NAME}", when) as connection:
        [(rows,)] = connection.execute(f"SELECT count(*) FROM {NAME}").fetchall()
    return int(rows)


def test_what_readers_saw_at_a_moment_is_found_by_time_and_by_snapshot(open_lake: Callable[[], Lake]) -> None:
    lake = open_lake()
    publish(lake, "v1", 3)
    first = newest(lake.catalog)[NAME]
    publish(lake, "v2", 5)
    second = newest(lake.catalog)[NAME]
    assert (first.rows, second.rows) == (3, 5)

    assert rows_as_of(lake, first.committed_at.isoformat()) == 3
    assert rows_as_of(lake, str(first.snapshot_id)) == 3
    assert rows_as_of(lake, second.committed_at.isoformat()) == 5
    assert rows_as_of(lake, f"{second.committed_at:%Y-%m-%d}") == 5  # a day is its end
    elsewhere = second.committed_at.astimezone(timezone(timedelta(hours=-5)))
    assert rows_as_of(lake, elsewhere.isoformat()) == 5


def test_between_the_two_snapshots_of_a_publication_readers_saw_what_was_there_before(
    open_lake: Callable[[], Lake],
) -> None:
    lake = open_lake()
    publish(lake, "v1", 3)
    publish(lake, "v2", 5)
    table = lake.catalog.find(DAILY_METRICS)
    assert table is not None
    taken_away = table.metadata.snapshots[-2]
    assert taken_away.summary is not None
    assert taken_away.summary["total-records"] == "0"  # by itself it shows a month that is missing
    at = datetime.fromtimestamp(taken_away.timestamp_ms / 1000, timezone.utc)
    assert rows_as_of(lake, at.isoformat()) == 3
    assert rows_as_of(lake, str(taken_away.snapshot_id)) == 3


def test_before_anything_was_published_there_is_no_moment(lake: Lake) -> None:
    with pytest.raises(NoSuchMoment, match=r"Nothing was published yet as of 2024-05-01.*publish a month first"):
        moment(lake.catalog, "2024-05-01")
    publish(lake, "v1", 3)
    with pytest.raises(NoSuchMoment, match=r"Nothing was published yet as of 2024-05-01.*first publication"):
        moment(lake.catalog, "2024-05-01")


@pytest.mark.parametrize(
    "when", ["yesterday", "", "2024-13-01", "2024-05-01T25:00", "9999-12-31", "0001-01-01T00:00+14:00"]
)
def test_what_is_no_moment_is_told(lake: Lake, when: str) -> None:
    with pytest.raises(NoSuchMoment):
        moment(lake.catalog, when)


def test_a_snapshot_that_no_table_has_is_told(lake: Lake) -> None:
    publish(lake, "v1", 1)
    with pytest.raises(NoSuchMoment, match="No table has a snapshot 123456789012"):
        moment(lake.catalog, "123456789012")


def test_a_snapshot_of_another_program_is_seen(lake: Lake) -> None:
    """Whoever appends or deletes by hand changes what readers see at once, in one snapshot."""
    publish(lake, "v1", 3)
    table = lake.catalog.open(DAILY_METRICS)
    table.delete("trips == 1")
    assert newest(lake.catalog)[NAME].rows == 0
    assert snapshots.newest(lake.catalog, [NAME]).keys() == {NAME}
