"""The dashboard as a process of its own, for tests in a browser and benchmarks.

Belongs here: starting and stopping it. Does not: looking at it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from taxi_assets.dashboard.server import command
from taxi_assets_tests.support.waiting import wait_until


@contextmanager
def running_dashboard(lake: Path, log: Path, variables: Mapping[str, str] | None = None) -> Iterator[str]:
    """The address of a dashboard of a lake, on a free port; what it says goes to the file ``log``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    links = {"TAXI_DASHBOARD_URL": url}

    def answers() -> bool:
        try:
            with urlopen(f"{url}/_stcore/health", timeout=5) as response:
                return bool(response.status == 200)
        except (URLError, OSError):
            return False

    with log.open("w") as out:
        process = subprocess.Popen(
            command("127.0.0.1", port),
            env={**os.environ, "TAXI_LAKE": str(lake), **links, **(variables or {})},
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait_until(lambda: process.poll() is not None or answers(), log.read_text, every=0.2)
            assert process.poll() is None, log.read_text()
            yield url
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
