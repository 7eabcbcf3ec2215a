"""Table contracts as data: what every table holds, in which types and units, under which rules.

Belongs here: facts about tables that jobs, checks, catalog and documentation share. Imports nothing but the
standard library.
"""

from __future__ import annotations

from glue_jobs.contracts.curated import CURATED_TABLES
from glue_jobs.contracts.model import Table
from glue_jobs.contracts.raw import FILES
from glue_jobs.contracts.staging import QUARANTINE, TRIPS

__all__ = ["CURATED_TABLES", "FILES", "MONTHLY_TABLES", "QUARANTINE", "TABLES", "TRIPS", "Table"]

TABLES: dict[str, Table] = {table.full_name: table for table in (FILES, TRIPS, QUARANTINE, *CURATED_TABLES.values())}
"""Every table that the lake publishes, by ``layer.name``."""

MONTHLY_TABLES: dict[str, Table] = {name: table for name, table in TABLES.items() if table is not FILES}
"""The tables that are published a month at a time, in versions (all but the ledger)."""
