"""Refunds and the trips that they reverse."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pyspark.sql import SparkSession

from glue_jobs.contracts.tlc import MONEY_COLUMNS
from glue_jobs.transforms.link import link, without_links
from taxi_assets_tests.support.trips import TRIP, staged_rows

REVERSAL: dict[str, Any] = {name: -TRIP[name] for name in MONEY_COLUMNS}
LINKED, REVERSED, PLAIN, UNLINKED = "linked refund", "reversed trip", "plain trip", "unlinked refund"


def linked(spark: SparkSession, *odd: dict[str, Any]) -> list[str]:
    """What each row is, in order."""
    rows = staged_rows(spark, *({**changes, "request_source": str(i)} for i, changes in enumerate(odd))).collect()
    kinds = {(True, False): LINKED, (False, True): REVERSED, (False, False): PLAIN}
    return [
        UNLINKED if "unlinked_refund" in row.quality_flags.split(",") else kinds[row.is_refund, row.is_refunded]
        for row in sorted(rows, key=lambda row: int(row.request_source))
    ]


def test_a_reversal_is_linked_to_its_trip(spark: SparkSession) -> None:
    assert linked(spark, {}, REVERSAL, {"tip_amount": 1.0, "total_amount": 20.6}) == [REVERSED, LINKED, PLAIN]


def test_rows_whose_nulls_have_changed_places_are_linked_each_to_its_own(spark: SparkSession) -> None:
    # xxHash64 passes nulls over: (2.5, null) and (null, 2.5) would have one hash, and the join of four rows gave eight.
    one: dict[str, Any] = {"congestion_surcharge": 2.5, "airport_fee": None}
    other: dict[str, Any] = {"congestion_surcharge": None, "airport_fee": 2.5}
    back = [{**REVERSAL, **{name: -row[name] if row[name] else None for name in row}} for row in (one, other)]
    kinds = linked(spark, one, other, *back)
    assert sorted(kinds) == sorted([REVERSED, REVERSED, LINKED, LINKED])


def test_a_refund_without_a_trip_is_flagged(spark: SparkSession) -> None:
    assert linked(spark, REVERSAL) == [UNLINKED]


def test_vendor_times_zones_and_distance_must_be_the_same(spark: SparkSession) -> None:
    others: list[dict[str, Any]] = [
        {"vendorid": 1},
        {"tpep_pickup_datetime": datetime(2024, 2, 14, 9, 0, 1)},
        {"tpep_dropoff_datetime": datetime(2024, 2, 14, 9, 15, 1)},
        {"pulocationid": 162},
        {"dolocationid": 238},
        {"trip_distance": 3.01},
    ]
    for other in others:
        assert linked(spark, other, REVERSAL) == [PLAIN, UNLINKED]


def test_fare_and_total_must_be_opposite(spark: SparkSession) -> None:
    assert linked(spark, {}, {**REVERSAL, "total_amount": -23.49}) == [PLAIN, UNLINKED]
    assert linked(spark, {}, {**REVERSAL, "fare_amount": -15.5}) == [PLAIN, UNLINKED]
    assert linked(spark, {}, {**REVERSAL, "fare_amount": 15.6}) == [PLAIN, UNLINKED]


def test_each_refund_takes_one_trip(spark: SparkSession) -> None:
    twice = linked(spark, {}, {**REVERSAL, "payment_type": 3}, {**REVERSAL, "payment_type": 4})
    assert twice[0] == REVERSED
    assert sorted(twice[1:]) == [LINKED, UNLINKED]


def test_a_reversed_trip_that_was_charged_again_is_reversed_once(spark: SparkSession) -> None:
    charged_again = linked(spark, {}, REVERSAL, {"payment_type": 2})
    assert charged_again[1] == LINKED
    assert sorted((charged_again[0], charged_again[2])) == [PLAIN, REVERSED]


def test_the_records_of_a_trip_share_its_key_in_every_version(spark: SparkSession) -> None:
    corrected = {"fare_amount": 20.0, "total_amount": 27.9, "payment_type": 2, "passenger_count": 4.0}
    keys = {row.trip_key for row in staged_rows(spark, {}, REVERSAL, corrected).collect()}
    assert keys == {2589524067292555017}  # written down once: it is the same for ever


def test_linking_again_gives_the_same(spark: SparkSession) -> None:
    staged = staged_rows(spark, {}, REVERSAL, {**REVERSAL, "payment_type": 4, "passenger_count": 0.0})
    again = link(without_links(staged)).select(*staged.columns)
    assert again.exceptAll(staged).count() == staged.exceptAll(again).count() == 0
    flags = {row.quality_flags for row in staged.collect()}
    assert flags == {"", "zero_passengers", "unlinked_refund"} or flags == {"", "zero_passengers,unlinked_refund"}
