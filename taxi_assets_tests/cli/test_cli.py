from __future__ import annotations

import csv
import io
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import duckdb
import pytest
from click.testing import CliRunner, Result

from glue_jobs import ingest_raw
from glue_jobs.contracts import CURATED_TABLES, RAW_FILES, tlc
from glue_jobs.contracts.curated import DAILY_METRICS
from glue_jobs.contracts.months import number_of
from glue_jobs.reporting import parse_progress, progress_line
from taxi_assets.cli import run as cli
from taxi_assets.cli.main import main
from taxi_assets.cli.options import refuse_other_kind
from taxi_assets.cli.output import TYPED, pasteable
from taxi_assets.lake.lake import Lake
from taxi_assets.operations.run_month import STEPS, MonthResult
from taxi_assets.settings import TLC_SITE, Settings
from taxi_assets.warehouse.names import described
from taxi_assets_tests.conftest import MONTH
from taxi_assets_tests.support.publishing_by_hand import publish_again

COMMAND = Path(sys.executable).parent / "taxi-assets"
FROM = ("--source", "synthetic:rows=500")
TEXT: Any = {"capture_output": True, "text": True}


def taxi_assets(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


def test_run_prints_one_json_object_and_exits_0(source: Path, tmp_path: Path) -> None:
    command = [COMMAND, "run", "--month", MONTH, "--source", source, "--lake", tmp_path / "new lake", "--json"]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["month"] == MONTH
    assert result["source_rows"] == result["published_rows"] + result["quarantined_rows"]
    assert sum(result["quarantine_reasons"].values()) >= result["quarantined_rows"]
    assert set(result["tables"]) == set(CURATED_TABLES)
    for table in result["tables"].values():
        assert set(table) >= {"rows", "version", "snapshot_id", "path"}
        assert any(Path(table["path"]).glob("*.parquet"))
    assert set(result["checks"]) == {"passed", "warned", "failed"}
    assert set(result["seconds"]) == {*STEPS, "calendar", "zones", "total"}
    assert set(result["phases"]) == {"ingest_raw", "stage_trips", "build_curated"}
    assert {"start the engine", "fetch trips", "ask the checks"} <= set(result["phases"]["ingest_raw"])
    assert {name.partition("/")[0] for name in result["check_seconds"]} == {"raw", "staging", "curated"}
    assert Path(result["report"]).is_file()
    assert result["engine"].startswith("sail ")
    assert f"{MONTH} stage_trips: write trips …" in done.stderr


def test_a_failed_run_exits_1_with_the_problem_and_the_remedy(source: Path, tmp_path: Path) -> None:
    command = [COMMAND, "run", "--month", "2024-03", "--source", source, "--lake", tmp_path / "lake"]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 1
    assert "yellow_tripdata_2024-03.parquet does not exist" in done.stderr
    assert "What to do: put the file of 2024-03 there" in done.stderr
    assert "Traceback" not in done.stderr


NO_MONTHS: list[tuple[str, str]] = [
    ("the thirteenth", "2024-13"),
    ("a digit short", "2024-2"),
    ("after a space", " 2024-02"),
    ("in wide digits", "\uff12\uff10\uff12\uff14-\uff10\uff12"),
    ("in wide digits in part", "20\uff12\uff14-02"),
    ("with a line's end", "2024-02\n"),
    ("with a way out of the folder", "../2024-02"),
    ("a day", "2024-02-01"),
    ("a word", "February"),
    ("nothing", ""),
    ("with SQL behind it", "2024-02' OR '1'='1"),
    ("of no year", "0000-01"),
    ("the last of the calendar", "9999-12"),
    ("to come", "2099-01"),
]


@pytest.mark.bad_input("Months", said="is not a month from 2011-01 to")
@pytest.mark.parametrize("month", [one[1] for one in NO_MONTHS], ids=[one[0] for one in NO_MONTHS])
def test_a_month_that_is_none_begins_nothing(
    tmp_path: Path, month: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (["run"], ["replay"], ["backfill", "--to", MONTH], ["quarantine", "show"]):
        option = "--from" if command[0] == "backfill" else "--month"
        refused = taxi_assets(*command, option, month, "--lake", tmp_path / "lake")
        assert refused.exit_code == 2
        assert "is not a month from 2011-01 to" in refused.stderr
    assert not (tmp_path / "lake").exists()
    if month not in ("9999-12", "2099-01"):  # which the contract of names leaves to the calendar
        with pytest.raises(ValueError, match="is not a month: write it as YYYY-MM"):
            number_of(month)
        monkeypatch.setattr(sys, "argv", ["ingest_raw", "--month", month, "--source", "x", "--raw-dir", str(tmp_path)])
        with pytest.raises(SystemExit):
            ingest_raw.main()
        assert "is not a month: write it as YYYY-MM" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


WRONG_USAGE: list[tuple[str, list[str], str]] = [
    ("a month that is missing", ["run"], "Missing option '--month'"),
    (
        "a month before the zones",
        ["run", "--month", "2010-05"],
        "files of 2010 carry coordinates instead of taxi zones",
    ),
    ("months the wrong way round", ["backfill", "--from", "2024-05", "--to", MONTH, *FROM], "there is no month from"),
    ("a table that there is not", ["run", "--month", MONTH, "--tables", "no_such_table"], "there is no table"),
    ("no table at all", ["run", "--month", MONTH, "--tables", ","], "there is no table"),
    ("a lake that is a file", ["run", "--month", MONTH, "--lake", __file__], "is a file; give a folder"),
    ("an empty lake", ["run", "--month", MONTH, *FROM, "--lake", ""], "--lake is empty: give a folder"),
    ("no lake", ["status", "--lake", "/no/such/lake"], "there is no lake in /no/such/lake; make one with"),
    ("a table with a way out", ["rollback", "../x", MONTH], "there is no table ../x; choose from"),
    ("a rollback of what has no versions", ["rollback", "raw.trips", MONTH], "there is no table raw.trips"),
    ("a form that there is not", ["query", "SELECT 1", "--format", "xml"], "'xml' is not one of"),
    ("fewer rows than none", ["query", "SELECT 1", "--limit", "-5"], "-5 is not in the range"),
    ("more rows than there are numbers", ["quarantine", "show", "--month", MONTH, "--limit", "9" * 20], "in the range"),
    ("a folder to write to", ["query", "SELECT 1", "--output", "/"], "File '/' is a directory"),
    ("a file of no known form", ["query", "SELECT 1", "--output", "x.xlsx"], "ends with none of .csv, .json and"),
    ("bytes that are no UTF-8", ["query", "SELECT '\udcff'"], "is no text: write it in UTF-8"),
    (
        "a view with SQL behind it",
        ["export", "daily_trend; DROP TABLE x"],
        "There is no view daily_trend; DROP TABLE x",
    ),
    ("a view with a way out", ["export", "../x"], "There is no view ../x"),
    ("a port that there is not", ["ui", "--port", "70000"], "70000 is not in the range"),
    ("every address by an empty one", ["ui", "--host", ""], "--host is empty: give 127.0.0.1"),
    ("every address by a space", ["dashboard", "--host", " "], "--host is empty: give 127.0.0.1"),
    ("a host that cannot be one", ["dashboard", "--host", "\u00e4" * 70], "cannot be listened on"),
    ("an age of no days", ["vacuum", "--older-than", "0"], "0 is not in the range"),
    ("an age of half a day", ["vacuum", "--older-than", "0.5"], "'0.5' is not a valid integer"),
    ("a deployment to nowhere", ["deploy"], "set TAXI_PROFILE=aws and TAXI_LAKE"),
    ("a command that there is not", ["dance"], "No such command 'dance'"),
    ("an option that there is not", ["status", "--colour"], "No such option '--colour'"),
]


@pytest.mark.bad_input("The command")
@pytest.mark.parametrize(("arguments", "said"), [one[1:] for one in WRONG_USAGE], ids=[one[0] for one in WRONG_USAGE])
def test_wrong_usage_says_what_is_wrong_and_exits_2(
    tmp_path: Path, arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = taxi_assets(*arguments)
    assert refused.exit_code == 2, refused.output
    assert said in " ".join(refused.stderr.split())
    assert not list(tmp_path.iterdir())


NOT_THERE: list[tuple[str, list[str], str]] = [
    (
        "a version that there is not",
        ["rollback", "daily_metrics", MONTH, "--to", "v0"],
        "has no version v0 to put back",
    ),
    (
        "a version with a way out",
        ["rollback", "daily_metrics", MONTH, "--to", "../../etc"],
        "has no version ../../etc to put back",
    ),
    (
        "a version with an order to the terminal",
        ["rollback", "daily_metrics", MONTH, "--to", "\x1b[2J"],
        "has no version \\x1b[2J to put back",
    ),
    ("a month without a version", ["rollback", "daily_metrics", "2023-01"], "has nothing published for 2023-01"),
    (
        "a quarantine with a way out",
        ["quarantine", "show", "--month", MONTH, "--version", "../../etc"],
        "there is no version ../../etc of the quarantine",
    ),
    ("a month without a quarantine", ["quarantine", "show", "--month", "2023-01"], "2023-01 is not staged"),
    ("a file in no folder", ["query", "SELECT 1", "--output", "no folder/x.csv"], "x.csv cannot be written"),
    ("a moment in words", ["query", "SELECT 1", "--as-of", "yesterday"], "yesterday is no moment"),
    ("a moment that is empty", ["query", "SELECT 1", "--as-of", ""], "is no moment"),
    ("the 30th of February", ["query", "SELECT 1", "--as-of", "2024-02-30"], "2024-02-30 is no moment"),
    ("the end of the calendar", ["query", "SELECT 1", "--as-of", "9999-12-31"], "9999-12-31 is no moment"),
    ("a zone of 99 hours", ["query", "SELECT 1", "--as-of", "2024-02-01T00:00:00+99:00"], "is no moment"),
    ("a moment with a way out", ["export", "daily_trend", "--as-of", "../../x"], "../../x is no moment"),
    ("a moment before all others", ["query", "SELECT 1", "--as-of", "0001-01-01"], "Nothing was published yet as of"),
    ("a snapshot that there is not", ["query", "SELECT 1", "--as-of", "9" * 19], "No table has a snapshot 9999999999"),
]


@pytest.mark.bad_input("The command, asked for what is not there")
@pytest.mark.parametrize(("arguments", "said"), [one[1:] for one in NOT_THERE], ids=[one[0] for one in NOT_THERE])
def test_what_is_not_there_is_said_with_what_to_do_and_exits_1(
    published: tuple[Path, MonthResult],
    tmp_path: Path,
    arguments: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = taxi_assets(*arguments, "--lake", published[0])
    assert refused.exit_code == 1, refused.output
    assert said in " ".join(refused.stderr.split())
    assert "What to do: " in refused.stderr or "cannot be written" in refused.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("synthetic:foo=bar", "--source: 'foo=bar' in synthetic:foo=bar is not understood"),
        ("/no/such/folder", "--source: /no/such/folder does not exist"),
        (__file__, "is a file"),
        ("ftp://example.org", "ftp://example.org is no source"),
    ],
)
@pytest.mark.parametrize("command", [("run", "--month", MONTH), ("backfill", "--from", MONTH, "--to", MONTH)])
def test_a_source_that_no_month_can_come_from_is_wrong_usage_and_no_run(
    tmp_path: Path, command: tuple[str, ...], source: str, said: str
) -> None:
    done = taxi_assets(*command, "--source", source, "--lake", tmp_path / "lake")
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())
    assert "Value error" not in done.stderr
    assert not (tmp_path / "lake").exists()
    told = CliRunner().invoke(main, [*command, "--lake", str(tmp_path / "lake")], env={"TAXI_SOURCE": source})
    assert (told.exit_code, "TAXI_SOURCE: " in told.stderr, "Value error" in told.stderr) == (2, True, False)


def test_what_to_do_can_be_pasted_where_lake_and_source_were_typed(tmp_path: Path) -> None:
    lake, source = tmp_path / "my lake", "synthetic:rows=500,seed=1"
    Lake.in_folder(lake)
    assert f"taxi-assets demo --lake '{lake}'" in taxi_assets("status", "--lake", lake).output.replace("\n", " ")
    rollback = taxi_assets("rollback", "daily_metrics", MONTH, "--lake", lake)
    assert f"taxi-assets run --month {MONTH} --lake '{lake}'" in rollback.stderr
    none = taxi_assets("status", "--lake", tmp_path / "no lake")
    assert f"taxi-assets demo --lake '{tmp_path}/no lake'" in none.stderr
    lines = json.loads(taxi_assets("health", "--lake", lake, "--json").output)
    assert f"taxi-assets run --month YYYY-MM --lake '{lake}'" in {line["repair"] for line in lines}
    with click.Context(main, info_name="x") as context:
        context.meta[TYPED] = {"lake": "/l", "source": source}
        text = "taxi-assets run --month 1, or (taxi-assets rollback a.b 2024-02); taxi-assets catalog update"
        assert pasteable(text) == (
            f"taxi-assets run --month 1 --lake /l --source {source}, "
            "or (taxi-assets rollback a.b 2024-02 --lake /l); taxi-assets catalog update --lake /l"
        )
    unset = CliRunner().invoke(main, ["rollback", "daily_metrics", MONTH], env={"TAXI_LAKE": str(lake)})
    assert f"taxi-assets run --month {MONTH}" in unset.stderr


def test_status_shows_every_table_of_every_month(published: tuple[Path, MonthResult]) -> None:
    lake, result = published
    shown = taxi_assets("status", "--lake", lake).output
    for name in ("trips", "quarantine", *CURATED_TABLES):
        assert name in shown
    assert f"{result.published_rows:,}" in shown
    [month] = json.loads(taxi_assets("status", "--lake", lake, "--json").output)
    assert (month["month"], month["source_rows"], month["remarks"]) == (MONTH, result.source_rows, [])
    assert month["tables"]["staging.trips"]["rows"] == result.published_rows


QUERY = "SELECT pickup_date, trips, net_revenue FROM curated.daily_metrics ORDER BY 1 LIMIT 2"


def test_query_answers_as_a_table_csv_and_json(published: tuple[Path, MonthResult]) -> None:
    lake, _ = published
    as_csv = list(csv.DictReader(io.StringIO(taxi_assets("query", QUERY, "--format", "csv", "--lake", lake).output)))
    as_json = json.loads(taxi_assets("query", QUERY, "--format", "json", "--lake", lake).output)
    assert [row["pickup_date"] for row in as_csv] == ["2024-02-01", "2024-02-02"]
    assert [(r["pickup_date"], str(r["trips"]), float(r["net_revenue"])) for r in as_json] == [
        (r["pickup_date"], r["trips"], float(r["net_revenue"])) for r in as_csv
    ]
    assert as_csv[0]["net_revenue"] in taxi_assets("query", QUERY, "--lake", lake).output


def test_a_map_is_a_json_object_whatever_its_keys_are(published: tuple[Path, MonthResult]) -> None:
    sql = "SELECT map([1, 2], ['a', NULL]) AS m, [map([DATE '2024-02-01'], ['NaN'::DOUBLE])] AS n, {'a': 1} AS s"
    shown = taxi_assets("query", sql, "--format", "json", "--lake", published[0])
    assert json.loads(shown.stdout) == [{"m": {"1": "a", "2": None}, "n": [{"2024-02-01": None}], "s": {"a": 1}}]


ENDLESS = """WITH RECURSIVE t AS (SELECT 2147483000::INTEGER AS n UNION ALL SELECT (n + 1)::INTEGER FROM t)
SELECT max(n) FROM t"""
HOSTILE_SQL: list[tuple[str, str, str]] = [
    ("a column that there is not", "SELECT nonsense", 'Referenced column "nonsense" was not found'),
    ("a table that there is not", "SELECT * FROM no_such_table", "Table with name no_such_table does not exist"),
    ("nothing", "", "this is nothing. What to do: give one SELECT"),
    ("no SQL", "SELEC 1", "syntax error at or near"),
    ("several statements", "SELECT 1; SELECT 2", "this is SELECT, SELECT. What to do: give one SELECT"),
    ("a statement behind a comment", "SELECT 1 -- \n; DROP TABLE staging.trips", "this is SELECT, DROP"),
    ("a view dropped", "DROP VIEW staging.trips", "this is DROP. What to do: give one SELECT"),
    ("rows inserted", "INSERT INTO staging.trips SELECT * FROM staging.trips", "this is INSERT"),
    ("rows deleted", "DELETE FROM staging.trips", "this is DELETE"),
    ("rows inserted within a WITH", "WITH x AS (INSERT INTO trips VALUES (1)) SELECT 1", "trips is not an table"),
    ("a table made", "CREATE TABLE x AS SELECT 1", "this is CREATE"),
    ("a file written", "COPY (SELECT 1) TO 'x.csv'", "this is COPY"),
    ("a file written within EXPLAIN", "EXPLAIN ANALYZE COPY (SELECT 1) TO 'x.csv'", "this is EXPLAIN"),
    ("a file written within a function", "FROM query('COPY (SELECT 1) TO $$x.csv$$')", "Expected a single SELECT"),
    ("the database written out", "EXPORT DATABASE 'x'", "this is EXPORT"),
    ("another database", "ATTACH 'x.db'", "this is ATTACH"),
    ("a pragma", "PRAGMA database_list", "this is PRAGMA"),
    ("access switched on", "SET enable_external_access = true", "this is SET"),
    ("an extension", "INSTALL httpfs", "this is LOAD"),
    ("a call", "CALL pragma_version()", "this is CALL"),
    ("a file of the machine", "FROM read_csv('/etc/passwd')", 'Cannot access file "/etc/passwd"'),
    ("a file of the machine by its name", "FROM '/etc/passwd'", "Table with name /etc/passwd does not exist"),
    ("a way out of the lake", "FROM read_text('{lake}/../../etc/passwd')", "file system operations are disabled"),
    ("a list of files", "FROM glob('/etc/*')", 'Cannot access file "/etc/*"'),
    ("a file of the network", "FROM read_json('http://127.0.0.1:9/x')", "file system operations are disabled"),
    ("secrets", "FROM duckdb_secrets()", "file system operations are disabled"),
    ("the environment", "SELECT getenv('HOME')", "Function with name getenv does not exist"),
    ("a parameter without a value", "SELECT $a", "Values were not provided"),
    ("brackets in brackets, 5,000 times", "SELECT " + "(" * 5_000 + "1" + ")" * 5_000, "expression depth limit"),
    ("a recursion without end that overflows", ENDLESS, "Overflow in addition of INT32"),
]


@pytest.mark.bad_input("SQL given to query")
@pytest.mark.parametrize(("sql", "said"), [one[1:] for one in HOSTILE_SQL], ids=[one[0] for one in HOSTILE_SQL])
def test_a_query_that_cannot_be_answered_exits_1_and_does_nothing(
    published: tuple[Path, MonthResult], tmp_path: Path, sql: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = taxi_assets("query", sql.replace("{lake}", str(published[0])), "--lake", published[0])
    assert result.exit_code == 1, result.output
    assert "error:" in result.stderr
    assert said in " ".join(result.stderr.split())
    assert not list(tmp_path.iterdir())


def test_rollback_takes_a_table_by_its_short_or_full_name(
    run: Callable[..., MonthResult], source: Path, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    versions = [run(lake, source, tables=["daily_metrics"]).tables["daily_metrics"].version, "another"]
    publish_again(Lake.in_folder(lake), MONTH, versions[1], tables=["daily_metrics"])
    back = taxi_assets("rollback", "daily_metrics", MONTH, "--lake", lake)
    assert f"version {versions[0]} is live" in back.output
    forth = taxi_assets("rollback", "curated.daily_metrics", MONTH, "--to", versions[1], "--lake", lake)
    assert f"version {versions[1]} is live" in forth.output
    both = taxi_assets("rollback", "staging.trips", MONTH, "--lake", lake)
    assert "staging.trips 2024-02: version" in both.output
    assert "staging.quarantine 2024-02: version" in both.output
    none = taxi_assets("rollback", "daily_metrics", MONTH, "--to", "v0", "--lake", lake)
    assert none.exit_code == 1
    assert versions[0] in none.stderr


def test_demo_publishes_two_months_and_says_what_to_try_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_DEMO_SOURCE", "synthetic:rows=2000,seed=1")
    lake = tmp_path / "lake"
    shown = taxi_assets("demo", "--lake", lake).output
    assert f"export TAXI_LAKE={lake}" in shown
    assert "taxi-assets query" in shown
    months = json.loads(taxi_assets("status", "--lake", lake, "--json").output)
    assert [(month["month"], month["remarks"]) for month in months] == [("2024-01", []), ("2024-02", [])]
    # A real month does not get in between, whichever command begins it; nor does the UI ask for one.
    for command in (("run", "--month", MONTH), ("backfill", "--from", MONTH, "--to", MONTH, "--force")):
        refused = taxi_assets(*command, "--lake", lake)
        assert refused.exit_code == 2
        assert "months from synthetic:rows=2000,seed=1/trip-data" in refused.stderr
        assert "2024-01 to 2024-02" in refused.stderr
        assert TLC_SITE in refused.stderr
    monkeypatch.setattr("os.execve", lambda *started: pages.append(started))
    pages: list[tuple[str, list[str], dict[str, str]]] = []
    monkeypatch.setattr("socket.socket.bind", lambda *_: None)
    link = taxi_assets("ui", "--lake", lake, "--port", "3999").output
    assert "http://127.0.0.1:3999" in link
    [(_, command_line, environment)] = pages
    assert Path(command_line[command_line.index("-w") + 1]).is_file()
    assert environment["TAXI_SOURCE"] == "synthetic:rows=2000,seed=1"
    assert environment["TAXI_LAKE"] == str(lake)
    assert environment["DAGSTER_HOME"] == str(lake / ".dagster")
    assert environment["TAXI_UI_URL"] == "http://127.0.0.1:3999"


def test_the_demo_does_not_replace_real_months(published: tuple[Path, MonthResult]) -> None:
    refused = taxi_assets("demo", "--lake", published[0])
    assert refused.exit_code == 2
    assert f"{tlc.trip_file_name(MONTH)} ({MONTH}), and the source is synthetic:rows=50000,seed=1" in refused.stderr


def test_a_source_that_was_named_is_not_refused(published: tuple[Path, MonthResult]) -> None:
    settings = Settings(lake=str(published[0]), source="synthetic")
    refuse_other_kind(settings, "synthetic")
    refuse_other_kind(Settings(lake=str(published[0])), None)  # real, as the folder's
    with pytest.raises(click.UsageError):
        refuse_other_kind(settings, None)


def test_the_ui_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused = taxi_assets("ui", "--lake", tmp_path, "--port", taken.getsockname()[1])
    assert refused.exit_code == 2
    assert "try another --port" in refused.stderr
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    without = taxi_assets("ui", "--lake", tmp_path)
    assert without.exit_code == 1
    assert "pip install 'nyc-taxi-lakehouse[ui]'" in without.stderr


def test_the_ui_begins_with_the_first_month_that_was_landed_unless_another_is_set(
    published: tuple[Path, MonthResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[dict[str, str]] = []
    monkeypatch.setattr(os, "execve", lambda _, __, environment: begun.append(environment))
    port = ("--port", free_port())
    assert f"months from {MONTH} on; TAXI_FROM" in taxi_assets("ui", "--lake", published[0], *port).output
    assert f"months from {tlc.FIRST_MONTH} on" in taxi_assets("ui", "--lake", tmp_path, *port).output
    monkeypatch.setenv("TAXI_FROM", "2023-05")
    assert "months from 2023-05 on" in taxi_assets("ui", "--lake", published[0], *port).output
    assert [environment.get("TAXI_FROM") for environment in begun] == [MONTH, None, "2023-05"]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def test_a_month_before_the_first_is_refused_before_anything_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAXI_FROM", "2024-03")
    for command in (
        ["run", "--month", MONTH],
        ["replay", "--month", MONTH],
        ["backfill", "--from", MONTH, "--to", "2024-04"],
    ):
        refused = taxi_assets(*command, "--lake", tmp_path / "lake")
        assert refused.exit_code == 2
        assert f"{MONTH} is before 2024-03, the first month by TAXI_FROM; set that to {MONTH}" in refused.stderr
    assert not (tmp_path / "lake").exists()


TOO_SLOW_TO_READ_BY = {
    *("boto3", "dagster", "dagster_pipes", "numpy", "pandas", "pyarrow", "pyspark", "requests", "sqlalchemy"),
    *("pyiceberg.catalog.rest", "pyiceberg.io.fsspec", "rich.progress"),
}
"""Modules that take 0.03 to 0.5 s to import, and that showing what is published does without."""


@pytest.mark.parametrize(
    ("arguments", "too_slow"),
    [
        (["status"], TOO_SLOW_TO_READ_BY),
        (["query", QUERY], TOO_SLOW_TO_READ_BY),
        (["--help"], {*TOO_SLOW_TO_READ_BY, "duckdb", "pydantic", "pyiceberg"}),
        (["tables"], {*TOO_SLOW_TO_READ_BY, "duckdb", "pydantic", "pyiceberg"}),
    ],
)
def test_a_command_that_only_shows_does_not_import_what_it_does_not_need(
    published: tuple[Path, MonthResult], arguments: list[str], too_slow: set[str]
) -> None:
    """A command begins in a second because of what it does not import; which modules those are does not depend on
    the machine, as seconds do."""
    code = "\n".join(
        (
            "import atexit, sys",
            f"atexit.register(lambda: print(sorted({too_slow!r} & sys.modules.keys()), file=sys.stderr))",
            "from taxi_assets.cli.entry import main",
            "main()",
        )
    )
    own = {**os.environ, "TAXI_LAKE": str(published[0])}
    done = subprocess.run([sys.executable, "-c", code, *arguments], env=own, capture_output=True, text=True)
    assert (done.returncode, done.stderr.strip()) == (0, "[]")


def test_tables_are_told_from_the_contracts_without_a_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    listed = json.loads(taxi_assets("tables", "--json").output)
    assert {f"{row['layer']}.{row['table']}" for row in listed} == {*described(), *RAW_FILES}
    for row in listed:
        columns = json.loads(taxi_assets("tables", f"{row['layer']}.{row['table']}", "--json").output)
        assert len(columns) == row["columns"] > 0
    shown = taxi_assets("tables", "daily_metrics").output
    assert "Mean trip_distance" in shown
    assert "miles" in shown
    assert taxi_assets("tables", "no_such_table").exit_code == 2
    assert not list(tmp_path.iterdir())


def test_months_and_tables_are_completed() -> None:
    environment = {**os.environ, "_TAXI_ASSETS_COMPLETE": "bash_complete"}
    for typed, place, expected in (
        ("taxi-assets run --month 2024-1", 3, ["2024-12", "2024-11", "2024-10"]),
        ("taxi-assets rollback dai", 2, ["daily_metrics"]),
        ("taxi-assets tables raw.", 2, ["raw.files", "raw.trips", "raw.zones"]),
        ("taxi-assets export month", 2, ["monthly_summary"]),
    ):
        asked = {**environment, "COMP_WORDS": typed, "COMP_CWORD": str(place)}
        done = subprocess.run([COMMAND], env=asked, capture_output=True, text=True)
        assert [line.removeprefix("plain,") for line in done.stdout.splitlines()] == expected


def test_a_view_is_written_to_a_file_of_the_form_that_is_asked_for(
    published: tuple[Path, MonthResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, result = published
    monkeypatch.chdir(tmp_path)
    for arguments, file in (
        (["export", "daily_trend"], "daily_trend.csv"),
        (["export", "daily_trend", "--month", MONTH, "--format", "parquet"], f"daily_trend_{MONTH}.parquet"),
        (["export", "analytics.daily_trend", "--output", "days.json"], "days.json"),
        (["query", "FROM daily_trend", "--output", "asked.csv"], "asked.csv"),
        (["query", "FROM daily_trend", "--output", "asked.parquet", "--limit", "2"], "asked.parquet"),
    ):
        done = taxi_assets(*arguments, "--lake", lake)
        assert done.exit_code == 0, done.output
        with duckdb.connect() as connection:
            days = connection.sql(f"SELECT * FROM '{file}'")
            assert days.columns[:2] == ["month", "pickup_date"]
            assert len(days.fetchall()) == (2 if "--limit" in arguments else result.tables["daily_metrics"].rows)
    assert not list(tmp_path.glob("*.part")) + list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["export", "no_such_view"], "There is no view no_such_view"),
        (["export", "daily_trend", "--month", "2024-13"], "is not a month"),
        (["export", "daily_trend", "--output", "days.xlsx"], "ends with none of .csv, .json and .parquet"),
        (["query", "SELECT 1", "--format", "parquet"], "Parquet is written to a file: give --output"),
    ],
)
def test_what_cannot_be_exported_is_told_before_anything_is_asked(
    published: tuple[Path, MonthResult], arguments: list[str], problem: str
) -> None:
    done = taxi_assets(*arguments, "--lake", published[0])
    assert done.exit_code == 2
    assert problem in done.output


def test_a_file_that_cannot_be_written_is_told(published: tuple[Path, MonthResult], tmp_path: Path) -> None:
    done = taxi_assets("export", "daily_trend", "--output", tmp_path / "no folder" / "x.csv", "--lake", published[0])
    assert done.exit_code == 1
    assert "x.csv cannot be written" in done.output


def test_a_query_that_fails_leaves_no_file(published: tuple[Path, MonthResult], tmp_path: Path) -> None:
    for file in ("x.csv", "x.parquet"):
        sql = "SELECT CAST(month AS INTEGER) FROM daily_metrics"
        done = taxi_assets("query", sql, "--output", tmp_path / file, "--lake", published[0])
        assert done.exit_code == 1
        assert "Conversion Error" in done.output
    assert not list(tmp_path.iterdir())


def test_what_was_seen_at_a_moment_can_be_asked(published: tuple[Path, MonthResult], tmp_path: Path) -> None:
    lake = Lake.in_folder(Path(shutil.copytree(published[0], tmp_path / "lake")))
    live = lake.publisher.live(DAILY_METRICS, MONTH)
    assert live is not None
    Path(lake.paths.version(DAILY_METRICS, MONTH, "empty")).mkdir()
    lake.publisher.publish(DAILY_METRICS, MONTH, "empty", {}, replacing=live)
    days = ["query", "SELECT count(*) AS days FROM daily_metrics", "--format", "json", "--lake", tmp_path / "lake"]
    assert json.loads(taxi_assets(*days).output) == [{"days": 0}]
    assert json.loads(taxi_assets(*days, "--as-of", live.snapshot_id).output) == [{"days": live.rows}]
    early = taxi_assets(*days, "--as-of", "2011-01-01")
    assert early.exit_code == 1
    assert "Nothing was published yet as of 2011-01-01" in early.output


def test_nothing_is_cut_in_a_pipe(published: tuple[Path, MonthResult]) -> None:
    lake, result = published
    for command in ("status", "health"):
        done = subprocess.run([COMMAND, command, "--lake", lake], env={**os.environ, "COLUMNS": "20"}, **TEXT)
        assert "…" not in done.stdout
        if command == "status":
            assert all(table.version in done.stdout for table in result.tables.values())
        else:
            assert f"{lake} answers; newest whole month {MONTH}" in done.stdout


def test_the_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "taxi_assets", "--help"], **TEXT)
    assert done.stdout.startswith("Usage: taxi-assets [OPTIONS]")
    assert all(f"{code} " in done.stdout.partition("Exit codes:")[2] for code in (0, 1, 2, 130))


def test_every_command_explains_itself() -> None:
    for command in ("run", "status", "health", "rollback", "query", "demo", "home", "ui"):
        shown = taxi_assets(command, "--help")
        assert shown.exit_code == 0
        assert "--lake" in shown.output


@pytest.mark.parametrize(("done", "total"), [(0, 0), (12_300_000, 0), (5_000_000, 50_000_000)])
def test_a_progress_line_can_be_read_back(done: int, total: int) -> None:
    line = progress_line(tlc.trip_file_name(MONTH), done, total)
    assert parse_progress(line) == (tlc.trip_file_name(MONTH), done / 1e6, total / 1e6)
    assert parse_progress("write trips: 3.0 s") is None


def test_a_command_that_runs_out_of_memory_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("taxi_assets.cli.catalog.existing_lake", no_memory)
    said = taxi_assets("vacuum", "--lake", str(tmp_path))
    assert said.exit_code == 1
    assert "the memory did not suffice; nothing is half published" in said.output + said.stderr
    assert "What to do: give it more" in said.output + said.stderr


def test_ctrl_c_while_the_command_is_being_imported_says_nothing_and_exits_130() -> None:
    script = """if True:
        import sys
        class Interrupted:
            def find_spec(self, name, *_):
                if name == "taxi_assets.cli.query":
                    raise KeyboardInterrupt
        sys.meta_path.insert(0, Interrupted())
        from taxi_assets.cli.entry import main
        main()"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
