"""Jobs with a fault in them: a copy of ``glue_jobs`` in which one line reads otherwise."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import glue_jobs
from taxi_assets.jobs import local


def run_mutant(patch: pytest.MonkeyPatch, folder: Path, file: str, line: str, otherwise: str) -> None:
    """Have the jobs run from a copy below ``folder`` in which ``line`` of ``file`` reads ``otherwise``."""
    copy = folder / "mutant" / "glue_jobs"
    shutil.copytree(Path(glue_jobs.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    code = (copy / file).read_text()
    assert code.count(line) == 1, f"{file} has the line {code.count(line)} times: {line}"
    (copy / file).write_text(code.replace(line, otherwise))
    patch.setattr(local, "_SCRIPTS", copy)
    patch.setenv("PYTHONPATH", str(copy.parent))
