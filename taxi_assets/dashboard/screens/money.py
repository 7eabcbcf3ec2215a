"""What passengers paid: fees, tips, refunds, and what was not collected."""

from __future__ import annotations

import streamlit as st

from taxi_assets.dashboard.look import Look, cards
from taxi_assets.presentation import figures, panels
from taxi_assets.presentation.cards import MONTHS_OF_A_SPARKLINE, Card
from taxi_assets.presentation.wording import percent, short


def draw(look: Look) -> None:
    """Draw the page."""
    st.markdown("## Money")
    money = look.reader.ask("money_by_month")
    rows = [row for row in money.dicts() if row["month"] <= look.month]
    now = rows[-1]
    cards(
        [
            Card(
                label,
                short(now[column], "$"),
                said,
                series=[None if row[column] is None else float(row[column]) for row in rows[-MONTHS_OF_A_SPARKLINE:]],
            )
            for label, column, said in (
                ("Gross revenue", "gross_revenue", "Totals of trips."),
                ("Refunded", "refunded", "Totals of refunds, negative."),
                ("Not collected", "uncollected_revenue", "Totals of trips without charge, disputed or voided."),
                ("Card tips", "card_tips", "Cash tips are not recorded."),
            )
        ]
    )
    look.show(panels.fees(look.reader))
    left, right = st.columns(2)
    with left:
        look.panel(
            "The congestion fee, before and after",
            figures.line(rows, "month", {"cbd_fee_per_trip": "CBD fee per trip"}, "USD per trip", "$.2f"),
            money,
            "The Central Business District fee began on 5 Jan 2025 at $0.75 a trip that touches the zone; "
            "before, it was not charged.",
        )
        look.show(panels.tips(look.reader, look.month))
    with right:
        look.panel(
            "Refunded and not collected",
            figures.line(
                [{**row, "refunded_share": abs(row["refunded_share"] or 0.0)} for row in rows],
                "month",
                {"refunded_share": "refunded", "uncollected_share": "not collected"},
                "of gross revenue",
                ".1%",
            ),
            money,
            f"In this month {percent(abs(now['refunded_share'] or 0.0), 2)} and "
            f"{percent(now['uncollected_share'], 2)} of gross revenue.",
        )
        look.show(panels.airports(look.reader, look.month))
