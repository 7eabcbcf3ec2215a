"""Each audit against a month that a faulty job would have written."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from glue_jobs.contracts import CURATED_TABLES, QUARANTINE, TRIPS, tlc
from glue_jobs.contracts.raw import TRIPS_DATASET, ZONES_DATASET
from taxi_assets.asset_checks import curated, staging
from taxi_assets.asset_checks.audit import Audit, first_row, scan
from taxi_assets.asset_checks.curated import CuratedMonth
from taxi_assets.asset_checks.staging import StagedMonth
from taxi_assets.lake import Lake
from taxi_assets.running import MonthResult
from taxi_assets_tests.conftest import MONTH


def failed(audits: list[Audit[Any]], subject: object) -> set[str]:
    return {f"{one.asset.path[-1]}: {one.name}" for one in audits if not one.evaluate(subject).outcome.passed}


def rewrite(folder: Path, select: str) -> None:
    """Replace the files below ``folder`` by one with the rows of ``select`` over them (``FROM rows``)."""
    rows = f"read_parquet('{folder}/**/*.parquet', hive_partitioning = false)"
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE written AS WITH rows AS (FROM {rows}) {select}")
        shutil.rmtree(folder)
        folder.mkdir()
        connection.execute(f"COPY written TO '{folder}/part-0.parquet' (FORMAT parquet)")


@pytest.fixture
def staged(published: tuple[Path, MonthResult], tmp_path: Path) -> StagedMonth:
    """A copy of what the job wrote, with the facts that it reported."""
    lake = Lake.in_folder(published[0])
    live = {table.name: lake.publisher.live(table, MONTH) for table in (TRIPS, QUARANTINE)}
    folders = {}
    for name, publication in live.items():
        assert publication is not None
        folders[name] = shutil.copytree(publication.path, tmp_path / name)
    source = lake.ledger.current(MONTH, TRIPS_DATASET)
    assert source is not None
    money = first_row(
        f"SELECT {', '.join(f'coalesce(sum({c}), 0) AS {c}' for c in tlc.MONEY_COLUMNS)} "
        f"FROM {scan(TRIPS, str(folders['trips']))}"
    )
    facts = {
        "source_rows": published[1].source_rows,
        "published_rows": published[1].published_rows,
        "quarantined_rows": published[1].quarantined_rows,
        "quarantine_reasons": published[1].quarantine_reasons,
        "money": {name: f"{value:.2f}" for name, value in money.items()},
    }
    zones = lake.ledger.current(MONTH, ZONES_DATASET)
    assert zones is not None
    return StagedMonth(MONTH, source.path, zones.path, str(folders["trips"]), str(folders["quarantine"]), facts)


def test_a_good_month_passes_every_staging_audit(staged: StagedMonth) -> None:
    assert failed(staging.AUDITS, staged) == set()


ACCOUNTING, MONEY = "trips: every_row_is_accounted_for", "trips: money_adds_up_to_the_cent"
REPORT, CONTRACT = "trips: report_matches_files", "trips: conforms_to_contract"


@pytest.mark.parametrize(
    ("select", "caught_by"),
    [
        ("SELECT * FROM rows LIMIT 100", {ACCOUNTING, MONEY, REPORT}),
        ("FROM rows UNION ALL (FROM rows LIMIT 1)", {ACCOUNTING, MONEY, REPORT}),
        ("SELECT * REPLACE (total_amount + 0.01 AS total_amount) FROM rows", {MONEY, REPORT, CONTRACT}),
        ("SELECT * REPLACE (extra AS mta_tax, mta_tax AS extra) FROM rows", {MONEY, REPORT}),
        ("SELECT * REPLACE (pickup_at + INTERVAL 40 DAY AS pickup_at) FROM rows", {"trips: trips_lie_in_the_month"}),
        ("SELECT * REPLACE ('2024-03' AS month) FROM rows", {CONTRACT}),
        ("SELECT * EXCLUDE time_of_day_category FROM rows", {CONTRACT}),
        ("SELECT * REPLACE (NULL::DATE AS pickup_date) FROM rows", {CONTRACT}),
        ("SELECT * REPLACE (total_amount::DOUBLE AS total_amount) FROM rows", {CONTRACT}),
        ("SELECT * FROM rows WHERE false", {ACCOUNTING, MONEY, REPORT, "trips: has_rows"}),
    ],
)
def test_a_fault_in_the_trips_is_caught(staged: StagedMonth, select: str, caught_by: set[str]) -> None:
    rewrite(Path(staged.trips), select)
    assert caught_by <= failed(staging.AUDITS, staged)


def test_a_lost_quarantine_row_is_caught(staged: StagedMonth) -> None:
    rewrite(Path(staged.quarantine), "FROM rows LIMIT 2")
    assert ACCOUNTING in failed(staging.AUDITS, staged)


def test_a_quarantine_of_a_tenth_of_the_month_is_caught(staged: StagedMonth) -> None:
    rewrite(Path(staged.quarantine), "SELECT rows.* FROM rows, range(100)")
    assert "quarantine: is_small" in failed(staging.AUDITS, staged)


def test_a_quarantined_row_without_a_reason_is_caught(staged: StagedMonth) -> None:
    rewrite(Path(staged.quarantine), "SELECT * REPLACE (NULL::VARCHAR AS quarantine_reasons) FROM rows")
    assert failed(staging.AUDITS, staged) == {"quarantine: conforms_to_contract"}


def test_a_report_that_says_something_else_than_the_files_is_caught(staged: StagedMonth) -> None:
    lying = replace(staged, facts={**staged.facts, "published_rows": 1})
    assert failed(staging.AUDITS, lying) == {ACCOUNTING}


@pytest.fixture
def built(published: tuple[Path, MonthResult], staged: StagedMonth, tmp_path: Path) -> CuratedMonth:
    tables = published[1].tables
    return CuratedMonth(
        MONTH, staged.trips, {name: str(shutil.copytree(tables[name].path, tmp_path / name)) for name in CURATED_TABLES}
    )


def test_good_tables_pass_every_curated_audit(built: CuratedMonth) -> None:
    assert failed(curated.AUDITS, built) == set()


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
    found = failed(curated.AUDITS, built)
    assert f"{table}: {caught_by}" in found
    assert {name.partition(":")[0] for name in found} == {table}


def answer_to(audits: list[Audit[Any]], name: str) -> Callable[[object], Any]:
    return next(one for one in audits if one.name == name).evaluate


def test_a_failed_audit_shows_what_was_expected_and_what_is(staged: StagedMonth) -> None:
    rewrite(Path(staged.trips), "FROM rows LIMIT 100")
    result = answer_to(staging.AUDITS, "every_row_is_accounted_for")(staged).result
    assert result.metadata["expected"].value == f"{staged.facts['source_rows']} source rows"
    assert result.metadata["actual"].value.startswith("100 published + ")
