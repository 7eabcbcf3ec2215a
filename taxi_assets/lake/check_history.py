"""What the checks have found so far: ``quality.check_history``.

Belongs here: appending answers, reading measures of published months back. Does not: asking or judging.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

import pyarrow as pa

from glue_jobs.contracts import CHECK_HISTORY
from taxi_assets.lake.catalog import LakeCatalog


@dataclass(frozen=True)
class Finding:
    """What one check found in one version of a month; ``severity`` is ERROR or WARN."""

    asset: str
    check_name: str
    passed: bool
    severity: str
    expected: str
    actual: str
    rows_to_look_at: str
    measures: Mapping[str, float]


class CheckHistory:
    """Reads and extends ``quality.check_history``."""

    def __init__(self, catalog: LakeCatalog) -> None:
        self._catalog = catalog

    def record(self, month: str, findings: Sequence[Finding], *, version: str, rules_version: int, run_id: str) -> int:
        """Append what the checks of one run found; returns the number of rows."""
        common = {
            "month": month,
            "version": version,
            "rules_version": rules_version,
            "run_id": run_id,
            "checked_at": datetime.now(timezone.utc).replace(tzinfo=None),
        }
        rows = [
            {**common, **_answer(finding), "measure": measure, "value": value}
            for finding in findings
            for measure, value in (("", None), *sorted(finding.measures.items()))
        ]
        self._catalog.commit(
            CHECK_HISTORY, lambda table: table.append(pa.Table.from_pylist(rows, schema=table.schema().as_arrow()))
        )
        return len(rows)

    def measures(self, asset: str, versions: Mapping[str, str]) -> dict[str, dict[str, float]]:
        """Measure to month to value, for the version that ``versions`` names for each month; the newest run's."""
        history = self._catalog.find(CHECK_HISTORY)
        if history is None:
            return {}
        scan = history.scan(
            row_filter=f"asset == '{asset}' and measure != ''",
            selected_fields=("month", "measure", "value", "version", "checked_at"),
        )
        found: dict[str, dict[str, float]] = {}
        for row in sorted(scan.to_arrow().to_pylist(), key=lambda row: row["checked_at"]):
            if versions.get(row["month"]) == row["version"]:
                found.setdefault(row["measure"], {})[row["month"]] = row["value"]
        return found


def _answer(finding: Finding) -> dict[str, object]:
    return {name: value for name, value in finding.__dict__.items() if name != "measures"}
