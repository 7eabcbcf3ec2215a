"""A live ``dagster dev``: what the buttons of the UI do, asked for through the API that the UI uses."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

import taxi_assets
from taxi_assets.lake import Lake
from taxi_assets.running import dagster_home
from taxi_assets.settings import Settings
from taxi_assets.status import lake_status

ROOT = Path(taxi_assets.__file__).parent.parent
LOCATION = {"repositoryLocationName": "nyc-taxi-lakehouse", "repositoryName": "__repository__"}
ASSETS = ["raw/trips", "raw/zones", "staging/trips", "staging/quarantine", "curated/daily_metrics"]
Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Ask]]:
    """(lake, ask): a lake and its running UI; ``ask(query, **variables)`` is answered by GraphQL's data."""
    lake = tmp_path_factory.mktemp("ui") / "lake"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(dagster_home(Settings(lake=str(lake)))),
        "TAXI_LAKE": str(lake),
        "TAXI_SOURCE": "synthetic:rows=1000,seed=1",
    }
    dagster = Path(sys.executable).parent / "dagster"
    command = [str(dagster), "dev", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port)]
    log = (lake / "dev.log").open("w")
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
    )

    def ask(query: str, **variables: Any) -> Any:
        body = {"query": query, "variables": variables}
        answer = requests.post(f"http://127.0.0.1:{port}/graphql", json=body, timeout=30).json()
        assert "errors" not in answer, answer
        return answer["data"]

    try:
        wait_until(lambda: reachable(ask), 120, lambda: (lake / "dev.log").read_text())
        yield lake, ask
    finally:
        os.killpg(process.pid, signal.SIGTERM)  # not SIGINT: a background shell lets its children ignore it
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        log.close()


def reachable(ask: Ask) -> bool:
    try:
        return bool(ask("{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }"))
    except (requests.ConnectionError, AssertionError):
        return False


def wait_until(condition: Callable[[], bool], seconds: float, explain: Callable[[], str]) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, explain()
        time.sleep(0.5)


@pytest.fixture(scope="module")
def backfilled(ui: tuple[Path, Ask]) -> tuple[Path, Ask]:
    """The same, after two months were backfilled for chosen assets, as the UI's button does it."""
    lake, ask = ui
    launched = ask(
        """mutation ($p: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $p) {
             __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }""",
        p={
            "partitionNames": ["2023-05", "2023-06"],
            "assetSelection": [{"path": key.split("/")} for key in ASSETS],
        },
    )["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched

    def status() -> str:
        found = ask(
            "query ($id: String!) { partitionBackfillOrError(backfillId: $id) {"
            " ... on PartitionBackfill { status } } }",
            id=launched["backfillId"],
        )
        return str(found["partitionBackfillOrError"]["status"])

    wait_until(lambda: status() not in ("REQUESTED",), 240, lambda: (lake / "dev.log").read_text()[-5000:])
    assert status() == "COMPLETED_SUCCESS", (lake / "dev.log").read_text()[-5000:]
    return lake, ask


def test_a_range_of_months_can_be_backfilled_for_chosen_tables(backfilled: tuple[Path, Ask]) -> None:
    months = lake_status(Lake.in_folder(backfilled[0]))
    assert [month.month for month in months] == ["2023-05", "2023-06"]
    for month in months:
        assert set(month.tables) == {"staging.trips", "staging.quarantine", "curated.daily_metrics"}


def test_the_graph_shows_partitions_checks_columns_and_row_counts(backfilled: tuple[Path, Ask]) -> None:
    _, ask = backfilled
    nodes = ask(
        """{ assetNodes { assetKey { path } groupName kinds description owners { ... on TeamAssetOwner { team } }
               partitionStats { numMaterialized } hasAssetChecks
               assetMaterializations(limit: 1) { metadataEntries { label } } } }"""
    )["assetNodes"]
    by_key = {"/".join(node["assetKey"]["path"]): node for node in nodes}
    assert len(by_key) == len(ASSETS) + 5  # four curated tables that were not asked for, and the history of checks
    for key in ASSETS:
        node = by_key[key]
        assert node["partitionStats"]["numMaterialized"] == 2
        assert node["hasAssetChecks"]
        assert node["kinds"]
        labels = {entry["label"] for entry in node["assetMaterializations"][0]["metadataEntries"]}
        assert "dagster/row_count" in labels
    assert by_key["curated/location_analytics"]["partitionStats"]["numMaterialized"] == 0
