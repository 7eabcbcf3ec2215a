"""A source that is given for one run gives the whole month, the zone lookup included."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from glue_jobs.contracts import tlc
from glue_jobs.contracts.raw import TRIPS_DATASET, ZONES_DATASET
from taxi_assets.asset_keys import RAW_TRIPS, RAW_ZONES
from taxi_assets.definitions import MONTH_JOB, build_definitions
from taxi_assets.lake.lake import Lake
from taxi_assets.settings import Settings
from taxi_assets_tests.conftest import MONTH, write_source


@pytest.mark.parametrize("inbox", [False, True], ids=["a source", "an inbox"])
def test_zones_come_from_where_the_trips_come_unless_that_is_an_inbox(engine: str, tmp_path: Path, inbox: bool) -> None:
    usual, given = tmp_path / "usual", tmp_path / "given"
    for folder in (usual, given):
        write_source(folder, MONTH, rows=200, days=3)
    (given / tlc.ZONE_FILE_PATH).write_text((usual / tlc.ZONE_FILE_PATH).read_text() + "\n")  # another content
    source = f"inbox:{given / 'trip-data'}" if inbox else str(given)
    settings = Settings(lake=str(tmp_path / "lake"), source=str(usual), engine=engine)
    job = build_definitions(settings).resolve_job_def(MONTH_JOB)
    with dg.DagsterInstance.ephemeral() as instance:
        done = job.execute_in_process(
            run_config={"ops": {"ingest_raw": {"config": {"source": source}}}},
            asset_selection=[RAW_TRIPS, RAW_ZONES],
            partition_key=MONTH,
            instance=instance,
        )
    assert done.success
    ledger = Lake.in_folder(tmp_path / "lake").ledger
    landed = {dataset: ledger.current(MONTH, dataset) for dataset in (TRIPS_DATASET, ZONES_DATASET)}
    urls = {dataset: file.url for dataset, file in landed.items() if file is not None}
    assert urls == {
        TRIPS_DATASET: (given / tlc.trip_file_path(MONTH)).as_uri(),
        ZONES_DATASET: ((usual if inbox else given) / tlc.ZONE_FILE_PATH).as_uri(),
    }
