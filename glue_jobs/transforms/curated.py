"""The five curated tables, each a function of a month of ``staging.trips``.

Belongs here: one function a table and what they share. Does not: column meanings (``contracts.curated``).
"""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from glue_jobs.contracts import curated, tlc
from glue_jobs.contracts.model import Table, Type
from glue_jobs.contracts.rules import Severity, Tier, rules_of
from glue_jobs.transforms.enrich import conform
from glue_jobs.transforms.exact import (
    count_if,
    mean,
    money_mean,
    money_stddev,
    money_sum,
    percentiles,
    quotient,
    to_four_decimals,
    total,
)


def _is_trip() -> Column:
    return ~F.col("is_refund")


def _paid_by(payment_type: int) -> Column:
    return _is_trip() & (F.col("payment_type") == payment_type)


def _paid_otherwise() -> Column:
    known = F.coalesce(F.col("payment_type").isin(tlc.CARD, tlc.CASH, tlc.FLEX), F.lit(False))
    return _is_trip() & ~known


def _payments() -> tuple[Column, ...]:
    return (
        count_if(_paid_by(tlc.CARD)).alias("card_trips"),
        count_if(_paid_by(tlc.CASH)).alias("cash_trips"),
        count_if(_paid_by(tlc.FLEX)).alias("flex_trips"),
        count_if(_paid_otherwise()).alias("other_trips"),
    )


def _is_flagged() -> Column:
    return _is_trip() & (F.col("quality_flags") != "")


WARNING_FLAGS = "(^|,)({})(,|$)".format(
    "|".join(rule.rule_id for rule in rules_of(Tier.FLAG) if rule.severity is Severity.WARNING)
)
"""Matches flags of which at least one is of severity warning."""


def _is_warned_of() -> Column:
    return _is_trip() & F.col("quality_flags").rlike(WARNING_FLAGS)


def _is_at(zone: int) -> Column:
    return _is_trip() & ((F.col("pickup_location_id") == zone) | (F.col("dropoff_location_id") == zone))


def _fee(column: str) -> Column:
    """The sum of a fee, null if no row states it."""
    return F.sum(column).cast(Type.MONEY_SUM.ddl)


def _since_it_began(column: str, fee: str) -> Column:
    """A day's sum of a fee, null before the day on which it began."""
    return F.when(F.col("pickup_date") >= F.lit(tlc.FEE_BEGAN[fee]), F.col(column))


def _volume() -> tuple[Column, ...]:
    return (
        count_if(_is_trip()).alias("trips"),
        count_if(F.col("is_refund")).alias("refunds"),
        money_sum(F.col("total_amount")).alias("net_revenue"),
        money_sum(F.col("total_amount"), _is_trip()).alias("gross_revenue"),
        money_sum(F.col("total_amount"), F.col("is_refund")).alias("refunded"),
    )


def _card_tips() -> Column:
    return money_sum(F.col("tip_amount"), _paid_by(tlc.CARD))


def _card_tip_rate() -> Column:
    return quotient(_card_tips(), money_sum(F.col("fare_amount"), _paid_by(tlc.CARD)))


def _speed() -> Column:
    """Miles by hours, over trips that covered a distance and took time. The mean of the trips' speeds would be the
    outliers': ten miles in five seconds are 7,200 mph."""
    moved = _is_trip() & (F.col("trip_distance") > 0) & (F.col("trip_duration_minutes") > 0)
    return quotient(total(F.col("trip_distance"), moved) * 60, total(F.col("trip_duration_minutes"), moved))


def _distribution(column: str, measure: str) -> tuple[Column, ...]:
    value = F.col(column)
    averages = {"total_amount": money_mean(value, _is_trip()), "average_speed_mph": _speed()}
    # A trip of zero miles has the speed of no cab: the mean leaves it out, and so do median and percentile.
    counted = _is_trip() & (value > 0) if column == "average_speed_mph" else _is_trip()
    return (
        averages.get(column, mean(value, _is_trip())).alias(f"average_{measure}"),
        percentiles(value, (0.5, 0.95), counted).alias(f"{measure}_percentiles"),
    )


