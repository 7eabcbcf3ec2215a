"""The SQL of the dashboard and the report: what both engines compute alike, and what the lake answers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from taxi_assets.lake.lake import Lake
from taxi_assets.operations.run_month import MonthResult
from taxi_assets.presentation.questions import QUESTIONS
from taxi_assets.warehouse.dialect import faults_of_question
from taxi_assets.warehouse.memory import MemoryEngine
from taxi_assets.warehouse.question import Value
from taxi_assets_tests.conftest import MONTH, copy_of
from taxi_assets_tests.support.zone_shapes import publish_map

VALUES: dict[str, Value] = {"month": MONTH, "first": "2023-12", "zone": 132, "borough": "Manhattan"}
ANSWERED_LATER = {"slow_queries"}
"""Nothing was asked yet when it is asked first."""


@pytest.fixture(scope="module")
def warehouse(published: tuple[Path, MonthResult], tmp_path_factory: pytest.TempPathFactory) -> MemoryEngine:
    lake = Lake.in_folder(copy_of(published[0], tmp_path_factory.mktemp("questions") / "lake"))
    publish_map(lake)
    return MemoryEngine(lake)


def parameters(sql: str) -> dict[str, Value]:
    return {name: VALUES[name] for name in re.findall(r"(?<!:):([a-z]+)", sql)}


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_uses_what_both_engines_have_and_compute_alike(name: str) -> None:
    assert faults_of_question(QUESTIONS[name]) == []


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("SELECT trips FROM analytics.no_view WHERE month = :month", "neither a table"),
        ("SELECT SUM(trips) AS trips FROM analytics.daily_trend WHERE month = :month", "needs a CAST"),
        (r"SELECT trips FROM analytics.daily_trend WHERE event = 'a\b'", "a backslash"),
        ("SELECT * FROM analytics.daily_trend ORDER BY pickup_date LIMIT 3", "named one by one"),
    ],
)
def test_a_planted_fault_is_found(sql: str, fault: str) -> None:
    assert fault in " ".join(faults_of_question(sql))


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_has_rows_in_a_published_lake(warehouse: MemoryEngine, name: str) -> None:
    rows = warehouse.run(QUESTIONS[name], parameters(QUESTIONS[name]), label="test")
    assert rows.num_rows > 0 or name in ANSWERED_LATER


def test_the_numbers_of_places_hours_and_days_add_up_to_those_of_the_month(warehouse: MemoryEngine) -> None:
    def total(name: str, column: str) -> float:
        rows = warehouse.run(QUESTIONS[name], parameters(QUESTIONS[name]), label="test").to_pylist()
        return sum(float(row[column]) for row in rows if row.get("month", MONTH) == MONTH)

    trips, revenue = total("summary", "trips"), total("summary", "net_revenue")
    for name in ("pickups_by_zone", "dropoffs_by_zone", "days_of_a_month", "borough_matrix"):
        assert total(name, "trips") == trips
        assert total(name, "net_revenue") == pytest.approx(revenue, abs=0.001)
    for name in ("busiest_hours", "payment_mix", "passenger_mix", "distance_bands", "speed_by_hour"):
        assert total(name, "trips") == trips
    assert total("demand_of_all", "pickups") == total("demand_of_all", "dropoffs") == trips
    assert total("fee_stack", "amount") == pytest.approx(revenue, abs=0.001)
    assert total("money_by_month", "gross_revenue") + total("money_by_month", "refunded") == pytest.approx(revenue)
