"""Redshift, that is PostgreSQL behind its wire protocol and login: it answers as the engine of a laptop does."""

from __future__ import annotations

import io
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from streamlit.testing.v1 import AppTest

from glue_jobs.contracts import TABLES
from glue_jobs.contracts.curated import DAILY_METRICS
from taxi_assets.assets import warehouse
from taxi_assets.assets.views import ask_views
from taxi_assets.assets.warehouse import apply_warehouse
from taxi_assets.aws.redshift import WarehouseUnavailable
from taxi_assets.cli.main import main
from taxi_assets.dashboard.screens import PAGES
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.resource import LakeResource
from taxi_assets.lake.snapshots import NoSuchMoment, newest
from taxi_assets.operations.run_month import MonthResult
from taxi_assets.presentation.questions import QUESTIONS
from taxi_assets.warehouse import redshift as module
from taxi_assets.warehouse.as_of import NotAskable
from taxi_assets.warehouse.engine import Engine, QueryFailed, ask
from taxi_assets.warehouse.memory import MemoryEngine
from taxi_assets.warehouse.question import Question, UnknownName, Value
from taxi_assets.warehouse.redshift import RedshiftEngine, Workgroup, _execute
from taxi_assets.warehouse.view import views
from taxi_assets_tests.conftest import MONTH, copy_of
from taxi_assets_tests.emulators.aws import AwsEmulator, Role
from taxi_assets_tests.emulators.environment import acting_as
from taxi_assets_tests.emulators.redshift import DATABASE, WORKGROUP, EmulatedRedshift, emulated_redshift
from taxi_assets_tests.support.lake_in_s3 import copied_to_s3
from taxi_assets_tests.support.postgres import Postgres
from taxi_assets_tests.support.tiny_table import write_rows
from taxi_assets_tests.support.waiting import HANGS_AFTER

pytestmark = [pytest.mark.emulator, pytest.mark.postgres]

BUCKET = "taxi-lake"
BY_IAM = Workgroup(
    name=WORKGROUP,
    database=DATABASE,
    region="us-east-1",
    secret_arn="",
    iam_role="arn:aws:iam::123456789012:role/taxi-redshift",
    rpu=32,
    usd_per_rpu_hour=0.375,
)


