"""The command ``taxi-assets``.

Belongs here: arguments, printing, exit codes (0 done, 1 the run or an audit failed, 2 wrong usage). Does not:
any work; imports of the heavy modules stand in the commands, so that --help answers at once.
"""

from __future__ import annotations

import csv
import json
import math
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, datetime, timezone
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from glue_jobs.contracts import CURATED_TABLES, MONTHLY_TABLES, QUARANTINE, TRIPS
from glue_jobs.reporting import parse_progress

if TYPE_CHECKING:
    from taxi_assets.lake import Lake
    from taxi_assets.running import MonthResult
    from taxi_assets.settings import Settings

_DEMO_MONTHS = ("2024-01", "2024-02")
_DEMO_SOURCE = "synthetic:rows=50000,seed=1"
_SAMPLE_COLUMNS = {
    "tpep_pickup_datetime": "pick-up",
    "tpep_dropoff_datetime": "drop-off",
    "pulocationid": "from",
    "dolocationid": "to",
    "trip_distance": "miles",
    "total_amount": "total",
}
_out = Console()
_err = Console(stderr=True)

_lake_option = click.option(
    "--lake", help="Folder of the lake, or s3://bucket with TAXI_PROFILE=aws.  [default: TAXI_LAKE, or ./lake]"
)


