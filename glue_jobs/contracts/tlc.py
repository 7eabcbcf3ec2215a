"""The contract of the TLC's own files: trip columns, code lists, zone lookup, where they lie.

Belongs here: facts about the source. Does not: rules that judge rows (``rules``) or tables of our own.
Source: TLC data dictionary for yellow-taxi trip records, and the files themselves.
"""

from __future__ import annotations

import re
from datetime import date

from glue_jobs.contracts.model import Kind, SourceColumn

FIRST_MONTH = "2011-01"
"""Files of 2009 and 2010 carry coordinates instead of zones and are refused."""

TRIP_COLUMNS: tuple[SourceColumn, ...] = (
    SourceColumn("vendorid", Kind.INTEGER, "Technology provider that sent the record"),
    SourceColumn("tpep_pickup_datetime", Kind.TIMESTAMP, "Meter engaged, New York wall clock"),
    SourceColumn("tpep_dropoff_datetime", Kind.TIMESTAMP, "Meter disengaged, New York wall clock"),
    SourceColumn("passenger_count", Kind.COUNT, "Passengers, entered by the driver"),
    SourceColumn("trip_distance", Kind.DISTANCE, "Distance by the taximeter, miles"),
    SourceColumn("ratecodeid", Kind.COUNT, "Final rate code of the trip"),
    SourceColumn("store_and_fwd_flag", Kind.TEXT, "Y if the record was held in the vehicle before sending"),
    SourceColumn("pulocationid", Kind.INTEGER, "Taxi zone where the meter was engaged"),
    SourceColumn("dolocationid", Kind.INTEGER, "Taxi zone where the meter was disengaged"),
    SourceColumn("payment_type", Kind.INTEGER, "How the passenger paid"),
    SourceColumn("fare_amount", Kind.MONEY, "Time-and-distance fare"),
    SourceColumn("extra", Kind.MONEY, "Rush-hour, overnight and other extras"),
    SourceColumn("mta_tax", Kind.MONEY, "MTA tax"),
    SourceColumn("tip_amount", Kind.MONEY, "Tip; cash tips are not recorded"),
    SourceColumn("tolls_amount", Kind.MONEY, "Tolls paid in the trip"),
    SourceColumn("improvement_surcharge", Kind.MONEY, "Improvement surcharge", required=False, since="2015-01"),
    SourceColumn("total_amount", Kind.MONEY, "Total charged, without cash tips"),
    SourceColumn("congestion_surcharge", Kind.MONEY, "State congestion surcharge", required=False, since="2019-02"),
    SourceColumn("airport_fee", Kind.MONEY, "Fee for pick-ups at LaGuardia and JFK", required=False, since="2021-04"),
    SourceColumn("cbd_congestion_fee", Kind.MONEY, "MTA congestion-relief-zone fee", required=False, since="2025-01"),
    SourceColumn("request_source", Kind.TEXT, "Undocumented by the TLC", required=False, since="2026-06"),
)

REQUIRED_COLUMNS = tuple(column.name for column in TRIP_COLUMNS if column.required)
MONEY_COLUMNS = tuple(column.name for column in TRIP_COLUMNS if column.kind is Kind.MONEY)
PARTS_OF_TOTAL = ("fare_amount", "extra", "mta_tax", "tip_amount", "tolls_amount", "improvement_surcharge")
FEES = ("congestion_surcharge", "airport_fee", "cbd_congestion_fee")
"""Fees that one vendor counts in ``extra`` as well; how totals add up is told in ``rules``."""
TRIP_KEY_COLUMNS = (
    "vendorid",
    "tpep_pickup_datetime",
    "tpep_dropoff_datetime",
    "trip_distance",
)
"""What all records of one trip share: its charge, a reversal of it, and a correction.

Not the zones: the drop-off zone of one in eight reversals is a neighbour of the trip's.
"""
COORDINATE_COLUMNS = frozenset({"start_lon", "start_lat", "pickup_longitude", "pickup_latitude"})
"""Any of these marks a file of 2009 or 2010."""

ZONE_COLUMNS = ("LocationID", "Borough", "Zone", "service_zone")
ZONE_COUNT = 265
UNKNOWN_ZONE = 264
"""The zone of which the lookup says that it is not known."""

CMT, CURB = 1, 2
VENDORS = {1: "Creative Mobile Technologies", 2: "Curb Mobility", 6: "Myle Technologies", 7: "Helix"}
RATE_CODES = {
    1: "Standard",
    2: "JFK",
    3: "Newark",
    4: "Nassau or Westchester",
    5: "Negotiated",
    6: "Group ride",
    99: "Unknown",
}
PAYMENT_METHODS = {
    0: "Flex Fare",
    1: "Credit card",
    2: "Cash",
    3: "No charge",
    4: "Dispute",
    5: "Unknown",
    6: "Voided",
}
UNKNOWN = "Unknown"
"""The label of a code that is null or in none of the lists."""

CARD, CASH, FLEX = 1, 2, 0
UNCOLLECTED = (3, 4, 6)
"""Payment types of trips that were charged and not paid: no charge, dispute, voided."""
NEWARK, JFK, LAGUARDIA = 1, 132, 138
"""The zones of the airports."""
FEE_BEGAN = {"congestion_surcharge": date(2019, 2, 2), "cbd_congestion_fee": date(2025, 1, 5)}
"""The first day of fees whose columns have zeros before it. Sources: New York Tax Law, article 29-C, as it came into
force; the TLC's data dictionary ("MTA's Congestion Relief Zone starting Jan. 5, 2025")."""

_MONTH = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])")  # \d is also a digit of other scripts


def trip_file_name(month: str) -> str:
    """The TLC's name for the file of ``month`` (YYYY-MM); ValueError for anything else."""
    if not _MONTH.fullmatch(month):
        raise ValueError(f"{month!r} is not a month: write it as YYYY-MM, for example 2024-02")
    return f"yellow_tripdata_{month}.parquet"


def trip_file_path(month: str) -> str:
    """Path of the month's file below the root of the TLC's site, or of a folder laid out like it."""
    return f"trip-data/{trip_file_name(month)}"


ZONE_FILE_NAME = "taxi_zone_lookup.csv"
ZONE_FILE_PATH = f"misc/{ZONE_FILE_NAME}"
SHAPES_FILE_NAME = "taxi_zones.zip"
SHAPES_FILE_PATH = f"misc/{SHAPES_FILE_NAME}"
