"""A live ``dagster dev``: what the buttons of the UI do, asked for through the API that the UI uses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import yaml

from glue_jobs.contracts import CURATED_TABLES
from taxi_assets.definitions import MONTH_JOB
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.status import lake_status
from taxi_assets.settings import Settings
from taxi_assets.warehouse.view import views
from taxi_assets_tests.conftest import write_source
from taxi_assets_tests.support.dagster_dev import Dagster, running_dagster
from taxi_assets_tests.support.waiting import wait_until

pytestmark = pytest.mark.daemon

LOCATION = {"repositoryLocationName": "nyc-taxi-lakehouse", "repositoryName": "__repository__"}
BACKFILLED = ["2023-05", "2023-06"]
ASSETS = ["raw/trips", "raw/zones", "staging/trips", "staging/quarantine", "curated/daily_metrics"]


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dagster]:
    """A lake and its running UI."""
    folder = tmp_path_factory.mktemp("ui")
    for month in BACKFILLED:
        write_source(folder / "source", month, days=3)
    settings = Settings(lake=str(folder / "lake"), source=str(folder / "source"))
    with running_dagster(settings, {}) as dagster:
        yield dagster


@dataclass(frozen=True)
class Backfilled:
    """A UI after a backfill, and which backfill that was."""

    ui: Dagster
    backfill: str


@pytest.fixture(scope="module")
def backfilled(ui: Dagster) -> Backfilled:
    """The same, after two months were backfilled for chosen assets, as the UI's button does it.

    The sensor that has the other tables follow goes on meanwhile, so that these may be there or not.
    """
    launched = ui.ask(
        """mutation ($p: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $p) {
             __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }""",
        p={
            "partitionNames": BACKFILLED,
            "assetSelection": [{"path": key.split("/")} for key in ASSETS],
        },
    )["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched

    def status() -> str:
        found = ui.ask(
            "query ($id: String!) { partitionBackfillOrError(backfillId: $id) {"
            " ... on PartitionBackfill { status } } }",
            id=launched["backfillId"],
        )
        return str(found["partitionBackfillOrError"]["status"])

    wait_until(lambda: status() != "REQUESTED", ui.log, every=0.5)
    assert status() == "COMPLETED_SUCCESS", ui.log()
    return Backfilled(ui, launched["backfillId"])


def test_a_range_of_months_can_be_backfilled_for_chosen_tables(backfilled: Backfilled) -> None:
    runs = backfilled.ui.ask(
        """query ($f: RunsFilter!) { runsOrError(filter: $f) { ... on Runs { results {
             status tags { key value } assetMaterializations { assetKey { path } } } } } }""",
        f={"tags": [{"key": "dagster/backfill", "value": backfilled.backfill}]},
    )["runsOrError"]["results"]
    assert {run["status"] for run in runs} == {"SUCCESS"}
    made = {
        ({tag["key"]: tag["value"] for tag in run["tags"]}["dagster/partition"], "/".join(event["assetKey"]["path"]))
        for run in runs
        for event in run["assetMaterializations"]
    }
    recorded = {"quality/check_history", "quality/run_metrics"}  # reported by each run
    assert made == {(month, key) for month in BACKFILLED for key in {*ASSETS, *recorded}}
    months = lake_status(Lake.in_folder(backfilled.ui.lake))
    assert [month.month for month in months] == BACKFILLED
    for month in months:
        assert set(month.tables) >= {"staging.trips", "staging.quarantine", "curated.daily_metrics"}


def test_the_launchpad_offers_what_a_run_takes_and_says_what_it_means(ui: Dagster) -> None:
    schema = ui.ask(
        """query ($s: PipelineSelector!) { runConfigSchemaOrError(selector: $s) { ... on RunConfigSchema {
             rootDefaultYaml
             allConfigTypes { ... on CompositeConfigType { fields { name description } } } } } }""",
        s={**LOCATION, "pipelineName": MONTH_JOB},
    )["runConfigSchemaOrError"]
    offered = yaml.safe_load(schema["rootDefaultYaml"])["ops"]
    assert offered["ingest_raw"]["config"] == {"source": ""}
    assert offered["stage_trips"]["config"] == {"replay": False, "accept_smaller": ""}
    fields = [field for of in schema["allConfigTypes"] for field in of.get("fields", ())]
    for name in ("source", "replay", "accept_smaller"):
        said = [field["description"] for field in fields if field["name"] == name]
        assert said
        assert all(said)
        # A resource is called source, too.
        assert name != "source" or any("synthetic:rows=50000,seed=1" in text for text in said)


def test_the_graph_shows_partitions_checks_columns_and_row_counts(backfilled: Backfilled) -> None:
    nodes = backfilled.ui.ask(
        """{ assetNodes { assetKey { path } groupName kinds description owners { ... on TeamAssetOwner { team } }
               partitionStats { numMaterialized } hasAssetChecks
               assetMaterializations(limit: 1) { metadataEntries { label } } } }"""
    )["assetNodes"]
    by_key = {"/".join(node["assetKey"]["path"]): node for node in nodes}
    # The curated tables that were not asked for, the two of quality, of the source and of reference data, and the
    # warehouse with its views, the dashboard and the report.
    assert len(by_key) == len(ASSETS) + (len(CURATED_TABLES) - 1) + 9 + len(views())
    for key in ("quality/check_history", "quality/run_metrics"):  # reported by the runs
        assert by_key[key]["partitionStats"]["numMaterialized"] == 2
    for key in ASSETS:
        node = by_key[key]
        assert node["partitionStats"]["numMaterialized"] == 2
        assert node["hasAssetChecks"]
        assert node["kinds"]
        labels = {entry["label"] for entry in node["assetMaterializations"][0]["metadataEntries"]}
        assert "dagster/row_count" in labels
