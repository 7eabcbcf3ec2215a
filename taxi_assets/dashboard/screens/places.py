"""Where trips begin and end: the map, a zone's flows, pairs and boroughs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from taxi_assets.dashboard import figures
from taxi_assets.dashboard.answers import Answer
from taxi_assets.dashboard.look import Look
from taxi_assets.dashboard.wording import percent
from taxi_assets.dashboard.zone_map import zone_map

METRICS = {
    "Trips": ("trips", "trips", "~s"),
    "Net revenue": ("net_revenue", "USD", "$~s"),
    "Average distance": ("average_distance", "miles", ".1f"),
    "Tip rate": ("card_tip_rate", "tips by fare, card", ".0%"),
}
"""What a map can show, to column, title and how d3 writes it."""
_ENDS = {"Pick-ups": "pickups_by_zone", "Drop-offs": "dropoffs_by_zone"}
_SHOWN = 12


def map_of(look: Look, answer: Answer, metric: str, title: str, form: str) -> go.Figure:
    """The map of an answer with location_id; bars of its first zones in a lake that has no shapes."""
    zones = look.zones()
    if not zones["features"]:
        st.info("This lake has no map of zones: materialize the asset reference/zones. Shown are the first zones.")
        return figures.ranking(answer.dicts()[:_SHOWN], "zone", metric, title, form)
    return zone_map(zones, answer.dicts(), metric, title, form, look.dark)


def draw(look: Look) -> None:
    """Draw the page."""
    st.markdown("## Places")
    left, right = st.columns(2)
    with left:
        end = st.segmented_control(
            "End of the trip", list(_ENDS), default="Pick-ups", required=True, key="end", bind="query-params"
        )
    with right:
        chosen = st.selectbox("Shown on the map", list(METRICS), key="metric", bind="query-params")
    answer = look.of_month(_ENDS.get(end or "", "pickups_by_zone"))
    metric, title, form = METRICS.get(chosen or "", METRICS["Trips"])
    names = {zone_label(row): int(row["location_id"]) for row in answer.dicts()}
    wide, narrow = st.columns([3, 2])
    with wide:
        clicked = look.panel(
            "Map of zones",
            map_of(look, answer, metric, title, form),
            answer,
            "Click a zone to see where its trips go and come from. Zones without trips are grey.",
            select="map",
        )
    _follow(clicked, names)
    with narrow:
        zone = st.selectbox("Flows of the zone", list(names), key="zone", bind="query-params")
        if zone is not None:
            _flows(look, names[zone], zone)
    pairs = look.of_month("top_pairs")
    matrix = look.of_month("borough_matrix")
    left, right = st.columns(2)
    with left:
        look.panel(
            "Most travelled pairs",
            figures.ranking(pairs.dicts(), ("pickup_zone", "dropoff_zone"), "trips", "trips"),
            pairs,
        )
    with right:
        look.panel(
            "From borough to borough",
            figures.matrix(matrix.dicts(), "pickup_borough", "dropoff_borough", "share_of_month", "of all trips"),
            matrix,
            "Share of all trips of the month.",
        )
    look.table("All zones", answer)


def zone_label(row: Mapping[str, Any]) -> str:
    """A zone as it is chosen and as it stands in the address: some have the same name."""
    return f"{row['zone']} ({row['location_id']})"


def _follow(clicked: Any, names: Mapping[str, int]) -> None:
    """Take the zone that was clicked as the one whose flows are shown."""
    points = clicked["selection"]["points"] if clicked else []
    found = {number: name for name, number in names.items()}.get(points[0].get("location")) if points else None
    if found is not None and st.session_state.get("zone_clicked") != found:
        st.session_state["zone_clicked"] = found
        st.session_state["zone"] = found


def _flows(look: Look, zone: int, name: str) -> None:
    flows = look.of_month("flows_of_a_zone", zone=zone)
    for direction, title in (("out", "Trips from here go to"), ("in", "Trips to here come from")):
        rows = flows.only(direction=direction)
        first = rows.dicts()[:_SHOWN]
        kept = sum(row["share_of_zone"] or 0.0 for row in first)
        look.panel(
            title,
            figures.ranking(first, "other_zone", "trips", "trips"),
            rows,
            f"{name}: these are {percent(kept, 0)} of its trips.",
        )
