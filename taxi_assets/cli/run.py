"""The commands that run months: run, replay, backfill, rebuild, demo."""

from __future__ import annotations

import getpass
import json
import os
import shlex
import sys
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from glue_jobs.errors import PipelineError
from taxi_assets.cli.options import (
    check_month,
    complete_months,
    existing_lake,
    lake_option,
    month_option,
    refuse_no_raw,
    refuse_other_kind,
    settings_of,
    settings_to_run,
    tables_of,
)
from taxi_assets.cli.output import INTERRUPTED, err, out, pasteable, plain_progress, print_result, progress_of

if TYPE_CHECKING:
    from taxi_assets.operations.backfill import Progress
    from taxi_assets.operations.rebuild import Plan
    from taxi_assets.operations.run_month import MonthResult
    from taxi_assets.settings import Settings

_DEMO_MONTHS = ("2024-01", "2024-02")

_DEMO_SOURCE = "synthetic:rows=50000,seed=1"

_jobs_option = click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    metavar="N",
    help="Months at once, each in a process of its own: up to 4 GB of memory for each (16 million trips).",
)


@click.command()
@month_option("Month of the TLC's file.")
@click.option("--source", help="https:// address, folder, or synthetic:rows=50000,seed=1.  [TAXI_SOURCE, or the TLC]")
@lake_option
@click.option("--tables", metavar="A,B", help="Only these curated tables.  [default: all five]")
@click.option(
    "--accept-smaller",
    metavar="WHY",
    help="Publish even if days, rows or revenue of the live version are missing; WHY is recorded.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output, progress on standard error.")
def run(
    month: str, source: str | None, lake: str | None, tables: str | None, accept_smaller: str | None, as_json: bool
) -> None:
    """Process one month, from the source to the tables.

    Fetches the month's file, cleans it, builds the tables, and publishes what passes its checks. Running a month again
    is safe: readers see the previous version of a table until its new one is published.

    \b
      taxi-assets run --month 2024-02
      taxi-assets run --month 2024-02 --source ~/tlc --lake /data/lake --json
      taxi-assets run --month 2025-01 --source synthetic:rows=200000,seed=7
      taxi-assets run --month 2024-02 --tables daily_metrics,customer_behavior
    """
    chosen = tables_of(tables)
    check_month(month)
    settings = settings_to_run(lake, source)
    check_month(month, settings.first_month)
    refuse_other_kind(settings, source)
    accepted = f"{_user()}: {accept_smaller}" if accept_smaller else ""
    _finish(_run_with_progress(settings, month, chosen, accept_smaller=accepted), as_json)


@click.command()
@month_option("A month that has been run before.")
@lake_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output, progress on standard error.")
def replay(month: str, lake: str | None, as_json: bool) -> None:
    """Apply today's rules to a month's quarantined rows again.

    Use it after a rule was corrected: rows that are usable now join the published trips, and the five tables are
    built again. Nothing is fetched. After a change of a rule that flags trips, run the whole month instead.

    \b
      taxi-assets replay --month 2024-02
    """
    settings = settings_of(lake, None)
    check_month(month, settings.first_month)
    existing_lake(lake)
    _finish(_run_with_progress(settings, month, None, replay=True), as_json)


@click.command()
@click.option("--from", "first", required=True, metavar="YYYY-MM", shell_complete=complete_months, help="First month.")
@click.option("--to", "last", required=True, metavar="YYYY-MM", shell_complete=complete_months, help="Last month.")
@click.option("--force", is_flag=True, help="Run the months that are already fully published, too.")
@click.option("--source", help="https:// address, folder, or synthetic:rows=50000,seed=1.  [TAXI_SOURCE, or the TLC]")
@lake_option
@_jobs_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a month on standard output.")
def backfill(
    first: str, last: str, force: bool, source: str | None, lake: str | None, jobs: int, as_json: bool
) -> None:
    """Process a range of months, one after the other unless --jobs says otherwise.

    Months that are already fully published are left out. The command can be stopped and started again at any time. A
    month that fails does not stop the others, but three in a row do: the cause is then unlikely to be the months.

    \b
      taxi-assets backfill --from 2023-01 --to 2024-12
      taxi-assets backfill --from 2023-01 --to 2024-12 --jobs 2
      taxi-assets backfill --from 2024-02 --to 2024-02 --force
    """
    from taxi_assets.lake.lake import Lake
    from taxi_assets.operations.backfill import backfill, least_cost, plan

    check_month(first)
    check_month(last)
    if first > last:
        raise click.UsageError(f"there is no month from {first} to {last}")
    settings = settings_to_run(lake, source)
    check_month(first, settings.first_month)
    refuse_other_kind(settings, source)
    try:
        chosen = plan(Lake.of(settings), first, last, force)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    cost = least_cost(settings, len(chosen.to_run))
    at_least = f", at least {cost:.2f} USD" if cost else ""
    err.print(f"{len(chosen.to_run)} months to run{at_least}; {len(chosen.good)} are published whole already")
    jobs = _at_once(settings, jobs, len(chosen.to_run))
    run = partial(_run_to_publish, settings, has_bars=jobs == 1)
    _report(backfill(chosen.to_run, run, jobs), as_json)


