"""The files that the checks of one subject read, as views of one DuckDB connection.

Belongs here: opening, listing and querying them, SQL for a person to run over them. Does not: any question.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import duckdb
import numpy as np

from glue_jobs.contracts import Table
from glue_jobs.files import each_footer, parquet_files
from taxi_assets.lake.duck import connect
from taxi_assets.lake.reading import parquet_scan, quoted, select_files

_LITERALS = re.compile(r"'(?:[^']|'')*'")
"""Texts of SQL, such as paths, which may have the name of a view in them."""


def rows_where(condition: str) -> str:
    """SQL: how many rows meet a condition, as by FILTER.

    DuckDB cuts out the rows of each FILTER of a statement: thirty of them take twice as long. ``count_if`` would be
    null where the condition is null in all rows.
    """
    return f"count(CASE WHEN {condition} THEN 1 END)"


class Session:
    """Views over folders of Parquet files of a contract (``tables``: name to contract and folder) and over single files
    (``files``: name to a SELECT).

    A view is made when a query first names it, so that files which cannot be read fail only who reads them; each folder
    is listed once.
    """

    def __init__(self, tables: Mapping[str, tuple[Table, str]], files: Mapping[str, str] | None = None) -> None:
        self._tables, self._selects = tables, dict(files or {})
        self._listed: dict[str, list[str]] = {}
        self._made: set[str] = set()

    def first_row(self, sql: str) -> dict[str, Any]:
        """The first row of a query, by column."""
        return self.all_rows(sql)[0]

    def all_rows(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a query, by column."""
        cursor = self._execute(sql)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def count_distinct(self, view: str, value: str) -> int:
        """``count(DISTINCT value)`` of whole numbers, sorted by NumPy: a fifth of DuckDB's time for three million."""
        sql = f"SELECT {value} AS value FROM {view} WHERE {value} IS NOT NULL"
        values = np.sort(self._execute(sql).fetchnumpy()["value"])
        return int(np.count_nonzero(values[1:] != values[:-1])) + min(1, len(values))

    def _execute(self, sql: str) -> duckdb.DuckDBPyConnection:
        """The connection with the result of a query, after the views that it names were made."""
        named = set(re.findall(r"\w+", _LITERALS.sub("", sql)))
        for name in (self._tables.keys() | self._selects.keys()) & named - self._made:
            self._connection.execute(f"CREATE VIEW {name} AS {self._select(name)}")
            self._made.add(name)
        return self._connection.execute(sql)

    def files(self, view: str) -> list[str]:
        """The Parquet files of a view over a folder, sorted; empty if there are none."""
        if view not in self._listed:
            self._listed[view] = parquet_files(self._tables[view][1])
        return self._listed[view]

    def footer_rows(self, view: str) -> int:
        """Rows of a view over a folder, by the footers of its files."""
        return sum(each_footer(self.files(view), lambda file: int(file.metadata.num_rows)))

    def look_at(self, view: str, select: str, where: str = "", more: str = "") -> str:
        """SQL that a person can run in DuckDB over the files of a view over a folder."""
        if not self.files(view):
            return f"SELECT {quoted(f'{self._tables[view][1]} has no rows')}"
        rows = self.for_a_person(view)
        return f"{select} FROM {rows}" + (f" WHERE {where}" if where else "") + (f" {more}" if more else "")

    def for_a_person(self, view: str) -> str:
        """A DuckDB table expression over the files of a view over a folder, short enough to be shown."""
        return f"read_parquet({quoted(f'{self._tables[view][1]}/**/*.parquet')}, hive_partitioning = false)"

    def close(self) -> None:
        """Forget connection and listings; the next query opens again."""
        if "_connection" in self.__dict__:
            self._connection.close()
            del self._connection
        self._listed.clear()
        self._made.clear()

    @cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        connection = connect(copies=True)
        connection.execute("SET parquet_metadata_cache = true")  # each question opens all files of a month
        return connection

    def _select(self, name: str) -> str:
        if name in self._selects:
            return self._selects[name]
        table, _ = self._tables[name]
        files = self.files(name)
        return f"SELECT * FROM {parquet_scan(files)}" if files else select_files(table, [])
