"""What is examined: the lake and the Dagster instance that the settings name, opened when a check asks for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path

import dagster as dg

from glue_jobs.errors import Cause, PipelineError
from taxi_assets.lake.catalog_file import refuse_what_is_no_catalog
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.resource import LakeResource
from taxi_assets.operations.dagster_instance import (
    InstanceUnavailable,
    asking_dagster,
    dagster_home,
    open_instance,
)
from taxi_assets.operations.health.finding import Finding
from taxi_assets.settings import Profile, Settings


class NoLake(PipelineError):
    """There is no lake where the settings say."""

    cause = Cause.LAKE


@dataclass
class Subject:
    """What is examined. Lake and instance are opened when a check asks for them, and fail it alone."""

    settings: Settings
    now: datetime
    until_the_end: ExitStack = field(default_factory=ExitStack)

    @property
    def is_watched(self) -> bool:
        """Whether months are to come by themselves: if not, nobody misses a daemon that does not run."""
        return self.settings.watches_by_itself

    @cached_property
    def lake(self) -> Lake:
        """The lake; NoLake if there is none."""
        self._look_for_a_lake()
        if isinstance(self._opened_lake, PipelineError):
            raise self._opened_lake
        return self._opened_lake

    @cached_property
    def _opened_lake(self) -> Lake | PipelineError:
        # Once: a catalog.db that another program holds is waited for.
        try:
            return LakeResource.of(self.settings).open()
        except PipelineError as error:
            return error

    @cached_property
    def instance(self) -> dg.DagsterInstance:
        """The Dagster instance; a lake that does not exist gets none."""
        self._look_for_a_lake()
        if isinstance(self._opened, InstanceUnavailable):
            raise self._opened
        return self._opened

    @cached_property
    def _opened(self) -> dg.DagsterInstance | InstanceUnavailable:
        # Once: a Postgres that does not answer is asked again and again for ten seconds.
        try:
            return self.until_the_end.enter_context(open_instance(self.settings))
        except InstanceUnavailable as error:
            return error

    def asking_dagster(self) -> AbstractContextManager[None]:
        """For the block in which the instance is asked: its database may go at any time."""
        return asking_dagster(dagster_home(self.settings))

    def _look_for_a_lake(self) -> None:
        root = self.settings.lake
        if self.settings.profile is Profile.LOCAL and not Path(root, "catalog.db").is_file():
            refuse_what_is_no_catalog(Path(root))
            raise NoLake(f"there is no lake in {root}", "check TAXI_LAKE, or make one: taxi-assets demo")


Ask = Callable[[Subject], Sequence[Finding]]