class _Commands(click.Group):
    """Says in a sentence what AWS has against a command."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            if (said := _said_of_aws(error)) is None:
                raise
            _fail(said)


def _said_of_aws(error: Exception) -> str | None:
    """What an error that comes from AWS means; None for any other. Only a command that met AWS has imported it."""
    if "botocore" not in sys.modules:
        return None
    from botocore.exceptions import BotoCoreError, ClientError

    from taxi_assets.aws import remedy_of
    from taxi_assets.lake.catalog import CatalogUnavailable

    if isinstance(error, CatalogUnavailable):
        return str(error)
    if isinstance(error, BotoCoreError | ClientError) or (isinstance(error, OSError) and "AWS Error" in str(error)):
        return f"{error}. What to do: {remedy_of(error)}."
    return None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="nyc-taxi-lakehouse")
def main() -> None:
    """NYC taxi lakehouse: one month of TLC trips, from the source to five published tables.

    \b
    A first look, no network needed:
      taxi-assets demo
    A real month, straight from the TLC:
      taxi-assets run --month 2024-02
    What is published, and a question to it:
      taxi-assets status
      taxi-assets query "SELECT pickup_date, trips, net_revenue FROM curated.daily_metrics ORDER BY 1"
    """
    warnings.filterwarnings("ignore", module="dagster")


@main.command()
@click.option("--month", required=True, metavar="YYYY-MM", help="Month of the TLC's file.")
@click.option("--source", help="https:// address, folder, or synthetic:rows=50000,seed=1.  [TAXI_SOURCE, or the TLC]")
@_lake_option
@click.option("--tables", metavar="A,B", help="Only these curated tables.  [default: all five]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output, progress on standard error.")
def run(month: str, source: str | None, lake: str | None, tables: str | None, as_json: bool) -> None:
    """Process one month: land it, stage it, build the tables, publish what passes its audits.

    Running a month again is safe: readers see the previous version until the new one is published whole.

    \b
      taxi-assets run --month 2024-02
      taxi-assets run --month 2024-02 --source ~/tlc --lake /data/lake --json
      taxi-assets run --month 2025-01 --source synthetic:rows=200000,seed=7
      taxi-assets run --month 2024-02 --tables daily_metrics,customer_behavior
    """
    _check_month(month)
    chosen = _tables_of(tables)
    settings = _settings(lake, source)
    _finish(_run_with_progress(settings, month, chosen), as_json)


@main.command()
@click.option("--month", required=True, metavar="YYYY-MM", help="A month that is staged.")
@_lake_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output, progress on standard error.")
def replay(month: str, lake: str | None, as_json: bool) -> None:
    """Judge a month's quarantine again under the rules of today.

    For use after a rule was mended: rows that are usable now join the published trips, which stay as they are, and
    the five tables are built anew. Nothing is fetched. A changed flag needs a whole run of the month instead.

    \b
      taxi-assets replay --month 2024-02
    """
    _check_month(month)
    _existing_lake(lake)
    _finish(_run_with_progress(_settings(lake, None), month, None, replay=True), as_json)


@main.command()
@click.option("--from", "first", required=True, metavar="YYYY-MM", help="First month.")
@click.option("--to", "last", required=True, metavar="YYYY-MM", help="Last month.")
@click.option("--force", is_flag=True, help="Also the months that are published whole.")
@click.option("--source", help="https:// address, folder, or synthetic:rows=50000,seed=1.  [TAXI_SOURCE, or the TLC]")
@_lake_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a month on standard output.")
def backfill(first: str, last: str, force: bool, source: str | None, lake: str | None, as_json: bool) -> None:
    """Process a range of months, one after the other; those that are published whole are left out.

    Can be stopped and begun again at any time. A month that fails does not hold the others; after three in a row it
    stops, because then it is not the months.

    \b
      taxi-assets backfill --from 2023-01 --to 2024-12
      taxi-assets backfill --from 2024-02 --to 2024-02 --force
    """
    from taxi_assets.backfilling import backfill, least_cost, plan
    from taxi_assets.resources.lake import LakeResource

    _check_month(first)
    _check_month(last)
    settings = _settings(lake, source)
    try:
        chosen = plan(LakeResource.of(settings).open(), first, last, force)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    cost = least_cost(settings, len(chosen.to_run))
    at_least = f", at least {cost:.2f} USD" if cost else ""
    _err.print(f"{len(chosen.to_run)} months to run{at_least}; {len(chosen.good)} are published whole already")
    failed = []
    for progress in backfill(chosen.to_run, lambda month: _run_with_progress(settings, month, None)):
        result, failed = progress.results[-1], progress.failed
        if as_json:
            click.echo(json.dumps(result.as_json()))
        said = f"{result.published_rows:,} trips" if result.succeeded else "failed"
        so_far = f", {progress.cost_so_far:.2f} USD so far" if progress.cost_so_far else ""
        rest = f"{len(progress.left)} months left, about {progress.seconds_left / 60:.0f} min"
        rest += f" and {progress.cost_left:.2f} USD" if progress.cost_left else ""
        _err.print(f"{result.month}: {said}, {result.seconds['total']:.0f} s{so_far}; {rest}", highlight=False)
        if not result.succeeded:
            _print_result(result)
    for result in failed:
        _err.print(f"[red]not published:[/red] {result.month}", highlight=False)
    sys.exit(1 if failed else 0)


@main.group()
def quarantine() -> None:
    """The rows that are no usable trip, and why."""


@quarantine.command()
@click.option("--month", required=True, metavar="YYYY-MM", help="A month that is staged.")
@click.option("--reason", metavar="RULE", help="Only rows with this reason, for example impossible_amount.")
@click.option("--limit", type=click.IntRange(0), default=10, show_default=True, help="Rows to show.")
@_lake_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output, whole rows.")
def show(month: str, reason: str | None, limit: int, lake: str | None, as_json: bool) -> None:
    """How many rows of a month are quarantined for which reason, and some of them.

    \b
      taxi-assets quarantine show --month 2024-02
      taxi-assets quarantine show --month 2024-02 --reason longer_than_24_hours --limit 50 --json
    """
    from taxi_assets.quarantine import REASONS, NotStaged, report

    _check_month(month)
    try:
        found = report(_existing_lake(lake), month, reason, limit)
    except NotStaged as error:
        _fail(str(error))
    if reason is not None and reason not in (known := REASONS | found.reasons):
        raise click.UsageError(f"there is no reason {reason}; choose from {', '.join(known)}")
    if as_json:
        click.echo(_json(asdict(found)))
        return
    title = f"{month}, {found.rows:,} rows quarantined, rules v{found.rules_version}"
    table = Table("reason", "rows", "meaning", title=title)
    for name, rows in found.reasons.items():
        table.add_row(name, f"{rows:,}", REASONS[name].reason if name in REASONS else "a rule of an earlier version")
    _out.print(table)
    for reasons, rows_of_it in groupby(found.samples, key=lambda row: row["quarantine_reasons"]):
        samples = Table(*_SAMPLE_COLUMNS.values(), box=SIMPLE, title=reasons, title_justify="left")
        for row in rows_of_it:
            samples.add_row(*("" if row[name] is None else escape(str(row[name])) for name in _SAMPLE_COLUMNS))
        _out.print(samples)


@main.command()
@_lake_option
@click.option("--json", "as_json", is_flag=True, help="A JSON array on standard output.")
def status(lake: str | None, as_json: bool) -> None:
    """What is published, month by month, and what does not fit together."""
    from taxi_assets.status import lake_status

    months = lake_status(_existing_lake(lake))
    if as_json:
        click.echo(json.dumps([month.as_json() for month in months]))
        return
    if not months:
        _out.print("Nothing is published yet. Begin with: taxi-assets demo")
        return
    table = Table("month", "table", "rows", "version")
    for month in months:
        source = f"{month.source_rows:,}" if month.source_rows is not None else "-"
        table.add_row(month.month, "raw trips", source, f"sha256 {(month.source_sha256 or '-')[:16]}")
        for name, entry in month.tables.items():
            table.add_row("", name.partition(".")[2], f"{entry.rows:,}", entry.version)
        table.add_section()
    _out.print(table)
    for month in months:
        for remark in month.remarks:
            _out.print(f"[yellow]{month.month}[/yellow] {remark}", soft_wrap=True)


@main.command()
@click.argument("table")
@click.argument("month")
@click.option("--to", "version", metavar="VERSION", help="Version to put back.  [default: the one before the live one]")
@_lake_option
def rollback(table: str, month: str, version: str | None, lake: str | None) -> None:
    """Put an earlier version of MONTH of TABLE back, as a new commit; nothing is deleted.

    TABLE is daily_metrics, curated.daily_metrics, staging.trips … Trips and quarantine go together, because
    together they account for every row of the source.

    \b
      taxi-assets rollback daily_metrics 2024-02
      taxi-assets rollback staging.trips 2024-02 --to 20240403T101500Z-1a2b3c4d
    """
    from taxi_assets.lake.publishing import NoSuchVersion, PublishConflict

    _check_month(month)
    by_name = {name: entry for full, entry in MONTHLY_TABLES.items() for name in (full, entry.name)}
    if table not in by_name:
        raise click.UsageError(f"there is no table {table}; choose from {', '.join(MONTHLY_TABLES)}")
    pair = (TRIPS, QUARANTINE)
    chosen = pair if by_name[table] in pair else (by_name[table],)
    publisher = _existing_lake(lake).publisher
    try:
        restored = publisher.version_to_restore(chosen[0], month, version).version
        pending = []
        for one in chosen:
            live = publisher.live(one, month)
            if live is None or live.version != restored:
                publisher.version_to_restore(one, month, restored)  # before the first commit: all of them or none
                pending.append(one)
        for one in reversed(pending):
            publisher.roll_back(one, month, restored)
    except (NoSuchVersion, PublishConflict) as error:
        _fail(str(error))
    for one in chosen:
        _out.print(f"{one.full_name} {month}: version {restored} is live", highlight=False)
    _out.print("See what now differs: taxi-assets status")


@main.group()
def catalog() -> None:
    """The tables as the catalog knows them."""


@catalog.command()
@_lake_option
@click.option("--json", "as_json", is_flag=True, help="A JSON array on standard output.")
def check(lake: str | None, as_json: bool) -> None:
    """Compare contracts, catalog and files: columns, types, comments, field ids, partitions, rows, damaged files.

    Says how to repair what differs; exit code 1 if anything does. It reads the footer of every live file.
    """
    from taxi_assets.lake.catalog_check import check_catalog

    opened = _existing_lake(lake)
    with Progress(TextColumn("{task.description}"), BarColumn(20), TimeElapsedColumn(), console=_err) as progress:
        rows: dict[str, TaskID] = {}

        def show(table: str, done: int, total: int) -> None:
            if table not in rows:
                rows[table] = progress.add_task(table, total=total)
            progress.update(rows[table], completed=done)

        faults = check_catalog(opened, show)
    if as_json:
        click.echo(json.dumps([asdict(fault) for fault in faults]))
    elif faults:
        found = Table("table", "what differs", "repair")
        for fault in faults:
            found.add_row(fault.table, escape(fault.problem), escape(fault.repair))
        _out.print(found)
    else:
        _out.print("Contracts, catalog and files say the same.")
    sys.exit(1 if faults else 0)


@catalog.command()
@_lake_option
def update(lake: str | None) -> None:
    """Create missing tables, and give all of them the columns and comments of their contracts. No row is touched."""
    from taxi_assets.lake.catalog_check import bring_up_to_date

    not_shown = bring_up_to_date(_existing_lake(lake))
    _out.print("The catalog has every table with the columns of its contract.")
    for remark in not_shown:
        _out.print(f"  not in raw.trips, {remark}", soft_wrap=True, highlight=False)


@main.command()
def deploy() -> None:
    """Put the jobs' code into the lake's bucket and point the Glue jobs at it (TAXI_PROFILE=aws).

    The code lies under its hash, so that runs that have begun keep theirs. Nothing is done that is done already.

    \b
      TAXI_PROFILE=aws TAXI_LAKE=s3://my-lake taxi-assets deploy
    """
    import dagster as dg

    from taxi_assets.deploy import deploy
    from taxi_assets.settings import Profile

    settings = _settings(None, None)
    if settings.profile is not Profile.AWS:
        raise click.UsageError("jobs of the local profile run from this checkout; set TAXI_PROFILE=aws and TAXI_LAKE")
    try:
        deployed = deploy(settings)
    except dg.Failure as failure:
        _fail(str(failure.description))
    table = Table("Glue job", "Glue", "code before", "code now", title=f"{settings.lake}/scripts")
    for one in deployed:
        table.add_row(one.job, one.glue_version, one.before or "-", "unchanged" if one.before == one.now else one.now)
    _out.print(table)


@main.command()
@_lake_option
@click.option("--json", "as_json", is_flag=True, help="A JSON array on standard output.")
def health(lake: str | None, as_json: bool) -> None:
    """Whether all is well: lake, tables, files, runs, freshness, daemon, on AWS Glue and alarms; and how to repair.

    Exit code 1 if a check fails, for cron; a warning is none. A check that cannot be asked fails, the others go on.
    It reads the footer of every live file.

    \b
      taxi-assets health
      taxi-assets health --json | jq '.[] | select(.level == "fail")'
    """
    from taxi_assets.health import Level, examine

    lines = examine(_settings(lake, None), datetime.now(timezone.utc))
    if as_json:
        click.echo(json.dumps([asdict(line) for line in lines]))
    else:
        colours = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "red"}
        table = Table("check", "", box=SIMPLE)
        for name in ("found", "repair"):
            table.add_column(name, overflow="fold")  # paths are there to be copied
        for line in lines:
            level = f"[{colours[line.level]}]{line.level.value}[/]"
            table.add_row(line.check, level, escape(line.found), escape(line.repair))
        _out.print(table)
    sys.exit(1 if any(line.level is Level.FAIL for line in lines) else 0)


@main.command()
@click.argument("sql")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)
@_lake_option
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

    from taxi_assets.lake.reading import QueryRefused, run_query

    opened = _existing_lake(lake)
    try:
        with opened.connect(sql) as connection:
            answer = run_query(connection, sql)
            names, rows = list(answer.columns), answer.fetchall()
    except (duckdb.Error, QueryRefused) as error:
        _fail(str(error))
    if form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)
    elif form == "json":
        click.echo(_json([dict(zip(names, row, strict=True)) for row in rows]))
    else:
        table = Table(*map(escape, names))
        for row in rows:
            table.add_row(*("" if value is None else escape(str(value)) for value in row))
        _out.print(table)


@main.command()
@_lake_option
def demo(lake: str | None) -> None:
    """Two synthetic months end to end, in seconds, without network or Java."""
    settings = _settings(lake, _DEMO_SOURCE)
    for month in _DEMO_MONTHS:
        result = _run_with_progress(settings, month, None)
        _print_result(result)
        if not result.succeeded:
            sys.exit(1)
    at = f" --lake {lake}" if lake and Path(lake).resolve() != Path("lake").resolve() else ""
    _out.print("\n[bold]Next[/bold]")
    for line in (
        f"taxi-assets status{at}",
        f'taxi-assets query "SELECT pickup_date, trips, net_revenue FROM curated.daily_metrics ORDER BY 1"{at}',
        f'taxi-assets query "SELECT quarantine_reasons, count(*) AS trips FROM staging.quarantine GROUP BY ALL"{at}',
        f"taxi-assets run --month 2024-03 --source {_DEMO_SOURCE}{at}",
        f"taxi-assets rollback daily_metrics {_DEMO_MONTHS[-1]}{at}   (after a second run of that month)",
        "make ui   (the asset graph, in a browser)",
    ):
        _out.print(f"  {line}", soft_wrap=True, highlight=False)
    _out.print("The command lies in .venv/bin; put it on your PATH with: . .venv/bin/activate")


@main.command()
@_lake_option
def home(lake: str | None) -> None:
    """Print the folder of the lake's Dagster instance (made if need be), for DAGSTER_HOME."""
    from taxi_assets.dagster_instance import NoDagsterHome, dagster_home

    try:
        click.echo(dagster_home(_settings(lake, None)).resolve())
    except NoDagsterHome as error:
        _fail(str(error))