def _at_once(settings: Settings, jobs: int, months: int) -> int:
    """How many of so many months to run at once; if several, Dagster's databases are made before they begin."""
    from taxi_assets.operations.dagster_instance import NoDagsterHome, open_instance

    if min(jobs, months) <= 1:
        return 1
    try:
        with open_instance(settings):
            pass
    except NoDagsterHome as error:
        raise click.UsageError(str(error)) from error
    return min(jobs, months)


def _run_to_publish(settings: Settings, month: str, begin_with: str = "ingest_raw", *, has_bars: bool) -> MonthResult:
    """Run a month whole; without bars in another process, where an error is its result's."""
    if has_bars:
        return _run_with_progress(settings, month, None, begin_with=begin_with)
    from taxi_assets.operations.run_month import MonthResult, run_month

    try:
        return run_month(settings, month, None, plain_progress(month), begin_with=begin_with)
    except PipelineError as error:
        return MonthResult(month, error=str(error))


def _report(steps: Iterator[Progress], as_json: bool) -> None:
    """Print how it stands after each month, and exit with the code of those that failed."""
    failed: list[MonthResult] = []
    for progress in steps:
        failed = progress.failed
        if progress.jobs > 1:  # else it was done where the month was run
            progress.results[-1].error = pasteable(progress.results[-1].error)
        _print_progress(progress, as_json)
    _exit_with(failed)


def _print_progress(progress: Progress, as_json: bool) -> None:
    """What became of the newest month, and how the others stand."""
    result = progress.results[-1]
    if as_json:
        click.echo(json.dumps(result.as_json()))
    trips = f"{result.published_rows:,} trips" if result.published_rows is not None else "done"
    said = trips if result.succeeded else "failed"
    so_far = f", {progress.cost_so_far:.2f} USD so far" if progress.cost_so_far else ""
    rest = f"{len(progress.left)} months left, about {progress.seconds_left / 60:.0f} min"
    rest += f" and {progress.cost_left:.2f} USD" if progress.cost_left else ""
    err.print(f"{result.month}: {said}, {result.seconds.get('total', 0):.0f} s{so_far}; {rest}", highlight=False)
    if not result.succeeded:
        print_result(result)


def _exit_with(failed: list[MonthResult]) -> None:
    """Name the months that failed, and exit with their code."""
    for result in failed:
        err.print(f"[red]not published:[/red] {result.month}", highlight=False)
    sys.exit(_exit_code(failed[-1]) if failed else 0)


@click.command()
@click.option(
    "--month",
    "months",
    multiple=True,
    metavar="YYYY-MM",
    shell_complete=complete_months,
    help="Build this month as well, although nothing is found to be wrong with it; can be given several times.",
)
@click.option("--yes", is_flag=True, help="Do what is listed. Without it nothing is done.")
@lake_option
@_jobs_option
@click.option("--json", "as_json", is_flag=True, help="The plan as a JSON object, and with --yes one for each month.")
def rebuild(months: tuple[str, ...], yes: bool, lake: str | None, jobs: int, as_json: bool) -> None:
    """Put a damaged lake together again, of raw alone if need be: show how, and with --yes do it.

    The catalog is made again of the tables' own metadata, and months that are gone or damaged are built of their raw
    files in force, the newest first, one after the other unless --jobs says otherwise. Nothing is fetched. What is
    whole is left alone, so that the command can be stopped and started again at any time. Exit code 1 if something is
    left to do, or cannot be done.

    \b
      taxi-assets rebuild
      taxi-assets rebuild --yes --jobs 2
      taxi-assets rebuild --month 2024-02 --yes
    """
    from taxi_assets.operations.rebuild import carry_out, plan

    for month in months:
        check_month(month)
    settings = settings_of(lake, None)
    refuse_no_raw(settings)
    planned = plan(settings, months)
    if as_json:
        click.echo(json.dumps(_plan_as_json(planned)))
    else:
        _print_plan(planned, settings.lake, yes)
    if not yes or planned.is_empty:
        sys.exit(1 if planned.cannot or not planned.is_empty else 0)

    jobs = _at_once(settings, jobs, len(planned.months))
    run = partial(_run_to_publish, has_bars=jobs == 1)
    _report(carry_out(settings, planned, run, jobs), as_json)


