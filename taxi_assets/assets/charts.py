"""Pictures of curated tables, for people who would rather look than read.

Belongs here: one Plotly figure for a month of a table. Does not: the dashboard, which spans months.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs
from plotly.subplots import make_subplots
from pyarrow import fs

from glue_jobs.contracts.curated import DAILY_METRICS, LOCATION_ANALYTICS, TIME_SERIES_ANALYSIS
from glue_jobs.files import open_file_system

_TOP_ZONES = 20


def daily_metrics(rows: pd.DataFrame, month: str) -> go.Figure:
    """Trips and net revenue by day."""
    days = rows.sort_values("pickup_date")
    figure = make_subplots(specs=[[{"secondary_y": True}]])
    figure.add_bar(x=days["pickup_date"], y=days["trips"], name="trips")
    figure.add_scatter(
        x=days["pickup_date"], y=days["net_revenue"].astype(float), name="net revenue, USD", secondary_y=True
    )
    figure.update_layout(title=f"Trips and net revenue by day, {month}")
    figure.update_yaxes(title="trips", secondary_y=False)
    figure.update_yaxes(title="USD", secondary_y=True, rangemode="tozero")
    return figure


def time_series_analysis(rows: pd.DataFrame, month: str) -> go.Figure:
    """Trips by date and hour, as a heat map."""
    grid = rows.pivot_table(index="pickup_hour", columns="pickup_date", values="trips", aggfunc="sum", fill_value=0)
    figure = go.Figure(go.Heatmap(z=grid.to_numpy(), x=grid.columns, y=grid.index, colorbar={"title": "trips"}))
    figure.update_layout(title=f"Trips by day and hour, {month}", yaxis_title="hour of pick-up")
    return figure


def location_analytics(rows: pd.DataFrame, month: str) -> go.Figure:
    """The zones where most trips began."""
    zones = rows.groupby("pickup_zone")["trips"].sum().nlargest(_TOP_ZONES)[::-1]
    figure = go.Figure(go.Bar(x=zones.to_numpy(), y=zones.index, orientation="h"))
    figure.update_layout(title=f"Zones with the most pick-ups, {month}", xaxis_title="trips")
    return figure


FIGURES: dict[str, Callable[[pd.DataFrame, str], go.Figure]] = {
    DAILY_METRICS.name: daily_metrics,
    TIME_SERIES_ANALYSIS.name: time_series_analysis,
    LOCATION_ANALYTICS.name: location_analytics,
}
"""The tables that have a picture, and how it is drawn from a month's rows."""


def write_picture(figure: go.Figure, path: str) -> None:
    """Write a figure as a HTML page that needs no network: ``plotly.min.js`` (4.5 MB) lies once in its folder."""
    system, target = open_file_system(path)
    folder = target.rpartition("/")[0]
    system.create_dir(folder, recursive=True)
    script = f"{folder}/plotly.min.js"
    if system.get_file_info(script).type != fs.FileType.File:
        with system.open_output_stream(script) as stream:
            stream.write(get_plotlyjs().encode())
    with system.open_output_stream(target) as stream:
        stream.write(figure.to_html(include_plotlyjs="directory").encode())
