"""Faults put into the jobs: each is named by a blocking check, and what it is about is not published."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from glue_jobs.contracts import CURATED_TABLES, MONTHLY_TABLES, tlc
from taxi_assets.checks.check import Answer, Check, ask_all
from taxi_assets.checks.curated import CHECKS as CURATED_CHECKS
from taxi_assets.checks.staging.registry import CHECKS as STAGING_CHECKS
from taxi_assets.checks.staging.subject import StagedMonth
from taxi_assets.lake.lake import Lake
from taxi_assets.operations.run_month import MonthResult
from taxi_assets_tests.conftest import MONTH, on_three_days, write_source
from taxi_assets_tests.support.in_process import build, stage
from taxi_assets_tests.support.mutants import imported, make_mutant, run_mutant

OTHER_MONTH = "2024-01"


@dataclass(frozen=True)
class Mutant:
    """``line`` of ``file`` reads ``otherwise``; the checks that name it."""

    file: str
    line: str
    otherwise: str
    caught_by: tuple[str, ...]


_USABLE = 'return judged.where(F.col(REASONS) == "")'
_PICKUP = 'F.col("tpep_pickup_datetime").alias("pickup_at")'
_MONEY = "*(money(F.col(name)).alias(name) for name in tlc.MONEY_COLUMNS),"
_BUILT = "built = curated.build(table, trips)"
_OF_JANUARY = f'read_table(spark, TRIPS, arguments.staging.replace("{MONTH}", "{OTHER_MONTH}").split("/version=")[0])'

MUTANTS = {
    "rows are dropped": Mutant(
        "transforms/judge.py",
        _USABLE,
        f'{_USABLE}.where("payment_type <> 2")',
        ("staging/trips: every_row_is_accounted_for", "staging/trips: rows_are_those_of_the_source"),
    ),
    "rows are doubled": Mutant(
        "transforms/judge.py",
        _USABLE,
        _USABLE.replace("return judged", "return judged.unionByName(judged.where('payment_type = 3'))"),
        ("staging/trips: every_row_is_accounted_for", "staging/trips: rows_are_those_of_the_source"),
    ),
    "quarantined rows are dropped": Mutant(
        "transforms/judge.py",
        'return judged.where(F.col(REASONS) != "")',
        'return judged.where(F.col(REASONS) == "longer_than_24_hours")',
        ("staging/trips: every_row_is_accounted_for",),
    ),
    "pick-ups are shifted by a second": Mutant(
        "transforms/enrich.py",
        _PICKUP,
        '(F.col("tpep_pickup_datetime") + F.expr("INTERVAL 1 SECOND")).alias("pickup_at")',
        ("staging/trips: rows_are_those_of_the_source",),
    ),
    "all times are shifted by an hour on reading": Mutant(
        "transforms/normalise.py",
        "return source.select(*columns, extra.alias(EXTRA))",
        "return source.select(*columns, extra.alias(EXTRA)).withColumns({name: F.expr(f'{name} + INTERVAL 1 HOUR')"
        " for name in ('tpep_pickup_datetime', 'tpep_dropoff_datetime')})",
        ("staging/trips: rows_are_those_of_the_source",),
    ),
    "two money columns are swapped": Mutant(
        "transforms/enrich.py",
        _MONEY,
        '*(money(F.col({"extra": "mta_tax", "mta_tax": "extra"}.get(n, n))).alias(n) for n in tlc.MONEY_COLUMNS),',
        ("staging/trips: money_adds_up_to_the_cent", "staging/trips: rows_are_those_of_the_source"),
    ),
    "amounts are cut to the dollar": Mutant(
        "transforms/enrich.py",
        _MONEY,
        "*(money(F.floor(name)).alias(name) for name in tlc.MONEY_COLUMNS),",
        ("staging/trips: money_adds_up_to_the_cent",),
    ),
    "the day begins at four": Mutant(
        "transforms/enrich.py",
        'F.to_date("tpep_pickup_datetime").alias("pickup_date")',
        'F.to_date(F.col("tpep_pickup_datetime") - F.expr("INTERVAL 4 HOUR")).alias("pickup_date")',
        ("staging/trips: derived_columns_hold",),
    ),
    "zones are mixed up": Mutant(
        "transforms/enrich.py",
        'F.col("LocationID").cast("bigint").alias(location)',
        '(F.col("LocationID") % 265 + 1).cast("bigint").alias(location)',
        ("staging/trips: derived_columns_hold",),
    ),
    "refunds are linked to any trip of their key": Mutant(
        "transforms/link.py",
        '.withColumn("is_refunded", F.col(_LINKED) & ~F.col("is_refund"))',
        '.withColumn("is_refunded", F.col(_LINKED) & ~F.col("is_refund") & (F.col("total_amount") > 20))',
        ("staging/trips: links_are_mutual",),
    ),
    "refunds of a part are not linked": Mutant(
        "transforms/link.py",
        '_ALIKE = ("trip_key", "_fare")',
        '_ALIKE = ("trip_key", "_fare", "_total")',
        ("staging/trips: links_are_mutual",),
    ),
    "all tables are written from another month": Mutant(
        "build_curated.py",
        "trips = read_table(spark, TRIPS, arguments.staging)",
        f"trips = {_OF_JANUARY}",
        ("curated/daily_metrics: agrees_with_staging", "curated/daily_metrics: conforms_to_contract"),
    ),
    "one table is written from another month, under this month's name": Mutant(
        "build_curated.py",
        _BUILT,
        f"{_BUILT}\n            if name == 'location_analytics':\n"
        f"                built = curated.build(table, {_OF_JANUARY}.withColumn('month', "
        f"__import__('pyspark').sql.functions.lit('{MONTH}')))",
        ("curated/location_analytics: agrees_with_staging", "curated/location_analytics: agrees_with_the_other_tables"),
    ),
    "two money columns of a table are swapped": Mutant(
        "transforms/curated.py",
        '_fee("congestion_surcharge").alias("congestion_surcharges")',
        '_fee("tolls_amount").alias("congestion_surcharges")',
        ("curated/daily_metrics: agrees_with_staging",),
    ),
    "a rule is not applied": Mutant(
        "contracts/rules.py",
        '_warning("zero_distance", "The meter recorded no distance", "trip_distance = 0")',
        '_warning("zero_distance", "The meter recorded no distance", "trip_distance < 0")',
        ("staging/trips: rules_hold",),
    ),
    "values of unknown columns are lost": Mutant(
        "transforms/normalise.py",
        "F.to_json(F.struct(*strangers)) if strangers",
        'F.lit("{}") if strangers',
        ("staging/trips: rows_are_those_of_the_source",),
    ),
    "refunds count as trips": Mutant(
        "transforms/curated.py",
        'return ~F.col("is_refund")',
        'return F.lit(True) | F.col("is_refund")',
        ("curated/daily_metrics: agrees_with_staging", "curated/performance_summary: agrees_with_staging"),
    ),
}


IN_WHOLE_RUNS = ("rows are dropped", "one table is written from another month, under this month's name")
"""One of each layer, also run from end to end: what else follows of a failed check is the same for each mutant."""


def write_months(folder: Path) -> Path:
    """A source with both months on three days, each with a column that nobody knows."""
    for month in (OTHER_MONTH, MONTH):
        file = write_source(folder, month, rows=1_000)
        table = on_three_days(pq.read_table(file), month)
        pq.write_table(table.append_column("driver_mood", pa.array(["glad"] * table.num_rows)), file)
    return folder


@pytest.fixture(scope="module")
def staged(in_process: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, StagedMonth]:
    """Both months as the jobs without a fault stage them."""
    folder = tmp_path_factory.mktemp("mutants")
    source = write_months(folder / "source")
    zones = source / tlc.ZONE_FILE_PATH
    return {
        month: stage(month, source / tlc.trip_file_path(month), zones, folder / "staging")
        for month in (OTHER_MONTH, MONTH)
    }


def held_back(answers: list[Answer]) -> set[str]:
    return {f"{one.asset.to_user_string()}: {one.name}" for one in answers if one.holds_back}


def ask(checks: Sequence[Check[Any]], subject: object) -> set[str]:
    """The blocking checks that fail."""
    return held_back(ask_all(checks, subject, {check.asset for check in checks}))


def test_without_a_fault_no_check_holds_anything_back(staged: dict[str, StagedMonth], tmp_path: Path) -> None:
    assert ask(STAGING_CHECKS, staged[MONTH]) == set()
    assert ask(CURATED_CHECKS, build(MONTH, staged[MONTH].trips, tmp_path)) == set()


@pytest.mark.parametrize("name", MUTANTS)
def test_a_fault_in_a_job_is_named_by_a_blocking_check(
    staged: dict[str, StagedMonth], tmp_path: Path, name: str
) -> None:
    mutant = MUTANTS[name]
    good = staged[MONTH]
    in_curated = all(check.startswith("curated/") for check in mutant.caught_by)
    with imported(make_mutant(tmp_path, mutant.file, mutant.line, mutant.otherwise)):
        if in_curated:
            built = build(MONTH, good.trips, tmp_path / "out")
        else:
            faulty = stage(MONTH, good.source, good.zones, tmp_path / "out")
    found = ask(CURATED_CHECKS, built) if in_curated else ask(STAGING_CHECKS, faulty)
    assert set(mutant.caught_by) <= found


@pytest.fixture(scope="module")
def lake(run: Callable[..., MonthResult], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A lake with two staged months, one of them with its tables, and its source."""
    folder = tmp_path_factory.mktemp("mutants")
    source = write_months(folder / "source")
    assert run(folder / "lake", source, month=OTHER_MONTH, tables=["daily_metrics"]).succeeded
    assert run(folder / "lake", source, month=MONTH).succeeded
    return folder / "lake", source


