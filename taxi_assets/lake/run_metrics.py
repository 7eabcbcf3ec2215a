"""What runs have measured so far: ``quality.run_metrics``.

Belongs here: appending them. Does not: measuring, or what the metrics are (``taxi_assets.metrics``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

import pyarrow as pa

from glue_jobs.contracts import RUN_METRICS
from taxi_assets.lake.catalog import LakeCatalog
from taxi_assets.metrics import ASSET, JOB, Point


class RunMetrics:
    """Extends ``quality.run_metrics``."""

    def __init__(self, catalog: LakeCatalog) -> None:
        self._catalog = catalog

    def record(self, points: Sequence[Point], month: str, run_id: str) -> None:
        """Append what a run has measured of a month, in one commit."""
        now = datetime.now(timezone.utc).replace(tzinfo=None)
        rows = [
            {
                "month": month,
                "metric": point.metric.name,
                "asset": point.of if point.metric.dimension == ASSET else "",
                "job": point.of if point.metric.dimension == JOB else "",
                "value": float(point.value),
                "unit": point.metric.unit,
                "run_id": run_id,
                "measured_at": now,
            }
            for point in points
        ]
        self._catalog.commit(
            RUN_METRICS, lambda table: table.append(pa.Table.from_pylist(rows, schema=table.schema().as_arrow()))
        )
