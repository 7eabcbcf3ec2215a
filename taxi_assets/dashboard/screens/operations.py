"""What the system does: runs, how long their jobs take, what they cost, and slow queries."""

from __future__ import annotations

import streamlit as st

from taxi_assets.dashboard.look import Look, cards
from taxi_assets.presentation import figures
from taxi_assets.presentation.cards import Card
from taxi_assets.presentation.wording import short


def draw(look: Look) -> None:
    """Draw the page."""
    st.markdown("## Operations")
    metrics = look.reader.ask("run_metrics")
    seconds = metrics.only(metric="JobSeconds")
    costs = metrics.only(metric="EstimatedCostUsd")
    runs = {row["run_id"] for row in seconds.dicts()}
    cards(
        [
            Card("Runs", short(len(runs)), "Runs that measured a job."),
            Card("Job time", f"{short(sum(row['value'] for row in seconds.dicts()) / 60)} min", "Of all jobs."),
            Card("Cost", short(sum(row["value"] for row in costs.dicts()), "$"), "Of Glue, by estimate; on AWS only."),
        ]
    )
    newest: dict[tuple[str, str], dict[str, object]] = {}
    for row in seconds.dicts():
        newest[row["month"], row["job"]] = row
    look.panel(
        "Seconds of the jobs, by month",
        figures.stack([newest[key] for key in sorted(newest)], "month", "job", "value", "seconds", ".0f"),
        seconds,
        "The newest run of each month, waiting included.",
    )
    if costs:
        look.panel(
            "Cost of the jobs",
            figures.stack(costs.dicts(), "month", "job", "value", "USD", "$.2f"),
            costs,
        )
    look.table(
        "Slow and failed queries", look.reader.ask("slow_queries"), "The slowest first.", "no query was logged yet"
    )
    st.markdown(f"Runs, assets and alerts: [Dagster]({look.ui_url}/runs).")
