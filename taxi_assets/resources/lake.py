"""The lake as a Dagster resource."""

from pathlib import Path

import dagster as dg

from taxi_assets.lake import Lake


class LakeResource(dg.ConfigurableResource[Lake]):
    """The lake in the local folder ``folder``. Opening it touches the disk, so it is done when a run asks."""

    folder: str

    def open(self) -> Lake:
        """The lake, its folder made if need be."""
        return Lake.in_folder(Path(self.folder))


class SourceResource(dg.ConfigurableResource["SourceResource"]):
    """Where raw files come from; what ``spec`` may be is ``glue_jobs.sources.open_source``'s to say."""

    spec: str
