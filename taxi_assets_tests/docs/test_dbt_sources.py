from __future__ import annotations

from pathlib import Path

import yaml

from glue_jobs.contracts import TABLES
from taxi_assets.docs.dbt_sources import render
from taxi_assets.warehouse.view import views

FILE = Path(__file__).parents[2] / "docs" / "dbt" / "sources.yml"


def test_the_file_for_dbt_is_that_of_the_contracts() -> None:
    assert FILE.read_text(encoding="utf-8") == render()


def test_dbt_finds_every_table_and_view_with_all_its_columns() -> None:
    found = yaml.safe_load(render())
    assert found["version"] == 2
    columns = {
        (source["name"], table["name"]): [column["name"] for column in table["columns"]]
        for source in found["sources"]
        for table in source["tables"]
    }
    everything = [*TABLES.values(), *(view.table for view in views().values())]
    assert columns == {(f"taxi_{table.layer}", table.name): list(table.column_names) for table in everything}
