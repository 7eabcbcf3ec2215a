"""A run that is interrupted or killed: what its command says, what is left running, and what health says of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner
from dagster import DagsterRunStatus

from taxi_assets.cli import query
from taxi_assets.cli.main import main
from taxi_assets.cli.output import INTERRUPTED
from taxi_assets.definitions import MONTH_JOB
from taxi_assets.lake.lake import Lake
from taxi_assets.lost_runs import at_work_since, is_lost, known_to_live, report_lost
from taxi_assets.operations.dagster_instance import dagster_home
from taxi_assets.operations.health.finding import Finding, Level
from taxi_assets.operations.health.runs import runs_succeeded
from taxi_assets.operations.health.subject import Subject
from taxi_assets.operations.run_month import MonthResult
from taxi_assets.settings import Settings
from taxi_assets_tests.conftest import MONTH
from taxi_assets_tests.support.mutants import make_mutant, run_mutant
from taxi_assets_tests.support.waiting import wait_until

_LANDS = """        with reporter.phase("land"):
"""
_SIGNALS_AND_WAITS = """        import os, signal
        Path({said!r}).write_text(str(os.getpid()))
        os.kill(os.getppid(), signal.{number})
        signal.pause()
"""


def runs(settings: Settings) -> list[Finding]:
    subject = Subject(settings, datetime.now(timezone.utc))
    with subject.until_the_end:
        return list(runs_succeeded(subject))


def is_alive(pid: int) -> bool:
    listed = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return bool(listed) and not listed.startswith("Z")


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("command", [["run", "--month", MONTH], ["backfill", "--from", MONTH, "--to", "2024-04"]])
def test_ctrl_c_ends_a_run_its_job_and_the_months_after_it(
    engine: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    said = tmp_path / "pid"
    otherwise = _SIGNALS_AND_WAITS.format(said=str(said), number="SIGINT") + _LANDS
    run_mutant(monkeypatch, tmp_path, "ingest_raw.py", _LANDS, otherwise)
    monkeypatch.setenv("TAXI_ENGINE", engine)
    stopped = CliRunner().invoke(main, [*command, "--source", str(source), "--lake", str(tmp_path / "lake")])
    assert stopped.exit_code == INTERRUPTED, stopped.output
    assert f"{MONTH} failed: interrupted; nothing more is published, readers see what they saw" in stopped.stderr
    assert "2024-03" not in stopped.stderr
    assert not is_alive(int(said.read_text()))


def test_ctrl_c_on_a_command_that_only_looks_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(query, "existing_lake", interrupt)
    stopped = CliRunner().invoke(main, ["status"])
    assert stopped.exit_code == INTERRUPTED
    [line] = stopped.stderr.splitlines()
    assert "interrupted; nothing is half published" in line


def test_a_killed_run_leaves_no_job_and_is_told_from_one_under_way(
    engine: str, run: Callable[..., MonthResult], source: Path, tmp_path: Path
) -> None:
    said, lake = tmp_path / "pid", tmp_path / "lake"
    otherwise = _SIGNALS_AND_WAITS.format(said=str(said), number="SIGKILL") + _LANDS
    copy = make_mutant(tmp_path, "ingest_raw.py", _LANDS, otherwise)
    script = (
        "import pathlib\nfrom taxi_assets.jobs import local\nfrom taxi_assets.cli.main import main\n"
        f"local._SCRIPTS = pathlib.Path({str(copy)!r})\nmain()"
    )
    command = ["run", "--month", MONTH, "--source", str(source), "--lake", str(lake)]
    environment = {**os.environ, "TAXI_ENGINE": engine}
    killed = subprocess.run([sys.executable, "-c", script, *command], env=environment, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    wait_until(lambda: not is_alive(int(said.read_text())))
    settings = Settings(lake=str(lake))
    Lake.in_folder(lake)  # that the run did not come to
    [found] = runs(settings)
    assert found.level is Level.FAIL
    assert f"{MONTH}: run " in found.found
    assert "its process was killed, or ended with the machine" in found.found
    assert f"taxi-assets run --month {MONTH}" in found.repair
    assert "does not exist" in run(lake, tmp_path / "nowhere").error  # the next run got as far as its source
    [found] = runs(settings)
    assert "does not exist" in found.found
    with dg.DagsterInstance.from_config(str(dagster_home(settings))) as instance:
        assert instance.get_runs_count(dg.RunsFilter(statuses=[DagsterRunStatus.STARTED])) == 0


def test_a_run_whose_end_could_not_be_written_is_lost_once_its_process_is_gone() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        unwritten, written = (dg.DagsterRun(MONTH_JOB, status=DagsterRunStatus.STARTED) for _ in range(2))
        for one in (unwritten, written):
            instance.add_run(one)
            with known_to_live(instance, one.run_id):
                pass
        living = Path(instance.root_directory, "living")
        assert at_work_since(living.parent) is None
        assert report_lost(instance) == []  # this process may still write it
        instance.report_run_failed(written)
        assert report_lost(instance) == []
        assert [file.stem for file in living.iterdir()] == [unwritten.run_id]
        [file] = living.iterdir()
        file.unlink()
        file.touch()  # as it is when the process is gone
        assert report_lost(instance) == [unwritten.run_id]
        assert list(living.iterdir()) == []


def test_a_run_is_lost_when_its_lock_is_free_and_it_is_not_finished() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        run, other = (dg.DagsterRun(MONTH_JOB, status=DagsterRunStatus.STARTED) for _ in range(2))
        for one in (run, other):
            instance.add_run(one)
        with known_to_live(instance, run.run_id):
            assert not is_lost(instance, run)
            assert report_lost(instance) == []
            kept = Path(instance.root_directory, "living", run.run_id)
            lock = kept.read_bytes()
        assert not kept.exists()  # it ended as it should
        kept.write_bytes(lock)  # as a process leaves it that cannot take it away
        assert report_lost(instance) == [run.run_id]
        assert not kept.exists()
        statuses = {one.run_id: one.status for one in instance.get_runs()}
    assert statuses == {run.run_id: DagsterRunStatus.FAILURE, other.run_id: DagsterRunStatus.STARTED}
