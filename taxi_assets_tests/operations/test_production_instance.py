"""taxi_assets/operations/instance/production.yaml as it is, on a real Postgres and an emulated S3."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import quote

import dagster as dg
import pytest
from click.testing import CliRunner, Result
from dagster import DagsterEventType, DagsterRunStatus
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.partition_status_cache import AssetPartitionStatus

from glue_jobs.contracts import CURATED_TABLES
from taxi_assets.asset_keys import RAW_TRIPS, STAGING_TRIPS, asset_key
from taxi_assets.assets.specs import RUNS_POOL
from taxi_assets.cli.main import main
from taxi_assets.definitions import build_definitions
from taxi_assets.operations.health.daemon import daemon_beats
from taxi_assets.operations.health.examine import answer
from taxi_assets.operations.health.finding import Level
from taxi_assets.operations.health.subject import Subject
from taxi_assets.partitions import MONTHS
from taxi_assets.schedules.verify_published import VERIFY_JOB
from taxi_assets.sensors.lost_jobs import stop_lost_jobs
from taxi_assets.settings import Settings
from taxi_assets_tests.conftest import MONTH, PRODUCTION, write_source
from taxi_assets_tests.emulators.aws import AwsEmulator, Role
from taxi_assets_tests.support.dagster_dev import Dagster, running_dagster
from taxi_assets_tests.support.postgres import HOST, PASSWORD, Postgres
from taxi_assets_tests.support.waiting import HANGS_AFTER, wait_until

pytestmark = [pytest.mark.emulator, pytest.mark.postgres, pytest.mark.daemon]

LOGS = "taxi-logs"


@pytest.fixture(scope="module")
def home(aws: AwsEmulator, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a production instance, which the environment names."""
    folder = tmp_path_factory.mktemp("production")
    shutil.copyfile(PRODUCTION, folder / "dagster.yaml")
    aws.client("s3").create_bucket(Bucket=LOGS)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in postgres.new_database().items():
            patch.setenv(name, value)
        patch.setenv("TAXI_LOG_BUCKET", LOGS)
        patch.setenv("DAGSTER_HOME", str(folder))
        patch.setattr(tempfile, "tempdir", str(folder))  # where compute logs lie until they are in S3
        yield folder


@dataclass(frozen=True)
class Month:
    """A month that was run, and its lake."""

    lake: Path
    run_id: str
    checks_passed: int


@pytest.fixture(scope="module")
def month(home: Path, engine: str, tmp_path_factory: pytest.TempPathFactory) -> Month:
    """Run by the command, in a process that keeps its compute logs elsewhere."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    source = elsewhere / "source"
    write_source(source, MONTH, days=3)
    command = [sys.executable, "-m", "taxi_assets.cli.main", "run", "--month", MONTH, "--json", "--source", str(source)]
    done = subprocess.run(
        [*command, "--lake", str(elsewhere / "lake")],
        env={**os.environ, "TMPDIR": str(elsewhere), "TAXI_ENGINE": engine},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    return Month(elsewhere / "lake", said["run_id"], said["checks"]["passed"])


@pytest.fixture
def instance(home: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield instance


def test_a_month_of_one_process_is_read_by_another(month: Month, instance: dg.DagsterInstance) -> None:
    [record] = instance.get_run_records()
    assert (record.dagster_run.run_id, record.dagster_run.status) == (month.run_id, DagsterRunStatus.SUCCESS)
    assert record.start_time is not None
    assert abs(record.create_timestamp.timestamp() - record.start_time) < HANGS_AFTER  # whatever the server's time zone
    for key in (RAW_TRIPS, STAGING_TRIPS, *map(asset_key, CURATED_TABLES.values())):
        statuses = instance.get_status_by_partition(key, MONTHS.get_partition_keys(), MONTHS)
        assert statuses is not None
        assert [one for one, status in statuses.items() if status] == [MONTH]
        assert statuses[MONTH] is AssetPartitionStatus.MATERIALIZED
    checks = instance.event_log_storage.get_latest_asset_check_execution_by_key(
        list(build_definitions(Settings()).resolve_asset_graph().asset_check_keys)
    )
    passed = [one for one in checks.values() if one.status == AssetCheckExecutionRecordStatus.SUCCEEDED]
    assert len(passed) == month.checks_passed > 0
    assert {key.name for key, one in checks.items() if one not in passed} == {"every_day_has_trips"}  # it has three


def test_what_a_run_printed_is_read_from_s3(month: Month, instance: dg.DagsterInstance, aws: AwsEmulator) -> None:
    [record] = instance.get_records_for_run(month.run_id, of_type=DagsterEventType.LOGS_CAPTURED).records
    event = record.event_log_entry.get_dagster_event()
    key = instance.compute_log_manager.build_log_key_for_run(month.run_id, event.logs_captured_data.file_key)
    printed = instance.compute_log_manager.get_log_data(key).stderr
    assert printed is not None
    assert f"{MONTH} stage_trips: write trips".encode() in printed
    calls = [
        call for call in aws.calls.entries if call.role == Role.DAGSTER and call.resource.startswith(f"s3://{LOGS}")
    ]
    assert {action for call in calls for action in call.iam_actions} == {"s3:PutObject", "s3:GetObject"}
    assert all(call.resource.startswith(f"s3://{LOGS}/logs/dagster/") for call in calls)


def test_a_log_that_cannot_be_kept_fails_no_run(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @dg.op
    def work() -> None:
        pass

    @dg.job
    def working() -> None:
        work()

    monkeypatch.setenv("TAXI_LOG_BUCKET", "no-such-bucket")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        done = working.execute_in_process(quiet, instance=instance)
        [kept] = instance.get_runs(dg.RunsFilter(run_ids=[done.run_id]))
        assert kept.is_success
        instance.delete_run(done.run_id)


def test_only_jobs_whose_run_has_ended_are_lost(instance: dg.DagsterInstance) -> None:
    ended, active = (
        instance.add_run(dg.DagsterRun("stage", status=status)).run_id
        for status in (DagsterRunStatus.FAILURE, DagsterRunStatus.STARTED)
    )

    class Left:
        def stop_lost(self, has_ended: Callable[[str], bool]) -> list[str]:
            return [run_id for run_id in (ended, active, "of another instance") if has_ended(run_id)]

    with dg.build_sensor_context(instance=instance, resources={"jobs": Left()}) as context:
        said = stop_lost_jobs(context)
    assert isinstance(said, dg.SkipReason)
    assert said.skip_message == f"stopped {ended}"
    for run_id in (ended, active):
        instance.delete_run(run_id)


def taxi_assets(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], env={"COLUMNS": "240"})


def lines_of(said: Result) -> dict[str, dict[str, str]]:
    return {line["check"]: line for line in json.loads(said.stdout)}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Postgres is asked again at once instead of for ten seconds."""
    monkeypatch.setattr("dagster_postgres.utils.calculate_delay", lambda **_: 0.0)


