"""The contracts of the staging layer: clean trips, and the unusable rows.

Belongs here: columns, types, units and meaning of ``staging.trips`` and ``staging.quarantine``. Does not: how
they are computed (``transforms``), and which rows go where (``rules``).
"""

from __future__ import annotations

from glue_jobs.contracts import tlc
from glue_jobs.contracts.model import Column, Kind, SourceColumn, Table, Type

_SOURCE: dict[str, SourceColumn] = {column.name: column for column in tlc.TRIP_COLUMNS}
_PICKUP, _DROPOFF = "tpep_pickup_datetime", "tpep_dropoff_datetime"


def _month(field_id: int) -> Column:
    return Column(field_id, "month", Type.STRING, "Month of the source file, YYYY-MM", nullable=False)


def _money(field_id: int, name: str, *, nullable: bool = True) -> Column:
    """A column of money that the source has under the same name, to the cent."""
    description = _SOURCE[name].description
    return Column(field_id, name, Type.MONEY, description, unit="USD", nullable=nullable, sources=(name,))


def _as_the_source(field_id: int, name: str) -> Column:
    """A column of the source, as it came."""
    column = _SOURCE[name]
    unit = {Kind.MONEY: "USD", Kind.DISTANCE: "miles"}.get(column.kind, "")
    return Column(field_id, name, column.type, column.description, unit=unit, sources=(name,))


def _row_hash(field_id: int) -> Column:
    description = "xxHash64 of the source row, equal on every engine (but for texts of fractions in extra_columns)"
    return Column(field_id, "row_hash", Type.BIGINT, description, nullable=False, sources=tuple(_SOURCE))


def _extra_columns(field_id: int) -> Column:
    description = (
        "Values of source columns that the contract does not know, a JSON object of texts; null if the file has none"
    )
    return Column(field_id, "extra_columns", Type.STRING, description, sources=("any other",))


CARRIES = {
    "vendorid": "vendor_id",
    "tpep_pickup_datetime": "pickup_at",
    "tpep_dropoff_datetime": "dropoff_at",
    "ratecodeid": "rate_code_id",
    "pulocationid": "pickup_location_id",
    "dolocationid": "dropoff_location_id",
}
"""Source column to the column of ``staging.trips`` that carries its value, where the names differ."""

