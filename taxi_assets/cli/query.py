"""The commands that show what there is: status, query, quarantine show."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from itertools import groupby

import click
from rich.box import SIMPLE
from rich.markup import escape

from taxi_assets.cli.options import check_month, existing_lake, lake_option, month_option
from taxi_assets.cli.output import ROWS_ON_A_TERMINAL, as_json_text, fail, folding_table, out, pasteable

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
    """The unusable rows, and why."""


@quarantine.command()
@month_option("A month that is staged.")
@click.option("--reason", metavar="RULE", help="Only rows with this reason, for example impossible_amount.")
@click.option("--version", metavar="VERSION", help="Of this version, also of a refused one.  [default: the live one]")
@click.option("--limit", type=click.IntRange(0), default=10, show_default=True, help="Rows to show.")
@lake_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output, whole rows.")
def show(month: str, reason: str | None, version: str | None, limit: int, lake: str | None, as_json: bool) -> None:
    """How many rows of a month are quarantined for which reason, and some of them.

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
    """What is published, month by month, and what does not fit together."""
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
        table.add_row(month.month, "raw trips", source, f"sha256 {(month.source_sha256 or '-')[:16]}")
        for name, entry in month.tables.items():
            table.add_row("", name.partition(".")[2], f"{entry.rows:,}", entry.version)
        table.add_section()
    out.print(table)
    for month in months:
        for remark in (*month.remarks, *month.put_back):
            out.print(f"[yellow]{month.month}[/yellow] {escape(remark)}", soft_wrap=True, highlight=False)
        if month.refused and month.source_sha256:
            said = f"not in force: {month.refused}"
            out.print(f"[yellow]{month.month}[/yellow] {escape(said)}", soft_wrap=True)


@click.command()
@click.argument("sql")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)
@click.option(
    "--limit",
    type=click.IntRange(0),
    help=f"Rows to show, 0 for all.  [default: {ROWS_ON_A_TERMINAL} of a table on a terminal, else all]",
)
@lake_option
def query(sql: str, form: str, limit: int | None, lake: str | None) -> None:
    """Ask SQL (DuckDB's dialect) of the published versions. Read-only.

    SHOW TABLES lists the tables, DESCRIBE gives one's columns with unit and meaning. Names need no layer: trips alone
    is staging.trips. A table that is too wide for the terminal is shown a column a line.

    \b
      taxi-assets query "SHOW TABLES"
      taxi-assets query "DESCRIBE daily_metrics"
      taxi-assets query "SELECT quarantine_reasons, count(*) FROM quarantine GROUP BY ALL"
      taxi-assets query "FROM daily_metrics" --format csv
    """
    import duckdb

    from taxi_assets.cli.answer import write
    from taxi_assets.lake.reading import run_query

    if limit is None and form == "table" and sys.stdout.isatty():
        limit = ROWS_ON_A_TERMINAL
    opened = existing_lake(lake)
    try:
        with opened.connect(sql) as connection:
            answer = run_query(connection, sql)
            write(form, [column[0] for column in answer.description], answer.fetchmany, limit or None)
    except duckdb.Error as error:
        fail(str(error))
