from __future__ import annotations

from datetime import datetime, timedelta, timezone

from taxi_assets.calendar import STALE_AFTER, due_months, end_of, ended_months
from taxi_assets.partitions import MONTHS


def test_the_months_that_have_ended_are_dagsters_partitions() -> None:
    for now in (datetime(2024, 2, 29, 23, 59, tzinfo=timezone.utc), datetime(2024, 3, 1, tzinfo=timezone.utc)):
        assert ended_months(now)[::-1] == list(MONTHS.get_partition_keys(now))
    assert end_of("2024-12") == MONTHS.time_window_for_partition_key("2024-12").end


def test_a_month_is_due_when_the_longest_lag_and_a_week_are_over() -> None:
    due = end_of("2024-02") + STALE_AFTER
    assert due_months(due)[-1] == "2024-02"
    assert due_months(due - timedelta(seconds=1))[-1] == "2024-01"
