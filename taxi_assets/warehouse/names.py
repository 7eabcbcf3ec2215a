"""Everything that can be asked by SQL, by name: the lake's tables, the log of queries and the views over them.

Belongs here: finding the contract that somebody means. Does not: SQL.
"""

from __future__ import annotations

from functools import cache

from glue_jobs.contracts import RAW_FILES, TABLES, Table
from glue_jobs.contracts import full_name as name_of_table
from taxi_assets.warehouse.query_log import QUERY_LOG
from taxi_assets.warehouse.view import SCHEMA, views


@cache
def described() -> dict[str, Table]:
    """The contracts by ``layer.name``; the source's files as they came have none (``RAW_FILES``)."""
    return {**TABLES, QUERY_LOG.full_name: QUERY_LOG, **{view.table.full_name: view.table for view in views().values()}}


def full_name(name: str) -> str:
    """``layer.name`` of what somebody calls ``Daily_Trend`` or ``analytics.daily_trend``; other names as they are."""
    found = name_of_table(name)
    if found in described() or found in RAW_FILES:
        return found
    candidates = (f"{layer}.{found}" for layer in (SCHEMA, QUERY_LOG.layer))
    return next((one for one in candidates if one in described()), found)
