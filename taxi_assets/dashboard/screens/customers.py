"""Who rides and how they pay."""

from __future__ import annotations

import streamlit as st

from taxi_assets.dashboard import figures
from taxi_assets.dashboard.look import Look
from taxi_assets.dashboard.wording import percent


def draw(look: Look) -> None:
    """Draw the page."""
    st.markdown("## Customers")
    payments = look.reader.ask("payment_mix")
    now = {row["payment_method"]: row for row in payments.dicts() if row["month"] == look.month}
    card = now.get("Credit card")
    look.panel(
        "How trips are paid",
        figures.stack(payments.dicts(), "month", "payment_method", "share_of_month", "of all trips", ".0%"),
        payments,
        f"By card in this month: {percent(card['share_of_month'])}." if card else "",
    )
    left, right = st.columns(2)
    of_month = payments.only(month=look.month)
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
    passengers = look.of_month("passenger_mix")
    with right:
        look.panel(
            "How many ride together, and when",
            figures.stack(
                passengers.dicts(), "passenger_group", "time_of_day_category", "share_of_month", "of all trips", ".0%"
            ),
            passengers,
            "“None entered” and “Unknown” are what drivers did not state.",
        )
