"""The contracts of the quality layer: what every check has found and every run has measured, month by month.

Belongs here: ``quality.check_history``, ``quality.run_metrics``. Does not: the checks (``taxi_assets.checks``),
or the metrics (``taxi_assets.metrics.names``).
"""

from __future__ import annotations

from glue_jobs.contracts.model import Column, Table, Type

CHECK_HISTORY = Table(
    layer="quality",
    name="check_history",
    description=(
        "One row for each answer of a check, and one for each measure that it took, of every run, also of those that "
        "published nothing. It is appended to and never changed."
    ),
    columns=(
        Column(1, "month", Type.STRING, "Month that was checked, YYYY-MM", nullable=False),
        Column(2, "asset", Type.STRING, "Asset that was checked, layer/name", nullable=False),
        Column(3, "check_name", Type.STRING, "Name of the check", nullable=False),
        Column(
            4, "measure", Type.STRING, "What was measured; empty for the answer of the check itself", nullable=False
        ),
        Column(5, "value", Type.DOUBLE, "The measure's value; null for the answer of the check itself"),
        Column(6, "passed", Type.BOOLEAN, "Whether the check passed", nullable=False),
        Column(7, "severity", Type.STRING, "ERROR holds the publication back, WARN shows", nullable=False),
        Column(8, "expected", Type.STRING, "What the check expected"),
        Column(9, "actual", Type.STRING, "What it found"),
        Column(10, "rows_to_look_at", Type.STRING, "DuckDB SQL that shows the rows in question"),
        Column(11, "version", Type.STRING, "Version of the table that was checked", nullable=False),
        Column(12, "rules_version", Type.INT, "Version of the rules at that time", nullable=False),
        Column(13, "run_id", Type.STRING, "Dagster run", nullable=False),
        Column(14, "checked_at", Type.TIMESTAMP_NTZ, "When, UTC", nullable=False),
    ),
    partition_by=("month",),
    grain=("month", "asset", "check_name", "measure", "run_id", "checked_at"),
)

RUN_METRICS = Table(
    layer="quality",
    name="run_metrics",
    description=(
        "One row for each value that a run has measured, also of runs that published nothing. It is appended to and "
        "never changed. On AWS the same values go to CloudWatch."
    ),
    columns=(
        Column(1, "month", Type.STRING, "Month that was run, YYYY-MM", nullable=False),
        Column(2, "metric", Type.STRING, "Name of the metric, as in CloudWatch", nullable=False),
        Column(3, "asset", Type.STRING, "Asset that it is of, layer/name; empty if it is of none", nullable=False),
        Column(4, "job", Type.STRING, "Job that it is of; empty if it is of none", nullable=False),
        Column(5, "value", Type.DOUBLE, "The value, in the unit of the row", nullable=False),
        Column(6, "unit", Type.STRING, "Unit of the value, in CloudWatch's words", nullable=False),
        Column(7, "run_id", Type.STRING, "Dagster run", nullable=False),
        Column(8, "measured_at", Type.TIMESTAMP_NTZ, "When, UTC", nullable=False),
    ),
    partition_by=("month",),
    grain=("month", "metric", "asset", "job", "run_id", "measured_at"),
)
