"""A lake of years that is made in seconds: copies of one month with their dates moved.

Belongs here: making it. Does not: asking it.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb

from glue_jobs.contracts import CALENDAR, MONTHLY_TABLES, TRIPS, ZONES, Table
from glue_jobs.contracts.model import Type
from glue_jobs.contracts.months import days_of, month_of, number_of
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.reading import parquet_scan
from taxi_assets.lake.reference import publish
from taxi_assets.reference.calendar import rows

NEWEST = "2025-12"
_DAYS_OF_ALL = 28
"""Days that every month has: the others of the month that is copied are left out."""


def lake_like(one: Path, folder: Path, months: int) -> Lake:
    """A lake of so many months, each with the curated rows and the quarantine of the newest month of ``one``.

    Its newest month is ``NEWEST``, the only one with trips.
    """
    source, lake = Lake.in_folder(one), Lake.in_folder(folder)
    publish(lake.catalog, CALENDAR, rows(date.fromisoformat(f"{NEWEST}-01")))
    if (zones := source.catalog.find(ZONES)) is not None:
        publish(lake.catalog, ZONES, zones.scan().to_arrow())
    with duckdb.connect() as connection:
        for table in MONTHLY_TABLES.values():
            live = list(source.publisher.months(table).values())[-1]
            files = [file for file in source.publisher.files(table) if f"month={live.month}/" in file]
            first = number_of(NEWEST) - months + 1 if table is not TRIPS else number_of(NEWEST)
            for number in range(first, number_of(NEWEST) + 1):
                month = month_of(number)
                version = Path(lake.paths.version(table, month, "v"))
                version.mkdir(parents=True)
                for file in files:  # as many as the job writes: opening them is what is timed
                    to = version / Path(file).relative_to(live.path)
                    to.parent.mkdir(parents=True, exist_ok=True)
                    select = _moved(table, [file], live.month, month)
                    connection.execute(f"COPY ({select}) TO '{to}' (FORMAT parquet)")
                lake.publisher.publish(table, month, "v", {}, replacing=None)
    return lake


def _moved(table: Table, files: list[str], of: str, to: str) -> str:
    """A SELECT of the rows of the files, of the month ``of``, as rows of the month ``to``."""
    columns = []
    for column in table.columns:
        moved = f"(DATE '{to}-01' + ({column.name} - DATE '{of}-01')::INTEGER)::DATE AS {column.name}"
        columns.append(moved if column.type is Type.DATE else column.name)
    where = f"WHERE dayofmonth(pickup_date) <= {min(_DAYS_OF_ALL, days_of(to))}" if "pickup_date" in table.grain else ""
    selected = ", ".join(columns).replace("month,", f"'{to}' AS month,", 1)
    return f"SELECT {selected} FROM {parquet_scan(files)} {where}"
