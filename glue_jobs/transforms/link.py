"""Linking refunds to the trips that they reverse.

Belongs here: which usable row reverses which, and the link rules. Does not: judging a row by itself.

A refund (negative total) reverses a trip if both have the same ``trip_key`` (vendor, times, zones, distance) and
fare and total are opposite to the cent. Each refund takes one trip: of two equal refunds of one trip the second is
unlinked.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from glue_jobs.contracts import tlc
from glue_jobs.contracts.rules import Tier, rules_of
from glue_jobs.transforms.exact import cents
from glue_jobs.transforms.judge import FLAGS

_LINKED = "has_counterpart"
_ALIKE = ("trip_key", "_fare", "_total")
_TURN = "_turn"


def keyed(rows: DataFrame) -> DataFrame:
    """Normalised rows with ``trip_key`` and ``is_refund``."""
    return rows.withColumns(
        {"trip_key": F.xxhash64(*tlc.TRIP_KEY_COLUMNS), "is_refund": F.col("total_amount") < 0},
    )


def link(trips: DataFrame) -> DataFrame:
    """Add ``is_refunded``, and the ids of the link rules at the end of ``quality_flags``.

    ``trips`` has trip_key, row_hash, is_refund, fare_amount, total_amount and quality_flags (as ``judge`` or
    ``without_links`` leaves them); no two of its rows have the same row_hash. The order of the rows may change.
    """
    known = trips.join(F.broadcast(_linked(trips)), "row_hash", "left")
    known = known.withColumn(_LINKED, F.coalesce(F.col(_LINKED), F.lit(False)))
    ids = [F.when(F.expr(rule.predicate), F.lit(rule.rule_id)) for rule in rules_of(Tier.LINK)]
    own = F.when(F.col(FLAGS) != "", F.col(FLAGS))
    return (
        known.withColumn(FLAGS, F.concat_ws(",", own, *ids))
        .withColumn("is_refunded", F.col(_LINKED) & ~F.col("is_refund"))
        .drop(_LINKED)
    )


def without_links(trips: DataFrame) -> DataFrame:
    """Linked trips as they were before: without ``is_refunded``, without ids of link rules among the flags."""
    ids = "|".join(rule.rule_id for rule in rules_of(Tier.LINK))
    return trips.drop("is_refunded").withColumn(FLAGS, F.regexp_replace(FLAGS, f"(^|,)({ids})", ""))


def _linked(trips: DataFrame) -> DataFrame:
    """``row_hash`` of each refund that has a trip, and of that trip, with ``has_counterpart`` true.

    Only rows that share a key with a refund are ranked: one or two in a hundred of a month.
    """
    fare, total = cents(F.col("fare_amount")), cents(F.col("total_amount"))
    rows = trips.select(
        "row_hash",
        "trip_key",
        "is_refund",
        F.when(F.col("is_refund"), -fare).otherwise(fare).alias("_fare"),
        F.abs(total).alias("_total"),
    )
    refunds = rows.where("is_refund")
    reversible = rows.where("NOT is_refund").join(refunds.select("trip_key").distinct(), "trip_key", "left_semi")
    met = _in_turn(refunds).join(_in_turn(reversible).withColumnRenamed("row_hash", "_trip"), [*_ALIKE, _TURN])
    both = met.select(F.explode(F.array("row_hash", "_trip")).alias("row_hash"))
    return both.distinct().withColumn(_LINKED, F.lit(True))  # two rows with one hash must not become four


def _in_turn(rows: DataFrame) -> DataFrame:
    """Rows with the same key and amounts, numbered: the first refund meets the first trip, and so on."""
    turn = F.row_number().over(Window.partitionBy(*_ALIKE).orderBy("row_hash"))
    return rows.select("row_hash", *_ALIKE, turn.alias(_TURN))
