"""A live ``dagster dev`` with its daemon: a file appears at the source, and nobody touches anything any more.

Each step of the story is a fixture, which every test that needs it takes. Sensors look every five seconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from glue_jobs.contracts import CURATED_TABLES, MONTHLY_TABLES, tlc
from glue_jobs.sources.synthetic import make_zones
from taxi_assets.asset_keys import REPORT
from taxi_assets.lake.lake import Lake
from taxi_assets.settings import Settings
from taxi_assets_tests.conftest import write_source
from taxi_assets_tests.support.dagster_dev import EAGER, Dagster, running_dagster
from taxi_assets_tests.support.waiting import wait_until

pytestmark = pytest.mark.daemon

MONTH = "2024-02"


@dataclass(frozen=True)
class State:
    """What there is at the end of a step: runs and their ends, the newest first, live versions, alerts in order."""

    runs: list[dict[str, Any]]
    ends: list[str]
    versions: dict[str, str | None]
    alerts: list[dict[str, Any]]


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

    def newest_end(self) -> str:
        """How the newest run ended, or what it does."""
        return str(self.dagster.runs()[0]["status"])

    def versions(self) -> dict[str, str | None]:
        """The version that readers see of the month, by table."""
        publisher = Lake.in_folder(self.lake).publisher
        live = {name: publisher.live(table, MONTH) for name, table in MONTHLY_TABLES.items()}
        return {name: entry.version if entry else None for name, entry in live.items()}

    def state(self) -> State:
        """What there is now."""
        runs = self.dagster.runs()
        return State(runs, [run["status"] for run in runs], self.versions(), self.alerts())

    def wait_for_alert(self, severity: str) -> None:
        """Wait until there is one of this severity."""
        wait_until(lambda: severity in [alert["severity"] for alert in self.alerts()], self.log, every=0.5)

    def alerts(self) -> list[dict[str, Any]]:
        """The messages in the outbox, in order."""
        return [json.loads(path.read_text()) for path in sorted((self.lake / "alerts").glob("*.json"))]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Dagster, watching an empty source."""
    folder = tmp_path_factory.mktemp("live")
    zones = folder / "source" / tlc.ZONE_FILE_PATH
    zones.parent.mkdir(parents=True)
    zones.write_bytes(make_zones())
    settings = Settings(lake=str(folder / "lake"), source=str(folder / "source"))
    watching = {"TAXI_WATCH": "true", "TAXI_WATCH_FROM": MONTH}
    with running_dagster(settings, watching, EAGER) as dagster:
        yield Live(dagster, folder / "source")


@pytest.fixture(scope="module")
def appeared(live: Live) -> State:
    """A file appeared at the source, and was published."""
    assert set(live.materialized().values()) == {0}
    write_source(live.source, MONTH, rows=2_000, days=3)
    tables = {f"curated/{name}" for name in CURATED_TABLES}
    wanted = {*tables, REPORT.to_user_string()}
    wait_until(lambda: all(live.materialized()[key] == 1 for key in wanted), live.log, every=0.5)
    wait_until(lambda: {run["status"] for run in live.dagster.runs()} == {"SUCCESS"}, live.log, every=0.5)
    return live.state()


@pytest.fixture(scope="module")
def cut_off(live: Live, appeared: State) -> State:
    """The file was replaced by one that is cut off, and somebody was told."""
    file = live.source / tlc.trip_file_path(MONTH)
    file.write_bytes(file.read_bytes()[:-1000])
    wait_until(lambda: live.newest_end() == "FAILURE", live.log, every=0.5)
    live.wait_for_alert("ERROR")
    return live.state()


@pytest.fixture(scope="module")
def repaired(live: Live, cut_off: State) -> State:
    """The file is whole again, of another content, and was published."""
    write_source(live.source, MONTH, rows=2_000, seed=2, days=3)
    before = cut_off.versions["curated.daily_metrics"]
    wait_until(lambda: live.versions()["curated.daily_metrics"] != before, live.log, every=0.5)
    wait_until(lambda: live.newest_end() == "SUCCESS", live.log, every=0.5)
    live.wait_for_alert("INFO")
    return live.state()


def test_a_file_that_appears_is_published_in_five_tables_with_no_hand_on_it(appeared: State) -> None:
    assert None not in appeared.versions.values()
    assert appeared.ends == ["SUCCESS"] * 3  # the landing, what follows it, and the report of what is published


def test_a_bad_file_publishes_nothing_is_tried_once_and_told_once(appeared: State, cut_off: State) -> None:
    assert cut_off.versions == appeared.versions
    [alert] = [alert for alert in cut_off.alerts if alert["severity"] == "ERROR"]
    assert MONTH in alert["text"]
    assert "is cut off" in alert["text"]
    assert f"/runs/{cut_off.runs[0]['runId']}" in alert["text"]
    assert cut_off.ends == ["FAILURE", *appeared.ends]


def test_the_repaired_file_is_published_by_itself_and_the_end_of_the_trouble_is_told(repaired: State) -> None:
    assert repaired.ends.count("FAILURE") == 1
    assert [alert["severity"] for alert in repaired.alerts if MONTH in alert["text"]] == ["ERROR", "INFO"]
