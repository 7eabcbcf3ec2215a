"""The sensor on a real instance: its log, its restarts, a notifier that is away. Days pass as the tests say."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy
from pydantic import Field, SecretStr
from sqlalchemy.engine import Engine

from glue_jobs.contracts import TRIPS
from taxi_assets.alerts.event_log import QUARANTINE_CHECKS
from taxi_assets.alerts.notify import Message, NotDelivered, Notifier
from taxi_assets.alerts.sensor import STATE_KEY, alerts_sensor
from taxi_assets.alerts.slack import SlackNotifier
from taxi_assets.asset_keys import QUARANTINE_KEY
from taxi_assets.checks.freshness import IS_FRESH
from taxi_assets.checks.staging.registry import CHECKS
from taxi_assets.definitions import build_definitions
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.resource import LakeResource
from taxi_assets.partitions import MONTHS
from taxi_assets.settings import Settings
from taxi_assets_tests.conftest import on_postgres

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MONTH = "2024-02"
UI = "https://dagster.example"
_INSTANCE = "telemetry: {enabled: false}\n"
_ONE_LOG = """
event_log_storage:
  module: dagster._core.storage.event_log
  class: ConsolidatedSqliteEventLogStorage
  config: {base_dir: "%s"}
"""


class Inbox(Notifier):
    """Takes messages while it is up."""

    is_wanted = True  # as Slack's

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.is_up = True

    def send(self, message: Message) -> None:
        if not self.is_up:
            raise NotDelivered("it is away", "wait")
        self.messages.append(message)


class Daemon:
    """An instance, and what the sensor daemon does with the alerts sensor. The clock is the test's."""

    def __init__(self, home: Path, lake: Path) -> None:
        self.home, self.lake = home, lake
        self.instance = dg.DagsterInstance.from_config(str(home))
        self.inbox, self.slack = Inbox(), Inbox()
        self.cursor: str | None = None
        self.unreachable_since: datetime | None = None
        self.is_watched = True
        # Events have the time of this machine. Two days on, the hour of the digest has come since.
        self.now = (datetime.now(timezone.utc) + 2 * DAY).replace(hour=8)

    def restart(self) -> None:
        self.instance.dispose()
        self.instance = dg.DagsterInstance.from_config(str(self.home))

    def tick(self, later: timedelta = MINUTE) -> list[Message]:
        """The messages of a tick; NotDelivered if it fails for that."""
        self.now += later
        before = len(self.inbox.messages)
        sensor = alerts_sensor(UI, lambda _: self.unreachable_since, lambda: self.now, self.is_watched)
        resources = {"lake": LakeResource(root=str(self.lake)), "notifier": self.inbox, "slack": self.slack}
        with dg.build_sensor_context(instance=self.instance, cursor=self.cursor, resources=resources) as context:
            self.cursor = sensor.evaluate_tick(context).cursor
        return self.inbox.messages[before:]

    def check(
        self,
        name: str,
        passed: bool,
        month: str = MONTH,
        severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
        asset: str = "staging/trips",
        metadata: Mapping[str, object] | None = None,
    ) -> None:
        """Report an answer of a check, as from outside of any run."""
        self.instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                dg.AssetKey.from_user_string(asset),
                name,
                passed,
                metadata,  # type: ignore[arg-type]  # any value that metadata may have
                severity=severity,
                partition=month,
            )
        )


