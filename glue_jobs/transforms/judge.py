"""Applying the rule registry to rows.

Belongs here: evaluating predicates, finding exact duplicates, parting usable trips from quarantined rows.
Does not: the rules themselves (``contracts.rules``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from glue_jobs.contracts import tlc
from glue_jobs.contracts.months import clock_changes, month_bounds
from glue_jobs.contracts.rules import Tier, rules_of
from glue_jobs.transforms.exact import cents

REASONS, FLAGS = "quarantine_reasons", "quality_flags"
_WALL, COPIES = "wall_seconds", "copies"
MAX_REPEATED = 10_000
"""Different rows that may stand more than once in a file. Real files have under ten; one written twice has millions."""


def repeated_hashes(rows: DataFrame) -> DataFrame:
    """The values of ``row_hash`` that more than one row has, one row each, column ``row_hash``."""
    counted = rows.groupBy("row_hash").agg(F.count(F.lit(1)).alias("copies"))
    return counted.where(F.col("copies") > 1).select("row_hash")


def repeated_rows(rows: DataFrame, hashes: Sequence[int]) -> DataFrame:
    """Each different row among those with one of ``hashes``, once, and how often it stands, column ``copies``."""
    return rows.where(F.col("row_hash").isin(*hashes)).groupBy(*rows.columns).agg(F.count(F.lit(1)).alias(COPIES))


def mark_repeats(rows: DataFrame, hashes: Sequence[int], repeated: DataFrame) -> DataFrame:
    """Add ``is_repeated``: true on every row but one of a set that is identical in all source columns.

    ``hashes`` are those that ``repeated_hashes`` found, ``repeated`` the ``repeated_rows``. Only these are looked at:
    ranking a whole month costs a sort of all its columns for the sake of under ten rows.
    """
    each = repeated.withColumn("copy", F.explode(F.sequence(F.lit(1), F.col(COPIES)))).drop(COPIES)
    marked = each.withColumn("is_repeated", F.col("copy") > 1).drop("copy")
    others = rows.where(~F.col("row_hash").isin(*hashes)) if hashes else rows
    return others.withColumn("is_repeated", F.lit(False)).unionByName(marked)


def judge(rows: DataFrame, month: str) -> DataFrame:
    """Add ``quarantine_reasons`` and ``quality_flags`` (rule ids joined by commas, empty if none).

    Also adds the helpers that ``contracts.rules`` describes. ``rows`` has the source columns and
    ``is_repeated``; ``month`` is YYYY-MM. The link rules are judged by ``link``.
    """
    pickup, dropoff = F.col("tpep_pickup_datetime"), F.col("tpep_dropoff_datetime")
    wall = F.expr("timestampdiff(SECOND, tpep_pickup_datetime, tpep_dropoff_datetime)")
    forward, back = clock_changes(int(month[:4]))
    hour = timedelta(hours=1)
    in_fall_back_hour = (pickup >= _at(back - hour)) & (pickup < _at(back))
    lost_hour = (pickup < _at(forward)) & (dropoff >= _at(forward + hour))
    extra_hour = ((pickup < _at(back - hour)) & (dropoff >= _at(back))) | (in_fall_back_hour & (F.col(_WALL) < 0))
    helped = (
        rows.withColumn(_WALL, wall)
        .withColumn("in_fall_back_hour", F.coalesce(in_fall_back_hour, F.lit(False)))
        .withColumn(
            "duration_seconds",
            F.when(lost_hour, F.col(_WALL) - 3600).when(extra_hour, F.col(_WALL) + 3600).otherwise(F.col(_WALL)),
        )
    )
    fees = sum((_cents_or_none(name) for name in tlc.FEES), F.lit(0))
    parts = sum((_cents_or_none(name) for name in tlc.PARTS_OF_TOTAL), F.lit(0))
    owing = cents(F.col("total_amount")) - parts
    fare = cents(F.col("fare_amount"))
    helped = helped.withColumns({"fare_cents": fare, "fee_cents": fees, "part_cents": parts, "owing_cents": owing})
    return helped.withColumn(REASONS, _matching(Tier.QUARANTINE, month)).withColumn(FLAGS, _matching(Tier.FLAG, month))


def usable(judged: DataFrame) -> DataFrame:
    """The rows that no quarantine rule applies to."""
    return judged.where(F.col(REASONS) == "")


def quarantined(judged: DataFrame) -> DataFrame:
    """The rows that at least one quarantine rule applies to."""
    return judged.where(F.col(REASONS) != "")


def _at(moment: datetime) -> Column:
    """A wall-clock literal (``lit`` of a datetime would be an instant in this process's time zone)."""
    return F.expr(f"timestamp_ntz'{moment:%Y-%m-%d %H:%M:%S}'")


def _cents_or_none(column: str) -> Column:
    return F.coalesce(cents(F.col(column)), F.lit(0))


def _matching(tier: Tier, month: str) -> Column:
    start, end = (f"timestamp_ntz'{day} 00:00:00'" for day in month_bounds(month))
    ids = [
        F.when(F.expr(rule.predicate.format(month_start=start, next_month=end)), F.lit(rule.rule_id))
        for rule in rules_of(tier)
    ]
    return F.concat_ws(",", *ids)
