"""Job: a month's quarantine judged again under the rules of today; its trips stay as they are.

Belongs here: arguments, reading, writing, the report. Does not: what happens to a row (``transforms``).
Writes only to the two fresh folders that it is given, and deletes nothing. Rows that are usable now join the
trips; the links between refunds and trips are made again, because a released row may be either.
"""

from __future__ import annotations

import argparse

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from glue_jobs.contracts import QUARANTINE, TRIPS, tlc
from glue_jobs.errors import InputError
from glue_jobs.files import parquet_rows, read_zones
from glue_jobs.reporting import Reporter, run_job
from glue_jobs.reports import REPLAY_QUARANTINE, ReplayReport
from glue_jobs.session import spark_session
from glue_jobs.staged import (
    FOLDERS,
    ZONE_SCHEMA,
    arranged,
    facts_of,
    staging_parser,
    with_links,
    with_repeats,
    write_quarantine,
    write_trips,
)
from glue_jobs.tables import read_table
from glue_jobs.transforms import enrich, judge
from glue_jobs.transforms.link import keyed, without_links
from glue_jobs.transforms.normalise import EXTRA, ROW_HASH


def replay(arguments: argparse.Namespace, reporter: Reporter) -> ReplayReport:
    """Judge one month's quarantine again. InputError if there are no trips."""
    if parquet_rows(arguments.trips) == 0:
        raise InputError(f"{arguments.trips} has no rows", f"stage {arguments.month} again")
    spark = spark_session(REPLAY_QUARANTINE, arguments.spark_conf)
    month = arguments.month
    trips = read_table(spark, TRIPS, arguments.trips)
    columns = [*(column.name for column in tlc.TRIP_COLUMNS), EXTRA, ROW_HASH]
    rows = keyed(read_table(spark, QUARANTINE, arguments.quarantine).select(*columns))
    with reporter.phase("look for repeated rows"):
        marked = with_repeats(rows, arguments.quarantine)
    judged = judge.judge(_mark_published(marked, trips), month)

    with reporter.phase("write quarantine"):
        quarantine = enrich.quarantine(judge.quarantined(judged), month, arguments.source_sha256)
        write_quarantine(quarantine, arguments.quarantine_out)
    with reporter.phase("pair refunds with trips"):
        zones = spark.createDataFrame(read_zones(arguments.zones), ZONE_SCHEMA)
        placed = enrich.with_zones(judge.usable(judged), zones).withColumn("is_refunded", F.lit(False))
        released = enrich.trips(placed, month)
        linked = with_links(without_links(trips.unionByName(released)))
    with reporter.phase("write trips"):
        write_trips(enrich.conform(arranged(linked, "pickup_at"), TRIPS, carried=FOLDERS), arguments.trips_out)
    with reporter.phase("count what was written"):
        written = facts_of(spark, month, arguments.trips, arguments.trips_out, arguments.quarantine_out)
    before = parquet_rows(arguments.trips), parquet_rows(arguments.quarantine)
    return {
        "source_rows": sum(before),
        "released_rows": written["published_rows"] - before[0],
        **written,
        "seconds": reporter.seconds,
    }


def _mark_published(rows: DataFrame, trips: DataFrame) -> DataFrame:
    """``is_repeated`` also for rows that a published trip is identical to, by their hash."""
    same = trips.join(rows.select(ROW_HASH).distinct(), ROW_HASH, "left_semi").select(ROW_HASH).distinct()
    found = rows.join(same.withColumn("is_published", F.lit(True)), ROW_HASH, "left")
    is_repeated = F.col("is_repeated") | F.coalesce(F.col("is_published"), F.lit(False))
    return found.withColumn("is_repeated", is_repeated).drop("is_published")


def main() -> None:
    """Entry point."""
    parser = staging_parser(__doc__ or "")
    parser.add_argument("--trips", required=True, help="folder of the month's published trips")
    parser.add_argument("--quarantine", required=True, help="folder of the month's published quarantine")
    run_job(REPLAY_QUARANTINE, parser, replay)


if __name__ == "__main__":
    main()
