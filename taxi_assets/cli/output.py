"""What the commands print: tables, progress, JSON, errors.

Belongs here: how results look. Does not: making any.
"""

from __future__ import annotations

import json
import math
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from taxi_assets.operations.run_month import MonthResult


ROWS_ON_A_TERMINAL = 40
"""Of an answer, unless somebody wants more."""
MOST_ROWS = 1_000_000_000
"""That anybody can ask for."""


_WIDER_THAN_ANYTHING = 10_000
"""In a pipe or a file nothing is cut or folded; rich would take 80 columns."""

out = Console(width=None if sys.stdout.isatty() else _WIDER_THAN_ANYTHING)

err = Console(stderr=True, width=None if sys.stderr.isatty() else _WIDER_THAN_ANYTHING)


def folding_table(*columns: str, **options: Any) -> Table:
    """A table whose columns fold what is too wide for the terminal: names and versions are there to be copied."""
    made = Table(**options)
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


INTERRUPTED = 130
"""The exit code of a command that Ctrl-C ended, as shells have it."""


def as_json_text(value: Any) -> str:
    """As JSON, whatever DuckDB gives: no NaN and no infinity, those are null; keys of a map as their text."""
    return json.dumps(_json_value(value), allow_nan=False)


def _key(name: Any) -> str:
    """The key of a map, which JSON has as text only."""
    known = _json_value(name)
    return known if isinstance(known, str) else str(name)


def _json_value(value: Any) -> Any:
    """Decimals as numbers if none of their digits is lost, else as text; times by ISO 8601, bytes in hexadecimal."""
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {_key(key): _json_value(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(part) for part in value]
    if isinstance(value, Decimal):
        return number if Decimal(repr(number := float(value))) == value else str(value)
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else str(value)


_COMMAND = re.compile(
    r"\btaxi-assets (run|replay|backfill|rebuild|verify|status|rollback|query|health|home|demo|quarantine show"
    r"|ui|vacuum|catalog check|catalog update|catalog maintain|catalog relocate)\b"
    r"(?: --[a-z]+ [^\s,;)]*[^\s,;.)]| \w+\.\w+| \d{4}-\d\d)*(\.$)?",
    re.MULTILINE,
)
_READS_THE_SOURCE = ("run", "backfill")
TYPED = "taxi.typed"
"""Where a command's context keeps what was typed for --lake and --source."""


def pasteable(text: str) -> str:
    """``text``, each command that it names with the --lake and --source that were typed for this one.

    The full stop after a command that ends a line is left out, or it would be pasted as well.
    """
    context = click.get_current_context(silent=True)
    typed: dict[str, str] = context.meta.get(TYPED, {}) if context is not None else {}

    def complete(found: re.Match[str]) -> str:
        options = [name for name in typed if name == "lake" or found[1] in _READS_THE_SOURCE]
        return " ".join(
            [found[0].removesuffix(found[2] or ""), *(f"--{name} {shlex.quote(typed[name])}" for name in options)]
        )

    return _COMMAND.sub(complete, text)


def fail(message: str, code: int = 1) -> NoReturn:
    """Print an error and exit with ``code``."""
    err.print(f"[red]error:[/red] {escape(pasteable(message))}", soft_wrap=True, highlight=False)
    sys.exit(code)


@contextmanager
def whole_file(file: Path) -> Iterator[Path]:
    """A file beside ``file`` to write to, which takes its place when it is whole; ends the command if it cannot.

    A link, a device or a pipe is written to as it is: in its place, root's ``/dev/null`` became a file.
    """
    is_plain = not file.is_symlink() and (file.is_file() or not file.exists())
    part = file.with_name(f".{file.name}.part") if is_plain else file
    try:
        yield part
        if is_plain:
            part.replace(file)
    except OSError as error:
        fail(f"{file} cannot be written: {error}")
    finally:
        if is_plain:
            part.unlink(missing_ok=True)


def plain_progress(month: str) -> Callable[[str, str], None]:
    """A listener that writes a line for all that it hears."""
    return lambda step, message: click.echo(f"{month} {step}: {message}", err=True)


@contextmanager
def progress_of(steps: tuple[str, ...], month: str) -> Iterator[Callable[[str, str], None]]:
    """A listener that shows a bar for each step on a terminal, and plain lines elsewhere."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from glue_jobs.reporting import parse_progress

    if not err.is_terminal:
        yield plain_progress(month)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(20),
        TextColumn("{task.fields[said]}", markup=False),
    )
    with Progress(*columns, TimeElapsedColumn(), console=err) as progress:
        rows = {step: progress.add_task(f"{month} {step}", start=False, total=None, said="") for step in steps}

        def listen(step: str, message: str) -> None:
            row = rows[step]
            if message == "started":
                progress.start_task(row)
            elif message == "done":
                progress.update(row, total=1, completed=1)
            elif transfer := parse_progress(message):
                progress.update(row, completed=transfer[1], total=transfer[2] or None)
            progress.update(row, said=message[:60])

        yield listen


def print_result(result: MonthResult) -> None:
    """What became of a month."""
    if result.error:
        err.print(f"[red]{result.month} failed:[/red] {escape(result.error)}", soft_wrap=True, highlight=False)
        for check in result.failed_checks:
            err.print(f"  check failed: {check}", markup=False, highlight=False)
        return
    facts = Table(title=f"{result.month}, {result.engine}", show_header=False)
    for name, value in (
        ("source rows", f"{result.source_rows:,}"),
        ("published", f"{result.published_rows:,}"),
        ("quarantined", f"{result.quarantined_rows:,}"),
        *((("released", f"{result.released_rows:,}"),) if result.released_rows is not None else ()),
        *((f"  {reason}", f"{rows:,}") for reason, rows in result.quarantine_reasons.items()),
        ("checks", ", ".join(f"{count} {kind}" for kind, count in result.checks.items())),
        *((("estimated cost", f"{cost:.2f} USD"),) if (cost := sum(result.estimated_cost_usd.values())) else ()),
        ("seconds", ", ".join(f"{step} {seconds:.1f}" for step, seconds in result.seconds.items())),
    ):
        facts.add_row(name, value)
    out.print(facts)
    tables = folding_table("table", "rows", "version")
    for name, published in result.tables.items():
        tables.add_row(name, f"{published.rows:,}", published.version)
    out.print(tables)
    if result.report:
        out.print(f"report: {result.report}", soft_wrap=True, highlight=False)
    for check in result.warned_checks:
        out.print(f"  warning: {check}", markup=False, highlight=False)
