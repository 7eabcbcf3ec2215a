from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from glue_jobs.contracts import months
from glue_jobs.contracts.rules import RULES, RULES_VERSION, Tier
from glue_jobs.staged import with_repeats
from glue_jobs.transforms import judge
from taxi_assets_tests.support.trips import TRIP, source_rows


def verdicts(spark: SparkSession, *odd: dict[str, Any], month: str = "2024-02") -> list[tuple[str, str]]:
    """(reasons, flags) of each row, in order."""
    rows = source_rows(spark, *({**changes, "request_source": str(i)} for i, changes in enumerate(odd)))
    judged = judge.judge(rows.withColumn("is_repeated", F.lit(False)), month)
    collected = judged.select("request_source", judge.REASONS, judge.FLAGS).collect()
    return [(row[1], row[2]) for row in sorted(collected, key=lambda row: int(row[0]))]


UNSTATED = {"payment_type": 0, "tip_amount": 0.0, "congestion_surcharge": None, "airport_fee": None}
QUARANTINED: dict[str, list[dict[str, Any]]] = {
    "missing_pickup_time": [{"tpep_pickup_datetime": None}],
    "missing_dropoff_time": [{"tpep_dropoff_datetime": None}],
    "pickup_outside_month": [
        {
            "tpep_pickup_datetime": datetime(2024, 1, 31, 23, 59, 59),
            "tpep_dropoff_datetime": datetime(2024, 2, 1, 0, 9),
        },
        {"tpep_pickup_datetime": datetime(2024, 3, 1), "tpep_dropoff_datetime": datetime(2024, 3, 1, 0, 9)},
    ],
    "dropoff_before_pickup": [{"tpep_dropoff_datetime": datetime(2024, 2, 14, 8, 59, 59)}],
    "longer_than_24_hours": [{"tpep_dropoff_datetime": datetime(2024, 2, 15, 9, 0, 1)}],
    "zone_out_of_range": [{"pulocationid": 0}, {"dolocationid": 266}, {"pulocationid": None}],
    "impossible_distance": [
        {"trip_distance": -0.01},
        {"trip_distance": 1000.5},
        {"trip_distance": None},
        {"trip_distance": float("nan")},
        {"trip_distance": float("inf")},
    ],
    "impossible_amount": [
        {"fare_amount": None},
        {"total_amount": None},
        {"tip_amount": 10_000.01},
        {"total_amount": -10_000.01},
        {"extra": float("nan")},
        {"mta_tax": float("-inf")},
    ],
    "impossible_code": [
        {"vendorid": -1},
        {"payment_type": 1000},
        {"ratecodeid": 1.5},
        {"passenger_count": -1.0},
        {"passenger_count": float("nan")},
    ],
}
FLAGGED: dict[str, list[dict[str, Any]]] = {
    "zero_distance": [{"trip_distance": 0.0}],
    "zero_duration": [{"tpep_dropoff_datetime": TRIP["tpep_pickup_datetime"]}],
    "implausible_distance": [{"trip_distance": 100.01, "tpep_dropoff_datetime": datetime(2024, 2, 14, 12, 0)}],
    "implausible_duration": [
        {"tpep_dropoff_datetime": datetime(2024, 2, 14, 15, 0, 1)},
        {"tpep_dropoff_datetime": datetime(2024, 2, 15, 9, 0)},
    ],
    "implausible_speed": [{"trip_distance": 20.01, "fare_amount": 60.0, "total_amount": 67.9}],
    "implausible_fare_rate": [
        {"fare_amount": 150.01, "total_amount": 157.91},
        {"fare_amount": -150.01, "improvement_surcharge": -1.0, "total_amount": -144.11},
    ],
    "zero_passengers": [{"passenger_count": 0.0}],
    "unknown_rate_code": [{"ratecodeid": 99.0}],
    "unknown_code": [{"vendorid": 3}, {"vendorid": None}, {"ratecodeid": 7.0}, {"payment_type": 7}],
    "missing_dispatch_fields": [{"passenger_count": None}, {"ratecodeid": None}, {"store_and_fwd_flag": None}],
    "negative_fare": [
        {"fare_amount": -15.6, "tip_amount": 35.1},
        {"fare_amount": -15.6, "total_amount": -7.7},  # charges the improvement surcharge: no refund
        {"payment_type": 0, "fare_amount": -4.74, "tip_amount": 0.0, "total_amount": -3.24},
    ],
    "fare_not_stated": [
        {**UNSTATED, "fare_amount": -4.75, "cbd_congestion_fee": 0.75, "total_amount": 5.55},
        {**UNSTATED, "fare_amount": -4.0, "total_amount": 1.0},
        {**UNSTATED, "fare_amount": -1.5, "total_amount": 11.98},
        {**UNSTATED, "fare_amount": -11.69, "cbd_congestion_fee": 0.75, "tolls_amount": 6.94, "total_amount": 3.0},
    ],
    "unknown_zone": [{"pulocationid": 264}, {"dolocationid": 265}],
    "total_does_not_add_up": [
        {"total_amount": 21.0},  # Curb, without its congestion surcharge
        {"vendorid": 1},  # CMT, whose congestion surcharge would be in extra
        {"vendorid": 6, "total_amount": 24.0},
        {"payment_type": 0, "total_amount": 24.0},
        {"total_amount": 23.51},
    ],
}
NEEDS_OTHER_ROWS_OR_MONTHS = {"exact_duplicate", "ambiguous_clock_hour", "unlinked_refund"}
RECONCILED: list[dict[str, Any]] = [
    {},
    {"vendorid": 1, "extra": 2.5},
    {"vendorid": 1, "total_amount": 21.0},
    {"vendorid": 6},
    {"vendorid": 7, "total_amount": 21.0},
    {"payment_type": 0, "congestion_surcharge": None},
    {"payment_type": 0, "congestion_surcharge": None, "total_amount": 21.0},
    {"payment_type": 0, "congestion_surcharge": None, "cbd_congestion_fee": 0.75, "total_amount": 24.25},
]


