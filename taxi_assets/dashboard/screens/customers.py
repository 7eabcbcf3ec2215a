"""Who rides and how they pay."""

from __future__ import annotations

import streamlit as st

from taxi_assets.dashboard.look import Look
from taxi_assets.presentation import figures, panels


def draw(look: Look) -> None:
    """Draw the page."""
    st.markdown("## Customers")
    look.show(panels.payments(look.reader, look.month))
    left, right = st.columns(2)
    of_month = look.reader.ask("payment_mix").only(month=look.month)
    with left:
        look.panel(
            "Average total by payment",
            figures.ranking(
                [row for row in of_month.dicts() if row["average_total"] is not None],
                "payment_method",
                "average_total",
                "USD per trip",
                "$.2f",
            ),
            of_month,
        )
    with right:
        look.show(panels.passengers(look.reader, look.month))
