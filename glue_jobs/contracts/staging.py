"""The contracts of the staging layer: clean trips, and the rows that are no usable trip.

Belongs here: columns, types, units and meaning of ``staging.trips`` and ``staging.quarantine``. Does not: how
they are computed (``transforms``), and which rows go where (``rules``).
"""

from __future__ import annotations

from glue_jobs.contracts import tlc
from glue_jobs.contracts.model import Column, Kind, Table, Type, numbered

_MONTH = Column(0, "month", Type.STRING, "Month of the source file, YYYY-MM", nullable=False)

_MONEY = tuple(
    Column(
        0,
        column.name,
        Type.MONEY,
        column.description,
        "USD",
        nullable=column.name not in ("fare_amount", "total_amount"),
        sources=(column.name,),
    )
    for column in tlc.TRIP_COLUMNS
    if column.kind is Kind.MONEY
)

_ROW_HASH = Column(
    0,
    "row_hash",
    Type.BIGINT,
    "xxHash64 of the source row, equal on every engine (but for texts of fractions in extra_columns)",
    "",
    False,
    tuple(column.name for column in tlc.TRIP_COLUMNS),
)
_EXTRA_COLUMNS = Column(
    0,
    "extra_columns",
    Type.STRING,
    "Values of source columns that the contract does not know, a JSON object of texts; null if the file has none",
    sources=("any other",),
)


