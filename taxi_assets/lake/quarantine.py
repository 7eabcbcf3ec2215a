"""What lies in a month's quarantine, and why.

Belongs here: counts by reason and samples of rows. Does not: printing (``cli``), or judging again (``replay``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from glue_jobs.contracts import QUARANTINE
from glue_jobs.contracts.rules import RULES, Rule, Tier
from glue_jobs.errors import Cause, PipelineError
from glue_jobs.files import parquet_files
from taxi_assets.lake.duck import connect
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.reading import select_files

REASONS: dict[str, Rule] = {rule.rule_id: rule for rule in RULES if rule.tier is Tier.QUARANTINE}


class NotStaged(PipelineError):
    """The month has no published quarantine."""

    cause = Cause.ORDER


@dataclass(frozen=True)
class QuarantineReport:
    """The quarantine of a month: ``reasons`` is rule id to rows (a row may have several), ``samples`` whole rows.

    ``rules_version`` is empty for a version that is not live.
    """

    month: str
    version: str
    rules_version: str
    rows: int
    reasons: dict[str, int]
    samples: list[dict[str, Any]]


def report(lake: Lake, month: str, reason: str | None, limit: int, version: str | None = None) -> QuarantineReport:
    """Counts of a quarantine of ``month``, and up to ``limit`` of its rows, only those with ``reason`` if given.

    It is the live one, or that of ``version``, which may have been refused: its files are read where they lie.
    Raises NotStaged if there is none.
    """
    live = lake.publisher.live(QUARANTINE, month)
    if version is None and live is None:
        raise NotStaged(f"{month} is not staged", f"taxi-assets run --month {month}")
    table = "staging.quarantine"
    if version is not None and (live is None or version != live.version):
        files = parquet_files(lake.paths.version(QUARANTINE, month, version))
        if not files:
            raise NotStaged(f"there is no version {version} of the quarantine of {month}", "name one that there is")
        live, table = None, f"({select_files(QUARANTINE, files)})"
    rows = f"FROM {table} WHERE month = $month"
    with lake.connect("FROM staging.quarantine") if live else connect() as connection:
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
        [(total,)] = connection.execute(f"SELECT count(*) {rows}", {"month": month}).fetchall()
    of_live = (live.version, live.lineage.get("rules_version", "")) if live else (str(version), "")
    return QuarantineReport(month, *of_live, total, dict(counted), samples)
