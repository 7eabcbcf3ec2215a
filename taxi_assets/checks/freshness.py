"""Whether a table is fresh: the month that it should have by the TLC's rhythm is there.

Belongs here: the check of each table, as Dagster's pages show it. Does not: which months are due (``calendar``,
``lake.status``), telling somebody (``alerts.overdue``), when it is asked (``schedules.ask_freshness``).

It is no check of a version, so it holds nothing back. Dagster's own freshness goes by the last materialization of any
month: an old one that is run again would make its table fresh.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone

import dagster as dg

from glue_jobs.contracts import MONTHLY_TABLES
from glue_jobs.contracts.months import ranges
from taxi_assets.asset_keys import RAW_TRIPS, asset_key
from taxi_assets.errors import failing_the_step
from taxi_assets.lake.resource import LakeResource
from taxi_assets.lake.status import Freshness, freshness_of_tables

IS_FRESH = "is_fresh"
_TABLES = {"raw.trips": RAW_TRIPS, **{name: asset_key(table) for name, table in MONTHLY_TABLES.items()}}


def _now() -> datetime:
    return datetime.now(timezone.utc)


def freshness_checks(is_watched: bool, clock: Callable[[], datetime] = _now) -> dg.AssetChecksDefinition:
    """The checks of all tables. Where the source is not watched (``is_watched``) none is overdue, and they say so."""

    @dg.multi_asset_check(
        name="freshness_of_each_table",
        specs=[
            dg.AssetCheckSpec(IS_FRESH, asset=key, description="No month after the newest should have been published.")
            for key in _TABLES.values()
        ],
        can_subset=True,
    )
    def ask(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> Iterator[dg.AssetCheckResult]:
        """One look at the lake for all tables that are asked for."""
        with failing_the_step(then="ask again"):
            found = freshness_of_tables(lake.open(), clock())
        for name, key in _TABLES.items():
            if dg.AssetCheckKey(key, IS_FRESH) in context.selected_asset_check_keys:
                yield _result(key, found.get(name), is_watched)

    return ask


def _result(key: dg.AssetKey, fresh: Freshness | None, is_watched: bool) -> dg.AssetCheckResult:
    missing = fresh.missing if fresh and is_watched else ()
    if missing:
        due = f"due since: {', '.join(ranges(missing))}"
    else:
        due = "none after it is due" + ("" if is_watched else ", because none lands by itself here (TAXI_WATCH)")
    actual = f"newest {fresh.newest}; {due}" if fresh else "no month yet"
    numbers = {"days_since_its_end": int(fresh.age / timedelta(days=1)), "months_due": len(missing)} if fresh else {}
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=IS_FRESH,
        passed=not missing,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"expected": "no month due after the newest", "actual": actual, **numbers},
    )
