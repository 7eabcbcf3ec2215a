"""The tables are maintained each week by a job, and by a command: both say what was done to each."""

from __future__ import annotations

import json
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner
from pyiceberg.exceptions import CommitFailedException

from glue_jobs.contracts import CHECK_HISTORY
from taxi_assets.cli.main import main
from taxi_assets.definitions import build_definitions
from taxi_assets.lake import catalog, maintenance
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.resource import LakeResource
from taxi_assets.schedules.maintain_tables import maintain_tables
from taxi_assets.settings import Settings
from taxi_assets_tests.conftest import MONTH
from taxi_assets_tests.support.clock import AYearAhead
from taxi_assets_tests.support.publishing_by_hand import record

FIELDS = {
    "table",
    "files_before",
    "files_after",
    "snapshots_before",
    "snapshots_after",
    "files_deleted",
    "seconds",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A lake whose history of checks has three files of one month."""
    lake = Lake.in_folder(tmp_path / "lake")
    for number in range(3):
        record(lake, MONTH, f"v{number}", {"trips_per_day": float(number), "pickup_zones": 200.0})
    return tmp_path / "lake"


def execute(folder: Path) -> dg.ExecuteInProcessResult:
    return maintain_tables.execute_in_process(
        resources={"lake": LakeResource(root=str(folder))},
        instance=dg.DagsterInstance.ephemeral(),
        raise_on_error=False,
    )


def test_the_job_shows_what_was_done_to_each_table(folder: Path) -> None:
    result = execute(folder)
    assert result.success
    [output] = [event.step_output_data for event in result.all_events if event.is_successful_output]
    shown = output.metadata["tables"]
    assert isinstance(shown, dg.TableMetadataValue)
    [row] = [row.data for row in shown.records]
    assert row.keys() == FIELDS
    assert (row["table"], row["files_before"], row["files_after"]) == ("quality.check_history", 3, 1)


def test_a_job_on_an_empty_lake_does_nothing(tmp_path: Path) -> None:
    assert execute(tmp_path / "lake").success


def test_the_schedule_is_on_and_starts_the_job_each_week(folder: Path) -> None:
    repository = build_definitions(Settings(lake=str(folder))).get_repository_def()
    schedule = repository.get_schedule_def("maintain_each_week")
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    assert schedule.job_name == maintain_tables.name
    assert schedule.cron_schedule == "0 5 * * 0"
    assert repository.has_job(maintain_tables.name)


def test_the_command_says_the_same(folder: Path) -> None:
    shown = CliRunner().invoke(main, ["catalog", "maintain", "--lake", str(folder), "--json"])
    assert shown.exit_code == 0
    [done] = json.loads(shown.output)
    assert done.keys() == FIELDS
    assert (done["table"], done["files_before"], done["files_after"]) == ("quality.check_history", 3, 1)
    again = CliRunner().invoke(main, ["catalog", "maintain", "--lake", str(folder)])
    assert "quality.check_history" in again.output
    assert "1 → 1" in again.output


def test_by_a_clock_that_is_ahead_no_snapshot_expires_and_no_file_goes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshots = len(Lake.in_folder(folder).catalog.open(CHECK_HISTORY).metadata.snapshots)
    monkeypatch.setattr("taxi_assets.schedules.maintain_tables.datetime", AYearAhead)
    assert execute(folder).success
    monkeypatch.setattr("datetime.datetime", AYearAhead)  # of which Dagster would refuse the moments
    again = CliRunner().invoke(main, ["catalog", "maintain", "--lake", str(folder), "--json"])
    [done] = json.loads(again.output)
    assert done["snapshots_before"] == done["snapshots_after"] > snapshots  # compaction made more
    assert done["files_deleted"] == 0
    assert len(list((folder / "quality" / "check_history" / "data").rglob("*.parquet"))) == 3 + 1


def test_a_table_that_others_commit_to_all_the_time_is_left_for_later(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def another_was_quicker(*_: object) -> None:
        raise CommitFailedException("another commit came first")

    monkeypatch.setattr(maintenance, "_kept", another_was_quicker)
    monkeypatch.setattr(catalog, "_ATTEMPTS", 2)
    result = execute(folder)
    [failed] = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert failed.user_failure_data is not None
    assert "try again when fewer runs are under way" in (failed.user_failure_data.description or "")
    shown = CliRunner().invoke(main, ["catalog", "maintain", "--lake", str(folder)])
    assert shown.exit_code == 1
    assert "Nothing is lost" in shown.stderr
