"""``sources.yml`` for people who have dbt: ``python -m taxi_assets.docs.dbt_sources FILE``.

Belongs here: contracts as dbt wants them. Does not: any fact of its own. dbt is no part of the project: its views are
plain SQL.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from glue_jobs.contracts import TABLES, Table
from taxi_assets.warehouse.view import SCHEMA, views

_HEAD = """\
# Written from the contracts by `make docs`. The schemas are the databases of the Glue Data Catalog, or the external
# schemas of Redshift; another one is given with the variable taxi_schema_LAYER. The views lie in the schema analytics.
"""


def render() -> str:
    """The file: a source for each layer of the lake, and one for the views."""
    layers = dict.fromkeys(table.layer for table in TABLES.values())
    sources = [_source(layer, [table for table in TABLES.values() if table.layer == layer]) for layer in layers]
    sources.append(_source(SCHEMA, [view.table for view in views().values()]))
    content = {"version": 2, "sources": sources}
    return f"{_HEAD}{yaml.safe_dump(content, sort_keys=False, width=120, allow_unicode=True)}"


def _source(layer: str, tables: list[Table]) -> dict[str, Any]:
    return {
        "name": f"taxi_{layer}",
        "schema": f"{{{{ var('taxi_schema_{layer}', '{layer}') }}}}",
        "tables": [
            {
                "name": table.name,
                "description": table.description,
                "columns": [
                    {
                        "name": column.name,
                        "description": column.comment,
                        "data_type": column.type.value,
                        **({} if column.nullable or layer == SCHEMA else {"data_tests": ["not_null"]}),
                    }
                    for column in table.columns
                ],
            }
            for table in tables
        ],
    }


if __name__ == "__main__":
    Path(sys.argv[1]).parent.mkdir(parents=True, exist_ok=True)
    Path(sys.argv[1]).write_text(render(), encoding="utf-8")
