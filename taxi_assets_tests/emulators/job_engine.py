"""The Spark of the emulated Glue: Sail on the emulated S3, or JVM Spark on a mirror of it.

Belongs here: the environment that a run's Spark needs, one engine for all runs. Does not: the mirror itself
(``s3_mirror``), the process (``job_process``).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from taxi_assets.jobs.engine import running_engine
from taxi_assets.settings import SPARK
from taxi_assets_tests.emulators.environment import Role, client_of, environment_of
from taxi_assets_tests.emulators.recording import ApiCall
from taxi_assets_tests.emulators.s3_mirror import S3Mirror

_NOT_FOR_JOBS = ("AWS_", "DAGSTER_", "SPARK_", "TAXI_")
"""Variables of whoever runs the emulator that Glue would not have."""


class JobEngine:
    """One engine for all runs of an emulator: started for the first, stopped by ``close``."""

    def __init__(self, engine: str, url: str) -> None:
        self._engine = engine
        self._url = url
        self._stack = ExitStack()
        self._started: dict[str, str] | None = None
        self._mirrors: list[S3Mirror] = []
        self._lock = threading.Lock()

    @contextmanager
    def for_run(self, folder: Path, arguments: Mapping[str, str]) -> Iterator[dict[str, str]]:
        """The environment of a run with ``arguments``, which has ``folder`` to itself."""
        environment = self._environment()
        if self._engine != SPARK:
            yield environment
            return
        # As a test, not as the job: that the mirror reads all buckets says nothing of what a job may read.
        mirror = S3Mirror(client_of(self._url, "s3", Role.TEST), folder / "s3")
        mirror.download()
        settings = mirror.write_spark_settings(folder / "spark-conf", _event_logs(arguments))
        self._mirrors.append(mirror)
        try:
            yield {**environment, "SPARK_CONF_DIR": str(settings)}
        finally:
            self._mirrors.remove(mirror)
            mirror.upload(at_end=True)

    def before(self, call: ApiCall) -> None:
        """Let a job that asks S3 itself see what its JVM Spark has written."""
        if call.role == Role.GLUE_JOB and call.action in ("ListObjectsV2", "ListObjects", "HeadObject", "GetObject"):
            for mirror in list(self._mirrors):
                mirror.upload()

    def close(self) -> None:
        """Stop the engine."""
        self._stack.close()

    def _environment(self) -> dict[str, str]:
        with self._lock:
            if self._started is None:
                own = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_FOR_JOBS)}
                given = own | environment_of(self._url, Role.GLUE_JOB)
                self._started = self._stack.enter_context(running_engine(self._engine, given)).environment
            return dict(self._started)


def _event_logs(arguments: Mapping[str, str]) -> str:
    wanted = arguments.get("--enable-spark-ui", "false").lower() == "true"
    return arguments.get("--spark-event-logs-path", "") if wanted else ""