def test_every_rule_has_a_test() -> None:
    assert {rule.rule_id for rule in RULES} == QUARANTINED.keys() | FLAGGED.keys() | NEEDS_OTHER_ROWS_OR_MONTHS


def test_a_plausible_trip_has_no_reason_and_no_flag(spark: SparkSession) -> None:
    assert verdicts(spark, {}) == [("", "")]


@pytest.mark.parametrize("rule_id", QUARANTINED)
def test_a_quarantine_rule_gives_its_reason_and_no_other(spark: SparkSession, rule_id: str) -> None:
    assert [reasons for reasons, _ in verdicts(spark, *QUARANTINED[rule_id])] == [rule_id] * len(QUARANTINED[rule_id])


@pytest.mark.parametrize("rule_id", FLAGGED)
def test_a_flag_rule_flags_and_keeps_the_trip(spark: SparkSession, rule_id: str) -> None:
    assert verdicts(spark, *FLAGGED[rule_id]) == [("", rule_id)] * len(FLAGGED[rule_id])


def test_totals_add_up_in_the_way_of_their_vendor(spark: SparkSession) -> None:
    assert verdicts(spark, *RECONCILED) == [("", "")] * len(RECONCILED)


def test_a_fare_below_zero_is_flagged_without_vendor_and_payment_type_too(spark: SparkSession) -> None:
    dispatched = {"vendorid": None, "payment_type": None, "fare_amount": -0.3, "tip_amount": 19.3, "total_amount": 20.5}
    assert verdicts(spark, {**dispatched, "congestion_surcharge": None}) == [("", "unknown_code,negative_fare")]


def test_ids_of_rules_are_unique_and_of_no_later_version_than_the_registry() -> None:
    assert len({rule.rule_id for rule in RULES}) == len(RULES)
    assert max(rule.since_version for rule in RULES) == RULES_VERSION


def test_the_bounds_of_the_rules_belong_to_the_good_side(spark: SparkSession) -> None:
    good: list[dict[str, Any]] = [
        {"tpep_pickup_datetime": datetime(2024, 2, 1), "tpep_dropoff_datetime": datetime(2024, 2, 1, 0, 15)},
        {
            "tpep_pickup_datetime": datetime(2024, 2, 29, 23, 59, 59),
            "tpep_dropoff_datetime": datetime(2024, 3, 1, 0, 9),
        },
        {"tpep_dropoff_datetime": datetime(2024, 2, 15, 9, 0)},
        {"pulocationid": 1, "dolocationid": 263},
        {"total_amount": 10_000.0},
        {"passenger_count": 999.0},
    ]
    assert [reasons for reasons, _ in verdicts(spark, *good)] == [""] * len(good)


def test_six_hours_are_plausible_and_are_counted_without_the_hour_that_the_clock_repeats(spark: SparkSession) -> None:
    six = {"tpep_dropoff_datetime": datetime(2024, 2, 14, 15, 0)}
    assert verdicts(spark, six) == [("", "")]
    pickup = datetime(2024, 11, 3, 0, 30)
    night: list[dict[str, Any]] = [
        {"tpep_pickup_datetime": pickup, "tpep_dropoff_datetime": pickup + timedelta(hours=hours, seconds=second)}
        for hours, second in ((5, 0), (5, 1))
    ]
    assert verdicts(spark, *night, month="2024-11") == [("", ""), ("", "implausible_duration")]


