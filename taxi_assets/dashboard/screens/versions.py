"""Two versions of a month side by side: what a republication changed."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import streamlit as st

from taxi_assets.dashboard.look import Look, cards
from taxi_assets.presentation import figures
from taxi_assets.presentation.answers import Answer
from taxi_assets.presentation.cards import Card
from taxi_assets.presentation.wording import change, short

_MEASURES = ("trips", "gross_revenue", "refunded", "net_revenue", "flagged_trips")


def draw(look: Look) -> None:
    """Draw the page."""
    st.markdown("## Versions")
    history = look.reader.history(look.month)
    by_name = {f"{one.version} ({one.published_at:%Y-%m-%d %H:%M:%S} UTC)": one for one in history}
    if len(by_name) < 2:
        st.info(
            f"{look.month} has one version that is still known. A second one is made by another run of the month: "
            f"`taxi-assets run --month {look.month}`."
        )
        look.table("The month by day", look.of_month("days_of_a_month"))
        return
    names = list(by_name)
    left, right = st.columns(2)
    with left:
        newer = st.selectbox("This version", names, key="newer", bind="query-params") or names[0]
    with right:
        older = st.selectbox("Against", names, index=1, key="older", bind="query-params") or names[1]
    # Each as of its own publication, so that what stands behind the numbers names that version and not the live one.
    looks = [replace(look, reader=look.reader.at(str(by_name[name].snapshot_id))) for name in (newer, older)]
    days = [one.of_month("days_of_a_month") for one in looks]
    totals = [{measure: sum(float(row[measure]) for row in one.dicts()) for measure in _MEASURES} for one in days]
    cards(
        [
            Card(
                measure.replace("_", " ").capitalize(),
                short(totals[0][measure], "$" if "re" in measure else ""),
                f"Before: {totals[1][measure]:,.2f}. Now: {totals[0][measure]:,.2f}.",
                change((totals[0][measure] - totals[1][measure]) / totals[1][measure]) if totals[1][measure] else None,
                "on the other version",
            )
            for measure in _MEASURES
        ]
    )
    together = [
        {"date": row["pickup_date"], "version": label, **{m: row[m] for m in _MEASURES}}
        for label, one in zip(("this version", "against"), days, strict=True)
        for row in one.dicts()
    ]
    looks[0].panel(
        "Trips by day in both",
        figures.bars(together, "date", "version", "trips", "trips"),
        days[0],
        "Equal bars are days that the republication left as they were.",
    )
    looks[0].table(
        "What changed, by day",
        _differences(*days),
        "This version minus the other; the SQL is that of either, asked as of its publication.",
        "nothing: both have the same days",
    )


def _differences(newer: Answer, older: Answer) -> Answer:
    """The days whose numbers are not the same, with the difference of each."""
    before = {row["pickup_date"]: row for row in older.dicts()}
    after = {row["pickup_date"]: row for row in newer.dicts()}
    rows = []
    for day in sorted(before.keys() | after.keys()):
        changes = {
            measure: float((after.get(day) or {}).get(measure) or 0) - float((before.get(day) or {}).get(measure) or 0)
            for measure in _MEASURES
        }
        if any(changes.values()):
            rows.append({"pickup_date": day, **{f"{name}_change": round(value, 2) for name, value in changes.items()}})
    schema = pa.schema([("pickup_date", pa.date32()), *((f"{name}_change", pa.float64()) for name in _MEASURES)])
    return Answer(newer.name, newer.values, pa.Table.from_pylist(rows, schema=schema))
