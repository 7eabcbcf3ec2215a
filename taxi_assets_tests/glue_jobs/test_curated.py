from __future__ import annotations

import statistics
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from glue_jobs.contracts import CURATED_TABLES
from glue_jobs.contracts.tlc import MONEY_COLUMNS
from glue_jobs.transforms import curated
from taxi_assets_tests.support.trips import TRIP, staged_rows

TRIPS: list[dict[str, Any]] = [
    {},
    {"total_amount": 43.5, "trip_distance": 6.0, "passenger_count": 2.0, "pulocationid": 132, "tolls_amount": 20.0},
    {"payment_type": 2, "tip_amount": 0.0, "total_amount": 19.6},
    {
        "payment_type": 0,
        "passenger_count": None,
        "ratecodeid": None,
        "store_and_fwd_flag": None,
        "tolls_amount": 9.0,
        "total_amount": 30.0,
    },
    {name: -value for name, value in TRIP.items() if name in MONEY_COLUMNS},  # of the first trip
    {"tpep_pickup_datetime": datetime(2024, 2, 17, 22, 0), "tpep_dropoff_datetime": datetime(2024, 2, 17, 22, 30)},
]


@pytest.fixture(scope="module")
def staged(spark: SparkSession) -> DataFrame:
    return staged_rows(spark, *TRIPS)


def rows_of(name: str, staged: DataFrame) -> list[Row]:
    table = CURATED_TABLES[name]
    built = curated.build(table, staged)
    assert tuple(built.columns) == table.column_names
    return built.orderBy(*table.grain).collect()


@pytest.mark.parametrize("name", CURATED_TABLES)
def test_every_table_adds_up_to_staging(staged: DataFrame, name: str) -> None:
    rows = rows_of(name, staged)
    assert sum(row.trips for row in rows) == 5
    assert sum(row.refunds for row in rows) == 1
    assert sum(row.net_revenue for row in rows) == Decimal("116.60")
    assert sum(row.gross_revenue for row in rows) == Decimal("140.10")
    assert sum(row.refunded for row in rows) == Decimal("-23.50")


@pytest.mark.parametrize("name", CURATED_TABLES)
def test_the_grain_identifies_a_row(staged: DataFrame, name: str) -> None:
    grain = CURATED_TABLES[name].grain
    keys = [tuple(row[column] for column in grain) for row in rows_of(name, staged)]
    assert len(set(keys)) == len(keys)


def test_daily_metrics_gives_gross_refunds_and_net(staged: DataFrame) -> None:
    day = rows_of("daily_metrics", staged)[0]
    assert (day.gross_revenue, day.refunded, day.net_revenue) == (
        Decimal("116.60"),
        Decimal("-23.50"),
        Decimal("93.10"),
    )
    assert (day.trips, day.refunds, day.passengers) == (4, 1, 4)
    assert (day.refunded_trips, day.unlinked_refunds) == (1, 0)
    assert (day.card_trips, day.cash_trips, day.flex_trips) == (2, 1, 1)
    assert (day.card_share, day.cash_share, day.flex_share) == (0.5, 0.25, 0.25)
    assert (day.card_tips, day.card_tip_rate) == (Decimal("7.80"), 0.25)
    assert (day.airport_trips, day.congestion_surcharges) == (1, Decimal("7.50"))
    assert (day.flagged_trips, day.flagged_share) == (1, 0.25)


def test_the_parts_of_the_revenue_are_sums_over_trips_and_refunds(staged: DataFrame) -> None:
    day = rows_of("daily_metrics", staged)[0]
    assert (day.fares, day.tips, day.tolls) == (Decimal("46.80"), Decimal("7.80"), Decimal("29.00"))
    assert (day.extras, day.mta_taxes, day.improvement_surcharges) == (
        Decimal("0.00"),
        Decimal("1.50"),
        Decimal("3.00"),
    )
    assert (day.jfk_trips, day.laguardia_trips, day.newark_trips) == (1, 0, 0)


def test_a_fee_that_did_not_exist_is_null_and_not_zero(spark: SparkSession) -> None:
    def day_of(pickup: datetime, **changes: Any) -> Row:
        times = {"tpep_pickup_datetime": pickup, "tpep_dropoff_datetime": pickup.replace(minute=10)}
        [day] = rows_of("daily_metrics", staged_rows(spark, {**times, **changes}, month=f"{pickup:%Y-%m}"))
        return day

    before = day_of(datetime(2019, 2, 1, 9), congestion_surcharge=0.0, airport_fee=None, cbd_congestion_fee=None)
    assert (before.congestion_surcharges, before.airport_fees, before.cbd_congestion_fees) == (None, None, None)
    began = day_of(datetime(2019, 2, 2, 9), congestion_surcharge=0.0, airport_fee=None, cbd_congestion_fee=None)
    assert (began.congestion_surcharges, began.airport_fees) == (Decimal("0.00"), None)
    assert day_of(datetime(2025, 1, 4, 9), cbd_congestion_fee=0.0).cbd_congestion_fees is None
    assert day_of(datetime(2025, 1, 5, 9), cbd_congestion_fee=0.75).cbd_congestion_fees == Decimal("0.75")


def test_payments_of_every_kind_add_up_and_what_was_not_paid_is_told(spark: SparkSession) -> None:
    paid = [{"payment_type": kind, "trip_distance": 3.0 + at} for at, kind in enumerate((0, 1, 2, 3, 4, 5, 6, 9, None))]
    staged = staged_rows(spark, *paid)
    [day] = rows_of("daily_metrics", staged)
    assert (day.card_trips, day.cash_trips, day.flex_trips, day.other_trips) == (1, 1, 1, 6)
    assert day.card_share + day.cash_share + day.flex_share + day.other_share == pytest.approx(1.0)
    assert (day.gross_revenue, day.uncollected_revenue) == (9 * Decimal("23.50"), 3 * Decimal("23.50"))
    [pair] = rows_of("location_analytics", staged)
    assert (pair.card_trips, pair.cash_trips, pair.flex_trips, pair.other_trips) == (1, 1, 1, 6)
    assert (pair.card_tips, pair.card_fares) == (Decimal("3.90"), Decimal("15.60"))


