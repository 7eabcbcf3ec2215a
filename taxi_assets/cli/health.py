"""The commands about the installation: health, home."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import datetime, timezone

import click
from rich.box import SIMPLE
from rich.markup import escape
from rich.table import Table

from taxi_assets.cli.options import lake_option, settings_of
from taxi_assets.cli.output import out


@click.command()
@lake_option
@click.option("--json", "as_json", is_flag=True, help="A JSON array on standard output.")
def health(lake: str | None, as_json: bool) -> None:
    """Whether all is well: lake, tables, files, runs, freshness, daemon, on AWS Glue and alarms; and how to repair.

    Exit code 1 if a check fails, for cron; a warning is not a failure. A check that cannot be asked fails, the others
    go on.
    It reads the footer of every live file.

    \b
      taxi-assets health
      taxi-assets health --json | jq '.[] | select(.level == "fail")'
    """
    from taxi_assets.operations.health import Level, examine

    lines = examine(settings_of(lake, None), datetime.now(timezone.utc))
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
        out.print(table)
    sys.exit(1 if any(line.level is Level.FAIL for line in lines) else 0)


@click.command()
@lake_option
def home(lake: str | None) -> None:
    """Print the folder of the lake's Dagster instance (made if need be), for DAGSTER_HOME."""
    from taxi_assets.operations.dagster_instance import dagster_home

    click.echo(dagster_home(settings_of(lake, None)).resolve())
