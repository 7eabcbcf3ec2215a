"""The commands that show what there is: status, query, export, quarantine show."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import datetime, timezone
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click
from rich.box import SIMPLE
from rich.markup import escape

from glue_jobs.contracts.raw import MASKED
from taxi_assets.cli.options import (
    as_of_option,
    check_month,
    complete_months,
    complete_tables,
    existing_lake,
    lake_option,
    month_option,
    settings_of,
)
from taxi_assets.cli.output import (
    MOST_ROWS,
    ROWS_ON_A_TERMINAL,
    as_json_text,
    fail,
    folding_table,
    out,
    pasteable,
    whole_file,
)

if TYPE_CHECKING:
    import duckdb

    from taxi_assets.lake.lake import Lake
    from taxi_assets.settings import Settings
    from taxi_assets.warehouse.question import Value

_SAMPLE_COLUMNS = {
    "tpep_pickup_datetime": "pick-up",
    "tpep_dropoff_datetime": "drop-off",
    "pulocationid": "from",
    "dolocationid": "to",
    "trip_distance": "miles",
    "total_amount": "total",
}


@click.group()
def quarantine() -> None:
    """Show which rows are unusable, and why."""


@quarantine.command()
@month_option("A month that has been run before.")
@click.option("--reason", metavar="RULE", help="Only rows with this reason, for example impossible_amount.")
@click.option("--version", metavar="VERSION", help="Version, also a refused one.  [default: the live one]")
@click.option("--limit", type=click.IntRange(0, MOST_ROWS), default=10, show_default=True, help="Rows to show.")
@lake_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output, whole rows.")
def show(month: str, reason: str | None, version: str | None, limit: int, lake: str | None, as_json: bool) -> None:
    """Count a month's quarantined rows by reason, and show some of them.

    \b
      taxi-assets quarantine show --month 2024-02
      taxi-assets quarantine show --month 2024-02 --reason longer_than_24_hours --limit 50 --json
    """
    from taxi_assets.lake.quarantine import REASONS, report

    check_month(month)
    found = report(existing_lake(lake), month, reason, limit, version)
    if reason is not None and reason not in (known := REASONS | found.reasons):
        raise click.UsageError(f"there is no reason {reason}; choose from {', '.join(known)}")
    if as_json:
        click.echo(as_json_text(asdict(found)))
        return
    judged = f"rules v{found.rules_version}" if found.rules_version else f"version {found.version}, which is not live"
    title = f"{month}, {found.rows:,} rows quarantined, {judged}"
    table = folding_table("reason", "rows", "meaning", title=title)
    for name, rows in found.reasons.items():
        table.add_row(name, f"{rows:,}", REASONS[name].reason if name in REASONS else "a rule of an earlier version")
    out.print(table)
    for reasons, rows_of_it in groupby(found.samples, key=lambda row: row["quarantine_reasons"]):
        samples = folding_table(*_SAMPLE_COLUMNS.values(), box=SIMPLE, title=reasons, title_justify="left")
        for row in rows_of_it:
            samples.add_row(*("" if row[name] is None else escape(str(row[name])) for name in _SAMPLE_COLUMNS))
        out.print(samples)


@click.command()
@lake_option
@click.option("--json", "as_json", is_flag=True, help="A JSON array on standard output.")
def status(lake: str | None, as_json: bool) -> None:
    """List what is published, month by month.

    Also lists tables that do not fit together, such as one that was built from an earlier version of its staging.
    """
    from taxi_assets.lake.status import lake_status

    months = lake_status(existing_lake(lake))
    if as_json:
        click.echo(json.dumps([month.as_json() for month in months]))
        return
    if not months:
        out.print(f"Nothing is published yet. Begin with: {pasteable('taxi-assets demo')}", soft_wrap=True)
        return
    table = folding_table("month", "table", "rows", "version")
    for month in months:
        source = f"{month.source_rows:,}" if month.source_rows is not None else "-"
        raw = f"raw trips, masked (k={month.masked_to})" if month.masked_to else "raw trips"
        table.add_row(month.month, raw, source, f"sha256 {(month.source_sha256 or '-')[:16]}")
        for name, entry in month.tables.items():
            table.add_row("", name.partition(".")[2], f"{entry.rows:,}", entry.version)
        table.add_section()
    out.print(table)
    if any(month.masked_to for month in months):
        out.print(f"[yellow]masked[/yellow] {MASKED}", soft_wrap=True, highlight=False)
    for month in months:
        for remark in (*month.remarks, *month.put_back):
            out.print(f"[yellow]{month.month}[/yellow] {escape(remark)}", soft_wrap=True, highlight=False)
        if month.refused and month.source_sha256:
            said = f"not in force: {month.refused}"
            out.print(f"[yellow]{month.month}[/yellow] {escape(said)}", soft_wrap=True)


@click.command()
@click.argument("sql")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json", "parquet"]),
    help="How to write the answer.  [default: by the ending of --output, else table]",
)
@click.option(
    "--limit",
    type=click.IntRange(0, MOST_ROWS),
    help=f"Rows to show, 0 for all.  [default: {ROWS_ON_A_TERMINAL} of a table on a terminal, else all]",
)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file.")
@as_of_option
@lake_option
def query(
    sql: str, form: str | None, limit: int | None, output: Path | None, as_of: str | None, lake: str | None
) -> None:
    """Run read-only SQL on what is published.

    The dialect is DuckDB's, or Redshift's if TAXI_REDSHIFT_WORKGROUP is set. SHOW TABLES lists tables and views;
    DESCRIBE gives the columns of one, with unit and meaning. Names need no layer: trips means staging.trips. A table
    that is too wide for the terminal is shown with one line for each column.

    \b
      taxi-assets query "SHOW TABLES"
      taxi-assets query "DESCRIBE daily_metrics"
      taxi-assets query "SELECT quarantine_reasons, count(*) FROM quarantine GROUP BY ALL"
      taxi-assets query "FROM daily_trend" --output daily_trend.csv
      taxi-assets query "FROM monthly_summary" --as-of 2024-05-01
    """
    form = form or _form_of(output)
    if form == "parquet" and output is None:
        raise click.UsageError("Parquet is written to a file: give --output")
    if limit is None and form == "table" and output is None and sys.stdout.isatty():
        limit = ROWS_ON_A_TERMINAL
    _answer(lake, "query", sql, sql, {}, form, limit or None, output, as_of)


@click.command()
@click.argument("name", shell_complete=complete_tables)
@click.option("--format", "form", type=click.Choice(["csv", "parquet", "json"]), help="File format.  [default: csv]")
@click.option("--month", metavar="YYYY-MM", shell_complete=complete_months, help="Only the rows of this month.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file.  [default: NAME, the month and the moment, in this folder]",
)
@as_of_option
@lake_option
def export(
    name: str, form: str | None, month: str | None, output: Path | None, as_of: str | None, lake: str | None
) -> None:
    """Write a view or table to a file.

    \b
      taxi-assets export daily_trend
      taxi-assets export trips --month 2024-02 --format parquet
      taxi-assets export monthly_summary --as-of 2024-05-01 --output may.csv
    """
    from taxi_assets.warehouse.question import Question, UnknownName, askable

    settings = settings_of(lake, None)
    form = form or (_form_of(output) if output else "csv")
    if month is not None:
        check_month(month)
    try:
        reads = f"FROM {askable(name).full_name}"
        sql, values = Question(name, where={} if month is None else {"month": month}).sql()
    except UnknownName as error:
        raise click.UsageError(str(error)) from error
    parts = [name.rpartition(".")[2], month, as_of and f"as_of_{as_of}".replace(":", "")]
    stem = "_".join(part for part in parts if part)
    if settings.redshift_workgroup and output is None and form in ("csv", "parquet"):
        rows, to = _unload(settings, sql, values, form, stem, as_of)
        click.echo(f"{rows:,} rows of {name} are in {to}", err=True)
        return
    file = output or Path(f"{stem}.{form}")
    rows = _answer(lake, "export", reads, sql, values, form, None, file, as_of)
    click.echo(f"{rows:,} rows of {name} are in {file}", err=True)


def _unload(
    settings: Settings, sql: str, values: Mapping[str, Value], form: str, stem: str, as_of: str | None
) -> tuple[int, str]:
    """Have Redshift write an export into the lake's bucket; its rows and where they are."""
    from taxi_assets.lake.lake import Lake
    from taxi_assets.warehouse.question import bind
    from taxi_assets.warehouse.redshift import Workgroup
    from taxi_assets.warehouse.redshift_ddl import text

    to = f"{settings.lake}/exports/{stem}/{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}/"
    bound, _ = bind(sql, values, lambda one: text(str(values[one])))
    with closing(Workgroup.of(settings).engine(Lake.of(settings))) as engine:
        return engine.unload(bound, to, form, label="taxi-assets export", as_of=as_of), to


