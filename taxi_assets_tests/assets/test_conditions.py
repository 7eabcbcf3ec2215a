"""What materializes by itself when a raw month has arrived, asked of Dagster's own evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from glue_jobs.contracts import CURATED_TABLES
from taxi_assets.asset_keys import QUARANTINE_KEY, RAW_TRIPS, RAW_ZONES, REPORT, STAGING_TRIPS, asset_key
from taxi_assets.definitions import MONTH_JOB, build_definitions
from taxi_assets.settings import Settings

RAW, STAGED = [RAW_TRIPS, RAW_ZONES], [STAGING_TRIPS, QUARANTINE_KEY]
TABLES = [asset_key(table) for table in CURATED_TABLES.values()]
OLD_MONTH = "2019-05"


class Graph:
    """The code location on an instance of its own; ``look`` is a tick of the automation sensor."""

    def __init__(self, lake: Path, engine: str, instance: dg.DagsterInstance) -> None:
        settings = Settings(lake=str(lake), source="synthetic:rows=800,seed=1", engine=engine)
        self._defs = build_definitions(settings)
        self._instance = instance
        self._cursor: Any = None

    def materialize(self, month: str, keys: list[dg.AssetKey]) -> None:
        done = self._defs.resolve_job_def(MONTH_JOB).execute_in_process(
            instance=self._instance, partition_key=month, asset_selection=keys
        )
        assert done.success

    def look(self) -> dict[str, set[dg.AssetKey]]:
        """Month to the assets that are requested for it."""
        result = dg.evaluate_automation_conditions(self._defs, instance=self._instance, cursor=self._cursor)
        self._cursor = result.cursor
        requested: dict[str, set[dg.AssetKey]] = {}
        for key in [*RAW, *STAGED, *TABLES, REPORT]:
            for month in result.get_requested_partitions(key):
                requested.setdefault(str(month), set()).add(key)
        return requested


@pytest.fixture
def graph(tmp_path: Path, engine: str) -> Iterator[Graph]:
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        graph = Graph(tmp_path / "lake", engine, instance)
        assert graph.look() == {}
        yield graph


def test_a_raw_month_of_any_age_is_followed_by_staging_and_the_tables_once(graph: Graph) -> None:
    graph.materialize(OLD_MONTH, RAW)
    assert graph.look() == {OLD_MONTH: {*STAGED, *TABLES}}
    assert graph.look() == {}
    graph.materialize(OLD_MONTH, [*STAGED, *TABLES])
    assert graph.look() == {OLD_MONTH: {REPORT}}  # when the tables' checks have passed for the first time
    assert graph.look() == {}


def test_a_month_that_is_run_from_end_to_end_is_not_run_again(graph: Graph) -> None:
    graph.materialize(OLD_MONTH, [*RAW, *STAGED, *TABLES, REPORT])
    assert graph.look() == {}


def test_staging_that_is_run_again_is_followed_by_the_tables_and_the_report(graph: Graph) -> None:
    graph.materialize(OLD_MONTH, [*RAW, *STAGED, *TABLES, REPORT])
    graph.look()
    graph.materialize(OLD_MONTH, STAGED)
    assert graph.look() == {OLD_MONTH: {*TABLES, REPORT}}


def test_a_table_that_is_built_again_is_followed_by_the_report(graph: Graph) -> None:
    graph.materialize(OLD_MONTH, [*RAW, *STAGED, *TABLES, REPORT])
    graph.look()
    graph.materialize(OLD_MONTH, TABLES[:1])
    assert graph.look() == {OLD_MONTH: {REPORT}}


def test_months_are_followed_each_for_itself(graph: Graph) -> None:
    graph.materialize(OLD_MONTH, RAW)
    graph.look()
    graph.materialize("2019-06", RAW)
    assert graph.look() == {"2019-06": {*STAGED, *TABLES}}


def test_a_failed_blocking_check_of_the_upstream_holds_its_followers(graph: Graph) -> None:
    graph.materialize(OLD_MONTH, RAW)
    graph._instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(asset_key=RAW_TRIPS, check_name="has_its_content", passed=False, partition=OLD_MONTH)
    )
    assert graph.look() == {}
