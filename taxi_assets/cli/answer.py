"""How the rows of an answer are written: as a table, as CSV, as JSON.

Belongs here: writing rows as they come, a batch at a time, so that no answer has to fit into memory. Does not: asking.
"""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from rich.cells import cell_len

from taxi_assets.cli.output import as_json_text

if TYPE_CHECKING:
    import duckdb

Row = tuple[Any, ...]

_BATCH = 1_000
"""Rows fetched at once. The columns of a table are as wide as the first of them need."""
_ROWS_OF_A_GROUP = 122_880
"""Of a Parquet file, as DuckDB has it."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def unique_names(names: Iterable[str]) -> list[str]:
    """The names, those that came before with a number, as DuckDB has them in a data frame: ``a``, ``a_1``."""
    given = list(names)
    found: list[str] = []
    for name in given:
        others = (f"{name}_{number}" for number in count(1))
        found.append(name if name not in found else next(one for one in others if one not in (*given, *found)))
    return found


def batches(fetch: Callable[[int], list[Row]], limit: int | None) -> Iterator[list[Row]]:
    """What ``fetch(rows)`` gives until it gives nothing, or until there are ``limit`` rows."""
    left = limit
    while left != 0 and (batch := fetch(_BATCH if left is None else min(left, _BATCH))):
        left = None if left is None else left - len(batch)
        yield batch


def write_csv(names: Sequence[str], parts: Iterable[list[Row]], to: TextIO) -> None:
    """A line of names, then the rows; nested values as JSON, bytes in hexadecimal, null as nothing."""
    no_more: list[Row] = []
    writer = csv.writer(to, lineterminator="\n")
    for number, part in enumerate(chain(parts, [no_more])):
        if number == 0:  # not before there is an answer
            writer.writerow(names)
        writer.writerows([_text(value) for value in row] for row in part)


def write_json(names: Sequence[str], parts: Iterable[list[Row]], to: TextIO) -> None:
    """An array with an object a row, each on a line of its own."""
    before = "["
    for part in parts:
        for row in part:
            to.write(before + as_json_text(dict(zip(names, row, strict=True))))
            before = ",\n"
    to.write("[]\n" if before == "[" else "]\n")


def write_table(names: Sequence[str], parts: Iterable[list[Row]], to: TextIO) -> None:
    """Columns beside each other; on a terminal that is too narrow for them, below each other.

    Nothing is cut. Where a later value is wider than its column, its line is longer.
    """
    parts = iter(parts)
    first = next(parts, [])
    cells = [[_on_one_line(value) for value in row] for row in first]
    names = [_on_one_line(name) for name in names]
    widths = [max(map(cell_len, column)) for column in zip(names, *cells, strict=True)]
    fits = sum(widths) + 3 * (len(widths) - 1) <= shutil.get_terminal_size().columns
    rows = chain.from_iterable(chain([first], parts))
    if fits or not to.isatty():
        print(" │ ".join(map(_padded, names, widths)).rstrip(), file=to)
        print("─┼─".join("─" * width for width in widths), file=to)
        for row in rows:
            print(" │ ".join(map(_padded, map(_on_one_line, row), widths, map(_is_number, row))).rstrip(), file=to)
        return
    width = max(map(cell_len, names))
    for number, row in enumerate(rows, 1):
        print(f"── row {number} ".ljust(width + 3, "─"), file=to)
        for name, value in zip(names, row, strict=True):
            print(f"{_padded(name, width)} │ {_on_one_line(value)}".rstrip(), file=to)


def write_parquet(answer: duckdb.DuckDBPyRelation, limit: int | None, file: Path) -> int:
    """Write an answer, or ``limit`` rows of it, to a Parquet file with the types that it has; returns its rows."""
    from pyarrow.parquet import ParquetWriter

    reader = (answer if limit is None else answer.limit(limit)).to_arrow_reader(_ROWS_OF_A_GROUP)
    schema = reader.schema.empty_table().rename_columns(unique_names(reader.schema.names)).schema
    rows = 0
    with ParquetWriter(file, schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch.rename_columns(schema.names))
            rows += batch.num_rows
    return rows


def write(
    form: str,
    names: Iterable[str],
    fetch: Callable[[int], list[Row]],
    limit: int | None,
    to: TextIO,
) -> None:
    """Write an answer as ``form``; with ``limit``, so many of its rows, and as a table whether there are more."""
    writers = {"csv": write_csv, "json": write_json, "table": write_table}
    writers[form](unique_names(names), batches(fetch, limit), to)
    if form == "table" and limit is not None and fetch(1):
        print(f"… the first {limit} rows; there are more (--limit 0 for all)", file=to)


def _text(value: Any) -> str:
    """A value as a cell has it."""
    if value is None:
        return ""
    if isinstance(value, dict | list | tuple):
        return as_json_text(value)
    return value.hex() if isinstance(value, bytes) else str(value)


def _on_one_line(value: Any) -> str:
    """A value as a terminal may have it: without line breaks, or sequences that move its cursor."""
    text = _text(value)
    return text if text.isprintable() else _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


def _padded(text: str, width: int, right: bool = False) -> str:
    """``text`` with spaces to ``width`` columns; never shorter than it is."""
    if text.isascii():
        return text.rjust(width) if right else text.ljust(width)
    missing = " " * max(0, width - cell_len(text))
    return missing + text if right else text + missing


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)
