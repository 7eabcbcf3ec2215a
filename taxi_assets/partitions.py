"""The one monthly partitions definition: a partition is the month of the TLC's file, keyed YYYY-MM.

Belongs here: which months there are. Does not: what is known of any of them.
"""

from __future__ import annotations

from datetime import datetime

import dagster as dg

from glue_jobs.contracts import tlc

MONTHS = dg.MonthlyPartitionsDefinition(start_date=tlc.FIRST_MONTH, fmt="%Y-%m")


def ended_months(now: datetime, first: str = "", newest: int | None = None) -> list[str]:
    """The months that have ended, the newest first: from ``first`` on, or only the ``newest`` so many."""
    year, number = now.year, now.month
    months: list[str] = []
    while newest is None or len(months) < newest:
        year, number = (year, number - 1) if number > 1 else (year - 1, 12)
        month = f"{year}-{number:02}"
        if month < max(first, tlc.FIRST_MONTH):
            break
        months.append(month)
    return months
