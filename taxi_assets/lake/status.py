"""What the lake holds, month by month, whether its tables fit together, and how fresh it is.

Belongs here: comparing what the snapshots say. Does not: printing (``cli``), or opening data files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from glue_jobs.contracts import CURATED_TABLES, MONTHLY_TABLES, QUARANTINE, TRIPS
from glue_jobs.contracts.raw import TRIPS_DATASET, k_of
from taxi_assets.calendar import due_months, end_of
from taxi_assets.lake.append_tables import LandedFile, in_force
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.publishing import Publication


@dataclass(frozen=True)
class MonthStatus:
    """One month: the raw file in force, what is live of each table, what does not fit, and what was put back.

    What does not fit because somebody put an earlier version back is not among ``remarks``: it is so on purpose.
    ``fits`` is whether nothing is apart, on purpose or not. ``refused`` says of the file that was landed last
    that it was refused, when and why; else it is empty.
    """

    month: str
    source_rows: int | None
    source_sha256: str | None
    tables: dict[str, Publication]
    remarks: tuple[str, ...]
    put_back: tuple[str, ...]
    fits: bool
    refused: str = ""
    masked_to: int = 0
    """Of how many rows at least each of the source file is one; 0 if it came as it is."""

    def as_json(self) -> dict[str, Any]:
        """The status as JSON types."""
        published = {
            name: {
                "rows": entry.rows,
                "version": entry.version,
                "snapshot_id": entry.snapshot_id,
                "published_at": entry.published_at.isoformat(timespec="seconds"),
                "path": entry.path,
            }
            for name, entry in self.tables.items()
        }
        return {**asdict(self), "tables": published, "remarks": list(self.remarks), "put_back": list(self.put_back)}


def lake_status(lake: Lake) -> list[MonthStatus]:
    """All months that were landed or published, in order."""
    landed = lake.ledger.history(TRIPS_DATASET)
    live = {name: lake.publisher.months(table) for name, table in MONTHLY_TABLES.items()}
    changed = {name: lake.publisher.changed_by_others(table) for name, table in MONTHLY_TABLES.items()}
    months = sorted({*landed}.union(*live.values(), *changed.values()))
    found = []
    for month in months:
        tables = {name: entries[month] for name, entries in live.items() if month in entries}
        file, refused = in_force(landed.get(month, [])), _refused(landed.get(month, []))
        sha256 = file.sha256 if file else None
        rows = file.rows if file else None
        if file or tables:
            remarks = _remarks(month, sha256, tables)
        else:
            remarks = {f"nothing is published: {refused}": False} if refused else {}
        remarks |= _changed_by_others(month, changed, tables)
        put_back = _put_back(month, tables)
        unwanted = tuple(remark for remark, on_purpose in remarks.items() if not on_purpose)
        masked_to = k_of(file.url) if file else 0
        found.append(MonthStatus(month, rows, sha256, tables, unwanted, put_back, not remarks, refused, masked_to))
    return found


def _refused(history: Sequence[LandedFile]) -> str:
    if not history or (last := history[-1]).refused_because is None:
        return ""
    return f"the file {last.sha256[:16]} was refused on {last.landed_at:%Y-%m-%d}: {last.refused_because}"


def _remarks(month: str, sha256: str | None, tables: dict[str, Publication]) -> dict[str, bool]:
    """What does not fit, and whether that is because an earlier version was put back."""
    again = f"run {month} again"
    trips, quarantine = tables.get(TRIPS.full_name), tables.get(QUARANTINE.full_name)
    if trips is None:
        return {f"landed, not staged: {again}": False} if sha256 else {}
    remarks = {}
    if sha256 is not None and trips.lineage.get("source_sha256") != sha256:
        remarks[f"staging is of an earlier source file: {again}"] = trips.is_rollback
    if not trips.is_under(TRIPS):
        remarks[f"staging was written under an earlier contract: {again}"] = trips.is_rollback
    if quarantine is None or quarantine.version != trips.version:
        remarks[f"trips and quarantine are of different versions: {again}"] = False
    for table in CURATED_TABLES.values():
        entry = tables.get(table.full_name)
        if entry is None:
            remarks[f"{table.name} is missing: {again}"] = False
        elif entry.lineage.get("staging_version") != trips.version:
            on_purpose = trips.is_rollback or entry.is_rollback
            remarks[f"{table.name} was computed from another version of staging: {again}"] = on_purpose
        elif not entry.is_under(table):
            remarks[f"{table.name} was written under an earlier contract: {again}"] = entry.is_rollback
    return remarks


def _changed_by_others(
    month: str, changed: dict[str, dict[str, int]], tables: dict[str, Publication]
) -> dict[str, bool]:
    """In which tables readers see other rows than were published; never on purpose."""
    return {
        f"{name}: readers see {rows[month]:,} rows, not the {tables[name].rows if name in tables else 0:,} that were "
        f"published: another program has changed it; run {month} again": False
        for name, rows in changed.items()
        if month in rows
    }


def _put_back(month: str, tables: dict[str, Publication]) -> tuple[str, ...]:
    """What somebody has put back, when, and which tables therefore are not of the live staging."""
    trips = tables.get(TRIPS.full_name)
    apart = [
        entry.table.partition(".")[2]
        for entry in tables.values()
        if trips is not None
        and entry.lineage.get("staging_version", trips.version) != trips.version
        and (trips.is_rollback or entry.is_rollback)
    ]
    back = [
        f"{entry.table} to version {entry.version} on {entry.published_at:%Y-%m-%d}"
        for entry in tables.values()
        if entry.is_rollback
    ]
    also = f" (not of the live staging: {', '.join(apart)})" if apart else ""
    return (f"put back: {', '.join(back)}{also}; for the newest, run {month} again",) if back else ()


@dataclass(frozen=True)
class Freshness:
    """The ``newest`` month, the time since its end, and the months after it that should have been published by now."""

    newest: str
    age: timedelta
    missing: tuple[str, ...]


def freshness(lake: Lake, now: datetime) -> Freshness | None:
    """How fresh the lake is, by the newest month that every table has; None if there is none."""
    whole = set.intersection(*(set(lake.publisher.months(table)) for table in MONTHLY_TABLES.values()))
    return _by_newest(max(whole), now) if whole else None


def freshness_of_tables(lake: Lake, now: datetime) -> dict[str, Freshness]:
    """How fresh ``raw.trips`` and each monthly table is, by its own newest month; one without a month is left out.

    Not by when it was last materialized: an old month that is run again makes no table fresh.
    """
    months = {
        "raw.trips": [file.month for file in lake.ledger.all_current(TRIPS_DATASET)],
        **{name: list(lake.publisher.months(table)) for name, table in MONTHLY_TABLES.items()},
    }
    return {name: _by_newest(max(of_table), now) for name, of_table in months.items() if of_table}


def _by_newest(newest: str, now: datetime) -> Freshness:
    return Freshness(newest, now - end_of(newest), tuple(month for month in due_months(now) if month > newest))