@pytest.fixture(scope="module")
def on_laptop(published: tuple[Path, MonthResult], tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A copy of the published lake: asking writes its log of queries."""
    return Lake.in_folder(copy_of(published[0], tmp_path_factory.mktemp("laptop") / "lake"))


@pytest.fixture(scope="module")
def redshift(aws: AwsEmulator, postgres: Postgres) -> Iterator[EmulatedRedshift]:
    with emulated_redshift(aws, postgres) as emulated, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(emulated.certificate))
        yield emulated


@pytest.fixture(scope="module")
def in_s3(on_laptop: Lake, aws: AwsEmulator, redshift: EmulatedRedshift) -> Lake:
    return copied_to_s3(on_laptop, aws, BUCKET, MONTH)


@pytest.fixture(scope="module")
def engine_of(in_s3: Lake) -> Iterator[RedshiftEngine]:
    """Dagster's engine, which has told Redshift what it has to know."""
    engine = BY_IAM.engine(in_s3)
    assert len(engine.apply()) > len(views())
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def dashboard(
    engine_of: RedshiftEngine, in_s3: Lake, aws: AwsEmulator, redshift: EmulatedRedshift
) -> Iterator[RedshiftEngine]:
    """The engine of somebody who may only read; by a secret, so that this process stays Dagster's."""
    redshift.make_user("dashboard", "p'w\\", Role.DASHBOARD)
    engine = BY_IAM.model_copy(update={"secret_arn": secret(aws, "dashboard", "p'w\\")}).engine(in_s3)
    yield engine
    engine.close()


def secret(aws: AwsEmulator, username: str, password: str) -> str:
    """The ARN of a new secret."""
    said = json.dumps({"username": username, "password": password})
    made = aws.client("secretsmanager").create_secret(Name=f"taxi-{uuid.uuid4().hex}", SecretString=said)
    return str(made["ARN"])


def publish_rows(lake: Lake, rows: int) -> None:
    """A version of daily_metrics of ``rows`` rows, each of one trip."""
    version = f"v{rows}"
    write_rows(lake.paths.version(DAILY_METRICS, MONTH, version), DAILY_METRICS, rows)
    lake.publisher.publish(DAILY_METRICS, MONTH, version, {}, replacing=lake.publisher.live(DAILY_METRICS, MONTH))


@pytest.mark.parametrize("name", [name for name in views() if name != "slow_queries"])
def test_every_view_has_the_values_and_types_that_it_has_on_a_laptop(
    engine_of: RedshiftEngine, on_laptop: Lake, name: str
) -> None:
    question = Question(name, order_by=views()[name].table.grain)
    there = ask(engine_of, question, label="test")
    here = ask(MemoryEngine(on_laptop), question, label="test")
    assert there.num_rows > 0
    assert there.schema.equals(here.schema)
    assert there.equals(here)


@pytest.mark.parametrize("name", [name for name in QUESTIONS if name not in ("slow_queries", "zones")])
def test_every_question_of_the_dashboard_has_the_same_answer_as_on_a_laptop(
    engine_of: RedshiftEngine, on_laptop: Lake, name: str
) -> None:
    values: dict[str, Value] = {"month": MONTH, "first": MONTH, "zone": 132, "borough": "Manhattan"}
    given = {one: value for one, value in values.items() if f":{one}" in QUESTIONS[name]}
    there = engine_of.run(QUESTIONS[name], given, label="test")
    here = MemoryEngine(on_laptop).run(QUESTIONS[name], given, label="test")
    assert there.num_rows > 0
    assert there.equals(here)


def drawn(engine: Engine, lake: Lake, page: str) -> tuple[list[str], list[tuple[str, str]], list[int]]:
    """Headings, numbers on cards and rows of tables of a page of the dashboard."""

    # Streamlit runs its text alone: it imports what it needs, and its annotations are words.
    def script(engine: "Engine", lake: "Lake", page: str, month: str) -> None:  # noqa: UP037 -- unquoted, they would be looked up there
        import importlib

        from taxi_assets.dashboard.look import Look
        from taxi_assets.presentation.answers import Answers

        look = Look(Answers(engine, lake).reader(), month, dark=False, ui_url="http://127.0.0.1:3000")
        importlib.import_module(f"taxi_assets.dashboard.screens.{page}").draw(look)

    app = AppTest.from_function(script, args=(engine, lake, page, MONTH), default_timeout=HANGS_AFTER).run()
    assert [str(one.value) for one in app.exception] == []
    headings = [one.value for one in app.markdown if one.value.startswith("#")]
    return headings, [(one.label, one.value) for one in app.metric], [len(one.value) for one in app.dataframe]


@pytest.mark.parametrize("page", [page for page in PAGES if page != "operations"])
def test_a_page_of_the_dashboard_is_the_same_as_on_a_laptop(
    engine_of: RedshiftEngine, in_s3: Lake, on_laptop: Lake, page: str
) -> None:
    there = drawn(engine_of, in_s3, page)
    assert there[0]
    assert there == drawn(MemoryEngine(on_laptop), on_laptop, page)


@pytest.mark.parametrize("name", TABLES)
def test_every_table_of_every_layer_is_in_reach(engine_of: RedshiftEngine, on_laptop: Lake, name: str) -> None:
    layer, _, table = name.partition(".")
    sql = f'SELECT COUNT(*) AS counted FROM "{layer}".{table}'
    assert engine_of.run(sql, label="test").equals(MemoryEngine(on_laptop).run(sql, label="test"))


def test_the_warehouse_is_told_again_and_sees_everything_that_is_published(
    engine_of: RedshiftEngine, in_s3: Lake, redshift: EmulatedRedshift
) -> None:
    resources = {"lake": LakeResource(root=in_s3.paths.root, region="us-east-1", database_prefix="taxi_")}
    told = dg.materialize(
        [apply_warehouse, ask_views], resources={**resources, "warehouse": BY_IAM}, raise_on_error=False
    )
    assert told.success
    checks = told.get_asset_check_evaluations()
    assert len(checks) == 2 + len(views())
    assert [check.check_name for check in checks if not check.passed] == []
    again = [one for one in redshift.statements if one.startswith(("CREATE EXTERNAL", "CREATE ROLE"))]
    assert len(again) == len(set(again))  # what is there is not made again


def test_rows_that_the_engine_does_not_see_fail_the_count(in_s3: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RedshiftEngine, "apply", lambda _: [])
    whole = newest(in_s3.catalog)
    one = whole[DAILY_METRICS.full_name]
    more = {**whole, DAILY_METRICS.full_name: replace(one, rows=(one.rows or 0) + 1)}
    monkeypatch.setattr(warehouse, "newest", lambda _: more)
    resource = LakeResource(root=in_s3.paths.root, region="us-east-1", database_prefix="taxi_")
    told = dg.materialize([apply_warehouse], resources={"lake": resource, "warehouse": BY_IAM})
    [failed] = [check for check in told.get_asset_check_evaluations() if not check.passed]
    assert failed.check_name == "counts_match_the_catalog"
    assert failed.metadata["actual"].value == f"curated.daily_metrics: {one.rows} of {(one.rows or 0) + 1}"


def test_the_past_is_asked_by_date_by_time_and_by_snapshot_and_never_shows_half_a_publication(
    engine_of: RedshiftEngine, in_s3: Lake
) -> None:
    question = Question("monthly_summary", columns=("trips",))
    before = ask(engine_of, question, label="test").to_pylist()
    live = in_s3.publisher.live(DAILY_METRICS, MONTH)
    assert live is not None
    publish_rows(in_s3, 3)
    assert ask(engine_of, question, label="test").to_pylist() == [{"trips": 3}]
    table = in_s3.catalog.find(DAILY_METRICS)
    assert table is not None
    away, shown = table.metadata.snapshot_log[-2:]
    assert away.timestamp_ms < shown.timestamp_ms
    within = datetime.fromtimestamp(away.timestamp_ms / 1000, timezone.utc).isoformat(timespec="milliseconds")
    for when in (live.published_at.isoformat(), str(live.snapshot_id), within):
        assert ask(engine_of, question, label="test", as_of=when).to_pylist() == before, when
    tomorrow = (datetime.now(timezone.utc) + timedelta(days=1)).date().isoformat()
    assert ask(engine_of, question, label="test", as_of=tomorrow).to_pylist() == [{"trips": 3}]
    with pytest.raises(NoSuchMoment, match="Nothing was published yet as of 2011-01-01"):
        ask(engine_of, question, label="test", as_of="2011-01-01")
    versions = """SELECT now.day_trips AS now_trips, CAST(SUM(trips) AS BIGINT) AS all_trips
        FROM curated.daily_metrics JOIN (SELECT 3 AS day_trips) AS now ON 1 = 1 GROUP BY now.day_trips"""
    [both] = engine_of.run(versions, label="test", as_of=str(live.snapshot_id)).to_pylist()
    assert both == {"now_trips": 3, "all_trips": before[0]["trips"]}


def test_ten_readers_see_whole_months_while_versions_are_published(dashboard: RedshiftEngine, in_s3: Lake) -> None:
    question = Question("daily_metrics", columns=("trips",))
    answers: list[tuple[int, int]] = []
    is_over = threading.Event()

    def read() -> None:
        while not is_over.is_set():
            rows = ask(dashboard, question, label="test").to_pylist()
            answers.append((len(rows), sum(row["trips"] for row in rows)))
            time.sleep(0.1)  # emulator, readers and publisher share one process: it would do nothing but read

    first = ask(dashboard, question, label="test").num_rows
    with ThreadPoolExecutor(10) as pool:
        readers = [pool.submit(read) for _ in range(10)]
        try:
            for rows in (5, 6):
                publish_rows(in_s3, rows)
                assert ask(dashboard, question, label="test").num_rows == rows  # the next question
        finally:
            is_over.set()
        for reader in readers:
            reader.result()
    assert {rows for rows, _ in answers} <= {first, 5, 6}
    for rows, trips in answers:
        assert rows == first or trips == rows


def test_an_idle_warehouse_is_not_woken_to_learn_of_new_versions(
    engine_of: RedshiftEngine, in_s3: Lake, redshift: EmulatedRedshift
) -> None:
    asked, state = len(redshift.statements), engine_of.state()
    assert engine_of.state() == state
    publish_rows(in_s3, 4)
    assert engine_of.state() != state
    assert len(redshift.statements) == asked


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO curated.daily_metrics (month) VALUES ('2024-02')",
        "DELETE FROM curated.daily_metrics",
        "CREATE TABLE analytics.mine (a INTEGER)",
        "DROP VIEW analytics.monthly_summary",
        "CREATE ROLE another",
        "GRANT ROLE taxi_analyst TO ROLE taxi_dashboard",
    ],
)
def test_the_dashboards_role_cannot_write(dashboard: RedshiftEngine, statement: str) -> None:
    with pytest.raises(NotAskable, match="give one SELECT"):
        dashboard.run(statement, label="test")
    with pytest.raises(QueryFailed, match=r"permission denied|must be|must have"):
        dashboard._ask(lambda connection: _execute(connection, statement))


