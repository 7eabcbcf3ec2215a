"""Whether the contracts, the catalog and the files say the same.

Belongs here: comparing them, and how to repair what differs. Does not: repairing (``bring_up_to_date``), or whether
the months fit together (``taxi_assets.lake.status``).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyiceberg.table import Table as IcebergTable

from glue_jobs.contracts import MONTHLY_TABLES, TABLES, Table
from glue_jobs.contracts.raw import TRIPS_DATASET, ZONES_DATASET
from glue_jobs.files import each_footer, parquet_files
from taxi_assets.aws.raw_table import expected_columns, folder_of, has_todays_types
from taxi_assets.lake.append_tables import LandedFile
from taxi_assets.lake.catalog import glue_columns, iceberg_schema, partition_spec, reading
from taxi_assets.lake.files import below
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.publishing import Publisher

_UPDATE = "taxi-assets catalog update"
REBUILD = "taxi-assets rebuild --yes"
Progress = Callable[[str, int, int], None]
"""Called with a table's name, files read so far and files in all."""


@dataclass(frozen=True)
class Fault:
    """Something that differs: in which table, what, how to repair it, and in which month; empty if it is of none."""

    table: str
    problem: str
    repair: str
    month: str = ""


def check_catalog(lake: Lake, progress: Progress = lambda *_: None) -> list[Fault]:
    """Everything that differs, in all tables; an empty list if nothing does. Reads the footer of every live file."""
    faults = []
    for table in TABLES.values():
        iceberg = lake.catalog.find(table)
        if iceberg is None:
            continue  # nothing of it was published yet; the first publication creates it
        faults += _schema_faults(table, iceberg)
        faults += _glue_faults(table, lake.catalog.columns_in_glue(table))
        faults += _file_faults(table, iceberg, progress)
        if table.full_name in MONTHLY_TABLES:
            faults += _changes_by_others(table, lake.publisher)
    return faults + _landed_faults(lake) + _raw_faults(lake)


def bring_up_to_date(lake: Lake) -> list[str]:
    """Create the tables that are missing, give all of them their contract's columns, comments and partitions.

    Returns what the catalog's ``raw.trips`` does not show, month by month, and why. No row is touched.
    """
    for table in TABLES.values():
        lake.catalog.bring_up_to_date(table)
    if lake.raw_trips is None:
        return []
    lake.raw_trips.bring_up_to_date()
    return [
        f"{file.month}: its file has physical types of before 2023-02; staging.trips has the month"
        for file in lake.ledger.all_current(TRIPS_DATASET)
        if not lake.raw_trips.put(file)
    ]


def _schema_faults(table: Table, iceberg: IcebergTable) -> list[Fault]:
    expected = {field.field_id: field for field in iceberg_schema(table).fields}
    actual = {field.field_id: field for field in iceberg.schema().fields}
    again = f"{table.full_name} cannot be evolved to its contract: restore the contract, or publish it as a new table"
    faults = [
        Fault(table.full_name, f"column {field.name} (field id {number}) is missing", _UPDATE)
        for number, field in expected.items()
        if number not in actual
    ]
    faults += [
        Fault(table.full_name, f"column {field.name} (field id {number}) is not in the contract", again)
        for number, field in actual.items()
        if number not in expected
    ]
    for number in expected.keys() & actual.keys():
        wanted, found = expected[number], actual[number]
        if (wanted.name, wanted.field_type) != (found.name, found.field_type):
            problem = f"field id {number} is {found.name} {found.field_type}, not {wanted.name} {wanted.field_type}"
            faults.append(Fault(table.full_name, problem, again))
        if wanted.doc != found.doc:
            faults.append(
                Fault(table.full_name, f"column {wanted.name} has another comment than the contract", _UPDATE)
            )
    if iceberg.spec().fields != partition_spec(table).fields:
        faults.append(Fault(table.full_name, f"is partitioned by {iceberg.spec()}, not by {table.partition_by}", again))
    return faults


def _glue_faults(table: Table, columns: Mapping[str, tuple[str, str]] | None) -> list[Fault]:
    """What the Glue table shows to those that do not read Iceberg's metadata; ``columns`` is None without Glue."""
    if columns is None:
        return []
    return [
        Fault(table.full_name, f"Glue shows {name} as {columns.get(name)}, not as {wanted}", _UPDATE)
        for name, wanted in glue_columns(table).items()
        if columns.get(name) != wanted
    ]


