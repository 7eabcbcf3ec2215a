"""Questions to the warehouse, made of names that the contracts know and of values that travel apart from the SQL.

Belongs here: making SQL that nobody can smuggle anything into. Does not: running it (``engine``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from glue_jobs.contracts import Table
from glue_jobs.errors import Cause, PipelineError
from taxi_assets.warehouse.names import described, full_name
from taxi_assets.warehouse.view import views

Value = str | int | float | bool | Decimal | date | datetime | None
"""What a parameter may be."""

_TOKEN = re.compile(
    r"'(?:[^']|'')*'"  # text
    r'|"(?:[^"]|"")*"'  # a quoted name
    r"|--[^\n]*|/\*.*?\*/"  # comments
    r"|::"  # a cast
    r"|:(?P<name>[A-Za-z_]\w*)",
    re.DOTALL,
)


class UnknownName(PipelineError):
    """A question names a view, a column or a parameter that there is not."""

    cause = Cause.ORDER


@dataclass(frozen=True)
class Between:
    """A condition on a column: from ``low`` to ``high``, both included."""

    low: Value
    high: Value


@dataclass(frozen=True)
class Question:
    """Rows of one view, or of one table.

    ``of`` is its name, with or without its layer; ``columns`` are all of them if empty; ``where`` has a value, a
    sequence of values (one of them) or Between for a column, all of which hold; ``order_by`` are columns, descending
    with a minus sign before them, nulls last; ``limit`` is the largest number of rows.
    """

    of: str
    columns: tuple[str, ...] = ()
    where: Mapping[str, Value | Sequence[Value] | Between] = field(default_factory=dict)
    order_by: tuple[str, ...] = ()
    limit: int | None = None

    def sql(self) -> tuple[str, dict[str, Value]]:
        """The SELECT with ``:name`` for each parameter, and the parameters. UnknownName if a name is none."""
        table = askable(self.of)
        chosen = [_known(table, name) for name in self.columns] or list(table.column_names)
        parameters: dict[str, Value] = {}
        conditions = [_condition(_known(table, name), asked, parameters) for name, asked in self.where.items()]
        order = [_known(table, name.removeprefix("-")) + _direction(name) for name in self.order_by]
        parts = [
            f"SELECT {', '.join(map(_quoted, chosen))}",
            f"FROM {_quoted(table.layer)}.{_quoted(table.name)}",
            f"WHERE {' AND '.join(conditions)}" if conditions else "",
            f"ORDER BY {', '.join(order)}" if order else "",
            f"LIMIT {int(self.limit)}" if self.limit is not None else "",
        ]
        return " ".join(part for part in parts if part), parameters


def askable(name: str) -> Table:
    """The contract of a view or table, with or without its layer. UnknownName if there is none."""
    table = described().get(full_name(name))
    if table is None:
        raise UnknownName(f"There is no view {name}", f"choose from {', '.join(views())}, or name a table, layer.table")
    return table


def bind(sql: str, parameters: Mapping[str, Value], placeholder: Callable[[str], str]) -> tuple[str, list[str]]:
    """``sql`` with each ``:name`` as an engine has it, and the names in the order in which they stand.

    Texts, quoted names, comments and casts are left as they are. UnknownName if a name has no value, or a value no
    name.
    """
    used: list[str] = []

    def replace(found: re.Match[str]) -> str:
        name = found["name"]
        if name is None:
            return found[0]
        if name not in parameters:
            raise UnknownName(f"The parameter :{name} has no value", "give one")
        used.append(name)
        return placeholder(name)

    bound = _TOKEN.sub(replace, sql)
    if unused := parameters.keys() - set(used):
        raise UnknownName(f"The SQL has no :{', :'.join(sorted(unused))}", "leave the value out, or use it")
    return bound, used


def _known(table: Table, name: str) -> str:
    if name not in table.column_names:
        raise UnknownName(f"{table.full_name} has no column {name}", f"choose from {', '.join(table.column_names)}")
    return name


def _condition(column: str, asked: Value | Sequence[Value] | Between, parameters: dict[str, Value]) -> str:
    def parameter(value: Value) -> str:
        name = f"p{len(parameters) + 1}"
        parameters[name] = value
        return f":{name}"

    if isinstance(asked, Between):
        return f"{_quoted(column)} BETWEEN {parameter(asked.low)} AND {parameter(asked.high)}"
    if asked is None:
        return f"{_quoted(column)} IS NULL"
    if isinstance(asked, Sequence) and not isinstance(asked, str):
        values = ", ".join(parameter(value) for value in asked)
        return f"{_quoted(column)} IN ({values})" if values else "1 = 0"
    return f"{_quoted(column)} = {parameter(asked)}"


def _direction(name: str) -> str:
    return " DESC NULLS LAST" if name.startswith("-") else " ASC NULLS LAST"


def _quoted(name: str) -> str:
    return f'"{name}"'
