"""Where points of metrics go: a table of the lake, and whatever else a profile has.

Belongs here: handing points over, and what it means when they are not taken. Does not: what is measured (``metrics``),
or when (``assets.publish``, ``sensors.heartbeat``).

The table is the same everywhere, so that SQL on it is; it remembers the month and the run. CloudWatch, which has
neither, is beside it on AWS because alarms and dashboards there read nothing else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from glue_jobs.contracts import RUN_METRICS
from glue_jobs.errors import PipelineError
from taxi_assets.lake.resource import LakeResource
from taxi_assets.lake.status import Freshness
from taxi_assets.metrics.names import ASSET, DATA_AGE, JOB, MONTHS_BEHIND, Point


class NotTaken(PipelineError):
    """Points that are lost; says which, why and what to do. What they were measured of is not touched by it."""


class Metrics(ABC):
    """One way for points to be kept."""

    @abstractmethod
    def put(self, points: Sequence[Point], month: str = "", run_id: str = "") -> None:
        """Keep what was measured now, by a run of a month or by none; NotTaken if it was not kept, or not everywhere.

        CloudWatch takes 1,000 points at once; a run has some twenty.
        """


@dataclass(frozen=True)
class TableMetrics(Metrics):
    """``quality.run_metrics`` of the lake. Points that are of no run are not kept: each is a commit."""

    lake: LakeResource

    def put(self, points: Sequence[Point], month: str = "", run_id: str = "") -> None:
        """See ``Metrics``."""
        if not points or not run_id:
            return
        try:
            self.lake.open().metrics.record([_row(point) for point in points], month, run_id)
        except PipelineError as error:
            raise NotTaken(
                f"{names_of(points)} of {month} are not in {RUN_METRICS.full_name}: {error.problem}",
                f"{error.remedy}; taxi-assets health says whether the lake is well",
            ) from error


def names_of(points: Sequence[Point]) -> str:
    """The metrics of points, for messages."""
    return ", ".join(dict.fromkeys(point.metric.name for point in points))


def _row(point: Point) -> dict[str, object]:
    """A point in the words of ``quality.run_metrics``."""
    return {
        "metric": point.metric.name,
        "asset": point.of if point.metric.dimension == ASSET else "",
        "job": point.of if point.metric.dimension == JOB else "",
        "value": float(point.value),
        "unit": point.metric.unit,
    }


def freshness_points(fresh: Freshness | None) -> list[Point]:
    """How fresh the lake is, as metrics; none if it has no whole month."""
    if fresh is None:
        return []
    return [Point(DATA_AGE, fresh.age / timedelta(days=1)), Point(MONTHS_BEHIND, len(fresh.missing))]
