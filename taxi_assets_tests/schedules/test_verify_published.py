"""Published months checked again: what is sound passes, what was damaged since is named, nothing changes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from glue_jobs.contracts import CURATED_TABLES, MONTHLY_TABLES, QUARANTINE, TRIPS
from taxi_assets.alerts.event_log import read_news
from taxi_assets.alerts.problems import Kind, Problem
from taxi_assets.asset_keys import CHECK_HISTORY_KEY, RUN_METRICS_KEY, STAGING_TRIPS
from taxi_assets.checks.verify import NotVerifiable, published_months, verify
from taxi_assets.definitions import build_definitions
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.resource import LakeResource
from taxi_assets.lake.status import lake_status
from taxi_assets.metrics.recorder import TableMetrics
from taxi_assets.operations.backfill import plan
from taxi_assets.operations.run_month import MonthResult
from taxi_assets.partitions import MONTHS
from taxi_assets.schedules.verify_published import verify_published
from taxi_assets.settings import Profile, Settings
from taxi_assets_tests.conftest import MONTH, copy_of
from taxi_assets_tests.support.publishing_by_hand import publish_again, publish_month


@pytest.fixture(scope="module")
def lake(published: tuple[Path, MonthResult], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published month that tests damage and repair."""
    return copy_of(published[0], tmp_path_factory.mktemp("verified") / "lake")


@pytest.fixture
def damaged(lake: Path, tmp_path: Path) -> Iterator[str]:
    """A card tip, of which the tables have the sum, was changed in a live file; its path."""
    file = Lake.in_folder(lake).publisher.files(TRIPS)[0]
    shutil.copy(file, tmp_path / "good.parquet")
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE trips AS FROM '{file}'")
        connection.execute(
            "UPDATE trips SET tip_amount = tip_amount + 1 WHERE row_hash = "
            "(SELECT min(row_hash) FROM trips WHERE payment_method = 'Credit card' AND NOT is_refund)"
        )
        connection.execute(f"COPY trips TO '{file}' (FORMAT parquet)")
    yield file
    shutil.copy(tmp_path / "good.parquet", file)


def execute(lake: Path, instance: dg.DagsterInstance, month: str = MONTH) -> dg.ExecuteInProcessResult:
    return verify_published(MONTHS).execute_in_process(
        instance=instance,
        partition_key=month,
        resources={
            "lake": LakeResource(root=str(lake)),
            "metrics": TableMetrics(LakeResource(root=str(lake))),
        },
        raise_on_error=False,
    )


def test_a_sound_month_passes_every_check_and_stays_as_it_is(lake: Path) -> None:
    publisher = Lake.in_folder(lake).publisher
    before = {name: publisher.live(table, MONTH) for name, table in MONTHLY_TABLES.items()}
    verified = verify(Lake.in_folder(lake), MONTH)
    assert verified.failed == []
    assert len(verified.answers) > 30
    assert {answer.asset.path[-1] for answer in verified.answers} == {table.name for table in MONTHLY_TABLES.values()}
    assert {name: publisher.live(table, MONTH) for name, table in MONTHLY_TABLES.items()} == before


def test_a_month_can_be_verified_again_and_again_and_each_answer_is_kept(lake: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        runs = [execute(lake, instance) for _ in range(2)]
        assert all(run.success for run in runs)
        kept = instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(STAGING_TRIPS, "rows_are_those_of_the_source"), limit=10
        )
    assert [record.run_id for record in kept] == [run.run_id for run in reversed(runs)]
    assert {record.status for record in kept} == {AssetCheckExecutionRecordStatus.SUCCEEDED}
    assert {record.partition for record in kept} == {MONTH}
    for run in runs:
        appended = {event.asset_key for event in run.all_events if event.is_step_materialization}
        assert appended == {CHECK_HISTORY_KEY, RUN_METRICS_KEY}


def test_damage_done_since_is_named_and_shown(lake: Path, damaged: str) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        done = execute(lake, instance)
        assert not done.success
        said = str(done.all_events[-1]) + str(
            [event.event_specific_data for event in done.all_events if event.is_failure]
        )
        assert "staging/trips: rows_are_those_of_the_source" in said
        assert "curated/daily_metrics: agrees_with_staging" in said
        assert "Readers see version" in said
        record = instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(STAGING_TRIPS, "rows_are_those_of_the_source"), limit=1
        )[0]
        assert record.event is not None
        assert record.event.asset_check_evaluation is not None
        assert not record.event.asset_check_evaluation.passed
        assert record.event.asset_check_evaluation.partition == MONTH
        told, _ = read_news(instance, -1, 1_000, datetime.now(timezone.utc) + timedelta(minutes=1))
        problems = [one for one in told if isinstance(one, Problem) and one.kind is not Kind.WARNING]
        assert "rows_are_those_of_the_source" in {one.cause for one in problems}
        # Each by its check; not once more because the run failed for it.
        assert {(one.kind, one.month, one.run_id) for one in problems} == {(Kind.FAILED_CHECK, MONTH, done.run_id)}
    with Lake.in_folder(lake).connect() as connection:
        kept = connection.execute(
            "SELECT count(*) FROM quality.check_history WHERE run_id = ? AND NOT passed AND measure = ''", [done.run_id]
        ).fetchall()[0][0]
    assert kept >= 2


