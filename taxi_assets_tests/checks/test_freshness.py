"""Whether tables are fresh is judged by their newest month, whatever was materialized last."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from glue_jobs.contracts import MONTHLY_TABLES, TRIPS
from glue_jobs.contracts.raw import TRIPS_DATASET
from taxi_assets.asset_keys import QUARANTINE_KEY, RAW_TRIPS, STAGING_TRIPS, asset_key
from taxi_assets.checks.freshness import IS_FRESH, freshness_checks
from taxi_assets.definitions import MONTH_JOB, build_definitions
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.resource import LakeResource
from taxi_assets.settings import Profile, Settings

KEYS = {RAW_TRIPS, *(asset_key(table) for table in MONTHLY_TABLES.values())}
DUE = datetime(2024, 6, 10, tzinfo=timezone.utc)
"""When March 2024 is due: 70 days after its end."""
Ask = Callable[..., dict[dg.AssetKey, dg.AssetCheckEvaluation]]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake whose trips are published up to February 2024."""
    lake = Lake.in_folder(tmp_path / "lake")
    publish(lake, "2024-02")
    return lake


def publish(lake: Lake, month: str) -> None:
    lake.publisher.publish(TRIPS, month, f"v{month}", {}, replacing=None)


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """The answers, by asset, at a moment."""

    def answers(now: datetime = DUE, *, is_watched: bool = True) -> dict[dg.AssetKey, dg.AssetCheckEvaluation]:
        done = dg.Definitions(
            assets=[dg.AssetSpec(key) for key in KEYS],
            asset_checks=[freshness_checks(is_watched, lambda: now)],
            jobs=[dg.define_asset_job("ask", selection=dg.AssetSelection.all_asset_checks())],
            resources={"lake": LakeResource(root=str(tmp_path / "lake"))},
        )
        result = done.resolve_job_def("ask").execute_in_process()
        return {answer.asset_key: answer for answer in result.get_asset_check_evaluations()}

    return answers


def told(answer: dg.AssetCheckEvaluation) -> dict[str, Any]:
    return {name: entry.value for name, entry in answer.metadata.items()}


def test_a_table_is_fresh_until_the_month_after_its_newest_is_due(lake: Lake, ask: Ask) -> None:
    before = ask(DUE.replace(day=9))[STAGING_TRIPS]
    assert before.passed
    assert told(before)["actual"] == "newest 2024-02; none after it is due"
    due = ask(DUE)[STAGING_TRIPS]
    assert (due.passed, due.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert told(due) == {
        "expected": "no month due after the newest",
        "actual": "newest 2024-02; due since: 2024-03",
        "days_since_its_end": 101,
        "months_due": 1,
    }


def test_an_old_month_makes_no_table_fresh_and_the_new_one_does(lake: Lake, ask: Ask) -> None:
    publish(lake, "2019-05")
    assert not ask()[STAGING_TRIPS].passed
    publish(lake, "2024-03")
    assert ask()[STAGING_TRIPS].passed


def test_each_table_is_asked_for_its_own_newest_month(lake: Lake, ask: Ask) -> None:
    facts: dict[str, Any] = {"url": "u", "path": "p", "etag": "", "sha256": "a", "bytes": 1, "rows": 1}
    lake.ledger.record("2024-03", TRIPS_DATASET, {**facts, "physical_schema": {}}, "a run")
    answers = ask()
    assert answers.keys() == KEYS
    assert answers[RAW_TRIPS].passed
    assert not answers[STAGING_TRIPS].passed
    assert answers[QUARANTINE_KEY].passed
    assert told(answers[QUARANTINE_KEY])["actual"] == "no month yet"  # nothing was ever asked of it


def test_where_nothing_is_watched_nothing_is_overdue_and_the_check_says_so(lake: Lake, ask: Ask) -> None:
    answer = ask(is_watched=False)[STAGING_TRIPS]
    assert answer.passed
    because = "because none lands by itself here (TAXI_WATCH)"
    assert told(answer)["actual"] == f"newest 2024-02; none after it is due, {because}"
    assert told(answer)["months_due"] == 0


@pytest.fixture(params=[Settings(), Settings(watch=True), Settings(profile=Profile.AWS, lake="s3://bucket")])
def settings(request: pytest.FixtureRequest) -> Iterator[Settings]:
    return request.param  # type: ignore[no-any-return]  # pytest has no type for it


def test_it_is_asked_each_day_where_the_source_is_watched(settings: Settings) -> None:
    definitions = build_definitions(settings)
    schedule = definitions.resolve_schedule_def("ask_freshness_each_day")
    assert (schedule.default_status is dg.DefaultScheduleStatus.RUNNING) is settings.watches_by_itself
    asked = definitions.resolve_job_def("ask_freshness").asset_layer.asset_graph.asset_check_keys
    assert asked == {dg.AssetCheckKey(key, IS_FRESH) for key in KEYS}


def test_a_run_of_a_month_does_not_ask(settings: Settings) -> None:
    keys = build_definitions(settings).resolve_job_def(MONTH_JOB).asset_layer.asset_graph.asset_check_keys
    assert {key for key in keys if key.name == IS_FRESH} == set()
    assert keys


def test_no_asset_has_dagsters_own_freshness(settings: Settings) -> None:
    """It goes by the last materialization of any month."""
    assert [s.key for s in build_definitions(settings).resolve_all_asset_specs() if s.freshness_policy] == []
