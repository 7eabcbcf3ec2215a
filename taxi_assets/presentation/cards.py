"""A month in a few numbers: cards with the course of the months before, and how far they can be trusted.

Belongs here: which numbers, and what is said of them. Does not: how a page lays them out.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from taxi_assets.presentation.theme import CATEGORIES
from taxi_assets.presentation.wording import change, counted, short

MONTHS_OF_A_SPARKLINE = 13


@dataclass(frozen=True)
class Card:
    """A number, its ``change`` against what ``than`` says, a line ``below``, and the ``series`` of the last months."""

    label: str
    value: str
    help: str
    change: str | None = None
    than: str = ""
    below: str = ""
    series: Sequence[float | None] = ()


def of_month(rows: Sequence[Mapping[str, Any]]) -> list[Card]:
    """The figures of the last of some rows of ``analytics.monthly_summary``, oldest first."""
    rows = rows[-MONTHS_OF_A_SPARKLINE:]
    now = rows[-1]

    def card(label: str, column: str, unit: str, compared: str | None, said: str) -> Card:
        series = [None if row[column] is None else float(row[column]) for row in rows]
        by_month = now[f"{compared}_change_month"] if compared else None
        by_year = now[f"{compared}_change_year"] if compared else None
        value = short(now[column], unit)
        if by_year is None:
            return Card(label, value, said, change(by_month), "on month", series=series)
        below = f"{change(by_month)} on month" if by_month is not None else ""
        return Card(label, value, said, change(by_year), "on year", below, series)

    return [
        card("Trips", "trips", "", "trips", "Trips of the month; refunds are not counted."),
        card("Trips per day", "trips_per_day", "", "trips_per_day", "Months have 28 to 31 days: compare this."),
        card("Net revenue", "net_revenue", "$", "net_revenue", "What passengers were charged, refunds taken off."),
        card("Revenue per day", "net_revenue_per_day", "$", "net_revenue_per_day", "By the days with trips."),
        card("Average total", "average_total", "$", None, "Gross revenue by trips, with tips, tolls and fees."),
    ]


@dataclass(frozen=True)
class Trust:
    """How far a month can be trusted: a verdict, ``good``, ``care``, ``bad`` or ``unknown``, and why."""

    level: str
    verdict: str
    said: str


def trust(quality: Mapping[str, Any]) -> Trust:
    """What a row of ``analytics.quality_overview`` says of its month."""
    rows = quality["published_rows"] + quality["quarantined_rows"]
    failed, warned = quality["checks_failed"] or 0, quality["checks_warned"] or 0
    accounted = (
        f"all {short(rows)} rows of the file accounted for, {quality['quarantined_rows']:,} of them in quarantine"
    )
    if not quality["checks"]:
        return Trust("unknown", "Not checked", f"no check was asked of this month · {accounted}")
    if failed:
        return Trust("bad", "Not to be relied on", f"{counted(failed, 'check')} failed · {accounted}")
    if warned:
        found = f"{counted(warned, 'check')} found something to look at"
        return Trust("care", "To be read with care", f"{found} · {accounted}")
    return Trust("good", "Can be relied on", f"all {quality['checks']} checks passed · {accounted}")


def sparkline(label: str, series: Sequence[float | None]) -> str:
    """The course of a series as a picture in HTML, with a sentence for who cannot see it; empty for one number.

    st.metric can draw one, which is a picture without a text to screen readers (axe: svg-img-alt).
    """
    known = [number for number in series if number is not None]
    if len(known) < 2:
        return ""
    low, high = min(known), max(known)
    points = " ".join(
        f"{100 * at / (len(known) - 1):.1f},{28 - 24 * ((value - low) / (high - low) if high > low else 0.5):.1f}"
        for at, value in enumerate(known)
    )
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 32" preserveAspectRatio="none" width="200" '
        'height="40">'
        f'<polyline points="{points}" fill="none" stroke="{CATEGORIES[0]}" stroke-width="2" '
        'vector-effect="non-scaling-stroke"/></svg>'
    )
    said = html.escape(f"{label} over {len(known)} months, from {short(known[0])} to {short(known[-1])}")
    data = base64.b64encode(svg.encode()).decode()
    return f'<img alt="{said}" src="data:image/svg+xml;base64,{data}" width="100%" height="40">'
