"""One lake as an object: its paths, and what keeps its tables.

Belongs here: opening a lake, in a folder or in S3. Does not: what each part of it does.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from glue_jobs.contracts import Table
from glue_jobs.contracts.raw import TRIPS_DATASET
from taxi_assets.aws.client import client, explained, glue_table_url, presigned_url, pyiceberg_s3_properties
from taxi_assets.lake.append_tables import CheckHistory, Ledger, RunMetrics
from taxi_assets.lake.catalog import LakeCatalog
from taxi_assets.lake.catalog_file import (
    SECONDS_IN_SILENCE,
    CatalogUnavailable,
    refuse_what_is_no_catalog,
    when_unlocked,
)
from taxi_assets.lake.local_files import LocalFiles
from taxi_assets.lake.paths import LakePaths
from taxi_assets.lake.publishing import Publisher
from taxi_assets.lake.reading import open_views
from taxi_assets.lake.relocation import relocate_folder
from taxi_assets.lake.snapshots import moment
from taxi_assets.settings import Profile, Settings
from taxi_assets.warehouse.query_log import Entry, QueryLog

if TYPE_CHECKING:
    from taxi_assets.aws.raw_table import RawTripsTable

_log = logging.getLogger(__name__)


def folder_catalog(paths: LakePaths, file: str = "catalog.db") -> LakeCatalog:
    """The catalog that a lake in a folder keeps in a ``file`` there."""
    uri = f"sqlite:///{paths.root}/{file}?timeout={SECONDS_IN_SILENCE}"
    files = f"{LocalFiles.__module__}.{LocalFiles.__name__}"
    return LakeCatalog(paths, {"type": "sql", "uri": uri, "warehouse": paths.root, "py-io-impl": files})


class Lake:
    """One lake: its ``paths`` and, over one ``catalog``, ``publisher`` (monthly tables), ``ledger`` (raw files),
    ``checks`` (their history) and ``metrics`` (of runs).

    ``raw_trips`` is the catalog's plain table over the raw files; None where there is no Glue Data Catalog.
    """

    def __init__(
        self,
        paths: LakePaths,
        catalog: LakeCatalog,
        raw_trips: RawTripsTable | None = None,
        region: str = "",
    ) -> None:
        self.paths = paths
        self.catalog = catalog
        self.publisher = Publisher(self.paths, self.catalog)
        self.ledger = Ledger(self.paths, self.catalog)
        self.checks = CheckHistory(self.catalog)
        self.metrics = RunMetrics(self.catalog)
        self.raw_trips = raw_trips
        self._region = region

    @classmethod
    def of(cls, settings: Settings) -> Lake:
        """The lake that the settings name, without the import of Dagster that its resource needs (0.4 s)."""
        if settings.profile is Profile.AWS:
            return cls.in_s3(settings.lake, settings.region, settings.database_prefix)
        return cls.in_folder(Path(settings.lake))

    @classmethod
    def in_folder(cls, folder: Path) -> Lake:
        """A lake in a local folder, made if need be, with its catalog in ``catalog.db``.

        A folder that was copied or moved is a lake of its own from the first opening on. CatalogUnavailable if the
        folder cannot be made or its ``catalog.db`` is none, NotHere if the tables' files were not copied with it.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CatalogUnavailable(
                f"the lake {folder} cannot be made: {error}", "check TAXI_LAKE and the disk"
            ) from error
        root = str(folder.resolve())
        is_made = refuse_what_is_no_catalog(Path(root))
        if before := when_unlocked(root, lambda: relocate_folder(root)):
            _log.warning("This lake lay in %s: its catalog now speaks of %s", before, root)
        paths = LakePaths(root)
        lake = cls(paths, folder_catalog(paths))
        if not is_made:
            lake.catalog.make()
        return lake

    @classmethod
    def without_catalog(cls, folder: Path) -> Lake:
        """The lake in a local folder whose ``catalog.db`` is lost: what is asked of the catalog fails."""
        paths = LakePaths(str(folder.resolve()))
        return cls(paths, folder_catalog(paths))

    def seen_by(self, catalog: LakeCatalog) -> Lake:
        """The same lake with its tables as another ``catalog`` has them."""
        return Lake(self.paths, catalog, region=self._region)

    @classmethod
    def in_s3(cls, root: str, region: str, database_prefix: str) -> Lake:
        """The lake at ``s3://bucket/prefix``, with its catalog in the Glue Data Catalog of ``region``."""
        from taxi_assets.aws.raw_table import RawTripsTable  # a laptop does not need it

        with explained(f"the lake {root} could not be opened"):
            properties = {"type": "glue", "glue.region": region, "warehouse": root, **pyiceberg_s3_properties(region)}
        paths = LakePaths(root.rstrip("/"))
        raw_trips = RawTripsTable(client("glue", region), f"{database_prefix}raw", paths.raw)
        return cls(paths, LakeCatalog(paths, properties, database_prefix), raw_trips, region)

    def connect(self, sql: str | None = None, as_of: str | None = None) -> duckdb.DuckDBPyConnection:
        """A DuckDB connection on what is published, or on the tables that ``sql`` names; see ``reading.open_views``.

        With ``as_of``, on what was published then; see ``snapshots.moment``.
        """
        then = moment(self.catalog, as_of) if as_of is not None else None
        return open_views(self.paths, self.catalog, self.ledger, sql, then)

    def query_log(self, sql: str, label: str) -> AbstractContextManager[Entry]:
        """Enters a query into the lake's log when it is over; in S3 there is none."""
        in_s3 = self.paths.root.startswith("s3://")
        return nullcontext(Entry()) if in_s3 else QueryLog(self.paths.root).entry(sql, label)

    def show_raw(self, month: str) -> bool:
        """Have the catalog's ``raw.trips`` point at the month's file in force; False if it cannot, or there is none."""
        if self.raw_trips is None:
            return False
        if (file := self.ledger.current(month, TRIPS_DATASET)) is None:
            self.raw_trips.drop(month)
            return False
        return self.raw_trips.put(file)

    def presigned(self, path: str) -> str:
        """An address that opens a page of the lake in a browser, without a login; empty for a lake in a folder."""
        return presigned_url(self._region, path, "text/html; charset=utf-8") if self._region else ""

    def delete(self, files: Sequence[str], folders: Sequence[str]) -> None:
        """Delete files of the lake, and those of the ``folders`` that are empty then. NotDeleted or AwsError."""
        if self._region:
            from taxi_assets.aws.s3 import delete  # a laptop does not need it

            delete(self._region, files)
        else:
            from taxi_assets.lake.files import delete_on_disk  # PyArrow, which reading does without

            delete_on_disk(files, folders)

    def links(self, table: Table) -> dict[str, Any]:
        """The table's name in the catalog, and the address of its page there if it has one."""
        database = self.catalog.database(table.layer)
        url = {"catalog": glue_table_url(self._region, database, table.name)} if self._region else {}
        return {"dagster/table_name": f"{database}.{table.name}", **url}
