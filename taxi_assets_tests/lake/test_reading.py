from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from glue_jobs.contracts import RAW_FILES, TABLES, tlc
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.reading import QueryRefused, run_query
from taxi_assets.operations.run_month import MonthResult
from taxi_assets.warehouse.names import described


def test_an_empty_lake_has_every_view_with_its_columns(lake: Lake) -> None:
    with lake.connect() as connection:
        for table in TABLES.values():
            answer = connection.sql(f"SELECT * FROM {table.full_name}")
            assert tuple(answer.columns) == table.column_names
            assert answer.fetchall() == []
        assert run_query(connection, "SELECT * FROM raw.trips").fetchall() == []
        assert run_query(connection, "SELECT * FROM raw.zones").fetchall() == []


def test_the_layers_agree(published: tuple[Path, MonthResult]) -> None:
    lake, result = published
    with Lake.in_folder(lake).connect() as connection:
        counts = {
            name: connection.execute(f"SELECT count(*) FROM {name} WHERE month = '2024-02'").fetchall()[0][0]
            for name in ("raw.trips", "staging.trips", "staging.quarantine")
        }
        assert counts["raw.trips"] == counts["staging.trips"] + counts["staging.quarantine"] == result.source_rows
        assert connection.execute("SELECT count(*), max(Borough) FROM raw.zones").fetchall() == [(265, "Unknown")]


@pytest.mark.parametrize(
    "sql",
    [
        "COPY (SELECT 1) TO '/tmp/out.csv'",
        "CREATE TABLE t AS SELECT 1",
        "DROP VIEW staging.trips",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '/tmp/out.csv'",
        "EXPLAIN ANALYZE DROP VIEW staging.trips",
        "SET enable_external_access = true",
        "SELECT 1; SELECT 2",
        "",
    ],
)
def test_what_is_not_one_query_is_refused(tmp_path: Path, sql: str) -> None:
    with Lake.in_folder(tmp_path).connect() as connection, pytest.raises(QueryRefused):
        run_query(connection, sql)


def test_a_query_cannot_read_outside_the_lake(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with Lake.in_folder(tmp_path / "lake").connect() as connection, pytest.raises(duckdb.Error):
        run_query(connection, f"SELECT * FROM read_csv('{tmp_path}/secret.csv')").fetchall()


def test_a_query_opens_only_the_tables_that_it_names(published: tuple[Path, MonthResult]) -> None:
    lake = Lake.in_folder(published[0])
    for sql in (
        "SELECT sum(trips) FROM curated.daily_metrics",
        "SELECT count(*) FROM raw.zones",
        "SELECT count(PULocationID) FROM raw.trips",
    ):
        with lake.connect(sql) as connection:
            [(there,)] = run_query(connection, sql).fetchall()
            assert there > 0
            assert connection.sql("FROM staging.trips").fetchall() == []
    for sql in (
        "SELECT count(*) FROM staging.trips JOIN raw.zones z ON true",
        "SELECT count(*) FROM staging.quarantine UNION ALL SELECT count(*) FROM curated.daily_metrics AS d",
        "SELECT count(*) FROM raw.files UNION ALL SELECT count(*) FROM Curated.Daily_Metrics",
        "SELECT count(*) FROM raw.files, memory.curated.daily_metrics",
    ):
        with lake.connect(sql) as narrow, lake.connect() as whole:
            answer = run_query(narrow, sql).fetchall()
            assert answer == run_query(whole, sql).fetchall()
            assert all(count > 0 for (count,) in answer)
    # The columns of raw files are not known beforehand: what is joined by them cannot be told, and all is opened.
    sql = "SELECT count(*) FROM raw.trips JOIN curated.daily_metrics USING (month)"
    with lake.connect(sql) as connection:
        [(there,)] = run_query(connection, sql).fetchall()
        assert there > 0


def test_names_need_no_layer_and_tables_say_what_they_mean(published: tuple[Path, MonthResult]) -> None:
    lake, result = published
    opened = Lake.in_folder(lake)
    for sql, rows in (
        ("SELECT count(*) FROM daily_metrics", result.tables["daily_metrics"].rows),
        ("SELECT count(*) FROM trips AS t", result.published_rows),
        ("SELECT count(*) FROM zones", 0),  # those of the reference data, whose shapes this source does not have
    ):
        with opened.connect(sql) as connection:
            assert run_query(connection, sql).fetchall() == [(rows,)]
            assert connection.sql("FROM staging.quarantine").fetchall() == []  # not named, not opened
    with opened.connect() as connection:
        shown = dict(run_query(connection, "show tables;").fetchall())
        assert shown.keys() == {*described(), *RAW_FILES}
        for name, table in TABLES.items():
            columns = run_query(connection, f"DESCRIBE {name}").fetchall()
            assert [row[2:] for row in columns] == [(one.unit, one.description) for one in table.columns]
            types = [(row[0], row[1]) for row in connection.execute(f"DESCRIBE SELECT * FROM {name}").fetchall()]
            assert [row[:2] for row in columns] == types
        assert run_query(connection, 'DESCRIBE "Daily_Metrics"').fetchall()[0][0] == "month"
        zones = [row[0] for row in run_query(connection, "DESCRIBE raw.zones").fetchall()]
        assert tuple(zones) == tlc.ZONE_COLUMNS  # and not the folders that the file lies in
