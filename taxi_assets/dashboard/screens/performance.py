"""What distance, speed and vendor have to do with what a trip brings in."""

from __future__ import annotations

import streamlit as st

from taxi_assets.dashboard import figures
from taxi_assets.dashboard.look import Look

_BANDS = ("0-1", "1-2", "2-5", "5-10", "10+")


def draw(look: Look) -> None:
    """Draw the page."""
    st.markdown("## Performance")
    bands = look.of_month("distance_bands")
    ordered = sorted(
        (row for row in bands.dicts() if row["distance_category"] in _BANDS),
        key=lambda row: _BANDS.index(row["distance_category"]),
    )
    left, right = st.columns(2)
    with left:
        look.panel(
            "Trips by distance and vendor",
            figures.stack(ordered, "distance_category", "vendor", "trips", "trips"),
            bands,
            "Miles, each band over the first up to the second number.",
        )
    with right:
        look.panel(
            "Average total by distance",
            figures.bars(ordered, "distance_category", "vendor", "average_total", "USD per trip", "$.0f"),
            bands,
        )
    per_mile = look.reader.ask("revenue_per_mile")
    ordered = sorted(per_mile.dicts(), key=lambda row: (row["month"], _place(row["distance_category"])))
    left, right = st.columns(2)
    with left:
        look.panel(
            "Revenue per mile",
            figures.lines(ordered, "month", "distance_category", "gross_per_mile", "USD per mile", "$.2f"),
            per_mile,
            "Without trips of up to one mile, for which the base fare is most of it.",
        )
    speed = look.of_month("speed_by_hour")
    with right:
        look.panel(
            "Speed by hour",
            figures.lines(
                [{**row, "pickup_hour": f"{row['pickup_hour']:02d}"} for row in speed.dicts()],
                "pickup_hour",
                "day_type",
                "miles_per_hour",
                "miles per hour",
                ".0f",
            ),
            speed,
            "All miles of an hour's trips by all their hours.",
        )


def _place(band: str) -> int:
    return _BANDS.index(band) if band in _BANDS else len(_BANDS)