def _form_of(output: Path | None) -> str:
    """The form that the ending of a file asks for; click.UsageError if it is no known one."""
    if output is None:
        return "table"
    ending = output.suffix.removeprefix(".").lower()
    if ending not in ("csv", "json", "parquet"):
        raise click.UsageError(f"{output} ends with none of .csv, .json and .parquet: say which with --format")
    return ending


def _answer(
    folder: str | None,
    command: str,
    reads: str,
    sql: str,
    values: Mapping[str, Value],
    form: str,
    limit: int | None,
    output: Path | None,
    as_of: str | None,
) -> int:
    """Ask, write the answer to a file or to standard output, and return its rows; an error of SQL ends the command.

    ``reads`` is SQL that names the tables of ``sql`` and has no parameters; those of ``sql`` are ``:name``.
    """
    import duckdb

    from taxi_assets.cli.answer import write, write_parquet
    from taxi_assets.lake.reading import answered_by_contracts, refuse_no_query, run_query
    from taxi_assets.warehouse.question import bind

    lake, settings, label, rows = existing_lake(folder), settings_of(folder, None), f"taxi-assets {command}", 0
    try:
        if settings.redshift_workgroup and not answered_by_contracts(sql):
            asked = _asked_of_redshift(settings, lake, label, sql, values, as_of)
            sql, values = "FROM answer", {}
        else:
            asked = lake.connect(reads, as_of)
            sql = bind(sql, values, lambda one: f"${one}")[0] if values else sql
        with lake.query_log(sql, label) as entry, asked as connection:
            if form == "parquet" and output is not None:
                refuse_no_query(connection, sql)
                with whole_file(output) as part:
                    rows = write_parquet(connection.sql(sql, params=dict(values)), limit, part)
            else:
                answer = run_query(connection, sql, values)
                names = [column[0] for column in answer.description]

                def fetch(most: int) -> list[tuple[Any, ...]]:
                    nonlocal rows
                    batch = answer.fetchmany(most)
                    rows += len(batch)
                    return batch

                with _stream(output) as to:
                    write(form, names, fetch, limit, to)
            entry.rows = rows
    except duckdb.Error as error:
        fail(str(error))
    return rows


def _asked_of_redshift(
    settings: Settings, lake: Lake, label: str, sql: str, values: Mapping[str, Value], as_of: str | None
) -> duckdb.DuckDBPyConnection:
    """A connection that has Redshift's answer as ``answer``."""
    from taxi_assets.lake.duck import connect
    from taxi_assets.warehouse.redshift import Workgroup

    with closing(Workgroup.of(settings).engine(lake)) as engine:
        found = engine.run(sql, values, label=label, as_of=as_of)
    connection = connect()
    connection.register("answer", found)
    return connection


@contextmanager
def _stream(output: Path | None) -> Iterator[TextIO]:
    """Standard output, or a file, which is there when it is whole."""
    if output is None:
        yield sys.stdout
        return
    with whole_file(output) as part, part.open("w", encoding="utf-8", newline="") as file:
        yield file
