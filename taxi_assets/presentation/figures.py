"""Figures: rows in, a Plotly figure out.

Belongs here: how rows are drawn. Does not: asking for them, their colours (``theme``), or the map (``zone_map``).

Each function takes rows as dictionaries and the names of the columns that it draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import plotly.graph_objects as go

from taxi_assets.presentation.theme import CATEGORIES, SCALE, template
from taxi_assets.presentation.wording import WEEKDAYS, heading, plain

Rows = Sequence[Mapping[str, Any]]
CONFIG = {"displaylogo": False, "displayModeBar": False, "responsive": True}
"""How plotly.js is to behave, wherever a figure is."""
_HEIGHT = 340
"""Pixels of a figure that does not say."""
_FEW = 8
"""Whole numbers below it have a tick each."""
_HOURS = [f"{hour:02d}" for hour in range(24)]


def style(figure: go.Figure, dark: bool) -> None:
    """Give a figure the look that all have in common, and a height if it has none."""
    figure.update_layout(template=template(dark), height=figure.layout.height or _HEIGHT)


def trend(rows: Rows, value: str = "trips", mean: str = "trips_7_day_mean", title: str = "trips a day") -> go.Figure:
    """Days with the mean of seven, and marks for holidays, for days of 23 or 25 hours, and for what began on a day.

    ``rows`` are of ``analytics.daily_trend``.
    """
    figure = go.Figure()
    by_day = {row["pickup_date"]: row for row in rows}
    # Days without trips are gaps in the lines.
    days = [min(by_day) + timedelta(days=at) for at in range((max(by_day) - min(by_day)).days + 1)] if by_day else []
    for column, name, width, colour in ((value, "day", 1, CATEGORIES[4]), (mean, "mean of 7 days", 3, CATEGORIES[0])):
        figure.add_scatter(
            x=days,
            y=[_number(by_day[day][column]) if day in by_day else None for day in days],
            name=name,
            mode="lines",
            line={"width": width, "color": colour},
        )
    marks = [(row, _marked(row)) for row in rows if _marked(row)]
    figure.add_scatter(
        x=[row["pickup_date"] for row, _ in marks],
        y=[_number(row[value]) for row, _ in marks],
        mode="markers",
        name="holiday, clock change, event",
        marker={"size": 9, "color": CATEGORIES[5], "symbol": "diamond"},
        customdata=[[f"{plain(row['pickup_date'])}: {said}"] for row, said in marks],
        hovertemplate="%{customdata[0]}<br>%{y:,.0f}<extra></extra>",
    )
    figure.update_layout(hovermode="closest", yaxis={"rangemode": "tozero", "title": title, "tickformat": "~s"})
    if days:  # half a day on each side: marks widen the axis to days before the first
        figure.update_xaxes(range=[f"{days[0] - timedelta(days=1)} 12:00", f"{days[-1]} 12:00"])
    return figure


def _marked(row: Mapping[str, Any]) -> str:
    said = [row["holiday"], row["event"]]
    if row["hours_in_day"] not in (None, 24):
        said.append(f"a day of {row['hours_in_day']} hours")
    return "; ".join(part for part in said if part)


def week(rows: Rows, value: str, title: str) -> go.Figure:
    """Hour of day by weekday as a heat map; ``rows`` have day_of_week and hour_of_day."""
    found = {(row["day_of_week"], row["hour_of_day"]): row[value] for row in rows}
    figure = go.Figure(
        go.Heatmap(
            x=_HOURS,
            y=WEEKDAYS,
            z=[[found.get((day, hour)) for hour in range(24)] for day in range(1, 8)],
            colorscale=SCALE,
            colorbar={"title": {"text": title, "side": "right"}, "thickness": 10, "tickformat": "~s"},
            hovertemplate="%{y} %{x}:00<br>%{z:,.1f} " + title + "<extra></extra>",
            xgap=1,
            ygap=1,
        )
    )
    figure.update_layout(
        xaxis={"title": "hour of day, New York", "type": "category", "showgrid": False, "dtick": 2},
        yaxis={"autorange": "reversed", "showgrid": False},
        height=330,
    )
    return figure


def ranking(rows: Rows, label: str | Sequence[str], value: str, title: str, form: str = "~s") -> go.Figure:
    """Bars one below the other, in the order of the rows; of several labels, the second says where it goes."""
    names = [label] if isinstance(label, str) else list(label)
    texts = [" → ".join(str(row[name]) for name in names) for row in rows]
    figure = go.Figure(
        go.Bar(
            x=[_number(row[value]) for row in rows],
            y=texts,
            orientation="h",
            marker={"color": CATEGORIES[0]},
            hovertemplate=f"%{{y}}<br>%{{x:,}} {title}<extra></extra>",
        )
    )
    figure.update_layout(
        xaxis={"title": title, "tickformat": form},
        yaxis={"autorange": "reversed", "type": "category"},
        height=max(180, 70 + 26 * len(texts)),
    )
    if form == ",d" and max((row[value] or 0 for row in rows), default=0) < _FEW:
        figure.update_xaxes(dtick=1)  # else ticks at halves are written as whole numbers, each twice
    return figure


def stack(
    rows: Rows,
    x: str,
    series: str,
    value: str,
    title: str,
    form: str = "~s",
    colours: Mapping[str, str] | None = None,
) -> go.Figure:
    """Bars, one a value of ``x``, each made of its series; ``colours`` are for series that have one of their own."""
    figure = _by_series(
        rows,
        x,
        series,
        value,
        lambda name, xs, ys, colour: go.Bar(name=name, x=xs, y=ys, marker={"color": (colours or {}).get(name, colour)}),
        form,
    )
    figure.update_layout(barmode="relative", showlegend=True, yaxis={"title": title, "tickformat": form})
    return figure


def bars(rows: Rows, x: str, series: str, value: str, title: str, form: str = "~s") -> go.Figure:
    """Bars beside each other, one a series for each value of ``x``."""
    figure = stack(rows, x, series, value, title, form)
    figure.update_layout(barmode="group")
    return figure


def lines(rows: Rows, x: str, series: str, value: str, title: str, form: str = "~s") -> go.Figure:
    """A line for each series."""
    figure = _by_series(
        rows,
        x,
        series,
        value,
        lambda name, xs, ys, colour: go.Scatter(name=name, x=xs, y=ys, mode="lines+markers", line={"color": colour}),
        form,
    )
    figure.update_layout(yaxis={"title": title, "tickformat": form, "rangemode": "tozero"})
    return figure


def line(rows: Rows, x: str, values: Mapping[str, str], title: str, form: str = "~s") -> go.Figure:
    """A line for each of some columns; ``values`` are column to name."""
    long = [{x: row[x], "series": name, "value": row[column]} for column, name in values.items() for row in rows]
    return lines(long, x, "series", "value", title, form)


def matrix(rows: Rows, y: str, x: str, value: str, title: str, form: str = ",.1%") -> go.Figure:
    """One category by another, the value written into each cell."""
    across, down = (sorted({str(row[name]) for row in rows}) for name in (x, y))
    found = {(str(row[y]), str(row[x])): _number(row[value]) for row in rows}
    figure = go.Figure(
        go.Heatmap(
            x=across,
            y=down,
            z=[[found.get((one, other)) for other in across] for one in down],
            colorscale=SCALE,
            texttemplate=f"%{{z:{form}}}",
            colorbar={"title": {"text": title, "side": "right"}, "thickness": 10, "tickformat": form},
            hovertemplate=f"%{{y}} → %{{x}}<br>%{{z:{form}}} {title}<extra></extra>",
            xgap=1,
            ygap=1,
        )
    )
    figure.update_layout(
        yaxis={"autorange": "reversed", "type": "category", "showgrid": False, "title": heading(y)},
        xaxis={"type": "category", "showgrid": False, "title": heading(x)},
        height=max(260, 110 + 44 * len(down)),
    )
    return figure


def _by_series(rows: Rows, x: str, series: str, value: str, trace: Any, form: str) -> go.Figure:
    """A trace for each series, the largest first, so that a colour is the same while the order is."""
    of_months = x == "month" and len({row[x] for row in rows}) > 2
    sizes: dict[str, float] = {}
    for row in rows:
        sizes[str(row[series])] = sizes.get(str(row[series]), 0.0) + abs(_number(row[value]) or 0.0)
    figure = go.Figure()
    for number, name in enumerate(sorted(sizes, key=lambda one: (-sizes[one], one))):
        of_it = [row for row in rows if str(row[series]) == name]
        one = trace(
            name,
            [f"{row[x]}-01" if of_months else row[x] for row in of_it],
            [_number(row[value]) for row in of_it],
            CATEGORIES[number % len(CATEGORIES)],
        )
        one.hovertemplate = f"{name}<br>%{{x}}: %{{y:{form}}}<extra></extra>"
        figure.add_trace(one)
    if of_months:
        figure.update_xaxes(type="date", tickformat="%b %Y", hoverformat="%b %Y")
    elif rows and isinstance(rows[0][x], str):
        figure.update_xaxes(type="category")
    return figure


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
