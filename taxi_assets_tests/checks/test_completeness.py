"""A month that is not whole is seen without any other month to compare it with."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from glue_jobs.contracts import MONTHLY_TABLES, TRIPS, tlc
from taxi_assets.checks.staging import registry as staging
from taxi_assets.checks.staging.subject import StagedMonth
from taxi_assets.lake.lake import Lake
from taxi_assets.operations.run_month import MonthResult, run_month
from taxi_assets.settings import Settings
from taxi_assets_tests.conftest import MONTH
from taxi_assets_tests.support.checking import answer_to, rewrite
from taxi_assets_tests.support.publishing_by_hand import live_versions

days, kept = (answer_to(staging.CHECKS, name) for name in ("every_day_has_trips", "keeps_what_is_live"))
WITHOUT_A_DAY = "FROM rows WHERE pickup_date <> '2024-02-02'"


def test_days_without_trips_are_named_and_hold_nothing_back(staged: StagedMonth) -> None:
    rewrite(Path(staged.trips), WITHOUT_A_DAY)
    answer = days(staged)
    assert not answer.outcome.passed
    assert not answer.holds_back
    assert answer.outcome.actual == "no trips on 2024-02-02, 2024-02-04 to 2024-02-29"
    assert answer.outcome.measures == {"days_without_trips": 27}


def test_a_month_with_trips_on_each_day_is_whole(staged: StagedMonth) -> None:
    stretched = "DATE '2024-02-01' + (row_number() OVER () % 29)::INT"
    rewrite(Path(staged.trips), f"SELECT * REPLACE ({stretched} AS pickup_date) FROM rows")
    assert days(staged).outcome.passed


def test_the_first_publication_of_a_month_has_nothing_to_keep(staged: StagedMonth) -> None:
    assert kept(staged).outcome.passed


@pytest.mark.parametrize(
    ("select", "found"),
    [
        (WITHOUT_A_DAY, "no trips any more on 2024-02-02"),
        ("FROM rows ORDER BY row_hash LIMIT 1500", "rows became 1,500"),
        ("SELECT * REPLACE (total_amount / 2 AS total_amount) FROM rows", "USD became"),
        ("FROM rows WHERE false", "no trips any more on 2024-02-01 to 2024-02-03"),
    ],
)
def test_a_month_that_loses_much_of_what_is_live_is_held_back(
    staged: StagedMonth, tmp_path: Path, select: str, found: str
) -> None:
    live = str(shutil.copytree(staged.trips, tmp_path / "live"))
    rewrite(Path(staged.trips), select)
    answer = kept(replace(staged, live=live))
    assert answer.holds_back
    assert found in answer.outcome.actual
    assert "taxi-assets run --month 2024-02 --accept-smaller WHY" in answer.outcome.actual
    accepted = kept(replace(staged, live=live, accepted_smaller="ada: the TLC took them back"))
    assert accepted.outcome.passed
    assert accepted.outcome.actual.endswith("; accepted by ada: the TLC took them back")


@pytest.mark.parametrize(
    "select",
    [
        "FROM rows",
        "FROM rows ORDER BY row_hash OFFSET 100",
        "FROM rows UNION ALL FROM rows",
        "SELECT * REPLACE (total_amount * 0.99 AS total_amount) FROM rows",
    ],
)
def test_a_month_that_is_corrected_a_little_is_not(staged: StagedMonth, tmp_path: Path, select: str) -> None:
    live = str(shutil.copytree(staged.trips, tmp_path / "live"))
    rewrite(Path(staged.trips), select)
    assert kept(replace(staged, live=live)).outcome.passed


def test_a_republication_that_lost_days_is_published_only_when_somebody_says_why(
    run: Callable[..., MonthResult], source: Path, engine: str, tmp_path: Path
) -> None:
    lake, smaller = tmp_path / "lake", Path(shutil.copytree(source, tmp_path / "smaller"))
    assert run(lake, source).succeeded
    before = live_versions(lake, MONTH)
    file = smaller / tlc.trip_file_path(MONTH)
    until = datetime(2024, 2, 2, 12)
    pq.write_table(pq.read_table(file, filters=[("tpep_pickup_datetime", "<", until)]), file)
    refused = run(lake, smaller)
    assert refused.failed_checks == ["staging/trips: keeps_what_is_live"]
    assert "--accept-smaller WHY" in refused.error
    assert live_versions(lake, MONTH) == before
    settings = Settings(lake=str(lake), source=str(smaller), engine=engine)
    accepted = run_month(settings, MONTH, None, lambda *_: None, accept_smaller="ada: the TLC took them back")
    assert accepted.succeeded, accepted.error
    live = Lake.in_folder(lake).publisher.live(TRIPS, MONTH)
    assert live is not None
    assert live.lineage["accepted_smaller"] == "ada: the TLC took them back"
    assert all(live_versions(lake, MONTH)[name] != before[name] for name in MONTHLY_TABLES)
