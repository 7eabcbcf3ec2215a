"""Job: one month of staging trips to whichever curated tables are asked for.

Belongs here: arguments, reading, writing, the report. Does not: how a table is computed (``transforms.curated``).
Writes only to the fresh folders that it is given, and deletes nothing.
"""

from __future__ import annotations

import argparse
import json

from glue_jobs.contracts import CURATED_TABLES, TRIPS
from glue_jobs.errors import InputError
from glue_jobs.files import parquet_rows
from glue_jobs.reporting import Reporter, argument_parser, run_job
from glue_jobs.reports import BUILD_CURATED, BuildReport
from glue_jobs.session import spark_session
from glue_jobs.tables import read_table
from glue_jobs.transforms import curated


def build(arguments: argparse.Namespace, reporter: Reporter) -> BuildReport:
    """Build the tables named in ``--outputs``; InputError if staging has no rows."""
    if unknown := sorted(set(arguments.outputs) - set(CURATED_TABLES)):
        raise InputError(f"there is no curated table {', '.join(unknown)}", f"choose from {', '.join(CURATED_TABLES)}")
    if parquet_rows(arguments.staging) == 0:
        raise InputError(f"{arguments.staging} has no rows", f"stage {arguments.month} again")
    spark = spark_session(BUILD_CURATED, arguments.spark_conf)
    trips = read_table(spark, TRIPS, arguments.staging)
    rows = {}
    for name, path in arguments.outputs.items():
        table = CURATED_TABLES[name]
        with reporter.phase(f"build {name}"):
            built = curated.build(table, trips)
            built.repartition(1).sortWithinPartitions(*table.grain).write.parquet(path)
        rows[name] = parquet_rows(path)
    return {"rows": rows, "spark_version": spark.version, "seconds": reporter.seconds}


def main() -> None:
    """Entry point."""
    parser = argument_parser(__doc__ or "")
    parser.add_argument("--staging", required=True, help="folder of the month's staging trips")
    parser.add_argument("--outputs", required=True, type=json.loads, help="table to fresh folder, a JSON object")
    run_job(BUILD_CURATED, parser, build)


if __name__ == "__main__":
    main()
