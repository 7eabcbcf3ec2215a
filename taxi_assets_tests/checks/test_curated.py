"""Each check of the curated tables against tables that a faulty job would have written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import duckdb
import pytest

from glue_jobs.contracts import CURATED_TABLES
from glue_jobs.contracts.model import Type
from glue_jobs.contracts.raw import TRIPS_DATASET, ZONES_DATASET
from glue_jobs.ingest_raw import verify_trips
from taxi_assets.checks import curated, raw
from taxi_assets.checks.check import Check
from taxi_assets.checks.curated import CuratedMonth
from taxi_assets.checks.raw import LandedMonth
from taxi_assets.checks.staging import registry as staging
from taxi_assets.checks.staging.subject import StagedMonth
from taxi_assets.lake.lake import Lake
from taxi_assets.operations.run_month import MonthResult
from taxi_assets_tests.conftest import MONTH
from taxi_assets_tests.support.checking import failed, rewrite


def test_good_tables_pass_every_curated_check(built: CuratedMonth) -> None:
    assert failed(curated.CHECKS, built) == set()


@pytest.mark.parametrize("table", CURATED_TABLES)
@pytest.mark.parametrize(
    ("select", "caught_by"),
    [
        ("FROM rows WHERE trips < (SELECT max(trips) FROM rows)", "agrees_with_staging"),
        ("SELECT * REPLACE ((net_revenue + 0.01)::DECIMAL(18, 2) AS net_revenue) FROM rows", "agrees_with_staging"),
        ("FROM rows UNION ALL (FROM rows LIMIT 1)", "conforms_to_contract"),
        ("SELECT * REPLACE ('2024-01' AS month) FROM rows", "conforms_to_contract"),
        ("SELECT * EXCLUDE trips, trips FROM rows", "conforms_to_contract"),
        ("FROM rows WHERE false", "has_rows"),
    ],
)
def test_a_fault_in_a_curated_table_is_caught(
    built: CuratedMonth, table: str, select: str, caught_by: str, tmp_path: Path
) -> None:
    rewrite(tmp_path / table, select)
    found = failed(curated.CHECKS, built)
    assert f"{table}: {caught_by}" in found
    assert {name.partition(":")[0] for name in found} == {table}


@pytest.mark.parametrize(
    ("table", "select"),
    [
        (
            "daily_metrics",
            "SELECT * REPLACE (card_tips AS congestion_surcharges, congestion_surcharges AS card_tips) FROM rows",
        ),
        ("daily_metrics", "SELECT * REPLACE (refunded_trips + 1 AS refunded_trips) FROM rows"),
        ("customer_behavior", "SELECT * REPLACE (0::DECIMAL(18, 2) AS card_tips) FROM rows"),
    ],
)
def test_swapped_or_lost_amounts_of_a_table_are_caught(
    built: CuratedMonth, table: str, select: str, tmp_path: Path
) -> None:
    rewrite(tmp_path / table, select)
    assert failed(curated.CHECKS, built) == {f"{table}: agrees_with_staging"}


def test_every_count_and_sum_of_money_is_compared_with_staging() -> None:
    for table in CURATED_TABLES.values():
        assert set(table.of_type(Type.BIGINT, Type.MONEY_SUM)) <= curated.ADDITIVE.keys()


def test_of_two_tables_that_disagree_both_are_named(built: CuratedMonth, tmp_path: Path) -> None:
    pair = replace(built, tables={name: built.tables[name] for name in ("daily_metrics", "customer_behavior")})
    rewrite(tmp_path / "daily_metrics", "FROM rows WHERE trips < (SELECT max(trips) FROM rows)")
    answers = [check.evaluate(pair) for check in curated.CHECKS if check.asset.path[-1] in pair.tables]
    apart = {answer.asset.path[-1] for answer in answers if answer.name == "agrees_with_the_other_tables"}
    assert len(apart) == 2
    assert {a.asset.path[-1] for a in answers if a.holds_back and a.name == "agrees_with_the_other_tables"} == apart


def test_a_table_is_compared_with_published_ones_of_the_same_staging(built: CuratedMonth, tmp_path: Path) -> None:
    one = "daily_metrics"
    others = {name: folder for name, folder in built.tables.items() if name != one}
    rewrite(tmp_path / one, "SELECT * REPLACE ((refunded - 1)::DECIMAL(18, 2) AS refunded) FROM rows")
    alone = CuratedMonth(MONTH, built.staging, {one: built.tables[one]}, live=others)
    answers = [check.evaluate(alone) for check in curated.CHECKS if check.asset.path[-1] == one]
    assert {answer.name for answer in answers if answer.holds_back} == {
        "agrees_with_staging",
        "agrees_with_the_other_tables",
    }


def test_every_check_says_what_it_expects_what_it_found_and_how_to_see_the_rows(
    staged: StagedMonth, built: CuratedMonth, published: tuple[Path, MonthResult]
) -> None:
    ledger = Lake.in_folder(published[0]).ledger
    trips, zones = (ledger.current(MONTH, dataset) for dataset in (TRIPS_DATASET, ZONES_DATASET))
    assert trips is not None
    assert zones is not None
    facts: Any = {**verify_trips(Path(trips.path), "url", MONTH), "path": trips.path}
    facts |= {"bytes": trips.bytes, "sha256": trips.sha256}
    lookup: Any = {"rows": 265, "path": zones.path}
    landed = LandedMonth(MONTH, facts, lookup)
    answers = [
        check.evaluate(subject)
        for checks, subject in ((raw.CHECKS, landed), (staging.CHECKS, staged), (curated.CHECKS, built))
        for check in cast("list[Check[Any]]", checks)
    ]
    assert len(answers) >= 45
    with duckdb.connect() as connection:
        for answer in answers:
            assert answer.outcome.passed == (answer.name != "every_day_has_trips"), answer  # the month has three days
            assert answer.outcome.expected
            assert answer.outcome.actual
            metadata = answer.result.metadata
            assert {"expected", "actual", "rows_to_look_at"} <= metadata.keys()
            assert connection.execute(answer.outcome.rows_to_look_at).fetchall() is not None
