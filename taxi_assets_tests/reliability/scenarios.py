"""What the processes do that are killed, raced or starved: the commands of a user, and parts of a run.

Belongs here: the work, and the small lakes and sources that it is done on. Does not: killing (``processes``), or what
holds afterwards (``invariants``).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq

from glue_jobs.contracts import CURATED_TABLES, QUARANTINE, TRIPS
from glue_jobs.contracts.raw import TRIPS_DATASET, ZONES_DATASET
from taxi_assets.asset_keys import QUARANTINE_KEY, RAW_TRIPS, RAW_ZONES, REPORT, STAGING_TRIPS, asset_key
from taxi_assets.cli.main import main
from taxi_assets.definitions import MONTH_JOB, build_definitions
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.maintenance import maintain
from taxi_assets.lake.paths import new_version
from taxi_assets.lake.vacuum import carry_out, plan
from taxi_assets.operations.dagster_instance import open_instance
from taxi_assets.settings import Settings
from taxi_assets_tests.conftest import MONTH, write_source
from taxi_assets_tests.reliability.invariants import Contents, digest

OTHER_MONTH = "2024-03"
FIRST, SECOND = "first", "second"
"""Two files of the month: the second is what the TLC might republish."""


@dataclass(frozen=True)
class Place:
    """Where a scenario takes place: the ``lake``; ``sources`` and ``prepared`` lakes, by the name of the file."""

    lake: Path
    sources: Mapping[str, Path]
    prepared: Mapping[str, Path]


def make_sources(folder: Path) -> dict[str, Path]:
    """Folders in the TLC's layout with ``FIRST`` and ``SECOND`` of ``MONTH``, three days each, and ``OTHER_MONTH``."""
    sources = {name: folder / name for name in (FIRST, SECOND)}
    for source in sources.values():
        write_source(source, OTHER_MONTH, seed=2, days=3)
        file = write_source(source, MONTH, seed=1, days=3)
    trips = pq.read_table(file)
    # Three rows fewer, and five of them twice: less than what is held back as much smaller.
    pq.write_table(pa.concat_tables([trips.slice(3), trips.slice(3, 5)]), file)
    return sources


def command(*arguments: str) -> None:
    """``taxi-assets`` as a user types it."""
    main(list(arguments), prog_name="taxi-assets")


def run(place: Place, file: str, month: str = MONTH) -> None:
    """A month from the source to the report."""
    command("run", "--month", month, "--source", str(place.sources[file]), "--lake", str(place.lake))


def replay(place: Place) -> None:
    """The quarantine judged again, and the tables built again."""
    command("replay", "--month", MONTH, "--lake", str(place.lake))


def roll_back(place: Place, table: str) -> None:
    """An earlier version put back."""
    command("rollback", table, MONTH, "--lake", str(place.lake))


def publish(place: Place, file: str) -> None:
    """All commits of a run, without its jobs and Dagster: the files are those of a lake in which it was run before."""
    lake, prepared = Lake.in_folder(place.lake), Lake.in_folder(place.prepared[file])
    live = {table.name: lake.publisher.live(table, MONTH) for table in (TRIPS, QUARANTINE, *CURATED_TABLES.values())}
    run_id = os.urandom(4).hex()
    for dataset in (TRIPS_DATASET, ZONES_DATASET):
        landed = prepared.ledger.current(MONTH, dataset)
        assert landed is not None
        path = lake.paths.raw_file(landed.path)
        if not Path(path).is_file():
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(landed.path, f"{path}.new")
            Path(f"{path}.new").replace(path)
        facts = {**asdict(landed), "physical_schema": json.loads(landed.physical_schema)}
        lake.ledger.record(MONTH, dataset, {**facts, "path": path}, run_id)
    version = new_version(run_id)
    for table in (QUARANTINE, TRIPS, *CURATED_TABLES.values()):
        made = prepared.publisher.live(table, MONTH)
        assert made is not None
        shutil.copytree(made.path, lake.paths.version(table, MONTH, version))
        of_staging = {"staging_version": version} if table.name in CURATED_TABLES else {}
        lake.publisher.publish(table, MONTH, version, {**made.lineage, **of_staging}, replacing=live[table.name])


def maintain_later(place: Place) -> None:
    """Maintenance a month from now: all snapshots are old enough to expire, all files to be deleted."""
    for _ in maintain(Lake.in_folder(place.lake).catalog, datetime.now(timezone.utc) + timedelta(days=31)):
        pass


def maintain_now(place: Place) -> None:
    """Maintenance as a user types it."""
    command("catalog", "maintain", "--lake", str(place.lake))


def vacuum_later(place: Place) -> None:
    """A vacuum of everything that nothing refers to, however young: nobody else may be writing."""
    lake = Lake.in_folder(place.lake)
    for _ in carry_out(lake, plan(lake, datetime.now(timezone.utc) + timedelta(days=1))):
        pass


def vacuum_now(place: Place) -> None:
    """A vacuum as a user types it."""
    command("vacuum", "--older-than", "1", "--delete", "--lake", str(place.lake))


def ingest(place: Place, file: str) -> None:
    """A run's first step alone."""
    _step(place, file, RAW_TRIPS, RAW_ZONES)


def stage(place: Place) -> None:
    """The second, of the file in force."""
    _step(place, FIRST, STAGING_TRIPS, QUARANTINE_KEY)


def curate(place: Place) -> None:
    """The third, of the live staging."""
    _step(place, FIRST, *(asset_key(table) for table in CURATED_TABLES.values()))


def report(place: Place) -> None:
    """The last: the month's page."""
    _step(place, FIRST, REPORT)


def _step(place: Place, file: str, *assets: dg.AssetKey) -> None:
    settings = Settings(lake=str(place.lake), source=str(place.sources[file]))
    job = build_definitions(settings).resolve_job_def(MONTH_JOB).get_subset(asset_selection=set(assets))
    with open_instance(settings) as instance:
        job.execute_in_process(instance=instance, partition_key=MONTH)


def read(place: Place, contents: Contents, stop: Path) -> None:
    """Read every table again and again until the file ``stop`` is there; AssertionError if a table is no whole one."""
    while not stop.exists():
        lake = Lake.in_folder(place.lake)
        for table in (TRIPS, QUARANTINE, *CURATED_TABLES.values()):
            files = [file for file in lake.catalog.files(table) if f"/month={MONTH}/" in file]
            found = digest(files)
            known = {content.tables[table.full_name] for content in contents.values()}
            assert found in known, f"{table.full_name}: {found[0]} rows of {len(files)} files"


def several(*works: partial[None]) -> None:
    """One after the other; each has to succeed."""
    for work in works:
        try:
            work()
        except SystemExit as end:
            if end.code:
                raise


def age(lake: Path, days: int) -> None:
    """Have everything that lies in the lake's tables been changed ``days`` ago."""
    then = datetime.now(timezone.utc).timestamp() - days * 86_400
    for path in lake.rglob("*"):
        if path.is_file() and ".dagster" not in path.parts:
            os.utime(path, (then, then))
