"""Stages several months in one process: ``python -m … FOLDER MONTH …``, on the engine of the environment.

Reads ``FOLDER/MONTH/f.parquet`` and ``FOLDER/zones.csv``; writes below ``FOLDER/MONTH/ENGINE`` for the engine that is
named in ``OUT``. A process for each month would start a JVM for each.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

from glue_jobs.reporting import Reporter
from glue_jobs.session import spark_session
from glue_jobs.stage_trips import stage


def main(folder: str, months: list[str]) -> None:
    """Stage each month and print the facts, and whether the session is strict (ANSI), one JSON object a line."""
    conf = json.loads(os.environ["CONF"])
    for month in months:
        out = f"{folder}/{month}/{os.environ['OUT']}"
        arguments = {
            "month": month,
            "trips": f"{folder}/{month}/f.parquet",
            "source_sha256": "of no file",
            "zones": f"{folder}/zones.csv",
            "trips_out": f"{out}/trips",
            "quarantine_out": f"{out}/quarantine",
            "spark_conf": conf,
        }
        facts = stage(argparse.Namespace(**arguments), Reporter())
        is_strict = spark_session("stage_months", conf).conf.get("spark.sql.ansi.enabled") == "true"
        print(json.dumps({"month": month, "is_strict": is_strict, **facts}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
