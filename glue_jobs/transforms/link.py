"""Linking refunds to the trips that they reverse.

Belongs here: which usable row reverses which, and the link rules. Does not: judging a row by itself.

A refund reverses a trip that has the same ``trip_key`` and the opposite fare, to the cent; ``rules.PAIRING`` says which
one if there are several.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from glue_jobs.contracts import tlc
from glue_jobs.contracts.rules import Tier, rules_of
from glue_jobs.transforms.exact import cents
from glue_jobs.transforms.judge import FLAGS

_LINKED = "has_counterpart"
_ALIKE = ("trip_key", "_fare")


def keyed(rows: DataFrame) -> DataFrame:
    """Normalised rows with ``trip_key`` and ``is_refund``."""
    surcharge = F.coalesce(cents(F.col("improvement_surcharge")), F.lit(0))
    is_refund = (cents(F.col("total_amount")) < 0) & (surcharge <= 0)
    return rows.withColumns({"trip_key": F.xxhash64(*tlc.TRIP_KEY_COLUMNS), "is_refund": is_refund})


def link(trips: DataFrame, paired: DataFrame) -> DataFrame:
    """Add ``is_refunded``, and the ids of the link rules at the end of ``quality_flags``.

    ``trips`` has row_hash, is_refund and quality_flags (as ``judge`` or ``without_links`` leaves them); ``paired`` has
    the rows of ``paired_hashes``, as a relation of the driver: in one plan with what finds them, a million trips cost
    Sail twice the processor time to write. The order of the rows may change.
    """
    found = paired.withColumn(_LINKED, F.lit(True))
    known = trips.join(F.broadcast(found), "row_hash", "left")
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


def paired_hashes(trips: DataFrame) -> DataFrame:
    """``row_hash`` of each refund of ``trips`` that has a trip, and of that trip: up to four in a hundred rows.

    ``trips`` has trip_key, row_hash, is_refund, fare_amount and total_amount; no two of its rows share a row_hash.
    Only rows that share key and fare with a refund are ranked: one or two in a hundred of a month. As many refunds as
    trips of them are linked, so that it is enough to know who comes first; a join of the two sides is not needed.
    """
    mirrored = F.when(F.col("is_refund"), F.lit(-1)).otherwise(F.lit(1))
    fare, total = (cents(F.col(name)) * mirrored for name in ("fare_amount", "total_amount"))
    rows = trips.select("row_hash", "trip_key", "is_refund", fare.alias("_fare"), total.alias("_total"))
    reversed_fares = rows.where("is_refund").select(*_ALIKE).distinct()
    ranked = (
        rows.join(F.broadcast(reversed_fares), [*_ALIKE], "left_semi")
        .withColumn("_pairs", _pairs(*_ALIKE))
        .withColumn("_opposite_pairs", _pairs(*_ALIKE, "_total"))
        .withColumn("_opposite", _place(*_ALIKE, "_total") <= F.col("_opposite_pairs"))
        .withColumn("_place", _place(*_ALIKE, first=(F.col("_opposite").desc(), F.col("_total"))))
    )
    return ranked.where("_place <= _pairs").select("row_hash").distinct()


def _pairs(*alike: str) -> Column:
    """How many refunds can each have a trip of its own among the rows that are alike."""
    refunds = F.sum(F.col("is_refund").cast("int")).over(Window.partitionBy(*alike))
    return F.least(refunds, F.count(F.lit(1)).over(Window.partitionBy(*alike)) - refunds)


def _place(*alike: str, first: tuple[Column, ...] = ()) -> Column:
    """The place, from one, of a refund among the refunds that are alike, or of a trip among the trips."""
    return F.row_number().over(Window.partitionBy(*alike, "is_refund").orderBy(*first, "row_hash"))
