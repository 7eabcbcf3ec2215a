"""CloudWatch: points of metrics, and the alarms on them.

Belongs here: handing points over, reading alarms. Does not: the alarms themselves (``infra``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from taxi_assets.aws.client import client, explained, remedy_of
from taxi_assets.metrics.names import ALARM_PREFIX, NAMESPACE, Point
from taxi_assets.metrics.recorder import Metrics, NotTaken, TableMetrics, names_of

_SECONDS, _ATTEMPTS = 5.0, 3
"""Short: nothing waits for a metric for long."""


@dataclass(frozen=True)
class CloudWatchMetrics(Metrics):
    """CloudWatch of ``region``, and ``table`` as well; neither waits for the other to be well."""

    region: str
    table: TableMetrics

    def put(self, points: Sequence[Point], month: str = "", run_id: str = "") -> None:
        """See ``Metrics``."""
        problems: list[NotTaken] = []
        try:
            self._to_cloudwatch(points)
        except NotTaken as error:
            problems.append(error)
        try:
            self.table.put(points, month, run_id)
        except NotTaken as error:
            problems.append(error)
        if problems:
            raise NotTaken("; ".join(one.problem for one in problems), "; ".join(one.remedy for one in problems))

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
            raise NotTaken(f"{names_of(points)} are not in CloudWatch: {error}", remedy_of(error)) from error


def alarms_of(region: str) -> list[dict[str, Any]]:
    """The alarms of this project, as CloudWatch describes them; AwsError if they cannot be listed."""
    with explained("the alarms could not be listed"):
        pages = client("cloudwatch", region).get_paginator("describe_alarms").paginate(AlarmNamePrefix=ALARM_PREFIX)
        return [alarm for page in pages for alarm in page["MetricAlarms"]]
