from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from glue_jobs.contracts import TABLES
from taxi_assets.lake.catalog import iceberg_schema, partition_spec
from taxi_assets.lake.lake import Lake
from taxi_assets_tests.conftest import MONTH
from taxi_assets_tests.support.tiny_table import write_rows


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_the_fields_of_its_contract(lake: Lake, name: str) -> None:
    table = TABLES[name]
    created = lake.catalog.open(table)
    assert created.schema().fields == iceberg_schema(table).fields
    assert [field.field_id for field in created.schema().fields] == [column.field_id for column in table.columns]
    assert created.spec().fields == partition_spec(table).fields
    assert created.location() == f"{lake.paths.root}/{table.layer}/{table.name}"
    assert created.properties["comment"] == table.description


def test_a_table_that_exists_is_opened(open_lake: Callable[[], Lake]) -> None:
    table = TABLES["curated.daily_metrics"]
    first = open_lake().catalog.open(table)
    assert open_lake().catalog.open(table).metadata.table_uuid == first.metadata.table_uuid


def test_a_description_that_a_contract_rewords_is_reworded_in_the_catalog(lake: Lake) -> None:
    table = TABLES["curated.daily_metrics"]
    earlier = replace(
        table,
        description="Old words.",
        columns=(replace(table.columns[0], description="Old words"), *table.columns[1:]),
    )
    lake.catalog.open(earlier)
    assert lake.catalog.open(table).schema().fields[0].doc == "Old words"
    lake.catalog.bring_up_to_date(table)
    now = lake.catalog.open(table)
    assert now.schema().fields == iceberg_schema(table).fields
    assert now.properties["comment"] == table.description


def test_a_column_that_a_contract_gains_is_added_under_its_field_id(lake: Lake) -> None:
    table = TABLES["curated.daily_metrics"]
    gained = table.column_names[-1]  # a count, which write_rows fills with ones
    before = replace(table, columns=table.columns[:-2], version=1)
    write_rows(lake.paths.version(table, MONTH, "v1"), before, 3)
    first = lake.publisher.publish(before, MONTH, "v1", {}, replacing=None)
    assert len(lake.catalog.open(table).schema().fields) == len(before.columns)
    with lake.connect() as connection:  # read before anything was published under the new contract
        assert connection.execute(f"SELECT count(*), count({gained}) FROM curated.daily_metrics").fetchall() == [(3, 0)]
    write_rows(lake.paths.version(table, MONTH, "v2"), table, 2)
    lake.publisher.publish(table, MONTH, "v2", {}, replacing=first)
    evolved = lake.catalog.open(table)
    assert evolved.schema().fields == iceberg_schema(table).fields
    assert evolved.scan().to_arrow()[gained].to_pylist() == [1, 1]
    lake.publisher.roll_back(table, MONTH)
    assert lake.catalog.open(table).scan().to_arrow()[gained].to_pylist() == [None] * 3
    with lake.connect() as connection:
        assert connection.execute(f"SELECT DISTINCT {gained} FROM curated.daily_metrics").fetchall() == [(None,)]
