"""What keeps a commit as cheap with many months as with one: metadata copied once, few manifests."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.update import TableUpdate, update_table_metadata

from glue_jobs.contracts import CHECK_HISTORY, RUN_METRICS, TRIPS, Table
from taxi_assets.lake import append_tables
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.transaction import Transaction
from taxi_assets_tests.support.tiny_table import TINY, days_of, publish

MONTHS = [f"{year}-{month:02}" for year in (2022, 2023) for month in range(1, 13)]


def manifests(lake: Lake, table: Table) -> int:
    """How many a plan of a read of the whole table opens."""
    iceberg = lake.catalog.open(table)
    snapshot = iceberg.current_snapshot()
    assert snapshot is not None
    return len(snapshot.manifests(iceberg.io))


def test_metadata_is_worked_out_once_for_each_change(lake: Lake) -> None:
    iceberg = lake.catalog.open(TINY)
    transaction = Transaction(iceberg)
    before = transaction.table_metadata
    assert transaction.table_metadata is before
    transaction.set_properties({"a": "1"})
    assert transaction.table_metadata.properties["a"] == "1"
    assert transaction.table_metadata is transaction.table_metadata
    assert "a" not in before.properties
    assert "a" not in iceberg.properties
    transaction.commit_transaction()
    assert lake.catalog.open(TINY).properties["a"] == "1"


def test_a_commit_copies_the_metadata_as_often_as_it_changes_it(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(lake, "2024-01", "v1", 7)
    copies = 0

    def counted(base: TableMetadata, updates: tuple[TableUpdate, ...]) -> TableMetadata:
        nonlocal copies
        copies += 1
        return update_table_metadata(base, updates)

    monkeypatch.setattr("pyiceberg.table.update_table_metadata", counted)
    publish(lake, "2024-01", "v2", 7)
    # The beginning, the deletion, the files, the property; PyIceberg's own transaction makes 46.
    assert 3 <= copies <= 6


def test_tables_with_a_file_a_commit_keep_few_manifests_and_all_rows(open_lake: Callable[[], Lake]) -> None:
    lake = open_lake()
    for month in MONTHS:
        publish(lake, month, "v1", 3)
    publish(lake, MONTHS[3], "v2", 5)
    assert [days_of(lake, month) for month in MONTHS] == [3, 3, 3, 5, *[3] * 20]
    assert manifests(lake, TINY) < 12
    assert lake.publisher.roll_back(TINY, MONTHS[3]).version == "v1"
    assert [days_of(lake, month) for month in MONTHS] == [3] * 24
    for month in MONTHS:
        lake.metrics.record([{"metric": "seconds", "asset": "a", "job": "j", "value": 1.0, "unit": "s"}], month, "run")
    assert len(lake.catalog.rows(RUN_METRICS, f"month >= '{MONTHS[0]}'")) == len(MONTHS)
    assert manifests(lake, RUN_METRICS) < 12


def test_a_table_of_before_gains_the_setting_and_trips_have_none(lake: Lake) -> None:
    iceberg = lake.catalog.open(CHECK_HISTORY)
    with iceberg.transaction() as transaction:
        transaction.remove_properties("commit.manifest-merge.enabled")
    append_tables.append(lake.catalog, CHECK_HISTORY, [])
    assert lake.catalog.open(CHECK_HISTORY).properties["commit.manifest-merge.enabled"] == "true"
    assert "commit.manifest-merge.enabled" not in lake.catalog.open(TRIPS).properties
