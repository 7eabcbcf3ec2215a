"""A stand-in for Dagster's daemon: ticks of a real sensor on a real instance, at a time that the test tells.

Belongs here: what the daemon does with a tick (its cursor, one run for each run key), ending runs as a test decides.
Does not: what a test expects.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from dagster import DagsterEvent, DagsterEventType, DagsterRunStatus
from dagster._core.definitions.sensor_definition import SensorExecutionData
from dagster._core.execution.plan.objects import StepFailureData, UserFailureData
from dagster._core.test_utils import freeze_time

from taxi_assets.definitions import build_definitions
from taxi_assets.settings import Settings


@dataclass
class Clock:
    """The time of a test."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **time: float) -> datetime:
        """Let ``timedelta(**time)`` pass."""
        self.now += timedelta(**time)
        return self.now


def location_with(settings: Settings, sensor: dg.SensorDefinition) -> dg.Definitions:
    """The code location of ``settings`` with ``sensor`` as its only one."""
    real = build_definitions(settings)
    return dg.Definitions(
        assets=real.assets, jobs=real.jobs, executor=real.executor, resources=real.resources, sensors=[sensor]
    )


@dataclass
class Daemon:
    """Ticks ``sensor`` of ``defs``; all that outlives a restart is in ``home`` and in ``cursor``."""

    defs: dg.Definitions
    sensor: str
    home: Path
    clock: Clock
    cursor: str | None = None
    _instance: dg.DagsterInstance | None = field(default=None, repr=False)

    @property
    def instance(self) -> dg.DagsterInstance:
        """The instance in ``home``; one on SQLite if the test has made none."""
        if self._instance is None:
            self.home.mkdir(exist_ok=True)
            config = self.home / "dagster.yaml"
            if not config.exists():
                config.write_text("telemetry:\n  enabled: false\n")
            self._instance = dg.DagsterInstance.from_config(str(self.home))
        return self._instance

    def restart(self) -> None:
        """Forget all that is only in memory."""
        if self._instance is not None:
            self._instance.dispose()
        self._instance = None

    def look(self) -> SensorExecutionData:
        """One evaluation of the sensor, of which nothing is kept."""
        repository = self.defs.get_repository_def()
        sensor = repository.get_sensor_def(self.sensor)
        resources = {name: (self.defs.resources or {})[name] for name in sensor.required_resource_keys}
        with dg.build_sensor_context(
            instance=self.instance, cursor=self.cursor, repository_def=repository, resources=resources
        ) as context:
            return sensor.evaluate_tick(context)

    def tick(self, launches: bool = True) -> list[dg.DagsterRun]:
        """A tick; returns the runs that it made, or found made, and launched.

        Without ``launches`` the daemon dies between making the runs and launching them, before it keeps the cursor.
        """
        said = self.look()
        runs = [run for request in said.run_requests or [] if (run := self._run_of(request, launches)) is not None]
        if launches:
            self.cursor = said.cursor
        return runs

    def _run_of(self, request: dg.RunRequest, launches: bool) -> dg.DagsterRun | None:
        there = self.instance.get_runs(dg.RunsFilter(tags={"dagster/run_key": str(request.run_key)}))
        run = there[0] if there else None
        if run is not None and run.status is not DagsterRunStatus.NOT_STARTED:
            return None
        with freeze_time(self.clock.now):
            if run is None:
                run = self.instance.add_run(
                    dg.DagsterRun(
                        job_name="__ASSET_JOB",
                        run_id=str(uuid.uuid4()),
                        run_config=request.run_config,
                        tags={**request.tags, "dagster/run_key": str(request.run_key)},
                        status=DagsterRunStatus.NOT_STARTED,
                    )
                )
            if launches:
                self._report(run, DagsterEventType.PIPELINE_STARTING)
        return run

    def succeed(self, run: dg.DagsterRun) -> None:
        """End a run well."""
        self._report(run, DagsterEventType.PIPELINE_SUCCESS)

    def cancel(self, run: dg.DagsterRun) -> None:
        """End a run as somebody who pressed a button."""
        self._report(run, DagsterEventType.PIPELINE_CANCELED)

    def fail(self, run: dg.DagsterRun, metadata: Mapping[str, Any] | None = None) -> None:
        """End a run badly; with ``metadata``, because a step raised a dagster.Failure that had it."""
        if metadata is not None:
            failure = dg.Failure("bad", metadata=metadata)
            said = UserFailureData("", "bad", failure.metadata)  # type: ignore[no-untyped-call]
            told = StepFailureData(error=None, user_failure_data=said)  # type: ignore[no-untyped-call]
            self._report(run, DagsterEventType.STEP_FAILURE, told)
        self._report(run, DagsterEventType.PIPELINE_FAILURE)

    def _report(self, run: dg.DagsterRun, kind: DagsterEventType, data: Any = None) -> None:
        with freeze_time(self.clock.now):
            event = DagsterEvent(
                event_type_value=kind.value,
                job_name=run.job_name,
                event_specific_data=data,
                step_key="ingest_raw" if data else None,
            )
            self.instance.report_dagster_event(event, run.run_id)


def execute(daemon: Daemon, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
    """Really run what a sensor asked for."""
    return daemon.defs.resolve_implicit_global_asset_job_def().execute_in_process(
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}, **(request.run_config or {})},
        instance=daemon.instance,
        partition_key=request.partition_key,
        asset_selection=list(request.asset_selection or []),
        tags=dict(request.tags),
        raise_on_error=False,
    )
