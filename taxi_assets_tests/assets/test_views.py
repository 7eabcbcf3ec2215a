from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from glue_jobs.contracts import FILES, TABLES
from taxi_assets.asset_keys import RAW_TRIPS, WAREHOUSE, asset_key
from taxi_assets.assets import views as assets
from taxi_assets.assets.warehouse import apply_warehouse
from taxi_assets.lake.resource import LakeResource
from taxi_assets.operations.run_month import MonthResult
from taxi_assets.settings import Settings
from taxi_assets.warehouse.lineage import columns_below
from taxi_assets.warehouse.resource import MemoryWarehouse
from taxi_assets.warehouse.view import View, views
from taxi_assets_tests.conftest import copy_of


@pytest.fixture
def lake(published: tuple[Path, MonthResult], tmp_path: Path) -> LakeResource:
    """A copy: asking the log of queries makes its folder."""
    copy = copy_of(published[0], tmp_path / "lake")
    return LakeResource.of(Settings(lake=str(copy)))


def materialized(lake: LakeResource, *names: str) -> dg.ExecuteInProcessResult:
    keys = [asset_key(views()[name].table) for name in names]
    return dg.materialize(
        [assets.ask_views], resources={"lake": lake, "warehouse": MemoryWarehouse()}, selection=keys or None
    )


def test_every_view_is_tried_and_shown_with_its_rows_and_its_sql(lake: LakeResource) -> None:
    result = materialized(lake)
    assert [check.passed for check in result.get_asset_check_evaluations()] == [True] * len(views())
    shown = {event.asset_key: event.materialization.metadata for event in result.get_asset_materialization_events()}
    assert shown.keys() == {asset_key(view.table) for view in views().values()}
    summary = shown[asset_key(views()["monthly_summary"].table)]
    assert summary["dagster/row_count"].value == 1
    assert "| 2024-02 | 3 | 29 | True |" in str(summary["preview"].value)
    assert "FROM curated.daily_metrics" in str(summary["sql"].value)


def test_a_view_that_gives_other_columns_than_it_promises_fails_its_check(
    lake: LakeResource, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = views()["payment_mix"]
    columns = (*view.table.columns[:1], *view.table.columns[2:])
    other = View(replace(view.table, columns=columns, grain=("month",)), view.sql)
    monkeypatch.setattr(assets, "views", lambda: {**views(), "payment_mix": other})
    [check] = materialized(lake, "payment_mix").get_asset_check_evaluations()
    assert not check.passed
    assert check.metadata["actual"].value == "payment_method string"


def test_a_view_comes_after_the_tables_that_it_reads() -> None:
    specs = {spec.key: spec for spec in assets.ask_views.specs}
    for view in views().values():
        below = {asset_key(TABLES[name]) for name in view.tables if name in TABLES}
        if FILES.full_name in view.tables:  # the ledger, which whoever lands a file writes
            below = below - {asset_key(FILES)} | {RAW_TRIPS}
        assert {dep.asset_key for dep in specs[asset_key(view.table)].deps} == below | {WAREHOUSE}
    codes = {spec.code_version for spec in specs.values()}
    assert len(codes) == len(views())  # each has its own: a change of one tries that one again


def test_a_column_of_a_view_is_followed_to_the_columns_that_it_is_computed_from() -> None:
    summary = columns_below(views()["monthly_summary"])
    assert summary["average_total"] == [("curated.daily_metrics", "gross_revenue"), ("curated.daily_metrics", "trips")]
    assert summary["trips_change_year"] == [("curated.daily_metrics", "trips")]
    assert summary["days"] == []  # it counts rows
    flows = columns_below(views()["zone_flows"])
    both = ["dropoff_zone", "pickup_zone"]
    assert flows["zone"] == [("curated.location_analytics", name) for name in both]


@pytest.mark.parametrize("name", views())
def test_columns_of_views_come_from_columns_that_there_are(name: str) -> None:
    for below in columns_below(views()[name]).values():
        for table, column in below:
            assert column in TABLES[table].column_names if table in TABLES else table == "operations.query_log"


def test_the_warehouse_of_a_laptop_is_told_nothing_and_sees_everything(lake: LakeResource) -> None:
    result = dg.materialize([apply_warehouse], resources={"lake": lake, "warehouse": MemoryWarehouse()})
    assert {check.check_name: check.passed for check in result.get_asset_check_evaluations()} == {
        "views_can_be_asked": True,
        "counts_match_the_catalog": True,
    }
    [told] = result.get_asset_materialization_events()
    assert told.materialization.metadata["statements"].value == 0
