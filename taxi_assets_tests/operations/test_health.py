"""What ``taxi-assets health`` says of a lake that is well, and of each thing that can be wrong with one."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from dagster import DagsterEvent, DagsterEventType, DagsterRunStatus
from dagster._core.execution.plan.objects import StepFailureData, UserFailureData
from dagster._daemon.types import DaemonHeartbeat

from glue_jobs.contracts import CURATED_TABLES, TRIPS
from taxi_assets.asset_keys import QUARANTINE_KEY, RAW_TRIPS, RAW_ZONES, STAGING_TRIPS, asset_key
from taxi_assets.aws.deploy import deploy
from taxi_assets.cli.main import main
from taxi_assets.definitions import MONTH_JOB
from taxi_assets.jobs.code import build
from taxi_assets.lake.lake import Lake
from taxi_assets.operations.dagster_instance import dagster_home
from taxi_assets.operations.health.aws import glue_jobs_have_this_code, glue_runs_ended_well, no_alarm_rings
from taxi_assets.operations.health.daemon import daemon_beats, heart_beats
from taxi_assets.operations.health.examine import examine
from taxi_assets.operations.health.finding import Finding, Level
from taxi_assets.operations.health.lake import (
    contracts_catalog_and_files_agree,
    data_is_fresh,
    months_fit_together,
    warehouse_answers,
)
from taxi_assets.operations.health.runs import LONGEST_RUN, runs_succeeded
from taxi_assets.operations.health.subject import Ask, Subject
from taxi_assets.operations.run_month import MonthResult
from taxi_assets.settings import Profile, Settings
from taxi_assets_tests.conftest import MONTH, on_postgres, write_source
from taxi_assets_tests.emulators.aws import JOBS, AwsEmulator, deployed_name
from taxi_assets_tests.support.waiting import wait_until

pytestmark = [pytest.mark.emulator, pytest.mark.postgres]

SOON_AFTER = datetime(2024, 4, 20, tzinfo=timezone.utc)
"""February is the newest month that the TLC has by then."""
LATER = datetime(2024, 7, 1, tzinfo=timezone.utc)
OK, WARN, FAIL = Level.OK, Level.WARN, Level.FAIL
RAW, STAGED = [RAW_TRIPS, RAW_ZONES], [STAGING_TRIPS, QUARANTINE_KEY]
TABLES = [asset_key(table) for table in CURATED_TABLES.values()]
EVERYTHING = [*RAW, *STAGED, *TABLES]


def levels(settings: Settings, now: datetime = SOON_AFTER) -> dict[str, list[Level]]:
    found: dict[str, list[Level]] = {}
    for line in examine(settings, now):
        found.setdefault(line.check, []).append(line.level)
    return found


def findings(ask: Ask, settings: Settings, now: datetime = SOON_AFTER) -> Sequence[Finding]:
    subject = Subject(settings, now)
    with subject.until_the_end:
        return ask(subject)


@pytest.fixture(scope="module")
def few_days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source whose month has three days: each file of a lake is looked at again and again."""
    folder = tmp_path_factory.mktemp("few_days")
    write_source(folder, MONTH, days=3)
    return folder


@pytest.fixture(scope="module")
def own_lake(
    run: Callable[..., MonthResult], few_days: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Settings]:
    """A published month that tests damage and repair."""
    folder = tmp_path_factory.mktemp("health") / "lake"
    assert run(folder, few_days).succeeded
    return folder, Settings(lake=str(folder))


def test_a_lake_that_is_well_is_ok_but_for_the_daemon_that_a_laptop_need_not_have(
    published: tuple[Path, MonthResult],
) -> None:
    settings = Settings(lake=str(published[0]))
    assert levels(settings) == {
        "lake": [OK],
        "months": [OK],
        "catalog and files": [OK],
        "warehouse": [OK],
        "runs": [OK],
        "freshness": [OK],
        "daemon": [WARN],
        "heartbeat": [WARN],
    }
    [daemon] = findings(daemon_beats, settings)
    assert daemon.found == "the daemon has never run on this instance"
    assert "make ui" in daemon.repair


