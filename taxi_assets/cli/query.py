"""The commands that show what there is: status, query, quarantine show."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import asdict
from itertools import groupby

import click
from rich.box import SIMPLE
from rich.markup import escape
from rich.table import Table

from taxi_assets.cli.options import check_month, existing_lake, lake_option
from taxi_assets.cli.output import as_json_text, fail, out

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
@click.option("--month", required=True, metavar="YYYY-MM", help="A month that is staged.")
@click.option("--reason", metavar="RULE", help="Only rows with this reason, for example impossible_amount.")
@click.option("--limit", type=click.IntRange(0), default=10, show_default=True, help="Rows to show.")
@lake_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output, whole rows.")
def show(month: str, reason: str | None, limit: int, lake: str | None, as_json: bool) -> None:
    """How many rows of a month are quarantined for which reason, and some of them.

    \b
      taxi-assets quarantine show --month 2024-02
      taxi-assets quarantine show --month 2024-02 --reason longer_than_24_hours --limit 50 --json
    """
    from taxi_assets.lake.quarantine import REASONS, report

    check_month(month)
    found = report(existing_lake(lake), month, reason, limit)
    if reason is not None and reason not in (known := REASONS | found.reasons):
        raise click.UsageError(f"there is no reason {reason}; choose from {', '.join(known)}")
    if as_json:
        click.echo(as_json_text(asdict(found)))
        return
    title = f"{month}, {found.rows:,} rows quarantined, rules v{found.rules_version}"
    table = Table("reason", "rows", "meaning", title=title)
    for name, rows in found.reasons.items():
        table.add_row(name, f"{rows:,}", REASONS[name].reason if name in REASONS else "a rule of an earlier version")
    out.print(table)
    for reasons, rows_of_it in groupby(found.samples, key=lambda row: row["quarantine_reasons"]):
        samples = Table(*_SAMPLE_COLUMNS.values(), box=SIMPLE, title=reasons, title_justify="left")
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
        out.print("Nothing is published yet. Begin with: taxi-assets demo")
        return
    table = Table("month", "table", "rows", "version")
    for month in months:
        source = f"{month.source_rows:,}" if month.source_rows is not None else "-"
        table.add_row(month.month, "raw trips", source, f"sha256 {(month.source_sha256 or '-')[:16]}")
        for name, entry in month.tables.items():
            table.add_row("", name.partition(".")[2], f"{entry.rows:,}", entry.version)
        table.add_section()
    out.print(table)
    for month in months:
        for remark in month.remarks:
            out.print(f"[yellow]{month.month}[/yellow] {remark}", soft_wrap=True)


@click.command()
@click.argument("sql")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)
@lake_option
def query(sql: str, form: str, lake: str | None) -> None:
    """Ask SQL (DuckDB's dialect) of the published versions. Read-only.

    Tables: raw.trips, raw.zones, raw.files, staging.trips, staging.quarantine, curated.daily_metrics,
    curated.location_analytics, curated.time_series_analysis, curated.customer_behavior,
    curated.performance_summary, quality.check_history (what every check of every run has found),
    quality.run_metrics (what every run has measured).

    \b
      taxi-assets query "SELECT quarantine_reasons, count(*) FROM staging.quarantine GROUP BY ALL"
      taxi-assets query "FROM curated.daily_metrics" --format csv
    """
    import duckdb

    from taxi_assets.lake.reading import run_query

    opened = existing_lake(lake)
    try:
        with opened.connect(sql) as connection:
            answer = run_query(connection, sql)
            names, rows = list(answer.columns), answer.fetchall()
    except duckdb.Error as error:
        fail(str(error))
    if form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)
    elif form == "json":
        click.echo(as_json_text([dict(zip(names, row, strict=True)) for row in rows]))
    else:
        table = Table(*map(escape, names))
        for row in rows:
            table.add_row(*("" if value is None else escape(str(value)) for value in row))
        out.print(table)