def test_flagged_trips_are_told_apart_by_how_far_they_can_be_relied_on(spark: SparkSession) -> None:
    info, warning, both = {"ratecodeid": 99.0}, {"trip_distance": 0.0}, {"ratecodeid": 99.0, "trip_distance": 0.0}
    [day] = rows_of("daily_metrics", staged_rows(spark, {}, info, warning, both))
    assert (day.flagged_trips, day.warning_trips, day.info_trips) == (3, 2, 1)


def test_a_mile_earns_what_trips_that_covered_miles_earned(spark: SparkSession) -> None:
    still = {"trip_distance": 0.0}
    at_once = {"tpep_dropoff_datetime": TRIP["tpep_pickup_datetime"], "trip_distance": 0.5}
    [short] = rows_of("performance_summary", staged_rows(spark, {"trip_distance": 1.0}, still, at_once))
    assert (short.trips, short.total_miles, short.total_minutes) == (3, 1.5, 30.0)
    assert short.revenue_per_mile == 47.0 / 1.5  # the trip of zero miles adds to neither side
    assert short.revenue_per_minute == 47.0 / 30.0  # nor that of zero minutes here
    assert short.average_speed == 4.0


def test_the_speed_of_a_day_is_that_of_trips_that_moved(spark: SparkSession) -> None:
    still = {"trip_distance": 0.0}
    [day] = rows_of("daily_metrics", staged_rows(spark, {"trip_distance": 1.0}, {"trip_distance": 2.0}, still, still))
    assert (day.average_speed, day.median_speed, day.p95_speed) == (6.0, 6.0, 7.8)


def test_distributions_are_over_trips_without_refunds(staged: DataFrame) -> None:
    day = rows_of("daily_metrics", staged)[0]
    assert (day.average_total, day.median_total, day.p95_total) == (29.15, 26.75, 41.475)
    assert (day.average_distance, day.median_distance) == (3.75, 3.0)
    assert (day.average_duration, day.median_speed, day.p95_speed) == (15.0, 12.0, 22.2)


def test_the_share_of_pickups_is_of_the_zone_of_pick_up(staged: DataFrame) -> None:
    rows = {(r.pickup_location_id, r.day_type): r for r in rows_of("location_analytics", staged)}
    assert rows[132, "Weekday"].share_of_pickups == 1.0
    assert rows[161, "Weekday"].share_of_pickups == 0.75
    assert rows[161, "Weekend"].share_of_pickups == 0.25
    assert (rows[161, "Weekday"].pickup_zone, rows[161, "Weekday"].dropoff_zone) == ("Brooklyn 161", "Manhattan 237")


def test_an_hour_with_one_trip_has_no_spread(staged: DataFrame) -> None:
    morning, night = rows_of("time_series_analysis", staged)
    assert (morning.pickup_hour, night.pickup_hour, night.time_of_day_category) == (9, 22, "Night")
    assert (morning.min_total, morning.max_total) == (Decimal("19.60"), Decimal("43.50"))
    assert morning.stddev_total == pytest.approx(statistics.stdev([23.5, 43.5, 19.6, 30.0]))
    assert night.stddev_total is None


def test_customers_are_grouped_by_how_they_pay_and_how_many_they_are(staged: DataFrame) -> None:
    rows = {(r.payment_method, r.passenger_group, str(r.pickup_date)): r for r in rows_of("customer_behavior", staged)}
    solo = rows["Credit card", "Solo", "2024-02-14"]
    assert (solo.trips, solo.refunds, solo.net_revenue, solo.card_tip_rate) == (1, 1, Decimal("0.00"), 0.25)
    assert (solo.tipped_share, solo.share_of_day) == (1.0, 0.25)
    assert rows["Flex Fare", "Unknown", "2024-02-14"].card_tip_rate is None


@pytest.mark.parametrize(
    ("passengers", "group"),
    [(None, "Unknown"), (0, "None entered"), (1, "Solo"), (2, "Pair"), (3, "Group of 3-4"), (4, "Group of 3-4")]
    + [(5, "Group of 5 or more"), (9, "Group of 5 or more")],
)
def test_passenger_groups(spark: SparkSession, passengers: int | None, group: str) -> None:
    column = curated.passenger_group(F.lit(passengers).cast("int"))
    assert spark.range(1).select(column).collect()[0][0] == group


def test_performance_is_revenue_by_miles_and_minutes(staged: DataFrame) -> None:
    rows = {(r.rate_code, r.distance_category, str(r.pickup_date)): r for r in rows_of("performance_summary", staged)}
    short = rows["Standard", "2-5", "2024-02-14"]
    assert (short.total_miles, short.total_minutes) == (6.0, 30.0)
    assert (short.revenue_per_mile, short.revenue_per_minute) == (43.1 / 6, 43.1 / 30)
    assert (short.average_speed, short.flagged_share) == (12.0, 0.0)


def test_a_group_of_refunds_only_has_no_averages(spark: SparkSession, staged: DataFrame) -> None:
    refunds = staged.where("is_refund")
    for name in CURATED_TABLES:
        [row] = rows_of(name, refunds)
        assert (row.trips, row.refunds) == (0, 1)
        averages = [column for column in row.asDict() if column.startswith(("average_", "median_", "p95_"))]
        assert {row[column] for column in averages} <= {None}
