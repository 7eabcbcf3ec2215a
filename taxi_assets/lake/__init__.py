"""The lake: paths, Iceberg tables, publishing, the raw ledger, the history of checks, reading.

Belongs here: how tables are kept. Does not: what is in them, or when they are written.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb

from taxi_assets.lake.catalog import LakeCatalog
from taxi_assets.lake.check_history import CheckHistory
from taxi_assets.lake.ledger import Ledger
from taxi_assets.lake.paths import LakePaths
from taxi_assets.lake.publishing import Publication, Publisher
from taxi_assets.lake.reading import open_views

__all__ = ["Lake", "Publication"]


class Lake:
    """One lake: ``paths``, ``publisher`` (monthly tables), ``ledger`` (raw files) and ``checks`` over one catalog."""

    def __init__(self, root: str, catalog_properties: Mapping[str, str]) -> None:
        self.paths = LakePaths(root.rstrip("/"))
        self._catalog = LakeCatalog(self.paths, catalog_properties)
        self.publisher = Publisher(self.paths, self._catalog)
        self.ledger = Ledger(self._catalog)
        self.checks = CheckHistory(self._catalog)

    @classmethod
    def in_folder(cls, folder: Path) -> Lake:
        """A lake in a local folder, made if need be, with its catalog in ``catalog.db``."""
        folder.mkdir(parents=True, exist_ok=True)
        root = str(folder.resolve())
        # Concurrent runs share the catalog; SQLite's default of five seconds is short on a busy disk.
        return cls(root, {"type": "sql", "uri": f"sqlite:///{root}/catalog.db?timeout=60", "warehouse": root})

    def connect(self) -> duckdb.DuckDBPyConnection:
        """A DuckDB connection on the published versions; see ``reading.open_views``."""
        return open_views(self.paths, self._catalog, self.ledger)
