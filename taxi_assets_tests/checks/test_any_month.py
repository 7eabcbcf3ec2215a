"""What holds for any month of any era, however odd its rows: properties, tried on generated months."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from glue_jobs.contracts import tlc
from glue_jobs.contracts.eras import NULL, era_of
from glue_jobs.contracts.months import clock_changes
from glue_jobs.replay_quarantine import replay
from glue_jobs.reporting import Reporter
from glue_jobs.sources.synthetic import make_zones
from glue_jobs.stage_trips import stage
from glue_jobs.transforms.normalise import ARROW_TYPES
from taxi_assets.checks.staging.audits import AUDITS
from taxi_assets.checks.staging.subject import StagedMonth
from taxi_assets_tests.end_to_end.test_month import different_rows
from taxi_assets_tests.support.trips import TRIP

ERA_MONTHS = ("2011-06", "2014-08", "2019-01", "2023-02", "2025-01", "2026-06")
CLOCK_CHANGES = ("2024-03", "2024-11")
"""Months with an hour that is missing, and one that happens twice, at two on a Sunday morning."""
NEEDS_A_REAL_MONTH = {"is_small"}
"""Blocking audits that a handful of odd rows may fail."""

# A try is a run of the job, which takes seconds: shrinking a failure, hundreds of tries, is for who looks into it.
_NO_SHRINKING = (Phase.explicit, Phase.generate)
settings.register_profile("ci", max_examples=25, derandomize=True, deadline=None, phases=_NO_SHRINKING)
settings.register_profile("explore", max_examples=200, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
TRIES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

Row = dict[str, Any]
_ZONES = ("pulocationid", "dolocationid")
_ARROW = {"string": pa.string(), "large_string": pa.large_string(), "int32": pa.int32(), "int64": pa.int64()}
_ARROW |= {"double": pa.float64(), "timestamp[us]": pa.timestamp("us")}
_AMOUNTS = st.sampled_from(
    [0.0, -0.0, 0.01, 2.5, 7.005, 15.6, 99.99, 9_999.99, 10_000.5, -3.0, float("nan"), float("inf")]
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
            columns[name] = pa.nulls(len(values)) if kind == NULL else pa.array(values, _ARROW[kind])
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
    rows = [_plausible(month), *draw(st.lists(_odd_rows(month), max_size=12))]
    for source, kind in draw(
        st.lists(st.tuples(st.sampled_from(rows), st.sampled_from(["copy", "refund"])), max_size=5)
    ):
        rows.append(dict(source) if kind == "copy" else _reversal(source, draw(st.integers(1, 4))))
    return Month(month, draw(st.permutations(rows)), strange=draw(st.booleans()))


def _plausible(month: str) -> Row:
    pickup = datetime.fromisoformat(f"{month}-14T09:00:00")
    times = {"tpep_pickup_datetime": pickup, "tpep_dropoff_datetime": pickup + timedelta(minutes=15)}
    counts = {name: int(TRIP[name]) for name in ("passenger_count", "ratecodeid")}
    return {**TRIP, **times, **counts, "improvement_surcharge": None if month < "2015" else 1}


def _reversal(row: Row, payment_type: int) -> Row:
    money = {name: None if row[name] is None else -row[name] for name in tlc.MONEY_COLUMNS}
    return {**row, **money, "payment_type": payment_type}


def _odd_rows(month: str) -> st.SearchStrategy[Row]:
    """Rows in which any column may be odd, missing or plausible."""
    good = _plausible(month)
    first = datetime.fromisoformat(f"{month}-01T00:00:00")
    at_two = [
        86_400 * (change.day - 1) + 7_200 for change in clock_changes(int(month[:4])) if change.month == first.month
    ]
    around = [second + odd for second in at_two for odd in (-4_000, -3_600, -1, 0, 3_600)]
    seconds = st.sampled_from([-3600, -1, 0, 1, 86_400 * 13 + 5, 86_400 * 27 + 86_399, 86_400 * 40, *around])
    minutes = st.sampled_from([-120, -45, -30, 0, 1, 15, 70, 1440, 1441])
    times = st.tuples(seconds, minutes).map(
        lambda odd: {
            "tpep_pickup_datetime": first + timedelta(seconds=odd[0]),
            "tpep_dropoff_datetime": first + timedelta(seconds=odd[0], minutes=odd[1]),
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
    return [*rows, *(_reversal(row, 4) for row in rows if row["fare_amount"])]


@pytest.fixture(scope="module", autouse=True)
def _on_sail(spark: object, engine: str) -> Iterator[None]:
    """The jobs run in this process, on the tests' own session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_REMOTE", engine)
        yield


