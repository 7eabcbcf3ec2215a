"""The monthly partitions: a partition is the month of the TLC's file, keyed YYYY-MM.

Belongs here: Dagster's partitions. Does not: which of them have ended or are due (``calendar``).
"""

from __future__ import annotations

import dagster as dg

from glue_jobs.contracts import tlc

Months = dg.PartitionsDefinition[str]


def months_from(first: str) -> dg.MonthlyPartitionsDefinition:
    """The months from ``first`` (YYYY-MM) on that have ended."""
    return dg.MonthlyPartitionsDefinition(start_date=first, fmt="%Y-%m")


MONTHS = months_from(tlc.FIRST_MONTH)
"""All that there are. The pages of a code location may begin later (``TAXI_FROM``)."""
