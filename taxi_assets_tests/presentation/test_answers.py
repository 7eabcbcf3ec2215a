"""What sessions share: one query for all who ask, and never an answer of before a publication after it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest

from glue_jobs.contracts import TRIPS
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.snapshots import NoSuchMoment
from taxi_assets.operations.run_month import MonthResult
from taxi_assets.presentation.answers import Answers
from taxi_assets.warehouse.engine import QueryFailed
from taxi_assets.warehouse.memory import MemoryEngine
from taxi_assets.warehouse.question import Value
from taxi_assets_tests.conftest import MONTH, copy_of, write_source


class Counting(MemoryEngine):
    """The laptop's engine, which counts what it is asked, and fails as often as it is told to."""

    def __init__(self, lake: Lake) -> None:
        super().__init__(lake)
        self.asked: list[str] = []
        self.failures = 0
        self._counting = threading.Lock()

    def run(
        self, sql: str, parameters: Mapping[str, Value] | None = None, *, label: str, as_of: str | None = None
    ) -> pa.Table:
        with self._counting:
            self.asked.append(label)
            if self.failures:
                self.failures -= 1
                raise QueryFailed("the engine is busy", "ask again")
        return super().run(sql, parameters, label=label, as_of=as_of)


@pytest.fixture
def lake(published: tuple[Path, MonthResult], tmp_path: Path) -> Lake:
    return Lake.in_folder(copy_of(published[0], tmp_path / "lake"))


@pytest.fixture
def warehouse(lake: Lake) -> Counting:
    return Counting(lake)


def test_ten_sessions_that_look_at_once_cost_one_query(warehouse: Counting, lake: Lake) -> None:
    answers = Answers(warehouse, lake)
    together = threading.Barrier(10)

    def look(_: int) -> int:
        together.wait()
        return len(answers.reader().ask("daily_trend", first=MONTH, month=MONTH).dicts())

    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(look, range(10)))
    assert set(found) == {3}
    assert warehouse.asked == ["dashboard daily_trend"]


def test_another_filter_is_another_query_and_the_same_is_none(warehouse: Counting, lake: Lake) -> None:
    reader = Answers(warehouse, lake).reader()
    for zone in (132, 138, 132):
        reader.ask("flows_of_a_zone", month=MONTH, zone=zone)
    assert len(warehouse.asked) == 2


def test_an_error_is_told_and_not_kept(warehouse: Counting, lake: Lake) -> None:
    reader, warehouse.failures = Answers(warehouse, lake).reader(), 1
    with pytest.raises(QueryFailed, match="busy"):
        reader.ask("summary")
    assert reader.ask("summary").rows.num_rows == 1


def test_a_publication_overtakes_a_look_and_the_next_one_sees_it(
    warehouse: Counting, lake: Lake, run: Callable[..., MonthResult], tmp_path: Path
) -> None:
    answers = Answers(warehouse, lake)
    before = answers.reader()
    [old] = before.ask("summary").dicts()
    assert not before.is_overtaken()
    write_source(tmp_path / "source", "2024-03", 2_000, days=3)
    assert run(Path(lake.paths.root), tmp_path / "source", "2024-03").succeeded
    assert before.is_overtaken()
    after = answers.reader()
    assert after.ask("summary").columns()["month"] == [MONTH, "2024-03"]
    then = answers.reader(str(lake.publisher.history(TRIPS, MONTH)[0].snapshot_id))
    assert not then.is_overtaken()
    assert old["month"] == MONTH


def test_a_look_at_a_moment_knows_the_publications_until_then(warehouse: Counting, lake: Lake) -> None:
    answers = Answers(warehouse, lake)
    [live] = answers.reader().history(MONTH)
    assert answers.reader(str(live.snapshot_id)).history(MONTH) == [live]
    assert answers.reader(live.published_at.isoformat()[:10]).history(MONTH) == [live]
    with pytest.raises(NoSuchMoment):
        answers.reader("2001-01-01")


def test_an_answer_says_its_sql_with_the_values_in_it(warehouse: Counting, lake: Lake) -> None:
    answer = Answers(warehouse, lake).reader().ask("flows_of_a_zone", month=MONTH, zone=132)
    assert f"month = '{MONTH}' AND location_id = 132" in answer.sql
    assert warehouse.run(answer.sql, label="pasted").equals(answer.rows)
    out = answer.only(direction="out")
    assert {row["direction"] for row in out.dicts()} == {"out"}
    assert out.rows.schema == answer.rows.schema
