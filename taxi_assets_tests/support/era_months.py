"""One file of each era, in its own names and physical types, and odd ones; staging all of them on an engine.

Belongs here: the files, staging them, asking the checks. Does not: what the engines are to have in common.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from glue_jobs.contracts.eras import era_of
from glue_jobs.sources.synthetic import make_month, make_zones
from taxi_assets.checks.check import ask_all
from taxi_assets.checks.staging.registry import CHECKS
from taxi_assets.checks.staging.subject import StagedMonth
from taxi_assets.jobs.engine import spark_conf
from taxi_assets_tests.conftest import on_three_days
from taxi_assets_tests.support import stage_months
from taxi_assets_tests.support.engines import ROOT, Engine
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
ON_JVM = ["2014-08", "2019-01", "2026-06", DRIFTED, ODD, MISFIT]
"""Those that a JVM stages, which takes it half a minute of the processor each: they have every type of every column."""
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


def write_months(folder: Path) -> Path:
    """Put the zone lookup into ``folder``, and a folder for each month with its file."""
    (folder / "zones.csv").write_bytes(make_zones())
    tables = {month: on_three_days(make_month(month, 500, 1), month) for month in MONTHS}
    for month, table in (tables | {DRIFTED: drifted(), ODD: odd(), MISFIT: misfit()}).items():
        (folder / month).mkdir()
        pq.write_table(table, folder / month / "f.parquet")
    return folder


def staged(engine: Engine, folder: Path, months: Sequence[str]) -> Facts:
    """Stage these months below ``folder`` on ``engine``."""
    with engine.running() as running:
        conf = json.dumps(spark_conf(engine.setting))
        environment = running.environment | {"OUT": str(engine), "CONF": conf, "PYTHONPATH": str(ROOT)}
        command = [str(engine.python), "-m", stage_months.__name__, str(folder), *months]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    reports = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {report.pop("month"): report for report in reports}


def failed_checks(folder: Path, month: str, engine: Engine, facts: Facts) -> dict[str, str]:
    """The checks that fail, and what they found; not that of days, of which these months have three.

    A month of odd rows need only pass the blocking ones.
    """
    out = folder / month / str(engine)
    source, zones = folder / month / "f.parquet", folder / "zones.csv"
    found = StagedMonth(month, str(source), str(zones), str(out / "trips"), str(out / "quarantine"), facts[month])
    asked = [check for check in CHECKS if check.name != "every_day_has_trips"]
    if month == ODD:
        asked = [check for check in asked if check.blocking and check.name not in NEEDS_A_REAL_MONTH]
    answers = ask_all(asked, found, {check.asset for check in asked})
    assert len(answers) == len(asked)
    return {answer.name: answer.outcome.actual for answer in answers if not answer.outcome.passed}