def test_every_line_that_is_not_ok_says_how_to_repair(own_lake: tuple[Path, Settings]) -> None:
    for line in examine(own_lake[1], LATER):
        assert line.found
        assert bool(line.repair) == (line.level is not OK)


@pytest.mark.parametrize(("watch", "level"), [(False, WARN), (True, FAIL)])
def test_a_month_that_is_due_is_a_failure_where_months_are_to_come_by_themselves(
    published: tuple[Path, MonthResult], watch: bool, level: Level
) -> None:
    settings = Settings(lake=str(published[0]), watch=watch)
    [found] = findings(data_is_fresh, settings, LATER)
    assert found.level is level
    assert found.found == "newest whole month 2024-02, ended 122 days ago; due since: 2024-03"
    assert "backfill --from 2024-03 --to 2024-03" in found.repair


def test_the_last_day_before_a_month_is_due_is_not_stale(published: tuple[Path, MonthResult]) -> None:
    settings = Settings(lake=str(published[0]), watch=True)
    due = datetime(2024, 4, 1, tzinfo=timezone.utc) + timedelta(days=70)  # March ended, and 63 + 7 days passed
    assert [found.level for found in findings(data_is_fresh, settings, due - timedelta(minutes=1))] == [OK]
    assert [found.level for found in findings(data_is_fresh, settings, due)] == [FAIL]


@pytest.fixture
def live_file(own_lake: tuple[Path, Settings], tmp_path: Path) -> Iterator[Path]:
    """A live file of the trips, put back afterwards."""
    file = Path(Lake.in_folder(own_lake[0]).publisher.files(TRIPS)[0])
    shutil.copy(file, tmp_path / "good.parquet")
    yield file
    shutil.copy(tmp_path / "good.parquet", file)


def delete(file: Path) -> None:
    file.unlink()


def overwrite(file: Path) -> None:
    file.write_bytes(b"not Parquet at all")


def spoil_footer(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[:-2_000] + b"\xff" * 1_992 + content[-8:])


def shorten(file: Path) -> None:
    pq.write_table(pq.read_table(file)[1:], file)


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [(delete, "is gone"), (overwrite, "is damaged"), (spoil_footer, "is damaged"), (shorten, "rows, the table says")],
)
def test_a_live_file_that_is_not_as_published_is_named(
    own_lake: tuple[Path, Settings], live_file: Path, damage: Callable[[Path], None], complaint: str
) -> None:
    damage(live_file)
    [found] = findings(contracts_catalog_and_files_agree, own_lake[1])
    assert found.level is FAIL
    assert str(live_file) in found.found
    assert complaint in found.found
    assert found.repair == "taxi-assets rebuild --yes"


@pytest.mark.parametrize(
    ("damage", "said"), [(delete, "No files found"), (shorten, "rows, published are")], ids=["gone", "short"]
)
def test_a_table_that_sql_cannot_read_whole_is_named(
    own_lake: tuple[Path, Settings], damage: Callable[[Path], None], said: str, tmp_path: Path
) -> None:
    [file] = map(Path, Lake.in_folder(own_lake[0]).publisher.files(CURATED_TABLES["daily_metrics"]))
    shutil.copy(file, tmp_path / "good.parquet")
    damage(file)
    found = findings(warehouse_answers, own_lake[1])
    shutil.copy(tmp_path / "good.parquet", file)
    assert [one.level for one in found] == [FAIL]
    assert found[0].found.startswith("curated.daily_metrics: ")
    assert said in found[0].found
    assert "catalog check" in found[0].repair
    assert [one.level for one in findings(warehouse_answers, own_lake[1])] == [OK]


def test_many_files_of_one_fault_are_one_line(own_lake: tuple[Path, Settings]) -> None:
    files = [Path(file) for file in Lake.in_folder(own_lake[0]).publisher.files(TRIPS)[:3]]
    for file in files:
        file.rename(file.with_suffix(".away"))
    try:
        [found] = findings(contracts_catalog_and_files_agree, own_lake[1])
    finally:
        for file in files:
            file.with_suffix(".away").rename(file)
    assert found.found.endswith("is gone (and 2 more)")


