"""One file of each era, in its own names and physical types, and odd ones, staged on every engine: identical rows."""

from __future__ import annotations

import json
import subprocess
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from glue_jobs.contracts import TRIPS
from glue_jobs.contracts.eras import era_of
from glue_jobs.files import parquet_files
from glue_jobs.sources.synthetic import make_month, make_zones
from taxi_assets.checks.staging.audits import AUDITS
from taxi_assets.checks.staging.subject import StagedMonth
from taxi_assets.jobs.engine import spark_conf
from taxi_assets_tests.support import stage_months
from taxi_assets_tests.support.comparing import different_rows
from taxi_assets_tests.support.engines import JVMS, ON_SAIL, ROOT, Engine
from taxi_assets_tests.support.odd_months import NEEDS_A_REAL_MONTH, Month, odd_rows
from taxi_assets_tests.support.trips import TRIP

MONTHS = ["2011-06", "2014-08", "2019-01", "2023-02", "2025-01", "2026-06"]
DRIFTED = "2026-07"
"""A month that no era has seen: ids as DOUBLE, counts as text, and columns that nobody knows."""
ODD = "2025-03"
"""A month of odd rows, with a column of each type that nobody knows."""
MISFIT = "2025-04"
"""A month with values that have no place in the contract's types. ``ingest_raw`` refuses such a file."""
GOOD = [*MONTHS, DRIFTED]
ALL = [*GOOD, ODD, MISFIT]
Facts = dict[str, dict[str, Any]]
"""Month to the facts that the job reports."""


def drifted() -> pa.Table:
    """The month of ``DRIFTED``."""
    table = on_three_days(make_month(DRIFTED, 500, 1), DRIFTED)
    tolls = [-0.0 if toll == 0 and row % 2 else toll for row, toll in enumerate(table["tolls_amount"].to_pylist())]
    table = table.set_column(table.column_names.index("tolls_amount"), "tolls_amount", pa.array(tolls))
    table = pa.concat_tables([table, table.slice(0, 4)])  # exact duplicates
    for name, kind in (("VendorID", pa.float64()), ("passenger_count", pa.string()), ("extra", pa.decimal128(9, 2))):
        table = table.set_column(table.column_names.index(name), name, table.column(name).cast(kind))
    numbers = range(table.num_rows)
    moods = pa.array([None if i % 7 == 0 else f"mood {i % 5}" for i in numbers])
    charge = pa.array([i % 100 / 4 for i in numbers])
    return table.append_column("driver_mood", moods).append_column("battery", charge)


