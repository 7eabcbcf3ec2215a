from __future__ import annotations

from pathlib import Path

import pytest

from glue_jobs.contracts import TABLES
from taxi_assets.lake import Lake
from taxi_assets.lake.catalog import iceberg_schema, partition_spec


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_the_fields_of_its_contract(tmp_path: Path, name: str) -> None:
    table = TABLES[name]
    created = Lake.in_folder(tmp_path)._catalog.open(table)
    assert created.schema().fields == iceberg_schema(table).fields
    assert [field.field_id for field in created.schema().fields] == [column.field_id for column in table.columns]
    assert created.spec().fields == partition_spec(table).fields
    assert created.location() == f"{tmp_path}/{table.layer}/{table.name}"


def test_a_table_that_exists_is_opened(tmp_path: Path) -> None:
    table = TABLES["curated.daily_metrics"]
    first = Lake.in_folder(tmp_path)._catalog.open(table)
    assert Lake.in_folder(tmp_path)._catalog.open(table).metadata.table_uuid == first.metadata.table_uuid
