"""Jobs with a fault in them: a copy of ``glue_jobs`` in which one line reads otherwise."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import glue_jobs
from taxi_assets.jobs import local


def make_mutant(folder: Path, file: str, line: str, otherwise: str) -> Path:
    """The copy below ``folder``, in which ``line`` of ``file`` reads ``otherwise``."""
    copy = folder / "mutant" / "glue_jobs"
    shutil.copytree(Path(glue_jobs.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    code = (copy / file).read_text()
    assert code.count(line) == 1, f"{file} has the line {code.count(line)} times: {line}"
    (copy / file).write_text(code.replace(line, otherwise))
    return copy


def run_mutant(patch: pytest.MonkeyPatch, folder: Path, file: str, line: str, otherwise: str) -> None:
    """Have the jobs of whole runs be those of a mutant below ``folder``."""
    copy = make_mutant(folder, file, line, otherwise)
    patch.setattr(local, "_SCRIPTS", copy)
    patch.setenv("PYTHONPATH", str(copy.parent))


@contextmanager
def imported(copy: Path) -> Iterator[None]:
    """Meanwhile whoever imports ``glue_jobs`` gets ``copy``; who has imported it before keeps what they have."""
    before = _loaded()
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(copy.parent)
        for name in before:
            patch.delitem(sys.modules, name)
        assert importlib.import_module("glue_jobs").__file__ == str(copy / "__init__.py")
        try:
            yield
        finally:
            for name in _loaded():
                del sys.modules[name]


def _loaded() -> list[str]:
    return [name for name in sys.modules if name == "glue_jobs" or name.startswith("glue_jobs.")]
