from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from glue_jobs.contracts import CURATED_TABLES, tlc
from glue_jobs.reporting import parse_progress, progress_line
from taxi_assets.cli import run as cli
from taxi_assets.cli.main import main
from taxi_assets.lake.lake import Lake
from taxi_assets.operations.run_month import MonthResult
from taxi_assets_tests.conftest import MONTH
from taxi_assets_tests.support.publishing_by_hand import publish_again

COMMAND = Path(sys.executable).parent / "taxi-assets"


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
    assert set(result["seconds"]) == {"ingest_raw", "stage_trips", "build_curated", "total"}
    assert result["engine"].startswith("sail ")
    assert f"{MONTH} stage_trips: write trips …" in done.stderr


def test_a_failed_run_exits_1_with_the_problem_and_the_remedy(source: Path, tmp_path: Path) -> None:
    command = [COMMAND, "run", "--month", "2024-03", "--source", source, "--lake", tmp_path / "lake"]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 1
    assert "yellow_tripdata_2024-03.parquet does not exist" in done.stderr
    assert "What to do: put the file of 2024-03 there" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["run", "--month", "2024-13"],
        ["run", "--month", "2010-05"],
        ["run", "--month", "February"],
        ["run", "--month", MONTH, "--tables", "no_such_table"],
        ["run", "--month", MONTH, "--lake", __file__],
        ["rollback", "no_such_table", MONTH],
        ["query", "SELECT 1", "--format", "xml"],
        ["status", "--lake", "/no/such/lake"],
        ["dance"],
    ],
)
def test_wrong_usage_exits_2(arguments: list[str]) -> None:
    assert taxi_assets(*arguments).exit_code == 2


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


@pytest.mark.parametrize("sql", ["SELECT nonsense", "DROP VIEW staging.trips", "COPY (SELECT 1) TO 'x.csv'"])
def test_a_query_that_cannot_be_answered_exits_1(published: tuple[Path, MonthResult], sql: str) -> None:
    result = taxi_assets("query", sql, "--lake", published[0])
    assert result.exit_code == 1
    assert "error:" in result.stderr


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
    shown = taxi_assets("demo", "--lake", tmp_path / "lake").output
    assert "taxi-assets query" in shown
    months = json.loads(taxi_assets("status", "--lake", tmp_path / "lake", "--json").output)
    assert [(month["month"], month["remarks"]) for month in months] == [("2024-01", []), ("2024-02", [])]


def test_every_command_explains_itself() -> None:
    for command in ("run", "status", "health", "rollback", "query", "demo", "home"):
        shown = taxi_assets(command, "--help")
        assert shown.exit_code == 0
        assert "--lake" in shown.output


@pytest.mark.parametrize(("done", "total"), [(0, 0), (12_300_000, 0), (5_000_000, 50_000_000)])
def test_a_progress_line_can_be_read_back(done: int, total: int) -> None:
    line = progress_line(tlc.trip_file_name(MONTH), done, total)
    assert parse_progress(line) == (tlc.trip_file_name(MONTH), done / 1e6, total / 1e6)
    assert parse_progress("write trips: 3.0 s") is None