def _zone_columns(end: str, event: str, source: str) -> tuple[Column, ...]:
    return (
        Column(0, f"{end}_location_id", Type.INT, f"Taxi zone of {event}", nullable=False, sources=(source,)),
        Column(0, f"{end}_borough", Type.STRING, f"Borough of {event}", nullable=False, sources=(source, "zones")),
        Column(0, f"{end}_zone", Type.STRING, f"Zone name of {event}", nullable=False, sources=(source, "zones")),
        Column(0, f"{end}_service_zone", Type.STRING, f"TLC service zone of {event}", sources=(source, "zones")),
    )


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
    columns=numbered(
        _MONTH,
        Column(0, "pickup_date", Type.DATE, "Date of pick-up, New York", "", False, ("tpep_pickup_datetime",)),
        Column(
            0,
            "time_of_day_category",
            Type.STRING,
            "Morning 06-11, Afternoon 12-17, Evening 18-21, Night 22-05 (hour of pick-up)",
            "",
            False,
            ("tpep_pickup_datetime",),
        ),
        Column(0, "vendor_id", Type.INT, "Technology provider", sources=("vendorid",)),
        Column(0, "vendor", Type.STRING, "Name of the technology provider", "", False, ("vendorid",)),
        Column(
            0, "pickup_at", Type.TIMESTAMP_NTZ, "Pick-up, New York wall clock", "", False, ("tpep_pickup_datetime",)
        ),
        Column(
            0, "dropoff_at", Type.TIMESTAMP_NTZ, "Drop-off, New York wall clock", "", False, ("tpep_dropoff_datetime",)
        ),
        Column(0, "pickup_hour", Type.INT, "Hour of pick-up", "0-23", False, ("tpep_pickup_datetime",)),
        Column(
            0,
            "pickup_day_of_week",
            Type.INT,
            "Weekday of pick-up by ISO 8601, 1 is Monday",
            "1-7",
            False,
            ("tpep_pickup_datetime",),
        ),
        Column(
            0, "day_type", Type.STRING, "Weekday or Weekend (Saturday, Sunday)", "", False, ("tpep_pickup_datetime",)
        ),
        Column(0, "passenger_count", Type.INT, "Passengers; null on Flex Fare trips", sources=("passenger_count",)),
        Column(0, "trip_distance", Type.DOUBLE, "Distance by the taximeter", "miles", False, ("trip_distance",)),
        Column(0, "distance_category", Type.STRING, "0-1, 1-2, 2-5, 5-10 or 10+", "miles", False, ("trip_distance",)),
        Column(
            0,
            "trip_duration_minutes",
            Type.DOUBLE,
            "Drop-off minus pick-up, put right by an hour where the clock was changed in between",
            "minutes",
            False,
            ("tpep_pickup_datetime", "tpep_dropoff_datetime"),
        ),
        Column(
            0,
            "average_speed_mph",
            Type.DOUBLE,
            "Distance by duration; null if the trip took no time",
            "mph",
            True,
            ("trip_distance", "tpep_pickup_datetime", "tpep_dropoff_datetime"),
        ),
        Column(0, "rate_code_id", Type.INT, "Rate code; null on Flex Fare trips", sources=("ratecodeid",)),
        Column(0, "rate_code", Type.STRING, "Meaning of the rate code", "", False, ("ratecodeid",)),
        Column(
            0, "store_and_fwd_flag", Type.STRING, "Y or N; null on Flex Fare trips", sources=("store_and_fwd_flag",)
        ),
        *_zone_columns("pickup", "pick-up", "pulocationid"),
        *_zone_columns("dropoff", "drop-off", "dolocationid"),
        Column(0, "payment_type", Type.INT, "Payment code", sources=("payment_type",)),
        Column(0, "payment_method", Type.STRING, "Meaning of the payment code", "", False, ("payment_type",)),
        *_MONEY,
        Column(
            0,
            "fare_per_mile",
            Type.DOUBLE,
            "Fare by distance; null without distance",
            "USD/mile",
            True,
            ("fare_amount", "trip_distance"),
        ),
        Column(
            0,
            "tip_percentage",
            Type.DOUBLE,
            "Tip as a share of the fare, card trips with a fare only",
            "%",
            True,
            ("tip_amount", "fare_amount", "payment_type"),
        ),
        Column(
            0,
            "is_airport_trip",
            Type.BOOLEAN,
            "Picked up or dropped off at an airport zone (EWR, JFK, LaGuardia)",
            "",
            False,
            ("pulocationid", "dolocationid", "zones"),
        ),
        Column(0, "is_refund", Type.BOOLEAN, "Negative total: money given back", "", False, ("total_amount",)),
        Column(
            0,
            "quality_flags",
            Type.STRING,
            "Ids of the flag rules that apply, then of the link rules, joined by commas; empty if none",
            "",
            False,
            tuple(column.name for column in tlc.TRIP_COLUMNS),
        ),
        Column(
            0,
            "trip_key",
            Type.BIGINT,
            "xxHash64 of vendor, times, zones and distance: shared by all records of a trip, the same in every version",
            "",
            False,
            tlc.TRIP_KEY_COLUMNS,
        ),
        _ROW_HASH,
        Column(
            0,
            "is_refunded",
            Type.BOOLEAN,
            "A refund of the month reverses this trip: same trip_key, fare and total opposite",
            "",
            False,
            (*tlc.TRIP_KEY_COLUMNS, "fare_amount", "total_amount"),
        ),
        _EXTRA_COLUMNS,
        Column(0, "request_source", Type.STRING, "Undocumented by the TLC", sources=("request_source",)),
    ),
    partition_by=("month", "pickup_date", "time_of_day_category"),
    version=2,
)

QUARANTINE = Table(
    layer="staging",
    name="quarantine",
    description="One row for each source row that is not a usable trip, as the source had it, with the reasons.",
    columns=numbered(
        _MONTH,
        *(
            Column(
                0,
                column.name,
                column.type,
                column.description,
                {Kind.MONEY: "USD", Kind.DISTANCE: "miles"}.get(column.kind, ""),
                sources=(column.name,),
            )
            for column in tlc.TRIP_COLUMNS
        ),
        Column(
            0,
            "quarantine_reasons",
            Type.STRING,
            "Ids of the quarantine rules that apply, joined by commas",
            "",
            False,
            tuple(column.name for column in tlc.TRIP_COLUMNS),
        ),
        _ROW_HASH,
        Column(0, "source_sha256", Type.STRING, "SHA-256 of the file that the row came in", "", False),
        _EXTRA_COLUMNS,
    ),
    partition_by=("month",),
    version=2,
)