@pytest.fixture(scope="module")
def zones(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("zones") / "zones.csv"
    path.write_bytes(make_zones())
    return str(path)


def staged(month: str, source: Path, zones: str, folder: Path) -> StagedMonth:
    """The month as ``stage_trips`` writes it below ``folder``."""
    arguments = {
        "month": month,
        "trips": str(source),
        "source_sha256": "of no file",
        "zones": zones,
        "trips_out": f"{folder}/trips",
        "quarantine_out": f"{folder}/quarantine",
        "spark_conf": {},
    }
    facts = stage(argparse.Namespace(**arguments), Reporter())
    return StagedMonth(month, str(source), zones, f"{folder}/trips", f"{folder}/quarantine", facts)


def replayed(before: StagedMonth, folder: Path) -> StagedMonth:
    """The month as ``replay_quarantine`` writes it below ``folder``."""
    arguments = {
        "month": before.month,
        "trips": before.trips,
        "quarantine": before.quarantine,
        "source_sha256": "of no file",
        "zones": before.zones,
        "trips_out": f"{folder}/trips",
        "quarantine_out": f"{folder}/quarantine",
        "spark_conf": {},
    }
    facts = replay(argparse.Namespace(**arguments), Reporter())
    return StagedMonth(before.month, before.source, before.zones, f"{folder}/trips", f"{folder}/quarantine", facts)


def failed(month: StagedMonth) -> dict[str, str]:
    """The blocking audits that fail, and what they found."""
    answers = [audit.evaluate(month) for audit in AUDITS if audit.blocking and audit.name not in NEEDS_A_REAL_MONTH]
    return {answer.name: answer.outcome.actual for answer in answers if answer.holds_back}


def assert_same_rows(one: StagedMonth, other: StagedMonth) -> None:
    assert different_rows(one.trips, other.trips) == 0
    if one.facts["quarantined_rows"] or other.facts["quarantined_rows"]:
        assert different_rows(one.quarantine, other.quarantine) == 0


@TRIES
@given(month=months())
def test_source_is_published_plus_quarantined_in_rows_and_in_each_column(month: Month, zones: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        month.write(folder / "f.parquet")
        result = staged(month.month, folder / "f.parquet", zones, folder)
        assert result.facts["source_rows"] == len(month.rows)
        assert result.facts["published_rows"] + result.facts["quarantined_rows"] == len(month.rows)
        assert failed(result) == {}


@TRIES
@given(month=months())
def test_staging_is_a_fixed_point_of_replay(month: Month, zones: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        month.write(folder / "f.parquet")
        once = staged(month.month, folder / "f.parquet", zones, folder / "once")
        again = replayed(once, folder / "again")
        assert again.facts["released_rows"] == 0
        assert again.facts["source_rows"] == len(month.rows)
        assert failed(again) == {}
        assert_same_rows(once, again)


@TRIES
@given(month=months(), data=st.data())
def test_the_order_of_the_rows_and_the_splitting_of_the_file_change_nothing(
    month: Month, data: st.DataObject, zones: str
) -> None:
    shuffled = data.draw(st.permutations(month.rows))
    cut = data.draw(st.integers(1, max(1, len(shuffled) - 1)))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        month.write(folder / "f.parquet")
        (folder / "parts").mkdir()
        Month(month.month, shuffled[:cut], month.strange).write(folder / "parts" / "1.parquet", row_group_size=1)
        if shuffled[cut:]:
            Month(month.month, shuffled[cut:], month.strange).write(folder / "parts" / "2.parquet", row_group_size=2)
        whole = staged(month.month, folder / "f.parquet", zones, folder / "whole")
        split = staged(month.month, folder / "parts", zones, folder / "split")
        assert whole.facts["quarantine_reasons"] == split.facts["quarantine_reasons"]
        assert whole.facts["money"] == split.facts["money"]
        assert_same_rows(whole, split)


def test_every_kind_of_row_can_be_generated_in_the_types_of_every_era(tmp_path: Path) -> None:
    for month in ERA_MONTHS:
        Month(month, [_plausible(month), _reversal(_plausible(month), 3)]).write(tmp_path / "f.parquet")
        schema = pq.read_schema(tmp_path / "f.parquet")
        assert {field.name: str(field.type) for field in schema} == dict(era_of(month).columns)
    assert set(ARROW_TYPES.values()) <= set(_ARROW.values())