def test_tables_of_another_staging_are_named_and_only_a_warning_while_a_run_is_on_its_way(
    run: Callable[..., MonthResult], few_days: Path, tmp_path: Path
) -> None:
    settings = Settings(lake=str(tmp_path / "lake"))
    assert run(tmp_path / "lake", few_days).succeeded
    assert run(tmp_path / "lake", few_days, tables=["daily_metrics"]).succeeded
    found = findings(months_fit_together, settings)
    assert [(one.level, one.repair) for one in found] == [(FAIL, f"taxi-assets run --month {MONTH}")] * 4
    assert f"{MONTH}: location_analytics was computed from another version of staging" in [one.found for one in found]
    with dg.DagsterInstance.from_config(str(dagster_home(settings))) as instance:
        instance.add_run(dg.DagsterRun(MONTH_JOB, tags={"dagster/partition": MONTH}, status=DagsterRunStatus.STARTED))
    found = findings(months_fit_together, settings)
    assert [(one.level, one.repair) for one in found] == [(WARN, "wait for it")] * 4


class Log:
    """A Dagster instance to which runs are added, each newer than those before."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance

    def add(
        self,
        status: DagsterRunStatus,
        keys: Sequence[dg.AssetKey] = (),
        made: Sequence[dg.AssetKey] = (),
        said: str = "",
        month: str = MONTH,
        job: str = MONTH_JOB,
    ) -> str:
        run = dg.DagsterRun(
            job,
            run_id=str(uuid.uuid4()),
            tags={"dagster/partition": month},
            asset_selection=frozenset(keys) or None,
            status=status,
        )
        self.instance.add_run(run)
        for key in made:
            event = dg.AssetMaterialization(key, partition=month)
            self._report(run, DagsterEventType.ASSET_MATERIALIZATION, _materialized(event))
        if said:
            failure = UserFailureData("", said, {})  # type: ignore[no-untyped-call]
            told = StepFailureData(error=None, user_failure_data=failure)  # type: ignore[no-untyped-call]
            self._report(run, DagsterEventType.STEP_FAILURE, told)
        return run.run_id

    def _report(self, run: dg.DagsterRun, kind: DagsterEventType, data: Any) -> None:
        event = DagsterEvent(
            event_type_value=kind.value, job_name=run.job_name, event_specific_data=data, step_key="stage_trips"
        )
        self.instance.report_dagster_event(event, run.run_id)

    def findings(self, now: datetime = SOON_AFTER) -> Sequence[Finding]:
        subject = Subject(Settings(), now)
        subject.__dict__["instance"] = self.instance
        return runs_succeeded(subject)

    @property
    def levels(self) -> list[Level]:
        return [found.level for found in self.findings()]


def _materialized(event: dg.AssetMaterialization) -> Any:
    from dagster._core.events import StepMaterializationData

    return StepMaterializationData(event)


@pytest.fixture(params=["in memory", "Postgres"])
def log(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    if request.param == "Postgres":
        on_postgres(tmp_path, request.getfixturevalue("postgres"), monkeypatch)
        instance = dg.DagsterInstance.from_config(str(tmp_path))
    else:
        instance = dg.DagsterInstance.ephemeral()
    with instance:
        yield Log(instance)


FAILED, DONE = DagsterRunStatus.FAILURE, DagsterRunStatus.SUCCESS


def test_a_failed_run_that_nothing_followed_is_named_with_what_it_said(log: Log) -> None:
    run_id = log.add(FAILED, EVERYTHING, RAW, said="the checks failed.\nWhat to do: look at them.")
    [found] = log.findings()
    assert found.level is FAIL
    assert found.found == (
        f"{MONTH}: run {run_id[:8]} ({MONTH_JOB}) failed: the checks failed. What to do: look at them."
    )
    assert (
        found.repair
        == f"taxi-assets run --month {MONTH}; if that is not wanted: delete http://127.0.0.1:3000/runs/{run_id}"
    )


def test_a_good_run_makes_the_failed_ones_before_it_good_but_not_one_after_it(log: Log) -> None:
    log.add(FAILED, EVERYTHING)
    log.add(FAILED, EVERYTHING)
    log.add(DONE, EVERYTHING)
    assert log.levels == [OK]
    log.add(FAILED, EVERYTHING)
    assert log.levels == [FAIL]


def test_a_failed_run_is_made_good_by_runs_of_what_it_did_not_make(log: Log) -> None:
    log.add(FAILED, EVERYTHING, made=[*RAW, *STAGED])
    log.add(DONE, TABLES[:1])
    assert log.levels == [FAIL]
    log.add(DONE, TABLES[1:])
    assert log.levels == [OK]


def test_what_a_later_failed_run_made_counts(log: Log) -> None:
    log.add(FAILED, EVERYTHING)
    second = log.add(FAILED, EVERYTHING, made=[*RAW, *STAGED])
    [found] = log.findings()  # one line a month
    assert second[:8] in found.found
    log.add(DONE, TABLES)
    assert log.levels == [OK]


def test_a_good_run_of_another_month_does_not_help(log: Log) -> None:
    log.add(FAILED, EVERYTHING)
    log.add(DONE, EVERYTHING, month="2024-03")
    assert log.levels == [FAIL]


def test_a_month_that_did_not_pass_its_checks_any_more_is_made_good_by_building_it_again(log: Log) -> None:
    log.add(DONE, EVERYTHING)
    log.add(FAILED, job="verify_published")
    assert log.levels == [FAIL]
    log.add(DONE, EVERYTHING)
    assert log.levels == [OK]


def test_a_good_verification_does_not_make_a_failed_run_good_but_a_failed_verification(log: Log) -> None:
    log.add(FAILED, job="verify_published")
    log.add(DONE, job="verify_published")
    assert log.levels == [OK]
    log.add(FAILED, EVERYTHING)
    log.add(DONE, job="verify_published")
    assert log.levels == [FAIL]


def test_a_failed_month_whose_next_run_is_on_its_way_is_a_warning(log: Log) -> None:
    log.add(FAILED, EVERYTHING)
    log.add(DagsterRunStatus.STARTED, EVERYTHING)
    assert log.levels == [WARN]


def test_a_run_whose_process_was_killed_is_not_waited_for(log: Log) -> None:
    log.add(FAILED, EVERYTHING)
    log.add(DagsterRunStatus.STARTED, EVERYTHING)  # for ever
    half_a_day_later = datetime.now(timezone.utc) + LONGEST_RUN + timedelta(minutes=1)
    assert [found.level for found in log.findings(half_a_day_later)] == [FAIL]


def test_a_daemon_that_has_fallen_silent_is_a_failure_where_months_are_to_come_by_themselves(
    own_lake: tuple[Path, Settings],
) -> None:
    def beat(at: float) -> None:
        with dg.DagsterInstance.from_config(str(dagster_home(own_lake[1]))) as instance:
            for daemon in instance.get_required_daemon_types():
                instance.add_daemon_heartbeat(DaemonHeartbeat(at, daemon, None, None))

    now = datetime.now(timezone.utc)
    beat((now - timedelta(days=1)).timestamp())
    [silent] = findings(daemon_beats, Settings(lake=own_lake[1].lake, watch=True), now)
    assert silent.level is FAIL
    assert f"the last sign was {now - timedelta(days=1):%Y-%m-%d %H:%M}" in silent.found
    assert [found.level for found in findings(daemon_beats, own_lake[1], now)] == [WARN]
    beat(now.timestamp())
    assert [found.level for found in findings(daemon_beats, own_lake[1], now)] == [OK]


def test_a_heartbeat_that_stopped_or_is_of_other_code_is_named(own_lake: tuple[Path, Settings]) -> None:
    watched = Settings(lake=own_lake[1].lake, watch=True)

    def found(settings: Settings) -> tuple[Level, str]:
        [one] = findings(heart_beats, settings)
        return one.level, one.found

    assert found(watched) == (FAIL, "there was never one")
    beat = {"at": SOON_AFTER.isoformat(), "newest_month": MONTH, "code_version": build().version}
    file = own_lake[0] / "health" / "heartbeat.json"
    file.parent.mkdir()
    try:
        file.write_text(json.dumps(beat))
        assert found(watched) == (OK, "the last sign of life is of 2024-04-20 00:00 UTC")
        file.write_text(json.dumps({**beat, "at": (SOON_AFTER - timedelta(minutes=16)).isoformat()}))
        assert found(watched) == (FAIL, "the last sign of life is of 2024-04-19 23:44 UTC")
        assert found(own_lake[1])[0] is WARN
        file.write_text(json.dumps({**beat, "code_version": "other"}))
        assert found(watched) == (WARN, f"the daemon has code other, this checkout is {build().version}")
        file.write_text('{"at": 3}')
        assert levels(watched)["heartbeat"] == [FAIL]
    finally:
        shutil.rmtree(file.parent)


def test_where_there_is_no_lake_all_fails_and_nothing_is_made(tmp_path: Path) -> None:
    lines = examine(Settings(lake=str(tmp_path / "none")), SOON_AFTER)
    assert {line.level for line in lines} == {FAIL}
    assert {line.found for line in lines} == {f"cannot be told: there is no lake in {tmp_path / 'none'}"}
    assert {line.repair for line in lines} == {"check TAXI_LAKE, or make one: taxi-assets demo"}
    assert not (tmp_path / "none").exists()


@pytest.fixture
def metadata(own_lake: tuple[Path, Settings]) -> Iterator[Path]:
    """Iceberg's newest metadata of a table, put back afterwards."""
    table = Lake.in_folder(own_lake[0]).catalog.open(CURATED_TABLES["daily_metrics"])
    path = Path(table.metadata_location)
    good = path.read_bytes()
    yield path
    path.write_bytes(good)


