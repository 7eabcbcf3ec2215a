"""What SQL a view may use: what Redshift and DuckDB both have, and compute alike.

Belongs here: finding what one of them would refuse or compute otherwise. Does not: the views.

A list of what is allowed, because sqlglot is a parser and no judge: it accepts FILTER, ARRAY_AGG or PIVOT as
Redshift's, and PostgreSQL, which tests ask in Redshift's place, runs FILTER and generate_series. Where the engines
differ:

- AVG of integers and division of integers cut off in Redshift, decimals keep their scale: one side must be DOUBLE.
- SUM has another type in each engine: it stands in a CAST. A sum of doubles depends on the order of the rows.
- NULLs come first in Redshift's descending order and last in DuckDB's: NULLS LAST is written out.
- An aggregate with OVER (ORDER BY …) needs a frame in Redshift.
- Redshift has reserved words that others do not (RAW, TAG, TYPE …): they are quoted.
- A backslash in a text is an escape in Redshift and itself in DuckDB: there is none, also not in a comment.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from sqlglot import exp, parse, parse_one
from sqlglot.dialects.redshift import Redshift
from sqlglot.errors import OptimizeError, ParseError, TokenError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify

from glue_jobs.contracts import TABLES, Table
from glue_jobs.contracts.model import Type
from taxi_assets.warehouse.names import described
from taxi_assets.warehouse.query_log import QUERY_LOG

_NODES: tuple[type[exp.Expr], ...] = (
    # the shape of a query
    exp.Select,
    exp.From,
    exp.Join,
    exp.Where,
    exp.Group,
    exp.Having,
    exp.With,
    exp.CTE,
    exp.Union,
    exp.Table,
    exp.TableAlias,
    exp.Alias,
    exp.Column,
    exp.Identifier,
    exp.Star,
    # values and conditions
    exp.Literal,
    exp.Null,
    exp.Boolean,
    exp.Paren,
    exp.And,
    exp.Or,
    exp.Not,
    exp.EQ,
    exp.NEQ,
    exp.LT,
    exp.LTE,
    exp.GT,
    exp.GTE,
    exp.Is,
    exp.In,
    exp.Between,
    exp.Case,
    exp.If,
    exp.Cast,
    exp.DataType,
    exp.DataTypeParam,
    # arithmetic and text
    exp.Add,
    exp.Sub,
    exp.Mul,
    exp.Div,
    exp.Neg,
    exp.Abs,
    exp.Floor,
    exp.DPipe,
    exp.Substring,
    exp.Coalesce,
    exp.Nullif,
    # aggregates and windows
    exp.Sum,
    exp.Count,
    exp.Min,
    exp.Max,
    exp.Distinct,
    exp.Window,
    exp.WindowSpec,
    exp.Order,
    exp.Ordered,
    exp.Rank,
    exp.RowNumber,
    exp.Lag,
    # parts of dates, each within a CAST
    exp.TimestampTrunc,
    exp.Extract,
    exp.Var,
)
_CASTS = {
    exp.DataType.Type.BIGINT,
    exp.DataType.Type.INT,
    exp.DataType.Type.DOUBLE,
    exp.DataType.Type.DECIMAL,
    exp.DataType.Type.VARCHAR,
    exp.DataType.Type.DATE,
}
_SIZED = {exp.DataType.Type.DECIMAL, exp.DataType.Type.VARCHAR}
_IN_A_CAST = (exp.Sum, exp.TimestampTrunc, exp.Extract)
_AGGREGATES = (exp.Sum, exp.Count, exp.Min, exp.Max)
_UNITS = {"DAY", "WEEK", "MONTH", "QUARTER", "YEAR", "HOUR"}
_BACKSLASH = "a backslash is read differently by the engines: write the text without one"
_SQLGLOT_TYPES = {Type.STRING: "varchar", Type.TIMESTAMP_NTZ: "timestamp"}


def faults_of_question(sql: str) -> list[str]:
    """The same of a question, which may have parameters, an order and a limit, and ask views as well as tables."""
    if "\\" in sql:
        return [_BACKSLASH]
    try:
        tree = parse_one(sql, read="redshift").transform(
            lambda node: exp.Literal.string("value") if isinstance(node, exp.Placeholder) else node
        )
        for part in ("order", "limit"):
            tree.set(part, None)
        return _faults_of(tree, _types(described().values()))
    except (ParseError, TokenError, RecursionError) as error:
        return [_not_parsed(error)]


def faults(sql: str) -> list[str]:
    """What of a view's ``sql`` one of the engines would refuse or compute otherwise, a sentence each."""
    if "\\" in sql:
        return [_BACKSLASH]
    try:
        found = [tree for tree in parse(sql, read="redshift") if tree is not None]
        if len(found) != 1 or not isinstance(found[0], exp.Select | exp.Union):
            return ["it is not one SELECT"]
        return _faults_of(found[0], _known())
    except (ParseError, TokenError, RecursionError) as error:
        return [_not_parsed(error)]


def _not_parsed(error: Exception) -> str:
    said = "it is nested too deeply" if isinstance(error, RecursionError) else str(error).splitlines()[0]
    return f"it does not parse: {said}"


def _faults_of(tree: exp.Expr, known: dict[str, dict[str, str]]) -> list[str]:
    ctes = {cte.alias for cte in tree.find_all(exp.CTE)}
    said = [fault for node in tree.walk() for fault in _of_a_node(node, ctes, known)]
    return said or list(_of_types(tree, known))


