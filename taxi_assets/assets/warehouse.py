"""The warehouse as an asset: what the engine that answers queries has to be told once.

Belongs here: telling it, and whether it sees what is published. Does not: the views one by one (``assets.views``), or
what an engine is told (``warehouse.redshift_ddl``).
"""

from collections.abc import Iterator

import dagster as dg

from glue_jobs.contracts import Table
from taxi_assets.asset_keys import WAREHOUSE
from taxi_assets.assets.specs import OWNERS, tags_of
from taxi_assets.checks.check import ARROW_TYPES
from taxi_assets.errors import failing_the_step
from taxi_assets.lake.resource import LakeResource
from taxi_assets.lake.snapshots import newest
from taxi_assets.warehouse.engine import Engine
from taxi_assets.warehouse.query_log import QUERY_LOG
from taxi_assets.warehouse.resource import Warehouse
from taxi_assets.warehouse.view import views

LABEL = "dagster"
"""What asks, in the log of queries."""
_VIEWS = dg.AssetCheckSpec(
    "views_can_be_asked",
    asset=WAREHOUSE,
    description="Each view is answered, with the columns and types that its header promises.",
)
_COUNTS = dg.AssetCheckSpec(
    "counts_match_the_catalog",
    asset=WAREHOUSE,
    description="The engine counts as many rows in each table as the catalog says that its live snapshot has.",
)


@dg.multi_asset(
    name="warehouse",
    specs=[
        dg.AssetSpec(
            WAREHOUSE,
            description="Schemas, views and roles of the engine that answers queries: Redshift Serverless on AWS, "
            "DuckDB in memory on a laptop, which needs to be told nothing.",
            group_name=QUERY_LOG.layer,
            kinds={"sql"},
            owners=OWNERS,
            tags=tags_of(QUERY_LOG.layer),
        )
    ],
    check_specs=[_VIEWS, _COUNTS],
)
def apply_warehouse(
    lake: LakeResource, warehouse: dg.ResourceParam[Warehouse]
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
    """Tell the engine what the code says, as often as wanted, and ask it whether it sees everything."""
    opened = lake.open()
    with failing_the_step("materialize the warehouse again"), warehouse.open(opened) as engine:
        statements = engine.apply()
        yield dg.MaterializeResult(
            metadata={
                "views": len(views()),
                "statements": len(statements),
                "sql": dg.MetadataValue.md("```sql\n" + ";\n".join(statements) + "\n```" if statements else "none"),
            }
        )
        apart = {name: said for name, view in views().items() if (said := columns_apart(engine, view.table))}
        yield _answer(_VIEWS, [f"{name}: {'; '.join(said)}" for name, said in apart.items()], len(views()))
        expected = {name: one.rows for name, one in newest(opened.catalog).items() if one.rows is not None}
        counts = {name: _count(engine, name) for name in expected}
        differing = [f"{name}: {counts[name]:,} of {rows:,}" for name, rows in expected.items() if counts[name] != rows]
        yield _answer(_COUNTS, differing, len(expected))


def _answer(check: dg.AssetCheckSpec, faults: list[str], asked: int) -> dg.AssetCheckResult:
    actual = "\n".join(faults) or "they are"
    metadata = {"expected": f"all {asked} are as they should be", "actual": actual}
    return dg.AssetCheckResult(check_name=check.name, asset_key=WAREHOUSE, passed=not faults, metadata=metadata)


def _count(engine: Engine, name: str) -> int:
    layer, _, table = name.partition(".")
    [count] = engine.run(f'SELECT COUNT(*) AS counted FROM "{layer}".{table}', label=LABEL)["counted"].to_pylist()
    return int(count)


def columns_apart(engine: Engine, table: Table) -> list[str]:
    """What of the columns and types of a view is not as its contract promises; empty if nothing."""
    found = engine.run(f"SELECT * FROM {table.full_name} LIMIT 0", label=LABEL).schema
    promised = [(column.name, ARROW_TYPES[column.type]) for column in table.columns]
    there = [(field.name, field.type) for field in found]
    if there == promised:
        return []
    more = [f"{name} {kind}" for name, kind in there if (name, kind) not in promised]
    lacking = [f"no {name} {kind}" for name, kind in promised if (name, kind) not in there]
    return more + lacking or ["the columns are in another order"]
