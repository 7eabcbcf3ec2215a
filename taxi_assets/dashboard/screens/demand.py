"""When taxis are wanted: weekday by hour, for the city, a borough or a zone."""

from __future__ import annotations

from typing import Any

import streamlit as st

from taxi_assets.dashboard.look import Look
from taxi_assets.dashboard.screens.places import zone_label
from taxi_assets.presentation import figures
from taxi_assets.presentation.answers import Answer
from taxi_assets.presentation.wording import short, weekday

_DIRECTIONS = {"Pick-ups": "pickups_per_day", "Drop-offs": "dropoffs_per_day"}
_ALL = "All of New York"


def draw(look: Look) -> None:
    """Draw the page."""
    zones = look.reader.ask("zones").dicts() or _named(look)
    boroughs = sorted({str(zone["borough"]) for zone in zones if zone["borough"] not in (None, "Unknown", "N/A")})
    st.markdown("## Demand")
    left, middle, right = st.columns(3)
    with left:
        direction = (
            st.segmented_control(
                "Direction", list(_DIRECTIONS), default="Pick-ups", required=True, key="direction", bind="query-params"
            )
            or "Pick-ups"
        )
    with middle:
        borough = st.selectbox("Borough", [_ALL, *boroughs], key="borough", bind="query-params") or _ALL
    with right:
        names = {zone_label(z): int(z["location_id"]) for z in zones if borough in (_ALL, z["borough"])}
        zone = st.selectbox(
            "Zone",
            list(names),
            index=None,
            placeholder="all zones",
            key="zone",
            bind="query-params",
        )
    answer, place = _asked(look, borough, zone, names)
    rows, value = answer.dicts(), _DIRECTIONS[direction]
    said = _busiest(rows, value, direction)
    look.panel(f"{direction} by weekday and hour", figures.week(rows, value, "an hour"), answer, said)
    st.caption(f"{place}: mean of the days of the month with that weekday. A drop-off counts in its own hour.")
    by_hour = [
        {"hour": f"{hour:02d}", "days": kind, "value": _mean(rows, value, hour, days)}
        for hour in range(24)
        for kind, days in (("Monday to Friday", range(1, 6)), ("Saturday and Sunday", range(6, 8)))
    ]
    look.panel(
        "The day, hour by hour",
        figures.lines(by_hour, "hour", "days", "value", f"{direction.lower()} an hour"),
        answer,
        "Weekdays and weekends as the mean of their days.",
    )


def _asked(look: Look, borough: str, zone: str | None, names: dict[str, int]) -> tuple[Answer, str]:
    if zone is not None and zone in names:
        return look.of_month("demand_of_a_zone", zone=names[zone]), zone
    if borough != _ALL:
        return look.of_month("demand_of_a_borough", borough=borough), borough
    return look.of_month("demand_of_all"), _ALL


def _named(look: Look) -> list[dict[str, Any]]:
    """The zones where the month's trips began, for a lake without the map of zones."""
    return sorted(look.of_month("pickups_by_zone").dicts(), key=lambda row: int(row["location_id"]))


def _busiest(rows: list[dict[str, Any]], value: str, direction: str) -> str:
    found = max(rows, key=lambda row: row[value] or 0.0, default=None)
    if found is None:
        return ""
    when = f"{weekday(found['day_of_week'])} from {found['hour_of_day']:02d}:00 to {found['hour_of_day']:02d}:59"
    return f"Busiest: {when}, {short(found[value])} {direction.lower()} an hour."


def _mean(rows: list[dict[str, Any]], value: str, hour: int, days: range) -> float | None:
    found = [row[value] for row in rows if row["hour_of_day"] == hour and row["day_of_week"] in days]
    return sum(one or 0.0 for one in found) / len(days) if found else None
