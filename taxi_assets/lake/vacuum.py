"""Files that nothing refers to any more: what failed runs left, and versions that nobody can go back to.

Belongs here: telling them from what is needed, with the reason, and deleting them. Does not: expiring snapshots, by
which versions come to be out of reach (``maintenance``), the logs, or files of the raw layer that are whole.

What is needed is asked of the tables. A path that is not understood is kept and named, and so is a whole table about
which there is a doubt.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pyiceberg.table import Table as IcebergTable

from glue_jobs.contracts import MONTHLY_TABLES, TABLES, Table
from taxi_assets.lake.catalog import reading
from taxi_assets.lake.files import Entry, below
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.maintenance import live_files, needed_files
from taxi_assets.lake.paths import VERSION, is_below
from taxi_assets.lake.records import known_versions, records

_LAYERS = ("staging", "curated", "reference")
"""Without raw, which cannot be made again, and quality, of which ``maintenance`` deletes what no snapshot needs."""
_MONTH = re.compile(r"month=\d{4}-\d{2}")
_PLAIN_COPY = re.compile(r"\.plain-\w+")
"""``glue_jobs.files.with_plain_columns``."""
_REPORT = re.compile(rf"({VERSION.pattern})\.html")
_BEGUN_REPORT = re.compile(rf"\.{VERSION.pattern}\.html\.incoming")
"""``texts.write_text``."""
_BEGUN_LANDING = re.compile(r"dataset=.*\.[0-9a-f]{32}\.incoming")
"""``glue_jobs.files.land_by_content``, below ``raw``."""
_ICEBERG = {"metadata": (".metadata.json", ".avro", ".puffin", ".stats"), "data": (".parquet",)}
"""Folder to the endings of Iceberg's own files in it."""
_NUMBER = re.compile(r"(\d+)-[^/]*\.metadata\.json$")

_NEVER_PUBLISHED = "never published: its run failed, was refused or was killed"
_EXPIRED = "its snapshots have expired: nobody can go back to it"
_NO_SNAPSHOT = "no snapshot names them"
_KILLED = "a run that was killed left it"
_OLD_REPORT = "older than every version of its month that can be gone back to"
_NOT_UNDERSTOOD = "not known to be of this project"


@dataclass(frozen=True)
class Group:
    """Files at or below ``path`` that go or stay for one reason; ``changed`` is of the youngest, UTC.

    ``folders`` are those that go with them, on a disk.
    """

    path: str
    why: str
    files: tuple[str, ...]
    folders: tuple[str, ...]
    bytes: int
    changed: datetime


@dataclass(frozen=True)
class Plan:
    """What is to be deleted (``leftovers``), what will be when it is older (``young``), and what was not understood."""

    leftovers: tuple[Group, ...]
    young: tuple[Group, ...]
    kept: tuple[Group, ...]

    @property
    def bytes(self) -> int:
        """That deleting sets free."""
        return sum(group.bytes for group in self.leftovers)


@dataclass(frozen=True)
class _Needs:
    """What a table refers to: ``files``, and versions by the names of their folders, ``month=…/version=…``.

    ``doubt`` says why nothing of the table may go; it is empty if all is understood.
    """

    doubt: str = ""
    files: Collection[str] = ()
    versions: Collection[str] = ()
    expired: Collection[str] = ()


@dataclass
class _Sorter:
    """Sorts what is not needed into the three parts of a plan; ``before`` is the time of which the youngest may be."""

    before: datetime
    leftovers: list[Group] = field(default_factory=list)
    young: list[Group] = field(default_factory=list)
    kept: list[Group] = field(default_factory=list)

    def unneeded(self, path: str, why: str, entries: Sequence[Entry]) -> None:
        """What goes when all of it is old enough."""
        group = _group(path, why, entries)
        (self.leftovers if group.changed < self.before else self.young).append(group)

    def each_unneeded(self, path: str, why: str, entries: Sequence[Entry]) -> None:
        """Files of which each goes when it is old enough."""
        for is_old in (True, False):
            if of_age := [entry for entry in entries if (entry.changed < self.before) is is_old]:
                self.unneeded(path, why, of_age)

    def keep(self, path: str, why: str, entries: Sequence[Entry]) -> None:
        """What is not understood."""
        self.kept.append(_group(path, why, entries))


