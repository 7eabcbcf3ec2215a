"""The figures that the dashboard's pages and the month's report have in common.

Belongs here: a question, how its answer is drawn, and how that is to be read. Does not: a figure that needs a choice
of who looks (``taxi_assets.dashboard.screens``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from glue_jobs.contracts.months import month_of, number_of
from taxi_assets.presentation import figures
from taxi_assets.presentation.answers import Answer, Reader
from taxi_assets.presentation.wording import percent
from taxi_assets.presentation.zone_map import shapes, zone_map

METRICS = {
    "Trips": ("trips", "trips", "~s"),
    "Net revenue": ("net_revenue", "USD", "$~s"),
    "Average distance": ("average_distance", "miles", ".1f"),
    "Tip rate": ("card_tip_rate", "tips by fare, card", ".0%"),
}
"""What a map can show, to column, title and how d3 writes it."""
SHOWN = 12
"""Bars of a ranking."""
_BANDS = ("0-1", "1-2", "2-5", "5-10", "10+")
_NOT_STATED = "“None entered” and “Unknown” are what drivers did not state."


@dataclass(frozen=True)
class Panel:
    """A titled figure, the ``answer`` that it is drawn from, and a ``note`` on how it is to be read."""

    title: str
    figure: go.Figure
    answer: Answer
    note: str = ""


def trend(reader: Reader, month: str, months: int = 3) -> Panel:
    """Trips day by day until the end of the month, over so many months."""
    answer = reader.ask("daily_trend", first=month_of(number_of(month) - months + 1), month=month)
    return Panel(
        "Trips a day",
        figures.trend(answer.dicts()),
        answer,
        "The line is the mean of the seven days that end with a day; it begins when all seven have trips.",
    )


def pickups(reader: Reader, month: str, dark: bool = False) -> Panel:
    """The map of where trips begin."""
    answer = reader.ask("pickups_by_zone", month=month)
    total = sum(row["trips"] for row in answer.dicts())
    first = answer.dicts()[0] if total else {}
    said = f"Most begin in {first['zone']}: {percent(first['trips'] / total)} of all trips." if total else ""
    return Panel("Where trips begin", map_of(reader, answer, *METRICS["Trips"], dark), answer, said)


def map_of(reader: Reader, answer: Answer, metric: str, title: str, form: str, dark: bool = False) -> go.Figure:
    """The map of an answer with location_id; bars of its first zones in a lake that has no shapes."""
    zones = reader.once("shapes", lambda: shapes(reader.ask("zones").dicts()))
    if not zones["features"]:
        return figures.ranking(answer.dicts()[:SHOWN], "zone", metric, title, form)
    return zone_map(zones, answer.dicts(), metric, title, form, dark)


def hours(reader: Reader, month: str) -> Panel:
    """Trips by weekday and hour."""
    answer = reader.ask("busiest_hours", month=month)
    return Panel(
        "When trips begin",
        figures.week(answer.dicts(), "trips_per_day", "trips an hour"),
        answer,
        "Mean of the days of the month with that weekday.",
    )


def pairs(reader: Reader, month: str) -> Panel:
    """The pairs of zones with most trips."""
    answer = reader.ask("top_pairs", month=month)
    figure = figures.ranking(answer.dicts(), ("pickup_zone", "dropoff_zone"), "trips", "trips")
    return Panel("Most travelled pairs", figure, answer)


def boroughs(reader: Reader, month: str) -> Panel:
    """Trips from borough to borough."""
    answer = reader.ask("borough_matrix", month=month)
    figure = figures.matrix(answer.dicts(), "pickup_borough", "dropoff_borough", "share_of_month", "of all trips")
    return Panel("From borough to borough", figure, answer, "Share of all trips of the month.")


def fees(reader: Reader, until: str | None = None) -> Panel:
    """What a trip is made of, month by month."""
    answer = reader.ask("fee_stack").until(until)
    return Panel(
        "What a trip is made of",
        figures.stack(answer.dicts(), "month", "component", "amount_per_trip", "USD per trip", "$.2f"),
        answer,
        "By trips, those without the component counted. A fee that did not exist yet has no part. "
        "“Rest” is what totals hold beyond their parts.",
    )


def tips(reader: Reader, month: str) -> Panel:
    """Tips by borough."""
    answer = reader.ask("tips_by_borough", month=month)
    known = [row for row in answer.dicts() if row["card_tip_rate"] is not None]
    figure = figures.ranking(known, "pickup_borough", "card_tip_rate", "tips by fare, card", ".0%")
    return Panel("Tips by borough of pick-up", figure, answer, "Of trips paid by card.")


def airports(reader: Reader, month: str) -> Panel:
    """Trips from and to airports."""
    answer = reader.ask("airports", month=month)
    rows = [
        {"airport": row["airport"], "end": end, "trips": row[column]}
        for row in answer.dicts()
        for end, column in (("pick-ups", "pickups"), ("drop-offs", "dropoffs"))
    ]
    return Panel("Airports", figures.bars(rows, "airport", "end", "trips", "trips"), answer)


def payments(reader: Reader, month: str, until: str | None = None) -> Panel:
    """How trips are paid, month by month."""
    answer = reader.ask("payment_mix").until(until)
    now = {row["payment_method"]: row for row in answer.dicts() if row["month"] == month}
    card = now.get("Credit card")
    return Panel(
        "How trips are paid",
        figures.stack(answer.dicts(), "month", "payment_method", "share_of_month", "of all trips", ".0%"),
        answer,
        f"By card in this month: {percent(card['share_of_month'])}." if card else "",
    )


def passengers(reader: Reader, month: str) -> Panel:
    """How many ride together, by time of day."""
    answer = reader.ask("passenger_mix", month=month)
    figure = figures.stack(
        answer.dicts(), "passenger_group", "time_of_day_category", "share_of_month", "of all trips", ".0%"
    )
    return Panel("How many ride together, and when", figure, answer, _NOT_STATED)


def bands(reader: Reader, month: str) -> Panel:
    """Trips by distance and vendor."""
    answer = reader.ask("distance_bands", month=month)
    return Panel(
        "Trips by distance and vendor",
        figures.stack(_by_band(answer), "distance_category", "vendor", "trips", "trips"),
        answer,
        "Miles, each band over the first up to the second number.",
    )


def totals_by_distance(reader: Reader, month: str) -> Panel:
    """What a trip costs, by distance and vendor."""
    answer = reader.ask("distance_bands", month=month)
    figure = figures.bars(_by_band(answer), "distance_category", "vendor", "average_total", "USD per trip", "$.0f")
    return Panel("Average total by distance", figure, answer)


def revenue_per_mile(reader: Reader) -> Panel:
    """What a mile brings in, month by month."""
    answer = reader.ask("revenue_per_mile")
    ordered = sorted(answer.dicts(), key=lambda row: (row["month"], _place(row)))
    return Panel(
        "Revenue per mile",
        figures.lines(ordered, "month", "distance_category", "gross_per_mile", "USD per mile", "$.2f"),
        answer,
        "Without trips of up to one mile, for which the base fare is most of it.",
    )


def speed(reader: Reader, month: str) -> Panel:
    """How fast taxis are, hour by hour."""
    answer = reader.ask("speed_by_hour", month=month)
    rows = [{**row, "pickup_hour": f"{row['pickup_hour']:02d}"} for row in answer.dicts()]
    figure = figures.lines(rows, "pickup_hour", "day_type", "miles_per_hour", "miles per hour", ".0f")
    return Panel("Speed by hour", figure, answer, "All miles of an hour's trips by all their hours.")


def reasons(reader: Reader, month: str) -> Panel:
    """Why rows are in quarantine; an answer without rows if none is."""
    answer = reader.ask("quarantine_reasons", month=month)
    figure = figures.ranking(answer.dicts(), "quarantine_reasons", "quarantined_rows", "rows", ",d")
    return Panel("Why rows are in quarantine", figure, answer)


def _by_band(answer: Answer) -> list[dict[str, Any]]:
    return sorted((row for row in answer.dicts() if row["distance_category"] in _BANDS), key=_place)


def _place(row: Mapping[str, Any]) -> int:
    band = row["distance_category"]
    return _BANDS.index(band) if band in _BANDS else len(_BANDS)
