"""The metrics, as data.

Belongs here: what each is called, counts and means. Does not: where points of them go (``metrics.recorder``), or who
measures them. Alarms go by these names.
"""

from __future__ import annotations

from dataclasses import dataclass

NAMESPACE = "TaxiAssets"
"""Of all of them, in CloudWatch."""
ALARM_PREFIX = "taxi-"
"""What names of CloudWatch alarms on them begin with."""
ASSET, JOB = "Asset", "Job"
"""The dimensions. A month is not one of them: CloudWatch bills each combination of values as a metric of its own."""


@dataclass(frozen=True)
class Metric:
    """One metric. ``unit`` is CloudWatch's, ``dimension`` the one that it has, if any."""

    name: str
    unit: str
    meaning: str
    dimension: str = ""


@dataclass(frozen=True)
class Point:
    """One value of a metric; ``of`` is the asset, ``layer/table``, or the job, if it has that dimension."""

    metric: Metric
    value: float
    of: str = ""

    def __post_init__(self) -> None:
        if bool(self.of) != bool(self.metric.dimension):
            raise ValueError(f"{self.metric.name} has the dimension {self.metric.dimension!r}, given is {self.of!r}")


ROWS_PUBLISHED = Metric(
    "RowsPublished",
    "Count",
    "Rows of the month that readers see since; of raw/trips, those of the file in force",
    ASSET,
)
ROWS_QUARANTINED = Metric("RowsQuarantined", "Count", "Unusable rows of the month")
QUARANTINED_SHARE = Metric("QuarantinedShare", "Percent", "Unusable rows, of all rows of the source")
CHECKS_FAILED = Metric("ChecksFailed", "Count", "Checks that held a publication back, or would now", ASSET)
CHECKS_WARNED = Metric("ChecksWarned", "Count", "Checks that found something to show", ASSET)
JOB_SECONDS = Metric("JobSeconds", "Seconds", "From the request of a job to its end, waiting included", JOB)
ESTIMATED_COST = Metric(
    "EstimatedCostUsd", "None", "USD of the Glue run that ended well, by estimate; on AWS only", JOB
)
DATA_AGE = Metric("DataAgeDays", "None", "Days since the end of the newest month that every table has")
MONTHS_BEHIND = Metric(
    "MonthsBehind", "Count", "Months after that one that should be published by the TLC's rhythm, and a week"
)
HEARTBEAT = Metric("Heartbeat", "Count", "1 every five minutes while the daemon runs and the lake answers")

METRICS = (
    ROWS_PUBLISHED,
    ROWS_QUARANTINED,
    QUARANTINED_SHARE,
    CHECKS_FAILED,
    CHECKS_WARNED,
    JOB_SECONDS,
    ESTIMATED_COST,
    DATA_AGE,
    MONTHS_BEHIND,
    HEARTBEAT,
)
"""All of them."""
