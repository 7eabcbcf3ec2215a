"""Asking checks, and damaging what they are asked of.

Belongs here: what tests of several layers' checks share. Does not: any subject (``checks/conftest.py``).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from taxi_assets.checks.check import Check

NEEDS_A_WHOLE_MONTH = {"trips: every_day_has_trips"}
"""Months of tests have a few days; ``test_completeness`` asks about the others."""


def failed(checks: list[Check[Any]], subject: object) -> set[str]:
    """The checks that fail, but for those that only a month with all its days passes."""
    answers = [one.evaluate(subject) for one in checks]
    names = {f"{one.asset.path[-1]}: {one.name}" for one in answers if not one.outcome.passed}
    return names - NEEDS_A_WHOLE_MONTH


def rewrite(folder: Path, select: str) -> None:
    """Replace the files below ``folder`` by one with the rows of ``select`` over them (``FROM rows``)."""
    rows = f"read_parquet('{folder}/**/*.parquet', hive_partitioning = false)"
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE written AS WITH rows AS (FROM {rows}) {select}")
        shutil.rmtree(folder)
        folder.mkdir()
        connection.execute(f"COPY written TO '{folder}/part-0.parquet' (FORMAT parquet)")


def answer_to(checks: list[Check[Any]], name: str) -> Callable[[object], Any]:
    return next(one for one in checks if one.name == name).evaluate
