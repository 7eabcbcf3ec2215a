"""The commands about tables as a whole and the jobs' code: rollback, catalog check, update and maintain; deploy."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

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

        faults = [replace(fault, repair=pasteable(fault.repair)) for fault in check_catalog(opened, show)]
    if as_json:
        click.echo(json.dumps([asdict(fault) for fault in faults]))
    elif faults:
        found = folding_table("table", "what differs", "repair")
        for fault in faults:
            found.add_row(fault.table, escape(fault.problem), escape(fault.repair))
        out.print(found)
    else:
        out.print("Contracts, catalog and files say the same.")
    sys.exit(1 if faults else 0)


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

    from taxi_assets.lake.maintenance import maintain

    done = list(maintain(existing_lake(lake).catalog, datetime.now(timezone.utc)))
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
