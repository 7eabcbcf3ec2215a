"""Fixtures that many tests share: an engine, a session, synthetic source folders, lakes, a Postgres."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import coverage
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from pyspark.sql import SparkSession
from sqlalchemy import event
from sqlalchemy.engine import Engine

import taxi_assets
from glue_jobs.contracts import tlc
from glue_jobs.contracts.months import days_of
from glue_jobs.session import spark_session
from glue_jobs.sources.synthetic import make_month, make_zones
from taxi_assets.jobs.engine import running_engine, spark_conf
from taxi_assets.operations.run_month import MonthResult, run_month
from taxi_assets.settings import SAIL, Settings
from taxi_assets_tests.emulators.aws import AwsEmulator, Role, emulated_aws
from taxi_assets_tests.emulators.environment import acting_as
from taxi_assets_tests.support.postgres import Postgres, running_postgres

pytest.register_assert_rewrite("taxi_assets_tests.end_to_end.on_jvm")

PRODUCTION = Path(taxi_assets.__file__).parent / "operations" / "instance" / "production.yaml"
MONTH = "2024-02"
ROWS = 3_000
LONGEST = (
    "test_image.py",
    "test_engines_on_spark_4.py",
    "test_eras_on_spark_4.py",
    "test_eras_on_spark_3.py",
    "test_engines_on_spark_3.py",
    "test_aws_spark.py",
    "test_rebuild.py",
    "infra",
    "end_to_end",
    "dashboard",
    "emulators",
    "operations",
)
"""Files and folders that take minutes. They are begun first: begun last, one process works while the others wait."""
UNMEASURED = frozenset({"end_to_end", "infra", "reliability", "test_in_browser.py"})
"""Folders and files of tests that run whole months, browsers, Terraform."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those of ``LONGEST`` before all others; a file's tests stay together, in their order."""

    def place(item: pytest.Item) -> int:
        names = (item.path.name, item.path.parent.name)
        return next((at for at, name in enumerate(LONGEST) if name in names), len(LONGEST))

    items.sort(key=place)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Coverage is not measured where whole months or other programs are run: others measure the same lines.

    It makes half as much again of a test's time in this process: 182 instead of 123 s of the processor for those of
    ``lake/test_ledger``, ``lake/test_maintenance``, ``warehouse/test_memory`` and ``cli/test_answer``.
    """
    measured = coverage.Coverage.current() if UNMEASURED & {item.path.name, item.path.parent.name} else None
    if measured is None:
        return (yield)
    measured.stop()
    try:
        return (yield)
    finally:
        measured.start()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """With TAXI_TESTS_NO_SKIPS set, as in CI, a skip is a failure: an optional part is missing there.

    Real data is no part of the project: where the variable for it is not set, its tests may be skipped.
    """
    report: Any = yield
    data = item.get_closest_marker("real_data")
    may_lack_it = data is not None and data.args[0] not in os.environ
    if os.environ.get("TAXI_TESTS_NO_SKIPS") and report.skipped and not may_lack_it:
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be: {report.longrepr}"
    return report


@pytest.fixture(scope="session", autouse=True)
def _own_dagster_home() -> Iterator[None]:
    """Each lake has its own Dagster instance; one that the user's environment names is not touched."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name == "DAGSTER_HOME" or name.startswith(("TAXI_", "AWS_"))]:
            if not name.startswith("TAXI_TEST"):  # settings of the tests themselves
                patch.delenv(name)
        yield


@pytest.fixture(scope="session", autouse=True)
def _unsynced_sqlite() -> Iterator[None]:
    """SQLite of this process does not wait for the disk: only a machine that loses its power would lose anything.

    Dagster's instance and the catalog commit some three hundred times in a month's run, a third of its time.
    """
    event.listen(Engine, "connect", do_not_wait)
    yield
    event.remove(Engine, "connect", do_not_wait)


def do_not_wait(connection: Any, _record: Any) -> None:
    """For SQLAlchemy's event "connect"."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = OFF")


@pytest.fixture(scope="session")
def engine() -> Iterator[str]:
    """Address of a Sail server that all tests of this process share.

    Sail ends a session that was idle for a quarter of an hour, and other test files may take longer than that.
    """
    with running_engine(SAIL, {**os.environ, "SAIL_SPARK__SESSION_TIMEOUT_SECS": "86400"}) as running:
        yield running.environment["SPARK_REMOTE"]


@pytest.fixture(scope="session")
def spark(engine: str) -> Iterator[SparkSession]:
    """A session on that server."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_REMOTE", engine)
        session = spark_session("tests", spark_conf(SAIL))
    yield session
    session.stop()


