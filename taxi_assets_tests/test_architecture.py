"""The layers hold: who may import whom, and that the page about it is that of the code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import taxi_assets
from taxi_assets.docs import architecture

ROOT = Path(taxi_assets.__file__).parent.parent
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", LINT, "--no-cache", "--config", str(ROOT / "pyproject.toml")]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_no_import_runs_against_the_layers() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


def test_an_import_against_the_layers_is_named(tmp_path: Path) -> None:
    for package in ("taxi_assets", "glue_jobs"):
        for module in (ROOT / package).rglob("*.py"):
            copy = tmp_path / module.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(module.read_bytes())
    partitions = tmp_path / "taxi_assets" / "partitions.py"
    partitions.write_text(f"import taxi_assets.alerts.sensor\n{partitions.read_text()}")
    done = lint(tmp_path)
    assert done.returncode == 1
    assert "taxi_assets.partitions -> taxi_assets.alerts.sensor" in done.stdout


def test_the_page_has_the_picture_of_this_code() -> None:
    assert architecture.render() in (ROOT / "docs" / "architecture.md").read_text()