def _plan_as_json(planned: Plan) -> dict[str, Any]:
    months = [
        {"month": one.month, "why": one.why, "begin_with": one.begin_with, "bytes": one.trips.bytes}
        for one in planned.months
    ]
    reference = [table.full_name for table in planned.reference]
    return {"entered": planned.entered, "reference": reference, "months": months, "cannot": planned.cannot}


def _print_plan(planned: Plan, lake: str, is_begun: bool) -> None:
    from rich.filesize import decimal

    from taxi_assets.operations.rebuild import STAGE

    def say(text: str) -> None:
        out.print(text, soft_wrap=True, highlight=False, markup=False)

    for said in planned.entered:
        say(f"catalog: {said}")
    for table in planned.reference:
        say(f"reference: {table.full_name} is published again")
    for one in planned.months:
        what = f"of {decimal(one.trips.bytes)}" if one.begin_with == STAGE else "its report"
        say(f"month: {one.month}, {what}: {one.why}")
    for said in planned.cannot:
        say(f"not from raw: {pasteable(said)}")
    if planned.is_empty:
        say(f"There is nothing to rebuild in {lake}; --month builds a month all the same.")
        return
    again = pasteable("taxi-assets rebuild")
    if number := sum(one.begin_with == STAGE for one in planned.months):
        say(f"Months to build: {number}, of {decimal(planned.bytes)} in raw; nothing is fetched.")
    if not is_begun:
        say(f"Nothing was done yet. To do this: {again} --yes")


@click.command()
@click.option("--lake", default="demo-lake", show_default=True, help="Folder of the demo's own lake.")
def demo(lake: str) -> None:
    """Process two synthetic months, in a lake of their own.

    Needs no network and no Java. A lake that holds real months is refused.
    """
    settings = settings_of(lake, _DEMO_SOURCE)
    refuse_other_kind(settings, None)
    for month in _DEMO_MONTHS:
        result = _run_with_progress(settings, month, None)
        print_result(result)
        if not result.succeeded:
            sys.exit(_exit_code(result))
    out.print("\n[bold]Next[/bold]")
    for line in (
        f"export TAXI_LAKE={shlex.quote(settings.lake)}   (the lake that the next commands use)",
        "taxi-assets status",
        'taxi-assets query "SELECT pickup_date, trips, net_revenue FROM daily_metrics ORDER BY 1"',
        'taxi-assets query "SELECT quarantine_reasons, count(*) AS trips FROM quarantine GROUP BY ALL"',
        f"taxi-assets run --month 2024-03 --source {_DEMO_SOURCE}",
        f"taxi-assets rollback daily_metrics {_DEMO_MONTHS[-1]}   (after a second run of that month)",
        "taxi-assets ui   (the asset graph, in a browser)",
    ):
        out.print(f"  {line}", soft_wrap=True, highlight=False)
    out.print("The command lies in .venv/bin; put it on your PATH with: . .venv/bin/activate")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user without a name
        return f"user {os.getuid()}"


def _run_with_progress(
    settings: Settings,
    month: str,
    tables: list[str] | None,
    replay: bool = False,
    accept_smaller: str = "",
    begin_with: str = "ingest_raw",
) -> MonthResult:
    from taxi_assets.operations.dagster_instance import NoDagsterHome
    from taxi_assets.operations.run_month import STEPS, run_month

    try:
        with progress_of(STEPS[1:] if replay else STEPS[STEPS.index(begin_with) :], month) as listener:
            result = run_month(settings, month, tables, listener, replay, accept_smaller, begin_with)
    except NoDagsterHome as error:
        raise click.UsageError(str(error)) from error
    result.error = pasteable(result.error)
    return result


def _finish(result: MonthResult, as_json: bool) -> None:
    """Print the result and exit with its code."""
    if as_json:
        click.echo(json.dumps(result.as_json()))
    else:
        print_result(result)
    sys.exit(_exit_code(result))


def _exit_code(result: MonthResult) -> int:
    return 0 if result.succeeded else INTERRUPTED if result.interrupted else 1
