"""Months of odd rows, of any era: made up by hypothesis, or the same ones every time.

Belongs here: rows that the job has to get right, and the files that they are in. Does not: what is to hold of them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from glue_jobs.contracts import tlc
from glue_jobs.contracts.eras import NULL, era_of
from glue_jobs.contracts.months import clock_changes
from taxi_assets_tests.support.trips import TRIP

ERA_MONTHS = ("2011-06", "2014-08", "2019-01", "2023-02", "2025-01", "2026-06")
CLOCK_CHANGES = ("2024-03", "2024-11")
"""Months with an hour that is missing, and one that happens twice, at two on a Sunday morning."""
NEEDS_A_REAL_MONTH = {"is_small"}
"""Blocking checks that a handful of odd rows may fail."""

# A try runs three jobs, which takes seconds: shrinking a failure, hundreds of tries, is for who looks into it.
_NO_SHRINKING = (Phase.explicit, Phase.generate)
settings.register_profile("ci", max_examples=6, derandomize=True, deadline=None, phases=_NO_SHRINKING)
settings.register_profile("explore", max_examples=200, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
TRIES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

Row = dict[str, Any]
_ZONES = ("pulocationid", "dolocationid")
ARROW_OF = {"string": pa.string(), "large_string": pa.large_string(), "int32": pa.int32(), "int64": pa.int64()}
ARROW_OF |= {"double": pa.float64(), "timestamp[us]": pa.timestamp("us")}
_AMOUNTS = st.sampled_from(
    [0.0, -0.0, -0.004, 0.01, 1.115, 2.5, 7.005, 15.6, 99.99, 9_999.99, 10_000.5, -3.0, float("nan"), float("inf")]
)


_UNKNOWN: dict[str, pa.DataType] = {
    "driver_mood": pa.string(),
    "batter`y": pa.float64(),
    "seen": pa.timestamp("us"),
    "photo": pa.binary(),
    "born": pa.date32(),
}
_RETYPED = {"VendorID": pa.float64(), "payment_type": pa.string(), "PULocationID": pa.decimal128(20, 0)}


@dataclass(frozen=True)
class Month:
    """A generated month: rows by the contract's column names.

    ``strange`` ones have columns that nobody knows, and some of theirs in other types.
    """

    month: str
    rows: list[Row]
    strange: bool = False

    def table(self) -> pa.Table:
        """The rows with the names and physical types of the month's era."""
        columns = {}
        for name, kind in era_of(self.month).columns.items():
            values = [row[name.lower()] for row in self.rows]
            columns[name] = pa.nulls(len(values)) if kind == NULL else pa.array(values, ARROW_OF[kind])
        if self.strange:
            columns |= {name: columns[name].cast(kind) for name, kind in _RETYPED.items()}
            columns |= {name: pa.array([row.get(name) for row in self.rows], kind) for name, kind in _UNKNOWN.items()}
        return pa.table(columns)

    def write(self, path: Path, row_group_size: int = 1_000) -> None:
        """The table as a file."""
        pq.write_table(self.table(), path, row_group_size=row_group_size)


@st.composite
def months(draw: st.DrawFn) -> Month:
    """A month with one plausible trip at least, odd rows, exact duplicates, and refunds of any of them."""
    month = draw(st.sampled_from((*ERA_MONTHS, *CLOCK_CHANGES)))
    rows = [plausible(month), *draw(st.lists(_odd_rows(month), max_size=12))]
    for source, kind in draw(
        st.lists(st.tuples(st.sampled_from(rows), st.sampled_from(["copy", "refund", "part"])), max_size=5)
    ):
        refund = reversal(source, draw(st.integers(1, 4)))
        rows.append({"copy": dict(source), "refund": refund, "part": refund | PART}[kind])
    return Month(month, draw(st.permutations(rows)), strange=draw(st.booleans()))


