"""The commands about tables as a whole and the jobs' code: rollback, catalog …, verify, vacuum; deploy."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape

from glue_jobs.contracts import MONTHLY_TABLES, QUARANTINE, TABLES, TRIPS
from taxi_assets.cli.options import (
    check_month,
    complete_monthly_tables,
    complete_months,
    existing_lake,
    lake_option,
    settings_of,
)
from taxi_assets.cli.output import err, folding_table, out, pasteable

if TYPE_CHECKING:
    from rich.progress import TaskID

    from taxi_assets.lake.catalog_check import Fault
    from taxi_assets.lake.vacuum import Group, Plan


@click.command()
@click.argument("table", shell_complete=complete_monthly_tables)
@click.argument("month", shell_complete=complete_months)
@click.option("--to", "version", metavar="VERSION", help="Version to put back.  [default: the one before the live one]")
@lake_option
def rollback(table: str, month: str, version: str | None, lake: str | None) -> None:
    """Make an earlier version of a table's month live again. It is a new commit; nothing is deleted.

    TABLE is a name such as daily_metrics, curated.daily_metrics or staging.trips. Trips and quarantine are rolled
    back together, because together they account for every row of the source.

    \b
      taxi-assets rollback daily_metrics 2024-02
      taxi-assets rollback staging.trips 2024-02 --to 20240403T101500Z-1a2b3c4d
    """

    check_month(month)
    by_name = {name: entry for full, entry in MONTHLY_TABLES.items() for name in (full, entry.name)}
    if table not in by_name:
        raise click.UsageError(f"there is no table {table}; choose from {', '.join(MONTHLY_TABLES)}")
    pair = (TRIPS, QUARANTINE)
    chosen = pair if by_name[table] in pair else (by_name[table],)
    restored = existing_lake(lake).publisher.roll_back_together(chosen, month, version)
    for one in restored:
        out.print(f"{one.table} {month}: version {one.version} is live", highlight=False)
    out.print(f"See what now differs: {pasteable('taxi-assets status')}", soft_wrap=True, highlight=False)


@click.group()
def catalog() -> None:
    """Check, repair, maintain or move the Iceberg tables."""


@catalog.command()
@lake_option
@click.option("--json", "as_json", is_flag=True, help="A JSON array on standard output.")
def check(lake: str | None, as_json: bool) -> None:
    """Compare contracts, catalog and files: columns, types, comments, field ids, partitions, rows, damaged files.

    Says how to repair what differs; exit code 1 if anything does. It reads the footer of every live file.
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from taxi_assets.lake.catalog_check import check_catalog

    opened = existing_lake(lake)
    with Progress(TextColumn("{task.description}"), BarColumn(20), TimeElapsedColumn(), console=err) as progress:
        rows: dict[str, TaskID] = {}

        def show(table: str, done: int, total: int) -> None:
            if table not in rows:
                rows[table] = progress.add_task(table, total=total)
            progress.update(rows[table], completed=done)

        faults = check_catalog(opened, show)
    _print_faults(faults, as_json, "Contracts, catalog and files say the same.")


def _print_faults(found: list[Fault], as_json: bool, none: str) -> None:
    """Print what differs, or that there is ``none``, and exit with 0 if there is."""
    faults = [replace(fault, repair=pasteable(fault.repair)) for fault in found]
    if as_json:
        click.echo(json.dumps([asdict(fault) for fault in faults]))
    elif faults:
        shown = folding_table("table", "what differs", "repair")
        for fault in faults:
            shown.add_row(fault.table, escape(fault.problem), escape(fault.repair))
        out.print(shown)
    else:
        out.print(none)
    sys.exit(1 if faults else 0)