TRIPS = Table(
    layer="staging",
    name="trips",
    description="One row for each usable trip record (refunds included), cleaned, typed and enriched.",
    columns=(
        _month(1),
        Column(2, "pickup_date", Type.DATE, "Date of pick-up, New York", nullable=False, sources=(_PICKUP,)),
        Column(
            3,
            "time_of_day_category",
            Type.STRING,
            "Morning 06-11, Afternoon 12-17, Evening 18-21, Night 22-05 (hour of pick-up)",
            nullable=False,
            sources=(_PICKUP,),
        ),
        Column(4, "vendor_id", Type.INT, "Technology provider", sources=("vendorid",)),
        Column(5, "vendor", Type.STRING, "Name of the technology provider", nullable=False, sources=("vendorid",)),
        Column(6, "pickup_at", Type.TIMESTAMP_NTZ, "Pick-up, New York wall clock", nullable=False, sources=(_PICKUP,)),
        Column(
            7, "dropoff_at", Type.TIMESTAMP_NTZ, "Drop-off, New York wall clock", nullable=False, sources=(_DROPOFF,)
        ),
        Column(8, "pickup_hour", Type.INT, "Hour of pick-up", unit="0-23", nullable=False, sources=(_PICKUP,)),
        Column(
            9,
            "pickup_day_of_week",
            Type.INT,
            "Weekday of pick-up by ISO 8601, 1 is Monday",
            unit="1-7",
            nullable=False,
            sources=(_PICKUP,),
        ),
        Column(
            10, "day_type", Type.STRING, "Weekday or Weekend (Saturday, Sunday)", nullable=False, sources=(_PICKUP,)
        ),
        Column(11, "passenger_count", Type.INT, "Passengers; null on Flex Fare trips", sources=("passenger_count",)),
        Column(
            12,
            "trip_distance",
            Type.DOUBLE,
            "Distance by the taximeter",
            unit="miles",
            nullable=False,
            sources=("trip_distance",),
        ),
        Column(
            13,
            "distance_category",
            Type.STRING,
            "0-1, 1-2, 2-5, 5-10 or 10+",
            unit="miles",
            nullable=False,
            sources=("trip_distance",),
        ),
        Column(
            14,
            "trip_duration_minutes",
            Type.DOUBLE,
            "Drop-off minus pick-up in whole seconds, put right by an hour where the clock was changed",
            unit="minutes",
            nullable=False,
            sources=(_PICKUP, _DROPOFF),
        ),
        Column(
            15,
            "average_speed_mph",
            Type.DOUBLE,
            "Distance by duration; null if the trip took no time",
            unit="mph",
            sources=("trip_distance", _PICKUP, _DROPOFF),
        ),
        Column(16, "rate_code_id", Type.INT, "Rate code; null on Flex Fare trips", sources=("ratecodeid",)),
        Column(17, "rate_code", Type.STRING, "Meaning of the rate code", nullable=False, sources=("ratecodeid",)),
        Column(
            18, "store_and_fwd_flag", Type.STRING, "Y or N; null on Flex Fare trips", sources=("store_and_fwd_flag",)
        ),
        Column(19, "pickup_location_id", Type.INT, "Taxi zone of pick-up", nullable=False, sources=("pulocationid",)),
        Column(
            20,
            "pickup_borough",
            Type.STRING,
            "Borough of pick-up",
            nullable=False,
            sources=("pulocationid", "zones.Borough"),
        ),
        Column(
            21,
            "pickup_zone",
            Type.STRING,
            "Zone name of pick-up",
            nullable=False,
            sources=("pulocationid", "zones.Zone"),
        ),
        Column(
            22,
            "pickup_service_zone",
            Type.STRING,
            "TLC service zone of pick-up",
            sources=("pulocationid", "zones.service_zone"),
        ),
        Column(23, "dropoff_location_id", Type.INT, "Taxi zone of drop-off", nullable=False, sources=("dolocationid",)),
        Column(
            24,
            "dropoff_borough",
            Type.STRING,
            "Borough of drop-off",
            nullable=False,
            sources=("dolocationid", "zones.Borough"),
        ),
        Column(
            25,
            "dropoff_zone",
            Type.STRING,
            "Zone name of drop-off",
            nullable=False,
            sources=("dolocationid", "zones.Zone"),
        ),
        Column(
            26,
            "dropoff_service_zone",
            Type.STRING,
            "TLC service zone of drop-off",
            sources=("dolocationid", "zones.service_zone"),
        ),
        Column(27, "payment_type", Type.INT, "Payment code", sources=("payment_type",)),
        Column(
            28, "payment_method", Type.STRING, "Meaning of the payment code", nullable=False, sources=("payment_type",)
        ),
        _money(29, "fare_amount", nullable=False),
        _money(30, "extra"),
        _money(31, "mta_tax"),
        _money(32, "tip_amount"),
        _money(33, "tolls_amount"),
        _money(34, "improvement_surcharge"),
        _money(35, "total_amount", nullable=False),
        _money(36, "congestion_surcharge"),
        _money(37, "airport_fee"),
        _money(38, "cbd_congestion_fee"),
        Column(
            39,
            "fare_per_mile",
            Type.DOUBLE,
            "Published fare by distance; null without distance",
            unit="USD/mile",
            sources=("fare_amount", "trip_distance"),
        ),
        Column(
            40,
            "tip_percentage",
            Type.DOUBLE,
            "Published tip as a share of the published fare, card trips with a fare only",
            unit="%",
            sources=("tip_amount", "fare_amount", "payment_type"),
        ),
        Column(
            41,
            "is_airport_trip",
            Type.BOOLEAN,
            "Picked up or dropped off at an airport zone (EWR, JFK, LaGuardia)",
            nullable=False,
            sources=("pulocationid", "dolocationid", "zones.service_zone"),
        ),
        Column(
            42,
            "is_refund",
            Type.BOOLEAN,
            "Money given back: total below zero, and no improvement surcharge above zero",
            nullable=False,
            sources=("total_amount", "improvement_surcharge"),
        ),
        Column(
            43,
            "quality_flags",
            Type.STRING,
            "Ids of the flag rules that apply, then of the link rules, joined by commas; empty if none",
            nullable=False,
            sources=tuple(_SOURCE),
        ),
        Column(
            44,
            "trip_key",
            Type.BIGINT,
            "xxHash64 of vendor, times and distance: shared by all records of a trip, the same in every version",
            nullable=False,
            sources=tlc.TRIP_KEY_COLUMNS,
        ),
        _row_hash(45),
        Column(
            46,
            "is_refunded",
            Type.BOOLEAN,
            "A refund of the month reverses this trip: same trip_key, opposite fare, one refund to one trip",
            nullable=False,
            sources=(*tlc.TRIP_KEY_COLUMNS, "fare_amount", "total_amount", "improvement_surcharge"),
        ),
        _extra_columns(47),
        Column(48, "request_source", Type.STRING, "Undocumented by the TLC", sources=("request_source",)),
    ),
    partition_by=("month", "pickup_date", "time_of_day_category"),
    version=3,
)

QUARANTINE = Table(
    layer="staging",
    name="quarantine",
    description="One row for each source row that is not a usable trip, as the source had it, with the reasons.",
    columns=(
        _month(1),
        _as_the_source(2, "vendorid"),
        _as_the_source(3, "tpep_pickup_datetime"),
        _as_the_source(4, "tpep_dropoff_datetime"),
        _as_the_source(5, "passenger_count"),
        _as_the_source(6, "trip_distance"),
        _as_the_source(7, "ratecodeid"),
        _as_the_source(8, "store_and_fwd_flag"),
        _as_the_source(9, "pulocationid"),
        _as_the_source(10, "dolocationid"),
        _as_the_source(11, "payment_type"),
        _as_the_source(12, "fare_amount"),
        _as_the_source(13, "extra"),
        _as_the_source(14, "mta_tax"),
        _as_the_source(15, "tip_amount"),
        _as_the_source(16, "tolls_amount"),
        _as_the_source(17, "improvement_surcharge"),
        _as_the_source(18, "total_amount"),
        _as_the_source(19, "congestion_surcharge"),
        _as_the_source(20, "airport_fee"),
        _as_the_source(21, "cbd_congestion_fee"),
        _as_the_source(22, "request_source"),
        Column(
            23,
            "quarantine_reasons",
            Type.STRING,
            "Ids of the quarantine rules that apply, joined by commas",
            nullable=False,
            sources=tuple(_SOURCE),
        ),
        _row_hash(24),
        Column(25, "source_sha256", Type.STRING, "SHA-256 of the file that the row came in", nullable=False),
        _extra_columns(26),
    ),
    partition_by=("month",),
    version=2,
)
