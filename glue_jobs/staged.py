"""What staging asks a whole month before it judges and links, and writing its trips and quarantine.

Belongs here: what ``stage_trips`` and ``replay_quarantine`` share. Does not: which rows go where (``transforms``).
"""

from __future__ import annotations

import argparse
from collections import Counter
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from glue_jobs.contracts import staging, tlc
from glue_jobs.contracts.rules import RULES_VERSION
from glue_jobs.errors import InputError
from glue_jobs.files import count_parquet_files
from glue_jobs.reporting import argument_parser
from glue_jobs.reports import Written
from glue_jobs.tables import read_table
from glue_jobs.transforms import enrich, judge
from glue_jobs.transforms.exact import money_sum
from glue_jobs.transforms.link import link, paired_hashes

ZONE_SCHEMA = "LocationID int, Borough string, Zone string, service_zone string"
WRITE_TASKS = 2
"""Tasks that write a month's 116 to 124 partitions, each of which is one file."""
FOLDERS = ("date", "time_of_day")
"""Folders are named after copies: Spark drops the columns that it makes folders of from the files, and Iceberg
takes partition values from the files, where they would then read back as null, without an error."""


def staging_parser(description: str) -> argparse.ArgumentParser:
    """A parser with the arguments that every job takes that writes trips and quarantine."""
    parser = argument_parser(description)
    parser.add_argument("--source-sha256", required=True, help="SHA-256 of the raw file that the rows came in")
    parser.add_argument("--zones", required=True, help="URI of the zone lookup, CSV")
    parser.add_argument("--trips-out", required=True, help="fresh folder for the trips")
    parser.add_argument("--quarantine-out", required=True, help="fresh folder for the quarantine")
    return parser


def with_repeats(rows: DataFrame, file: str) -> DataFrame:
    """``rows`` with ``is_repeated``; InputError, naming ``file``, if too many stand more than once."""
    hashes = [row.row_hash for row in judge.repeated_hashes(rows).limit(judge.MAX_REPEATED + 1).collect()]
    if len(hashes) > judge.MAX_REPEATED:
        raise InputError(
            f"{file} has more than {judge.MAX_REPEATED} different rows that stand more than once",
            "it seems to have been written twice; fetch the file again",
        )
    if not hashes:
        return without_repeats(rows)
    return judge.mark_repeats(rows, hashes, _collected(judge.repeated_rows(rows, hashes)))


def without_repeats(rows: DataFrame) -> DataFrame:
    """``rows`` with ``is_repeated`` as of rows of which none stands twice."""
    return rows.withColumn("is_repeated", F.lit(False))


def with_links(trips: DataFrame) -> DataFrame:
    """``trips``, judged, with the links between refunds and trips (``transforms.link``)."""
    return link(trips, _collected(paired_hashes(trips)))


def _collected(rows: DataFrame) -> DataFrame:
    """The same few rows as a relation of the driver: else each plan with them reads the whole file a second time.

    Times go as microseconds: Python has none after the year 9999, which a file may state.
    """
    times = {name for name, kind in rows.dtypes if kind == "timestamp_ntz"}
    as_numbers = [F.unix_micros(F.col(c).cast("timestamp")).alias(c) if c in times else F.col(c) for c in rows.columns]
    carried = rows.select(*as_numbers)
    schema = ", ".join(f"`{name}` {kind}" for name, kind in carried.dtypes)  # Sail cannot read one with field ids
    here = rows.sparkSession.createDataFrame(carried.collect(), schema)
    as_times = [F.timestamp_micros(c).cast("timestamp_ntz").alias(c) if c in times else F.col(c) for c in rows.columns]
    return here.select(*as_times)


def write_quarantine(quarantine: DataFrame, folder: str) -> None:
    """One file: a month's quarantine is some dozen rows."""
    quarantine.coalesce(1).write.parquet(folder)


def arranged(rows: DataFrame, pickup: str) -> DataFrame:
    """The rows in the order of the files that they go to, with the columns that name the folders.

    ``pickup`` is the column with the time of pick-up. No join may follow: Sail drops the order of rows at one.
    """
    time_of_day = enrich.time_of_day(F.hour(pickup))
    keyed = rows.withColumns({FOLDERS[0]: F.to_date(pickup), FOLDERS[1]: time_of_day})
    return keyed.repartition(WRITE_TASKS, *FOLDERS).sortWithinPartitions(*FOLDERS, pickup)


def write_trips(trips: DataFrame, folder: str) -> None:
    """One file for each date and time of day; ``trips`` are arranged and carry ``FOLDERS``."""
    trips.write.partitionBy(*FOLDERS).parquet(folder)


def facts_of(spark: SparkSession, month: str, source: str, trips: str, quarantine: str) -> Written:
    """What a report says of the two folders. InputError, naming ``source``, if not one trip came out."""
    published = _totals(spark, trips)
    reasons, combinations = _reasons(spark, quarantine)
    quarantined = sum(combinations.values())
    if published["rows"] == 0:
        said = ", ".join(f"{reason} {rows:,}" for reason, rows in reasons.most_common()) or "there are none"
        raise InputError(
            f"no row of {source} is a usable trip of {month}: {quarantined} rows were read, "
            f"all of them quarantined ({said})",
            f"look at the quarantined rows in {quarantine}, check that the file is that of {month}, and fetch it again",
        )
    return {
        "published_rows": published["rows"],
        "quarantined_rows": quarantined,
        "quarantine_reasons": dict(reasons),
        "money": published["money"],
        "rules_version": RULES_VERSION,
        "files": count_parquet_files(trips),
        "spark_version": spark.version,
    }


def _totals(spark: SparkSession, folder: str) -> dict[str, Any]:
    written = read_table(spark, staging.TRIPS, folder, tlc.MONEY_COLUMNS)
    row = written.agg(
        F.count(F.lit(1)).alias("rows"), *(money_sum(F.col(name)).alias(name) for name in tlc.MONEY_COLUMNS)
    ).collect()[0]
    return {"rows": int(row["rows"]), "money": {name: str(row[name]) for name in tlc.MONEY_COLUMNS}}


def _reasons(spark: SparkSession, folder: str) -> tuple[Counter[str], Counter[str]]:
    """Rows for each reason (a row may have several), and rows for each combination of reasons."""
    written = read_table(spark, staging.QUARANTINE, folder, (judge.REASONS,))
    counted = written.groupBy(judge.REASONS).agg(F.count(F.lit(1)).alias("n")).collect()
    combinations = Counter({row[judge.REASONS]: int(row["n"]) for row in counted})
    single: Counter[str] = Counter()
    for combination, count in sorted(combinations.items()):
        single.update(dict.fromkeys(combination.split(","), count))
    return single, combinations
