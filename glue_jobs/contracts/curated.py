"""The contracts of the five curated tables.

Belongs here: columns, grain, units and meaning. Does not: how they are computed (``transforms.curated``).

Shared definitions. ``trips`` counts rows that are no refund; ``refunds`` counts the others. ``gross_revenue``
sums total_amount over trips, ``refunded`` over refunds (zero or negative), ``net_revenue`` is their sum.
Averages, medians and percentiles are over trips; an average speed is miles by hours of the trips that took
time. Sums are exact decimals; averages, rates and shares are quotients of exact sums, in DOUBLE, and null where
there is nothing to divide by.
"""

from __future__ import annotations

from glue_jobs.contracts.model import Column, Table, Type, numbered

_SPEED = "Miles by hours of the trips that took time"
_MONTH = Column(0, "month", Type.STRING, "Month of the source file, YYYY-MM", nullable=False)
_DATE = Column(0, "pickup_date", Type.DATE, "Date of pick-up", nullable=False)
_DAY_TYPE = Column(0, "day_type", Type.STRING, "Weekday or Weekend", nullable=False)
_TIME_OF_DAY = Column(0, "time_of_day_category", Type.STRING, "Morning, Afternoon, Evening or Night", nullable=False)


def _text(name: str, description: str, nullable: bool = False) -> Column:
    return Column(0, name, Type.STRING, description, nullable=nullable)


def _count(name: str, description: str) -> Column:
    return Column(0, name, Type.BIGINT, description, "rows", nullable=False)


def _money(name: str, description: str) -> Column:
    return Column(0, name, Type.MONEY_SUM, description, "USD", nullable=False)


def _number(name: str, description: str, unit: str) -> Column:
    return Column(0, name, Type.DOUBLE, description, unit)


def _share(name: str, description: str) -> Column:
    return _number(name, description, "0-1")


_VOLUME = (
    _count("trips", "Trips (refunds not counted)"),
    _count("refunds", "Refund rows"),
    _money("net_revenue", "total_amount of trips and refunds"),
)


def _table(name: str, description: str, grain: tuple[str, ...], *columns: Column) -> Table:
    return Table("curated", name, description, numbered(*columns), ("month",), grain)


def _distribution(measure: str, what: str, unit: str, average: str = "") -> tuple[Column, ...]:
    return (
        _number(f"average_{measure}", average or f"Mean {what}", unit),
        _number(f"median_{measure}", f"Median {what}, exact", unit),
        _number(f"p95_{measure}", f"95th percentile of {what}, exact", unit),
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
    _money("gross_revenue", "total_amount of trips"),
    _money("refunded", "total_amount of refunds, zero or negative"),
    _money("net_revenue", "gross_revenue + refunded"),
    Column(0, "passengers", Type.BIGINT, "Sum of passenger_count over trips that have one", "persons", nullable=False),
    *_distribution("total", "total_amount", "USD"),
    *_distribution("distance", "trip_distance", "miles"),
    *_distribution("duration", "trip_duration_minutes", "minutes"),
    *_distribution("speed", "average_speed_mph", "mph", _SPEED),
    _count("card_trips", "Trips paid by card"),
    _count("cash_trips", "Trips paid in cash"),
    _count("flex_trips", "Flex Fare trips"),
    _share("card_share", "card_trips by trips"),
    _share("cash_share", "cash_trips by trips"),
    _share("flex_share", "flex_trips by trips"),
    _money("card_tips", "Tips on card trips (cash tips are not recorded)"),
    _share("card_tip_rate", "card_tips by the fares of card trips"),
    _count("airport_trips", "Trips from or to an airport"),
    _money("congestion_surcharges", "congestion_surcharge of trips and refunds"),
    _money("cbd_congestion_fees", "cbd_congestion_fee of trips and refunds"),
    _count("flagged_trips", "Trips with at least one quality flag"),
    _share("flagged_share", "flagged_trips by trips"),
)

LOCATION_ANALYTICS = _table(
    "location_analytics",
    "One row for each pair of zones and type of day: flows between zones over the month.",
    ("month", "pickup_location_id", "dropoff_location_id", "day_type"),
    _MONTH,
    Column(0, "pickup_location_id", Type.INT, "Zone of pick-up", nullable=False),
    _text("pickup_borough", "Borough of pick-up"),
    _text("pickup_zone", "Name of the zone of pick-up"),
    Column(0, "dropoff_location_id", Type.INT, "Zone of drop-off", nullable=False),
    _text("dropoff_borough", "Borough of drop-off"),
    _text("dropoff_zone", "Name of the zone of drop-off"),
    _DAY_TYPE,
    *_VOLUME,
    _number("average_fare", "Mean fare_amount", "USD"),
    _number("average_distance", "Mean trip_distance", "miles"),
    _number("average_duration", "Mean trip_duration_minutes", "minutes"),
    _share("share_of_pickups", "trips by all trips of the month that began in the same zone"),
)

TIME_SERIES_ANALYSIS = _table(
    "time_series_analysis",
    "One row an hour: volume, revenue, averages and spread.",
    ("month", "pickup_date", "pickup_hour"),
    _MONTH,
    _DATE,
    Column(0, "pickup_hour", Type.INT, "Hour of pick-up", "0-23", nullable=False),
    _TIME_OF_DAY,
    _DAY_TYPE,
    *_VOLUME,
    _number("average_total", "Mean total_amount", "USD"),
    _number("average_distance", "Mean trip_distance", "miles"),
    _number("average_duration", "Mean trip_duration_minutes", "minutes"),
    _number("average_speed", _SPEED, "mph"),
    _number("stddev_total", "Sample standard deviation of total_amount; null for a single trip", "USD"),
    Column(0, "min_total", Type.MONEY, "Smallest total_amount of a trip", "USD"),
    Column(0, "max_total", Type.MONEY, "Largest total_amount of a trip", "USD"),
)

CUSTOMER_BEHAVIOR = _table(
    "customer_behavior",
    "One row for each day, payment method, passenger group and time of day.",
    ("month", "pickup_date", "payment_method", "passenger_group", "time_of_day_category"),
    _MONTH,
    _DATE,
    _text("payment_method", "How the passenger paid"),
    _text("passenger_group", "None entered, Solo, Pair, Group of 3-4, Group of 5 or more, Unknown"),
    _TIME_OF_DAY,
    *_VOLUME,
    _number("average_total", "Mean total_amount", "USD"),
    _money("card_tips", "Tips on card trips"),
    _share("card_tip_rate", "card_tips by the fares of card trips"),
    _share("tipped_share", "Share of card trips that tipped"),
    _share("share_of_day", "trips by all trips of the day"),
)

PERFORMANCE_SUMMARY = _table(
    "performance_summary",
    "One row for each day, vendor, rate code and distance category: what a mile and a minute earn.",
    ("month", "pickup_date", "vendor", "rate_code", "distance_category"),
    _MONTH,
    _DATE,
    _text("vendor", "Technology provider"),
    _text("rate_code", "Rate code"),
    _text("distance_category", "0-1, 1-2, 2-5, 5-10 or 10+ miles"),
    *_VOLUME,
    _number("total_miles", "Sum of trip_distance over trips", "miles"),
    _number("total_minutes", "Sum of trip_duration_minutes over trips", "minutes"),
    _number("revenue_per_mile", "total_amount of trips by total_miles", "USD/mile"),
    _number("revenue_per_minute", "total_amount of trips by total_minutes", "USD/minute"),
    _number("average_speed", _SPEED, "mph"),
    _share("flagged_share", "Share of trips with at least one quality flag"),
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
