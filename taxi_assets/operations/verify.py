"""Whether each byte that the lake keeps of a month is what it was, and its tables are still what the checks say.

Belongs here: reading all of it, months one after the other. Does not: what footers and catalog tell alone
(``lake.catalog_check``), the checks (``checks.verify``), or repairing (``rebuild``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from glue_jobs.contracts import MONTHLY_TABLES
from glue_jobs.contracts.raw import TRIPS_DATASET, ZONES_DATASET
from taxi_assets.checks.verify import NotVerifiable, verify
from taxi_assets.lake.append_tables import LandedFile
from taxi_assets.lake.catalog_check import Fault, fetch_again
from taxi_assets.lake.files import content_of
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.reports import has_whole_report
from taxi_assets.lake.status import lake_status


@dataclass(frozen=True)
class VerifiedMonth:
    """What was found wrong with a month, and why its checks were ``not_asked``; empty if they were."""

    month: str
    faults: tuple[Fault, ...]
    not_asked: str


def verify_months(lake: Lake, asked_for: Collection[str] = ()) -> Iterator[VerifiedMonth]:
    """Verify months that were landed or published, or those ``asked_for``, in order; nothing is changed."""
    in_force = {
        dataset: {file.month: file for file in lake.ledger.all_current(dataset)}
        for dataset in (TRIPS_DATASET, ZONES_DATASET)
    }
    read: dict[str, str] = {}  # a lookup of zones is of many months
    for status in lake_status(lake):
        month = status.month
        if asked_for and month not in asked_for:
            continue
        files = [of_months[month] for of_months in in_force.values() if month in of_months]
        for file in files:
            if file.path not in read:
                read[file.path] = _wrong_with(file)
        wrong = [(file, read[file.path]) for file in files if read[file.path]]
        faults = [
            Fault(_TABLE[file.dataset], f"{month}: {file.path} {said}", fetch_again(file), month)
            for file, said in wrong
        ]
        not_asked = ""
        # Without the file that a month was staged from, most checks have nothing to compare it with.
        if status.tables and not wrong:
            more, not_asked = _failed_checks(lake, month)
            faults += more
        again = f"taxi-assets rebuild --month {month} --yes"
        if set(status.tables) == set(MONTHLY_TABLES) and not has_whole_report(lake.paths, month):
            faults.append(Fault("dashboard/report", f"{month}: its report is gone or cut off", again, month))
        yield VerifiedMonth(month, tuple(faults), not_asked)


_TABLE = {TRIPS_DATASET: "raw.trips", ZONES_DATASET: "raw.zones"}


def _wrong_with(file: LandedFile) -> str:
    try:
        return "" if content_of(file.path) == file.sha256 else "is damaged: its SHA-256 is not that of what was landed"
    except FileNotFoundError:
        return "is gone"


def _failed_checks(lake: Lake, month: str) -> tuple[list[Fault], str]:
    """Blocking checks that do not pass any more; and why they cannot be asked."""
    try:
        failed = verify(lake, month).failed
    except NotVerifiable as error:
        return [], error.problem
    repair = f"taxi-assets rebuild --month {month} --yes"
    return [
        Fault(".".join(one.asset.path), f"{month}: {one.name}: {one.outcome.actual}", repair, month) for one in failed
    ], ""
