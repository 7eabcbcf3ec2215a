"""Checks of a landed month, before the ledger says that it is in force."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import dagster as dg

from glue_jobs.contracts import tlc
from glue_jobs.contracts.raw import k_of
from glue_jobs.files import open_file_system
from glue_jobs.reports import LandedFileReport, LandedTripsReport
from taxi_assets.asset_keys import RAW_TRIPS, RAW_ZONES
from taxi_assets.checks.check import Check, Outcome, expect
from taxi_assets.checks.session import Session
from taxi_assets.lake.files import content_of
from taxi_assets.lake.reading import parquet_scan, quoted


@dataclass(frozen=True)
class LandedMonth:
    """What ``ingest_raw`` reports of a month: facts of the trip file and of the zone lookup."""

    month: str
    trips: LandedTripsReport
    zones: LandedFileReport

    @cached_property
    def session(self) -> Session:
        """The view ``source``."""
        return Session({}, {"source": f"SELECT * FROM {parquet_scan([self.trips['path']])}"})


def _has_rows(landed: LandedMonth) -> Outcome:
    rows = landed.session.first_row("SELECT count(*) AS n FROM source")["n"]
    expected = landed.trips["rows"]
    return Outcome(rows == expected and rows != 0, f"{expected} rows", f"{rows} rows", _file(landed, "SELECT count(*)"))


def _has_its_size(landed: LandedMonth) -> Outcome:
    system, path = open_file_system(landed.trips["path"])
    return expect(system.get_file_info(path).size, landed.trips["bytes"], _file(landed, "SELECT count(*)"))


def _has_its_content(landed: LandedMonth) -> Outcome:
    return expect(content_of(landed.trips["path"]), landed.trips["sha256"], _file(landed, "SELECT count(*)"))


def _columns_are_known(landed: LandedMonth) -> Outcome:
    unknown, unreadable = landed.trips["unknown_columns"], landed.trips["unreadable_columns"]
    kept = [name for name in unknown if name not in unreadable]
    said = [f"kept beside each row, in extra_columns: {', '.join(kept)}"] if kept else []
    said += [f"kept in the raw file only, for their type: {', '.join(unreadable)}"] if unreadable else []
    index = landed.trips["index_columns"]
    said += [f"pandas' index, no part of a row: {', '.join(index)}"] if index else []
    return Outcome(
        not unknown,
        "columns of the contract only",
        "; ".join(said) or "no others",
        _file(landed, "SELECT *", "LIMIT 20"),
    )


def _columns_are_complete(landed: LandedMonth) -> Outcome:
    missing = landed.trips["missing_columns"]
    return Outcome(
        not missing,
        f"every column that files since {landed.trips['era']} have",
        f"missing: {', '.join(missing)}" if missing else "all there",
        _file(landed, "SELECT *", "LIMIT 20"),
    )


def _types_are_those_of_the_era(landed: LandedMonth) -> Outcome:
    changed = landed.trips["changed_types"]
    return Outcome(
        not changed,
        f"the types that files since {landed.trips['era']} have",
        "; ".join(f"{name}: {how}, cast without loss" for name, how in changed.items()) or "the same",
        f"SELECT name, type, logical_type FROM parquet_schema({quoted(landed.trips['path'])})",
    )


def _has_all_zones(landed: LandedMonth) -> Outcome:
    return expect(landed.zones["rows"], tlc.ZONE_COUNT, f"SELECT * FROM read_csv({quoted(landed.zones['path'])})")


def _rows_hide(landed: LandedMonth) -> Outcome:
    """By all that somebody who saw a trip may know. The minute is of no matter: it tells copies apart, no more."""
    k = k_of(landed.trips["url"])
    sql = """
        SELECT count(*) AS "rows" FROM source
        GROUP BY date_trunc('hour', tpep_pickup_datetime), tpep_dropoff_datetime - tpep_pickup_datetime,
                 PULocationID, DOLocationID"""
    fewest = landed.session.first_row(f'SELECT min("rows") AS fewest FROM ({sql})')["fewest"]
    return Outcome(
        k > 0 and fewest >= k,
        f"at least {k} rows for each hour and duration, zone of pick-up and of drop-off",
        f"{fewest} rows at least",
        sql.replace("FROM source", f"FROM {quoted(landed.trips['path'])}").strip(),
    )


def _file(landed: LandedMonth, select: str, more: str = "") -> str:
    return f"{select} FROM {quoted(landed.trips['path'])} {more}".strip()


def _check(asset: dg.AssetKey, name: str, description: str, ask: Any, blocking: bool = True) -> Check[LandedMonth]:
    return Check(asset, name, description, ask, blocking)


ROWS_HIDE = _check(
    RAW_TRIPS, "rows_hide_among_others", "At least TAXI_MASK_K rows share times and zones with each row", _rows_hide
)
"""Asked of a masked lake alone."""

CHECKS = [
    _check(RAW_TRIPS, "has_rows", "The landed file has as many rows as the job counted, and some", _has_rows),
    _check(RAW_TRIPS, "has_its_size", "The landed file is as large as the one that was fetched", _has_its_size),
    _check(RAW_TRIPS, "has_its_content", "The landed file's SHA-256 is that of what was fetched", _has_its_content),
    _check(
        RAW_TRIPS,
        "columns_are_known",
        "The file has no column that the contract does not know",
        _columns_are_known,
        blocking=False,
    ),
    _check(
        RAW_TRIPS,
        "columns_are_complete",
        "The file has every column that the TLC's files have had since before its month",
        _columns_are_complete,
        blocking=False,
    ),
    _check(
        RAW_TRIPS,
        "types_are_those_of_the_era",
        "Each column has the physical type that it has had since before the file's month",
        _types_are_those_of_the_era,
        blocking=False,
    ),
    _check(RAW_ZONES, "has_all_zones", "The zone lookup lists all 265 zones", _has_all_zones),
]
