"""Real TLC data, where TAXI_TEST_TLC names a folder of it in the TLC's layout (it is not part of the project)."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

import taxi_assets
from glue_jobs.contracts import CURATED_TABLES, tlc
from glue_jobs.contracts.rules import RULES
from taxi_assets.lake.lake import Lake
from taxi_assets.operations.run_month import MonthResult
from taxi_assets_tests.conftest import MONTH

pytestmark = pytest.mark.real_data("TAXI_TEST_TLC")


@pytest.fixture(scope="module")
def tlc_folder() -> Path:
    folder = Path(os.environ.get("TAXI_TEST_TLC", "unset"))
    if not (folder / tlc.trip_file_path(MONTH)).is_file():
        pytest.skip(f"TAXI_TEST_TLC is {folder}; set it to a folder in the TLC's layout that has {MONTH}")
    return folder


@pytest.fixture(scope="module")
def real_month(
    run: Callable[..., MonthResult], tlc_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, MonthResult]:
    """A lake in which the month was published, and the run's result."""
    lake = tmp_path_factory.mktemp("real") / "lake"
    result = run(lake, tlc_folder)
    assert result.succeeded, result.error
    return lake, result


def test_every_row_and_cent_of_a_real_month_is_accounted_for(
    real_month: tuple[Path, MonthResult], tlc_folder: Path
) -> None:
    file = tlc_folder / tlc.trip_file_path(MONTH)
    lake, result = real_month
    assert result.source_rows == pq.read_metadata(file).num_rows
    assert (result.published_rows or 0) + (result.quarantined_rows or 0) == result.source_rows
    assert set(result.tables) == set(CURATED_TABLES)
    with Lake.in_folder(lake).connect() as connection:
        accounted = connection.execute(
            "SELECT (SELECT sum(total_amount) FROM staging.trips)"
            " + (SELECT sum(total_amount::DECIMAL(18, 2)) FROM staging.quarantine)"
        ).fetchall()
        # The file has a Flex Fare share of some percent, and exactly those trips lack the dispatch fields.
        flex = connection.execute(
            "SELECT count(*) FILTER ((payment_type = 0) <> (passenger_count IS NULL)), "
            "avg((payment_type = 0)::INT) BETWEEN 0.02 AND 0.3 FROM staging.trips"
        ).fetchall()
    with duckdb.connect() as connection:
        assert accounted == connection.execute(f"SELECT sum(total_amount::DECIMAL(18, 2)) FROM '{file}'").fetchall()
    assert flex == [(0, True)]
    assert result.failed_checks == []
    assert result.warned_checks == ["staging/trips: every_day_has_trips"]  # it has ten days


def test_the_readme_shows_the_reasons_that_come_out(real_month: tuple[Path, MonthResult]) -> None:
    _, result = real_month
    readme = (Path(taxi_assets.__file__).parent.parent / "README.md").read_text()
    shown = re.findall(r"^\| `(\w+)` \| (\d+) \| (.+) \|$", readme, flags=re.MULTILINE)
    meaning = {rule.rule_id: rule.reason for rule in RULES}
    assert shown == [(name, str(rows), meaning[name]) for name, rows in sorted(result.quarantine_reasons.items())]
    assert f"{result.source_rows:,} real trips" in readme
    assert f"{result.quarantined_rows} go to\nquarantine" in readme