def _percentiles(measure: str) -> dict[str, Column]:
    """Median and 95th percentile of what ``_distribution`` counted."""
    found = F.col(f"{measure}_percentiles")
    return {f"median_{measure}": to_four_decimals(found[0]), f"p95_{measure}": to_four_decimals(found[1])}


def daily_metrics(trips: DataFrame) -> DataFrame:
    """One row a day."""
    counted = trips.groupBy("month", "pickup_date", "day_type").agg(
        *_volume(),
        F.coalesce(F.sum(F.when(_is_trip(), F.col("passenger_count"))), F.lit(0)).alias("passengers"),
        *_distribution("total_amount", "total"),
        *_distribution("trip_distance", "distance"),
        *_distribution("trip_duration_minutes", "duration"),
        *_distribution("average_speed_mph", "speed"),
        *_payments(),
        _card_tips().alias("card_tips"),
        _card_tip_rate().alias("card_tip_rate"),
        count_if(_is_trip() & F.col("is_airport_trip")).alias("airport_trips"),
        count_if(_is_at(tlc.JFK)).alias("jfk_trips"),
        count_if(_is_at(tlc.LAGUARDIA)).alias("laguardia_trips"),
        count_if(_is_at(tlc.NEWARK)).alias("newark_trips"),
        money_sum(F.col("fare_amount")).alias("fares"),
        money_sum(F.col("extra")).alias("extras"),
        money_sum(F.col("mta_tax")).alias("mta_taxes"),
        money_sum(F.col("tolls_amount")).alias("tolls"),
        money_sum(F.col("tip_amount")).alias("tips"),
        _fee("improvement_surcharge").alias("improvement_surcharges"),
        _fee("congestion_surcharge").alias("congestion_surcharges"),
        _fee("cbd_congestion_fee").alias("cbd_congestion_fees"),
        _fee("airport_fee").alias("airport_fees"),
        money_sum(F.col("total_amount"), _is_trip() & F.col("payment_type").isin(*tlc.UNCOLLECTED)).alias(
            "uncollected_revenue"
        ),
        count_if(_is_flagged()).alias("flagged_trips"),
        count_if(_is_warned_of()).alias("warning_trips"),
        count_if(F.col("is_refunded")).alias("refunded_trips"),
        count_if(F.col("quality_flags").contains("unlinked_refund")).alias("unlinked_refunds"),
    )
    return counted.withColumns(
        {
            **_percentiles("total"),
            **_percentiles("distance"),
            **_percentiles("duration"),
            **_percentiles("speed"),
            "card_share": quotient(F.col("card_trips"), F.col("trips")),
            "cash_share": quotient(F.col("cash_trips"), F.col("trips")),
            "flex_share": quotient(F.col("flex_trips"), F.col("trips")),
            "other_share": quotient(F.col("other_trips"), F.col("trips")),
            "info_trips": F.col("flagged_trips") - F.col("warning_trips"),
            "congestion_surcharges": _since_it_began("congestion_surcharges", "congestion_surcharge"),
            "cbd_congestion_fees": _since_it_began("cbd_congestion_fees", "cbd_congestion_fee"),
            "flagged_share": quotient(F.col("flagged_trips"), F.col("trips")),
        }
    )


def location_analytics(trips: DataFrame) -> DataFrame:
    """One row for each pick-up zone, drop-off zone and type of day."""
    zones = (
        "pickup_location_id",
        "pickup_borough",
        "pickup_zone",
        "dropoff_location_id",
        "dropoff_borough",
        "dropoff_zone",
    )
    counted = trips.groupBy("month", *zones, "day_type").agg(
        *_volume(),
        money_mean(F.col("fare_amount"), _is_trip()).alias("average_fare"),
        mean(F.col("trip_distance"), _is_trip()).alias("average_distance"),
        mean(F.col("trip_duration_minutes"), _is_trip()).alias("average_duration"),
        *_payments(),
        _card_tips().alias("card_tips"),
        money_sum(F.col("fare_amount"), _paid_by(tlc.CARD)).alias("card_fares"),
    )
    from_same_zone = F.sum("trips").over(Window.partitionBy("month", "pickup_location_id"))
    return counted.withColumn("share_of_pickups", quotient(F.col("trips"), from_same_zone))