def wrong_password(patch: pytest.MonkeyPatch) -> str:
    patch.setenv("DAGSTER_PG_PASSWORD", "not the pass/word")
    return 'password authentication failed for user "dagster"'


def nothing_there(patch: pytest.MonkeyPatch) -> str:
    with socket.socket() as free:
        free.bind((HOST, 0))
        patch.setenv("DAGSTER_PG_PORT", str(free.getsockname()[1]))
    return "Connection refused"


def no_variable(patch: pytest.MonkeyPatch) -> str:
    patch.delenv("DAGSTER_PG_PASSWORD")
    return "names variables that are not set: DAGSTER_PG_PASSWORD"


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("spoil", [wrong_password, nothing_there, no_variable])
def test_a_database_that_cannot_be_used_is_named_without_its_password(
    month: Month, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[pytest.MonkeyPatch], str]
) -> None:
    complaint = spoil(monkeypatch)
    said = taxi_assets("health", "--json", "--lake", month.lake)
    assert said.exit_code == 1
    lines = lines_of(said)
    assert [name for name, line in lines.items() if line["level"] == "fail"] == ["runs", "daemon"]
    assert complaint in lines["runs"]["found"]
    assert "docs/aws.md" in lines["runs"]["repair"]
    run = taxi_assets("run", "--month", MONTH, "--source", "synthetic:rows=500", "--lake", month.lake)
    assert run.exit_code == 1
    assert complaint in run.stderr
    assert "What to do: " in run.stderr
    for text in (said.output, run.output):
        assert "Traceback" not in text
        assert "pass/w" not in text
        assert quote(PASSWORD) not in text


@pytest.mark.usefixtures("impatient")
def test_a_database_that_goes_away_between_two_checks_is_named_too(
    month: Month, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = Subject(Settings(lake=str(month.lake)), datetime.now(timezone.utc))
    with subject.until_the_end:
        assert answer(daemon_beats, subject)[0].level is Level.WARN
        with postgres.refusing_connections():
            [found] = answer(daemon_beats, subject)
        assert found.level is Level.FAIL
        assert "Dagster's database cannot be used: " in found.found
        assert answer(daemon_beats, subject)[0].level is Level.WARN


def test_the_daemon_lives_on_it_and_pools_are_kept(month: Month, instance: dg.DagsterInstance) -> None:
    instance.event_log_storage.set_concurrency_slots(RUNS_POOL, 1)
    settings = Settings(lake=str(month.lake), watch=False)
    with running_dagster(settings, {}) as dagster:
        verifications = [launched(dagster) for _ in range(2)]

        def ended() -> bool:
            return all(run.is_finished for run in instance.get_runs(dg.RunsFilter(run_ids=verifications)))

        def daemon_is_well() -> bool:
            said = taxi_assets("health", "--json", "--lake", month.lake)
            return lines_of(said)["daemon"]["level"] == "ok"

        wait_until(ended, dagster.log, every=0.5)
        wait_until(daemon_is_well, dagster.log, every=0.5)
    first, second = instance.get_run_records(dg.RunsFilter(run_ids=verifications), ascending=True)
    assert {first.dagster_run.status, second.dagster_run.status} == {DagsterRunStatus.SUCCESS}, dagster.log()
    assert first.end_time is not None
    assert second.start_time is not None
    assert first.end_time <= second.start_time


def launched(dagster: Dagster) -> str:
    """The id of a new run that asks the month's checks again, as the UI begins it."""
    [repository] = dagster.ask(
        "{ repositoriesOrError { ... on RepositoryConnection { nodes { name location { name } } } } }"
    )["repositoriesOrError"]["nodes"]
    selector = {
        "repositoryName": repository["name"],
        "repositoryLocationName": repository["location"]["name"],
        "jobName": VERIFY_JOB,
    }
    tags = [{"key": "dagster/partition", "value": MONTH}]
    answered = dagster.ask(
        """mutation ($it: ExecutionParams!) { launchRun(executionParams: $it) {
            __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }""",
        it={"selector": selector, "mode": "default", "executionMetadata": {"tags": tags}},
    )["launchRun"]
    assert answered["__typename"] == "LaunchRunSuccess", answered
    run_id: str = answered["run"]["runId"]
    return run_id
