"""Putting months into a lake without running a job: for tests of what is asked of published months.

Belongs here: versions that a run might have published. Does not: rows that a job would write.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

from glue_jobs.contracts import CURATED_TABLES, MONTHLY_TABLES, QUARANTINE, TRIPS
from taxi_assets.asset_keys import STAGING_TRIPS
from taxi_assets.checks.check import Answer, Outcome
from taxi_assets.lake.lake import Lake


def publish_month(lake: Lake, month: str, version: str, tables: Collection[str] = tuple(CURATED_TABLES)) -> None:
    """A version without rows of trips, quarantine and ``tables``, as one run publishes them."""
    for table in (QUARANTINE, TRIPS, *(CURATED_TABLES[name] for name in tables)):
        Path(lake.paths.version(table, month, version)).mkdir(parents=True)
        lineage = {"contract_version": str(table.version)}
        if table.name in CURATED_TABLES:
            lineage["staging_version"] = version
        lake.publisher.publish(table, month, version, lineage, replacing=lake.publisher.live(table, month))


def publish_again(
    lake: Lake, month: str, version: str, tables: Collection[str] = tuple(CURATED_TABLES), **contracts: str
) -> None:
    """The live rows of trips, quarantine and ``tables`` as another version, as a run publishes them.

    ``contracts`` are versions of contracts, by table, that are not those of the live rows.
    """
    for table in (QUARANTINE, TRIPS, *(CURATED_TABLES[name] for name in tables)):
        live = lake.publisher.live(table, month)
        assert live is not None, f"{table.full_name} of {month}"
        shutil.copytree(live.path, lake.paths.version(table, month, version))
        lineage = dict(live.lineage)
        if table.name in CURATED_TABLES:
            lineage["staging_version"] = version
        lineage["contract_version"] = contracts.get(table.name, lineage["contract_version"])
        lake.publisher.publish(table, month, version, lineage, replacing=live)


def live_versions(lake: Path, month: str) -> dict[str, str | None]:
    """The version that readers see of each monthly table; None where nothing is published."""
    publisher = Lake.in_folder(lake).publisher
    live = {name: publisher.live(table, month) for name, table in MONTHLY_TABLES.items()}
    return {name: entry.version if entry else None for name, entry in live.items()}


def record(lake: Lake, month: str, version: str, measures: Mapping[str, float]) -> None:
    """One answer of a check of the trips, with these measures, in the history."""
    outcome = Outcome(True, "like other months", "it is", "SELECT 1", measures=measures)
    answer = Answer(STAGING_TRIPS, "volume_is_usual", False, outcome)
    assert lake.checks.record(month, answer.rows, version=version, rules_version=2, run_id="run") == 1 + len(measures)
