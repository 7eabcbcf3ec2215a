from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from glue_jobs.contracts import QUARANTINE, TRIPS, months, tlc
from glue_jobs.contracts.staging import CARRIES
from glue_jobs.transforms import enrich, judge
from taxi_assets_tests.support.trips import source_rows, staged_rows


def enriched(spark: SparkSession, odd: dict[str, Any], month: str = "2024-02") -> Row:
    return staged_rows(spark, odd, month=month).collect()[0]


def test_a_trip_is_enriched_as_the_contract_says(spark: SparkSession) -> None:
    trip = enriched(spark, {})
    assert trip.asDict() == {
        "month": "2024-02",
        "pickup_date": date(2024, 2, 14),
        "time_of_day_category": "Morning",
        "vendor_id": 2,
        "vendor": "Curb Mobility",
        "pickup_at": datetime(2024, 2, 14, 9, 0),
        "dropoff_at": datetime(2024, 2, 14, 9, 15),
        "pickup_hour": 9,
        "pickup_day_of_week": 3,
        "day_type": "Weekday",
        "passenger_count": 1,
        "trip_distance": 3.0,
        "distance_category": "2-5",
        "trip_duration_minutes": 15.0,
        "average_speed_mph": 12.0,
        "rate_code_id": 1,
        "rate_code": "Standard",
        "store_and_fwd_flag": "N",
        "pickup_location_id": 161,
        "pickup_borough": "Brooklyn",
        "pickup_zone": "Brooklyn 161",
        "pickup_service_zone": "Boro Zone",
        "dropoff_location_id": 237,
        "dropoff_borough": "Manhattan",
        "dropoff_zone": "Manhattan 237",
        "dropoff_service_zone": "Yellow Zone",
        "payment_type": 1,
        "payment_method": "Credit card",
        "fare_amount": Decimal("15.60"),
        "extra": Decimal("0.00"),
        "mta_tax": Decimal("0.50"),
        "tip_amount": Decimal("3.90"),
        "tolls_amount": Decimal("0.00"),
        "improvement_surcharge": Decimal("1.00"),
        "total_amount": Decimal("23.50"),
        "congestion_surcharge": Decimal("2.50"),
        "airport_fee": Decimal("0.00"),
        "cbd_congestion_fee": Decimal("0.00"),
        "fare_per_mile": 5.2,
        "tip_percentage": 25.0,
        "is_airport_trip": False,
        "is_refund": False,
        "quality_flags": "",
        "trip_key": -3477842004570251591,
        "row_hash": 3479882906118872043,
        "is_refunded": False,
        "extra_columns": None,
        "request_source": None,
    }
    assert tuple(trip.asDict()) == TRIPS.column_names


def test_trips_and_quarantine_carry_every_column_of_the_source() -> None:
    assert {CARRIES.get(column.name, column.name) for column in tlc.TRIP_COLUMNS} <= set(TRIPS.column_names)
    assert {column.name for column in tlc.TRIP_COLUMNS} <= set(QUARANTINE.column_names)


@pytest.mark.parametrize(
    ("hour", "category"),
    [(0, "Night"), (5, "Night"), (6, "Morning"), (11, "Morning"), (12, "Afternoon"), (17, "Afternoon")]
    + [(18, "Evening"), (21, "Evening"), (22, "Night"), (23, "Night")],
)
def test_the_hour_decides_the_time_of_day(spark: SparkSession, hour: int, category: str) -> None:
    assert spark.range(1).select(enrich.time_of_day(F.lit(hour))).collect()[0][0] == category


@pytest.mark.parametrize(
    ("miles", "category"),
    [(0.0, "0-1"), (1.0, "0-1"), (1.01, "1-2"), (2.0, "1-2"), (5.0, "2-5"), (10.0, "5-10"), (10.01, "10+")],
)
def test_the_upper_bound_belongs_to_a_distance_category(spark: SparkSession, miles: float, category: str) -> None:
    assert spark.range(1).select(enrich.distance_category(F.lit(miles))).collect()[0][0] == category


@pytest.mark.parametrize(("day", "number", "day_type"), [(11, 7, "Weekend"), (12, 1, "Weekday"), (17, 6, "Weekend")])
def test_weekdays_are_numbered_from_monday(spark: SparkSession, day: int, number: int, day_type: str) -> None:
    times = {"tpep_pickup_datetime": datetime(2024, 2, day, 9), "tpep_dropoff_datetime": datetime(2024, 2, day, 10)}
    trip = enriched(spark, times)
    assert (trip.pickup_day_of_week, trip.day_type) == (number, day_type)


def test_there_is_no_speed_without_time_and_no_fare_per_mile_without_miles(spark: SparkSession) -> None:
    trip = enriched(spark, {"tpep_dropoff_datetime": datetime(2024, 2, 14, 9, 0), "trip_distance": 0.0})
    assert (trip.average_speed_mph, trip.fare_per_mile, trip.trip_duration_minutes) == (None, None, 0.0)


@pytest.mark.parametrize("odd", [{"payment_type": 2}, {"fare_amount": 0.0}, {"fare_amount": -15.6}])
def test_a_tip_percentage_is_given_for_card_trips_with_a_fare_only(spark: SparkSession, odd: dict[str, Any]) -> None:
    assert enriched(spark, odd).tip_percentage is None


