"""What lies in a month's quarantine, and why.

Belongs here: counts by reason and samples of rows. Does not: printing (``cli``), or judging again (``replay``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from glue_jobs.contracts import QUARANTINE
from glue_jobs.contracts.rules import RULES, Rule, Tier
from glue_jobs.errors import Cause, PipelineError
from taxi_assets.lake.lake import Lake

REASONS: dict[str, Rule] = {rule.rule_id: rule for rule in RULES if rule.tier is Tier.QUARANTINE}


class NotStaged(PipelineError):
    """The month has no published quarantine."""

    cause = Cause.ORDER


@dataclass(frozen=True)
class QuarantineReport:
    """The quarantine of a month: ``reasons`` is rule id to rows (a row may have several), ``samples`` whole rows."""

    month: str
    version: str
    rules_version: str
    rows: int
    reasons: dict[str, int]
    samples: list[dict[str, Any]]


def report(lake: Lake, month: str, reason: str | None, limit: int) -> QuarantineReport:
    """Counts of the live quarantine of ``month``, and up to ``limit`` of its rows, only those with ``reason`` if given.

    Raises NotStaged if the month has none.
    """
    live = lake.publisher.live(QUARANTINE, month)
    if live is None:
        raise NotStaged(f"{month} is not staged", f"taxi-assets run --month {month}")
    rows = "FROM staging.quarantine WHERE month = $month"
    with lake.connect("FROM staging.quarantine") as connection:
        counted = connection.execute(
            "SELECT reason, count(*) FROM (SELECT unnest(string_split(quarantine_reasons, ',')) AS reason "
            f"{rows}) GROUP BY reason ORDER BY 2 DESC, 1",
            {"month": month},
        ).fetchall()
        having = " AND list_contains(string_split(quarantine_reasons, ','), $reason)" if reason else ""
        cursor = connection.execute(
            f"SELECT * {rows}{having} ORDER BY quarantine_reasons, row_hash LIMIT $limit",
            {"month": month, "limit": limit, **({"reason": reason} if reason else {})},
        )
        names = [column[0] for column in cursor.description]
        samples = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return QuarantineReport(
        month, live.version, live.lineage.get("rules_version", ""), live.rows, dict(counted), samples
    )