def on_three_days(table: pa.Table, month: str) -> pa.Table:
    """The trips moved to the first three days of the month: the JVM takes a tenth of a second to write a file."""
    pickup, dropoff = (table[f"tpep_{end}_datetime"].to_numpy() for end in ("pickup", "dropoff"))
    day = (pickup.astype("datetime64[D]") - np.datetime64(f"{month}-01")).astype(float)  # NaN without a pick-up
    surplus = np.where((day >= 0) & (day < 31), day // 3 * 3, 0).astype("timedelta64[D]")
    for name, times in (("tpep_pickup_datetime", pickup - surplus), ("tpep_dropoff_datetime", dropoff - surplus)):
        table = table.set_column(table.column_names.index(name), name, pa.array(times, pa.timestamp("us")))
    return table


def odd() -> pa.Table:
    """The month of ``ODD``. Large and small fractions read differently in the text of an unknown column."""
    return Month(ODD, [{**row, "batter`y": 0.25} for row in odd_rows(ODD, 150)], strange=True).table()


def misfit() -> pa.Table:
    """The month of ``MISFIT``: one value a row that does not fit, and plausible ones around it."""
    pickup = datetime.fromisoformat(f"{MISFIT}-14T09:00:00")
    counts = ["", "n/a", "1e3", "1e400", "NaN", "-Infinity", " 2 ", "0x1F", "1_000", None]
    values: dict[str, tuple[pa.DataType, list[Any]]] = {
        "VendorID": (pa.float64(), [float("nan"), float("inf"), -1e300, 9.3e18, 1.5, None]),
        "payment_type": (pa.uint64(), [2**64 - 1, 2**63, None]),
        "PULocationID": (pa.string(), ["", "161.0", " 161 ", "Queens", "9" * 20, "-0", "true", None]),
        "DOLocationID": (pa.decimal128(25, 2), [Decimal("9" * 20), Decimal("1.99"), None]),
        "passenger_count": (pa.string(), counts),
        "trip_distance": (pa.string(), counts),
        "fare_amount": (pa.string(), counts),
        "extra": (pa.decimal128(38, 2), [Decimal("9" * 30), Decimal("-0.01"), None]),
        "tpep_dropoff_datetime": (
            pa.string(),
            ["", "soon", f"{MISFIT}-31 10:00:00", f"{MISFIT}-14 24:00:00", f"{MISFIT}-14", "9999-12-31 23:59:59", None],
        ),
    }
    rows = 20 + sum(len(odd) for _, odd in values.values())
    at = 20  # nothing is odd about the first twenty rows
    columns: dict[str, pa.Array] = {}
    for name in era_of(MISFIT).columns:
        plain: list[Any] = [TRIP[name.lower()]] * rows
        if name == "tpep_pickup_datetime":
            plain = [pickup + timedelta(seconds=row) for row in range(rows)]
        elif name == "tpep_dropoff_datetime":
            plain = [pickup + timedelta(minutes=15)] * rows
        kind, odd = values.get(name, (None, []))
        if kind is not None and pa.types.is_decimal(kind):
            plain = [Decimal(str(value)) for value in plain]
        elif kind == pa.string():
            plain = [str(value) for value in plain]
        columns[name] = pa.array([*plain[:at], *odd, *plain[at + len(odd) :]], kind)
        at += len(odd)
    return pa.table(columns)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each month with its file."""
    found = tmp_path_factory.mktemp("eras")
    (found / "zones.csv").write_bytes(make_zones())
    tables = {month: on_three_days(make_month(month, 500, 1), month) for month in MONTHS}
    for month, table in (tables | {DRIFTED: drifted(), ODD: odd(), MISFIT: misfit()}).items():
        (found / month).mkdir()
        pq.write_table(table, found / month / "f.parquet")
    return found


@pytest.fixture(scope="module")
def on_sail(folder: Path) -> Facts:
    """What Sail reports."""
    return staged(ON_SAIL, folder)


@pytest.fixture(scope="module", params=JVMS, ids=str)
def on_jvm(request: pytest.FixtureRequest, folder: Path) -> tuple[Engine, Facts]:
    """A JVM Spark, and what it reports."""
    return request.param, staged(request.param, folder)


def staged(engine: Engine, folder: Path) -> Facts:
    """Stage every month below ``folder`` on ``engine``."""
    with engine.running() as running:
        conf = json.dumps(spark_conf(engine.setting))
        environment = running.environment | {"OUT": str(engine), "CONF": conf, "PYTHONPATH": str(ROOT)}
        command = [str(engine.python), "-m", stage_months.__name__, str(folder), *ALL]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    reports = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {report.pop("month"): report for report in reports}


@pytest.mark.parametrize("month", MONTHS)
def test_the_file_has_the_physical_types_of_its_era(folder: Path, month: str) -> None:
    schema = pq.read_schema(folder / month / "f.parquet")
    assert {field.name: str(field.type) for field in schema} == dict(era_of(month).columns)


def test_the_jvm_is_of_the_version_and_as_strict_as_glue_runs_it(on_jvm: tuple[Engine, Facts]) -> None:
    engine, facts = on_jvm
    assert {f"spark {facts[month]['spark_version']}".rpartition(".")[0] for month in ALL} == {engine.description}
    assert {facts[month]["is_strict"] for month in ALL} == {engine.is_strict}


@pytest.mark.parametrize("month", ALL)
@pytest.mark.parametrize("table", ["trips", "quarantine"])
def test_every_engine_stages_identical_rows(
    folder: Path, on_sail: Facts, on_jvm: tuple[Engine, Facts], month: str, table: str
) -> None:
    one, other = (f"{folder}/{month}/{engine}/{table}" for engine in (ON_SAIL, on_jvm[0]))
    assert different_rows(one, other) == 0


@pytest.mark.parametrize("month", ALL)
def test_every_engine_reports_the_same(on_sail: Facts, on_jvm: tuple[Engine, Facts], month: str) -> None:
    one, other = (
        {name: value for name, value in facts[month].items() if name not in ("spark_version", "is_strict")}
        for facts in (on_sail, on_jvm[1])
    )
    assert one == other
    assert one["source_rows"] == one["published_rows"] + one["quarantined_rows"]


@pytest.mark.parametrize("month", [*GOOD, ODD])
def test_every_audit_passes_of_what_sail_wrote(folder: Path, on_sail: Facts, month: str) -> None:
    assert failed_audits(folder, month, ON_SAIL, on_sail) == {}


@pytest.mark.parametrize("month", [*GOOD, ODD])
def test_every_audit_passes_of_what_the_jvm_wrote(folder: Path, on_jvm: tuple[Engine, Facts], month: str) -> None:
    assert failed_audits(folder, month, *on_jvm) == {}


def failed_audits(folder: Path, month: str, engine: Engine, facts: Facts) -> dict[str, str]:
    """The audits that fail, and what they found. A month of odd rows need only pass the blocking ones."""
    out = folder / month / str(engine)
    source, zones = folder / month / "f.parquet", folder / "zones.csv"
    found = StagedMonth(month, str(source), str(zones), str(out / "trips"), str(out / "quarantine"), facts[month])
    asked = [audit for audit in AUDITS if month != ODD or (audit.blocking and audit.name not in NEEDS_A_REAL_MONTH)]
    answers = [audit.evaluate(found) for audit in asked]
    return {answer.name: answer.outcome.actual for answer in answers if not answer.outcome.passed}


def test_every_era_stages_into_the_one_current_contract(
    folder: Path, on_sail: Facts, on_jvm: tuple[Engine, Facts]
) -> None:
    for month in MONTHS:
        for engine in (ON_SAIL, on_jvm[0]):
            files = parquet_files(f"{folder}/{month}/{engine}/trips")
            assert {tuple(pq.read_schema(file).names) for file in files} == {TRIPS.column_names}


def test_columns_that_nobody_knows_are_beside_their_rows(folder: Path, on_sail: Facts) -> None:
    assert on_sail[DRIFTED]["unknown_columns"] == ["driver_mood", "battery"]
    trips = f"read_parquet('{folder}/{DRIFTED}/sail/trips/**/*.parquet', hive_partitioning = false)"
    with duckdb.connect() as connection:
        moods = connection.execute(
            f"SELECT count(*) FILTER (extra_columns ->> 'driver_mood' LIKE 'mood _'), "
            f"count(*) FILTER ((extra_columns ->> 'battery')::DOUBLE BETWEEN 0 AND 25), count(*) FROM {trips}"
        ).fetchall()
    [(with_mood, with_battery, rows)] = moods
    assert with_battery == rows
    assert 0.8 < with_mood / rows < 0.9
