"""What is wrong without an event that says so: months that are overdue, a source that is out of reach.

Belongs here: looking at the lake, and at what the source watcher knows. Does not: when people hear of it
(``problems``), or in which words (``wording``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from glue_jobs.contracts import MONTHLY_TABLES
from taxi_assets.alerts import wording
from taxi_assets.alerts.problems import ERROR, WARN, Kind, Problem
from taxi_assets.asset_keys import RAW_TRIPS, asset_key
from taxi_assets.calendar import due_months
from taxi_assets.lake.lake import Lake

UNREACHABLE_AFTER = timedelta(days=1)
OVERDUE, UNREACHABLE = "overdue", "does not answer"


def stale_months(lake: Lake, now: datetime) -> Mapping[str, list[str]]:
    """For each table, by its asset key, the months after its newest that should have been published by ``now``.

    Tables that have no month at all are left out: nothing was ever asked of them.
    """
    expected = due_months(now)
    found = {}
    for table in MONTHLY_TABLES.values():
        newest = max(lake.publisher.months(table), default=None)
        if newest is not None and (missing := [month for month in expected if month > newest]):
            found[asset_key(table).to_user_string()] = missing
    return found


def overdue(lake: Lake, now: datetime) -> list[Problem]:
    """The months that are overdue."""
    found = []
    for asset, months in stale_months(lake, now).items():
        for month in months:
            said, next_step = wording.of_overdue(month)
            found.append(Problem(Kind.STALE_DATA, month, asset, OVERDUE, now, WARN, said, next_step))
    return found


def out_of_reach(since: datetime | None, now: datetime) -> list[Problem]:
    """The source, if it has not answered since ``since`` (None: it does) for too long."""
    if since is None or now - since < UNREACHABLE_AFTER:
        return []
    said, next_step = wording.of_silent_source(since)
    source = RAW_TRIPS.to_user_string()
    return [Problem(Kind.SOURCE_UNREACHABLE, "", source, UNREACHABLE, now, ERROR, said, next_step)]