@pytest.mark.parametrize("name", IN_WHOLE_RUNS)
def test_what_a_fault_is_about_is_not_published(
    run: Callable[..., MonthResult],
    lake: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
) -> None:
    mutant = MUTANTS[name]
    opened = Lake.in_folder(lake[0])
    in_curated = all(check.startswith("curated/") for check in mutant.caught_by)
    faulty = {check.partition(":")[0].replace("/", ".") for check in mutant.caught_by}
    guarded = {n: table for n, table in MONTHLY_TABLES.items() if not in_curated or n in faulty}
    before = {n: opened.publisher.live(table, MONTH) for n, table in guarded.items()}
    run_mutant(monkeypatch, tmp_path, mutant.file, mutant.line, mutant.otherwise)
    result = run(*lake)
    assert not result.succeeded
    assert set(mutant.caught_by) <= set(result.failed_checks), result.error
    for check in mutant.caught_by:
        assert check in result.error
    assert {n: opened.publisher.live(table, MONTH) for n, table in guarded.items()} == before
    refused = {check.partition(":")[0].replace("/", ".") for check in result.failed_checks}
    if in_curated:  # a table that is at fault does not hold the others
        others = {table.name for table in CURATED_TABLES.values() if table.full_name not in refused}
        assert set(result.tables) == others
        assert all(f"{name}: version" not in result.error for name in others)
    with opened.connect() as connection:
        kept = connection.execute(
            "SELECT DISTINCT asset || ': ' || check_name FROM quality.check_history WHERE run_id = ? AND NOT passed",
            [result.run_id],
        ).fetchall()
    assert {check for (check,) in kept} == {*result.failed_checks, *result.warned_checks}