def plausible(month: str) -> Row:
    pickup = datetime.fromisoformat(f"{month}-14T09:00:00")
    times = {"tpep_pickup_datetime": pickup, "tpep_dropoff_datetime": pickup + timedelta(minutes=15)}
    counts = {name: int(TRIP[name]) for name in ("passenger_count", "ratecodeid")}
    return {**TRIP, **times, **counts, "improvement_surcharge": None if month < "2015" else 1}


PART: Row = {"dolocationid": 238, "tip_amount": 2.5, "total_amount": -7.9}
"""What makes a reversal one of a part, with another drop-off zone."""


def reversal(row: Row, payment_type: int) -> Row:
    money = {name: None if row[name] is None else -row[name] for name in tlc.MONEY_COLUMNS}
    return {**row, **money, "payment_type": payment_type}


def _odd_rows(month: str) -> st.SearchStrategy[Row]:
    """Rows in which any column may be odd, missing or plausible."""
    good = plausible(month)
    first = datetime.fromisoformat(f"{month}-01T00:00:00")
    at_two = [
        86_400 * (change.day - 1) + 7_200 for change in clock_changes(int(month[:4])) if change.month == first.month
    ]
    around = [second + odd for second in at_two for odd in (-4_000, -3_600, -1, 0, 3_600)]
    seconds = st.sampled_from([-3600, -1, 0, 1, 86_400 * 13 + 5, 86_400 * 27 + 86_399, 86_400 * 40, *around])
    minutes = st.sampled_from([-120, -45, -30, 0, 1, 15, 70, 1440, 1441])
    parts = st.sampled_from([0, 0, 400_000, 900_001])
    times = st.tuples(seconds, minutes, parts, parts).map(
        lambda odd: {
            "tpep_pickup_datetime": first + timedelta(seconds=odd[0], microseconds=odd[2]),
            "tpep_dropoff_datetime": first + timedelta(seconds=odd[0], minutes=odd[1], microseconds=odd[3]),
        }
    )
    missing = st.sampled_from([{"tpep_pickup_datetime": None}, {"tpep_dropoff_datetime": None}, {}])
    codes = st.one_of(st.none(), st.integers(-1, 8), st.sampled_from([99, 264, 265, 266, 1_000, 2**31 - 1]))
    coded = st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("vendorid", "passenger_count", "ratecodeid", "payment_type", *_ZONES), codes)
    )
    distances = st.one_of(st.none(), _AMOUNTS, st.floats(0, 2_000))
    paid = [name for name in tlc.MONEY_COLUMNS if name != "improvement_surcharge"]
    amounts = st.fixed_dictionaries({}, optional=dict.fromkeys(paid, st.one_of(st.none(), _AMOUNTS)))
    others = st.fixed_dictionaries(
        {},
        optional={
            "trip_distance": distances,
            "store_and_fwd_flag": st.sampled_from(["Y", "", None]),
            "request_source": st.sampled_from(["APP", "", None]),
            "improvement_surcharge": st.sampled_from([0, 1, -1, None]),
            "driver_mood": st.sampled_from(["glad", 'so "so"', "\\", ""]),
            "batter`y": st.sampled_from([0.25, 1e-7, 2.5e10, -0.0, 1 / 3]),
            "seen": st.just(first),
            "photo": st.sampled_from([b"", b"\xff", bytes(100)]),
            "born": st.sampled_from([date(1, 1, 1), date(1582, 10, 10), date(2024, 2, 29)]),
        },
    )
    return st.tuples(times, missing, coded, amounts, others).map(
        lambda parts: {name: value for part in (good, *parts) for name, value in part.items()}
    )


def odd_rows(month: str, count: int) -> list[Row]:
    """``count`` odd rows and a reversal of each that has a fare: the same ones every time, for files of other tests."""
    rows: list[Row] = []
    every_time = settings(
        TRIES, max_examples=count, derandomize=True, database=None, deadline=None, phases=[Phase.generate]
    )
    every_time(given(row=_odd_rows(month))(lambda row: rows.append(row)))()
    refunds = [reversal(row, 4) | odd for row in rows if row["fare_amount"] for odd in ({}, PART)]
    return [*rows, *refunds]
