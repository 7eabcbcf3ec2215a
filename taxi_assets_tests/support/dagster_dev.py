"""A running ``dagster dev`` for tests: its start, its API, its end.

Belongs here: what every test with a live Dagster needs. Does not: tests.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

import taxi_assets
from taxi_assets.operations import dagster_instance
from taxi_assets.operations.dagster_instance import dagster_home
from taxi_assets.settings import Settings
from taxi_assets_tests.support.waiting import HANGS_AFTER, wait_until

ROOT = Path(taxi_assets.__file__).parent.parent
WORKSPACE = ("-w", str(dagster_instance.WORKSPACE))
EAGER = ("-m", "taxi_assets_tests.support.eager_location")
"""The same, but that sensors look every five seconds."""
_PATIENCE = {
    f"DAGSTER_{what}GRPC_TIMEOUT_SECONDS": f"{HANGS_AFTER:.0f}" for what in ("", "SENSOR_", "SCHEDULE_", "REPOSITORY_")
}
"""How long its processes wait for each other: a minute otherwise, which a busy machine may take to load the code."""


class Dagster:
    """The running Dagster of the lake in ``lake``, at ``url``."""

    def __init__(self, lake: Path, url: str) -> None:
        self.lake, self.url = lake, url

    def ask(self, query: str, **variables: Any) -> Any:
        """GraphQL's data, as the UI asks for it."""
        body = {"query": query, "variables": variables}
        answer = requests.post(f"{self.url}/graphql", json=body, timeout=HANGS_AFTER).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def runs(self) -> list[dict[str, Any]]:
        """``runId`` and ``status`` of its runs, the newest first."""
        query = "{ runsOrError(limit: 50) { ... on Runs { results { runId status } } } }"
        found: list[dict[str, Any]] = self.ask(query)["runsOrError"]["results"]
        return found

    def log(self) -> str:
        """The end of what it printed."""
        return (self.lake / "dev.log").read_text()[-8000:]

    def answers(self) -> bool:
        """Whether it can be asked yet."""
        try:
            return bool(self.ask("{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }"))
        except (requests.ConnectionError, AssertionError):
            return False


@contextmanager
def running_dagster(
    settings: Settings, variables: Mapping[str, str], location: Sequence[str] = WORKSPACE
) -> Iterator[Dagster]:
    """``dagster dev`` with the lake and source of ``settings`` and further ``variables``, on a free port.

    ``location`` are the arguments that name the code location, the project's own if not given.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(dagster_home(settings)),
        "TAXI_LAKE": settings.lake,
        "TAXI_SOURCE": settings.source,
        **_PATIENCE,
        **variables,
    }
    running = Dagster(Path(settings.lake), f"http://127.0.0.1:{port}")
    dagster = str(Path(sys.executable).parent / "dagster")
    command = [dagster, "dev", *location, "-h", "127.0.0.1", "-p", str(port)]
    with (running.lake / "dev.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            wait_until(lambda: process.poll() is not None or running.answers(), running.log, every=0.5)
            assert process.poll() is None, running.log()
            yield running
        finally:
            os.killpg(process.pid, signal.SIGTERM)  # not SIGINT: a background shell lets its children ignore it
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
