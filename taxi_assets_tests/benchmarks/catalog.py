"""What the catalog costs as months grow: a commit, planning a month's read, ``status``, a query; to 190 months.

    make bench-catalog                                  at 12, 48, 95 and 190 months of 116 files of trips
    make bench-catalog BENCH="--months 12,24 --files 20"

The files have one row: what is measured is the catalog's part, not the data's. Each operation is a process of its own,
so that its memory is its alone; its processor seconds are those of the operation, without imports. Wall-clock seconds
are left out: on a shared machine they say nothing.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from itertools import islice, product
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table as Shown

from glue_jobs.contracts import CURATED_TABLES, MONTHLY_TABLES, TRIPS, Table
from glue_jobs.contracts.categories import CATEGORIES
from glue_jobs.contracts.months import days_of, month_bounds, month_of, number_of
from glue_jobs.contracts.raw import TRIPS_DATASET
from taxi_assets.lake.catalog import iceberg_schema
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.publishing import month_filter
from taxi_assets.lake.status import lake_status
from taxi_assets_tests.benchmarks.processes import Measured

_FIRST = "2009-01"
_TIMES_OF_DAY = [one.value for one in CATEGORIES if one.column == "time_of_day_category"]
_VERSION = "v"


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--months", default="12,48,95,190", help="how many are published when it is measured")
    parser.add_argument("--files", type=int, default=116, help="of trips, a month")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--do", nargs=3, help=argparse.SUPPRESS)  # what each process is started for
    arguments = parser.parse_args()
    if arguments.do:
        _do(*arguments.do)
        return
    console, published = Console(), 0
    shown = Shown("months", "files", *OPERATIONS, "metadata KiB", "snapshots")
    first: dict[str, Measured] = {}
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.in_folder(Path(folder))
        for point in map(int, arguments.months.split(",")):
            while published < point:
                published += 1
                publish(lake, _month(published), arguments.files)
            found = _measured(lake, published, arguments.rounds, arguments.files)
            first = first or found
            told = [_told(one, first[name]) for name, one in found.items()]
            shown.add_row(str(point), str(point * arguments.files), *told, *_size(lake))
            console.print(f"{point} months:", *told, highlight=False)
            published += arguments.rounds  # each measured commit was another month
    console.print(shown)
    console.print("processor seconds, median (ratio to the first row); peak memory of the process, imports included")


def _month(number: int) -> str:
    return month_of(number_of(_FIRST) + number - 1)


def publish(lake: Lake, month: str, files: int) -> None:
    """A month of every table, and its file in the ledger; trips are ``files`` files, the others one."""
    sha256 = f"of {month}"
    landed = {"url": "https://example.org", "path": f"{lake.paths.raw}/{month}", "etag": "e", "sha256": sha256}
    report = {**landed, "bytes": 1, "rows": files, "physical_schema": {"VendorID": "int32"}}
    lake.ledger.record(month, TRIPS_DATASET, report, "run")
    for table in MONTHLY_TABLES.values():
        _write(lake, table, month, files)
        lineage = {"run_id": "r" * 36, "source_sha256": sha256, "contract_version": str(table.version)}
        if table.name in CURATED_TABLES:
            lineage["staging_version"] = _VERSION
        lake.publisher.publish(table, month, _VERSION, lineage, replacing=None)


def _write(lake: Lake, table: Table, month: str, files: int) -> None:
    """The files that a job would write of a month, with a row in each."""
    version = Path(lake.paths.version(table, month, _VERSION))
    schema = pa.schema([pa.field(field.name, field.type) for field in iceberg_schema(table).as_arrow()])
    first, _ = month_bounds(month)
    partitions: list[dict[str, Any]] = [{"month": month}]
    if table is TRIPS:
        days = [first.replace(day=day + 1) for day in range(days_of(month))]
        of_days = islice(product(days, _TIMES_OF_DAY), files)
        partitions = [{"month": month, "pickup_date": day, "time_of_day_category": time} for day, time in of_days]
    version.mkdir(parents=True)
    for number, row in enumerate(partitions):
        pq.write_table(pa.Table.from_pylist([row], schema=schema), version / f"part-{number}.parquet")


def _measured(lake: Lake, published: int, rounds: int, files: int) -> dict[str, Measured]:
    """Each operation, the median of so many processes."""
    newest = _month(published)
    found: dict[str, list[Measured]] = {name: [] for name in OPERATIONS}
    for number in range(1, rounds + 1):
        following = _month(published + number)
        _write(lake, TRIPS, following, files)
        for name, each in found.items():
            each.append(_process(name, lake.paths.root, following if name == COMMIT else newest))
    return {
        name: Measured(cpu=statistics.median(one.cpu for one in each), peak=max(one.peak for one in each))
        for name, each in found.items()
    }


def _process(name: str, root: str, month: str) -> Measured:
    """What an operation costs in a process of its own."""
    command = [sys.executable, "-m", "taxi_assets_tests.benchmarks.catalog", "--do", name, root, month]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Measured(**json.loads(done.stdout))


def _do(name: str, root: str, month: str) -> None:
    """One operation on the lake; prints the processor seconds of it, and the peak memory of the whole process."""
    lake = Lake.in_folder(Path(root))
    begun = time.process_time()
    OPERATIONS[name](lake, month)
    cpu = time.process_time() - begun
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    print(json.dumps({"cpu": cpu, "peak": int(peak.split()[1]) / 1024}))


def _commit(lake: Lake, month: str) -> None:
    lake.publisher.publish(TRIPS, month, _VERSION, {"run_id": "r" * 36}, replacing=None)


def _plan(lake: Lake, month: str) -> None:
    found = lake.catalog.find(TRIPS)
    assert found is not None
    assert list(found.scan(row_filter=month_filter(month)).plan_files())


def _status(lake: Lake, month: str) -> None:
    assert month in {one.month for one in lake_status(lake)}


def _query(lake: Lake, month: str) -> None:
    sql = f"SELECT count(*) FROM staging.trips WHERE month = '{month}'"
    with closing(lake.connect(sql)) as connection:
        assert connection.execute(sql).fetchall() != [(0,)]


COMMIT = "commit of a month"
OPERATIONS: dict[str, Callable[[Lake, str], None]] = {
    COMMIT: _commit,
    "plan of a month": _plan,
    "status": _status,
    "query of a month": _query,
}


def _told(one: Measured, at_first: Measured) -> str:
    return f"{one.cpu:.2f} s ({one.cpu / at_first.cpu:.2f}), {one.peak:.0f} MiB"


def _size(lake: Lake) -> tuple[str, str]:
    """Of the trips' newest metadata file, and how many snapshots it knows."""
    found = lake.catalog.find(TRIPS)
    assert found is not None
    return f"{Path(found.metadata_location).stat().st_size / 1024:.0f}", str(len(found.metadata.snapshots))


if __name__ == "__main__":
    main()
