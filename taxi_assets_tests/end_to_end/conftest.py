"""Lakes that the tests of this folder share.

Belongs here: lakes of a laptop that more than one module is about. Does not: lakes on AWS (``support.aws_lake``).
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from taxi_assets.operations.run_month import MonthResult


@pytest.fixture(scope="module")
def lake_to_change(published: tuple[Path, MonthResult], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake in which the month is published, for tests that publish more or try to: a copy of ``published``."""
    return Path(shutil.copytree(published[0], tmp_path_factory.mktemp("changing") / "lake"))
