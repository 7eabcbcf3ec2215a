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
from taxi_assets_tests.emulators.environment import Caller, Role, client_of, environment_of
from taxi_assets_tests.emulators.recording import ApiCall
from taxi_assets_tests.emulators.s3_mirror import S3Mirror

_NOT_FOR_JOBS = ("AWS_", "DAGSTER_", "SPARK_", "TAXI_")
"""Variables of whoever runs the emulator that Glue would not have."""
_NO_JOBS = frozenset(set(Role) - {Role.GLUE_JOB})
"""Who calls is one of these, a job, or somebody in a session of an IAM role, who may be one."""


class JobEngine:
    """One engine for all runs with the same credentials: started for the first, stopped by ``close``."""

    def __init__(self, engine: str, url: str) -> None:
        self._engine = engine
        self._url = url
        self._stack = ExitStack()
        self._started: dict[Caller, dict[str, str]] = {}
        self._mirrors: list[S3Mirror] = []
        self._lock = threading.Lock()

    @contextmanager
    def for_run(self, caller: Caller, folder: Path, arguments: Mapping[str, str]) -> Iterator[dict[str, str]]:
        """The environment of a run as ``caller`` with ``arguments``, which has ``folder`` to itself."""
        environment = self._environment(caller)
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
        if call.role not in _NO_JOBS and call.action in ("ListObjectsV2", "ListObjects", "HeadObject", "GetObject"):
            for mirror in list(self._mirrors):
                mirror.upload()

    def close(self) -> None:
        """Stop the engine."""
        self._stack.close()

    def _environment(self, caller: Caller) -> dict[str, str]:
        with self._lock:
            if caller not in self._started:
                own = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_FOR_JOBS)}
                given = own | environment_of(self._url, caller)
                self._started[caller] = self._stack.enter_context(running_engine(self._engine, given)).environment
            return dict(self._started[caller])


def _event_logs(arguments: Mapping[str, str]) -> str:
    wanted = arguments.get("--enable-spark-ui", "false").lower() == "true"
    return arguments.get("--spark-event-logs-path", "") if wanted else ""
