"""The month that the tests of this folder are about, as the jobs wrote it; each test has a copy to damage."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from glue_jobs.contracts import CURATED_TABLES, QUARANTINE, TRIPS, tlc
from glue_jobs.contracts.raw import TRIPS_DATASET, ZONES_DATASET
from taxi_assets.checks.curated import CuratedMonth
from taxi_assets.checks.session import Session
from taxi_assets.checks.staging.subject import StagedMonth
from taxi_assets.lake.lake import Lake
from taxi_assets.operations.run_month import MonthResult
from taxi_assets_tests.conftest import MONTH


@pytest.fixture
def staged(published: tuple[Path, MonthResult], tmp_path: Path) -> StagedMonth:
    """A copy of what the job wrote, with the facts that it reported."""
    lake = Lake.in_folder(published[0])
    live = {table.name: lake.publisher.live(table, MONTH) for table in (TRIPS, QUARANTINE)}
    folders = {}
    for name, publication in live.items():
        assert publication is not None
        folders[name] = shutil.copytree(publication.path, tmp_path / name)
    source = lake.ledger.current(MONTH, TRIPS_DATASET)
    assert source is not None
    money = Session({"trips": (TRIPS, str(folders["trips"]))}).first_row(
        f"SELECT {', '.join(f'coalesce(sum({c}), 0) AS {c}' for c in tlc.MONEY_COLUMNS)} FROM trips"
    )
    facts = {
        "source_rows": published[1].source_rows,
        "published_rows": published[1].published_rows,
        "quarantined_rows": published[1].quarantined_rows,
        "quarantine_reasons": published[1].quarantine_reasons,
        "money": {name: f"{value:.2f}" for name, value in money.items()},
    }
    zones = lake.ledger.current(MONTH, ZONES_DATASET)
    assert zones is not None
    return StagedMonth(MONTH, source.path, zones.path, str(folders["trips"]), str(folders["quarantine"]), facts)


@pytest.fixture
def built(published: tuple[Path, MonthResult], staged: StagedMonth, tmp_path: Path) -> CuratedMonth:
    tables = published[1].tables
    return CuratedMonth(
        MONTH, staged.trips, {name: str(shutil.copytree(tables[name].path, tmp_path / name)) for name in CURATED_TABLES}
    )
