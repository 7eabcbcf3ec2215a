"""The contracts of the five curated tables.

Belongs here: columns, grain, units, meaning and lineage. Does not: how they are computed (``transforms.curated``).

Shared definitions. ``trips`` counts rows that are no refund; ``refunds`` counts the others. ``gross_revenue``
sums total_amount over trips, ``refunded`` over refunds (zero or negative), ``net_revenue`` is their sum.
Averages, medians and percentiles are over trips; an average speed is miles by hours of the trips that covered a
distance and took time. Sums are exact decimals; averages, rates and shares are quotients of exact sums, in DOUBLE,
and null where there is nothing to divide by. Percentiles are interpolated linearly between the two nearest values,
and rounded to four decimals: the engines interpolate in a different order of operations. A fee is null, not 0, on
days before it began.
"""

from __future__ import annotations

from glue_jobs.contracts.model import Column, Table, Type

_SPEED_FROM = ("trip_distance", "trip_duration_minutes")
_MOVED = " of the trips that covered a distance and took time"
_INTERPOLATED = "interpolated linearly, to four decimals"
_PAID = ("payment_type", "is_refund")
_ZONES = ("pickup_location_id", "dropoff_location_id")


def _key(field_id: int, name: str, description: str, *sources: str, kind: Type = Type.STRING, unit: str = "") -> Column:
    return Column(field_id, name, kind, description, unit=unit, nullable=False, sources=sources or (name,))


def _rows(field_id: int, name: str, description: str, *sources: str) -> Column:
    return Column(field_id, name, Type.BIGINT, description, unit="rows", nullable=False, sources=sources)


def _count(field_id: int, name: str, description: str, *sources: str) -> Column:
    return _rows(field_id, name, description, "is_refund", *sources)


def _money(field_id: int, name: str, description: str, *sources: str) -> Column:
    return Column(field_id, name, Type.MONEY_SUM, description, unit="USD", nullable=False, sources=sources)


def _fee(field_id: int, name: str, column: str) -> Column:
    description = f"{column} of trips and refunds; null before the fee began, or if no row of the day states it"
    sources = (column, "pickup_date")
    return Column(field_id, name, Type.MONEY_SUM, description, unit="USD", sources=sources)


def _number(field_id: int, name: str, description: str, unit: str, *sources: str) -> Column:
    return Column(field_id, name, Type.DOUBLE, description, unit=unit, sources=("is_refund", *sources))


def _share(field_id: int, name: str, description: str, *sources: str) -> Column:
    return _number(field_id, name, description, "0-1", *sources)


def _mean(field_id: int, name: str, column: str, unit: str) -> Column:
    return _number(field_id, name, f"Mean {column}", unit, column)


def _median(field_id: int, name: str, column: str, unit: str, of: str = "") -> Column:
    return _number(field_id, name, f"Median {column}{of}, {_INTERPOLATED}", unit, column)


def _p95(field_id: int, name: str, column: str, unit: str, of: str = "") -> Column:
    return _number(field_id, name, f"95th percentile of {column}{of}, {_INTERPOLATED}", unit, column)


# Columns that several tables have, each under its own field id there.


def _month(field_id: int) -> Column:
    return _key(field_id, "month", "Month of the source file, YYYY-MM")


def _date(field_id: int) -> Column:
    return _key(field_id, "pickup_date", "Date of pick-up", kind=Type.DATE)


def _day_type(field_id: int) -> Column:
    return _key(field_id, "day_type", "Weekday or Weekend")


def _time_of_day(field_id: int) -> Column:
    return _key(field_id, "time_of_day_category", "Morning, Afternoon, Evening or Night")


def _trips(field_id: int) -> Column:
    return _count(field_id, "trips", "Trips (refunds not counted)")


def _refunds(field_id: int) -> Column:
    return _count(field_id, "refunds", "Refund rows")


def _gross_revenue(field_id: int) -> Column:
    return _money(field_id, "gross_revenue", "total_amount of trips", "total_amount", "is_refund")


def _refunded(field_id: int) -> Column:
    return _money(field_id, "refunded", "total_amount of refunds, zero or negative", "total_amount", "is_refund")


def _net_revenue(field_id: int) -> Column:
    return _money(field_id, "net_revenue", "total_amount of trips and refunds", "total_amount")


def _average_speed(field_id: int) -> Column:
    return _number(field_id, "average_speed", f"Miles by hours{_MOVED}", "mph", *_SPEED_FROM)


def _card_tips(field_id: int) -> Column:
    return _money(field_id, "card_tips", "Tips on card trips (cash tips are not recorded)", "tip_amount", *_PAID)


def _card_tip_rate(field_id: int) -> Column:
    sources = ("tip_amount", "fare_amount", "payment_type")
    return _share(field_id, "card_tip_rate", "card_tips by the fares of card trips", *sources)


