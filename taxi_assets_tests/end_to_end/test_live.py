"""A live ``dagster dev`` with its daemon: a file appears at the source, and nobody touches anything any more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glue_jobs.contracts import CURATED_TABLES, MONTHLY_TABLES, tlc
from glue_jobs.sources.synthetic import make_zones
from taxi_assets.lake.lake import Lake
from taxi_assets.settings import Settings
from taxi_assets_tests.conftest import write_source
from taxi_assets_tests.support.dagster_dev import Dagster, running_dagster, wait_until

MONTH = "2024-02"


class Live:
    """A running Dagster that watches the folder ``source``, and its lake."""

    def __init__(self, dagster: Dagster, source: Path) -> None:
        self.dagster, self.source, self.lake, self.log = dagster, source, dagster.lake, dagster.log

    def materialized(self) -> dict[str, int]:
        """Asset to how many months of it are materialized."""
        query = "{ assetNodes { assetKey { path } partitionStats { numMaterialized } } }"
        nodes = self.dagster.ask(query)["assetNodes"]
        return {
            "/".join(node["assetKey"]["path"]): node["partitionStats"]["numMaterialized"]
            for node in nodes
            if node["partitionStats"]  # the source's zones have no months
        }

    def alerts(self) -> list[dict[str, Any]]:
        """The messages in the outbox, in order."""
        return [json.loads(path.read_text()) for path in sorted((self.lake / "alerts").glob("*.json"))]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Dagster, watching an empty source each minute."""
    folder = tmp_path_factory.mktemp("live")
    zones = folder / "source" / tlc.ZONE_FILE_PATH
    zones.parent.mkdir(parents=True)
    zones.write_bytes(make_zones())
    settings = Settings(lake=str(folder / "lake"), source=str(folder / "source"))
    watching = {"TAXI_WATCH": "true", "TAXI_WATCH_FROM": MONTH, "TAXI_WATCH_MINUTES": "1"}
    with running_dagster(settings, watching) as dagster:
        yield Live(dagster, folder / "source")


def test_a_file_that_appears_is_published_in_five_tables_with_no_hand_on_it(live: Live) -> None:
    assert set(live.materialized().values()) == {0}
    write_source(live.source, MONTH, rows=2_000)
    tables = {f"curated/{name}" for name in CURATED_TABLES}
    wait_until(lambda: all(live.materialized()[key] == 1 for key in tables), 420, live.log)
    publisher = Lake.in_folder(live.lake).publisher
    assert all(publisher.live(table, MONTH) is not None for table in MONTHLY_TABLES.values())
    wait_until(lambda: {run["status"] for run in live.dagster.runs()} == {"SUCCESS"}, 60, live.log)
    assert len(live.dagster.runs()) == 2  # the landing, and what follows it


def test_a_bad_file_publishes_nothing_is_tried_once_and_told_once(live: Live) -> None:
    publisher = Lake.in_folder(live.lake).publisher
    before = {name: publisher.live(table, MONTH) for name, table in MONTHLY_TABLES.items()}
    file = live.source / tlc.trip_file_path(MONTH)
    good = file.read_bytes()
    file.write_bytes(good[:-1000])
    wait_until(lambda: live.dagster.runs()[0]["status"] == "FAILURE", 300, live.log)
    assert {name: publisher.live(table, MONTH) for name, table in MONTHLY_TABLES.items()} == before
    wait_until(lambda: any(alert["severity"] == "ERROR" for alert in live.alerts()), 180, live.log)
    [alert] = [alert for alert in live.alerts() if alert["severity"] == "ERROR"]
    assert MONTH in alert["text"]
    assert "is cut off" in alert["text"]
    assert f"/runs/{live.dagster.runs()[0]['runId']}" in alert["text"]
    assert len(live.dagster.runs()) == 3


def test_the_file_mended_is_published_by_itself_and_the_end_of_the_trouble_is_told(live: Live) -> None:
    before = Lake.in_folder(live.lake).publisher.months(MONTHLY_TABLES["curated.daily_metrics"])[MONTH].version

    def version() -> str:
        return Lake.in_folder(live.lake).publisher.months(MONTHLY_TABLES["curated.daily_metrics"])[MONTH].version

    write_source(live.source, MONTH, rows=2_000, seed=2)
    wait_until(lambda: version() != before, 420, live.log)
    wait_until(lambda: live.dagster.runs()[0]["status"] == "SUCCESS", 60, live.log)
    assert [run["status"] for run in live.dagster.runs()].count("FAILURE") == 1
    wait_until(lambda: live.alerts()[-1]["severity"] == "INFO", 180, live.log)
    assert [alert["severity"] for alert in live.alerts() if MONTH in alert["text"]] == ["ERROR", "INFO"]
