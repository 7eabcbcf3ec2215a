"""SQL as of a moment, for an engine that is told in each FROM which time it is to read.

Belongs here: writing that time into SQL. Does not: which snapshot was shown when (``lake.snapshots``); DuckDB is given
the files of a snapshot instead (``lake.reading``).

Redshift reads a table as of a time with ``FROM t AS OF TIMESTAMP '…'`` (Amazon Redshift Database Developer Guide,
"Iceberg time travel"), which has no snapshot ids, and does so table by table: a view cannot be asked as of then, its
SQL can.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

from sqlglot import exp, parse
from sqlglot.errors import ParseError, TokenError

from glue_jobs.contracts import RAW_FILES, TABLES, Table
from glue_jobs.contracts.model import Column, Type
from glue_jobs.errors import Cause, PipelineError
from taxi_assets.warehouse.names import full_name
from taxi_assets.warehouse.query_log import QUERY_LOG
from taxi_assets.warehouse.view import SCHEMA, views

_TYPES = {Type.STRING: "VARCHAR(16383)", Type.DOUBLE: "DOUBLE PRECISION", Type.TIMESTAMP_NTZ: "TIMESTAMP"}


class NotAskable(PipelineError):
    """The SQL is not one SELECT, or names what cannot be asked as of a moment."""

    cause = Cause.ORDER


@dataclass(frozen=True)
class Shown:
    """What a table showed at the moment: the snapshot committed ``at``, UTC, which had these ``columns``."""

    at: datetime
    columns: frozenset[str]


def one_select(sql: str) -> exp.Query:
    """The tree of a single SELECT. NotAskable for anything else, such as SELECT … INTO, which would write."""
    try:
        found = [tree for tree in parse(sql, read="redshift") if tree is not None]
    except (ParseError, TokenError, RecursionError) as error:
        said = "it is nested too deeply" if isinstance(error, RecursionError) else str(error).splitlines()[0]
        raise NotAskable(f"the SQL cannot be read: {said}", "write it in Redshift's dialect") from error
    if len(found) != 1 or not isinstance(found[0], exp.Query) or found[0].find(exp.Into):
        kinds = ", ".join(type(tree).__name__ for tree in found) or "nothing"
        raise NotAskable(f"this is {kinds}", "give one SELECT")
    return found[0]


def as_of(sql: str, shown: Mapping[str, Shown]) -> str:
    """``sql`` with each table read as it was ``shown``, by ``layer.table``; a table that is not among them was empty.

    Columns that a table has gained since are null. The log of queries is read as it is now. NotAskable if ``sql`` names
    something else.
    """
    tree = one_select(sql)
    within = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    replaced = sorted(_replacements(tree, within, shown), reverse=True)
    for start, end, text in replaced:  # from the end, so that places stay what they are
        sql = sql[:start] + text + sql[end:]
    return sql


def _replacements(tree: exp.Query, within: set[str], shown: Mapping[str, Shown]) -> Iterator[tuple[int, int, str]]:
    """Start, end and new text of each table in the SQL that the tree was made of."""
    for node in tree.find_all(exp.Table):
        if not node.db and node.name.lower() in within:
            continue
        if node.catalog or not isinstance(node.this, exp.Identifier):
            raise NotAskable(
                f"{node.sql('redshift')[:80]} cannot be asked as of a moment", "name a table or view as layer.table"
            )
        name = full_name(f"{node.db}.{node.name}" if node.db else node.name)
        if name == QUERY_LOG.full_name:
            continue
        first = node.args.get("db") or node.this
        alias = "" if node.alias else f' AS "{node.name.lower()}"'
        yield first.meta["start"], node.this.meta["end"] + 1, f"({_select(name, shown)}){alias}"


def _select(name: str, shown: Mapping[str, Shown]) -> str:
    layer, _, short = name.partition(".")
    if name in TABLES:
        return _of_a_table(TABLES[name], shown.get(name))
    if layer == SCHEMA and short in views():
        return as_of(views()[short].sql, shown)
    if name in RAW_FILES:
        raise NotAskable(
            f"{name} has no versions in the warehouse: a file is replaced where it lies",
            "ask staging.trips, or leave the moment out",
        )
    raise NotAskable(f"There is no table {name}", 'taxi-assets query "SHOW TABLES" lists what can be asked')


def _of_a_table(table: Table, shown: Shown | None) -> str:
    if shown is None:
        return f"SELECT {', '.join(_null(column) for column in table.columns)} WHERE 1 = 0"
    chosen = [f'"{one.name}"' if one.name in shown.columns else _null(one) for one in table.columns]
    at = shown.at.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    return f"""SELECT {", ".join(chosen)} FROM "{table.layer}"."{table.name}" AS OF TIMESTAMP '{at}'"""


def _null(column: Column) -> str:
    return f'CAST(NULL AS {redshift_type(column)}) AS "{column.name}"'


def redshift_type(column: Column) -> str:
    """The column's type as Redshift spells it; an Iceberg string is a VARCHAR there, cut at 16,384 characters."""
    return _TYPES.get(column.type, column.type.value).upper()
