"""Where things lie in the lake.

Belongs here: every path below the lake's root. Does not: touching a file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone

from glue_jobs.contracts import Table

VERSION = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{1,8}")
"""What ``new_version`` gives."""


@dataclass(frozen=True)
class LakePaths:
    """Paths below ``root``: an absolute path (a ``file://`` URI could not hold a space) or ``s3://bucket``."""

    root: str

    @property
    def raw(self) -> str:
        """The raw layer: the source's own files."""
        return f"{self.root}/raw"

    def raw_file(self, recorded: str) -> str:
        """Where a raw file lies now, of which the ledger says where it lay when it was landed."""
        _, raw, below = recorded.rpartition("/raw/")
        return f"{self.raw}/{below}" if raw else recorded

    def table(self, table: Table) -> str:
        """A table's folder: its versions, and Iceberg's ``metadata`` beside them."""
        return f"{self.root}/{table.layer}/{table.name}"

    def version(self, table: Table, month: str, version: str) -> str:
        """The folder of one version of one month of a table; fresh for every run of a job."""
        return f"{self.table(table)}/month={month}/version={version}"

    @property
    def all_reports(self) -> str:
        """The folder of the reports of all months."""
        return f"{self.root}/reports"

    def reports(self, month: str) -> str:
        """The folder of a month's reports."""
        return f"{self.all_reports}/month={month}"

    def report(self, month: str, version: str) -> str:
        """A month's report as one run made it, a HTML page."""
        return f"{self.reports(month)}/{version}.html"

    @property
    def heartbeat(self) -> str:
        """The file that says when the daemon was last alive."""
        return f"{self.root}/health/heartbeat.json"


def is_below(uri: str, root: str) -> bool:
    """Whether a path or URI lies below ``root``."""
    return uri.startswith(f"{root}/")


def new_version(run_id: str) -> str:
    """A name for a version, in the order of time and unique to the run: ``20240315T101500Z-1a2b3c4d``."""
    return f"{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}-{run_id[:8]}"
