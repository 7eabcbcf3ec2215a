"""The first page: a month in a sentence, its figures beside those before, and how far they can be trusted."""

from __future__ import annotations

from typing import Any

import streamlit as st

from glue_jobs.contracts.months import month_of, number_of
from taxi_assets.dashboard import figures
from taxi_assets.dashboard.look import Card, Look, cards
from taxi_assets.dashboard.screens.places import METRICS, map_of
from taxi_assets.dashboard.wording import change, counted, month_name, percent, sentence, short

_MONTHS_OF_A_SPARKLINE = 13
_MONTHS_OF_THE_TREND = 3


def draw(look: Look) -> None:
    """Draw the page."""
    summary = look.reader.ask("summary")
    rows = [row for row in summary.dicts() if row["month"] <= look.month]
    now = rows[-1]
    st.markdown(f"## {month_name(look.month)}")
    st.markdown(sentence(now))
    _trust(look)
    cards(_cards(rows[-_MONTHS_OF_A_SPARKLINE:]))
    first = month_of(number_of(look.month) - _MONTHS_OF_THE_TREND + 1)
    trend = look.of_month("daily_trend", first=first)
    look.panel(
        "Trips a day",
        figures.trend(trend.dicts()),
        trend,
        "The line is the mean of the seven days that end with a day; it begins when all seven have trips.",
    )
    left, right = st.columns([3, 2])
    with left:
        pickups = look.of_month("pickups_by_zone")
        metric, title, form = METRICS["Trips"]
        look.panel("Where trips begin", map_of(look, pickups, metric, title, form), pickups, _places(pickups.dicts()))
    with right:
        hours = look.of_month("busiest_hours")
        look.panel(
            "When trips begin",
            figures.week(hours.dicts(), "trips_per_day", "trips an hour"),
            hours,
            "Mean of the days of the month with that weekday.",
        )


def _cards(rows: list[dict[str, Any]]) -> list[Card]:
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


def _trust(look: Look) -> None:
    """One line: of when, which version, are all rows accounted for, did checks fail."""
    quality = next((row for row in look.reader.ask("quality").dicts() if row["month"] == look.month), None)
    if quality is None:
        return
    rows = quality["published_rows"] + quality["quarantined_rows"]
    failed, warned = quality["checks_failed"] or 0, quality["checks_warned"] or 0
    if not quality["checks"]:
        light, said = ":gray-badge[:material/help: Not checked]", "no check was asked of this month"
    elif failed:
        light, said = ":red-badge[:material/error: Not to be relied on]", counted(failed, "check") + " failed"
    elif warned:
        light, said = (
            ":orange-badge[:material/warning: To be read with care]",
            counted(warned, "check") + " found something to look at",
        )
    else:
        light, said = (
            ":green-badge[:material/verified: Can be relied on]",
            f"all {quality['checks']} checks passed",
        )
    accounted = (
        f"all {short(rows)} rows of the file accounted for, {quality['quarantined_rows']:,} of them in quarantine"
    )
    st.markdown(f"{light} {said} · {accounted} · {look.origin()}")


def _places(rows: list[dict[str, Any]]) -> str:
    total = sum(row["trips"] for row in rows)
    if not total:
        return ""
    first = rows[0]
    return f"Most begin in {first['zone']}: {percent(first['trips'] / total)} of all trips."
