"""A month's three jobs as processes on one engine, without Dagster, checks or a catalog.

Belongs here: running them. Does not: timing (``month``).
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import glue_jobs
from glue_jobs.contracts import CURATED_TABLES
from glue_jobs.reports import BUILD_CURATED, INGEST_RAW, STAGE_TRIPS
from taxi_assets.jobs.engine import running_engine, spark_conf

_SCRIPTS = Path(glue_jobs.__file__).parent


def run(engine: str, month: str, source: str, out: str) -> None:
    """Land, stage and build ``month`` of ``source`` on ``engine`` (``sail`` or ``spark``), below ``out``."""
    conf = ["--month", month, "--spark-conf", json.dumps(spark_conf(engine))]
    with running_engine(engine) as running:

        def job(name: str, *options: str) -> None:
            command = [sys.executable, str(_SCRIPTS / f"{name}.py"), *conf, *options]
            subprocess.run(command, check=True, env=running.environment, capture_output=True)

        job(INGEST_RAW, "--source", source, "--raw-dir", f"{out}/raw")
        trips, zones = (_only(Path(out, "raw"), ending) for ending in ("parquet", "csv"))
        job(
            STAGE_TRIPS,
            *("--trips", trips, "--zones", zones, "--source-sha256", "0"),
            *("--trips-out", f"{out}/trips", "--quarantine-out", f"{out}/quarantine"),
        )
        tables = {name: f"{out}/{name}" for name in CURATED_TABLES}
        job(BUILD_CURATED, "--staging", f"{out}/trips", "--outputs", json.dumps(tables))


def _only(folder: Path, ending: str) -> str:
    [file] = folder.rglob(f"*.{ending}")
    return str(file)
