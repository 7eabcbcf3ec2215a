"""The one monthly partitions definition: a partition is the month of the TLC's file, keyed YYYY-MM.

Belongs here: Dagster's partitions. Does not: which of them have ended or are due (``calendar``).
"""

from __future__ import annotations

import dagster as dg

from glue_jobs.contracts import tlc

MONTHS = dg.MonthlyPartitionsDefinition(start_date=tlc.FIRST_MONTH, fmt="%Y-%m")