def _json(value: Any) -> str:
    """As JSON, which has no NaN and no infinity: those are null."""
    return json.dumps(_finite(value), default=_json_value, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _json_value(value: Any) -> Any:
    """Money as a number (15 digits survive), dates and times by ISO 8601."""
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def _settings(lake: str | None, source: str | None) -> Settings:
    from pydantic import ValidationError

    from taxi_assets.settings import Settings

    given: dict[str, Any] = {"lake": lake, "source": source}
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise click.UsageError("; ".join(str(fault["msg"]) for fault in error.errors())) from error


def _existing_lake(folder: str | None) -> Lake:
    from taxi_assets.resources.lake import LakeResource
    from taxi_assets.settings import Profile

    settings = _settings(folder, None)
    if settings.profile is Profile.LOCAL and not Path(settings.lake, "catalog.db").is_file():
        raise click.UsageError(f"there is no lake in {settings.lake}; make one with: taxi-assets demo")
    return LakeResource.of(settings).open()


def _check_month(month: str) -> None:
    from taxi_assets.partitions import MONTHS

    keys = MONTHS.get_partition_keys()
    if month[:5] in ("2009-", "2010-"):
        raise click.UsageError(f"files of {month[:4]} carry coordinates instead of taxi zones; begin with {keys[0]}")
    if month not in keys:
        raise click.UsageError(f"{month!r} is not a month from {keys[0]} to {keys[-1]}; write it as YYYY-MM")


def _tables_of(names: str | None) -> list[str] | None:
    if names is None:
        return None
    chosen = [name.strip() for name in names.split(",")]
    if unknown := [name for name in chosen if name not in CURATED_TABLES]:
        raise click.UsageError(f"there is no table {', '.join(unknown)}; choose from {', '.join(CURATED_TABLES)}")
    return chosen


def _fail(message: str) -> NoReturn:
    _err.print(f"[red]error:[/red] {escape(message)}", soft_wrap=True, highlight=False)
    sys.exit(1)


def _run_with_progress(settings: Settings, month: str, tables: list[str] | None, replay: bool = False) -> MonthResult:
    from taxi_assets.dagster_instance import InstanceUnavailable, NoDagsterHome
    from taxi_assets.running import STEPS, run_month

    try:
        with _progress_of(STEPS[1:] if replay else STEPS, month) as listener:
            return run_month(settings, month, tables, listener, replay)
    except NoDagsterHome as error:
        raise click.UsageError(str(error)) from error
    except InstanceUnavailable as error:
        _fail(str(error))


def _finish(result: MonthResult, as_json: bool) -> None:
    """Print the result and exit with its code."""
    if as_json:
        click.echo(json.dumps(result.as_json()))
    else:
        _print_result(result)
    sys.exit(0 if result.succeeded else 1)


@contextmanager
def _progress_of(steps: tuple[str, ...], month: str) -> Iterator[Callable[[str, str], None]]:
    """A listener that shows a bar for each step on a terminal, and plain lines elsewhere."""
    if not _err.is_terminal:
        yield lambda step, message: click.echo(f"{month} {step}: {message}", err=True)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(20),
        TextColumn("{task.fields[said]}", markup=False),
    )
    with Progress(*columns, TimeElapsedColumn(), console=_err) as progress:
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


def _print_result(result: MonthResult) -> None:
    if result.error:
        _err.print(f"[red]{result.month} failed:[/red] {escape(result.error)}", soft_wrap=True, highlight=False)
        for check in result.failed_checks:
            _err.print(f"  check failed: {check}", markup=False, highlight=False)
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
    _out.print(facts)
    tables = Table("table", "rows", "version")
    for name, published in result.tables.items():
        tables.add_row(name, f"{published.rows:,}", published.version)
    _out.print(tables)
    for published in result.tables.values():
        if published.picture:
            _out.print(f"picture: {published.picture}", soft_wrap=True, highlight=False)
    for check in result.warned_checks:
        _out.print(f"  warning: {check}", markup=False, highlight=False)


if __name__ == "__main__":
    main()
