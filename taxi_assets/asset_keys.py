"""The asset keys: ``layer/table``, the same words as in SQL."""

from __future__ import annotations

import dagster as dg

from glue_jobs.contracts import CALENDAR, CHECK_HISTORY, QUARANTINE, RUN_METRICS, TRIPS, ZONES, Table

SOURCE_TRIPS = dg.AssetKey(["source", "trips"])
SOURCE_ZONES = dg.AssetKey(["source", "zones"])
RAW_TRIPS = dg.AssetKey(["raw", "trips"])
RAW_ZONES = dg.AssetKey(["raw", "zones"])


def asset_key(table: Table) -> dg.AssetKey:
    """The asset key of a published table."""
    return dg.AssetKey([table.layer, table.name])


STAGING_TRIPS = asset_key(TRIPS)
QUARANTINE_KEY = asset_key(QUARANTINE)
CHECK_HISTORY_KEY = asset_key(CHECK_HISTORY)
CALENDAR_KEY = asset_key(CALENDAR)
ZONES_KEY = asset_key(ZONES)
REFERENCE_KEYS = [CALENDAR_KEY, ZONES_KEY]
"""Every run of a month sees to them: they cost next to nothing when they are there."""
RUN_METRICS_KEY = asset_key(RUN_METRICS)
WAREHOUSE = dg.AssetKey(["operations", "warehouse"])
"""Schemas, views and roles of the engine that answers queries."""
REPORT = dg.AssetKey(["dashboard", "report"])
"""A page for each month."""
DASHBOARD = dg.AssetKey(["dashboard", "pages"])
"""What people open; no step makes it."""