def _table(name: str, description: str, grain: tuple[str, ...], *columns: Column, version: int) -> Table:
    return Table("curated", name, description, columns, ("month",), grain, version=version)


DAILY_METRICS = _table(
    "daily_metrics",
    "One row a day: volume, revenue, distributions, payment mix, fees and data quality.",
    ("month", "pickup_date"),
    _month(1),
    _date(2),
    _day_type(3),
    _trips(4),
    _refunds(5),
    _gross_revenue(6),
    _refunded(7),
    _money(8, "net_revenue", "gross_revenue + refunded", "total_amount"),
    Column(
        9,
        "passengers",
        Type.BIGINT,
        "Sum of passenger_count over trips that have one",
        unit="persons",
        nullable=False,
        sources=("passenger_count", "is_refund"),
    ),
    _mean(10, "average_total", "total_amount", "USD"),
    _median(11, "median_total", "total_amount", "USD"),
    _p95(12, "p95_total", "total_amount", "USD"),
    _mean(13, "average_distance", "trip_distance", "miles"),
    _median(14, "median_distance", "trip_distance", "miles"),
    _p95(15, "p95_distance", "trip_distance", "miles"),
    _mean(16, "average_duration", "trip_duration_minutes", "minutes"),
    _median(17, "median_duration", "trip_duration_minutes", "minutes"),
    _p95(18, "p95_duration", "trip_duration_minutes", "minutes"),
    _average_speed(19),
    _median(20, "median_speed", "average_speed_mph", "mph", of=_MOVED),
    _p95(21, "p95_speed", "average_speed_mph", "mph", of=_MOVED),
    _count(22, "card_trips", "Trips paid by card", "payment_type"),
    _count(23, "cash_trips", "Trips paid in cash", "payment_type"),
    _count(24, "flex_trips", "Flex Fare trips", "payment_type"),
    _share(25, "card_share", "card_trips by trips", "payment_type"),
    _share(26, "cash_share", "cash_trips by trips", "payment_type"),
    _share(27, "flex_share", "flex_trips by trips", "payment_type"),
    _card_tips(28),
    _card_tip_rate(29),
    _count(30, "airport_trips", "Trips from or to an airport", "is_airport_trip"),
    _fee(31, "congestion_surcharges", "congestion_surcharge"),
    _fee(32, "cbd_congestion_fees", "cbd_congestion_fee"),
    _count(33, "flagged_trips", "Trips with at least one quality flag", "quality_flags"),
    _share(34, "flagged_share", "flagged_trips by trips", "quality_flags"),
    _rows(35, "refunded_trips", "Trips that a refund of the month reverses", "is_refunded"),
    _rows(36, "unlinked_refunds", "Refund rows that reverse no trip of the month", "quality_flags"),
    _count(37, "other_trips", "Trips paid otherwise, not at all, or in an unknown way", "payment_type"),
    _share(38, "other_share", "other_trips by trips", "payment_type"),
    _money(39, "fares", "fare_amount of trips and refunds", "fare_amount"),
    _money(40, "extras", "extra of trips and refunds", "extra"),
    _money(41, "mta_taxes", "mta_tax of trips and refunds", "mta_tax"),
    _fee(42, "improvement_surcharges", "improvement_surcharge"),
    _money(43, "tolls", "tolls_amount of trips and refunds", "tolls_amount"),
    _money(44, "tips", "tip_amount of trips and refunds; net_revenue - tips is the farebox", "tip_amount"),
    _fee(45, "airport_fees", "airport_fee"),
    _money(
        46,
        "uncollected_revenue",
        "The part of gross_revenue that was not paid: No charge, Dispute, Voided",
        "total_amount",
        *_PAID,
    ),
    _count(47, "warning_trips", "Flagged trips with a value not to be relied on (severity warning)", "quality_flags"),
    _count(48, "info_trips", "Flagged trips that only lack a detail (severity info)", "quality_flags"),
    _count(49, "jfk_trips", "Trips from or to JFK", *_ZONES),
    _count(50, "laguardia_trips", "Trips from or to LaGuardia", *_ZONES),
    _count(51, "newark_trips", "Trips from or to Newark Airport", *_ZONES),
    version=4,
)