def test_the_dashboards_role_reads_every_view_and_nothing_else_of_the_database(dashboard: RedshiftEngine) -> None:
    for name in views():
        dashboard.run(f"SELECT * FROM analytics.{name} LIMIT 1", label="test")
    with pytest.raises(QueryFailed, match="permission denied for table queries"):
        dashboard.run("SELECT * FROM public.queries", label="test")


@pytest.mark.parametrize(
    "sql", ["SELECT 1; SELECT 2", "SELECT * INTO analytics.mine FROM curated.daily_metrics", "", "SELEC"]
)
def test_what_is_not_one_select_never_reaches_redshift(
    engine_of: RedshiftEngine, redshift: EmulatedRedshift, sql: str
) -> None:
    asked = len(redshift.statements)
    with pytest.raises(NotAskable):
        engine_of.run(sql, label="test")
    assert len(redshift.statements) == asked


def test_values_and_labels_are_values_whatever_they_look_like(engine_of: RedshiftEngine) -> None:
    hostile = ("'; DROP VIEW analytics.monthly_summary; --", "2024-02' OR '1'='1", ":1", "$1", "%s", "\\' OR 1=1 --")
    for value in hostile:
        assert ask(engine_of, Question("monthly_summary", where={"month": value}), label=value).num_rows == 0
    [row] = engine_of.run("SELECT '%d ?' AS said, :value AS given", {"value": "\\"}, label="test").to_pylist()
    assert row == {"said": "%d ?", "given": "\\"}
    for when in ("2024-02-01'; DROP TABLE x; --", "9" * 19, "now"):
        with pytest.raises(NoSuchMoment):
            ask(engine_of, Question("monthly_summary"), label="test", as_of=when)
    with pytest.raises(UnknownName):
        ask(engine_of, Question("monthly_summary", columns=("month; DROP",)), label="test")
    assert ask(engine_of, Question("monthly_summary"), label="test").num_rows == 1