def plan(lake: Lake, before: datetime) -> Plan:
    """What may go of what was changed last ``before`` that time (UTC), which has to be longer ago than any run takes.

    CatalogUnavailable if a table cannot be read, then nothing may.
    """
    # First the listing: what is committed after it is not in it.
    found = {layer: list(below(f"{lake.paths.root}/{layer}")) for layer in _LAYERS}
    reports = list(below(lake.paths.all_reports))
    # In S3 an upload is nowhere until it is whole.
    landed = [] if lake.paths.root.startswith("s3://") else list(below(lake.paths.raw))
    sorter = _Sorter(before)
    needs: dict[str, _Needs] = {}
    for layer, entries in found.items():
        folder = f"{lake.paths.root}/{layer}"
        by_name = _by_first_part(folder, entries)
        for table in (table for table in TABLES.values() if table.layer == layer):
            of_table = by_name.pop(table.name, [])
            needs[table.full_name] = _needs(lake, table, of_table, before)
            _sort_table(sorter, lake.paths.table(table), of_table, needs[table.full_name])
        for name, of_nobody in by_name.items():
            if files := _files(of_nobody):
                sorter.keep(f"{folder}/{name}", _NOT_UNDERSTOOD, files)
    _sort_reports(sorter, lake.paths.all_reports, reports, needs)
    for entry in _files(landed):
        if _BEGUN_LANDING.fullmatch(entry.path.removeprefix(f"{lake.paths.raw}/")):
            sorter.unneeded(entry.path, _KILLED, [entry])
    return Plan(_in_order(sorter.leftovers), _in_order(sorter.young), _in_order(sorter.kept))


def carry_out(lake: Lake, planned: Plan) -> Iterator[Group]:
    """Delete the leftovers, and give each when it is gone. NotDeleted or AwsError if one cannot be."""
    for group in planned.leftovers:
        lake.delete(group.files, group.folders)
        yield group


def _needs(lake: Lake, table: Table, entries: Sequence[Entry], before: datetime) -> _Needs:
    folder, listed = lake.paths.table(table), {entry.path for entry in _files(entries)}
    iceberg = lake.catalog.find(table)
    if iceberg is None and not listed:
        return _Needs()
    if iceberg is None:
        return _Needs(f"the catalog has no table {table.full_name}: another one may")
    with reading(table):
        needed, live = needed_files(iceberg), live_files(iceberg)
    if missing := sorted(live - listed):
        return _Needs(f"{table.full_name} needs {missing[0]}, which was not found below it (taxi-assets catalog check)")
    if strays := sorted(file for file in needed if not is_below(file, folder)):
        return _Needs(f"{table.full_name} needs {strays[0]}, which is not named as its other files are")
    old = (entry.path for entry in _files(entries) if entry.changed < before)
    if newer := sorted(file for file in old if _number(file) > _number(iceberg.metadata_location)):
        return _Needs(
            f"the catalog is older than {newer[-1]}: it may have been brought back from a backup; when all is as it "
            "should be, delete that file"
        )
    return _Needs("", needed, *_versions(iceberg, folder, needed))


def _versions(iceberg: IcebergTable, folder: str, needed: Iterable[str]) -> tuple[set[str], set[str]]:
    """Folders of versions that can be gone back to or have files that are needed, and of those that were published."""
    reachable = {(one.month, one.version) for one in records(iceberg)}  # also those without a file
    known = {(month, name) for month in {month for month, _ in reachable} for name in known_versions(iceberg, month)}
    of_files = {"/".join(file.removeprefix(f"{folder}/").split("/")[:2]) for file in needed if "/version=" in file}
    return of_files | {_folder(*one) for one in reachable}, {_folder(*one) for one in known}


def _folder(month: str, version: str) -> str:
    return f"month={month}/version={version}"


def _number(file: str) -> int:
    """How many commits made the table's metadata what it is in this file; -1 for other files."""
    found = _NUMBER.search(file)
    return int(found[1]) if found else -1