@pytest.mark.parametrize(
    ("pickup", "dropoff", "minutes"),
    [
        (datetime(2024, 3, 10, 1, 50), datetime(2024, 3, 10, 3, 10), 20.0),  # 02:00 to 03:00 did not exist
        (datetime(2024, 3, 9, 23, 50), datetime(2024, 3, 10, 3, 0), 130.0),
        (datetime(2024, 3, 10, 1, 50), datetime(2024, 3, 10, 1, 59), 9.0),
        (datetime(2024, 3, 10, 3, 0), datetime(2024, 3, 10, 3, 10), 10.0),
        (datetime(2024, 11, 3, 0, 50), datetime(2024, 11, 3, 2, 10), 140.0),  # 01:00 to 02:00 came twice
        (datetime(2024, 11, 3, 0, 50), datetime(2024, 11, 3, 1, 10), 20.0),
        (datetime(2024, 11, 3, 1, 10), datetime(2024, 11, 3, 1, 20), 10.0),
        (datetime(2024, 11, 3, 2, 0), datetime(2024, 11, 3, 2, 10), 10.0),
    ],
)
def test_a_duration_is_put_right_where_the_clock_was_changed(
    spark: SparkSession, pickup: datetime, dropoff: datetime, minutes: float
) -> None:
    times = {"tpep_pickup_datetime": pickup, "tpep_dropoff_datetime": dropoff}
    assert enriched(spark, times, f"{pickup:%Y-%m}").trip_duration_minutes == minutes


@pytest.mark.parametrize(
    ("year", "forward", "back"), [(2024, (3, 10), (11, 3)), (2025, (3, 9), (11, 2)), (2026, (3, 8), (11, 1))]
)
def test_the_clock_changes_on_the_sundays_of_the_law(
    year: int, forward: tuple[int, int], back: tuple[int, int]
) -> None:
    changes = months.clock_changes(year)
    assert [(change.month, change.day, change.hour) for change in changes] == [(*forward, 2), (*back, 2)]


def test_the_hour_that_the_clock_repeats_is_added_to_the_duration(spark: SparkSession) -> None:
    times = {"tpep_pickup_datetime": datetime(2024, 11, 3, 1, 50), "tpep_dropoff_datetime": datetime(2024, 11, 3, 1, 5)}
    assert enriched(spark, times, "2024-11").trip_duration_minutes == 15.0


def test_a_flex_fare_trip_keeps_its_nulls_and_gets_labels(spark: SparkSession) -> None:
    missing = ("passenger_count", "ratecodeid", "store_and_fwd_flag", "congestion_surcharge", "airport_fee")
    trip = enriched(spark, {"payment_type": 0, **dict.fromkeys(missing)})
    assert (trip.payment_method, trip.rate_code, trip.passenger_count) == ("Flex Fare", "Unknown", None)
    assert (trip.congestion_surcharge, trip.airport_fee, trip.quality_flags) == (None, None, "missing_dispatch_fields")


@pytest.mark.parametrize(("zone", "airport"), [(1, True), (132, True), (138, True), (161, False), (265, False)])
def test_an_airport_trip_begins_or_ends_at_an_airport(spark: SparkSession, zone: int, airport: bool) -> None:
    assert enriched(spark, {"pulocationid": zone}).is_airport_trip is airport
    assert enriched(spark, {"dolocationid": zone}).is_airport_trip is airport


def test_the_text_na_of_the_zone_lookup_stays_text(spark: SparkSession) -> None:
    trip = enriched(spark, {"pulocationid": 264, "dolocationid": 265})
    assert (trip.pickup_borough, trip.pickup_zone, trip.dropoff_borough) == ("Unknown", "N/A", "N/A")


def test_a_negative_total_is_a_refund(spark: SparkSession) -> None:
    for surcharge in (-1.0, 0.0, None):
        assert enriched(spark, {"total_amount": -23.5, "improvement_surcharge": surcharge}).is_refund is True


@pytest.mark.parametrize(
    ("total", "surcharge", "is_refund"),
    [(-0.004, -1.0, False), (-0.005, -1.0, True), (-7.7, 0.004, True), (-7.7, 0.005, False)],
)
def test_the_published_cents_decide_what_a_refund_is(
    spark: SparkSession, total: float, surcharge: float, is_refund: bool
) -> None:
    row = enriched(spark, {"total_amount": total, "improvement_surcharge": surcharge})
    published = (row.total_amount, row.improvement_surcharge)
    assert row.is_refund is is_refund is (published[0] < 0 and published[1] <= 0)


def test_a_negative_total_that_charges_the_improvement_surcharge_is_no_refund(spark: SparkSession) -> None:
    row = enriched(spark, {"fare_amount": -15.6, "total_amount": -7.7})
    assert (row.is_refund, row.quality_flags) == (False, "negative_fare")


def test_the_quarantine_keeps_what_the_source_had(spark: SparkSession) -> None:
    odd = {"fare_amount": 123456.789, "trip_distance": None, "pulocationid": 4_000_000_000, "request_source": "APP"}
    judged = judge.judge(source_rows(spark, odd).withColumn("is_repeated", F.lit(False)), "2024-02")
    row = enrich.quarantine(judged, "2024-02", "abc").collect()[0]
    assert tuple(row.asDict()) == QUARANTINE.column_names
    assert {name: row[name] for name in odd} == odd
    assert row.quarantine_reasons == "zone_out_of_range,impossible_distance,impossible_amount"
    assert (row.month, row.source_sha256) == ("2024-02", "abc")
