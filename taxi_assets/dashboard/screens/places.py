"""Where trips begin and end: the map, a zone's flows, pairs and boroughs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from taxi_assets.dashboard.look import Look
from taxi_assets.presentation import figures, panels
from taxi_assets.presentation.wording import percent

_ENDS = {"Pick-ups": "pickups_by_zone", "Drop-offs": "dropoffs_by_zone"}


def say_if_no_map(look: Look) -> None:
    """Why there are bars where a map should be."""
    if not any(zone["shape"] for zone in look.reader.ask("zones").dicts()):
        st.info("This lake has no map of zones: materialize the asset reference/zones. Shown are the first zones.")


def draw(look: Look) -> None:
    """Draw the page."""
    st.markdown("## Places")
    left, right = st.columns(2)
    with left:
        end = st.segmented_control(
            "End of the trip", list(_ENDS), default="Pick-ups", required=True, key="end", bind="query-params"
        )
    with right:
        chosen = st.selectbox("Shown on the map", list(panels.METRICS), key="metric", bind="query-params")
    answer = look.of_month(_ENDS.get(end or "", "pickups_by_zone"))
    metric, title, form = panels.METRICS.get(chosen or "", panels.METRICS["Trips"])
    names = {zone_label(row): int(row["location_id"]) for row in answer.dicts()}
    say_if_no_map(look)
    wide, narrow = st.columns([3, 2])
    with wide:
        clicked = look.panel(
            "Map of zones",
            panels.map_of(look.reader, answer, metric, title, form, look.dark),
            answer,
            "Click a zone to see where its trips go and come from. Zones without trips are grey.",
            select="map",
        )
    _follow(clicked, names)
    with narrow:
        zone = st.selectbox("Flows of the zone", list(names), key="zone", bind="query-params")
        if zone is not None:
            _flows(look, names[zone], zone)
    left, right = st.columns(2)
    with left:
        look.show(panels.pairs(look.reader, look.month))
    with right:
        look.show(panels.boroughs(look.reader, look.month))
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
        first = rows.dicts()[: panels.SHOWN]
        kept = sum(row["share_of_zone"] or 0.0 for row in first)
        look.panel(
            title,
            figures.ranking(first, "other_zone", "trips", "trips"),
            rows,
            f"{name}: these are {percent(kept, 0)} of its trips.",
        )
