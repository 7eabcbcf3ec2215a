"""The engine of a laptop, and of AWS without a workgroup: one DuckDB in memory for each set of snapshots.

Belongs here: loading what a set of snapshots shows, and answering from it. Does not: SQL that a command asks once
(``lake.reading`` opens the files for it), or Redshift.

All tables are loaded but the trips, which stay on disk as raw files do, and are views. What a view over the trips says
of a month is kept from the first question on that has one month among its values. Strings of curated and reference
tables are sorted ENUMs: grouped by VARCHAR in memory they are slower than from Parquet (p95 108 ms), as ENUM the
fastest (p95 30 ms; 36 months, 1.0 M rows). Nothing is written to a database file: reader and writer would fight over
it.

A commit makes a new database, beside the one that is being asked, which takes over the months whose files are the same;
then the two are swapped. Whoever is being answered keeps the old one until it is done.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import duckdb
import pyarrow as pa

from glue_jobs.contracts import TABLES, TRIPS, Table
from glue_jobs.contracts.model import Type
from taxi_assets.lake.catalog_file import versions_of_tables
from taxi_assets.lake.duck import connect
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.reading import open_query_log, open_raw_views, quoted, refuse_no_query, select_files
from taxi_assets.lake.snapshots import Snapshot, moment, newest
from taxi_assets.warehouse.engine import QueryFailed
from taxi_assets.warehouse.query_log import QUERY_LOG
from taxi_assets.warehouse.question import Value, bind
from taxi_assets.warehouse.view import SCHEMA, View, views

_ON_DISK = {TRIPS.full_name}
_LOADED = [table for name, table in TABLES.items() if name not in _ON_DISK]
_MONTH = "month"
_MOMENTS = 4
"""Databases of earlier moments that are kept, the ones asked last."""
_KEPT = "kept"
"""The schema of what is kept of views over tables on disk, a table a view and month."""
_KEPT_MONTHS = 12
"""Of a view, the one asked first is dropped for another: zone_demand takes up to 6 MB a month."""
_KEPT_VIEWS = [view for view in views().values() if _ON_DISK & set(view.tables)]

_Files = dict[str, dict[str, tuple[str, ...]]]
"""Table to month (empty where it has none) to the files of its rows."""


class _Database:
    """One set of snapshots in memory; what it says never changes."""

    def __init__(self, lake: Lake, snapshots: Mapping[str, Snapshot], before: _Database | None) -> None:
        self.files: _Files = {name: _files(lake, table, snapshots.get(name)) for name, table in TABLES.items()}
        self.connection = connect()
        self._keeping = threading.Lock()
        self._kept: dict[str, list[str]] = {view.name: [] for view in _KEPT_VIEWS}
        for schema in dict.fromkeys([*(table.layer for table in TABLES.values()), QUERY_LOG.layer, SCHEMA, _KEPT]):
            self.connection.execute(f"CREATE SCHEMA {schema}")
        for table in _LOADED:
            self._load(table, before)
        for name in _ON_DISK:
            files = [file for month in self.files[name].values() for file in month]
            self.connection.execute(f"CREATE VIEW {name} AS {select_files(TABLES[name], files)}")
        until = max((one.committed_at for one in snapshots.values()), default=None)
        open_raw_views(self.connection, lake.ledger, until)
        open_query_log(self.connection, lake.paths.root)
        for view in views().values():
            self.connection.execute(f"CREATE VIEW {view.table.full_name} AS {view.sql}")
        self.connection.execute(f"SET allowed_directories = [{quoted(lake.paths.root + '/')}]")
        self.connection.execute("SET enable_external_access = false")
        self.connection.execute("SET lock_configuration = true")

    def keep(self, sql: str, values: Iterable[Value]) -> None:
        """Have in memory what a view over tables on disk that ``sql`` names says of the one month among ``values``."""
        months = {value for value in values if isinstance(value, str) and value in self.files[TRIPS.full_name]}
        for view in _KEPT_VIEWS if len(months) == 1 else ():
            if view.name in sql and not months.issubset(self._kept[view.name]):
                with self._keeping:
                    self._keep(view, *months)

    def _keep(self, view: View, month: str) -> None:
        if month in self._kept[view.name]:  # by whoever had the lock before
            return
        kept = [*self._kept[view.name], month]
        tables = [f'{_KEPT}."{view.name}_{one}"' for one in kept]
        with self.connection.cursor() as cursor:  # whoever asks meanwhile sees the view as it was
            cursor.execute("BEGIN")
            cursor.execute(f"CREATE TABLE {tables[-1]} AS SELECT * FROM ({view.sql}) WHERE {_MONTH} = {quoted(month)}")
            if len(kept) > _KEPT_MONTHS:
                cursor.execute(f"DROP TABLE {tables.pop(0)}")
                kept.pop(0)
            of_kept = " UNION ALL ".join(f"FROM {table}" for table in tables)
            # DuckDB opens no file for a month that the condition leaves out.
            others = f"SELECT * FROM ({view.sql}) WHERE {_MONTH} NOT IN ({', '.join(map(quoted, kept))})"
            cursor.execute(f"CREATE OR REPLACE VIEW {view.table.full_name} AS {of_kept} UNION ALL {others}")
            cursor.execute("COMMIT")
        self._kept[view.name] = kept

    def _load(self, table: Table, before: _Database | None) -> None:
        """Load a table: months whose files ``before`` has as well are taken from it, the others are read."""
        name, months = table.full_name, self.files[table.full_name]
        earlier = before.files[name] if before is not None else {}
        kept = [month for month, files in months.items() if earlier.get(month) == files]
        read = [file for month, files in months.items() if month not in kept for file in files]
        rows = select_files(table, read)
        if kept and before is not None:
            condition = "" if kept == [""] else f" WHERE {_MONTH} IN ({', '.join(map(quoted, kept))})"
            with before.connection.cursor() as cursor:
                same = cursor.sql(f"SELECT * FROM {name}{condition}").to_arrow_table()
            self.connection.register("same", same)
            rows = f"SELECT * FROM same UNION ALL BY NAME {rows}"
        self.connection.execute(f"CREATE TEMP TABLE rows AS {rows}")
        chosen = []
        for column in table.columns:
            if column.type is not Type.STRING or table.layer not in ("curated", "reference"):
                chosen.append(f'"{column.name}"')
                continue
            kind = f'{table.layer}."{table.name}_{column.name}"'
            values = f'SELECT DISTINCT "{column.name}" FROM rows WHERE "{column.name}" IS NOT NULL ORDER BY 1'
            self.connection.execute(f"CREATE TYPE {kind} AS ENUM ({values})")
            chosen.append(f'"{column.name}"::VARCHAR::{kind} AS "{column.name}"')
        self.connection.execute(f"CREATE TABLE {name} AS SELECT {', '.join(chosen)} FROM rows")
        self.connection.execute("DROP TABLE rows")
        if kept:
            self.connection.unregister("same")


def _files(lake: Lake, table: Table, snapshot: Snapshot | None) -> dict[str, tuple[str, ...]]:
    if snapshot is None:
        return {}
    found: dict[str, list[str]] = defaultdict(list)
    for month, file in lake.catalog.files_by_month(table, snapshot.snapshot_id):
        found[month].append(file)
    return {month: tuple(sorted(files)) for month, files in sorted(found.items())}


class MemoryEngine:
    """DuckDB in memory over a lake; ``engine.Engine`` says what it does."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._swap = threading.Lock()
        self._now: tuple[str, _Database] | None = None
        self._then: OrderedDict[str, _Database] = OrderedDict()

    def state(self, as_of: str | None = None) -> str:
        """What the catalog says is the newest metadata of each table; for a moment, the snapshots of then."""
        if as_of is None:
            if self._lake.paths.root.startswith("s3://"):
                return "\n".join(self._lake.catalog.metadata_locations(TABLES.values()))
            return versions_of_tables(Path(self._lake.paths.root))
        seen = moment(self._lake.catalog, as_of).snapshots
        return ",".join(f"{name}={one.snapshot_id}" for name, one in sorted(seen.items()))

    def run(
        self, sql: str, parameters: Mapping[str, Value] | None = None, *, label: str, as_of: str | None = None
    ) -> pa.Table:
        """See ``engine.Engine``. What was committed before the call is seen. QueryRefused if it is no single SELECT."""
        bound, _ = bind(sql, parameters or {}, lambda name: f"${name}")
        with self._lake.query_log(sql, label) as entry:
            database = self._at(as_of) if as_of is not None else self._newest()
            try:
                with database.connection.cursor() as cursor:
                    refuse_no_query(cursor, bound)
                    database.keep(bound, (parameters or {}).values())
                    answer = cursor.sql(bound, params=dict(parameters or {})).to_arrow_table()
            except duckdb.Error as error:
                raise QueryFailed(str(error), 'taxi-assets query "SHOW TABLES" lists what can be asked') from error
            entry.rows = answer.num_rows
        return _plain(answer)

    def apply(self) -> list[str]:
        """Nothing: each database is made with all views."""
        return []

    def close(self) -> None:
        """Forget what is in memory."""
        with self._swap:
            self._now = None
            self._then.clear()

    def _newest(self) -> _Database:
        state, now = self.state(), self._now
        if now is None or now[0] != state:
            with self._swap:
                state, now = self.state(), self._now  # they may have changed while another thread loaded
                if now is None or now[0] != state:
                    now = (state, _Database(self._lake, newest(self._lake.catalog), now[1] if now else None))
                    self._now = now
        return now[1]

    def _at(self, as_of: str) -> _Database:
        then = moment(self._lake.catalog, as_of)
        key = ",".join(f"{name}={one.snapshot_id}" for name, one in sorted(then.snapshots.items()))
        with self._swap:
            if key not in self._then:
                before = self._now[1] if self._now else None
                self._then[key] = _Database(self._lake, then.snapshots, before)
            self._then.move_to_end(key)
            while len(self._then) > _MOMENTS:
                self._then.popitem(last=False)
            return self._then[key]


def _plain(answer: pa.Table) -> pa.Table:
    """The answer with strings for ENUMs, which are an affair of this engine."""
    fields = [field.with_type(pa.string()) if pa.types.is_dictionary(field.type) else field for field in answer.schema]
    return answer.cast(pa.schema(fields))
