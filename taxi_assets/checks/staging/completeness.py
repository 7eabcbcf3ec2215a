"""Whether a month is whole, asked without any other month.

Belongs here: days without trips, and what a republication loses of the version that it replaces. Does not: comparing
with other months (``anomalies``).
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import duckdb

from glue_jobs.contracts.months import month_bounds
from taxi_assets.checks.check import Outcome
from taxi_assets.checks.staging.subject import StagedMonth

MAX_LOST_SHARE = 0.05
"""Of rows and of net revenue. A republication corrects thousandths; the TLC's longest outages were of days."""
FEW_ROWS, FEW_DOLLARS = 100, Decimal(3_000)
"""As much may go in the smallest file, whose numbers vary by chance: a hundred trips of some thirty dollars."""

_BY_DAY = "SELECT pickup_date AS day, count(*) AS rows, sum(total_amount)::DECIMAL(18, 2) AS revenue"


def every_day_has_trips(staged: StagedMonth) -> Outcome:
    """Each day of the month has at least one trip."""
    first, following = month_bounds(staged.month)
    calendar = {first + timedelta(days=number) for number in range((following - first).days)}
    missing = calendar - _days(staged, "trips").keys()
    return Outcome(
        not missing,
        f"trips on each of {len(calendar)} days",
        f"no trips on {_in_words(missing)}" if missing else "trips on each day",
        staged.session.look_at("trips", _BY_DAY, more="GROUP BY ALL ORDER BY 1"),
        measures={"days_without_trips": len(missing)},
    )


def keeps_what_is_live(staged: StagedMonth) -> Outcome:
    """The month has no day less, and not much less of rows or revenue, than the version that it replaces."""
    expected = f"no day and at most {MAX_LOST_SHARE:.0%} of rows and revenue less than in the version that is replaced"
    look = staged.session.look_at("trips", _BY_DAY, more="GROUP BY ALL ORDER BY 1")
    if not staged.live:
        return Outcome(True, expected, "nothing was published of the month before", look)
    now = _days(staged, "trips")
    try:
        before = _days(staged, "live")
    except duckdb.InvalidInputException as error:
        # Its files are damaged: held back, the month could not be repaired. What is out of reach is another error.
        return Outcome(True, expected, f"the version that is replaced cannot be read: {error}", look)
    rows = [sum(count for count, _ in days.values()) for days in (before, now)]
    revenue = [sum((dollars for _, dollars in days.values()), Decimal(0)) for days in (before, now)]
    lost_days = before.keys() - now.keys()
    is_smaller = (
        bool(lost_days)
        or rows[0] - rows[1] > max(FEW_ROWS, MAX_LOST_SHARE * rows[0])
        or revenue[0] - revenue[1] > max(FEW_DOLLARS, Decimal(str(MAX_LOST_SHARE)) * abs(revenue[0]))
    )
    found = f"{rows[0]:,} rows became {rows[1]:,}, {revenue[0]:,.2f} USD became {revenue[1]:,.2f}"
    found += f", no trips any more on {_in_words(lost_days)}" if lost_days else ""
    if is_smaller:
        found += (
            f"; accepted by {staged.accepted_smaller}"
            if staged.accepted_smaller
            else f"; if that is right: taxi-assets run --month {staged.month} --accept-smaller WHY"
        )
    return Outcome(not is_smaller or bool(staged.accepted_smaller), expected, found, look)


def _days(staged: StagedMonth, view: str) -> dict[date, tuple[int, Decimal]]:
    """Day to its rows and net revenue in dollars."""
    rows = staged.session.all_rows(f"{_BY_DAY} FROM {view} GROUP BY ALL")
    return {row["day"]: (row["rows"], row["revenue"]) for row in rows}


def _in_words(days: set[date]) -> str:
    """Days in order, neighbours joined: ``2024-02-01, 2024-02-11 to 2024-02-29``."""
    runs: list[list[date]] = []
    for day in sorted(days):
        if runs and day - runs[-1][-1] == timedelta(days=1):
            runs[-1].append(day)
        else:
            runs.append([day])
    return ", ".join(f"{run[0]}" if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)
