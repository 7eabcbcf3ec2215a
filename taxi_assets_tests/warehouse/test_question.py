from __future__ import annotations

import pytest

from taxi_assets.warehouse.question import Between, Question, UnknownName, bind


def test_a_question_names_columns_and_its_values_travel_apart() -> None:
    question = Question(
        "daily_trend",
        columns=("pickup_date", "trips"),
        where={"month": ["2024-01", "2024-02"], "trips": Between(1, 9), "holiday": None, "day_type": "' OR 1=1 --"},
        order_by=("-trips", "pickup_date"),
        limit=5,
    )
    sql, parameters = question.sql()
    assert sql == (
        'SELECT "pickup_date", "trips" FROM "analytics"."daily_trend" '
        'WHERE "month" IN (:p1, :p2) AND "trips" BETWEEN :p3 AND :p4 AND "holiday" IS NULL AND "day_type" = :p5 '
        "ORDER BY trips DESC NULLS LAST, pickup_date ASC NULLS LAST LIMIT 5"
    )
    assert parameters == {"p1": "2024-01", "p2": "2024-02", "p3": 1, "p4": 9, "p5": "' OR 1=1 --"}


@pytest.mark.parametrize(
    ("question", "problem"),
    [
        (Question('daily_trend"; DROP TABLE x; --'), "There is no view"),
        (Question("daily_trend", columns=("trips, (SELECT 1)",)), "has no column"),
        (Question("daily_trend", where={"1 = 1 OR month": "x"}), "has no column"),
        (Question("daily_trend", order_by=("-trips; DROP",)), "has no column"),
        (Question("pg_catalog.pg_user"), "There is no view"),
    ],
)
def test_a_name_that_no_contract_has_is_refused(question: Question, problem: str) -> None:
    with pytest.raises(UnknownName, match=problem):
        question.sql()


def test_a_limit_is_a_number() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        Question("daily_trend", limit="1; DROP TABLE x").sql()  # type: ignore[arg-type]  # the attack


def test_no_values_at_all_give_no_rows() -> None:
    assert Question("daily_trend", columns=("trips",), where={"month": []}).sql() == (
        'SELECT "trips" FROM "analytics"."daily_trend" WHERE 1 = 0',
        {},
    )


def test_parameters_are_bound_where_they_stand_and_nowhere_else() -> None:
    sql = "SELECT ':a', \":a\", x::int, :a -- :a\n, /* :a */ :b, :a"
    assert bind(sql, {"a": 1, "b": 2}, lambda name: f"${name}") == (
        "SELECT ':a', \":a\", x::int, $a -- :a\n, /* :a */ $b, $a",
        ["a", "b", "a"],
    )


def test_a_parameter_without_a_value_and_a_value_without_a_parameter_are_told() -> None:
    with pytest.raises(UnknownName, match=":month has no value"):
        bind("SELECT :month", {}, str)
    with pytest.raises(UnknownName, match="has no :moth"):
        bind("SELECT 1", {"moth": 1}, str)
