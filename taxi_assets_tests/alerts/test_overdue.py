from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from glue_jobs.contracts import MONTHLY_TABLES, TRIPS
from taxi_assets.alerts.overdue import out_of_reach, overdue
from taxi_assets.asset_keys import STAGING_TRIPS
from taxi_assets.lake.lake import Lake

TRIPS_KEY = STAGING_TRIPS.to_user_string()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake whose trips are published up to February 2024, without rows."""
    lake = Lake.in_folder(tmp_path / "lake")
    for month in ("2023-11", "2024-02"):
        lake.publisher.publish(TRIPS, month, "v1", {}, replacing=None)
    return lake


def told(lake: Lake, moment: str) -> list[tuple[str, str]]:
    """Asset and month of what is overdue at a moment, UTC."""
    now = datetime.fromisoformat(moment).replace(tzinfo=timezone.utc)
    return [(problem.asset, problem.month) for problem in overdue(lake, now)]


def test_a_month_is_overdue_ten_weeks_after_its_end(lake: Lake) -> None:
    # March ends with 1 April, 0:00; 70 days later it is 10 June.
    assert told(lake, "2024-06-09 23:59") == []
    assert told(lake, "2024-06-10") == [(TRIPS_KEY, "2024-03")]
    assert told(lake, "2024-07-10") == [(TRIPS_KEY, "2024-03"), (TRIPS_KEY, "2024-04")]


def test_months_that_were_left_out_before_the_newest_are_nobodys_concern(lake: Lake) -> None:
    assert (TRIPS_KEY, "2023-12") not in told(lake, "2024-07-10")


def test_a_lake_in_which_nothing_was_published_is_not_stale(tmp_path: Path) -> None:
    assert told(Lake.in_folder(tmp_path / "empty"), "2024-07-10") == []


def test_each_table_is_asked_for_its_own_months(lake: Lake) -> None:
    for table in MONTHLY_TABLES.values():
        if table != TRIPS:
            lake.publisher.publish(table, "2024-01", "v1", {}, replacing=None)
    found = overdue(lake, datetime(2024, 6, 10, tzinfo=timezone.utc))
    by_asset = {(problem.asset, problem.month) for problem in found}
    assert (TRIPS_KEY, "2024-02") not in by_asset
    assert {("curated/daily_metrics", "2024-02"), ("curated/daily_metrics", "2024-03")} <= by_asset
    assert "taxi-assets run --month 2024-03" in next(one.next_step for one in found if one.month == "2024-03")


def test_a_source_is_out_of_reach_after_a_day() -> None:
    now = datetime(2024, 6, 10, tzinfo=timezone.utc)
    assert out_of_reach(None, now) == []
    assert out_of_reach(now - timedelta(hours=23, minutes=59), now) == []
    (problem,) = out_of_reach(now - timedelta(days=1), now)
    assert "since 2024-06-09 00:00 UTC" in problem.said
