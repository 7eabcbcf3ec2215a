"""The Dagster instance files say what Dagster understands, and what this project needs of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.instance.ref import InstanceRef

import taxi_assets
from taxi_assets.operations.dagster_instance import dagster_home
from taxi_assets.operations.health.runs import LONGEST_RUN
from taxi_assets.settings import Settings

FILES = Path(taxi_assets.__file__).parent / "operations" / "instance"


def loaded(name: str, folder: Path) -> InstanceRef:
    """The instance that the file describes; Dagster checks its shape."""
    shutil.copyfile(FILES / name, folder / "dagster.yaml")
    return InstanceRef.from_dir(str(folder))


def test_a_new_lake_gets_the_laptops_file_and_keeps_what_is_changed_in_it(tmp_path: Path) -> None:
    settings = Settings(lake=str(tmp_path / "lake"))
    config = dagster_home(settings) / "dagster.yaml"
    assert config.read_text() == (FILES / "laptop.yaml").read_text()
    config.write_text("telemetry:\n  enabled: false\n")
    dagster_home(settings)
    assert config.read_text() == "telemetry:\n  enabled: false\n"


def test_a_disk_without_room_leaves_no_empty_file_that_would_be_dagsters_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_the_disk(_: Path, to: Path) -> None:
        to.touch()
        raise OSError(28, "No space left on device")

    settings = Settings(lake=str(tmp_path / "lake"))
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", fill_the_disk)
        with pytest.raises(OSError, match="No space left"):
            dagster_home(settings)
    assert (dagster_home(settings) / "dagster.yaml").read_text() == (FILES / "laptop.yaml").read_text()


def test_a_laptop_runs_one_month_at_a_time_and_ends_runs_whose_process_is_gone(tmp_path: Path) -> None:
    loaded("laptop.yaml", tmp_path)
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert instance.run_monitoring_enabled
        assert instance.run_monitoring_max_runtime_seconds == LONGEST_RUN.total_seconds()
        queue = instance.get_concurrency_config()
        assert queue.run_queue_config is not None
        assert queue.run_queue_config.max_concurrent_runs == 1
        assert queue.pool_config.default_pool_limit == 1


def test_production_keeps_runs_in_postgres_and_logs_in_s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DAGSTER_PG_HOST", "DAGSTER_PG_USERNAME", "DAGSTER_PG_PASSWORD", "DAGSTER_PG_DB", "TAXI_LOG_BUCKET"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("DAGSTER_PG_PORT", "5432")
    production = loaded("production.yaml", tmp_path)
    assert production.run_storage_data is not None
    assert production.run_storage_data.module_name.startswith("dagster_postgres")
    assert production.compute_logs_data.class_name == "S3ComputeLogManager"
    production.compute_logs_data.rehydrate(as_type=object)
    settings: dict[str, Any] = dict(production.settings)
    assert settings["run_monitoring"]["enabled"]
    # A lost worker is made good; a step that failed is not run again: what may pass was repeated by the step itself.
    assert settings["run_retries"] == {"enabled": True, "max_retries": 2, "retry_on_asset_or_op_failure": False}