LOCATION_ANALYTICS = _table(
    "location_analytics",
    "One row for each pair of zones and type of day: flows between zones over the month.",
    ("month", "pickup_location_id", "dropoff_location_id", "day_type"),
    _month(1),
    _key(2, "pickup_location_id", "Zone of pick-up", kind=Type.INT),
    _key(3, "pickup_borough", "Borough of pick-up"),
    _key(4, "pickup_zone", "Name of the zone of pick-up"),
    _key(5, "dropoff_location_id", "Zone of drop-off", kind=Type.INT),
    _key(6, "dropoff_borough", "Borough of drop-off"),
    _key(7, "dropoff_zone", "Name of the zone of drop-off"),
    _day_type(8),
    _trips(9),
    _refunds(10),
    _net_revenue(11),
    _mean(12, "average_fare", "fare_amount", "USD"),
    _mean(13, "average_distance", "trip_distance", "miles"),
    _mean(14, "average_duration", "trip_duration_minutes", "minutes"),
    _share(15, "share_of_pickups", "trips by all trips of the month that began in the same zone", "pickup_location_id"),
    _gross_revenue(16),
    _refunded(17),
    _count(18, "card_trips", "Trips paid by card", "payment_type"),
    _count(19, "cash_trips", "Trips paid in cash", "payment_type"),
    _count(20, "flex_trips", "Flex Fare trips", "payment_type"),
    _count(21, "other_trips", "Trips paid otherwise, not at all, or in an unknown way", "payment_type"),
    _card_tips(22),
    _money(23, "card_fares", "Fares of card trips, which card_tips are a share of", "fare_amount", *_PAID),
    version=3,
)

TIME_SERIES_ANALYSIS = _table(
    "time_series_analysis",
    "One row an hour: volume, revenue, averages and spread.",
    ("month", "pickup_date", "pickup_hour"),
    _month(1),
    _date(2),
    _key(3, "pickup_hour", "Hour of pick-up", kind=Type.INT, unit="0-23"),
    _time_of_day(4),
    _day_type(5),
    _trips(6),
    _refunds(7),
    _net_revenue(8),
    _mean(9, "average_total", "total_amount", "USD"),
    _mean(10, "average_distance", "trip_distance", "miles"),
    _mean(11, "average_duration", "trip_duration_minutes", "minutes"),
    _average_speed(12),
    _number(
        13, "stddev_total", "Sample standard deviation of total_amount; null for a single trip", "USD", "total_amount"
    ),
    Column(
        14,
        "min_total",
        Type.MONEY,
        "Smallest total_amount of a trip",
        unit="USD",
        sources=("total_amount", "is_refund"),
    ),
    Column(
        15, "max_total", Type.MONEY, "Largest total_amount of a trip", unit="USD", sources=("total_amount", "is_refund")
    ),
    _gross_revenue(16),
    _refunded(17),
    version=3,
)

CUSTOMER_BEHAVIOR = _table(
    "customer_behavior",
    "One row for each day, payment method, passenger group and time of day.",
    ("month", "pickup_date", "payment_method", "passenger_group", "time_of_day_category"),
    _month(1),
    _date(2),
    _key(3, "payment_method", "How the passenger paid"),
    _key(
        4,
        "passenger_group",
        "None entered, Solo, Pair, Group of 3-4, Group of 5 or more, Unknown",
        "passenger_count",
    ),
    _time_of_day(5),
    _trips(6),
    _refunds(7),
    _net_revenue(8),
    _mean(9, "average_total", "total_amount", "USD"),
    _card_tips(10),
    _card_tip_rate(11),
    _share(12, "tipped_share", "Share of card trips that tipped", "tip_amount", "payment_type"),
    _share(13, "share_of_day", "trips by all trips of the day", "pickup_date"),
    _gross_revenue(14),
    _refunded(15),
    version=2,
)

PERFORMANCE_SUMMARY = _table(
    "performance_summary",
    "One row for each day, vendor, rate code and distance category: what a mile and a minute earn.",
    ("month", "pickup_date", "vendor", "rate_code", "distance_category"),
    _month(1),
    _date(2),
    _key(3, "vendor", "Technology provider"),
    _key(4, "rate_code", "Rate code"),
    _key(5, "distance_category", "0-1, 1-2, 2-5, 5-10 or 10+ miles"),
    _trips(6),
    _refunds(7),
    _net_revenue(8),
    _number(9, "total_miles", "Sum of trip_distance over trips", "miles", "trip_distance"),
    _number(10, "total_minutes", "Sum of trip_duration_minutes over trips", "minutes", "trip_duration_minutes"),
    _number(
        11,
        "revenue_per_mile",
        "total_amount by miles, of the trips that covered a distance",
        "USD/mile",
        "total_amount",
        "trip_distance",
    ),
    _number(
        12,
        "revenue_per_minute",
        "total_amount by minutes, of the trips that took time",
        "USD/minute",
        "total_amount",
        "trip_duration_minutes",
    ),
    _average_speed(13),
    _share(14, "flagged_share", "Share of trips with at least one quality flag", "quality_flags"),
    _gross_revenue(15),
    _refunded(16),
    version=3,
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
