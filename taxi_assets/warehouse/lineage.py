"""From which columns of the lake's tables a column of a view is computed.

Belongs here: following names through a view's SQL. Does not: what Dagster makes of it (``assets.views``).
"""

from __future__ import annotations

from sqlglot import exp
from sqlglot.lineage import lineage

from taxi_assets.warehouse.dialect import schema_of_tables
from taxi_assets.warehouse.view import View


def columns_below(view: View) -> dict[str, list[tuple[str, str]]]:
    """Column of the view to the columns that its value is computed from, each ``layer.table`` and column, in order.

    Columns that only choose rows (WHERE, JOIN, GROUP BY) are not among them.
    """
    schema = schema_of_tables()
    found: dict[str, list[tuple[str, str]]] = {}
    for column in view.table.column_names:
        below = set()
        for node in lineage(column, view.sql, schema=schema, dialect="redshift").walk():
            if isinstance(node.source, exp.Table) and not node.downstream:
                table = node.source
                below.add((f"{table.db}.{table.name}", node.name.rpartition(".")[2].strip('"')))
        found[column] = sorted(below)
    return found
