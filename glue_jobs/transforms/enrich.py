"""From a judged source row to a row of ``staging.trips`` or ``staging.quarantine``.

Belongs here: names, types, derived columns, zone names. Does not: judging.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from glue_jobs.contracts import staging, tlc
from glue_jobs.contracts.model import Table, Type
from glue_jobs.contracts.rules import MAX_CODE
from glue_jobs.transforms.exact import cents, money, quotient, whole
from glue_jobs.transforms.judge import FLAGS

_AIRPORT_SERVICE_ZONES = ("Airports", "EWR")


def conform(rows: DataFrame, table: Table, carried: tuple[str, ...] = ()) -> DataFrame:
    """Exactly the columns of ``table``: its order, its types, each with its Iceberg field id; then ``carried``.

    Spark writes the ids into the Parquet files, Sail ignores them; readers then fall back to names.
    """
    return rows.select(
        *(
            F.col(column.name).cast(column.type.ddl).alias(column.name, metadata={"parquet.field.id": column.field_id})
            for column in table.columns
        ),
        *carried,
    )


def with_zones(judged: DataFrame, zones: DataFrame) -> DataFrame:
    """Add borough, zone and service zone of pick-up and drop-off. ``zones`` is the zone lookup."""
    for end, location in (("pickup", "pulocationid"), ("dropoff", "dolocationid")):
        lookup = zones.select(
            F.col("LocationID").cast("bigint").alias(location),
            F.col("Borough").alias(f"{end}_borough"),
            F.col("Zone").alias(f"{end}_zone"),
            F.col("service_zone").alias(f"{end}_service_zone"),
        )
        judged = judged.join(F.broadcast(lookup), location, "left")
    return judged


def trips(judged: DataFrame, month: str, carried: tuple[str, ...] = ()) -> DataFrame:
    """The columns of ``staging.trips``, in the order of the rows of ``judged``.

    ``judged`` comes from ``judge.usable``, ``link.link`` and ``with_zones``; ``carried`` names columns of it that
    are passed on behind them. There is no join in here: Sail drops the order of rows at one (measured).
    """
    rows = judged.select(
        *carried,
        F.lit(month).alias("month"),
        F.to_date("tpep_pickup_datetime").alias("pickup_date"),
        time_of_day(F.hour("tpep_pickup_datetime")).alias("time_of_day_category"),
        whole(F.col("vendorid"), MAX_CODE).alias("vendor_id"),
        _label("vendorid", tlc.VENDORS).alias("vendor"),
        F.col("tpep_pickup_datetime").alias("pickup_at"),
        F.col("tpep_dropoff_datetime").alias("dropoff_at"),
        F.hour("tpep_pickup_datetime").alias("pickup_hour"),
        # dayofweek counts from Sunday = 1; Sail's weekday() is off by one, so it is not used.
        ((F.dayofweek("tpep_pickup_datetime") + 5) % 7 + 1).alias("pickup_day_of_week"),
        F.when(F.dayofweek("tpep_pickup_datetime").isin(1, 7), "Weekend").otherwise("Weekday").alias("day_type"),
        whole(F.col("passenger_count"), MAX_CODE).alias("passenger_count"),
        F.col("trip_distance"),
        distance_category(F.col("trip_distance")).alias("distance_category"),
        (_duration_seconds() / 60).alias("trip_duration_minutes"),
        quotient(F.col("trip_distance") * 3600, _duration_seconds()).alias("average_speed_mph"),
        whole(F.col("ratecodeid"), MAX_CODE).alias("rate_code_id"),
        _label("ratecodeid", tlc.RATE_CODES).alias("rate_code"),
        F.col("store_and_fwd_flag"),
        whole(F.col("pulocationid"), tlc.ZONE_COUNT).alias("pickup_location_id"),
        whole(F.col("dolocationid"), tlc.ZONE_COUNT).alias("dropoff_location_id"),
        *(_known(f"{end}_{what}") for end in ("pickup", "dropoff") for what in ("borough", "zone")),
        F.col("pickup_service_zone"),
        F.col("dropoff_service_zone"),
        F.coalesce(_at_airport("pickup") | _at_airport("dropoff"), F.lit(False)).alias("is_airport_trip"),
        whole(F.col("payment_type"), MAX_CODE).alias("payment_type"),
        _label("payment_type", tlc.PAYMENT_METHODS).alias("payment_method"),
        *(money(F.col(name)).alias(name) for name in tlc.MONEY_COLUMNS),
        # Of the published cents: of what came, 1.114 is shown as 1.11 and would give another quotient.
        quotient(_dollars("fare_amount"), F.col("trip_distance")).alias("fare_per_mile"),
        F.when(
            (F.col("payment_type") == tlc.CARD) & (cents(F.col("fare_amount")) > 0),
            quotient(cents(F.col("tip_amount")) * 100, cents(F.col("fare_amount"))),
        ).alias("tip_percentage"),
        F.col(FLAGS),
        *(
            F.col(name)
            for name in ("is_refund", "is_refunded", "trip_key", "row_hash", "extra_columns", "request_source")
        ),
    )
    return conform(rows, staging.TRIPS, carried)


def quarantine(judged: DataFrame, month: str, source_sha256: str) -> DataFrame:
    """The columns of ``staging.quarantine``. ``judged`` comes from ``judge.quarantined``."""
    return conform(
        judged.withColumn("month", F.lit(month)).withColumn("source_sha256", F.lit(source_sha256)), staging.QUARANTINE
    )


def time_of_day(hour: Column) -> Column:
    """Morning 6-11, Afternoon 12-17, Evening 18-21, Night otherwise."""
    return (
        F.when(hour.between(6, 11), "Morning")
        .when(hour.between(12, 17), "Afternoon")
        .when(hour.between(18, 21), "Evening")
        .otherwise("Night")
    )


def distance_category(miles: Column) -> Column:
    """0-1, 1-2, 2-5, 5-10 or 10+ miles, the upper bound included."""
    return (
        F.when(miles <= 1, "0-1")
        .when(miles <= 2, "1-2")
        .when(miles <= 5, "2-5")
        .when(miles <= 10, "5-10")
        .otherwise("10+")
    )


def _known(column: str) -> Column:
    return F.coalesce(F.col(column), F.lit(tlc.UNKNOWN)).alias(column)


def _at_airport(end: str) -> Column:
    return F.col(f"{end}_service_zone").isin(*_AIRPORT_SERVICE_ZONES)


def _dollars(column: str) -> Column:
    """The published amount of a money column, in DOUBLE."""
    return cents(F.col(column)).cast("double") / 100


def _duration_seconds() -> Column:
    return F.col("duration_seconds").cast(Type.DOUBLE.ddl)


def _label(code: str, labels: Mapping[int, str]) -> Column:
    chosen: Column | None = None
    for value, label in labels.items():
        matches = F.col(code) == value
        chosen = F.when(matches, label) if chosen is None else chosen.when(matches, label)
    assert chosen is not None  # every code list has entries
    return chosen.otherwise(tlc.UNKNOWN)
