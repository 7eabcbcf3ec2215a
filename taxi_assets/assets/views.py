"""The warehouse's views as assets: a view is text, and materializing it tries that text on what is published.

Belongs here: one asset a view, between the tables below it and whoever asks. Does not: the SQL (``warehouse/views``).
"""

import hashlib
from collections.abc import Iterator

import dagster as dg

from glue_jobs.contracts import FILES, TABLES
from taxi_assets.asset_keys import DASHBOARD, RAW_TRIPS, WAREHOUSE, ZONES_KEY, asset_key
from taxi_assets.assets.columns import column_schema
from taxi_assets.assets.previews import PREVIEW_ROWS, as_table
from taxi_assets.assets.specs import OWNERS, tags_of
from taxi_assets.assets.warehouse import LABEL, columns_apart
from taxi_assets.docs import dictionary
from taxi_assets.errors import failing_the_step
from taxi_assets.lake.resource import LakeResource
from taxi_assets.warehouse.engine import Engine
from taxi_assets.warehouse.lineage import columns_below
from taxi_assets.warehouse.resource import Warehouse
from taxi_assets.warehouse.view import View, views

COLUMNS_ARE_AS_DOCUMENTED = "columns_are_as_documented"
_ASSETS = {**{name: asset_key(table) for name, table in TABLES.items()}, FILES.full_name: RAW_TRIPS}
"""The asset that a table's rows come with: the ledger of files is written by who lands them."""
_OF_COLUMNS = _ASSETS.keys() - {FILES.full_name}
"""Tables whose asset has their columns."""


def _spec(view: View) -> dg.AssetSpec:
    return dg.AssetSpec(
        asset_key(view.table),
        deps={WAREHOUSE, *(_ASSETS[name] for name in view.tables if name in _ASSETS)},
        description=view.table.description,
        group_name=view.table.layer,
        kinds={"sql", "view"},
        owners=OWNERS,
        tags=tags_of(view.table.layer),
        metadata={
            "dagster/column_schema": column_schema(view.table),
            "data_dictionary": dg.MetadataValue.md(dictionary.section(view.table)),
            "dagster/table_name": view.table.full_name,
            "grain": ", ".join(view.table.grain),
        },
        code_version=hashlib.sha256(view.sql.encode()).hexdigest()[:16],
        skippable=True,
    )


@dg.multi_asset(
    name="views",
    specs=[_spec(view) for view in views().values()],
    check_specs=[
        dg.AssetCheckSpec(
            COLUMNS_ARE_AS_DOCUMENTED,
            asset=asset_key(view.table),
            description="The engine gives the columns and types that the view's header promises.",
        )
        for view in views().values()
    ],
    can_subset=True,
)
def ask_views(
    context: dg.AssetExecutionContext, lake: LakeResource, warehouse: dg.ResourceParam[Warehouse]
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
    """Ask each of the selected views for a few rows."""
    with failing_the_step("materialize the view again"), warehouse.open(lake.open()) as engine:
        for view in views().values():
            if asset_key(view.table) in context.selected_asset_keys:
                yield from _ask(view, engine)


def dashboard_spec() -> dg.AssetSpec:
    """The dashboard as the end of the lineage: it reads the views, and what they lack from tables."""
    return dg.AssetSpec(
        DASHBOARD,
        deps=[*(asset_key(view.table) for view in views().values()), ZONES_KEY],
        description="Pages in a browser over the views: `taxi-assets dashboard`. No step makes it; it sees what is "
        "published by itself.",
        group_name=DASHBOARD.path[0],
        kinds={"streamlit", "plotly"},
        owners=OWNERS,
        tags=tags_of(DASHBOARD.path[0]),
    )


def _ask(view: View, engine: Engine) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
    key, name = asset_key(view.table), view.table.full_name
    apart = columns_apart(engine, view.table)
    yield dg.AssetCheckResult(
        asset_key=key,
        check_name=COLUMNS_ARE_AS_DOCUMENTED,
        passed=not apart,
        metadata={
            "expected": f"{len(view.table.columns)} columns as documented",
            "actual": "; ".join(apart) or "they are",
        },
    )
    order = ", ".join(view.table.grain)
    rows = engine.run(f"SELECT * FROM {name} ORDER BY {order} LIMIT {PREVIEW_ROWS}", label=LABEL)
    [count] = engine.run(f"SELECT COUNT(*) AS rows_there FROM {name}", label=LABEL)["rows_there"].to_pylist()
    yield dg.MaterializeResult(
        asset_key=key,
        metadata={
            "preview": as_table(view.table, rows.to_pandas()),
            "dagster/row_count": count,
            "sql": dg.MetadataValue.md(f"```sql\n{view.sql}\n```"),
            "dagster/column_lineage": _lineage(view),
        },
    )


def _lineage(view: View) -> dg.TableColumnLineage:
    found = columns_below(view)
    return dg.TableColumnLineage(
        {
            name: [dg.TableColumnDep(_ASSETS[table], column) for table, column in below if table in _OF_COLUMNS]
            for name, below in found.items()
        }
    )