def _of_a_node(node: exp.Expr, ctes: set[str], known: dict[str, dict[str, str]]) -> Iterator[str]:
    shown = node.sql("redshift")[:60]
    if type(node) not in _NODES:
        yield f"{type(node).__name__} is not in the shared dialect: {shown}"
    elif judge := _JUDGES.get(type(node)):
        yield from (f"{fault}: {shown}" for fault in judge(node))
    if isinstance(node, exp.Table):
        name = f"{node.db}.{node.name}" if node.db else node.name
        if name not in (known if node.db else ctes):
            yield f"{name} is neither a table of the lake, by layer.table, nor a WITH of this view"
    if isinstance(node, _IN_A_CAST):
        outer = node.parent.parent if isinstance(node.parent, exp.Window) else node.parent
        if not isinstance(outer, exp.Cast):
            yield f"its type differs between the engines, so that it needs a CAST: {shown}"


def _identifier(node: exp.Expr) -> Iterator[str]:
    if not node.args.get("quoted") and node.name.lower() in Redshift.Generator.RESERVED_KEYWORDS:
        yield "a word that Redshift reserves must be quoted"


def _star(node: exp.Expr) -> Iterator[str]:
    if not isinstance(node.parent, exp.Count):
        yield "columns are named one by one"


def _cast(node: exp.Expr) -> Iterator[str]:
    to = node.args["to"]
    if to.this not in _CASTS or node.args.get("safe"):
        yield "no type of the shared dialect"
    elif to.this in _SIZED and not to.expressions:
        yield "the engines have other sizes by default, so that the type needs one"


def _ordered(node: exp.Expr) -> Iterator[str]:
    if node.args.get("nulls_first"):
        yield "NULLs come first in one engine and last in the other, so that it needs NULLS LAST"


def _order(node: exp.Expr) -> Iterator[str]:
    if not isinstance(node.parent, exp.Window):
        yield "a view has no order, who asks it gives one"


def _window(node: exp.Expr) -> Iterator[str]:
    frame = node.args.get("spec")
    if isinstance(node.this, _AGGREGATES) and node.args.get("order") and frame is None:
        yield "Redshift wants a frame (ROWS BETWEEN …) for an aggregate in an order"
    if frame is not None and frame.args.get("kind") != "ROWS":
        yield "frames are ROWS"


def _join(node: exp.Expr) -> Iterator[str]:
    sides = {str(node.args.get(name) or "").upper() for name in ("side", "kind", "method")} - {""}
    if sides - {"LEFT", "INNER"} or node.args.get("on") is None:
        yield "joins are JOIN … ON and LEFT JOIN … ON"


def _group(node: exp.Expr) -> Iterator[str]:
    if not node.expressions or not all(isinstance(one, exp.Column) for one in node.expressions):
        yield "GROUP BY names columns"


def _union(node: exp.Expr) -> Iterator[str]:
    if node.args.get("distinct"):
        yield "a union is UNION ALL"


def _distinct(node: exp.Expr) -> Iterator[str]:
    if node.args.get("on") or not isinstance(node.parent, exp.Select | exp.Count):
        yield "DISTINCT stands after SELECT and in COUNT"


def _select(node: exp.Expr) -> Iterator[str]:
    if node.args.get("limit") or node.args.get("offset"):
        yield "a view has no limit, who asks it gives one"


def _date_part(node: exp.Expr) -> Iterator[str]:
    unit = (node.args.get("unit") or node.this).name.upper()
    if unit not in _UNITS:
        yield "not a part of a date that the engines count alike"


_JUDGES: dict[type[exp.Expr], Callable[[exp.Expr], Iterator[str]]] = {
    exp.Identifier: _identifier,
    exp.Star: _star,
    exp.Cast: _cast,
    exp.Ordered: _ordered,
    exp.Order: _order,
    exp.Window: _window,
    exp.Join: _join,
    exp.Group: _group,
    exp.Union: _union,
    exp.Distinct: _distinct,
    exp.Select: _select,
    exp.TimestampTrunc: _date_part,
    exp.Extract: _date_part,
}


def _of_types(tree: exp.Expr, known: dict[str, dict[str, str]]) -> Iterator[str]:
    """What depends on the types of columns; a column that no table has is told as well."""
    try:
        typed = annotate_types(qualified(tree, known), schema=_schema(known), dialect="redshift")
    except OptimizeError as error:
        yield str(error).splitlines()[0]
        return
    for division in typed.find_all(exp.Div):
        if not _is_double(division.left) and not _is_double(division.right):
            shown = division.sql("redshift")[:60]
            yield f"integers and decimals divide differently, so that one side must be DOUBLE PRECISION: {shown}"
    for total in typed.find_all(exp.Sum):
        if _is_double(total.this):
            yield f"a sum of doubles depends on the order of the rows: CAST to DECIMAL before: {total.sql('redshift')}"


def _is_double(node: exp.Expr) -> bool:
    return node.type is not None and node.type.this is exp.DataType.Type.DOUBLE


def qualified(tree: exp.Expr, known: dict[str, dict[str, str]]) -> exp.Expr:
    """A copy of the tree in which each column names its table. OptimizeError if there is no such column."""
    return qualify(tree.copy(), schema=_schema(known), dialect="redshift", quote_identifiers=False)


def schema_of_tables() -> dict[str, object]:
    """What views may read, as sqlglot wants it: layer to table to column to type."""
    return _schema(_known())


def _known() -> dict[str, dict[str, str]]:
    return _types((*TABLES.values(), QUERY_LOG))


def _types(tables: Iterable[Table]) -> dict[str, dict[str, str]]:
    return {table.full_name: {column.name: _sqlglot_type(column.type) for column in table.columns} for table in tables}


def _schema(known: dict[str, dict[str, str]]) -> dict[str, object]:
    nested: defaultdict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    for name, columns in known.items():
        layer, _, table = name.partition(".")
        nested[layer][table] = columns
    return dict(nested)


def _sqlglot_type(kind: Type) -> str:
    return _SQLGLOT_TYPES.get(kind, kind.value)
