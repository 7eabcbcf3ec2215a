"""The first page: a month in a sentence, its figures beside those before, and how far they can be trusted."""

from __future__ import annotations

import streamlit as st

from taxi_assets.dashboard.look import Look, cards
from taxi_assets.dashboard.screens.places import say_if_no_map
from taxi_assets.presentation import panels
from taxi_assets.presentation.cards import of_month, trust
from taxi_assets.presentation.wording import month_name, sentence

_BADGES = {
    "good": ":green-badge[:material/verified: {}]",
    "care": ":orange-badge[:material/warning: {}]",
    "bad": ":red-badge[:material/error: {}]",
    "unknown": ":gray-badge[:material/help: {}]",
}


def draw(look: Look) -> None:
    """Draw the page."""
    summary = look.reader.ask("summary").until(look.month).dicts()
    st.markdown(f"## {month_name(look.month)}")
    st.markdown(sentence(summary[-1]))
    _trust(look)
    look.report_download()
    cards(of_month(summary))
    look.show(panels.trend(look.reader, look.month))
    left, right = st.columns([3, 2])
    with left:
        say_if_no_map(look)
        look.show(panels.pickups(look.reader, look.month, look.dark))
    with right:
        look.show(panels.hours(look.reader, look.month))


def _trust(look: Look) -> None:
    """One line: of when, which version, are all rows accounted for, did checks fail."""
    for quality in look.reader.ask("quality").only(month=look.month).dicts():
        told = trust(quality)
        st.markdown(f"{_BADGES[told.level].format(told.verdict)} {told.said} · {look.origin()}{look.report_link()}")
