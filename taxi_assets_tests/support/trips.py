"""Making source rows for tests of transforms: a plausible trip, and what is odd about it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from glue_jobs.contracts import tlc
from glue_jobs.files import parse_zones
from glue_jobs.sources.synthetic import make_zones
from glue_jobs.staged import ZONE_SCHEMA, with_links
from glue_jobs.transforms import enrich, judge
from glue_jobs.transforms.link import keyed
from glue_jobs.transforms.normalise import layout_of, normalise

TRIP: dict[str, Any] = {
    "vendorid": 2,
    "tpep_pickup_datetime": datetime(2024, 2, 14, 9, 0),
    "tpep_dropoff_datetime": datetime(2024, 2, 14, 9, 15),
    "passenger_count": 1.0,
    "trip_distance": 3.0,
    "ratecodeid": 1.0,
    "store_and_fwd_flag": "N",
    "pulocationid": 161,
    "dolocationid": 237,
    "payment_type": 1,
    "fare_amount": 15.6,
    "extra": 0.0,
    "mta_tax": 0.5,
    "tip_amount": 3.9,
    "tolls_amount": 0.0,
    "improvement_surcharge": 1.0,
    "total_amount": 23.5,  # vendor 2: fare, tax, tip, improvement surcharge and congestion surcharge
    "congestion_surcharge": 2.5,
    "airport_fee": 0.0,
    "cbd_congestion_fee": 0.0,
    "request_source": None,
}
_ARROW = {"bigint": "int64", "double": "double", "string": "string", "timestamp_ntz": "timestamp[us]"}


def source_rows(spark: SparkSession, *odd: dict[str, Any]) -> DataFrame:
    """Normalised rows with their trip key: ``TRIP`` with each of ``odd`` laid over it."""
    schema = ", ".join(f"{column.name} {column.type.ddl}" for column in tlc.TRIP_COLUMNS)
    rows = [tuple((TRIP | changes)[column.name] for column in tlc.TRIP_COLUMNS) for changes in odd]
    physical = {column.name: _ARROW[column.type.value] for column in tlc.TRIP_COLUMNS}
    return keyed(normalise(spark.createDataFrame(rows, schema), layout_of(physical, "test rows")))


def staged_rows(spark: SparkSession, *odd: dict[str, Any], month: str = "2024-02") -> DataFrame:
    """Rows of ``staging.trips``: those of ``source_rows``, judged, linked and enriched."""
    judged = judge.judge(source_rows(spark, *odd).withColumn("is_repeated", F.lit(False)), month)
    zones = spark.createDataFrame(parse_zones(make_zones(), "zones"), ZONE_SCHEMA)
    return enrich.trips(enrich.with_zones(with_links(judged), zones), month)