def time_series_analysis(trips: DataFrame) -> DataFrame:
    """One row an hour."""
    amount = F.col("total_amount")
    return trips.groupBy("month", "pickup_date", "pickup_hour", "time_of_day_category", "day_type").agg(
        *_volume(),
        money_mean(amount, _is_trip()).alias("average_total"),
        mean(F.col("trip_distance"), _is_trip()).alias("average_distance"),
        mean(F.col("trip_duration_minutes"), _is_trip()).alias("average_duration"),
        _speed().alias("average_speed"),
        money_stddev(amount, _is_trip()).alias("stddev_total"),
        F.min(F.when(_is_trip(), amount)).alias("min_total"),
        F.max(F.when(_is_trip(), amount)).alias("max_total"),
    )


def passenger_group(passengers: Column) -> Column:
    """None entered (0), Solo, Pair, Group of 3-4, Group of 5 or more, Unknown (null)."""
    return (
        F.when(passengers.isNull(), tlc.UNKNOWN)
        .when(passengers == 0, "None entered")
        .when(passengers == 1, "Solo")
        .when(passengers == 2, "Pair")
        .when(passengers <= 4, "Group of 3-4")
        .otherwise("Group of 5 or more")
    )


def customer_behavior(trips: DataFrame) -> DataFrame:
    """One row for each day, payment method, passenger group and time of day."""
    grouped = trips.withColumn("passenger_group", passenger_group(F.col("passenger_count")))
    counted = grouped.groupBy("month", "pickup_date", "payment_method", "passenger_group", "time_of_day_category").agg(
        *_volume(),
        money_mean(F.col("total_amount"), _is_trip()).alias("average_total"),
        _card_tips().alias("card_tips"),
        _card_tip_rate().alias("card_tip_rate"),
        quotient(
            count_if(_paid_by(tlc.CARD) & (F.col("tip_amount") > 0)),
            count_if(_paid_by(tlc.CARD)),
        ).alias("tipped_share"),
    )
    of_the_day = F.sum("trips").over(Window.partitionBy("month", "pickup_date"))
    return counted.withColumn("share_of_day", quotient(F.col("trips"), of_the_day))


def performance_summary(trips: DataFrame) -> DataFrame:
    """One row for each day, vendor, rate code and distance category."""
    miles, minutes = F.col("trip_distance"), F.col("trip_duration_minutes")

    def earned_by(amount: Column) -> Column:
        """Of the trips with an amount above zero: the others would add to what is divided alone."""
        counted = _is_trip() & (amount > 0)
        return quotient(money_sum(F.col("total_amount"), counted), total(amount, counted))

    return trips.groupBy("month", "pickup_date", "vendor", "rate_code", "distance_category").agg(
        *_volume(),
        total(miles, _is_trip()).alias("total_miles"),
        total(minutes, _is_trip()).alias("total_minutes"),
        earned_by(miles).alias("revenue_per_mile"),
        earned_by(minutes).alias("revenue_per_minute"),
        _speed().alias("average_speed"),
        quotient(count_if(_is_flagged()), count_if(_is_trip())).alias("flagged_share"),
    )


_BUILDERS: dict[str, Callable[[DataFrame], DataFrame]] = {
    curated.DAILY_METRICS.name: daily_metrics,
    curated.LOCATION_ANALYTICS.name: location_analytics,
    curated.TIME_SERIES_ANALYSIS.name: time_series_analysis,
    curated.CUSTOMER_BEHAVIOR.name: customer_behavior,
    curated.PERFORMANCE_SUMMARY.name: performance_summary,
}


def build(table: Table, trips: DataFrame) -> DataFrame:
    """The rows of one curated table, with the columns of its contract. ``trips`` is a month of staging."""
    return conform(_BUILDERS[table.name](trips), table)
