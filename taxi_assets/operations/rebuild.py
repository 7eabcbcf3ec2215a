"""A lake put together again of what is left of it: of raw alone, if need be. Nothing is fetched.

Belongs here: what is to be done, what cannot be, and doing it. Does not: finding tables and landed files
(``lake.recovery``), running a month (``run_month``), or printing (``cli``).

It can be killed at any time: each step leaves the lake so that the next plan is without it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa

from glue_jobs.contracts import (
    CALENDAR,
    CHECK_HISTORY,
    FILES,
    MONTHLY_TABLES,
    RUN_METRICS,
    TRIPS,
    ZONES,
    Table,
)
from glue_jobs.contracts.raw import SHAPES_DATASET, TRIPS_DATASET, ZONES_DATASET
from glue_jobs.files import open_file_system, read_zones
from taxi_assets.lake.append_tables import LandedFile
from taxi_assets.lake.catalog_check import Fault, bring_up_to_date, check_catalog, fetch_again
from taxi_assets.lake.files import content_of
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.recovery import Found, enter, find
from taxi_assets.lake.reference import Asking, note_asking, publish
from taxi_assets.lake.reports import has_whole_report
from taxi_assets.lake.status import lake_status
from taxi_assets.operations.backfill import Progress, backfill
from taxi_assets.operations.run_month import STEPS, MonthResult
from taxi_assets.reference import calendar, zones
from taxi_assets.settings import Settings

_, STAGE, _, REPORT = STEPS
Run = Callable[[Settings, str, str], MonthResult]
"""Runs a month of the lake of some settings: given are these, the month, and the step to begin with."""


@dataclass(frozen=True)
class Month:
    """A month to be made of its raw files in force, beginning with a step of ``run_month.STEPS``, and why."""

    month: str
    why: str
    trips: LandedFile
    zones: LandedFile
    begin_with: str


@dataclass(frozen=True)
class Plan:
    """What is to be done: what was ``found`` entered, ``reference`` tables published again, ``months`` built, the
    newest first. ``cannot`` says in sentences what will not be as it was.
    """

    found: Found
    reference: tuple[Table, ...]
    months: tuple[Month, ...]
    cannot: tuple[str, ...]

    @property
    def entered(self) -> tuple[str, ...]:
        """In sentences, what catalog and ledger are to say again."""
        found = self.found
        there = [one for one in found.tables.values() if one.wrong and one.location]
        said = []
        if found.lost_catalog:
            names = ", ".join(one.table.full_name for one in there) or "no table"
            said.append(f"{found.lost_catalog}: made anew, of the newest metadata there is of {names}")
        said += [
            f"{one.table.full_name}: as {one.location} has it, because {one.wrong}"
            for one in there
            if not found.lost_catalog or one.is_older
        ]
        none = [one for one in found.tables.values() if one.wrong and not one.location]
        said += [f"{one.table.full_name}: made anew, because {one.wrong}" for one in none]
        said += [f"{log.table.full_name}: the {log.rows:,} rows that can be read" for log in found.logs]
        if found.files:
            said.append(f"{FILES.full_name}: {len(found.files)} entries, by the raw files themselves")
        return tuple(said)

    @property
    def is_empty(self) -> bool:
        """Whether the lake is whole, as far as raw goes."""
        return not (self.entered or self.reference or self.months)

    @property
    def bytes(self) -> int:
        """Of the raw files that months are built of."""
        return sum(month.trips.bytes for month in self.months if month.begin_with == STAGE)


def plan(settings: Settings, asked_for: Collection[str] = ()) -> Plan:
    """What is wrong with the lake and can be put right without its source; of ``asked_for`` months, all.

    Nothing is changed. It reads the footer of every live file, and the logs whole. CatalogUnavailable if a file may be
    whole and cannot be read.
    """
    found = find(settings)
    faults = check_catalog(found.lake)
    months, cannot = _months(found.lake, faults, asked_for)
    reference, no_map = _reference(found.lake, faults)
    return Plan(found, reference, months, (*cannot, *no_map, *_not_as_it_was(found, months)))


def carry_out(settings: Settings, planned: Plan, run: Run, jobs: int = 1) -> Iterator[Progress]:
    """Do it, ``jobs`` months at a time, and say after each how it stands; see ``backfill`` for those that fail."""
    lake = enter(settings, planned.found)
    for table in planned.reference:
        publish(lake.catalog, table, _rows_of(lake, table), again=True)
        if table is ZONES:
            landed = lake.ledger.all_current(SHAPES_DATASET)[-1].landed_at
            note_asking(lake.catalog, ZONES, Asking(landed, lake.ledger.all_current(ZONES_DATASET)[-1].sha256))
    months = {month.month: month for month in planned.months}
    # Dagster has no months before the first.
    first = min([settings.first_month, *months])
    of_all = settings.model_copy(update={"first_month": first})
    yield from backfill(list(months), partial(_build, of_all, months, run), jobs)
    bring_up_to_date(lake)


def _build(settings: Settings, months: Mapping[str, Month], run: Run, name: str) -> MonthResult:
    """Build a month; of the file before if the one in force is refused, until one is not or there is none."""
    month, lake = months[name], Lake.of(settings)
    if month.begin_with == STAGE:
        for file in (month.trips, month.zones):
            if content_of(file.path) != file.sha256:
                said = f"{file.path} is damaged: its SHA-256 is not the one that it was landed with"
                return MonthResult(month.month, error=f"{said}. What to do: {fetch_again(file)}")
    tried = month.trips.sha256
    result = run(settings, month.month, month.begin_with)
    while not result.succeeded and not result.interrupted:
        now = lake.ledger.current(month.month, TRIPS_DATASET)
        if now is None or now.sha256 == tried:
            break
        tried = now.sha256
        result = run(settings, month.month, month.begin_with)
    return result


def _months(lake: Lake, faults: Sequence[Fault], asked_for: Collection[str]) -> tuple[tuple[Month, ...], list[str]]:
    """Months to build, the newest first; and in sentences what raw lacks, for them or at all."""
    status = lake_status(lake)
    why = {one.month: "it has no report" for one in status if one.fits and not has_whole_report(lake.paths, one.month)}
    begin = dict.fromkeys(why, REPORT)
    of_files = {fault.month: fault.problem.removeprefix(f"{fault.month}: ") for fault in faults if _is_of_rows(fault)}
    of_tables = {one.month: one.remarks[0].partition(":")[0] for one in status if one.remarks}
    for reasons in (dict.fromkeys(asked_for, "it was asked for"), of_tables, of_files):
        why |= reasons
        begin |= dict.fromkeys(reasons, STAGE)
    in_force = {
        dataset: {file.month: file for file in lake.ledger.all_current(dataset)}
        for dataset in (TRIPS_DATASET, ZONES_DATASET)
    }
    missing = {fault.month: fault for fault in faults if fault.table in ("raw.trips", "raw.zones") and fault.month}
    months, cannot = [], [f"{fault.problem}. What to do: {fault.repair}" for fault in missing.values()]
    for month in sorted(why, reverse=True):
        trips, of_zones = (in_force[dataset].get(month) for dataset in (TRIPS_DATASET, ZONES_DATASET))
        if trips is None or of_zones is None:
            cannot.append(f"{month}, because {why[month]}: raw has no file of it that is in force")
        elif begin[month] == REPORT or (_is_there(trips) and _is_there(of_zones)):
            months.append(Month(month, why[month], trips, of_zones, begin[month]))
        else:
            cannot.append(f"{month}, because {why[month]}: its raw file is not there (see above)")
    return tuple(months), cannot


def _is_of_rows(fault: Fault) -> bool:
    return fault.table in MONTHLY_TABLES and bool(fault.month)


def _is_there(file: LandedFile) -> bool:
    system, path = open_file_system(file.path)
    return bool(system.get_file_info(path).size == file.bytes)


def _reference(lake: Lake, faults: Sequence[Fault]) -> tuple[tuple[Table, ...], list[str]]:
    """Reference tables whose rows are gone, and in sentences those of which raw has nothing to make them of."""
    if not lake.ledger.all_current(TRIPS_DATASET):
        return (), []
    broken = {fault.table for fault in faults}
    gone = [table for table in (CALENDAR, ZONES) if table.full_name in broken or not lake.catalog.files(table)]
    maps = lake.ledger.all_current(SHAPES_DATASET)
    if ZONES not in gone or (maps and _is_there(maps[-1])):
        return tuple(gone), []
    gone.remove(ZONES)
    was_there = maps or ZONES.full_name in broken
    return tuple(gone), [f"{ZONES.full_name}: raw has no map; the next run asks the source"] if was_there else []


def _rows_of(lake: Lake, table: Table) -> pa.Table:
    if table is CALENDAR:
        return calendar.rows(datetime.now(ZoneInfo("America/New_York")).date())
    [*_, landed], [*_, lookup] = (lake.ledger.all_current(dataset) for dataset in (SHAPES_DATASET, ZONES_DATASET))
    system, path = open_file_system(landed.path)
    with tempfile.TemporaryDirectory(prefix="zones-") as folder, system.open_input_stream(path) as stream:
        copy = Path(folder, Path(path).name)
        with copy.open("wb") as file:
            shutil.copyfileobj(stream, file)
        return zones.rows(copy, read_zones(lookup.path), landed.url)


def _not_as_it_was(found: Found, months: Sequence[Month]) -> list[str]:
    """In sentences, what raw does not say."""
    said = []
    built = [month for month in months if month.begin_with == STAGE]
    tables = found.tables
    if built and tables[TRIPS.full_name].location is None:
        said.append(
            "earlier versions: none can be rolled back to, and one that somebody had put back is not known. Each month "
            "is built of its file in force, by today's rules, so that a replay of its quarantine is in it"
        )
    for table, what in ((CHECK_HISTORY, "the checks' earlier answers"), (RUN_METRICS, "what earlier runs took")):
        if built and tables[table.full_name].location is None:
            said.append(f"{table.full_name}: {what} are gone; those of the months that are built now are entered")
    said += [
        f"{one.table.full_name}: what was committed after {one.location}"
        for one in tables.values()
        if one.is_older and one.location
    ]
    said += [f"{log.table.full_name}: the rows of {file}" for log in found.logs for file in log.lost]
    if found.files:
        said.append(
            "of files that only raw has: their address at the source, with it whether they were masked, its tag, and "
            "what was refused. The time of landing is the file's own, of two files of a month the later one counts, "
            "and the last lookup of zones counts for all"
        )
    said += [f"{path} is damaged, and not entered" for path in found.damaged]
    return said
