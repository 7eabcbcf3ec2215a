from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pyarrow.parquet as pq

from glue_jobs.contracts.rules import RULES_VERSION
from taxi_assets.asset_keys import CHECK_HISTORY_KEY, REFERENCE_KEYS, STAGING_TRIPS
from taxi_assets.lake.lake import Lake
from taxi_assets.operations.dagster_instance import dagster_home
from taxi_assets.operations.run_month import MonthResult
from taxi_assets.settings import Settings
from taxi_assets_tests.conftest import MONTH, on_three_days, write_source
from taxi_assets_tests.support.publishing_by_hand import live_versions, publish_month, record


def test_an_empty_history_has_no_measures(lake: Lake) -> None:
    assert lake.checks.measures("staging/trips", {MONTH: "v1"}) == {}


def test_measures_are_those_of_the_versions_that_readers_see(lake: Lake) -> None:
    record(lake, "2024-01", "v1", {"trips_per_day": 1.0, "pickup_zones": 200.0})
    record(lake, "2024-01", "v2", {"trips_per_day": 2.0, "pickup_zones": 200.0})
    record(lake, "2024-02", "refused", {"trips_per_day": 3.0, "pickup_zones": 200.0})
    assert lake.checks.measures("staging/trips", {"2024-01": "v1"})["trips_per_day"] == {"2024-01": 1.0}
    assert lake.checks.measures("staging/trips", {"2024-01": "v2"})["trips_per_day"] == {"2024-01": 2.0}
    assert lake.checks.measures("staging/quarantine", {"2024-01": "v2"}) == {}


def test_of_two_checks_of_one_version_the_newest_counts(lake: Lake) -> None:
    record(lake, MONTH, "v1", {"trips_per_day": 1.0, "pickup_zones": 200.0})
    record(lake, MONTH, "v1", {"trips_per_day": 5.0, "pickup_zones": 200.0})
    assert lake.checks.measures("staging/trips", {MONTH: "v1"})["trips_per_day"] == {MONTH: 5.0}


def test_every_check_of_a_run_is_in_the_history(published: tuple[Path, MonthResult]) -> None:
    lake, result = published
    with Lake.in_folder(lake).connect() as connection:
        answers = connection.execute(
            "SELECT count(*), count(DISTINCT (asset, check_name)), count(*) FILTER (passed), any_value(rules_version), "
            "count(expected), count(actual), count(rows_to_look_at) FROM quality.check_history "
            "WHERE month = ? AND run_id = ? AND measure = ''",
            [MONTH, result.run_id],
        ).fetchall()
        measures = connection.execute(
            "SELECT count(*), count(value), count(DISTINCT measure) FROM quality.check_history WHERE measure <> ''"
        ).fetchall()
    checks = sum(result.checks.values()) - 3  # those of the reference data are of no month
    passed = result.checks["passed"] - 3
    assert answers == [(checks, checks, passed, RULES_VERSION, checks, checks, checks)]
    assert measures[0][0] == measures[0][1] == measures[0][2] > 40


def test_dagster_keeps_the_answers_by_month_and_shows_the_history_as_an_asset(
    published: tuple[Path, MonthResult],
) -> None:
    lake, result = published
    with dg.DagsterInstance.from_config(str(dagster_home(Settings(lake=str(lake))))) as instance:
        checked = [
            entry.dagster_event.asset_check_evaluation_data
            for entry in instance.all_logs(result.run_id)
            if entry.dagster_event and entry.dagster_event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION
        ]
        assert len(checked) == sum(result.checks.values())
        assert {check.partition for check in checked if check.asset_key not in REFERENCE_KEYS} == {MONTH}
        assert any(check.asset_key == STAGING_TRIPS for check in checked)
        history = instance.get_latest_materialization_event(CHECK_HISTORY_KEY)
        assert history is not None
        assert history.asset_materialization is not None
        assert history.asset_materialization.partition == MONTH


def test_a_month_is_compared_with_the_months_that_are_published(
    run: Callable[..., MonthResult], published: tuple[Path, MonthResult], tmp_path: Path
) -> None:
    measured = Lake.in_folder(published[0]).checks.measures(
        "staging/trips", {MONTH: live_versions(published[0], MONTH)["staging.trips"] or ""}
    )
    assert len(measured) > 20
    lake = Lake.in_folder(tmp_path / "lake")
    for number, month in enumerate(("2023-10", "2023-11", "2023-12", "2024-01")):
        measures = {name: values[MONTH] * (1 + number / 100) for name, values in measured.items()}
        record(lake, month, "v1", measures)
        publish_month(lake, month, "v1", tables=[])
    file = write_source(tmp_path / "source", MONTH, rows=20_000)
    pq.write_table(on_three_days(pq.read_table(file), MONTH), file)
    result = run(tmp_path / "lake", tmp_path / "source", tables=["daily_metrics"])
    assert result.succeeded, result.error
    assert {"staging/trips: volume_is_usual", "staging/trips: revenue_is_usual"} <= set(result.warned_checks)
    assert result.checks["failed"] == 0
    with Lake.in_folder(tmp_path / "lake").connect() as connection:
        [(actual,)] = connection.execute(
            "SELECT actual FROM quality.check_history WHERE month = ? AND check_name = 'volume_is_usual' "
            "AND measure = ''",
            [MONTH],
        ).fetchall()
    assert "trips_per_day" in actual
    assert "against 4 months" in actual
