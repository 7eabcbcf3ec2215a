"""SQL as of a moment: what Redshift is given."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from glue_jobs.contracts import TABLES
from glue_jobs.contracts.curated import DAILY_METRICS
from taxi_assets.warehouse.as_of import NotAskable, Shown, as_of
from taxi_assets.warehouse.view import views

AT = datetime(2024, 5, 1, 12, 0, 0, 123_000, timezone.utc)
TIME = "AS OF TIMESTAMP '2024-05-01 12:00:00.123'"
ALL = {name: Shown(AT, frozenset(table.column_names)) for name, table in TABLES.items()}


def said(sql: str) -> str:
    return " ".join(as_of(sql, ALL).split())


def test_each_table_is_read_as_of_the_time_of_its_own_snapshot() -> None:
    later = {**ALL, "reference.calendar": Shown(AT + timedelta(seconds=1), frozenset({"date"}))}
    sql = as_of("SELECT d.trips FROM curated.daily_metrics d JOIN reference.calendar ON 1 = 1", later)
    assert f'FROM "curated"."daily_metrics" {TIME}) d JOIN (SELECT "date"' in sql
    assert 'FROM "reference"."calendar" AS OF TIMESTAMP \'2024-05-01 12:00:01.123\') AS "calendar" ON 1 = 1' in sql


def test_columns_that_the_table_has_gained_since_are_null_and_a_table_that_was_not_there_is_empty() -> None:
    sql = as_of("SELECT 1 FROM curated.daily_metrics", {DAILY_METRICS.full_name: Shown(AT, frozenset({"month"}))})
    assert 'SELECT "month", CAST(NULL AS' in sql
    assert 'CAST(NULL AS DECIMAL(18,2)) AS "net_revenue"' in sql
    assert f'"curated"."daily_metrics" {TIME}' in sql
    gone = as_of("SELECT 1 FROM curated.daily_metrics", {})
    assert gone.endswith('WHERE 1 = 0) AS "daily_metrics"')
    assert 'CAST(NULL AS VARCHAR(16383)) AS "month"' in gone


@pytest.mark.parametrize("name", views())
def test_a_view_is_asked_by_its_sql_with_the_times_in_it(name: str) -> None:
    sql = said(f"SELECT * FROM analytics.{name} WHERE 1 = 1")
    assert sql.count(TIME) >= len([table for table in views()[name].tables if table in TABLES])
    assert "analytics." not in sql
    assert sql.endswith(f'AS "{name}" WHERE 1 = 1')


def test_names_without_a_layer_are_found_and_those_of_a_with_are_left() -> None:
    sql = said('WITH trips AS (SELECT 1 AS a FROM Daily_Metrics) SELECT a FROM trips, "raw".files AS f')
    assert sql.count(TIME) == 2
    assert f'FROM "curated"."daily_metrics" {TIME}) AS "daily_metrics") SELECT a FROM trips, (SELECT' in sql
    assert sql.endswith(f'FROM "raw"."files" {TIME}) AS f')


def test_texts_that_look_like_tables_are_left() -> None:
    sql = said("SELECT 'FROM curated.daily_metrics' AS a -- FROM curated.daily_metrics")
    assert sql == "SELECT 'FROM curated.daily_metrics' AS a -- FROM curated.daily_metrics"


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("SELECT 1 FROM raw.trips", "has no versions in the warehouse"),
        ("SELECT 1 FROM pg_catalog.pg_user", "There is no table pg_catalog.pg_user"),
        ("SELECT 1 FROM nothing_such", "There is no table nothing_such"),
        ("DROP TABLE x", "this is Drop"),
        ("SELECT 1 INTO x", "this is Select"),
        ("SELECT (", "cannot be read"),
    ],
)
def test_what_cannot_be_asked_as_of_a_moment_is_refused(sql: str, why: str) -> None:
    with pytest.raises(NotAskable, match=why):
        as_of(sql, ALL)