def test_a_month_that_is_not_published_says_what_to_do(lake: Path) -> None:
    with pytest.raises(NotVerifiable, match=r"2020-01 is not published\. What to do: run 2020-01 again"):
        verify(Lake.in_folder(lake), "2020-01")


def test_tables_of_another_staging_are_left_to_the_status(published: tuple[Path, MonthResult], tmp_path: Path) -> None:
    lake = Lake.in_folder(copy_of(published[0], tmp_path / "lake"))
    publish_again(lake, MONTH, "another", tables=["daily_metrics"])
    verified = verify(lake, MONTH)
    assert verified.failed == []
    curated = {answer.asset.path[-1] for answer in verified.answers} & set(CURATED_TABLES)
    assert curated == {"daily_metrics"}


def test_what_was_written_under_an_earlier_contract_is_left_to_the_status_and_to_a_backfill(
    published: tuple[Path, MonthResult], tmp_path: Path
) -> None:
    lake = Lake.in_folder(copy_of(published[0], tmp_path / "lake"))
    publish_again(lake, MONTH, "another", daily_metrics="1")
    curated = {answer.asset.path[-1] for answer in verify(lake, MONTH).answers} & set(CURATED_TABLES)
    assert curated == set(CURATED_TABLES) - {"daily_metrics"}
    remark = f"daily_metrics was written under an earlier contract: run {MONTH} again"
    assert [month.remarks for month in lake_status(lake)] == [(remark,)]
    assert plan(lake, MONTH, MONTH, force=False).to_run == (MONTH,)
    publish_again(lake, MONTH, "a third", trips="1")
    with pytest.raises(NotVerifiable, match=f"{MONTH} was published under a contract that is not today's"):
        verify(lake, MONTH)


def asked_for(settings: Settings, lake: Path) -> list[tuple[str | None, str | None]]:
    """Month and run key of the runs that the schedule asks for."""
    definitions = build_definitions(settings)
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(
            instance=instance,
            scheduled_execution_time=datetime(2024, 5, 2, 6, tzinfo=timezone.utc),
            resources={"lake": LakeResource(root=str(lake))},
            repository_def=definitions.get_repository_def(),
        )
        with context:
            requests = definitions.resolve_schedule_def("verify_each_month").evaluate_tick(context).run_requests
    return [(request.partition_key, request.run_key) for request in requests or ()]


def test_the_schedule_asks_for_every_published_month(lake: Path) -> None:
    assert asked_for(Settings(lake=str(lake)), lake) == [(MONTH, f"2024-05 {MONTH}")]


@pytest.mark.parametrize("settings", [Settings(), Settings(profile=Profile.AWS, lake="s3://bucket")])
def test_it_runs_wherever_the_daemon_does_without_being_switched_on(settings: Settings) -> None:
    schedule = build_definitions(settings).resolve_schedule_def("verify_each_month")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING


def test_it_asks_for_no_month_of_which_a_run_could_only_fail(tmp_path: Path) -> None:
    lake = Lake.in_folder(tmp_path / "lake")
    publish_month(lake, "2023-05", "v1")  # by no run: no file is in force for it
    assert published_months(lake) == {"2023-05": "has no file that is in force"}
    assert asked_for(Settings(lake=str(tmp_path / "lake")), tmp_path / "lake") == []


def test_trips_and_quarantine_of_different_versions_are_left_to_the_status(tmp_path: Path) -> None:
    lake = Lake.in_folder(tmp_path)
    publish_month(lake, "2023-05", "v1")
    # As a run, or a rollback, leaves them that is killed between its two commits.
    lake.publisher.publish(QUARANTINE, "2023-05", "v2", {}, lake.publisher.live(QUARANTINE, "2023-05"))
    why_not = "has trips and quarantine of different versions"
    assert published_months(lake) == {"2023-05": why_not}
    with pytest.raises(NotVerifiable, match=why_not):
        verify(lake, "2023-05")


def test_it_asks_for_no_month_that_the_pages_do_not_have(lake: Path) -> None:
    assert asked_for(Settings(lake=str(lake), first_month="2024-03"), lake) == []