@click.command()
@click.option("--month", "months", multiple=True, metavar="YYYY-MM", shell_complete=complete_months, help="Only this.")
@lake_option
@click.option("--json", "as_json", is_flag=True, help="A JSON array on standard output.")
def verify(months: tuple[str, ...], lake: str | None, as_json: bool) -> None:
    """Read all that is kept of the months, and ask the checks of what is published again.

    Beside what catalog check compares, it reads each raw file in force (SHA-256) and all live files, so that it also
    finds a byte that has changed. Says how to repair what it finds; exit code 1 if it finds anything. Nothing is
    changed or recorded.
    """
    from taxi_assets.lake.catalog_check import check_catalog
    from taxi_assets.operations.verify import verify_months

    for month in months:
        check_month(month)
    opened = existing_lake(lake)
    faults = [fault for fault in check_catalog(opened) if not months or fault.month in (*months, "")]
    for one in verify_months(opened, months):
        known = {fault.problem for fault in faults}
        faults += [fault for fault in one.faults if fault.problem not in known]
        found = f"{len(one.faults)} faults" if one.faults else "not asked" if one.not_asked else "as it should be"
        err.print(f"{one.month}: {found}{f': {one.not_asked}' if one.not_asked else ''}", highlight=False, markup=False)
    _print_faults(faults, as_json, "Every file is what it was, and all checks hold.")


@catalog.command()
@lake_option
def update(lake: str | None) -> None:
    """Create missing tables, and give all of them the columns and comments of their contracts. No row is touched."""
    from taxi_assets.lake.catalog_check import bring_up_to_date

    not_shown = bring_up_to_date(existing_lake(lake))
    out.print("The catalog has every table with the columns of its contract.")
    for remark in not_shown:
        out.print(f"  not in raw.trips, {remark}", soft_wrap=True, highlight=False)


@catalog.command()
@lake_option
def relocate(lake: str | None) -> None:
    """Point the tables at TAXI_LAKE after a lake in S3 was moved there (TAXI_PROFILE=aws).

    The tables' metadata is written again for the new place. Files in the old place are not touched; they can be deleted
    afterwards. A lake in a folder needs no such command: it notices that it was moved.
    """
    from taxi_assets.lake.catalog_check import bring_up_to_date

    opened = existing_lake(lake)
    for table in TABLES.values():
        if before := opened.catalog.relocate(table):
            out.print(f"{table.full_name} lay in {before}", soft_wrap=True, highlight=False)
    bring_up_to_date(opened)
    out.print(f"All tables lie in {opened.paths.root}.", soft_wrap=True, highlight=False)


@catalog.command()
@lake_option
@click.option("--json", "as_json", is_flag=True, help="A JSON array on standard output.")
def maintain(lake: str | None, as_json: bool) -> None:
    """Merge the logs' small files, expire old snapshots, and delete log files that no snapshot needs.

    No query answers differently. The live version of each month and the two before it can always be rolled back to,
    other versions for 30 days after they were replaced. Dagster does the same each week (maintain_each_week).
    """
    from datetime import datetime, timezone

    from taxi_assets.lake.maintenance import maintain, time_by_commits

    catalog = existing_lake(lake).catalog
    done = list(maintain(catalog, time_by_commits(catalog, datetime.now(timezone.utc))))
    if as_json:
        click.echo(json.dumps([asdict(one) for one in done]))
        return
    shown = folding_table("table", "files", "snapshots", "files deleted", "seconds")
    for one in done:
        files = f"{one.files_before:,} → {one.files_after:,}"
        snapshots = f"{one.snapshots_before:,} → {one.snapshots_after:,}"
        shown.add_row(one.table, files, snapshots, f"{one.files_deleted:,}", f"{one.seconds:.2f}")
    out.print(shown)


