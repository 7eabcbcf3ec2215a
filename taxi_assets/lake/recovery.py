"""What can be known of a lake without its catalog: tables by the files of their metadata, landed files by themselves.

Belongs here: finding it, and entering it again. Does not: building months (``operations.rebuild``), or what is wrong
with files that readable metadata names (``catalog_check``).

The ledger is a table of the raw layer, so that who has raw has it as well: when each file was landed and from where,
which was refused, and which lookup of zones each month has. Only without it do the files have to speak for themselves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.table import Table as IcebergTable

from glue_jobs.contracts import FILES, LOGS, TABLES, Table
from glue_jobs.contracts.raw import ALL_MONTHS, SHAPES_DATASET, TRIPS_DATASET, ZONES_DATASET
from glue_jobs.files import each_footer, open_file_system, parquet_schema, read_zones
from taxi_assets.aws.client import aws_error_in
from taxi_assets.lake.append_tables import LandedFile, Ledger, append
from taxi_assets.lake.catalog import LakeCatalog, reading
from taxi_assets.lake.catalog_file import CatalogLost, CatalogUnavailable, put_in_place
from taxi_assets.lake.files import Entry, below, content_of
from taxi_assets.lake.lake import Lake, folder_catalog
from taxi_assets.lake.paths import is_below
from taxi_assets.lake.reading import read_rows
from taxi_assets.lake.relocation import DamagedThere, NotHere, write_again
from taxi_assets.settings import Settings

BY_THE_FILE = "its file in raw"
"""What an entry of the ledger that was made from a file alone has for the run that landed it."""
_NUMBER = re.compile(r"(\d+)-[^/]*\.metadata\.json$")
_RAW_FILE = re.compile(
    rf"dataset=(?P<dataset>{TRIPS_DATASET}|{ZONES_DATASET}|{SHAPES_DATASET})/(year=(?P<year>\d{{4}})/month=(?P<month>\d\d)/)?"
    r"sha256=(?P<content>[0-9a-f]{16})/[^/]+\.(parquet|csv|zip)"
)
"""Below the raw layer, as ``ingest_raw`` lands it."""


@dataclass(frozen=True)
class TableFound:
    """Where a table's newest readable metadata lies (None: nowhere), and what is ``wrong`` with what the catalog says.

    ``is_older`` is whether there was newer metadata, or the catalog named some: commits are lost then.
    """

    table: Table
    location: str | None
    wrong: str = ""
    is_older: bool = False


class _TablesAsFound(LakeCatalog):
    """The tables as files of their metadata have them, whatever the catalog says, without rows of ``lost`` files.

    To be read only.
    """

    def __init__(self, of: LakeCatalog, found: Mapping[str, TableFound], lost: Collection[str] = ()) -> None:
        super().__init__(of.paths, of.properties)
        self._found, self._lost = found, lost

    def find(self, table: Table) -> IcebergTable | None:
        """See ``LakeCatalog``."""
        location = self._found[table.full_name].location
        return self.at(table, location) if location else None

    def columns_in_glue(self, table: Table) -> None:  # noqa: ARG002 -- there is no Glue to ask
        """See ``LakeCatalog``."""
        return

    def rows(self, table: Table, condition: str, columns: Sequence[str] = ("*",)) -> list[dict[str, Any]]:
        """See ``LakeCatalog``."""
        return read_rows(table, [file for file in self.files(table) if file not in self._lost], condition, columns)


class _LedgerAsFound(Ledger):
    """The ledger with files that are not in it."""

    def __init__(self, lake: Lake, files: Sequence[LandedFile]) -> None:
        super().__init__(lake.paths, lake.catalog)
        self._files = files

    def _entries(self, dataset: str, months: Collection[str] | None) -> list[LandedFile]:
        more = [one for one in self._files if one.dataset == dataset and (months is None or one.month in months)]
        return sorted([*super()._entries(dataset, months), *more], key=lambda one: one.landed_at)


@dataclass(frozen=True)
class Log:
    """A table that is only appended to: ``lost`` files, and ``rows`` in the others."""

    table: Table
    rows: int
    lost: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """All that can be known of a lake: it, as it would be if that were entered, and what is to be entered.

    ``lost_catalog`` says what is wrong with ``catalog.db``; empty if it is there. ``logs`` are those that have lost
    files. ``files`` are missing in the ledger, and ``damaged`` are raw files that cannot be entered.
    """

    lake: Lake
    tables: Mapping[str, TableFound]
    lost_catalog: str
    logs: tuple[Log, ...]
    files: tuple[LandedFile, ...]
    damaged: tuple[str, ...]


def find(settings: Settings) -> Found:
    """Look at everything; nothing is changed.

    CatalogUnavailable if a file may be whole and cannot be read, or ``catalog.db`` is another program's.
    """
    lost_catalog = ""
    try:
        lake = Lake.of(settings)
    except (CatalogLost, NotHere) as error:
        is_of_files = isinstance(error, DamagedThere) or isinstance(error.__cause__, FileNotFoundError)
        if isinstance(error, NotHere) and not is_of_files:
            raise  # not a copy of a part of a lake, or of a damaged one, but one that cannot be written
        lost_catalog = error.problem
        lake = Lake.without_catalog(Path(settings.lake))
    tables = {name: _find(lake, table, not lost_catalog) for name, table in TABLES.items()}
    as_found = lake.seen_by(_TablesAsFound(lake.catalog, tables))
    logs = [Log(table, rows, tuple(lost)) for table in LOGS.values() for rows, lost in [_rows(as_found, table)] if lost]
    as_found = lake.seen_by(_TablesAsFound(lake.catalog, tables, {file for log in logs for file in log.lost}))
    files: list[LandedFile] = []
    damaged: list[str] = []
    ledger = tables[FILES.full_name]
    if ledger.location is None or ledger.is_older or any(log.table is FILES for log in logs):
        files, damaged = _not_in_the_ledger(as_found)
        as_found.ledger = _LedgerAsFound(as_found, files)
    return Found(as_found, tables, lost_catalog, tuple(logs), tuple(files), tuple(damaged))


def enter(settings: Settings, found: Found) -> Lake:
    """Have the catalog and the ledger say what was found; the lake as it then is. Done again, it changes nothing."""
    if found.lost_catalog:
        _enter_anew(found)
    lake = Lake.of(settings)
    if not found.lost_catalog:
        for one in found.tables.values():
            if one.wrong and one.location:
                lake.catalog.point_at(one.table, one.location)
            elif one.wrong:
                lake.catalog.forget(one.table)
    for log in found.logs:
        _keep_what_is_left(lake, log.table)
    if found.files:
        append(lake.catalog, FILES, [file.__dict__ for file in found.files])
    return lake


def _enter_anew(found: Found) -> None:
    """Put a catalog in place that has all tables: one without them would have their months read as never published."""
    folder = Path(found.lake.paths.root)
    new = folder / "catalog.db.new"
    new.unlink(missing_ok=True)
    catalog = folder_catalog(found.lake.paths, new.name)
    catalog.make()
    for one in found.tables.values():
        if one.location:
            catalog.add(one.table, one.location)
    catalog.close()
    put_in_place(new, folder, f".lost-{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}")


def _find(lake: Lake, table: Table, has_catalog: bool) -> TableFound:
    named = lake.catalog.metadata_location(table) if has_catalog else None
    if named is not None and not is_below(named, lake.paths.root):
        lake.catalog.find(table)  # a lake in S3 that was moved: says what to do
    wrong = _damage(lake, table, named) if named else "the catalog does not have it"
    if named and not wrong:
        return TableFound(table, named)
    there = [entry for entry in below(f"{lake.paths.table(table)}/metadata") if _NUMBER.search(entry.path)]
    others = sorted((entry for entry in there if entry.path != named), key=_by_age, reverse=True)
    if not named and not others:
        return TableFound(table, None)
    for tried, entry in enumerate(others):
        if not _damage(lake, table, entry.path) and (location := _here(lake, table, entry.path)) is not None:
            return TableFound(table, location, wrong, is_older=bool(named or tried))
    return TableFound(table, None, wrong, is_older=True)


def _by_age(entry: Entry) -> tuple[int, float]:
    found = _NUMBER.search(entry.path)
    return int(found[1]) if found else -1, entry.changed.timestamp()


def _damage(lake: Lake, table: Table, location: str) -> str:
    """Why it cannot be told from metadata what readers see; empty if it can."""
    try:
        found = lake.catalog.at(table, location)
        if is_below(found.location(), lake.paths.root):  # else its files are looked for in ``_here``
            with reading(table):
                for _ in found.scan().plan_files():
                    pass
    except CatalogUnavailable as error:
        if isinstance(error.__cause__, Exception) and not _is_of_the_file(error.__cause__):
            raise
        return error.problem
    return ""


def _is_of_the_file(error: Exception) -> bool:
    """Whether an error says that a file is gone or damaged, not that a disk, a network or AWS does not give it."""
    of_a_store = aws_error_in(error) is not None or (isinstance(error, OSError) and error.errno is not None)
    return isinstance(error, FileNotFoundError) or not of_a_store


def _here(lake: Lake, table: Table, location: str) -> str | None:
    """The metadata of a lake that lay elsewhere, written for this place; None if its files did not come with it."""
    found = lake.catalog.at(table, location)
    before = found.location().removesuffix(f"/{table.layer}/{table.name}")
    if before == lake.paths.root:
        return location
    try:
        with reading(table):
            return write_again(found.io, location, before, lake.paths.root)
    except NotHere:
        return None
    except CatalogUnavailable as error:
        if isinstance(error.__cause__, Exception) and not _is_of_the_file(error.__cause__):
            raise
        return None


def _rows(lake: Lake, table: Table) -> tuple[int, list[str]]:
    """Rows of the files that readers see, each read whole, and those of the files that are gone or damaged."""
    parts = {file: _read(file) for file in lake.catalog.files(table)}
    lost = [file for file, part in parts.items() if part is None]
    return sum(part.num_rows for part in parts.values() if part is not None), lost


def _keep_what_is_left(lake: Lake, table: Table) -> None:
    """Make the rows that can be read of a log all of its rows."""

    def keep(iceberg: IcebergTable) -> None:
        parts = [part for task in iceberg.scan().plan_files() if (part := _read(task.file.file_path)) is not None]
        rows = [row for part in parts for row in part.to_pylist()]
        iceberg.overwrite(pa.Table.from_pylist(rows, schema=iceberg.schema().as_arrow()), AlwaysTrue())

    lake.catalog.commit(table, keep)


def _read(file: str) -> pa.Table | None:
    """All rows of a Parquet file; None if it is gone or damaged."""
    system, path = open_file_system(file)
    try:
        with pq.ParquetFile(path, filesystem=system) as opened:
            return opened.read()
    except (pa.ArrowException, OSError) as error:
        if not _is_of_the_file(error):
            raise
        return None


def _not_in_the_ledger(lake: Lake) -> tuple[list[LandedFile], list[str]]:
    """Entries for the raw files that the ledger does not name, by what the files say; and those that are damaged.

    Of a ledger that is whole, nothing is missing: it does not name a file that was never in force.
    """
    histories = {dataset: lake.ledger.history(dataset) for dataset in (TRIPS_DATASET, ZONES_DATASET, SHAPES_DATASET)}
    known = {file.path for history in histories.values() for rows in history.values() for file in rows}
    found: dict[str, list[LandedFile]] = {dataset: [] for dataset in histories}
    damaged = []
    for entry in sorted(below(lake.paths.raw), key=lambda entry: entry.changed):
        named = _RAW_FILE.fullmatch(entry.path.removeprefix(f"{lake.paths.raw}/"))
        # A lookup is of many months, and each of them has an entry for it.
        if named is None or (entry.path in known and named["dataset"] != ZONES_DATASET):
            continue
        digest = content_of(entry.path)
        if digest.startswith(named["content"]):
            month = f"{named['year']}-{named['month']}" if named["year"] else ALL_MONTHS
            found[named["dataset"]].append(_entry(entry, month, named["dataset"], digest))
        else:
            damaged.append(entry.path)
    months = {file.month for file in found[TRIPS_DATASET]} | set(histories[TRIPS_DATASET])
    without = sorted(months - set(histories[ZONES_DATASET]))
    lookups = [replace(lookup, month=month) for lookup in found[ZONES_DATASET][-1:] for month in without]
    return [*found[TRIPS_DATASET], *lookups, *found[SHAPES_DATASET]], damaged


def _entry(entry: Entry, month: str, dataset: str, digest: str) -> LandedFile:
    rows, schema = 0, {}
    if dataset == TRIPS_DATASET:
        [rows] = each_footer([entry.path], lambda file: int(file.metadata.num_rows))
        schema = parquet_schema(entry.path)
    elif dataset == ZONES_DATASET:
        rows = len(read_zones(entry.path))
    return LandedFile(
        month=month,
        dataset=dataset,
        url=entry.path,
        path=entry.path,
        etag="",
        sha256=digest,
        bytes=entry.bytes,
        rows=rows,
        physical_schema=json.dumps(schema),
        run_id=BY_THE_FILE,
        landed_at=entry.changed.replace(tzinfo=None),
    )
