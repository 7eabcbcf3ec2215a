"""The contracts of the five curated tables.

Belongs here: columns, grain, units, meaning and lineage. Does not: how they are computed (``transforms.curated``).

Shared definitions. ``trips`` counts rows that are no refund; ``refunds`` counts the others. ``gross_revenue``
sums total_amount over trips, ``refunded`` over refunds (zero or negative), ``net_revenue`` is their sum.
Averages, medians and percentiles are over trips; an average speed is miles by hours of the trips that took
time. Sums are exact decimals; averages, rates and shares are quotients of exact sums, in DOUBLE, and null where
there is nothing to divide by.
"""

from __future__ import annotations

from glue_jobs.contracts.model import Column, Table, Type, numbered

_SPEED = "Miles by hours of the trips that took time"
_SPEED_FROM = ("trip_distance", "trip_duration_minutes")
_PAID = ("payment_type", "is_refund")
_MONTH = Column(0, "month", Type.STRING, "Month of the source file, YYYY-MM", "", False, ("month",))


def _key(name: str, description: str, *sources: str, kind: Type = Type.STRING, unit: str = "") -> Column:
    return Column(0, name, kind, description, unit, False, sources or (name,))


def _count(name: str, description: str, *sources: str) -> Column:
    return Column(0, name, Type.BIGINT, description, "rows", False, ("is_refund", *sources))


def _money(name: str, description: str, *sources: str) -> Column:
    return Column(0, name, Type.MONEY_SUM, description, "USD", False, sources)


def _number(name: str, description: str, unit: str, *sources: str) -> Column:
    return Column(0, name, Type.DOUBLE, description, unit, True, ("is_refund", *sources))


def _share(name: str, description: str, *sources: str) -> Column:
    return _number(name, description, "0-1", *sources)


_DATE = _key("pickup_date", "Date of pick-up", kind=Type.DATE)
_DAY_TYPE = _key("day_type", "Weekday or Weekend")
_TIME_OF_DAY = _key("time_of_day_category", "Morning, Afternoon, Evening or Night")
_VOLUME = (
    _count("trips", "Trips (refunds not counted)"),
    _count("refunds", "Refund rows"),
    _money("net_revenue", "total_amount of trips and refunds", "total_amount"),
)
_GROSS = _money("gross_revenue", "total_amount of trips", "total_amount", "is_refund")
_REFUNDED = _money("refunded", "total_amount of refunds, zero or negative", "total_amount", "is_refund")


def _table(name: str, description: str, grain: tuple[str, ...], *columns: Column) -> Table:
    return Table("curated", name, description, numbered(*columns), ("month",), grain, version=2)


def _distribution(measure: str, what: str, unit: str, *sources: str, average: str = "") -> tuple[Column, ...]:
    return (
        _number(f"average_{measure}", average or f"Mean {what}", unit, *(_SPEED_FROM if average else sources)),
        _number(f"median_{measure}", f"Median {what}, exact", unit, *sources),
        _number(f"p95_{measure}", f"95th percentile of {what}, exact", unit, *sources),
    )


def _mean(measure: str, column: str, unit: str) -> Column:
    return _number(f"average_{measure}", f"Mean {column}", unit, column)


_MEANS = (
    _mean("total", "total_amount", "USD"),
    _mean("distance", "trip_distance", "miles"),
    _mean("duration", "trip_duration_minutes", "minutes"),
)
_AVERAGE_SPEED = _number("average_speed", _SPEED, "mph", *_SPEED_FROM)
_CARD_TIPS = _money("card_tips", "Tips on card trips (cash tips are not recorded)", "tip_amount", *_PAID)
_CARD_TIP_RATE = _share(
    "card_tip_rate", "card_tips by the fares of card trips", "tip_amount", "fare_amount", "payment_type"
)

DAILY_METRICS = _table(
    "daily_metrics",
    "One row a day: volume, revenue, distributions, payment mix, fees and data quality.",
    ("month", "pickup_date"),
    _MONTH,
    _DATE,
    _DAY_TYPE,
    _count("trips", "Trips (refunds not counted)"),
    _count("refunds", "Refund rows"),
    _GROSS,
    _REFUNDED,
    _money("net_revenue", "gross_revenue + refunded", "total_amount"),
    Column(
        0,
        "passengers",
        Type.BIGINT,
        "Sum of passenger_count over trips that have one",
        "persons",
        False,
        ("passenger_count", "is_refund"),
    ),
    *_distribution("total", "total_amount", "USD", "total_amount"),
    *_distribution("distance", "trip_distance", "miles", "trip_distance"),
    *_distribution("duration", "trip_duration_minutes", "minutes", "trip_duration_minutes"),
    *_distribution("speed", "average_speed_mph", "mph", "average_speed_mph", average=_SPEED),
    _count("card_trips", "Trips paid by card", "payment_type"),
    _count("cash_trips", "Trips paid in cash", "payment_type"),
    _count("flex_trips", "Flex Fare trips", "payment_type"),
    _share("card_share", "card_trips by trips", "payment_type"),
    _share("cash_share", "cash_trips by trips", "payment_type"),
    _share("flex_share", "flex_trips by trips", "payment_type"),
    _CARD_TIPS,
    _CARD_TIP_RATE,
    _count("airport_trips", "Trips from or to an airport", "is_airport_trip"),
    _money("congestion_surcharges", "congestion_surcharge of trips and refunds", "congestion_surcharge"),
    _money("cbd_congestion_fees", "cbd_congestion_fee of trips and refunds", "cbd_congestion_fee"),
    _count("flagged_trips", "Trips with at least one quality flag", "quality_flags"),
    _share("flagged_share", "flagged_trips by trips", "quality_flags"),
    _count("refunded_trips", "Trips that a refund of the month reverses", "is_refunded"),
    _count("unlinked_refunds", "Refund rows that reverse no trip of the month", "quality_flags"),
)

