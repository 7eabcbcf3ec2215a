"""A view of the warehouse: what its SQL file says of it.

Belongs here: reading ``views/*.sql``. Does not: running them (``engine``), or what SQL they may use (``dialect``).

A file begins with comment lines: the description, ``Grain: columns``, then a line for each column, ``name | type | unit
| meaning``. After them stands one SELECT over tables named ``layer.table``, never over other views, so that a view can
be asked as of a moment by saying for each table which.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from glue_jobs.contracts.model import Column, Table, Type

SCHEMA = "analytics"
"""The schema of all views."""
_FOLDER = Path(__file__).parent / "views"
_GRAIN = "Grain: "
_TABLE = re.compile(r'\b(?:FROM|JOIN) "?(\w+)"?\.(\w+)')
"""Quoted is what Redshift reserves, such as "raw"; names of a WITH have no layer."""


@dataclass(frozen=True)
class View:
    """One view: ``table`` is its contract (columns in order, with units), ``sql`` its SELECT without the header."""

    table: Table
    sql: str

    @property
    def name(self) -> str:
        """The name without the schema."""
        return self.table.name

    @cached_property
    def tables(self) -> tuple[str, ...]:
        """The tables that it reads, ``layer.table``, each once."""
        return tables_in(self.sql)


def tables_in(sql: str) -> tuple[str, ...]:
    """What ``sql`` reads, ``layer.table``, each once."""
    return tuple(dict.fromkeys(f"{layer}.{table}" for layer, table in _TABLE.findall(sql)))


@cache
def views() -> dict[str, View]:
    """Every view by its name. ValueError if a file's header is not as the module says."""
    return {path.stem: parse(path.stem, path.read_text(encoding="utf-8")) for path in sorted(_FOLDER.glob("*.sql"))}


def parse(name: str, text: str) -> View:
    """The view that a file ``name``.sql with ``text`` makes. ValueError if its header is not as the module says."""
    lines = text.splitlines()
    size = next((at for at, line in enumerate(lines) if not line.startswith("--")), len(lines))
    header = [line.removeprefix("--").strip() for line in lines[:size]]
    try:
        at = next(at for at, line in enumerate(header) if line.startswith(_GRAIN))
    except StopIteration:
        raise ValueError(f"view {name}: its header has no line '-- {_GRAIN}columns'") from None
    described = [line for line in header[at + 1 :] if line]
    columns = [_column(name, number, line) for number, line in enumerate(described, 1)]
    return View(
        Table(
            SCHEMA,
            name,
            " ".join(line for line in header[:at] if line),
            tuple(columns),
            (),
            tuple(header[at].removeprefix(_GRAIN).split(", ")),
        ),
        "\n".join(lines[size:]).strip(),
    )


def _column(view: str, number: int, line: str) -> Column:
    parts = [part.strip() for part in line.split("|", 3)]
    if len(parts) != 4:
        raise ValueError(f"view {view}: '{line}' is no 'name | type | unit | meaning'")
    name, kind, unit, meaning = parts
    return Column(number, name, Type(kind), meaning, unit=unit)
