"""The AWS profile from end to end on this machine, for a newcomer: ``make aws-demo``.

Belongs here: the steps, and saying what is emulated. Does not: the emulator.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from taxi_assets_tests.emulators.environment import Role, environment_of

_EMULATED = """\
[bold]What is real here, and what is not[/bold]
  real      the command, the asset graph, boto3, PyIceberg, the deployment, the job scripts with Glue's arguments
  emulated  S3, Glue (jobs and Data Catalog) and CloudWatch Logs, by moto and this project's emulator, on 127.0.0.1
  Spark     Sail, the embedded engine, in the place of Glue's Spark: the same scripts, seconds instead of minutes
  missing   IAM does not check who may do what; queueing and start-up of workers take no time; nothing costs anything
"""
_MONTHS = ("2024-01", "2024-02")
_STEPS: tuple[tuple[str, ...], ...] = (
    ("deploy",),
    *(("run", "--month", month) for month in _MONTHS),
    ("status",),
    ("query", "SELECT pickup_date, trips, net_revenue FROM curated.daily_metrics ORDER BY 1 LIMIT 5"),
    ("catalog", "check"),
)
_out = Console()


def main() -> None:
    """Start the emulator, take the steps, show where things are; exit code 1 if a step fails."""
    _out.print(_EMULATED)
    server = [sys.executable, "-m", "taxi_assets_tests.emulators.aws"]
    with (
        tempfile.TemporaryDirectory(prefix="aws-demo-") as home,
        subprocess.Popen(server, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as emulator,
    ):
        assert emulator.stdin is not None
        assert emulator.stdout is not None
        try:
            ready = json.loads(emulator.stdout.readline())
            failed = _walk(ready["url"], ready["bucket"], home)
        finally:
            emulator.stdin.close()  # which ends it, and all that it started
    sys.exit(1 if failed else 0)


def _walk(url: str, bucket: str, home: str) -> bool:
    """Whether a step failed."""
    settings = {
        "TAXI_PROFILE": "aws",
        "TAXI_LAKE": f"s3://{bucket}/lake",
        "TAXI_SOURCE": "synthetic:rows=20000,seed=1",
        "TAXI_GLUE_POLL_SECONDS": "0.5",
        "DAGSTER_HOME": home,
    }
    _out.print(f"Settings: {' '.join(f'{name}={value}' for name, value in settings.items())}\n", soft_wrap=True)
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TAXI_"))}
    for step in _STEPS:
        role = Role.DEPLOY if step[0] == "deploy" else Role.DAGSTER
        if not _take(step, {**outside, **settings, **environment_of(url, role)}):
            return True
    return False


def _take(step: tuple[str, ...], environment: Mapping[str, str]) -> bool:
    shown = " ".join(f'"{word}"' if " " in word else word for word in step)
    _out.print(f"\n[bold]$ taxi-assets {shown}[/bold]", soft_wrap=True, highlight=False)
    command = [str(Path(sys.executable).parent / "taxi-assets"), *step]
    return subprocess.run(command, env=dict(environment)).returncode == 0


if __name__ == "__main__":
    main()