def test_a_connection_that_broke_is_replaced_without_a_word(
    engine_of: RedshiftEngine, redshift: EmulatedRedshift
) -> None:
    logins = len(redshift.logins)
    redshift.end_connections()
    assert ask(engine_of, Question("monthly_summary"), label="test").num_rows == 1
    assert len(redshift.logins) == logins + 1


def test_a_connection_that_was_interrupted_is_not_used_again(
    engine_of: RedshiftEngine, redshift: EmulatedRedshift
) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    asked = ask(engine_of, Question("monthly_summary"), label="test")  # there is one that lies idle
    idle, logins = engine_of._pool._idle.qsize(), len(redshift.logins)
    with pytest.raises(KeyboardInterrupt):
        engine_of._pool.use(interrupted)
    assert engine_of._pool._idle.qsize() == idle - 1
    assert ask(engine_of, Question("monthly_summary"), label="test").equals(asked)
    assert len(redshift.logins) == logins + (idle == 1)


def test_queries_and_what_they_cost_are_in_the_log_for_those_who_may_see_it(
    engine_of: RedshiftEngine, dashboard: RedshiftEngine
) -> None:
    with pytest.raises(QueryFailed, match="nothing_of_that_name"):
        engine_of.run("SELECT nothing_of_that_name FROM curated.daily_metrics", label="the page Demand")
    ask(engine_of, Question("payment_mix"), label="the page Customers")
    mine = Question("slow_queries", where={"label": "the page Demand"})
    [failed] = ask(dashboard, mine, label="test").to_pylist()  # whose own queries these are not
    assert failed["status"] == "failed"
    assert "nothing_of_that_name" in failed["error"]
    rows = ask(dashboard, Question("query_log", where={"label": "the page Customers"}), label="test").to_pylist()
    [row] = rows
    assert row["returned_rows"] > 0
    assert row["cost_usd"] == pytest.approx(row["seconds"] * 32 * 0.375 / 3600)


def test_an_export_is_written_by_redshift_itself(engine_of: RedshiftEngine, aws: AwsEmulator) -> None:
    folder = f"s3://{BUCKET}/lake/exports/o'clock/"
    rows = engine_of.unload(
        "SELECT * FROM analytics.payment_mix WHERE month <> 'x''y'", folder, "parquet", label="test"
    )
    [file] = aws.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="lake/exports/")["Contents"]
    body = aws.client("s3").get_object(Bucket=BUCKET, Key=file["Key"])["Body"].read()
    written = pq.read_table(io.BytesIO(body))
    assert written.num_rows == rows == ask(engine_of, Question("payment_mix"), label="test").num_rows


