"""The lake, and the source of its raw files, as Dagster resources."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dagster as dg

from taxi_assets.lake.duck import forget_copies
from taxi_assets.lake.lake import Lake
from taxi_assets.lost_runs import known_to_live
from taxi_assets.settings import Profile, Settings


class LakeResource(dg.ConfigurableResource["LakeResource"]):
    """The lake at ``root``: a local folder, or ``s3://bucket/prefix`` with the Glue Data Catalog of ``region``.

    Opening it touches the disk or AWS, so it is done when a run asks.
    """

    root: str
    region: str = ""
    database_prefix: str = ""

    @classmethod
    def of(cls, settings: Settings) -> "LakeResource":
        """The lake that the settings name."""
        if settings.profile is Profile.AWS:
            return cls(root=settings.lake, region=settings.region, database_prefix=settings.database_prefix)
        return cls(root=settings.lake)

    @contextmanager
    def yield_for_execution(
        self,
        context: dg.InitResourceContext,
    ) -> Iterator["LakeResource"]:
        """Copies of files that checks have read end with the run, which all others can tell to live until then."""
        with ExitStack() as until_the_end:
            until_the_end.callback(forget_copies)
            if context.run is not None and context.instance is not None:  # a sensor has no run
                until_the_end.enter_context(known_to_live(context.instance, context.run.run_id))
            yield self

    def open(self) -> Lake:
        """The lake; a local folder is made if need be."""
        if self.region:
            return Lake.in_s3(self.root, self.region, self.database_prefix)
        return Lake.in_folder(Path(self.root))


class SourceResource(dg.ConfigurableResource["SourceResource"]):
    """Where raw files come from; what ``spec`` may be is ``glue_jobs.sources.open_source``'s to say.

    ``mask_k``: of how many rows at least each is to be one (``glue_jobs.masking``); 0: rows stay as they are.
    """

    spec: str
    mask_k: int = 0
