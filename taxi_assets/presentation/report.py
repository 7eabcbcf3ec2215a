"""The report of a month: one HTML page that needs nothing else, to be kept, sent and printed.

Belongs here: what is on it. Does not: where it lies (``lake.paths``), or when it is made (``assets.report``).

plotly.js is 4.9 of its 5.3 MB; the page forbids itself to fetch anything (Content-Security-Policy).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import jinja2
from plotly.offline import get_plotlyjs

from glue_jobs.contracts import CURATED_TABLES, TRIPS
from taxi_assets.presentation import cards, panels
from taxi_assets.presentation.answers import Reader, Row
from taxi_assets.presentation.figures import CONFIG, style
from taxi_assets.presentation.panels import Panel
from taxi_assets.presentation.theme import LIGHT
from taxi_assets.presentation.wording import cell, month_name, sentence
from taxi_assets.presentation.zone_map import OUTLINES


@dataclass(frozen=True)
class Links:
    """Where a report's links lead: Dagster's pages, and the dashboard."""

    ui_url: str
    dashboard_url: str


def render(reader: Reader, month: str, links: Links, made_at: datetime) -> str:
    """The page of a month that is published. QueryFailed if a question of it cannot be answered."""
    summary = reader.ask("summary").until(month).dicts()
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cell"] = cell
    return environment.get_template("report.html.j2").render(
        title=f"NYC yellow taxi, {month_name(month)}",
        month=month,
        sentence=sentence(summary[-1]),
        trust=next((cards.trust(row) for row in reader.ask("quality").only(month=month).dicts()), None),
        cards=[(card, cards.sparkline(card.label, card.series)) for card in cards.of_month(summary)],
        panels=[(panel, _drawn(f"figure-{at}", panel)) for at, panel in enumerate(_panels(reader, month), 1)],
        checks=_found_by_checks(reader, month),
        publications=[
            (table.full_name, live)
            for table in (TRIPS, *CURATED_TABLES.values())
            if (live := reader.live(month, table)) is not None
        ],
        links=links,
        made_at=f"{made_at:%Y-%m-%d %H:%M} UTC",
        colours=LIGHT,
        plotly=get_plotlyjs(),
        outlines={"topojson": {"world_110m": OUTLINES}},
    )


def _panels(reader: Reader, month: str) -> Iterator[Panel]:
    """The figures of a month that have something to show, in their order."""
    for panel in (
        panels.trend(reader, month, months=1),
        panels.pickups(reader, month),
        panels.hours(reader, month),
        panels.pairs(reader, month),
        panels.boroughs(reader, month),
        panels.airports(reader, month),
        panels.fees(reader, until=month),
        panels.tips(reader, month),
        panels.payments(reader, month, until=month),
        panels.passengers(reader, month),
        panels.bands(reader, month),
        panels.totals_by_distance(reader, month),
        panels.speed(reader, month),
        panels.reasons(reader, month),
    ):
        if panel.answer:
            yield panel


def _found_by_checks(reader: Reader, month: str) -> list[Row]:
    """What did not pass when it was last asked, the newest first."""
    last: dict[tuple[str, ...], Row] = {}
    for row in reader.ask("checks", month=month).dicts():
        last.setdefault((row["asset"], row["check_name"], row["measure"]), row)
    return [row for row in last.values() if not row["passed"]]


def _drawn(identifier: str, panel: Panel) -> str:
    """A figure as the piece of HTML that plotly.js draws it in."""
    style(panel.figure, dark=False)
    drawn: str = panel.figure.to_html(CONFIG, include_plotlyjs=False, full_html=False, div_id=identifier)
    return drawn
