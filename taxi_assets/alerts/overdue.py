"""What is wrong without an event that says so: months that are overdue, a source that is out of reach.

Belongs here: looking at the lake, and at what the source watcher knows. Does not: when people hear of it
(``problems``), or in which words (``wording``).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from taxi_assets.alerts import wording
from taxi_assets.alerts.problems import ERROR, WARN, Kind, Problem
from taxi_assets.asset_keys import RAW_TRIPS
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.status import freshness_of_tables

UNREACHABLE_AFTER = timedelta(days=1)
OVERDUE, UNREACHABLE = "overdue", "does not answer"


def overdue(lake: Lake, now: datetime) -> list[Problem]:
    """The months that are overdue, of each table that has an earlier one: else nothing was ever asked of it."""
    found = []
    for table, fresh in freshness_of_tables(lake, now).items():
        for month in fresh.missing:
            said, next_step = wording.of_overdue(month)
            asset = table.replace(".", "/")
            found.append(Problem(Kind.STALE_DATA, month, asset, OVERDUE, now, WARN, said, next_step))
    return found


def out_of_reach(since: datetime | None, now: datetime) -> list[Problem]:
    """The source, if it has not answered since ``since`` (None: it does) for too long."""
    if since is None or now - since < UNREACHABLE_AFTER:
        return []
    said, next_step = wording.of_silent_source(since)
    source = RAW_TRIPS.to_user_string()
    return [Problem(Kind.SOURCE_UNREACHABLE, "", source, UNREACHABLE, now, ERROR, said, next_step)]
