"""Which months have ended, and which are due. Known without Dagster, which takes 0.4 s to import.

Belongs here: what follows from the date and the TLC's rhythm. Does not: the partitions (``partitions``), or what is
known of any month.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta, timezone

from glue_jobs.contracts import tlc
from glue_jobs.contracts.months import month_bounds, month_of, number_of

LONGEST_LAG = timedelta(days=63)
"""From a month's end to its publication: 38 to 63 days (publication dates of the TLC's files)."""
STALE_AFTER = LONGEST_LAG + timedelta(days=7)
"""After a month's end: a week is ours."""


def ended_months(now: datetime, first: str = "", newest: int | None = None) -> list[str]:
    """The months that have ended, the newest first: from ``first`` on, or only the ``newest`` so many."""
    last = number_of(f"{now:%Y-%m}") - 1
    begin = number_of(max(first, tlc.FIRST_MONTH))
    months = [month_of(number) for number in range(last, begin - 1, -1)]
    return months if newest is None else months[:newest]


def end_of(month: str) -> datetime:
    """The end of ``month``, UTC."""
    return datetime.combine(month_bounds(month)[1], time(), timezone.utc)


def due_months(now: datetime) -> list[str]:
    """The months that should have been published by ``now``, in order."""
    return [month for month in reversed(ended_months(now)) if end_of(month) <= now - STALE_AFTER]
