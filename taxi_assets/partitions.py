"""The one monthly partitions definition: a partition is the month of the TLC's file, keyed YYYY-MM.

Belongs here: which months there are. Does not: what is known of any of them.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import dagster as dg

from glue_jobs.contracts import tlc
from glue_jobs.contracts.months import month_of, number_of

LONGEST_LAG = timedelta(days=63)
"""From a month's end to its publication: 38 to 63 days (publication dates of the TLC's files)."""
SHORTEST_LAG = timedelta(days=38)
STALE_AFTER = LONGEST_LAG + timedelta(days=7)
"""After a month's end: a week is ours."""

MONTHS = dg.MonthlyPartitionsDefinition(start_date=tlc.FIRST_MONTH, fmt="%Y-%m")


def ended_months(now: datetime, first: str = "", newest: int | None = None) -> list[str]:
    """The months that have ended, the newest first: from ``first`` on, or only the ``newest`` so many."""
    last = number_of(f"{now:%Y-%m}") - 1
    begin = number_of(max(first, tlc.FIRST_MONTH))
    months = [month_of(number) for number in range(last, begin - 1, -1)]
    return months if newest is None else months[:newest]


def due_months(now: datetime) -> list[str]:
    """The months that should have been published by ``now``, in order."""
    return [
        key
        for key in MONTHS.get_partition_keys(now)
        if MONTHS.time_window_for_partition_key(key).end <= now - STALE_AFTER
    ]