@pytest.fixture
def command(engine_of: RedshiftEngine, in_s3: Lake, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs ``taxi-assets`` with the settings of AWS."""
    for name, value in {"PROFILE": "aws", "LAKE": in_s3.paths.root, "REDSHIFT_WORKGROUP": WORKGROUP}.items():
        monkeypatch.setenv(f"TAXI_{name}", value)
    return lambda *words: CliRunner().invoke(main, words, catch_exceptions=False)


def test_the_command_asks_redshift_and_writes_as_on_a_laptop(
    command: Callable[..., Result], redshift: EmulatedRedshift, tmp_path: Path
) -> None:
    sql = "SELECT month, CAST(trips AS INT) AS trips FROM analytics.monthly_summary"
    shown = command("query", sql, "--format", "json")
    assert shown.exit_code == 0, shown.output
    [row] = json.loads(shown.stdout)
    assert row["month"] == MONTH
    assert sql in redshift.statements
    file = tmp_path / "mix.parquet"
    assert command("export", "payment_mix", "--month", MONTH, "--output", str(file)).exit_code == 0
    assert pq.read_table(file).num_rows > 0
    asked = len(redshift.statements)
    assert "net_revenue" in command("query", "DESCRIBE daily_metrics", "--format", "csv").stdout
    assert len(redshift.statements) == asked  # the contracts know
    refused = command("query", "SELECT nothing_such FROM analytics.payment_mix")
    assert refused.exit_code == 1
    assert "nothing_such" in refused.output


def test_an_export_without_a_file_is_unloaded_into_the_bucket(command: Callable[..., Result], aws: AwsEmulator) -> None:
    done = command("export", "payment_mix", "--month", MONTH, "--format", "parquet")
    assert done.exit_code == 0, done.output
    folder = done.output.split()[-1]
    assert folder.startswith(f"s3://{BUCKET}/lake/exports/payment_mix_{MONTH}/")
    [file] = aws.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=folder.partition(f"{BUCKET}/")[2])["Contents"]
    assert file["Size"] > 0


def test_who_logs_in_is_the_iam_role_or_whom_the_secret_names(
    engine_of: RedshiftEngine, dashboard: RedshiftEngine, aws: AwsEmulator, redshift: EmulatedRedshift
) -> None:
    who = "SELECT CAST(current_user AS VARCHAR(20)) AS who"
    assert engine_of.run(who, label="test").to_pylist() == [{"who": "IAMR:dagster"}]
    logins = len(redshift.logins)
    assert dashboard.run(who, label="test").to_pylist() == [{"who": "dashboard"}]
    assert len(redshift.logins) == logins
    with acting_as(aws.url, Role.DASHBOARD), closing(BY_IAM.connect()) as connection:
        assert _execute(connection, who).fetchall() == (["IAMR:dashboard"],)
        assert _execute(connection, "SELECT trips FROM analytics.monthly_summary").fetchall()
    wrong = aws.client("secretsmanager").create_secret(Name="wrong", SecretString="{}")["ARN"]
    with pytest.raises(WarehouseUnavailable, match="has no username and password"):
        BY_IAM.model_copy(update={"secret_arn": wrong}).connect()
    with pytest.raises(WarehouseUnavailable, match="refuses dashboard: password authentication failed"):
        BY_IAM.model_copy(update={"secret_arn": secret(aws, "dashboard", "no")}).connect()


def test_a_workgroup_that_wakes_is_waited_for_and_one_that_does_not_is_named(
    aws: AwsEmulator, redshift: EmulatedRedshift, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_SECONDS_BETWEEN_ATTEMPTS", 0.01)
    port, asked = redshift.port, 0

    def wake() -> tuple[str, int]:
        nonlocal asked
        asked += 1
        return "127.0.0.1", port if asked > 2 else 1  # nobody listens at 1

    monkeypatch.setattr(module, "endpoint", lambda *_: wake())
    BY_IAM.connect().close()
    assert [record.message for record in caplog.records if "Waiting for the workgroup taxi" in record.message]
    monkeypatch.setattr(module, "_WAKING_SECONDS", 0.0)
    monkeypatch.setattr(module, "endpoint", lambda *_: ("127.0.0.1", 1))
    with pytest.raises(WarehouseUnavailable, match=r"could not be reached at 127\.0\.0\.1:1"):
        BY_IAM.connect()


def test_a_server_that_cannot_prove_who_it_is_gets_no_password(
    aws: AwsEmulator, redshift: EmulatedRedshift, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(WarehouseUnavailable, match="does not prove to be the workgroup taxi") as raised:
        BY_IAM.connect()
    assert not raised.value.may_pass


def test_a_workgroup_that_there_is_not_is_named(aws: AwsEmulator) -> None:
    with pytest.raises(WarehouseUnavailable, match=r"the workgroup nobody cannot be found: .*ResourceNotFound"):
        BY_IAM.model_copy(update={"name": "nobody"}).connect()
