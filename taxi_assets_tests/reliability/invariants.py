"""What holds of a lake after anything has happened to it.

Belongs here: what readers see, compared with what the ledger and the versions say, and with what undisturbed runs made
of the same files. Does not: causing anything to happen (``scenarios``), or whether processes are left (``processes``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import dagster as dg
import duckdb
import pyarrow as pa

from glue_jobs.contracts import MONTHLY_TABLES, QUARANTINE, TRIPS
from glue_jobs.contracts.raw import TRIPS_DATASET, ZONES_DATASET
from glue_jobs.errors import PipelineError
from glue_jobs.files import parquet_files
from taxi_assets.checks.verify import NotVerifiable, verify
from taxi_assets.lake.catalog_check import check_catalog
from taxi_assets.lake.duck import connect
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.reading import parquet_scan
from taxi_assets.lake.status import lake_status
from taxi_assets.lost_runs import ACTIVE
from taxi_assets.operations.dagster_instance import open_instance
from taxi_assets.settings import Settings


@dataclass(frozen=True)
class Content:
    """What an undisturbed run makes of one source file: its ``rows``, and each table's rows by ``digest``."""

    sha256: str
    rows: int
    tables: Mapping[str, tuple[int, int]]


Contents = Mapping[str, Content]
"""By the SHA-256 of the source file, of all files that scenarios publish."""


def content_of(folder: Path, month: str) -> Content:
    """What readers see of a month, which was run undisturbed."""
    lake = Lake.in_folder(folder)
    source = lake.ledger.current(month, TRIPS_DATASET)
    assert source is not None
    tables = {name: digest(_files_of(lake, name, month)) for name in MONTHLY_TABLES}
    return Content(source.sha256, source.rows, tables)


def digest(files: Collection[str]) -> tuple[int, int]:
    """Number of rows, and the sum of their hashes: the same for the same rows in any order and in any files."""
    if not files:
        return 0, 0
    with connect() as connection:
        scan = parquet_scan(sorted(files))
        count, total = connection.execute(f"SELECT count(*), sum(hash(rows)) FROM {scan} AS rows").fetchall()[0]
    return int(count), int(total or 0)


def broken(folder: Path, month: str, contents: Contents) -> list[str]:
    """Each promise that does not hold of the month, in words; empty if all hold. Nobody may be writing meanwhile."""
    if not is_made(folder):
        return []  # nobody can ask it anything
    promises: tuple[Callable[[Lake], Iterable[str]], ...] = (
        lambda lake: _each_table_is_one_whole_version(lake, month, contents),
        lambda lake: _accounting_holds_or_status_says_why_not(lake, month, contents),
        _sql_says_the_same,
        lambda lake: _files_in_force_are_whole(lake, month),
        lambda _: _reports_are_whole(folder),
        lambda lake: (f"catalog check: {fault.table}: {fault.problem}" for fault in check_catalog(lake)),
        lambda _: _audits_pass(folder, month, live_versions(folder, month)),
    )
    faults: list[str] = []
    for promise in promises:
        try:
            faults.extend(promise(Lake.in_folder(folder)))
        except (PipelineError, OSError, duckdb.Error, pa.ArrowException) as error:
            faults.append(f"a reader gets {type(error).__name__}: {error}")
    return faults


def unlike_an_undisturbed_run(folder: Path, month: str, content: Content) -> list[str]:
    """What differs, after a run that succeeded, from a lake in which nothing ever happened; nor is a run unfinished."""
    lake = Lake.in_folder(folder)
    faults = [f"status: {remark}" for one in lake_status(lake) if one.month == month for remark in one.remarks]
    for name, expected in content.tables.items():
        if (found := digest(_files_of(lake, name, month))) != expected:
            faults.append(f"{name}: {found[0]} rows, not the {expected[0]} of an undisturbed run, or other values")
    with open_instance(Settings(lake=str(folder))) as instance:
        unfinished = instance.get_runs(dg.RunsFilter(statuses=ACTIVE))
    return faults + [f"Dagster has run {run.run_id} as {run.status.value}" for run in unfinished]


def is_made(folder: Path) -> bool:
    """Whether there is a lake in the folder, as the commands see it."""
    return (folder / "catalog.db").is_file()


