"""Table contracts as data: what every table holds, in which types and units, under which rules.

Belongs here: facts about tables that jobs, checks, catalog and documentation share. Imports nothing but the
standard library.
"""

from __future__ import annotations

from glue_jobs.contracts.curated import CURATED_TABLES
from glue_jobs.contracts.model import Table
from glue_jobs.contracts.quality import CHECK_HISTORY, RUN_METRICS
from glue_jobs.contracts.raw import FILES, RAW_FILES
from glue_jobs.contracts.reference import CALENDAR, ZONES
from glue_jobs.contracts.staging import QUARANTINE, TRIPS

__all__ = [
    "CALENDAR",
    "CHECK_HISTORY",
    "CURATED_TABLES",
    "FILES",
    "LAYERS",
    "MONTHLY_TABLES",
    "QUARANTINE",
    "RAW_FILES",
    "RUN_METRICS",
    "TABLES",
    "TRIPS",
    "ZONES",
    "Table",
    "full_name",
]

MONTHLY_TABLES: dict[str, Table] = {table.full_name: table for table in (TRIPS, QUARANTINE, *CURATED_TABLES.values())}
"""The tables that are published a month at a time, in versions, by ``layer.name``."""

LOGS: dict[str, Table] = {table.full_name: table for table in (FILES, CHECK_HISTORY, RUN_METRICS)}
"""The tables that are only appended to: the ledger of source files, the history of checks and the metrics of runs."""

TABLES: dict[str, Table] = {
    FILES.full_name: FILES,
    **MONTHLY_TABLES,
    CHECK_HISTORY.full_name: CHECK_HISTORY,
    RUN_METRICS.full_name: RUN_METRICS,
    CALENDAR.full_name: CALENDAR,
    ZONES.full_name: ZONES,
}
"""Every table of the lake."""

LAYERS = ("curated", "staging", "quality", "reference", "raw")
"""Where a name without its layer is looked for, in this order: ``trips`` is staging's."""


def full_name(name: str) -> str:
    """``layer.name`` of what somebody calls ``Daily_Metrics`` or ``curated.daily_metrics``; other names as they are."""
    lower = name.lower()
    candidates = [lower, *(f"{layer}.{lower}" for layer in LAYERS)]
    return next((one for one in candidates if one in TABLES or one in RAW_FILES), lower)
