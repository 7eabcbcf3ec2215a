"""Options and arguments that several commands take, and what is wrong with them.

Belongs here: turning what was typed into settings, a lake, months and tables. Does not: any command.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from glue_jobs.contracts import CURATED_TABLES

if TYPE_CHECKING:
    from taxi_assets.lake.lake import Lake
    from taxi_assets.settings import Settings

lake_option = click.option(
    "--lake", help="Folder of the lake, or s3://bucket with TAXI_PROFILE=aws.  [default: TAXI_LAKE, or ./lake]"
)


def settings_of(lake: str | None, source: str | None) -> Settings:
    """The environment's settings with what was typed; click.UsageError if they are wrong."""
    from pydantic import ValidationError

    from taxi_assets.settings import Settings

    given: dict[str, Any] = {"lake": lake, "source": source}
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise click.UsageError("; ".join(str(fault["msg"]) for fault in error.errors())) from error


def existing_lake(folder: str | None) -> Lake:
    """The lake in ``folder`` (default: of the settings); click.UsageError if there is none."""
    from taxi_assets.lake.resource import LakeResource
    from taxi_assets.settings import Profile

    settings = settings_of(folder, None)
    if settings.profile is Profile.LOCAL and not Path(settings.lake, "catalog.db").is_file():
        raise click.UsageError(f"there is no lake in {settings.lake}; make one with: taxi-assets demo")
    return LakeResource.of(settings).open()


def check_month(month: str) -> None:
    """click.UsageError if ``month`` is no month that the TLC has a usable file of."""
    from taxi_assets.partitions import MONTHS

    keys = MONTHS.get_partition_keys()
    if month[:5] in ("2009-", "2010-"):
        raise click.UsageError(f"files of {month[:4]} carry coordinates instead of taxi zones; begin with {keys[0]}")
    if month not in keys:
        raise click.UsageError(f"{month!r} is not a month from {keys[0]} to {keys[-1]}; write it as YYYY-MM")


def tables_of(names: str | None) -> list[str] | None:
    """The curated tables in a list with commas; click.UsageError if one does not exist."""
    if names is None:
        return None
    chosen = [name.strip() for name in names.split(",")]
    if unknown := [name for name in chosen if name not in CURATED_TABLES]:
        raise click.UsageError(f"there is no table {', '.join(unknown)}; choose from {', '.join(CURATED_TABLES)}")
    return chosen