@pytest.fixture(scope="module")
def in_process(spark: SparkSession, engine: str) -> Iterator[None]:
    """The jobs' functions, called in this process, run on the tests' own session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_REMOTE", engine)
        yield


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in the TLC's layout with a synthetic file of ``MONTH``; tests that change it copy it first.

    Its trips are on three days: a tenth of the files to write and to read, with every kind of row there is.
    """
    folder = tmp_path_factory.mktemp("source")
    file = write_source(folder, MONTH)
    pq.write_table(on_three_days(pq.read_table(file), MONTH), file)
    return folder


def write_source(folder: Path, month: str, rows: int = ROWS, seed: int = 1, days: int | None = None) -> Path:
    """Put a synthetic month and the zone lookup into ``folder``; returns the trip file.

    With ``days``, of its rows only those that were picked up on the first ``days`` days, outside the month, or at a
    time that is missing.
    """
    trips, zones = folder / tlc.trip_file_path(month), folder / tlc.ZONE_FILE_PATH
    for path in (trips, zones):
        path.parent.mkdir(parents=True, exist_ok=True)
    table = make_month(month, rows, seed)
    if days is not None:
        day = _days_into(table["tpep_pickup_datetime"], month)
        table = table.filter(pa.array(~((day >= days) & (day < days_of(month)))))
    pq.write_table(table, trips)
    zones.write_bytes(make_zones())
    return trips


def on_three_days(table: pa.Table, month: str) -> pa.Table:
    """The trips of the month moved to its first three days; no row is lost, and those of other times stay."""
    day = _days_into(table["tpep_pickup_datetime"], month)
    surplus = np.where((day >= 0) & (day < days_of(month)), day // 3 * 3, 0).astype("timedelta64[D]")
    for name in ("tpep_pickup_datetime", "tpep_dropoff_datetime"):
        times = pa.array(table[name].to_numpy() - surplus, pa.timestamp("us"))
        table = table.set_column(table.column_names.index(name), name, times)
    return table


def _days_into(times: pa.ChunkedArray, month: str) -> np.ndarray[Any, Any]:
    """How many whole days each time is after the month's begin; NaN where it is missing."""
    days: np.ndarray[Any, Any] = times.to_numpy().astype("datetime64[D]") - np.datetime64(f"{month}-01")
    return days.astype(float)


@pytest.fixture(scope="session")
def run(engine: str) -> Callable[..., MonthResult]:
    """Run a month on the shared engine: ``run(lake, source, month=…, tables=…)``."""

    def run_it(lake: Path, source: Path | str, month: str = MONTH, tables: list[str] | None = None) -> MonthResult:
        return run_month(Settings(lake=str(lake), source=str(source), engine=engine), month, tables, lambda *_: None)

    return run_it


@pytest.fixture(scope="session")
def published(
    run: Callable[..., MonthResult], source: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, MonthResult]:
    """A lake in which ``MONTH`` was published once, and the run's result. Not to be changed."""
    lake = tmp_path_factory.mktemp("published") / "lake"
    result = run(lake, source)
    assert result.succeeded, result.error
    return lake, result


def copy_of(lake: Path, to: Path) -> Path:
    """A copy of a lake, without the log of those who asked it: any test that shares the lake may have."""
    return Path(shutil.copytree(lake, to, ignore=shutil.ignore_patterns("queries")))


@pytest.fixture(scope="module")
def aws() -> Iterator[AwsEmulator]:
    """An empty emulated AWS, which this process calls as Dagster's role."""
    with emulated_aws() as emulator, acting_as(emulator.url, Role.DAGSTER):
        yield emulator


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A Postgres that all tests of this process share; each takes a database of its own."""
    with running_postgres() as server:
        yield server


def on_postgres(home: Path, postgres: Postgres, patch: pytest.MonkeyPatch) -> None:
    """Have ``home`` be a Dagster instance with production's storage, in a new database, and nothing else of it."""
    storage = yaml.safe_load(PRODUCTION.read_text())["storage"]
    (home / "dagster.yaml").write_text(yaml.safe_dump({"telemetry": {"enabled": False}, "storage": storage}))
    for name, value in postgres.new_database().items():
        patch.setenv(name, value)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A process that a shell started in the background ignores SIGINT, and so would the test."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
