"""Dagster's SQLite files as commands open them: once, the same files, and closed in the end."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import Engine

from taxi_assets.operations import sqlite_storage
from taxi_assets.operations.dagster_instance import dagster_home, open_instance
from taxi_assets.settings import Settings

sees_open_files = pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="files that are open are found in Linux's /proc"
)


@dg.asset
def probe() -> dg.MaterializeResult[None]:
    """Something with events in a run's file and in the index."""
    return dg.MaterializeResult(metadata={"rows": 3})


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return Settings(lake=str(tmp_path / "lake"))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file was opened."""
    files: Counter[str] = Counter()
    really = sqlite_storage._opened

    def counted(address: str) -> Engine:
        files[Path(address).name] += 1
        return really(address)

    monkeypatch.setattr(sqlite_storage, "_opened", counted)
    return files


def test_a_run_opens_each_file_once(settings: Settings, opened: Counter[str]) -> None:
    with open_instance(settings) as instance:
        done = dg.materialize([probe], instance=instance)
    assert opened == {"runs.db": 1, "index.db": 1, f"{done.run_id}.db": 1}


def test_dagsters_own_storage_reads_what_was_stored(settings: Settings) -> None:
    with open_instance(settings) as instance:
        done = dg.materialize([probe], instance=instance)
        written = [entry.message for entry in instance.all_logs(done.run_id)]
    with dg.DagsterInstance.from_config(str(dagster_home(settings))) as instance:
        assert [entry.message for entry in instance.all_logs(done.run_id)] == written != []
        event = instance.get_latest_materialization_event(probe.key)
        assert event is not None
        assert event.run_id == done.run_id
        run = instance.get_run_by_id(done.run_id)
        assert run is not None
        assert run.is_success


@sees_open_files
def test_files_of_many_runs_are_not_all_open_at_once(settings: Settings, opened: Counter[str]) -> None:
    runs = sqlite_storage._OPEN_RUNS + 3
    with open_instance(settings) as instance:
        ids = [dg.materialize([probe], instance=instance).run_id for _ in range(runs)]
        assert len(_open_files(settings)) <= sqlite_storage._OPEN_RUNS + 2  # and runs.db, index.db
        assert all(instance.all_logs(run_id) for run_id in ids)
    assert opened["index.db"] == 1


@sees_open_files
def test_a_closed_instance_has_no_file_open_and_no_log_beside_it(settings: Settings) -> None:
    with open_instance(settings) as instance:
        dg.materialize([probe], instance=instance)
        assert _open_files(settings)
    assert not _open_files(settings)
    assert not [*dagster_home(settings).rglob("*-wal"), *dagster_home(settings).rglob("*-shm")]


def test_runs_can_be_wiped(settings: Settings) -> None:
    with open_instance(settings) as instance:
        first = dg.materialize([probe], instance=instance).run_id
        instance.wipe()
        assert not instance.get_runs()
        assert not instance.all_logs(first)
        assert dg.materialize([probe], instance=instance).success


def test_a_storage_of_the_users_own_stays(settings: Settings, tmp_path: Path, opened: Counter[str]) -> None:
    config = dagster_home(settings) / "dagster.yaml"
    config.write_text(f"storage:\n  sqlite:\n    base_dir: {tmp_path / 'elsewhere'}\n")
    with open_instance(settings) as instance:
        dg.materialize([probe], instance=instance)
    assert (tmp_path / "elsewhere/history/runs.db").exists()
    assert not opened


def _open_files(settings: Settings) -> set[Path]:
    """Databases of the lake's instance that this process has open."""
    found: set[Path] = set()
    for handle in Path("/proc/self/fd").iterdir():
        try:
            file = handle.readlink()
        except FileNotFoundError:  # the listing's own
            continue
        if file.suffix == ".db" and file.is_relative_to(dagster_home(settings).resolve()):
            found.add(file)
    return found
