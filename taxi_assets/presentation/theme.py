"""Colours of the pages, light and dark; the report is light.

Belongs here: colours, and the Plotly template made of them. Does not: any figure (``figures``).

Categories have the colours of Okabe and Ito ("Color Universal Design", 2008), which people who are blind to a colour
tell apart; the scale is Plotly's Cividis, made for the same people.
"""

from __future__ import annotations

from functools import cache

import plotly.graph_objects as go

CATEGORIES = (
    *("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C8C8C", "#F0E442"),
    *("#004C78", "#8F6300", "#00634A", "#8A4C70"),  # darker ones, for the ninth and after
)
SCALE = "Cividis"

LIGHT = {
    "primaryColor": "#005a9e",
    "backgroundColor": "#ffffff",
    "secondaryBackgroundColor": "#f3f5f8",
    "textColor": "#060c14",
    "borderColor": "#d5dbe3",
}
DARK = {
    "primaryColor": "#6db8f2",
    "backgroundColor": "#11161d",
    "secondaryBackgroundColor": "#1b222c",
    "textColor": "#e8edf3",
    "borderColor": "#39424f",
}
"""Options of Streamlit's themes; text stands out from its background by more than 4.5:1 (WCAG 2.2, 1.4.3),
also captions, which Streamlit writes in 60 % of its colour."""


@cache
def template(dark: bool) -> go.layout.Template:
    """What all figures of a theme have in common; Plotly copies it into each."""
    theme = DARK if dark else LIGHT
    axis = {
        "gridcolor": theme["borderColor"],
        "zerolinecolor": theme["borderColor"],
        "linecolor": theme["borderColor"],
        "automargin": True,
        "title": {"standoff": 8},
    }
    return go.layout.Template(
        layout={
            "colorway": CATEGORIES,
            "font": {"color": theme["textColor"], "family": "Source Sans, Helvetica, Arial, sans-serif", "size": 13},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "xaxis": axis,
            "yaxis": axis,
            "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
            "hoverlabel": {"bgcolor": theme["secondaryBackgroundColor"], "font": {"color": theme["textColor"]}},
            "geo": {"bgcolor": "rgba(0,0,0,0)"},
            "separators": ".,",
        }
    )
