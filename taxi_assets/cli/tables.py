"""The command tables: what there is to ask, told from the contracts, without a lake.

Belongs here: showing tables and columns. Does not: their rows (``query``), or how the catalog has them (``catalog``).
"""

from __future__ import annotations

import json
from typing import Any

import click
from rich.markup import escape

from glue_jobs.contracts import RAW_FILES, tlc
from taxi_assets.cli.options import complete_tables
from taxi_assets.cli.output import folding_table, out
from taxi_assets.warehouse.names import described, full_name


@click.command()
@click.argument("name", required=False, shell_complete=complete_tables)
@click.option("--json", "as_json", is_flag=True, help="A JSON array on standard output.")
def tables(name: str | None, as_json: bool) -> None:
    """List tables and views, or the columns of NAME.

    Columns are shown with type, unit and meaning. Needs no lake.

    \b
      taxi-assets tables
      taxi-assets tables daily_metrics
    """
    rows = _tables() if name is None else _columns(name)
    if as_json:
        click.echo(json.dumps(rows))
        return
    shown = folding_table(*rows[0], title=None if name is None else name, title_justify="left")
    for row in rows:
        shown.add_row(*(escape(str(value)) for value in row.values()))
    out.print(shown)


def _tables() -> list[dict[str, Any]]:
    raw = [("raw", name.partition(".")[2], "", len(_columns(name)), said) for name, said in RAW_FILES.items()]
    ours = [
        (table.layer, table.name, ", ".join(table.grain), len(table.columns), table.description)
        for table in described().values()
    ]
    names = ("layer", "table", "grain", "columns", "description")
    return [dict(zip(names, row, strict=True)) for row in (*raw, *ours)]


def _columns(name: str) -> list[dict[str, Any]]:
    found = full_name(name)
    if found in described():
        rows = [(one.name, one.type.value, one.unit, one.description) for one in described()[found].columns]
    elif found == "raw.trips":
        since = {one.name: f" (since {one.since})" for one in tlc.TRIP_COLUMNS if not one.required}
        rows = [(one.name, one.type.value, "", one.description + since.get(one.name, "")) for one in tlc.TRIP_COLUMNS]
        rows.insert(0, ("month", "string", "", "Month of the file, YYYY-MM"))
    elif found == "raw.zones":
        rows = [(column, "int" if column == "LocationID" else "string", "", "") for column in tlc.ZONE_COLUMNS]
    else:
        raise click.UsageError(f"there is no table {name}; choose from {', '.join((*RAW_FILES, *described()))}")
    return [dict(zip(("column", "type", "unit", "description"), row, strict=True)) for row in rows]