@pytest.fixture(scope="module", autouse=True)
def _unsynced() -> Iterator[None]:
    """SQLite does not wait for the disk: a thousand events are some four thousand commits."""

    def unsync(connection: object, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA synchronous = OFF")

    sqlalchemy.event.listen(Engine, "connect", unsync)
    yield
    sqlalchemy.event.remove(Engine, "connect", unsync)


@pytest.fixture(params=["a log for each run", "one log", "Postgres"])
def daemon(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """On all kinds of logs: SQLite's, one whose events have one sequence of ids, and production's."""
    home = tmp_path / "home"
    home.mkdir()
    if request.param == "Postgres":
        on_postgres(home, request.getfixturevalue("postgres"), monkeypatch)
    else:
        one_log = _ONE_LOG % (home / "log") if request.param == "one log" else ""
        (home / "dagster.yaml").write_text(_INSTANCE + one_log)
    daemon = Daemon(home, tmp_path / "lake")
    yield daemon
    daemon.instance.dispose()


class Outcome(dg.Config):
    """How a step of the tests' assets is to end."""

    error: str = ""
    failed_checks: list[str] = Field([])
    warned_checks: list[str] = Field([])


@dg.multi_asset(
    name="stage",
    specs=[dg.AssetSpec(["staging", "trips"]), dg.AssetSpec(["staging", "quarantine"])],
    check_specs=[
        dg.AssetCheckSpec("adds_up", asset=["staging", "trips"], blocking=True, partitions_def=MONTHS),
        dg.AssetCheckSpec("is_usual", asset=["staging", "trips"], partitions_def=MONTHS),
        dg.AssetCheckSpec("is_small", asset=["staging", "quarantine"], blocking=True, partitions_def=MONTHS),
    ],
    partitions_def=MONTHS,
)
def stage(
    context: dg.AssetExecutionContext, config: Outcome
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    answers = [
        dg.AssetCheckResult(
            asset_key=["staging", asset],
            check_name=name,
            passed=name not in [*config.failed_checks, *config.warned_checks],
            severity=dg.AssetCheckSeverity.WARN if name in config.warned_checks else dg.AssetCheckSeverity.ERROR,
            metadata={
                "expected": "as many rows",
                "actual": "3 fewer",
                "rows_to_look_at": dg.MetadataValue.md("```sql\nSELECT *\nFROM rows\n```"),
            },
        )
        for asset, name in (("trips", "adds_up"), ("trips", "is_usual"), ("quarantine", "is_small"))
    ]
    if config.failed_checks:
        yield from answers
        raise dg.Failure("checks failed. What to do: repair the cause, then run the month again.", allow_retries=False)
    if config.error:
        raise dg.Failure(config.error, allow_retries=False)
    for asset in ("trips", "quarantine"):
        key = dg.AssetKey(["staging", asset])
        yield dg.MaterializeResult(
            asset_key=key, check_results=[answer for answer in answers if answer.asset_key == key]
        )


@dg.asset(key=["curated", "daily_metrics"], deps=[["staging", "trips"]], partitions_def=MONTHS)
def daily_metrics() -> None:
    pass


def run(daemon: Daemon, month: str = MONTH, **outcome: object) -> str:
    """Run the tests' assets for a month; returns the run's id."""
    config = {"ops": {"stage": {"config": outcome}}, "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    return dg.materialize(
        [stage, daily_metrics],
        instance=daemon.instance,
        partition_key=month,
        run_config=config,
        raise_on_error=False,
    ).run_id


def publish(lake: Path, month: str, version: str, run_id: str) -> None:
    """Publish a version without rows."""
    publisher = Lake.in_folder(lake).publisher
    publisher.publish(TRIPS, month, version, {"run_id": run_id}, replacing=publisher.live(TRIPS, month))


def of_now(messages: list[Message]) -> list[Message]:
    """Without the message that a lake whose newest month is of 2024 is stale."""
    return [message for message in messages if message.kind != "stale_data"]


def test_a_failed_run_is_told_with_month_what_readers_see_run_and_next_step(daemon: Daemon) -> None:
    publish(daemon.lake, MONTH, "the-version-before", "an earlier run")
    run_id = run(daemon, error="the file of 2024-02 has 0 rows. What to do: wait for the TLC to correct it.")
    (message,) = of_now(daemon.tick())
    assert (message.kind, message.severity) == ("run_failure", "ERROR")
    assert message.title == "1 failed run, 2024-02: stage: the file of # has # rows"
    assert message.text == (
        "1. stage: the file of # has # rows: staging/quarantine, staging/trips; 2024-02\n"
        "   2024-02 staging/quarantine: the file of 2024-02 has 0 rows.\n"
        "   Readers still see the version published before (staging/trips): the-version-before.\n"
        "   Readers see nothing of 2024-02 (staging/quarantine).\n"
        f"   Run: {UI}/runs/{run_id}\n"
        "   Next step: wait for the TLC to correct it."
    )
    assert daemon.tick() == []


def test_the_next_good_run_of_the_month_is_told_as_the_end_of_it_once(daemon: Daemon) -> None:
    run(daemon, error="no memory")
    daemon.tick()
    run(daemon, month="2024-03")
    assert daemon.tick() == []
    run(daemon)
    (message,) = daemon.tick()
    assert (message.kind, message.severity) == ("recovery", "INFO")
    assert message.title == "2 problems are over, 2024-02: stage: no memory"
    run(daemon)
    assert daemon.tick(3 * DAY) == []


def test_a_run_that_failed_because_its_checks_did_is_told_as_failed_checks_alone(daemon: Daemon) -> None:
    run_id = run(daemon, failed_checks=["adds_up", "is_small"])
    messages = daemon.tick()
    assert [message.kind for message in messages] == ["failed_check", "quarantine_jump"]
    assert messages[0].text == (
        "1. adds_up: staging/trips; 2024-02\n"
        "   expected as many rows; found 3 fewer\n"
        "   Readers see nothing of 2024-02.\n"
        f"   Run: {UI}/runs/{run_id}\n"
        "   Next step: repair the cause, then run the month again: taxi-assets run --month 2024-02; look at the rows "
        "(SELECT * FROM rows)"
    )
    run(daemon)
    assert [message.title for message in daemon.tick()] == ["2 problems are over, 2024-02"]


def test_a_check_that_only_shows_fails_no_run_and_is_in_the_digest(daemon: Daemon) -> None:
    run_id = run(daemon, warned_checks=["is_usual"])
    publish(daemon.lake, MONTH, "the-new-version", run_id)
    (message,) = of_now(daemon.tick())
    assert (message.kind, message.severity) == ("warning", "WARN")
    assert "Readers see the version that this run published: the-new-version." in message.text
    assert "nothing was held back" in message.text
    run(daemon)
    assert daemon.tick(HOUR) == []
    (message,) = daemon.tick(2 * DAY)  # the digest of eight o'clock was that of its day
    assert "It is over by now." in message.text


def test_the_quarantine_checks_are_those_of_the_checks() -> None:
    assert {check.name for check in CHECKS if check.asset == QUARANTINE_KEY} >= QUARANTINE_CHECKS


def test_a_run_that_was_lost_is_told_for_every_asset_that_it_did_not_materialize(daemon: Daemon) -> None:
    run_id = run(daemon, month="2024-01")
    daemon.instance.report_run_failed(
        daemon.instance.get_run_by_id(run_id) or pytest.fail("no run"), message="its worker is gone"
    )
    (message,) = daemon.tick()
    assert message.title.startswith("1 failed run, 2024-01: run of ")
    assert "its worker is gone" in message.text


def test_a_job_without_assets_is_told_too_and_its_next_success_ends_it(daemon: Daemon) -> None:
    fails = [True]

    @dg.op
    def work() -> None:
        if fails:
            raise KeyError("no such thing")

    @dg.job
    def cleaning() -> None:
        work()

    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    cleaning.execute_in_process(quiet, instance=daemon.instance, raise_on_error=False)
    (message,) = daemon.tick()
    assert message.title == "1 failed run: work: KeyError: 'no such thing'"
    fails.clear()
    cleaning.execute_in_process(quiet, instance=daemon.instance)
    assert [message.kind for message in daemon.tick()] == ["recovery"]


@pytest.mark.parametrize("daemon", ["a log for each run"], indirect=True)  # to report them takes ten seconds
def test_a_thousand_failed_checks_make_a_handful_of_messages_and_none_is_lost(daemon: Daemon) -> None:
    months = MONTHS.get_partition_keys()[:100]
    for number in range(10):
        for month in months:
            daemon.check(f"check_{number}", False, month)
        daemon.tick()
    while daemon.now.hour:
        daemon.tick(HOUR)
    assert len(daemon.inbox.messages) <= 5
    told = [(one["cause"], one["month"]) for message in daemon.inbox.messages for one in message.problems]
    assert sorted(told) == sorted((f"check_{number}", month) for number in range(10) for month in months)
    assert f"{months[0]} to {months[-1]}" in daemon.inbox.messages[0].text
    assert all(len(message.text) < 10_000 for message in daemon.inbox.messages)


def test_a_notifier_that_is_down_for_an_hour_loses_none_and_none_comes_twice(daemon: Daemon) -> None:
    daemon.inbox.is_up = False
    for minute in range(60):
        if minute % 10 == 0:
            daemon.check(f"check_{minute}", False)
        with pytest.raises(NotDelivered, match="it is away"):
            daemon.tick()
        if minute % 25 == 0:
            daemon.restart()
    daemon.check("check_0", False, month="2024-03")
    daemon.inbox.is_up = True
    daemon.tick()
    for _ in range(50):
        daemon.tick(HOUR)
    told = [(one["cause"], one["month"]) for message in daemon.inbox.messages for one in message.problems]
    assert sorted(told) == sorted(
        [*((f"check_{minute}", MONTH) for minute in range(0, 60, 10)), ("check_0", "2024-03")]
    )


def test_the_cursor_does_not_move_past_what_was_not_delivered(daemon: Daemon) -> None:
    daemon.check("check_1", False)
    daemon.tick()
    delivered = daemon.cursor
    daemon.inbox.is_up = False
    daemon.check("check_2", False)
    daemon.tick()  # too soon after the other message
    assert daemon.cursor == delivered
    with pytest.raises(NotDelivered):
        daemon.tick(2 * HOUR)
    assert daemon.cursor == delivered
    # Nor if all else is lost: reading starts from the cursor again.
    daemon.instance.daemon_cursor_storage.set_cursor_values({STATE_KEY: ""})
    daemon.inbox.is_up = True
    (message,) = daemon.tick()
    assert [problem["cause"] for problem in message.problems] == ["check_2"]


def test_a_restart_between_two_ticks_repeats_nothing_and_forgets_nothing(daemon: Daemon) -> None:
    daemon.check("check_1", False)
    daemon.tick()
    daemon.restart()
    assert daemon.tick() == []
    run(daemon, error="no memory")
    daemon.restart()
    assert [message.kind for message in daemon.tick()] == ["run_failure"]


def test_a_crash_after_a_message_was_sent_repeats_no_other(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    daemon.check("adds_up", False)
    daemon.check("is_small", False, asset="staging/quarantine")
    send = Inbox.send

    def crash_at_the_second(inbox: Inbox, message: Message) -> None:
        if inbox.messages:
            raise MemoryError
        send(inbox, message)

    with monkeypatch.context() as patch:
        patch.setattr(Inbox, "send", crash_at_the_second)
        with pytest.raises(MemoryError):
            daemon.tick()
    assert [message.kind for message in daemon.tick()] == ["quarantine_jump"]


def test_slack_gets_a_copy_of_each_message_and_nobody_waits_for_it(daemon: Daemon) -> None:
    daemon.check("check_1", False)
    daemon.check("reject_rates_are_usual", False, severity=dg.AssetCheckSeverity.WARN, asset="staging/quarantine")
    assert len(daemon.tick()) == 2
    assert [message.kind for message in daemon.slack.messages] == ["failed_check", "quarantine_jump"]
    daemon.slack.is_up = False
    daemon.check("check_2", False)
    assert len(daemon.tick(DAY)) == 1
    daemon.slack.is_up = True
    assert daemon.tick() == []
    assert len(daemon.slack.messages) == 2


def test_a_copy_that_slack_does_not_take_is_a_warning_in_the_log(
    daemon: Daemon, capfd: pytest.CaptureFixture[str]
) -> None:
    daemon.slack.is_up = False
    daemon.check("check_1", False)
    (message,) = daemon.tick()
    assert f"Slack has no copy of {message.headline}: it is away" in capfd.readouterr().err


def test_a_state_that_is_not_readable_starts_afresh_from_the_cursor(daemon: Daemon) -> None:
    daemon.check("check_1", False)
    daemon.tick()
    delivered = daemon.cursor
    daemon.check("check_2", False)
    for kept in ("no JSON", "[]", '{"problems": {"problems": [{"month": 1}]}}'):
        daemon.instance.daemon_cursor_storage.set_cursor_values({STATE_KEY: kept})
        daemon.cursor = delivered
        (message,) = daemon.tick()
        assert [problem["cause"] for problem in message.problems] == ["check_2"]


def test_the_state_is_not_in_the_cursor_which_every_tick_keeps(daemon: Daemon) -> None:
    for number in range(50):
        daemon.check(f"check_{number}", False)
    daemon.tick()
    assert daemon.cursor is not None
    assert daemon.cursor.isdigit()
    assert len(json.loads(daemon.instance.daemon_cursor_storage.get_cursor_values({STATE_KEY})[STATE_KEY])) > 0


def test_events_are_read_in_order_over_all_types_a_few_at_a_time(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taxi_assets.alerts.sensor.EVENTS_A_TICK", 2)
    for number in range(5):
        daemon.check(f"check_{number}", False)
    run(daemon, error="no memory")
    run(daemon)
    for _ in range(30):
        daemon.tick(HOUR)
    told = {one["cause"] for message in daemon.inbox.messages for one in message.problems}
    assert told == {"stage: no memory", *(f"check_{number}" for number in range(5))}
    # The run that failed had a good one after it before anybody was told; never the other way round.
    failed = next(message for message in daemon.inbox.messages if message.kind == "run_failure")
    assert "It is over by now." in failed.text or daemon.inbox.messages[-1].kind == "recovery"


def test_months_that_are_overdue_are_told_and_their_publication_too(daemon: Daemon) -> None:
    last = max(month for month in MONTHS.get_partition_keys(daemon.now - 130 * DAY))
    publish(daemon.lake, last, "v1", "")
    (message,) = daemon.tick()
    assert message.kind == "stale_data"
    assert message.severity == "WARN"
    missing = [problem["month"] for problem in message.problems]
    assert missing[0] > last
    assert daemon.tick(2 * HOUR) == []
    for month in missing:
        publish(daemon.lake, month, "v1", "")
    assert [message.kind for message in daemon.tick(2 * HOUR)] == ["recovery"]


def test_where_nothing_is_watched_no_month_is_overdue(daemon: Daemon) -> None:
    publish(daemon.lake, MONTH, "v1", "")
    daemon.is_watched = False
    assert daemon.tick() == []


def test_a_table_that_its_check_finds_stale_is_told_by_its_months_alone(daemon: Daemon) -> None:
    daemon.check(IS_FRESH, passed=False, severity=dg.AssetCheckSeverity.WARN)
    assert daemon.tick(2 * DAY) == []  # later than the digest


def test_a_source_that_does_not_answer_is_told_after_a_day(daemon: Daemon) -> None:
    daemon.unreachable_since = daemon.now
    assert daemon.tick(23 * HOUR) == []
    (message,) = daemon.tick(2 * HOUR)
    assert message.kind == "source_unreachable"
    assert "has not answered since" in message.text
    assert daemon.tick(2 * DAY) == []
    daemon.unreachable_since = None
    assert [message.kind for message in daemon.tick()] == ["recovery"]


def test_a_lake_that_does_not_answer_holds_no_message_back(daemon: Daemon) -> None:
    daemon.lake.write_text("not a folder")
    daemon.check("adds_up", False)
    (message,) = daemon.tick()
    assert "Readers" not in message.text
    assert message.problems[0]["readers_see"] is None


def test_an_event_that_may_have_others_before_it_yet_waits_a_few_seconds(daemon: Daemon) -> None:
    daemon.check("adds_up", False)
    daemon.now = datetime.now(timezone.utc)
    written_one_by_one = daemon.instance.event_log_storage.is_run_sharded
    assert len(daemon.tick(timedelta())) == int(written_one_by_one)
    assert len(daemon.tick(10 * timedelta(seconds=1))) == int(not written_one_by_one)


def test_the_code_location_has_the_sensor_and_it_runs_by_itself(tmp_path: Path) -> None:
    definitions = build_definitions(
        Settings(lake=str(tmp_path / "lake")), {"slack": SlackNotifier(SecretStr("")), "notifier": Inbox()}
    )
    sensor = definitions.resolve_sensor_def("alerts")
    every = definitions.get_repository_def().get_top_level_resources()
    resources = {name: every[name] for name in sensor.required_resource_keys}
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    with (
        dg.DagsterInstance.local_temp(str(tmp_path)) as instance,
        dg.build_sensor_context(instance=instance, resources=resources) as context,
    ):
        tick = sensor.evaluate_tick(context)
    assert tick.skip_message == "0 messages, 0 problems open, read to -1"
