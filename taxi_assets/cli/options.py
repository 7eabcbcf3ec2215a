"""Options and arguments that several commands take, and what is wrong with them.

Belongs here: turning what was typed into settings, a lake, months and tables. Does not: any command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from glue_jobs.contracts import CURATED_TABLES, MONTHLY_TABLES, RAW_FILES, tlc
from glue_jobs.contracts.months import ranges
from glue_jobs.contracts.raw import TRIPS_DATASET, unmasked_address
from glue_jobs.errors import PipelineError
from taxi_assets.calendar import ended_months
from taxi_assets.cli.output import TYPED, pasteable
from taxi_assets.warehouse.names import described

if TYPE_CHECKING:
    from taxi_assets.lake.append_tables import LandedFile
    from taxi_assets.lake.lake import Lake
    from taxi_assets.settings import Settings

Command = TypeVar("Command", bound=Callable[..., Any])

lake_option = click.option(
    "--lake", help="Folder of the lake, or s3://bucket with TAXI_PROFILE=aws.  [default: TAXI_LAKE, or ./lake]"
)

as_of_option = click.option(
    "--as-of",
    metavar="MOMENT",
    help="As readers saw it then: a date (its end), a time (UTC unless it has a zone) or the id of a snapshot.",
)


def complete_months(_: click.Context, __: click.Parameter, typed: str) -> list[str]:
    """The months that begin with what was typed."""
    return [month for month in ended_months(datetime.now(timezone.utc)) if month.startswith(typed)]


def month_option(text: str) -> Callable[[Command], Command]:
    """The option ``--month``, which has to be given."""
    return click.option("--month", required=True, metavar="YYYY-MM", shell_complete=complete_months, help=text)


def complete_tables(_: click.Context, __: click.Parameter, typed: str) -> list[str]:
    """The tables and views whose name, or whose name with its layer, begins with what was typed."""
    return _beginning_with(typed, [*described(), *RAW_FILES])


def complete_monthly_tables(_: click.Context, __: click.Parameter, typed: str) -> list[str]:
    """The same of the tables that have versions."""
    return _beginning_with(typed, MONTHLY_TABLES)


def _beginning_with(typed: str, names: Iterable[str]) -> list[str]:
    known = {*names, *(name.partition(".")[2] for name in names if typed)}
    return sorted(name for name in known if name.startswith(typed))


def landed_in(settings: Settings) -> list[LandedFile]:
    """The trip files in force in the lake, one a month; none if there is no lake yet."""
    from taxi_assets.settings import Profile

    if settings.profile is Profile.LOCAL and not Path(settings.lake, "catalog.db").is_file():
        return []
    return existing_lake(settings.lake).ledger.all_current(TRIPS_DATASET)


def is_synthetic(source: str) -> bool:
    """Whether a source, or the address of a file that it gave, is the generator's."""
    return unmasked_address(source).partition(":")[0] == "synthetic"


def refuse_other_kind(settings: Settings, given: str | None) -> None:
    """click.UsageError if the lake's months are synthetic and the source is not, or the other way round.

    Not if the source was ``given`` with this command: then it is wanted for this lake.
    """
    if given is not None:
        return
    others = [file for file in landed_in(settings) if is_synthetic(file.url) is not is_synthetic(settings.source)]
    if others:
        months = ", ".join(ranges(file.month for file in others))
        raise click.UsageError(
            f"the lake {settings.lake} has months from {others[-1].url} ({months}), "
            f"and the source is {settings.source}: synthetic and real months would stand side by side. "
            "Give another --lake, or name the --source if that is wanted"
        )


def settings_of(lake: str | None, source: str | None) -> Settings:
    """The environment's settings with what was typed; click.UsageError if they are wrong."""
    from pydantic import ValidationError

    from taxi_assets.settings import Settings

    given = {name: value for name, value in (("lake", lake), ("source", source)) if value is not None}
    if (context := click.get_current_context(silent=True)) is not None:
        context.meta[TYPED] = given
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        said = "; ".join(str(fault["msg"]) for fault in error.errors())
        for name in given:
            said = said.replace(f"TAXI_{name.upper()}", f"--{name}")
        raise click.UsageError(said) from error


def settings_to_run(lake: str | None, source: str | None) -> Settings:
    """Those settings, for a command that reads the source; click.UsageError if no month can come from it."""
    from glue_jobs.sources import require_source

    settings = settings_of(lake, source)
    try:
        require_source(settings.source)
    except PipelineError as error:
        raise click.UsageError(f"{'--source' if source else 'TAXI_SOURCE'}: {error}") from error
    return settings


def existing_lake(folder: str | None) -> Lake:
    """The lake in ``folder`` (default: of the settings); click.UsageError if there is none."""
    from taxi_assets.lake.catalog_file import refuse_what_is_no_catalog
    from taxi_assets.lake.lake import Lake
    from taxi_assets.settings import Profile

    settings = settings_of(folder, None)
    if settings.profile is Profile.LOCAL and not Path(settings.lake, "catalog.db").is_file():
        refuse_what_is_no_catalog(Path(settings.lake))
        raise click.UsageError(f"there is no lake in {settings.lake}; make one with: {pasteable('taxi-assets demo')}")
    return Lake.of(settings)


def refuse_no_raw(settings: Settings) -> None:
    """click.UsageError if nothing was ever landed where the settings have the lake."""
    from taxi_assets.lake.files import below
    from taxi_assets.lake.paths import LakePaths

    root = settings.lake.rstrip("/") if settings.lake.startswith("s3://") else str(Path(settings.lake).resolve())
    if not any(below(LakePaths(root).raw)):
        raise click.UsageError(f"there is nothing in {root}/raw, which a lake is rebuilt of; check TAXI_LAKE")


def check_month(month: str, first: str = tlc.FIRST_MONTH) -> None:
    """click.UsageError if ``month`` is no month that the TLC has a usable file of, or is before ``first``."""
    months = ended_months(datetime.now(timezone.utc))
    if month[:5] in ("2009-", "2010-"):
        raise click.UsageError(f"files of {month[:4]} carry coordinates instead of taxi zones; begin with {months[-1]}")
    if month not in months:
        raise click.UsageError(f"{month!r} is not a month from {months[-1]} to {months[0]}; write it as YYYY-MM")
    if month < first:
        raise click.UsageError(f"{month} is before {first}, the first month by TAXI_FROM; set that to {month}")


def tables_of(names: str | None) -> list[str] | None:
    """The curated tables in a list with commas; click.UsageError if one does not exist."""
    if names is None:
        return None
    chosen = [name.strip() for name in names.split(",")]
    if unknown := [name for name in chosen if name not in CURATED_TABLES]:
        raise click.UsageError(f"there is no table {', '.join(unknown)}; choose from {', '.join(CURATED_TABLES)}")
    return chosen
