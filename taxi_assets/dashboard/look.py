"""What a page is drawn with, and the pieces that all pages are made of.

Belongs here: cards, panels, and how a number says where it comes from. Does not: which of them a page has
(``screens``).
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import plotly.graph_objects as go
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import streamlit as st

from taxi_assets.presentation.answers import Answer, Reader
from taxi_assets.presentation.cards import Card, sparkline
from taxi_assets.presentation.figures import CONFIG, style
from taxi_assets.presentation.panels import Panel
from taxi_assets.presentation.wording import SHARE, heading

OUTLINES_AT = "/outlines/"
"""Where the pages find the outlines that the map asks for (``server``)."""
_CONFIG = {**CONFIG, "topojsonURL": OUTLINES_AT}


@dataclass(frozen=True)
class Look:
    """One drawing of a page: what it asks with, what was chosen for all pages, and how it is to look.

    ``ui_url`` is where Dagster's pages are; ``has_login`` says that people sign in.
    """

    reader: Reader
    month: str
    dark: bool
    ui_url: str
    has_login: bool = False

    def of_month(self, name: str, **values: Any) -> Answer:
        """The answer to a question about the month that was chosen."""
        return self.reader.ask(name, month=self.month, **values)

    def version(self) -> str:
        """The month's version that is looked at; empty if it is not known any more."""
        live = self.reader.live(self.month)
        return live.version if live else ""

    def show(self, panel: Panel) -> None:
        """A figure that the month's report has too."""
        self.panel(panel.title, panel.figure, panel.answer, panel.note)

    def panel(
        self,
        title: str,
        figure: go.Figure,
        answer: Answer,
        note: str = "",
        select: str | None = None,
    ) -> Any:
        """A titled figure with its numbers behind it: as a table, to be downloaded, with the SQL, version and run.

        ``note`` says how it is to be read. With ``select``, a key, a click on the figure draws the page again, and what
        was clicked is returned.
        """
        key = title.lower().replace(" ", "_")
        with st.container(border=True, key=f"panel_{key}"):
            st.markdown(f"#### {title}")
            if note:
                st.caption(note)
            if not answer:
                st.info(f"{title}: no rows for this choice. Choose another month or place.")
                return None
            style(figure, self.dark)
            alt = f"{title}. {note} The numbers are in the table below it."
            chosen = None
            if select is None:
                st.plotly_chart(figure, theme=None, config=_CONFIG, key=f"chart_{key}", alt=alt)
            else:
                chosen = st.plotly_chart(
                    figure, theme=None, config=_CONFIG, key=select, on_select="rerun", selection_mode="points", alt=alt
                )
            self.numbers(title, answer)
        return chosen

    def numbers(self, title: str, answer: Answer) -> None:
        """A button that opens the numbers of an answer; nothing of it is sent before."""
        key = title.lower().replace(" ", "_")
        with st.popover(
            "Numbers and SQL", icon=":material/table:", type="tertiary", key=f"numbers_{key}", on_change="rerun"
        ) as opened:
            if not opened.open:
                return
            _rows(title, answer)
            stem = _stem(key, answer, self.version())
            with st.container(horizontal=True):
                _download("CSV", stem, "csv", "text/csv", answer, key)
                _download("Parquet", stem, "parquet", "application/vnd.apache.parquet", answer, key)
            st.markdown(self.origin())
            st.code(answer.sql, language="sql", wrap_lines=True)

    def table(self, title: str, answer: Answer, note: str = "", empty: str = "no rows") -> None:
        """A titled table, as wide as the page."""
        with st.container(border=True, key=f"panel_{title.lower().replace(' ', '_')}"):
            st.markdown(f"#### {title}")
            if note:
                st.caption(note)
            if not answer:
                st.info(f"{title}: {empty}.")
                return
            _rows(title, answer)
            self.numbers(title, answer)

    def report_link(self) -> str:
        """A link to the month's newest report in Markdown; empty if there is none, or if it is to be signed in for."""
        there = not self.has_login and self.reader.has_report(self.month)
        return f" · [report](/reports/{self.month})" if there else ""

    def report_download(self) -> None:
        """A button for the month's newest report, where a link would have to be signed in for."""
        if self.has_login and self.reader.has_report(self.month):
            page = cast("Any", partial(self.reader.report, self.month))
            name = f"report_{self.month}.html"
            st.download_button("Report", page, name, "text/html", icon=":material/download:", on_click="ignore")

    def origin(self) -> str:
        """Version, time and Dagster run of what is looked at, in Markdown."""
        live = self.reader.live(self.month)
        if live is None:
            return f"{self.month}: its version is not known any more."
        run_id = live.lineage.get("run_id", "")
        run = f", by [run {run_id[:8]}]({self.ui_url}/runs/{run_id})" if run_id else ""
        return f"{self.month}, version `{live.version}`, published {live.published_at:%Y-%m-%d %H:%M} UTC{run}"


def _rows(title: str, answer: Answer) -> None:
    """The rows as a table with headings for people; downloads and SQL keep the columns' names."""
    shares = [name for name, unit in answer.units.items() if unit == SHARE or name.startswith("share_of_")]
    columns: dict[str, Any] = {name: heading(name, unit) for name, unit in answer.units.items()}
    for name in shares:
        columns[name] = st.column_config.NumberColumn(heading(name), format="percent")
    height = min(420, 38 + 35 * answer.rows.num_rows)
    st.dataframe(answer.rows, hide_index=True, column_config=columns, height=height, alt=title)


def _stem(key: str, answer: Answer, version: str) -> str:
    """The name of a download: what it shows, of when and of which place, and its version."""
    chosen = [value for name, value in sorted(answer.values.items()) if name not in ("month", "first")]
    parts = (key, answer.values.get("month"), *chosen, version)
    return re.sub(r"[^A-Za-z0-9_-]+", "-", "_".join(str(part) for part in parts if part not in (None, "")))


def _download(label: str, stem: str, ending: str, mime: str, answer: Answer, key: str) -> None:
    st.download_button(
        label,
        cast("Any", partial(_written, answer, ending)),  # called when somebody clicks, and not before
        file_name=f"{stem}.{ending}",
        mime=mime,
        key=f"{ending}_{key}",
        icon=":material/download:",
        on_click="ignore",
    )


def _written(answer: Answer, ending: str) -> bytes:
    sink = io.BytesIO()
    if ending == "csv":
        pacsv.write_csv(answer.rows, sink)
    else:
        pq.write_table(answer.rows, sink)
    return sink.getvalue()


def cards(entries: Sequence[Card]) -> None:
    """Cards in a row, below each other on a phone."""
    for column, card in zip(st.columns(len(entries), gap="small"), entries, strict=True):
        with column, st.container(border=True, gap="small", height="stretch"):
            st.metric(
                card.label,
                card.value,
                card.change,
                delta_description=card.than if card.change else None,
                delta_color="off",
                help=card.help,
            )
            if card.below:
                st.caption(card.below)
            if drawn := sparkline(card.label, card.series):
                st.html(drawn)