def _file_faults(table: Table, iceberg: IcebergTable, progress: Progress) -> list[Fault]:
    """Live files that are gone or damaged, and those whose rows, columns or Iceberg field ids (where they have any)
    are not as published."""
    by_folder: dict[str, dict[str, int]] = defaultdict(dict)
    with reading(table):
        tasks = list(iceberg.scan().plan_files())
    for task in tasks:
        version = task.file.file_path.partition("/version=")
        if table.full_name not in MONTHLY_TABLES:
            folder = f"{iceberg.location()}/data"
        elif version[1]:
            folder = f"{version[0]}/version={version[2].partition('/')[0]}"
        else:
            continue  # another program's, which counting rows tells
        by_folder[folder][task.file.file_path.removeprefix("file://")] = task.file.record_count
    faults, done, total = [], 0, sum(map(len, by_folder.values()))
    for folder, live in sorted(by_folder.items()):
        month = folder.partition("/month=")[2].partition("/")[0]
        of = f"{month}: " if month else ""
        gone = set(live) - set(parquet_files(folder))
        faults += [Fault(table.full_name, f"{of}{file} is gone", REBUILD, month) for file in sorted(gone)]
        there = sorted(set(live) - gone)
        for file, footer in zip(there, _footers(there), strict=True):
            if problem := _footer_fault(table, footer, live[file]):
                faults.append(Fault(table.full_name, f"{of}{file} {problem}", REBUILD, month))
        done += len(live)
        progress(table.full_name, done, total)
    return faults


def _changes_by_others(table: Table, publisher: Publisher) -> list[Fault]:
    """Months of which readers see other rows than were published."""
    published = publisher.months(table)
    return [
        Fault(
            table.full_name,
            f"{month}: readers see {rows:,} rows, not the {published[month].rows if month in published else 0:,} that "
            "were published: another program has changed it",
            f"taxi-assets run --month {month}",
            month,
        )
        for month, rows in publisher.changed_by_others(table).items()
    ]


@dataclass(frozen=True)
class _Footer:
    """Rows of a Parquet file, and column to Iceberg field id; None where the writer gave none (Sail writes none)."""

    rows: int
    field_ids: Mapping[str, int | None]


def _footers(files: Sequence[str]) -> list[_Footer | None]:
    """The files' footers; None for a file that has none any more."""
    try:
        return list(each_footer(files, _footer_of))
    except (pa.ArrowInvalid, OSError) as error:
        # PyArrow's OSError of a footer of garbage; what S3 or a disk refuses is not of the file.
        if isinstance(error, OSError) and "deserialize thrift" not in str(error):
            raise
        if len(files) == 1:
            return [None]
        return [footer for file in files for footer in _footers([file])]


def _footer_of(file: Any) -> _Footer:
    schema = file.schema_arrow
    ids = {field.name: (field.metadata or {}).get(b"PARQUET:field_id") for field in schema}
    numbers = {name: int(number) if number is not None else None for name, number in ids.items()}
    return _Footer(int(file.metadata.num_rows), numbers)


def _footer_fault(table: Table, footer: _Footer | None, rows: int) -> str:
    """What is wrong with a file; it may have fewer columns, as those of an earlier version of the contract."""
    if footer is None:
        return "is damaged: it cannot be read as Parquet"
    if footer.rows != rows:
        return f"has {footer.rows} rows, the table says {rows}"
    fields = footer.field_ids
    known = {column.name: column.field_id for column in table.columns}
    if strange := sorted(fields.keys() - known.keys()):
        return f"has columns that the contract does not know: {', '.join(strange)}"
    wrong = [f"{name} {number}" for name, number in fields.items() if number not in (None, known[name])]
    return f"has other field ids than the contract: {', '.join(wrong)}" if wrong else ""


def _landed_faults(lake: Lake) -> list[Fault]:
    """Files in force that are gone, or not as large as they were when they were landed.

    Not the map of zones: no month is made of it, and a run fetches it when its table is gone.
    """
    faults = []
    for name, dataset in (("raw.trips", TRIPS_DATASET), ("raw.zones", ZONES_DATASET)):
        there = {entry.path: entry.bytes for entry in below(f"{lake.paths.raw}/dataset={dataset}")}
        for path, file in {file.path: file for file in lake.ledger.all_current(dataset)}.items():
            if there.get(path) != file.bytes:
                what = f"has {there[path]} bytes, landed were {file.bytes}" if path in there else "is gone"
                repair = fetch_again(file)
                faults.append(Fault(name, f"{file.month}: {path} {what}", repair, file.month))
    return faults


def fetch_again(file: LandedFile) -> str:
    """How to repair a raw file, which cannot be made of anything else in the lake."""
    return f"taxi-assets run --month {file.month}, which lands it again if its source still has it"


def _raw_faults(lake: Lake) -> list[Fault]:
    """Months that the catalog's plain table over the raw files shows wrongly, or not though it could."""
    if lake.raw_trips is None:
        return []
    name, columns = "raw.trips", lake.raw_trips.columns()
    files = lake.ledger.all_current(TRIPS_DATASET)
    expected = {file.month: folder_of(file) for file in files if has_todays_types(json.loads(file.physical_schema))}
    if expected and columns != expected_columns():
        return [Fault(name, "the plain table over the raw files is missing, or has other columns", _UPDATE)]
    return [Fault(name, problem, _UPDATE) for problem in _differences(expected, lake.raw_trips.locations())]


def _differences(expected: Mapping[str, str], actual: Mapping[str, str]) -> Iterable[str]:
    for month in sorted(expected.keys() | actual.keys()):
        wanted, found = expected.get(month, "no file that it can show"), actual.get(month, "not there")
        if month not in expected or month not in actual or wanted != found:
            yield f"{month} is {found}, in force is {wanted}"
