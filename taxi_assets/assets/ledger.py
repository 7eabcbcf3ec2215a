"""What steps do with the ledger of raw files beyond landing.

Belongs here: refusing files that were landed, and having the catalog's plain table follow the ledger. Does not: the
ledger itself (``lake.append_tables``).
"""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from glue_jobs.errors import PipelineError
from taxi_assets.jobs.code import running_version
from taxi_assets.lake.append_tables import LandedFile
from taxi_assets.lake.lake import Lake


def refuse(context: dg.AssetExecutionContext, lake: Lake, files: Sequence[LandedFile], because: str) -> None:
    """Enter ``files`` of the month as refused; the step fails for ``because``, whether this can be written or not."""
    month = context.partition_key
    try:
        for file in files:
            lake.ledger.refuse(file, because, running_version(), context.run_id)
    except PipelineError as error:
        context.log.warning(f"the refused file of {month} is in force until the month is run again: {error}")
    else:
        show_in_catalog(context, lake, month)


def show_in_catalog(context: dg.AssetExecutionContext, lake: Lake, month: str) -> bool:
    """Whether the catalog's plain table over the raw files shows the month; the step goes on all the same."""
    try:
        return lake.show_raw(month)
    except PipelineError as error:
        context.log.warning(
            f"raw.trips does not show the file of {month} that is in force: {error.problem}. "
            f"What to do: {error.remedy}, then taxi-assets catalog update"
        )
        return False
