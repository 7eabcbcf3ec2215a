"""A lake on the emulated AWS for end-to-end tests: the jobs deployed, a site to fetch from, an instance of Dagster.

Belongs here: making one, and the few things that all its tests do with it. Does not: the emulator, or tests.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from glue_jobs.contracts import MONTHLY_TABLES, tlc
from glue_jobs.sources.synthetic import make_shapes
from taxi_assets.aws.deploy import deploy
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.publishing import Publication
from taxi_assets.lake.resource import LakeResource
from taxi_assets.operations.run_month import MonthResult, run_month
from taxi_assets.settings import Profile, Settings
from taxi_assets_tests.conftest import MONTH, write_source
from taxi_assets_tests.emulators.aws import JOBS, AwsEmulator, Role, deployed_name
from taxi_assets_tests.emulators.environment import acting_as
from taxi_assets_tests.emulators.faults import Held
from taxi_assets_tests.emulators.glue_runs import JobRun
from taxi_assets_tests.support.tlc_site import TlcSite, serving
from taxi_assets_tests.support.waiting import wait_until

BUCKET = "taxi-lake"
DAYS = 3
"""Of a month: what a run on AWS does differently from one on a laptop does not hang on how many files there are."""


@dataclass(frozen=True)
class AwsLake:
    """A lake in the bucket ``BUCKET`` of ``aws``, whose months come from ``site``."""

    settings: Settings
    aws: AwsEmulator
    site: TlcSite

    def put_at_source(self, month: str = MONTH, seed: int = 1) -> None:
        """Have the site serve a synthetic ``month``; another ``seed`` makes another content."""
        write_source(self.site.folder, month, seed=seed, days=DAYS)
        (self.site.folder / tlc.SHAPES_FILE_PATH).write_bytes(make_shapes())

    def run(self, month: str = MONTH, tables: Sequence[str] | None = None, replay: bool = False) -> MonthResult:
        """Run a month in this process, as Dagster's role."""
        return run_month(self.settings, month, tables, lambda *_: None, replay)

    def published(self, month: str = MONTH) -> MonthResult:
        """Run a month that has to succeed."""
        result = self.run(month)
        assert result.succeeded, result.error
        return result

    def open(self) -> Lake:
        """The lake, at its newest state."""
        return LakeResource.of(self.settings).open()

    def live(self, month: str = MONTH) -> dict[str, Publication | None]:
        """What readers see of a month, by table."""
        publisher = self.open().publisher
        return {name: publisher.live(table, month) for name, table in MONTHLY_TABLES.items()}

    def versions(self, month: str = MONTH) -> dict[str, str | None]:
        """The version that readers see of a month, by table."""
        return {name: entry.version if entry else None for name, entry in self.live(month).items()}


@contextmanager
def deployed_lake(aws: AwsEmulator, folder: Path, prefix: str = "/lake") -> Iterator[AwsLake]:
    """An empty lake at ``prefix`` of the bucket, with ``MONTH`` and the map of zones at its source.

    ``folder`` holds the site's files and Dagster's instance.
    """
    aws.provision(BUCKET, [deployed_name(job) for job in JOBS])
    with serving(folder / "site") as site, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(folder / "dagster_home"))
        settings = Settings(
            profile=Profile.AWS,
            lake=f"s3://{BUCKET}{prefix}",
            source=site.address,
            glue_poll_seconds=0.5,
            glue_retries=0,
        )
        with acting_as(aws.url, Role.DEPLOY):
            deploy(settings)
        lake = AwsLake(settings, aws, site)
        lake.put_at_source()
        yield lake


@dataclass(frozen=True)
class HangingRun:
    """A run of the command whose Glue run, of ``stage_trips``, waits in S3 until ``held`` is let go."""

    worker: subprocess.Popen[str]
    glue_run: JobRun
    held: Held


@contextmanager
def hanging_run(lake: AwsLake) -> Iterator[HangingRun]:
    """``taxi-assets run`` of ``MONTH`` in a process of its own, which hangs in its Glue run; it ends with the block."""
    command = [sys.executable, "-m", "taxi_assets.cli.main", "run", "--month", MONTH]
    environment = {
        **os.environ,
        "TAXI_PROFILE": "aws",
        "TAXI_LAKE": lake.settings.lake,
        "TAXI_SOURCE": lake.settings.source,
        "TAXI_GLUE_POLL_SECONDS": str(lake.settings.glue_poll_seconds),
    }
    with lake.aws.faults.holding("s3", "PutObject", "staging/trips/month") as held:
        worker = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            wait_until(lambda: held.arrived.is_set() or worker.poll() is not None)
            assert worker.poll() is None, worker.communicate()
            yield HangingRun(worker, lake.aws.runs("taxi-stage-trips")[0], held)
        finally:
            if worker.poll() is None:
                worker.kill()
            worker.communicate()
