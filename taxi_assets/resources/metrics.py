"""Where points of metrics go: a table of the lake, and CloudWatch.

Belongs here: handing points over, and what it means when they are not taken. Does not: what is measured (``metrics``),
or when (``assets.common``, ``automation.heartbeat``).

The table is the same everywhere, so that SQL on it is; it remembers the month and the run. CloudWatch, which has
neither, is beside it on AWS because alarms and dashboards there read nothing else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError
from pyiceberg.exceptions import CommitFailedException
from sqlalchemy.exc import SQLAlchemyError

from glue_jobs.contracts import RUN_METRICS
from taxi_assets.aws import client, remedy_of
from taxi_assets.lake.catalog import CatalogUnavailable
from taxi_assets.metrics import NAMESPACE, Point
from taxi_assets.resources.lake import LakeResource
from taxi_assets.settings import Profile, Settings

_SECONDS, _ATTEMPTS = 5.0, 3
"""Short: nothing waits for a metric for long."""


class NotTaken(Exception):
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
            self.lake.open().metrics.record(points, month, run_id)
        except (CatalogUnavailable, CommitFailedException, SQLAlchemyError, OSError) as error:
            raise NotTaken(
                f"{_names(points)} of {month} are not in {RUN_METRICS.full_name}: {error}. What to do: see to the disk "
                "or S3; taxi-assets health says whether the lake is well."
            ) from error


@dataclass(frozen=True)
class CloudWatchMetrics(Metrics):
    """CloudWatch of ``region``, and ``table`` as well; neither waits for the other to be well."""

    region: str
    table: TableMetrics

    def put(self, points: Sequence[Point], month: str = "", run_id: str = "") -> None:
        """See ``Metrics``."""
        problems = []
        try:
            self._to_cloudwatch(points)
        except NotTaken as error:
            problems.append(str(error))
        try:
            self.table.put(points, month, run_id)
        except NotTaken as error:
            problems.append(str(error))
        if problems:
            raise NotTaken(" ".join(problems))

    def _to_cloudwatch(self, points: Sequence[Point]) -> None:
        if not points:
            return
        cloudwatch = client("cloudwatch", self.region, _ATTEMPTS, _SECONDS)
        try:
            cloudwatch.put_metric_data(
                Namespace=NAMESPACE,
                MetricData=[
                    {
                        "MetricName": point.metric.name,
                        "Value": float(point.value),
                        "Unit": point.metric.unit,
                        "Dimensions": [{"Name": point.metric.dimension, "Value": point.of}] if point.of else [],
                    }
                    for point in points
                ],
            )
        except (ClientError, BotoCoreError) as error:
            raise NotTaken(
                f"{_names(points)} are not in CloudWatch: {error}. What to do: {remedy_of(error)}."
            ) from error


def metrics_of(settings: Settings) -> Metrics:
    """Where the points of a profile go."""
    table = TableMetrics(LakeResource.of(settings))
    return CloudWatchMetrics(settings.region, table) if settings.profile is Profile.AWS else table


def _names(points: Sequence[Point]) -> str:
    return ", ".join(dict.fromkeys(point.metric.name for point in points))