@pytest.mark.parametrize(
    "damage",
    [delete, lambda path: path.write_text("{}"), lambda path: path.write_bytes(b"\x1f\x8b")],
    ids=["gone", "another JSON", "no JSON"],
)
def test_damaged_metadata_fails_the_checks_that_read_it_and_no_other(
    own_lake: tuple[Path, Settings], metadata: Path, damage: Callable[[Path], object]
) -> None:
    damage(metadata)
    found = levels(own_lake[1])
    assert {check for check, level in found.items() if level == [FAIL]} == {
        "lake",
        "months",
        "catalog and files",
        "warehouse",
        "freshness",
    }


def test_an_instance_that_cannot_be_opened_fails_the_checks_that_ask_it_and_no_other(
    published: tuple[Path, MonthResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    for config in ("storage: {postgres: {}}", "storage: [", "run_storage: {module: no_such_module, class: X}"):
        (tmp_path / "dagster.yaml").write_text(config)
        found = levels(Settings(lake=str(published[0])))
        assert {check for check, level in found.items() if level == [FAIL]} == {"runs", "daemon"}


def taxi_assets(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], env={"COLUMNS": "240"})


def test_the_command_exits_0_with_warnings_alone_and_1_with_a_failure(
    published: tuple[Path, MonthResult], tmp_path: Path
) -> None:
    well = taxi_assets("health", "--lake", published[0])
    assert well.exit_code == 0, well.output
    assert "warn" in well.output  # 2024 is long ago
    assert taxi_assets("health", "--lake", tmp_path / "none").exit_code == 1


def test_the_command_gives_programs_json(own_lake: tuple[Path, Settings], live_file: Path) -> None:
    live_file.unlink()
    said = taxi_assets("health", "--json", "--lake", own_lake[0])
    assert said.exit_code == 1
    lines = json.loads(said.output)
    assert all(set(line) == {"check", "level", "found", "repair"} for line in lines)
    assert [line["check"] for line in lines if line["level"] == "fail"] == ["catalog and files"]


@pytest.fixture(scope="module")
def on_aws(aws: AwsEmulator) -> Settings:
    aws.provision("health", [deployed_name(job) for job in JOBS])
    return Settings(profile=Profile.AWS, lake="s3://health/lake")


def test_glue_jobs_must_exist_and_have_this_code(aws: AwsEmulator, on_aws: Settings) -> None:
    not_deployed = findings(glue_jobs_have_this_code, on_aws)
    assert [found.level for found in not_deployed] == [FAIL] * len(JOBS)
    assert "taxi-stage-trips has code of nobody, this checkout is" in not_deployed[1].found
    assert "taxi-assets deploy" in not_deployed[1].repair
    deploy(on_aws)
    assert [found.level for found in findings(glue_jobs_have_this_code, on_aws)] == [OK]
    others = findings(glue_jobs_have_this_code, on_aws.model_copy(update={"glue_job_prefix": "other-"}))
    assert others[0].found == "other-ingest-raw does not exist"
    assert "Terraform" in others[0].repair


def test_a_glue_run_that_failed_is_named_until_a_good_one_of_its_month_followed(
    aws: AwsEmulator, on_aws: Settings
) -> None:
    def end_one(state: str, month: str) -> None:
        aws.faults.end_run("taxi-stage-trips", state, "it broke")
        glue = aws.client("glue")
        run = glue.start_job_run(JobName="taxi-stage-trips", Arguments={"--month": month})["JobRunId"]
        wait_until(
            lambda: glue.get_job_run(JobName="taxi-stage-trips", RunId=run)["JobRun"]["JobRunState"] == state,
        )

    now = datetime.now(timezone.utc)
    end_one("TIMEOUT", "2024-01")
    end_one("FAILED", "2024-02")
    february, january = findings(glue_runs_ended_well, on_aws, now)
    assert (february.level, january.level) == (FAIL, FAIL)
    assert february.found.startswith("2024-02: Glue job taxi-stage-trips, run jr_")
    assert february.found.endswith("FAILED: it broke")
    assert "TAXI_GLUE_TIMEOUT_MINUTES" in january.repair
    assert "console.aws.amazon.com" in january.repair
    end_one("SUCCEEDED", "2024-01")
    assert len(findings(glue_runs_ended_well, on_aws, now)) == 1
    [old] = findings(glue_runs_ended_well, on_aws, now + timedelta(days=2))
    assert old.level is OK


def test_an_alarm_that_rings_is_named_with_its_reason_and_what_it_says_to_do(
    aws: AwsEmulator, on_aws: Settings
) -> None:
    assert [found.level for found in findings(no_alarm_rings, on_aws)] == [WARN]
    cloudwatch = aws.client("cloudwatch")
    alarm = {
        "Namespace": "TaxiAssets",
        "MetricName": "MonthsBehind",
        "Statistic": "Maximum",
        "Period": 300,
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    }
    for name, description in (("taxi-months-behind", "see the runbook"), ("taxi-other", ""), ("not-ours", "")):
        cloudwatch.put_metric_alarm(AlarmName=name, AlarmDescription=description, **alarm)
    assert [found.level for found in findings(no_alarm_rings, on_aws)] == [OK]
    for name in ("taxi-months-behind", "taxi-other", "not-ours"):
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="2 is not less than 1")
    months, other = findings(no_alarm_rings, on_aws)
    assert (months.level, months.found) == (FAIL, "taxi-months-behind: 2 is not less than 1")
    assert months.repair == "see the runbook"
    assert other.repair.endswith("#alarmsV2:alarm/taxi-other")


def test_what_aws_refuses_fails_its_check_and_says_what_to_do(aws: AwsEmulator, on_aws: Settings) -> None:
    aws.faults.fail("glue", "GetJob", "AccessDeniedException", "not allowed to glue:GetJob")
    lines = {line.check: line for line in examine(on_aws, datetime.now(timezone.utc))}
    assert lines["Glue jobs"].level is FAIL
    assert "cannot be told: Glue job taxi-ingest-raw could not be read" in lines["Glue jobs"].found
    assert lines["Glue jobs"].repair == (
        "give the role the action that the message names (infra/api-calls.json lists them)"
    )
    assert lines["runs"].repair == "name the folder of Dagster's instance (TAXI_PROFILE=aws)"
    assert lines["Glue runs"].level in (OK, FAIL)  # it was asked all the same
    assert "cannot be told" not in lines["Glue runs"].found
