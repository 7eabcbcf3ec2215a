from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from glue_jobs.contracts import CURATED_TABLES, TABLES, TRIPS
from glue_jobs.contracts.curated import DAILY_METRICS
from taxi_assets.checks.check import ARROW_TYPES
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.reading import QueryRefused
from taxi_assets.operations.run_month import MonthResult
from taxi_assets.warehouse.engine import QueryFailed, ask
from taxi_assets.warehouse.memory import MemoryEngine
from taxi_assets.warehouse.question import Question
from taxi_assets.warehouse.view import views
from taxi_assets_tests.conftest import MONTH, copy_of
from taxi_assets_tests.support.publishing_by_hand import publish_again
from taxi_assets_tests.support.tiny_table import write_rows


@pytest.fixture(scope="module")
def asked(published: tuple[Path, MonthResult], tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A copy of the published lake: asking writes its log of queries."""
    return Lake.in_folder(copy_of(published[0], tmp_path_factory.mktemp("asked") / "lake"))


@pytest.fixture(scope="module")
def engine_of(asked: Lake) -> MemoryEngine:
    return MemoryEngine(asked)


@pytest.fixture
def own(published: tuple[Path, MonthResult], tmp_path: Path) -> Lake:
    """A copy that the test may publish to."""
    return Lake.in_folder(copy_of(published[0], tmp_path / "lake"))


@pytest.mark.parametrize("name", views())
def test_every_view_has_the_columns_and_types_of_its_header_and_a_row_for_each_value_of_its_grain(
    engine_of: MemoryEngine, name: str
) -> None:
    table = views()[name].table
    answer = ask(engine_of, Question(name), label="test")
    assert [(field.name, field.type) for field in answer.schema] == [
        (column.name, ARROW_TYPES[column.type]) for column in table.columns
    ]
    if name != "slow_queries":
        assert answer.num_rows > 0
    assert answer.group_by(list(table.grain)).aggregate([]).num_rows == answer.num_rows


@pytest.mark.parametrize("name", TABLES)
def test_every_table_is_in_memory_as_it_is_in_the_lake(engine_of: MemoryEngine, asked: Lake, name: str) -> None:
    answer = ask(engine_of, Question(name), label="test")
    with asked.connect(f"FROM {name}") as connection:
        there = connection.sql(f"FROM {name}").to_arrow_table()
    assert answer.schema.equals(there.schema)
    order = [(column, "ascending") for column in answer.column_names]
    assert answer.sort_by(order).equals(there.sort_by(order))


def test_a_view_says_what_the_tables_say(engine_of: MemoryEngine) -> None:
    def one(sql: str) -> tuple[object, ...]:
        [row] = engine_of.run(sql, label="test").to_pylist()
        return tuple(row.values())

    days = "CAST(SUM(trips) AS BIGINT) AS t, CAST(SUM(net_revenue) AS DECIMAL(18, 2)) AS n"
    trips, net = one(f"SELECT {days} FROM curated.daily_metrics")
    assert one("SELECT trips, net_revenue FROM analytics.monthly_summary") == (trips, net)
    for view in ("daily_trend", "busiest_hours", "top_pairs", "borough_matrix", "payment_mix", "passenger_mix"):
        assert one(f"SELECT {days} FROM analytics.{view}") == (trips, net), view
    for direction in ("in", "out"):
        assert one(f"SELECT {days} FROM analytics.zone_flows WHERE direction = '{direction}'") == (trips, net)
    ends = "CAST(SUM(pickups) AS BIGINT) AS p, CAST(SUM(dropoffs) AS BIGINT) AS d"
    assert one(f"SELECT {ends} FROM analytics.zone_demand") == (trips, trips)
    assert one("SELECT CAST(SUM(amount) AS DECIMAL(18, 2)) AS a FROM analytics.fee_stack") == (net,)
    assert one("SELECT published_rows FROM analytics.quality_overview") == one(
        "SELECT count(*) AS n FROM staging.trips"
    )
    assert one("SELECT CAST(SUM(quarantined_rows) AS BIGINT) AS q FROM analytics.quarantine_reasons") == one(
        "SELECT count(*) AS n FROM staging.quarantine"
    )


def test_a_new_version_is_seen_by_the_next_question_and_other_months_are_not_read_again(own: Lake) -> None:
    engine = MemoryEngine(own)
    question = Question("monthly_summary", columns=("trips",))
    before = ask(engine, question, label="test").to_pylist()
    state = engine.state()
    loaded = engine._newest()
    assert engine._newest() is loaded  # nothing was committed
    publish_again(own, MONTH, "again")
    assert engine.state() != state
    assert ask(engine, question, label="test").to_pylist() == before
    assert engine._newest() is not loaded

    version = own.paths.version(DAILY_METRICS, MONTH, "other")
    write_rows(version, DAILY_METRICS, 3)
    own.publisher.publish(DAILY_METRICS, MONTH, "other", {}, replacing=own.publisher.live(DAILY_METRICS, MONTH))
    for table in CURATED_TABLES.values():  # what has not changed is not read again: its files may be gone
        if table is not DAILY_METRICS:
            shutil.rmtree(own.paths.version(table, MONTH, "again"))
    assert ask(engine, question, label="test").to_pylist() == [{"trips": 3}]


def test_what_a_view_over_the_trips_says_of_a_month_is_read_once_and_the_same_as_before(
    own: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taxi_assets.warehouse.memory._KEPT_MONTHS", 1)
    other = "2024-05"
    files = Path(own.paths.version(TRIPS, other, "other"))
    shutil.copytree(Path(own.paths.version(TRIPS, MONTH, own.publisher.months(TRIPS)[MONTH].version)), files)
    own.publisher.publish(TRIPS, other, "other", {}, replacing=None)
    engine = MemoryEngine(own)
    every = "SELECT * FROM analytics.zone_demand ORDER BY month, location_id, day_of_week, hour_of_day"
    all_of_both = engine.run(every, label="test")

    def asked_of(month: str) -> pa.Table:
        return engine.run(every.replace("ORDER", "WHERE month = :month ORDER"), {"month": month}, label="test")

    for month in (MONTH, other, MONTH):
        assert asked_of(month).equals(all_of_both.filter(pc.equal(all_of_both["month"], month))), month
        assert engine.run(every, label="test").equals(all_of_both)
    tables = engine._newest().connection.sql("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'kept'")
    assert tables.fetchall() == [(f"zone_demand_{MONTH}",)]


def test_a_moment_is_asked_beside_the_present(own: Lake) -> None:
    engine = MemoryEngine(own)
    question = Question("monthly_summary", columns=("trips",))
    [before] = ask(engine, question, label="test").to_pylist()
    live = own.publisher.live(DAILY_METRICS, MONTH)
    assert live is not None
    write_rows(own.paths.version(DAILY_METRICS, MONTH, "other"), DAILY_METRICS, 3)
    own.publisher.publish(DAILY_METRICS, MONTH, "other", {}, replacing=live)
    assert ask(engine, question, label="test").to_pylist() == [{"trips": 3}]
    for when in (live.published_at.isoformat(), str(live.snapshot_id)):
        assert ask(engine, question, label="test", as_of=when).to_pylist() == [before]
    assert engine.state(str(live.snapshot_id)) != engine.state()


def test_two_versions_of_a_month_are_compared_by_asking_as_of_each(own: Lake) -> None:
    engine = MemoryEngine(own)
    first = own.publisher.live(DAILY_METRICS, MONTH)
    assert first is not None
    write_rows(own.paths.version(DAILY_METRICS, MONTH, "other"), DAILY_METRICS, 3)
    second = own.publisher.publish(DAILY_METRICS, MONTH, "other", {}, replacing=first)
    question = Question("monthly_summary", columns=("days", "trips"))
    before, after = (
        ask(engine, question, label="test", as_of=str(one.snapshot_id)).to_pylist()[0] for one in (first, second)
    )
    assert (before["days"], after["days"]) == (3, 3)
    assert before["trips"] > after["trips"] == 3
    within = moments_between(own)
    assert ask(engine, question, label="test", as_of=within).to_pylist() == [before]


def moments_between(lake: Lake) -> str:
    """A time between the two commits of the newest publication of daily_metrics."""
    table = lake.catalog.find(DAILY_METRICS)
    assert table is not None
    away, shown = table.metadata.snapshot_log[-2:]
    assert away.timestamp_ms < shown.timestamp_ms
    return datetime.fromtimestamp(away.timestamp_ms / 1000, timezone.utc).isoformat(timespec="milliseconds")


def test_ten_readers_see_whole_months_while_versions_are_published(own: Lake) -> None:
    engine = MemoryEngine(own)
    question = Question("daily_metrics", columns=("trips",))
    answers: list[tuple[int, int]] = []
    is_over = threading.Event()

    def read() -> None:
        while not is_over.is_set():
            rows = ask(engine, question, label="test").to_pylist()
            answers.append((len(rows), sum(row["trips"] for row in rows)))

    [first] = {ask(engine, question, label="test").num_rows}
    with ThreadPoolExecutor(10) as pool:
        readers = [pool.submit(read) for _ in range(10)]
        try:
            for rows in (5, 6, 7):
                live = own.publisher.live(DAILY_METRICS, MONTH)
                write_rows(own.paths.version(DAILY_METRICS, MONTH, f"v{rows}"), DAILY_METRICS, rows)
                own.publisher.publish(DAILY_METRICS, MONTH, f"v{rows}", {}, replacing=live)
                assert ask(engine, question, label="test").num_rows == rows  # the next question
        finally:
            is_over.set()
        for reader in readers:
            reader.result()
    for rows, trips in answers:
        assert rows in {first, 5, 6, 7}
        assert rows == first or trips == rows  # write_rows gives each row one trip


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE curated.daily_metrics",
        "INSTALL httpfs",
        "ATTACH 'x.db'",
        "SELECT 1; SELECT 2",
        "COPY (SELECT 1) TO 'x'",
    ],
)
def test_what_is_not_one_query_is_refused(engine_of: MemoryEngine, sql: str) -> None:
    with pytest.raises(QueryRefused):
        engine_of.run(sql, label="test")


def test_a_query_reads_nothing_outside_the_lake(engine_of: MemoryEngine, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with pytest.raises(QueryFailed, match="disabled by configuration"):
        engine_of.run(f"SELECT * FROM read_csv('{tmp_path}/secret.csv')", label="test")


def test_values_are_values_whatever_they_look_like(engine_of: MemoryEngine) -> None:
    for value in ("'; DROP TABLE curated.daily_metrics; --", "2024-02' OR '1'='1", ":p1", "$p1", "\x00"):
        assert ask(engine_of, Question("monthly_summary", where={"month": value}), label="test").num_rows == 0


def test_queries_are_logged_with_what_they_took_and_why_they_failed(own: Lake) -> None:
    engine = MemoryEngine(own)
    with pytest.raises(QueryFailed):
        engine.run("SELECT nothing_of_that_name FROM curated.daily_metrics", label="the page Demand")
    ask(engine, Question("monthly_summary"), label="the page Overview")
    [failed] = ask(engine, Question("slow_queries", where={"status": "failed"}), label="test").to_pylist()
    assert failed["label"] == "the page Demand"
    assert "nothing_of_that_name" in failed["error"]
    rows = ask(engine, Question("operations.query_log", where={"label": "the page Overview"}), label="test").to_pylist()
    assert [(row["status"], row["returned_rows"]) for row in rows] == [("success", 1)]
    assert rows[0]["seconds"] > 0
    assert ":p1" not in rows[0]["sql_text"]


def test_a_log_that_cannot_be_written_costs_no_answer(own: Lake) -> None:
    folder = Path(own.paths.root, "queries")
    folder.write_text("a file where the folder should be")
    engine = MemoryEngine(own)
    assert ask(engine, Question("monthly_summary"), label="test").num_rows == 1
    assert ask(engine, Question("slow_queries"), label="test").num_rows == 0
    assert folder.is_file()


def test_money_stays_exact(engine_of: MemoryEngine) -> None:
    [row] = engine_of.run("SELECT CAST(0.10 AS DECIMAL(18, 2)) AS a", label="test").to_pylist()
    assert row == {"a": Decimal("0.10")}
