"""The published versions, and the warehouse's views over them, as views that SQL can be asked of.

Belongs here: DuckDB over the files that Iceberg says are live, or were. Does not: what the warehouse's views say.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Any

import duckdb

from glue_jobs.contracts import LAYERS, RAW_FILES, TABLES, Table
from glue_jobs.contracts.model import Column, Type
from glue_jobs.contracts.raw import TRIPS_DATASET, ZONES_DATASET
from glue_jobs.errors import PipelineError
from taxi_assets.lake.duck import connect
from taxi_assets.lake.paths import LakePaths
from taxi_assets.warehouse.names import described, full_name
from taxi_assets.warehouse.query_log import QUERY_LOG, QueryLog
from taxi_assets.warehouse.view import SCHEMA, views

if TYPE_CHECKING:
    from taxi_assets.lake.append_tables import LandedFile, Ledger
    from taxi_assets.lake.catalog import LakeCatalog
    from taxi_assets.lake.snapshots import Moment

_SEARCH_PATH = ",".join((*LAYERS, SCHEMA, QUERY_LOG.layer))
_SHOW_TABLES = re.compile(r"\s*SHOW\s+TABLES\s*;?\s*", re.IGNORECASE)
_DESCRIBE = re.compile(r"\s*(?:DESCRIBE|DESC|SHOW)\s+(?:TABLE\s+)?([\w.\"]+)\s*;?\s*", re.IGNORECASE)
_VERSION_FOLDER = re.compile(r".*/month=\d{4}-\d{2}/version=[^/]+/")
"""The folder of what one run published of a month (``paths.LakePaths.version``)."""
_DUCKDB_TYPES = {Type.STRING: "VARCHAR", Type.INT: "INTEGER", Type.TIMESTAMP_NTZ: "TIMESTAMP"}


class QueryRefused(PipelineError):
    """The statement is not a single query."""


def parquet_scan(files: Sequence[str], union_by_name: bool = False) -> str:
    """A DuckDB table expression over Parquet files, folder names not taken for columns."""
    paths = ", ".join(quoted(file) for file in files)
    return f"read_parquet([{paths}], hive_partitioning = false, union_by_name = {str(union_by_name).lower()})"


def quoted(text: str) -> str:
    """``text`` as a SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def open_views(
    paths: LakePaths,
    catalog: LakeCatalog,
    ledger: Ledger,
    sql: str | None = None,
    moment: Moment | None = None,
) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection with a view for each published table, that can read the lake and nothing else.

    Views: ``raw.trips`` (the source's files as they came, with their month), ``raw.zones``, every table of the
    contracts, and ``analytics.<view>``. A table without files is an empty view.
    The files are those live at this moment, or those that readers saw at ``moment``: a later commit does not change
    what this connection sees. With ``sql``, only the views that it names have rows: making a view reads the footer of
    every file of its table.
    """
    connection = connect()
    _create_schemas(connection)
    _create_raw_views(connection, [], [])
    for table in TABLES.values():
        _create_view(connection, table.full_name, select_files(table, []))
    named = _views_of(sql)
    if RAW_FILES.keys() & named:
        open_raw_views(connection, ledger, moment.at if moment else None)
    for name in TABLES.keys() & named:
        snapshot = moment.snapshots.get(name) if moment else None
        unseen = moment is not None and snapshot is None
        files = [] if unseen else catalog.files(TABLES[name], snapshot.snapshot_id if snapshot else None)
        _create_view(connection, name, select_files(TABLES[name], files))
    if QUERY_LOG.full_name in named:
        open_query_log(connection, paths.root)
    for view in views().values():
        if view.table.full_name in named:
            _create_view(connection, view.table.full_name, view.sql)
    connection.execute(f"SET search_path = '{_SEARCH_PATH}'")
    connection.execute(f"SET allowed_directories = [{quoted(paths.root + '/')}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def run_query(
    connection: duckdb.DuckDBPyConnection, sql: str, values: Mapping[str, object] | None = None
) -> duckdb.DuckDBPyConnection:
    """The connection with the result of one query, to be fetched from; rows are computed as they are fetched.

    ``values`` are those of parameters, ``$name``. SHOW TABLES, and DESCRIBE of a table, answer from the contracts, with
    what tables and columns mean. QueryRefused for what ``refuse_no_query`` refuses.
    """
    refuse_no_query(connection, sql)
    return connection.execute(_from_contracts(sql) or sql, dict(values) if values else None)


def refuse_no_query(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """QueryRefused for anything else than one SELECT (DESCRIBE, SHOW and SUMMARIZE count as such).

    EXPLAIN is not among them, because EXPLAIN ANALYZE COPY … would write.
    """
    statements = connection.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        kinds = ", ".join(statement.type.name for statement in statements) or "nothing"
        raise QueryRefused(f"this is {kinds}", "give one SELECT")


def answered_by_contracts(sql: str) -> bool:
    """Whether it is SHOW TABLES, or DESCRIBE of a table, which no engine has to be asked for."""
    return bool(_from_contracts(sql))


def _from_contracts(sql: str) -> str:
    """A SELECT of what the contracts say, if that is what ``sql`` asks for; else nothing."""
    if _SHOW_TABLES.fullmatch(sql):
        said = {**{name: table.description for name, table in described().items()}, **RAW_FILES}
        return _select(("name", "description"), sorted(said.items()))
    asked = _DESCRIBE.fullmatch(sql)
    table = described().get(full_name(asked[1].replace('"', ""))) if asked else None
    if table is None:
        return ""
    rows = [(one.name, duckdb_type(one), one.unit, one.description) for one in table.columns]
    return _select(("column_name", "column_type", "unit", "description"), rows)


def _select(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    values = ", ".join(f"({', '.join(map(quoted, row))})" for row in rows)
    return f"SELECT * FROM (VALUES {values}) AS answer({', '.join(names)})"


def _views_of(sql: str | None) -> set[str]:
    """The views that ``sql`` names, with the tables below them; all of them if that cannot be told from it."""
    everything = {*RAW_FILES, *described()}
    if sql is None:
        return everything
    with connect() as tables:  # of views, DuckDB gives what they are made of, not their own names
        _create_schemas(tables)
        for table in described().values():
            tables.execute(f"CREATE TABLE {table.full_name} AS {select_files(table, [])}")
        tables.execute(f"SET search_path = '{_SEARCH_PATH}'")
        # Asking binds the SQL, which for EXPORT DATABASE makes a folder and for read_csv reads the file.
        tables.execute("SET enable_external_access = false")
        try:
            found = tables.get_table_names(sql, qualified=True)
        except duckdb.Error:  # it names columns that raw files alone have, or it is no good
            return everything
    names = {full_name(name.partition(" AS ")[0]) for name in found}  # "raw.zones AS z", and as it was typed
    # A name that is not understood opens all: a view that is left empty would make a wrong answer.
    if not names or not names <= everything:
        return everything
    below = (view.tables for view in views().values() if view.table.full_name in names)
    return names.union(*below)


def _create_schemas(connection: duckdb.DuckDBPyConnection) -> None:
    for schema in dict.fromkeys(table.layer for table in described().values()):
        connection.execute(f"CREATE SCHEMA {schema}")


def _create_view(connection: duckdb.DuckDBPyConnection, name: str, select: str) -> None:
    connection.execute(f"CREATE OR REPLACE VIEW {name} AS {select}")


def open_raw_views(connection: duckdb.DuckDBPyConnection, ledger: Ledger, until: datetime | None) -> None:
    """Make ``raw.trips`` and ``raw.zones`` of the files in force now, or at the time ``until``."""
    trips, zones = (ledger.all_current(dataset, until=until) for dataset in (TRIPS_DATASET, ZONES_DATASET))
    _create_raw_views(connection, trips, zones)


def open_query_log(connection: duckdb.DuckDBPyConnection, root: str) -> None:
    """Make ``operations.query_log`` of what the log of the lake ``root`` has when it is asked; in S3 it is empty."""
    select = select_files(QUERY_LOG, [])
    files = None if root.startswith("s3://") else QueryLog(root).pattern()
    if files is not None:
        columns = ", ".join(f"{column.name}: {quoted(duckdb_type(column))}" for column in QUERY_LOG.columns)
        select = f"SELECT * FROM read_json({quoted(files)}, format = 'newline_delimited', columns = {{{columns}}})"
    _create_view(connection, QUERY_LOG.full_name, select)


def _create_raw_views(
    connection: duckdb.DuckDBPyConnection, trips: Sequence[LandedFile], zones: Sequence[LandedFile]
) -> None:
    parts = [f"SELECT {quoted(file.month)} AS month, * FROM {parquet_scan([file.path])}" for file in trips]
    empty = "SELECT NULL::VARCHAR AS month WHERE false"
    _create_view(connection, "raw.trips", " UNION ALL BY NAME ".join(parts) or empty)
    # all_varchar keeps the names "N/A" what they are; the newest month's lookup stands for all.
    lookup = (
        f"SELECT LocationID::INTEGER AS LocationID, * EXCLUDE LocationID"
        f" FROM read_csv({quoted(zones[-1].path)}, header = true, all_varchar = true, hive_partitioning = false)"
        if zones
        else "SELECT NULL::INTEGER AS LocationID WHERE false"
    )
    _create_view(connection, "raw.zones", lookup)


def read_rows(table: Table, files: Sequence[str], condition: str, columns: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of files of the table for which ``condition`` holds, by column."""
    with closing(connect()) as connection:
        sql = f"SELECT {', '.join(columns)} FROM ({select_files(table, files)}) WHERE {condition}"
        cursor = connection.execute(sql)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def select_files(table: Table, files: Sequence[str]) -> str:
    """A SELECT of the contract's columns over files of the table; of no rows if there are none.

    Files of an earlier version of the contract lack columns that it has gained since: those are null. The files of one
    version of a month are alike, so that DuckDB opens one of them to know them all, and none of a month that is not
    asked for: 0.03 instead of 2.2 s for a month among 24 with 2,900 files.
    """
    columns = ", ".join(f"NULL::{duckdb_type(column)} AS {column.name}" for column in table.columns)
    parts, versions, others = [f"SELECT {columns} WHERE false"], defaultdict[str, list[str]](list), []
    for file in files:
        if found := _VERSION_FOLDER.match(file):
            versions[found[0]].append(file)
        else:
            others.append(file)
    for folder, alike in versions.items():
        month = folder.rpartition("/month=")[2][: len("2024-02")]
        parts.append(f"SELECT {quoted(month)} AS month, * EXCLUDE (month) FROM {parquet_scan(alike)}")
    if others:
        parts.append(f"FROM {parquet_scan(others, union_by_name=True)}")
    return f"SELECT {', '.join(table.column_names)} FROM ({' UNION ALL BY NAME '.join(parts)})"


def duckdb_type(column: Column) -> str:
    """The column's type as DuckDB spells it."""
    return _DUCKDB_TYPES.get(column.type, column.type.value).upper()
