"""What distance, speed and vendor have to do with what a trip brings in."""

from __future__ import annotations

import streamlit as st

from taxi_assets.dashboard.look import Look
from taxi_assets.presentation import panels


def draw(look: Look) -> None:
    """Draw the page."""
    st.markdown("## Performance")
    left, right = st.columns(2)
    with left:
        look.show(panels.bands(look.reader, look.month))
    with right:
        look.show(panels.totals_by_distance(look.reader, look.month))
    left, right = st.columns(2)
    with left:
        look.show(panels.revenue_per_mile(look.reader))
    with right:
        look.show(panels.speed(look.reader, look.month))
