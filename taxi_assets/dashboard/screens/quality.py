"""How far the numbers can be trusted: rows accounted for, quarantine, checks, freshness."""

from __future__ import annotations

import streamlit as st

from taxi_assets.dashboard.look import Look
from taxi_assets.presentation import figures, panels
from taxi_assets.presentation.theme import CATEGORIES
from taxi_assets.presentation.wording import percent

_OUTCOMES = {"passed": CATEGORIES[2], "to look at": CATEGORIES[1], "failed": CATEGORIES[5]}


def draw(look: Look) -> None:
    """Draw the page."""
    st.markdown("## Data quality")
    quality = look.reader.ask("quality")
    now = next((row for row in quality.dicts() if row["month"] == look.month), None)
    if now is not None:
        rows = now["published_rows"] + now["quarantined_rows"]
        st.markdown(
            f"{rows:,} rows of the file = {now['published_rows']:,} published + {now['quarantined_rows']:,} in "
            f"quarantine ({percent(now['quarantined_share'], 3)}). {look.origin()}."
        )
    left, right = st.columns(2)
    with left:
        look.panel(
            "Rows, month by month",
            figures.stack(
                [
                    {"month": row["month"], "kind": kind, "rows": row[column]}
                    for row in quality.dicts()
                    for kind, column in (("published", "published_rows"), ("in quarantine", "quarantined_rows"))
                ],
                "month",
                "kind",
                "rows",
                "rows",
            ),
            quality,
        )
    with right:
        look.panel(
            "Flagged and quarantined",
            figures.line(
                quality.dicts(),
                "month",
                {"flagged_share": "trips with a flag", "quarantined_share": "rows in quarantine"},
                "share",
                ".2%",
            ),
            quality,
            "A flagged trip is published; its flags say which value is not to be relied on.",
        )
    reasons = panels.reasons(look.reader, look.month)
    if reasons.answer:
        look.show(reasons)
    look.table(
        "Rows in quarantine", look.of_month("quarantine_sample"), "The first 50.", "no row of this month is in it"
    )
    history = look.reader.ask("check_history")
    if history:
        look.panel(
            "Answers of checks, month by month",
            figures.stack(history.dicts(), "month", "outcome", "answers", "answers", colours=_OUTCOMES),
            history,
            "All that were ever given about a month; one that failed held a publication back.",
        )
    look.table(
        "Last answers of checks",
        look.of_month("checks"),
        "Newest first. Those that failed with severity ERROR held a publication back.",
        "no check was asked of this month",
    )
    look.table("Versions that were checked last", look.of_month("freshness"))