def live_versions(folder: Path, month: str) -> tuple[tuple[str, str], ...]:
    """Table and version that readers see, of those that are published."""
    publisher = Lake.in_folder(folder).publisher if is_made(folder) else None
    live = {name: publisher.live(table, month) for name, table in MONTHLY_TABLES.items()} if publisher else {}
    return tuple((name, entry.version) for name, entry in live.items() if entry is not None)


def fits(folder: Path, month: str) -> bool:
    """Whether the tables of the month are of one state, or the month is unknown."""
    return all(one.fits for one in lake_status(Lake.in_folder(folder)) if one.month == month)


def _each_table_is_one_whole_version(lake: Lake, month: str, contents: Contents) -> Iterator[str]:
    for name, table in MONTHLY_TABLES.items():
        live, seen = lake.publisher.live(table, month), _files_of(lake, name, month)
        if live is None:
            if seen:
                yield f"{name}: nothing is published, and readers see {len(seen)} files"
            continue
        if {file.removeprefix("file://") for file in seen} != set(parquet_files(live.path)):
            yield f"{name}: readers see other files than those of version {live.version}"
        found = digest(seen)
        if found[0] != live.rows:
            yield f"{name}: readers see {found[0]} rows, version {live.version} has {live.rows}"
        sha256 = live.lineage.get("source_sha256", "")
        if sha256 not in contents:
            yield f"{name}: version {live.version} is of an unknown file {sha256[:16]}"
        elif found != contents[sha256].tables[name]:
            yield f"{name}: version {live.version} has other rows than an undisturbed run of its file"


def _accounting_holds_or_status_says_why_not(lake: Lake, month: str, contents: Contents) -> Iterator[str]:
    trips, quarantine = lake.publisher.live(TRIPS, month), lake.publisher.live(QUARANTINE, month)
    of_month = [one for one in lake_status(lake) if one.month == month]
    versions = {entry.version if entry else None for entry in (trips, quarantine)}
    if len(versions) > 1 and all(one.fits for one in of_month):
        yield "trips and quarantine are of different versions, and status does not say so"
    if trips is not None and quarantine is not None and len(versions) == 1:
        source = contents.get(trips.lineage.get("source_sha256", ""))
        if source is not None and trips.rows + quarantine.rows != source.rows:
            yield f"{source.rows} rows of the source are {trips.rows} published and {quarantine.rows} quarantined"
    for name, table in MONTHLY_TABLES.items():
        entry = lake.publisher.live(table, month)
        of_staging = entry.lineage.get("staging_version") if entry else None
        if of_staging and trips and of_staging != trips.version and all(one.fits for one in of_month):
            yield f"{name} is of another version of staging, and status does not say so"


def _sql_says_the_same(lake: Lake) -> Iterator[str]:
    with lake.connect(" ".join(MONTHLY_TABLES)) as connection:
        for name, table in MONTHLY_TABLES.items():
            rows = connection.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0]
            expected = sum(entry.rows for entry in lake.publisher.months(table).values())
            if rows != expected:
                yield f"{name}: SQL sees {rows} rows, the versions have {expected}"


def _files_in_force_are_whole(lake: Lake, month: str) -> Iterator[str]:
    for dataset in (TRIPS_DATASET, ZONES_DATASET):
        file = lake.ledger.current(month, dataset)
        if file is not None and hashlib.sha256(Path(file.path).read_bytes()).hexdigest() != file.sha256:
            yield f"{file.path} is not what the ledger says"


def _reports_are_whole(folder: Path) -> Iterator[str]:
    for page in (folder / "reports").glob("month=*/[!.]*.html"):
        if not page.read_text().rstrip().endswith("</html>"):
            yield f"{page.name} is part of a report"


@cache
def _audits_pass(folder: Path, month: str, versions: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """Asked once of the same ``versions``: their files are compared each time."""
    if not versions:
        return ()
    try:
        failed = verify(Lake.in_folder(folder), month).failed
    except NotVerifiable as why_not:
        # Staging is being replaced, or was put back: what is live was compared with an undisturbed run all the same.
        return () if not fits(folder, month) else (str(why_not),)
    return tuple(f"audit: {answer.in_words}" for answer in failed)


def _files_of(lake: Lake, name: str, month: str) -> list[str]:
    """URIs of the files that readers see of a month."""
    folder = f"/month={month}/"
    return [file for file in lake.catalog.files(MONTHLY_TABLES[name]) if folder in file]
