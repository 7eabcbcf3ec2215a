"""The commands about the installation: health, home, ui, dashboard."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import sys
from dataclasses import asdict, replace
from datetime import datetime, timezone

import click
from rich.markup import escape

from taxi_assets.cli.options import is_synthetic, lake_option, landed_in, settings_of
from taxi_assets.cli.output import fail, out, pasteable


@click.command()
@lake_option
@click.option("--json", "as_json", is_flag=True, help="A JSON array on standard output.")
def health(lake: str | None, as_json: bool) -> None:
    """Check that all is well, and say how to repair what is not.

    It checks the lake, the tables, their files, runs, freshness and Dagster's daemon; on AWS also Glue and the alarms.
    The exit code is 1 if a check fails, for use in cron; a warning is not a failure. A check that cannot be carried out
    counts as failed, and the others go on. It reads the footer of every live file.

    \b
      taxi-assets health
      taxi-assets health --json | jq '.[] | select(.level == "fail")'
    """
    from taxi_assets.operations.health.examine import examine
    from taxi_assets.operations.health.finding import Level

    found = examine(settings_of(lake, None), datetime.now(timezone.utc))
    lines = [replace(line, repair=pasteable(line.repair)) for line in found]
    if as_json:
        click.echo(json.dumps([asdict(line) for line in lines]))
    else:
        colours = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "red"}
        width = max(len(line.check) for line in lines)
        for line in lines:
            level = f"[{colours[line.level]}]{line.level.value:4}[/]"
            out.print(f"{level}  {line.check:{width}}  {escape(line.found)}", soft_wrap=True, highlight=False)
            if line.repair:
                out.print(f"{'':{width + 6}}  → {escape(line.repair)}", soft_wrap=True, highlight=False)
    sys.exit(1 if any(line.level is Level.FAIL for line in lines) else 0)


@click.command()
@lake_option
def home(lake: str | None) -> None:
    """Print the folder to set DAGSTER_HOME to.

    It is the folder of the lake's Dagster instance, and is made if it does not exist.
    """
    from taxi_assets.operations.dagster_instance import dagster_home

    click.echo(dagster_home(settings_of(lake, None)).resolve())


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=3000, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 lets others in.")
@lake_option
def ui(port: int, host: str, lake: str | None) -> None:
    """Serve Dagster's pages and run its daemon until Ctrl-C.

    The pages show the asset graph of this lake in a browser.

    \b
      taxi-assets ui
      taxi-assets ui --lake demo-lake --port 3001
    """
    from taxi_assets.operations.dagster_instance import WORKSPACE, dagster_home

    settings = settings_of(lake, None)
    if importlib.util.find_spec("dagster_webserver") is None:
        fail("Dagster's pages are not installed. What to do: pip install 'nyc-taxi-lakehouse[ui]'.")
    _refuse_what_cannot_be_listened_on(host, port)
    link = f"http://{host}:{port}"
    landed = landed_in(settings)
    # What a button fetches is of the kind that the lake has.
    source = {"TAXI_SOURCE": landed[-1].etag} if landed and is_synthetic(landed[-1].url) else {}
    # The months before the first that was landed would hide those that are there.
    first = {"TAXI_FROM": landed[0].month} if landed else {}
    set_here = {"DAGSTER_HOME": str(dagster_home(settings).resolve()), "TAXI_LAKE": settings.lake}
    begin = os.environ.get("TAXI_FROM") or first.get("TAXI_FROM", settings.first_month)
    months = f"months from {begin} on; TAXI_FROM sets another first one"
    out.print(f"{link}  (lake {escape(settings.lake)}, {months}; Ctrl-C ends it)", soft_wrap=True, highlight=False)
    sys.stdout.flush()
    # In this process's place, so that a signal to it reaches Dagster.
    os.execve(  # noqa: S606 -- no shell is wanted
        sys.executable,
        [sys.executable, "-m", "dagster", "dev", "-w", str(WORKSPACE), "-h", host, "-p", str(port)],
        {"TAXI_UI_URL": link, **source, **first, **os.environ, **set_here},
    )


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=8501, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 lets others in.")
@lake_option
def dashboard(port: int, host: str, lake: str | None) -> None:
    """Serve the dashboard, for a browser, until Ctrl-C.

    It shows trends, map, money and quality of what is published, and picks up new publications by itself. It asks
    Redshift if TAXI_REDSHIFT_WORKGROUP is set.

    \b
      taxi-assets dashboard
      taxi-assets dashboard --lake demo-lake --port 8502
    """
    if importlib.util.find_spec("streamlit") is None:
        fail("The dashboard is not installed. What to do: pip install 'nyc-taxi-lakehouse[dashboard]'.")
    from taxi_assets.dashboard.server import command

    settings = settings_of(lake, None)
    _refuse_what_cannot_be_listened_on(host, port)
    link = f"http://{host}:{port}"
    out.print(f"{link}  (lake {escape(settings.lake)}; Ctrl-C ends it)", soft_wrap=True, highlight=False)
    sys.stdout.flush()
    # In this process's place, so that a signal to it reaches Streamlit.
    argv = command(host, port)
    os.execve(argv[0], argv, {**os.environ, "TAXI_LAKE": settings.lake})  # noqa: S606 -- no shell is wanted


def _refuse_what_cannot_be_listened_on(host: str, port: int) -> None:
    if not host.strip():  # for a socket, that is every address of the machine
        raise click.UsageError("--host is empty: give 127.0.0.1, or 0.0.0.0 to let others in")
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except (OSError, UnicodeError, TypeError) as error:  # no such port or address; no name of a host at all
        why = getattr(error, "strerror", error)
        raise click.UsageError(
            f"{host[:80]}:{port} cannot be listened on ({why}); try another --port or --host"
        ) from error
