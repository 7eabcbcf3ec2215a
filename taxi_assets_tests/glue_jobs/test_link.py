"""Refunds and the trips that they reverse."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from pyspark.sql import SparkSession

from glue_jobs.contracts.tlc import MONEY_COLUMNS
from glue_jobs.staged import with_links
from glue_jobs.transforms.link import without_links
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


def test_vendor_times_and_distance_must_be_the_same_and_the_fare_opposite(spark: SparkSession) -> None:
    others: list[dict[str, Any]] = [
        {"vendorid": 1},
        {"tpep_pickup_datetime": datetime(2024, 2, 14, 9, 0, 1)},
        {"tpep_dropoff_datetime": datetime(2024, 2, 14, 9, 15, 1)},
        {"trip_distance": 3.01},
        {"fare_amount": 15.5},
        {"fare_amount": -15.6, "tip_amount": 35.1},
    ]
    for other in others:
        assert linked(spark, other, REVERSAL) == [PLAIN, UNLINKED]


@pytest.mark.parametrize(
    "odd",
    [
        {"dolocationid": 238},
        {"pulocationid": 162, "payment_type": 4},
        {"tip_amount": 10.0, "total_amount": -9.6},  # a tip of the reversal's own: a part is given back
        {"tip_amount": 3.9, "total_amount": -15.7},  # the same tip in both
        {"fare_amount": -15.601, "total_amount": -23.501},
    ],
)
def test_zones_payment_type_and_the_rest_of_the_total_may_differ(spark: SparkSession, odd: dict[str, Any]) -> None:
    assert linked(spark, {}, {**REVERSAL, **odd}) == [REVERSED, LINKED]


def test_a_reversal_of_a_trip_without_a_fare_is_linked(spark: SparkSession) -> None:
    free = {"fare_amount": 0.0, "total_amount": 7.9}
    assert linked(spark, free, {**REVERSAL, "fare_amount": -0.0, "total_amount": -7.9}) == [REVERSED, LINKED]


def test_each_refund_takes_one_trip(spark: SparkSession) -> None:
    twice = linked(spark, {}, {**REVERSAL, "payment_type": 3}, {**REVERSAL, "payment_type": 4})
    assert twice[0] == REVERSED
    assert sorted(twice[1:]) == [LINKED, UNLINKED]


def of_total(total: float, **changes: Any) -> dict[str, Any]:
    return {"tip_amount": total - 19.6, "total_amount": total, **changes}


def refund_of(total: float, **changes: Any) -> dict[str, Any]:
    return {**REVERSAL, "tip_amount": 19.6 - total, "total_amount": -total, **changes}


def test_opposite_totals_pair_before_all_others(spark: SparkSession) -> None:
    assert linked(spark, of_total(21.0), of_total(23.0), refund_of(23.0)) == [PLAIN, REVERSED, LINKED]
    assert linked(spark, of_total(23.0), refund_of(20.0), refund_of(23.0)) == [REVERSED, UNLINKED, LINKED]
    several = of_total(21.0), of_total(22.0), of_total(23.0), refund_of(22.5), refund_of(23.0)
    assert linked(spark, *several) == [REVERSED, PLAIN, REVERSED, LINKED, LINKED]


def test_what_is_left_pairs_by_total_from_the_smallest_on(spark: SparkSession) -> None:
    assert linked(spark, of_total(24.0), of_total(23.0), refund_of(22.0)) == [PLAIN, REVERSED, LINKED]
    assert linked(spark, of_total(24.0), refund_of(23.0), refund_of(22.0)) == [REVERSED, UNLINKED, LINKED]
    both = of_total(24.0), of_total(23.0), refund_of(22.0), refund_of(20.0)
    assert linked(spark, *both) == [REVERSED, REVERSED, LINKED, LINKED]


def test_the_order_of_the_rows_decides_nothing(spark: SparkSession) -> None:
    rows = [{"dolocationid": zone} for zone in (1, 2, 3)] + [{**REVERSAL, "dolocationid": zone} for zone in (4, 5)]
    one, other = (staged_rows(spark, *order) for order in (rows, rows[::-1]))
    assert one.exceptAll(other).count() == other.exceptAll(one).count() == 0
    assert one.where("is_refunded").count() == one.where("is_refund AND quality_flags = ''").count() == 2


def test_a_reversed_trip_that_was_charged_again_is_reversed_once(spark: SparkSession) -> None:
    charged_again = linked(spark, {}, REVERSAL, {"payment_type": 2})
    assert charged_again[1] == LINKED
    assert sorted((charged_again[0], charged_again[2])) == [PLAIN, REVERSED]


def test_the_records_of_a_trip_share_its_key_in_every_version(spark: SparkSession) -> None:
    corrected = {"fare_amount": 20.0, "total_amount": 27.9, "payment_type": 2, "passenger_count": 4.0}
    elsewhere = {**REVERSAL, "dolocationid": 238}
    keys = {row.trip_key for row in staged_rows(spark, {}, REVERSAL, elsewhere, corrected).collect()}
    assert keys == {-3477842004570251591}  # written down once: it is the same for ever


def test_linking_again_gives_the_same(spark: SparkSession) -> None:
    staged = staged_rows(spark, {}, REVERSAL, {**REVERSAL, "payment_type": 4, "passenger_count": 0.0})
    again = with_links(without_links(staged)).select(*staged.columns)
    assert again.exceptAll(staged).count() == staged.exceptAll(again).count() == 0
    flags = {row.quality_flags for row in staged.collect()}
    assert flags == {"", "zero_passengers", "unlinked_refund"} or flags == {"", "zero_passengers,unlinked_refund"}
