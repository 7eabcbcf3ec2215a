"""The list of metrics as a document: ``python -m taxi_assets.docs.metrics_page FILE``.

Belongs here: the metrics for people. Does not: any fact of its own (``metrics.names``).
"""

from __future__ import annotations

import sys
from pathlib import Path

from glue_jobs.contracts import RUN_METRICS
from taxi_assets.metrics.names import ALARM_PREFIX, DATA_AGE, HEARTBEAT, METRICS, MONTHS_BEHIND, NAMESPACE


def render() -> str:
    """The document, as Markdown."""
    rows = [
        ("metric", "unit", "dimension", "meaning"),
        ("---",) * 4,
        *((f"`{one.name}`", one.unit, one.dimension, one.meaning) for one in METRICS),
    ]
    parts = (
        "# Metrics",
        "Written from `taxi_assets/metrics/names.py` by `make docs`; edit that, not this file.",
        (
            f"Runs append what they measure to `{RUN_METRICS.full_name}`, by month and run, on a laptop and on AWS. On "
            f"AWS it goes to CloudWatch as well, namespace `{NAMESPACE}`, under the time at which it was measured, so "
            "that a backfill of old months shows there too. "
            f"{', '.join(f'`{one.name}`' for one in (DATA_AGE, MONTHS_BEHIND, HEARTBEAT))} go there every five minutes "
            f"besides, which only a running daemon does. Alarms are called `{ALARM_PREFIX}…`."
        ),
        "\n".join(f"| {' | '.join(row)} |" for row in rows),
    )
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render(), encoding="utf-8")
