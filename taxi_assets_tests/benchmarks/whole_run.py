"""``taxi-assets run`` and ``taxi-assets backfill`` as users type them, in a lake of their own.

Belongs here: running the command, and what it says of itself. Does not: timing (``month``), or showing it (``budget``).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_COMMAND = [sys.executable, "-m", "taxi_assets"]


def run(month: str, source: str, lake: str) -> dict[str, Any]:
    """What ``taxi-assets run --json`` says of the month; RuntimeError with its last words if it failed."""
    command = [*_COMMAND, "run", "--month", month, "--source", source, "--lake", lake, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=_environment())
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-2000:]}")
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def backfill(first: str, last: str, source: str, lake: str, log: Path) -> Iterator[dict[str, Any]]:
    """What ``taxi-assets backfill --json`` says of each month, as it says so; its progress goes to ``log``."""
    command = [*_COMMAND, "backfill", "--from", first, "--to", last, "--source", source, "--lake", lake, "--json"]
    with (
        log.open("w") as words,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=words, text=True, env=_environment()) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            yield json.loads(line)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {log.read_text()[-2000:]}")


def _environment() -> dict[str, str]:
    """Without settings of whoever runs the benchmark: each lake has an instance of its own."""
    return {name: text for name, text in os.environ.items() if not name.startswith("TAXI_") and name != "DAGSTER_HOME"}