LOCATION_ANALYTICS = _table(
    "location_analytics",
    "One row for each pair of zones and type of day: flows between zones over the month.",
    ("month", "pickup_location_id", "dropoff_location_id", "day_type"),
    _MONTH,
    _key("pickup_location_id", "Zone of pick-up", kind=Type.INT),
    _key("pickup_borough", "Borough of pick-up"),
    _key("pickup_zone", "Name of the zone of pick-up"),
    _key("dropoff_location_id", "Zone of drop-off", kind=Type.INT),
    _key("dropoff_borough", "Borough of drop-off"),
    _key("dropoff_zone", "Name of the zone of drop-off"),
    _DAY_TYPE,
    *_VOLUME,
    _mean("fare", "fare_amount", "USD"),
    *_MEANS[1:],
    _share("share_of_pickups", "trips by all trips of the month that began in the same zone", "pickup_location_id"),
    _GROSS,
    _REFUNDED,
)

TIME_SERIES_ANALYSIS = _table(
    "time_series_analysis",
    "One row an hour: volume, revenue, averages and spread.",
    ("month", "pickup_date", "pickup_hour"),
    _MONTH,
    _DATE,
    _key("pickup_hour", "Hour of pick-up", kind=Type.INT, unit="0-23"),
    _TIME_OF_DAY,
    _DAY_TYPE,
    *_VOLUME,
    *_MEANS,
    _AVERAGE_SPEED,
    _number("stddev_total", "Sample standard deviation of total_amount; null for a single trip", "USD", "total_amount"),
    Column(0, "min_total", Type.MONEY, "Smallest total_amount of a trip", "USD", sources=("total_amount", "is_refund")),
    Column(0, "max_total", Type.MONEY, "Largest total_amount of a trip", "USD", sources=("total_amount", "is_refund")),
    _GROSS,
    _REFUNDED,
)

CUSTOMER_BEHAVIOR = _table(
    "customer_behavior",
    "One row for each day, payment method, passenger group and time of day.",
    ("month", "pickup_date", "payment_method", "passenger_group", "time_of_day_category"),
    _MONTH,
    _DATE,
    _key("payment_method", "How the passenger paid"),
    _key(
        "passenger_group",
        "None entered, Solo, Pair, Group of 3-4, Group of 5 or more, Unknown",
        "passenger_count",
    ),
    _TIME_OF_DAY,
    *_VOLUME,
    _MEANS[0],
    _CARD_TIPS,
    _CARD_TIP_RATE,
    _share("tipped_share", "Share of card trips that tipped", "tip_amount", "payment_type"),
    _share("share_of_day", "trips by all trips of the day", "pickup_date"),
    _GROSS,
    _REFUNDED,
)

PERFORMANCE_SUMMARY = _table(
    "performance_summary",
    "One row for each day, vendor, rate code and distance category: what a mile and a minute earn.",
    ("month", "pickup_date", "vendor", "rate_code", "distance_category"),
    _MONTH,
    _DATE,
    _key("vendor", "Technology provider"),
    _key("rate_code", "Rate code"),
    _key("distance_category", "0-1, 1-2, 2-5, 5-10 or 10+ miles"),
    *_VOLUME,
    _number("total_miles", "Sum of trip_distance over trips", "miles", "trip_distance"),
    _number("total_minutes", "Sum of trip_duration_minutes over trips", "minutes", "trip_duration_minutes"),
    _number("revenue_per_mile", "total_amount of trips by total_miles", "USD/mile", "total_amount", "trip_distance"),
    _number(
        "revenue_per_minute",
        "total_amount of trips by total_minutes",
        "USD/minute",
        "total_amount",
        "trip_duration_minutes",
    ),
    _AVERAGE_SPEED,
    _share("flagged_share", "Share of trips with at least one quality flag", "quality_flags"),
    _GROSS,
    _REFUNDED,
)

CURATED_TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        DAILY_METRICS,
        LOCATION_ANALYTICS,
        TIME_SERIES_ANALYSIS,
        CUSTOMER_BEHAVIOR,
        PERFORMANCE_SUMMARY,
    )
}