def _sort_table(sorter: _Sorter, folder: str, entries: Sequence[Entry], needs: _Needs) -> None:
    """What lies in a table's folder and is not needed."""
    if needs.doubt:
        if files := _files(entries):
            sorter.keep(folder, needs.doubt, files)
        return
    groups: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        name, why = _of_table(entry.path.removeprefix(f"{folder}/").split("/"), needs)
        if entry.path not in needs.files and name not in needs.versions and (why or not entry.is_folder):
            groups[name, why].append(entry)
    for (name, why), of_group in groups.items():
        sort = sorter.each_unneeded if why == _NO_SNAPSHOT else sorter.unneeded if why else sorter.keep
        sort(f"{folder}/{name}", why or _NOT_UNDERSTOOD, of_group)


def _of_table(parts: Sequence[str], needs: _Needs) -> tuple[str, str]:
    """What goes together with a path below a table's folder, and why it may go if it is not needed.

    No reason for what is not understood, and for folders of several versions or of Iceberg.
    """
    first, second = (*parts, "")[:2]
    name = f"{first}/{second}" if second else first
    if second and parts[-1].endswith(_ICEBERG.get(first, ())):
        return first, _NO_SNAPSHOT
    if _MONTH.fullmatch(first) and second.startswith("version=") and VERSION.fullmatch(second.removeprefix("version=")):
        return name, _EXPIRED if name in needs.expired else _NEVER_PUBLISHED
    return name, _KILLED if _MONTH.fullmatch(first) and _PLAIN_COPY.fullmatch(second) else ""


def _sort_reports(sorter: _Sorter, folder: str, entries: Sequence[Entry], needs: Mapping[str, _Needs]) -> None:
    """Reports but for the newest of each month, and those begun since the oldest version that can be gone back to."""
    files = _files(entries)
    if doubtful := [name for name in MONTHLY_TABLES if needs[name].doubt]:
        if files:
            sorter.keep(folder, f"which versions can be gone back to is not known of {', '.join(doubtful)}", files)
        return
    reachable: dict[str, list[str]] = defaultdict(list)
    for name in MONTHLY_TABLES:
        for version_folder in needs[name].versions:
            month, _, version = version_folder.partition("/version=")
            reachable[month].append(version)
    for month, of_month in _by_first_part(folder, files).items():
        names = {entry.path: entry.path.removeprefix(f"{folder}/{month}/") for entry in of_month}
        reports = {path: found[1] for path, name in names.items() if (found := _REPORT.fullmatch(name))}
        versions = reachable[month]
        # Names of versions are in the order of time; of one that is named otherwise, it cannot be told.
        oldest = min(versions) if versions and all(map(VERSION.fullmatch, versions)) else ""
        newest = max(reports.values(), default="")
        for entry in of_month:
            if entry.path in reports and _MONTH.fullmatch(month):
                if reports[entry.path] < oldest and reports[entry.path] != newest:
                    sorter.unneeded(entry.path, _OLD_REPORT, [entry])
            elif _BEGUN_REPORT.fullmatch(names[entry.path]):
                sorter.unneeded(entry.path, _KILLED, [entry])
            else:
                sorter.keep(entry.path, _NOT_UNDERSTOOD, [entry])


def _by_first_part(folder: str, entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """Name of what lies right in ``folder``, to the entries that it is or that lie below it."""
    found: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        found[entry.path.removeprefix(f"{folder}/").partition("/")[0]].append(entry)
    return found


def _in_order(groups: Iterable[Group]) -> tuple[Group, ...]:
    return tuple(sorted(groups, key=lambda group: group.path))


def _files(entries: Iterable[Entry]) -> list[Entry]:
    return [entry for entry in entries if not entry.is_folder]


def _group(path: str, why: str, entries: Sequence[Entry]) -> Group:
    return Group(
        path,
        why,
        files=tuple(sorted(entry.path for entry in entries if not entry.is_folder)),
        folders=tuple(sorted(entry.path for entry in entries if entry.is_folder)),
        bytes=sum(entry.bytes for entry in entries),
        changed=max(entry.changed for entry in entries),
    )
