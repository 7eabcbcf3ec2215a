"""The command ``taxi-assets``.

Belongs here: arguments, printing, exit codes (0 done, 1 the run or a check failed, 2 wrong usage, 130 interrupted).
Does not: any work; imports of the heavy modules stand in the commands, so that --help answers at once.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

import click

from glue_jobs.errors import PipelineError
from taxi_assets.cli.catalog import catalog, deploy, rollback, vacuum, verify
from taxi_assets.cli.health import dashboard, health, home, ui
from taxi_assets.cli.output import INTERRUPTED, fail
from taxi_assets.cli.query import export, quarantine, query, status
from taxi_assets.cli.run import backfill, demo, rebuild, replay, run
from taxi_assets.cli.tables import tables

_INTERRUPTED = "interrupted; nothing is half published, readers see whole versions only. What to do: type it again."
_NO_MEMORY = (
    "the memory did not suffice; nothing is half published, readers see whole versions only. "
    "What to do: give it more (ulimit -v, the container's limit), then type it again."
)


class _Commands(click.Group):
    """Says in a sentence why a command cannot do its work, or that it was interrupted."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        for given in args:
            try:
                given.encode()
            except UnicodeEncodeError as error:
                raise click.UsageError(f"the argument {given[:80]!r} is no text: write it in UTF-8") from error
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            fail(_INTERRUPTED, INTERRUPTED)
        except MemoryError:
            fail(_NO_MEMORY)
        except BrokenPipeError:  # whoever read the output has enough; click ends the command
            raise
        except Exception as error:  # types that only heavy modules define; what is none of them goes on
            if str(error) == "Query interrupted":  # what DuckDB makes of an interrupt
                fail(_INTERRUPTED, INTERRUPTED)
            known = error if isinstance(error, PipelineError) else _known(error)
            if known is None:
                raise
            fail(str(known))


def _known(error: Exception) -> PipelineError | None:
    """What an error means that comes from AWS or from the lake; None for any other.

    Only a command that met AWS or a lake has imported what tells it.
    """
    found: PipelineError | None = None
    if "botocore" in sys.modules:
        from taxi_assets.aws.client import aws_error_in

        found = aws_error_in(error)
    if found is None and "taxi_assets.lake.catalog" in sys.modules:
        from taxi_assets.lake.catalog import lake_error_in

        found = lake_error_in(error)
    return found


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done; 1 a run, a check or a query failed; 2 wrong usage, nothing was begun; "
    "130 interrupted by Ctrl-C.",
)
@click.version_option(package_name="nyc-taxi-lakehouse")
def main() -> None:
    """NYC taxi lakehouse: takes a month of TLC trips from the source to five published tables.

    \b
    Try it with made-up months, in a lake of their own (no network needed):
      taxi-assets demo
    Process a real month, straight from the TLC:
      taxi-assets run --month 2024-02
    See what is published, and query it:
      taxi-assets status
      taxi-assets query "SELECT pickup_date, trips, net_revenue FROM daily_metrics ORDER BY 1"
    """
    warnings.filterwarnings("ignore", module="dagster")


for _command in (
    *(run, replay, backfill, quarantine, status, rollback, catalog, verify, vacuum, rebuild, deploy),
    *(health, query, export, tables, ui, dashboard, demo, home),
):
    main.add_command(_command)


if __name__ == "__main__":
    main()