def test_fractions_of_a_cent_that_are_not_published_decide_nothing(spark: SparkSession) -> None:
    rows: list[dict[str, Any]] = [
        {"fare_amount": -0.004, "total_amount": 7.9},
        {"total_amount": -0.004, "fare_amount": -7.9},
        {"trip_distance": 1.0, "fare_amount": 50.004, "total_amount": 57.9},
    ]
    assert verdicts(spark, *rows) == [("", ""), ("", "negative_fare"), ("", "")]


def test_several_reasons_are_listed_in_the_order_of_the_registry(spark: SparkSession) -> None:
    [(reasons, _)] = verdicts(spark, {"fare_amount": None, "tpep_dropoff_datetime": None, "pulocationid": 999})
    assert reasons == "missing_dropoff_time,zone_out_of_range,impossible_amount"
    order = [rule.rule_id for rule in RULES if rule.tier is Tier.QUARANTINE]
    assert reasons.split(",") == sorted(reasons.split(","), key=order.index)


def test_a_drop_off_before_the_pick_up_is_a_trip_when_the_clock_was_put_back(spark: SparkSession) -> None:
    across = {
        "tpep_pickup_datetime": datetime(2024, 11, 3, 1, 50),
        "tpep_dropoff_datetime": datetime(2024, 11, 3, 1, 5),
    }
    too_far = {
        "tpep_pickup_datetime": datetime(2024, 11, 3, 1, 5),
        "tpep_dropoff_datetime": datetime(2024, 11, 3, 0, 1),
    }
    other_day = {
        "tpep_pickup_datetime": datetime(2024, 11, 10, 1, 50),
        "tpep_dropoff_datetime": datetime(2024, 11, 10, 1, 5),
    }
    assert verdicts(spark, across, too_far, other_day, month="2024-11") == [
        ("", "ambiguous_clock_hour"),
        ("dropoff_before_pickup", "ambiguous_clock_hour"),
        ("dropoff_before_pickup", ""),
    ]


def test_of_identical_rows_one_is_kept_and_the_others_are_marked(spark: SparkSession) -> None:
    rows = source_rows(
        spark, {}, {}, {}, {"tip_amount": 1.0}, {"store_and_fwd_flag": None}, {"store_and_fwd_flag": None}
    )
    assert judge.repeated_hashes(rows).count() == 2
    marked = with_repeats(rows, "test rows").groupBy("tip_amount", "store_and_fwd_flag", "is_repeated").count()
    assert {tuple(row) for row in marked.collect()} == {
        (3.9, "N", False, 1),
        (3.9, "N", True, 2),
        (1.0, "N", False, 1),
        (3.9, None, False, 1),
        (3.9, None, True, 1),
    }


def test_rows_that_only_share_a_hash_are_not_repeats(spark: SparkSession) -> None:
    collided = source_rows(spark, {}, {"tip_amount": 1.0}).withColumn("row_hash", F.lit(7).cast("bigint"))
    assert judge.repeated_hashes(collided).count() == 1
    assert [row.is_repeated for row in with_repeats(collided, "test rows").collect()] == [False, False]


def test_repeated_rows_come_back_as_they_are_with_a_time_that_python_has_not(spark: SparkSession) -> None:
    odd = {
        "trip_distance": float("nan"),
        "passenger_count": None,
        "tpep_pickup_datetime": datetime(2024, 2, 1, 0, 0, 0, 1),
    }
    after_9999 = F.timestamp_micros(F.lit(300_000_000_000_000_123)).cast("timestamp_ntz")
    rows = source_rows(spark, odd, odd).withColumn("tpep_dropoff_datetime", after_9999)
    marked = with_repeats(rows, "test rows")
    assert marked.where("is_repeated").count() == marked.where("NOT is_repeated").count() == 1
    assert marked.drop("is_repeated").exceptAll(rows).count() == 0
    assert marked.drop("is_repeated").dtypes == rows.dtypes


@pytest.mark.parametrize(("month", "first", "after"), [("2024-02", (2, 1), (3, 1)), ("2023-12", (12, 1), (1, 1))])
def test_a_month_ends_where_the_next_begins(month: str, first: tuple[int, int], after: tuple[int, int]) -> None:
    start, end = months.month_bounds(month)
    assert ((start.month, start.day), (end.month, end.day)) == (first, after)
    assert (end - start).days in (29, 31)