@click.command()
@lake_option
@click.option("--delete", is_flag=True, help="Delete what is listed. Without it nothing is.")
@click.option(
    "--older-than",
    "days",
    type=click.IntRange(min=1, max=3650),  # a day is longer than any run: Dagster ends one after twelve hours
    default=7,
    show_default=True,
    metavar="DAYS",
    help="Leave alone what was changed since: a run may be at it, or somebody who looks at what was refused.",
)
@click.option("--json", "as_json", is_flag=True, help="A JSON object on standard output.")
def vacuum(lake: str | None, delete: bool, days: int, as_json: bool) -> None:
    """List files that nothing refers to any more, with bytes and reasons; with --delete, delete them.

    These are versions whose run failed or whose snapshots have expired (catalog maintain), metadata that no snapshot
    names, reports of before the oldest version of their month, and of raw files what a killed landing began. What is
    live, what can be rolled back to or asked for with --as-of stays; what is not understood stays, and is named.

    \b
      taxi-assets vacuum
      taxi-assets vacuum --older-than 30 --delete
    """
    from datetime import datetime, timedelta, timezone

    from taxi_assets.lake.maintenance import time_by_commits
    from taxi_assets.lake.vacuum import carry_out, plan
    from taxi_assets.lost_runs import at_work_since
    from taxi_assets.operations.dagster_instance import dagster_home

    opened = existing_lake(lake)
    before = time_by_commits(opened.catalog, datetime.now(timezone.utc)) - timedelta(days=days)
    at_work = at_work_since(dagster_home(settings_of(lake, None)))  # a laptop may have slept through the days
    planned = plan(opened, min(before, at_work or before))
    if delete:
        for group in carry_out(opened, planned):
            if not as_json:
                err.print(f"deleted {group.path}", soft_wrap=True, highlight=False, markup=False)
    if as_json:
        parts = {"leftovers": planned.leftovers, "young": planned.young, "kept": planned.kept}
        listed = {name: [_group_as_json(group) for group in groups] for name, groups in parts.items()}
        click.echo(json.dumps({"deleted": delete, "bytes": planned.bytes, **listed}))
    else:
        _print_vacuum(planned, opened.paths.root, days, delete)


def _group_as_json(group: Group) -> dict[str, Any]:
    files, changed = len(group.files), group.changed.isoformat(timespec="seconds")
    return {"path": group.path, "why": group.why, "files": files, "bytes": group.bytes, "changed": changed}


def _print_vacuum(planned: Plan, root: str, days: int, is_deleted: bool) -> None:
    from rich.filesize import decimal

    if planned.leftovers:
        shown = folding_table("what", "files", "size", "last changed", "why it may go", title=root)
        for group in planned.leftovers:
            path, changed = escape(group.path.removeprefix(f"{root}/")), f"{group.changed:%Y-%m-%d}"
            shown.add_row(path, f"{len(group.files):,}", decimal(group.bytes), changed, group.why)
        out.print(shown)
    for group in planned.kept:
        files = f"{len(group.files):,} file{'s' if len(group.files) > 1 else ''}"
        what = f"{group.path.removeprefix(f'{root}/')} ({files}, {decimal(group.bytes)})"
        out.print(f"kept: {what}: {pasteable(group.why)}", soft_wrap=True, highlight=False, markup=False)
    if planned.young:
        size = decimal(sum(group.bytes for group in planned.young))
        out.print(f"Not {days} days old, or younger than a run at work: {size}, left alone.", highlight=False)
    size, number = decimal(planned.bytes), sum(len(group.files) for group in planned.leftovers)
    if not planned.leftovers:
        out.print("There is nothing to delete.")
    elif is_deleted:
        out.print(f"Deleted: {number:,} files, {size}.", highlight=False)
    else:
        again = pasteable("taxi-assets vacuum")
        out.print(
            f"To delete: {number:,} files, {size}. Nothing was deleted yet: {again} --older-than {days} --delete",
            soft_wrap=True,
            highlight=False,
        )


@click.command()
def deploy() -> None:
    """Give the Glue jobs the code of this checkout (TAXI_PROFILE=aws).

    The code is put into the lake's bucket under its hash, so runs that have started keep the code that they started
    with. Deploying the same code again changes nothing.

    \b
      TAXI_PROFILE=aws TAXI_LAKE=s3://my-lake taxi-assets deploy
    """

    from taxi_assets.aws.deploy import deploy
    from taxi_assets.settings import Profile

    settings = settings_of(None, None)
    if settings.profile is not Profile.AWS:
        raise click.UsageError("jobs of the local profile run from this checkout; set TAXI_PROFILE=aws and TAXI_LAKE")
    deployed = deploy(settings)
    shown = folding_table("Glue job", "Glue", "code before", "code now", title=f"{settings.lake}/scripts")
    for one in deployed:
        shown.add_row(one.job, one.glue_version, one.before or "-", "unchanged" if one.before == one.now else one.now)
    out.print(shown)
