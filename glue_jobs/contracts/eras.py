"""Schema history of the TLC's trip files: which columns, under which names and in which types, since which month.

Belongs here: how files have looked. Does not: what a column means or must be (``tlc``), or how it is read
(``transforms.normalise``).

Sources: the footers of all files from 2011-01 to 2024-08 as a public survey lists them (github.com/snowch/
vast-docker-compose-examples, yellow_taxi_data_pt0_schema); the file of 2024-02 itself; TLC data dictionary for
2025-01 (cbd_congestion_fee); the file of 2026-06 (request_source). Types are Arrow's. ``null`` is a column without
any value, which Parquet stores as INT32: it comes and goes with the month.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

NULL = "null"
_INT, _LONG, _DOUBLE, _TEXT, _TIME = "int32", "int64", "double", "string", "timestamp[us]"

_FIRST = {
    "VendorID": _LONG,
    "tpep_pickup_datetime": _TIME,
    "tpep_dropoff_datetime": _TIME,
    "passenger_count": _LONG,
    "trip_distance": _DOUBLE,
    "RatecodeID": _LONG,
    "store_and_fwd_flag": _TEXT,
    "PULocationID": _LONG,
    "DOLocationID": _LONG,
    "payment_type": _LONG,
    "fare_amount": _DOUBLE,
    "extra": _DOUBLE,
    "mta_tax": _DOUBLE,
    "tip_amount": _DOUBLE,
    "tolls_amount": _DOUBLE,
    "improvement_surcharge": _DOUBLE,
    "total_amount": _DOUBLE,
    "congestion_surcharge": _DOUBLE,
    "airport_fee": _DOUBLE,
}
_CONGESTION = "congestion_surcharge"
_CHANGES: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("2011-01", _FIRST),
    ("2011-02", {_CONGESTION: NULL, "airport_fee": NULL}),
    ("2011-03", {_CONGESTION: _DOUBLE}),
    ("2011-04", {_CONGESTION: NULL}),
    ("2012-12", {_CONGESTION: _DOUBLE}),
    ("2013-01", {_CONGESTION: NULL}),
    ("2013-05", {_CONGESTION: _DOUBLE}),
    ("2013-06", {_CONGESTION: NULL}),
    ("2014-01", {_CONGESTION: _DOUBLE}),
    ("2014-02", {_CONGESTION: NULL}),
    ("2014-08", {"improvement_surcharge": _INT}),
    ("2014-09", {"improvement_surcharge": _DOUBLE}),
    ("2018-01", {_CONGESTION: _DOUBLE, "airport_fee": _DOUBLE}),
    ("2018-02", {_CONGESTION: NULL, "airport_fee": NULL}),
    ("2018-06", {_CONGESTION: _DOUBLE}),
    ("2018-07", {_CONGESTION: NULL, "passenger_count": _DOUBLE, "RatecodeID": _DOUBLE}),
    ("2018-09", {_CONGESTION: _DOUBLE}),
    ("2018-10", {_CONGESTION: NULL}),
    ("2018-11", {_CONGESTION: _DOUBLE}),
    ("2018-12", {_CONGESTION: NULL}),
    ("2019-01", {_CONGESTION: _DOUBLE}),
    ("2020-08", {"airport_fee": _DOUBLE}),
    ("2020-10", {"airport_fee": NULL}),
    ("2020-11", {"airport_fee": _DOUBLE}),
    (
        "2023-02",
        {
            "VendorID": _INT,
            "passenger_count": _LONG,
            "RatecodeID": _LONG,
            "store_and_fwd_flag": "large_string",
            "PULocationID": _INT,
            "DOLocationID": _INT,
            "Airport_fee": _DOUBLE,
        },
    ),
    ("2025-01", {"cbd_congestion_fee": _DOUBLE}),
    ("2026-06", {"request_source": "large_string"}),
)


@dataclass(frozen=True)
class Era:
    """A span of months whose files look the same: the first of them, and column name to Arrow type."""

    since: str
    columns: Mapping[str, str]


def _eras() -> tuple[Era, ...]:
    """Each era is the one before it with its changes; a name that differs by case only takes the old one's place."""
    eras: list[Era] = []
    columns: dict[str, str] = {}
    for since, changes in _CHANGES:
        renamed = {name.lower(): name for name in changes}
        columns = {renamed.get(name.lower(), name): kind for name, kind in columns.items()} | dict(changes)
        eras.append(Era(since, columns))
    return tuple(eras)


ERAS = _eras()


def era_of(month: str) -> Era:
    """The era of ``month`` (YYYY-MM); ValueError before the first."""
    for era in reversed(ERAS):
        if era.since <= month:
            return era
    raise ValueError(f"{month} is before {ERAS[0].since}, the first month whose file has taxi zones")
