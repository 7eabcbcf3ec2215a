"""What is wrong without an event that says so: months that are overdue, a source that is out of reach.

Belongs here: looking at the lake, and at what the source watcher knows. Does not: when people hear (``problems``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from glue_jobs.contracts import MONTHLY_TABLES
from taxi_assets.alerts.problems import ERROR, WARN, Kind, Trouble
from taxi_assets.asset_keys import RAW_TRIPS, asset_key
from taxi_assets.lake.lake import Lake
from taxi_assets.partitions import STALE_AFTER, due_months

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


def overdue(lake: Lake, now: datetime) -> list[Trouble]:
    """What there is to say of months that are overdue."""
    return [
        Trouble(
            storage_id=0,
            at=now,
            kind=Kind.STALE_DATA,
            severity=WARN,
            month=month,
            asset=asset,
            cause=OVERDUE,
            said=f"not published {STALE_AFTER.days} days after its end",
            next_step=f"see whether the TLC has it and whether the sensors are on; taxi-assets run --month {month}",
        )
        for asset, months in stale_months(lake, now).items()
        for month in months
    ]


def out_of_reach(since: datetime | None, now: datetime) -> list[Trouble]:
    """What there is to say of a source that has not answered since ``since`` (None: it does)."""
    if since is None or now - since < UNREACHABLE_AFTER:
        return []
    return [
        Trouble(
            storage_id=0,
            at=now,
            kind=Kind.SOURCE_UNREACHABLE,
            severity=ERROR,
            month="",
            asset=RAW_TRIPS.to_user_string(),
            cause=UNREACHABLE,
            said=f"the source has not answered since {since:%Y-%m-%d %H:%M} UTC, so no new month is noticed; "
            "readers see all that was published before",
            next_step="open the address of TAXI_SOURCE from that machine; check its network, and the TLC's site",
        )
    ]
