"""Audits of a landed month, before the ledger says that it is in force."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from glue_jobs.contracts import tlc
from glue_jobs.files import open_file_system
from taxi_assets.asset_checks.audit import Audit, Outcome, expect, first_row
from taxi_assets.asset_keys import RAW_TRIPS, RAW_ZONES
from taxi_assets.lake.reading import parquet_scan


@dataclass(frozen=True)
class LandedMonth:
    """What ``ingest_raw`` reports of a month: facts of the trip file and of the zone lookup."""

    month: str
    trips: Mapping[str, Any]
    zones: Mapping[str, Any]


def _has_rows(landed: LandedMonth) -> Outcome:
    rows = first_row(f"SELECT count(*) AS n FROM {parquet_scan([landed.trips['path']])}")["n"]
    return Outcome(rows == landed.trips["rows"] and rows != 0, {"expected": landed.trips["rows"], "actual": rows})


def _has_its_size(landed: LandedMonth) -> Outcome:
    system, path = open_file_system(landed.trips["path"])
    return expect(system.get_file_info(path).size, landed.trips["bytes"])


def _columns_are_known(landed: LandedMonth) -> Outcome:
    unknown = landed.trips["unknown_columns"]
    return Outcome(not unknown, {"expected": "columns of the contract", "unknown_columns": unknown})


def _columns_are_complete(landed: LandedMonth) -> Outcome:
    since = {column.name: column.since for column in tlc.TRIP_COLUMNS}
    missing = [name for name in landed.trips["absent_columns"] if since[name] <= landed.month]
    return Outcome(not missing, {"expected": f"every column that files of {landed.month} have", "absent": missing})


def _has_all_zones(landed: LandedMonth) -> Outcome:
    return expect(landed.zones["rows"], tlc.ZONE_COUNT)


def _audit(asset: dg.AssetKey, name: str, description: str, ask: Any, blocking: bool = True) -> Audit[LandedMonth]:
    return Audit(asset, name, description, ask, blocking)


AUDITS = [
    _audit(RAW_TRIPS, "has_rows", "The landed file has as many rows as the job counted, and some", _has_rows),
    _audit(RAW_TRIPS, "has_its_size", "The landed file is as large as the one that was fetched", _has_its_size),
    _audit(
        RAW_TRIPS,
        "columns_are_known",
        "The file has no column that the contract does not know; such a column stays in raw only",
        _columns_are_known,
        blocking=False,
    ),
    _audit(
        RAW_TRIPS,
        "columns_are_complete",
        "The file has every column, with a type, that the TLC's files have had since before its month",
        _columns_are_complete,
        blocking=False,
    ),
    _audit(RAW_ZONES, "has_all_zones", "The zone lookup lists all 265 zones", _has_all_zones),
]
