"""A range of months: what is good is left out, what fails does not hold the others, it can be begun again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from glue_jobs.contracts import QUARANTINE, TRIPS
from taxi_assets.cli.main import main
from taxi_assets.lake.lake import Lake
from taxi_assets.operations.backfill import Plan, backfill, least_cost, plan
from taxi_assets.operations.run_month import MonthResult
from taxi_assets.settings import Profile, Settings
from taxi_assets_tests.conftest import write_source
from taxi_assets_tests.support.publishing_by_hand import publish_month

MONTHS = ("2023-01", "2023-02", "2023-03")


def result(month: str, error: str = "", cost: float = 0.0) -> MonthResult:
    costs = {f"jr_{month}": cost} if cost else {}
    return MonthResult(month, error=error, seconds={"total": 60.0}, estimated_cost_usd=costs)


def test_a_month_that_fails_does_not_hold_the_others() -> None:
    seen = list(backfill(MONTHS, lambda month: result(month, "no" if month == "2023-02" else "")))
    assert [one.month for one in seen[-1].results] == list(MONTHS)
    assert [one.month for one in seen[-1].failed] == ["2023-02"]


def test_three_failures_in_a_row_end_it() -> None:
    months = [f"2023-{number:02}" for number in range(1, 10)]
    *_, last = backfill(months, lambda month: result(month, "" if month == "2023-01" else "no network"))
    assert [one.month for one in last.failed] == ["2023-02", "2023-03", "2023-04"]
    assert last.left == tuple(months[4:])


def test_time_and_cost_of_the_rest_are_told_by_the_average_so_far() -> None:
    steps: Iterator[tuple[float, float, float]] = (
        (progress.seconds_left, round(progress.cost_so_far, 2), round(progress.cost_left, 2))
        for progress in backfill(MONTHS, lambda month: result(month, cost=0.10 if month == "2023-01" else 0.20))
    )
    assert list(steps) == [(120.0, 0.10, 0.20), (60.0, 0.30, 0.15), (0.0, 0.50, 0.0)]


def test_on_aws_the_least_that_it_costs_is_told_before_it_begins() -> None:
    settings = Settings(profile=Profile.AWS, lake="s3://some-lake", glue_workers=4, glue_worker_type="G.2X")
    assert least_cost(settings, 24) == pytest.approx(24 * 3 * 4 * 2 / 60 * 0.44)
    assert least_cost(Settings(), 24) == 0


def test_months_that_are_published_whole_are_left_out_until_they_are_forced(tmp_path: Path) -> None:
    lake = Lake.in_folder(tmp_path)
    publish_month(lake, "2023-02", "v1")
    publish_month(lake, "2023-03", "v1", tables=["daily_metrics"])
    assert plan(lake, *MONTHS[::2], force=False) == Plan(to_run=("2023-01", "2023-03"), good=("2023-02",))
    assert plan(lake, *MONTHS[::2], force=True) == Plan(to_run=MONTHS, good=())
    for month in ("2023-01", "2023-03"):
        publish_month(lake, month, "v2")
    assert plan(lake, *MONTHS[::2], force=False) == Plan(to_run=(), good=MONTHS)
    publish_month(lake, "2023-01", "v3")
    for table in (QUARANTINE, TRIPS):
        lake.publisher.roll_back(table, "2023-01")  # its tables are not of this staging: it is not good
    assert plan(lake, *MONTHS[::2], force=False).to_run == ("2023-01",)


def test_the_command_runs_the_months_that_are_not_published_whole(
    tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake.in_folder(tmp_path / "lake")
    publish_month(lake, "2023-02", "v1")
    publish_month(lake, "2023-03", "v1", tables=["daily_metrics"])
    for month in ("2023-01", "2023-03"):
        write_source(tmp_path / "source", month, rows=2_000, days=2)
    monkeypatch.setenv("TAXI_ENGINE", engine)
    command = ["backfill", "--from", MONTHS[0], "--to", MONTHS[-1], "--source", str(tmp_path / "source")]
    done = CliRunner().invoke(main, [*command, "--lake", str(tmp_path / "lake"), "--jobs", "2", "--json"])
    assert done.exit_code == 0, done.output
    assert "2 months to run; 1 are published whole already" in " ".join(done.stderr.split())
    results = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert sorted((one["month"], one["error"]) for one in results) == [("2023-01", ""), ("2023-03", "")]
    assert plan(lake, *MONTHS[::2], force=False) == Plan(to_run=(), good=MONTHS)


def test_a_range_without_months_is_refused(tmp_path: Path) -> None:
    command = ["backfill", "--from", "2023-03", "--to", "2023-01", "--lake", str(tmp_path / "lake")]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 2
    assert "there is no month from 2023-03 to 2023-01" in done.output
