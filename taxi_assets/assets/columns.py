"""What Dagster knows of columns, from the contracts: type, unit, meaning, and which columns they are computed from.

Belongs here: translating a contract's columns. Does not: any fact of its own; what a column comes from stands in its
contract (``Column.sources``).
"""

from __future__ import annotations

import dagster as dg

from glue_jobs.contracts import Table, tlc
from glue_jobs.contracts.model import Column
from taxi_assets.asset_keys import RAW_TRIPS, RAW_ZONES, STAGING_TRIPS

_UPSTREAM = {"staging": RAW_TRIPS, "curated": STAGING_TRIPS}
_ZONES = "zones."
_UNKNOWN = "any other"
"""Columns that no contract knows: they have no name to point at."""
_EVERY_COLUMN = tuple(column.name for column in tlc.TRIP_COLUMNS)

TRIP_FILE_SCHEMA = dg.TableSchema(
    [dg.TableColumn(column.name, column.type.value, column.description) for column in tlc.TRIP_COLUMNS]
)
ZONE_FILE_SCHEMA = dg.TableSchema([dg.TableColumn(name, "string") for name in tlc.ZONE_COLUMNS])


def column_schema(table: Table) -> dg.TableSchema:
    """The columns of a table. Where they come from is said in words as well: Dagster's own pages do not show lineage of
    columns, only its catalog in the cloud does."""
    return dg.TableSchema(
        [
            dg.TableColumn(
                column.name,
                column.type.value,
                f"{column.description}{_from(column)}",
                constraints=dg.TableColumnConstraints(nullable=column.nullable),
                tags={"unit": column.unit} if column.unit else {},
            )
            for column in table.columns
        ]
    )


def column_lineage(table: Table) -> dg.TableColumnLineage | None:
    """Column to the columns that its values are computed from; None for a table that is computed from none."""
    if table.layer not in _UPSTREAM:
        return None
    found = {
        column.name: [_dep(table, source) for source in column.sources if source != _UNKNOWN]
        for column in table.columns
    }
    return dg.TableColumnLineage({name: deps for name, deps in found.items() if deps})


def _dep(table: Table, source: str) -> dg.TableColumnDep:
    if source.startswith(_ZONES):
        return dg.TableColumnDep(RAW_ZONES, source.removeprefix(_ZONES))
    return dg.TableColumnDep(_UPSTREAM[table.layer], source)


def _from(column: Column) -> str:
    if not column.sources or column.sources == (column.name,):
        return ""
    named = "every column" if column.sources == _EVERY_COLUMN else ", ".join(f"`{source}`" for source in column.sources)
    return f" (from {named})"
