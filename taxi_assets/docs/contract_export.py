"""The contracts in the Open Data Contract Standard: ``python -m taxi_assets.docs.contract_export FOLDER``.

Belongs here: a file for each version of a contract, and which change of one breaks who reads the table. Does not: any
fact of its own, and no check of the rows (``taxi_assets.checks``).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from open_data_contract_standard.model import (
    CustomProperty,
    DataQuality,
    Description,
    OpenDataContractStandard,
    SchemaObject,
    SchemaProperty,
)

from glue_jobs.contracts import QUARANTINE, TABLES, TRIPS, Table
from glue_jobs.contracts.model import Column, Type
from glue_jobs.contracts.rules import Rule, Tier, rules_of

API_VERSION = "v3.2.0"
FIELD_ID = "icebergFieldId"
UNIT = "unit"

_HEADER = "# Written from the contracts in glue_jobs/contracts by `make docs`; edit those, not this file.\n"
_LOGICAL_TYPES = {
    Type.STRING: "string",
    Type.INT: "integer",
    Type.BIGINT: "integer",
    Type.DOUBLE: "number",
    Type.BOOLEAN: "boolean",
    Type.DATE: "date",
    Type.TIMESTAMP_NTZ: "timestamp",
    Type.MONEY: "number",
    Type.MONEY_SUM: "number",
}
_UPSTREAM = {"staging": "raw.trips", "curated": TRIPS.full_name}
_WHOLE_TABLES = {"any other": "raw.trips"}
"""Sources that are no single column, and the table that they are."""
_USAGE_OF_RULES = (
    "A quality rule applies to each row for which its implementation holds: Spark SQL over the columns of the TLC's "
    "file (raw.trips) and helpers, for a rule tagged link over those of staging.trips. The rows name the rules."
)
_RULES = {TRIPS.full_name: (Tier.FLAG, Tier.LINK), QUARANTINE.full_name: (Tier.QUARANTINE,)}


def contract(table: Table) -> OpenDataContractStandard:
    """The table's contract as the standard writes it."""
    grain = f"One row for each {', '.join(table.grain)}" if table.grain else "One row for each row of the source"
    rules = [_quality(rule) for tier in _RULES.get(table.full_name, ()) for rule in rules_of(tier)]
    return OpenDataContractStandard(
        apiVersion=API_VERSION,
        kind="DataContract",
        id=f"nyc-taxi-lakehouse.{table.full_name}",
        name=table.full_name,
        version=f"{table.version}.0.0",
        status="active",
        domain="nyc-taxi",
        description=Description(purpose=table.description, usage=_USAGE_OF_RULES if rules else None),
        schema=[
            SchemaObject(
                name=table.name,
                physicalName=table.full_name,
                logicalType="object",
                physicalType="table",
                description=table.description,
                dataGranularityDescription=grain,
                properties=[_property(table, column) for column in table.columns],
                quality=rules or None,
            )
        ],
    )


def _property(table: Table, column: Column) -> SchemaProperty:
    return SchemaProperty(
        name=column.name,
        logicalType=_LOGICAL_TYPES[column.type],
        logicalTypeOptions=_time_zone(column),
        physicalType=column.type.value,
        description=column.description,
        required=not column.nullable,
        primaryKey=column.name in table.grain or None,
        primaryKeyPosition=_position(column.name, table.grain),
        partitioned=column.name in table.partition_by or None,
        partitionKeyPosition=_position(column.name, table.partition_by),
        transformSourceObjects=[_qualified(table, source) for source in column.sources] or None,
        customProperties=[
            CustomProperty(property=FIELD_ID, value=column.field_id),
            *([CustomProperty(property=UNIT, value=column.unit)] if column.unit else []),
        ],
    )


def _time_zone(column: Column) -> dict[str, Any] | None:
    """The standard takes a timestamp without a zone for UTC, which those of the TLC's file are not."""
    if column.type is not Type.TIMESTAMP_NTZ:
        return None
    return {"timezone": False, "defaultTimezone": "America/New_York" if column.sources else "Etc/UTC"}


def _position(name: str, names: tuple[str, ...]) -> int | None:
    return names.index(name) + 1 if name in names else None


def _qualified(table: Table, source: str) -> str:
    if source.startswith("zones."):
        return f"raw.{source}"
    return _WHOLE_TABLES.get(source) or f"{_UPSTREAM[table.layer]}.{source}"


def _quality(rule: Rule) -> DataQuality:
    return DataQuality(
        name=rule.rule_id,
        description=rule.reason,
        severity=rule.severity.value,
        tags=[rule.tier.value],
        type="custom",
        engine="spark-sql",
        implementation=" ".join(rule.predicate.split()),
        customProperties=[CustomProperty(property="sinceRulesVersion", value=rule.since_version)],
        mustBeBetween=None,  # mypy takes these two for arguments that must be given
        mustNotBeBetween=None,
    )


def breaking_changes(old: OpenDataContractStandard, new: OpenDataContractStandard) -> list[str]:
    """What in ``new`` would fail or mislead a query written for ``old``, a sentence each.

    A new column, another order, a null that can no longer be, a description and a rule break nobody. A column that
    keeps its field id under another name counts as renamed.
    """
    tables = {table.name: table for table in new.schema_ or []}
    sentences = []
    for table in old.schema_ or []:
        if table.name in tables:
            sentences += _broken_table(table, tables[table.name])
        else:
            sentences.append(f"table {table.name} is gone")
    return sentences


def _broken_table(old: SchemaObject, new: SchemaObject) -> list[str]:
    sentences = []
    if old.physicalName != new.physicalName:
        sentences.append(f"the table {old.physicalName} is called {new.physicalName} now")
    sentences += _broken_columns(old.properties or [], new.properties or [])
    grain, new_grain = (sorted(_keys(table, "primaryKeyPosition")) for table in (old, new))
    if grain != new_grain:
        sentences.append(f"a row was identified by {_listed(grain)} and is by {_listed(new_grain)} now")
    partitions, new_partitions = (_keys(table, "partitionKeyPosition") for table in (old, new))
    if partitions != new_partitions:
        sentences.append(f"the table was partitioned by {_listed(partitions)} and is by {_listed(new_partitions)} now")
    return sentences


def _broken_columns(old: list[SchemaProperty], new: list[SchemaProperty]) -> list[str]:
    known = {column.name for column in old}
    by_name = {column.name: column for column in new}
    added = {_custom(column, FIELD_ID): column for column in new if column.name not in known}
    sentences = []
    for column in old:
        now = by_name.get(column.name) or added.get(_custom(column, FIELD_ID))
        if now is None:
            sentences.append(f"column {column.name} is gone")
            continue
        if now.name != column.name:
            sentences.append(f"column {column.name} is called {now.name} now")
        sentences += _broken_column(column, now)
    return sentences


def _broken_column(old: SchemaProperty, new: SchemaProperty) -> list[str]:
    sentences = []
    if old.physicalType != new.physicalType:
        sentences.append(f"column {old.name} was {old.physicalType} and is {new.physicalType} now")
    if old.required and not new.required:
        sentences.append(f"column {old.name} was never null and can be now")
    field_id, new_field_id = _custom(old, FIELD_ID), _custom(new, FIELD_ID)
    if field_id != new_field_id:
        sentences.append(f"column {old.name} had Iceberg field id {field_id} and has {new_field_id} now")
    unit, new_unit = _custom(old, UNIT), _custom(new, UNIT)
    if unit and new_unit and unit != new_unit:
        sentences.append(f"column {old.name} was in {unit} and is in {new_unit} now")
    return sentences


def _custom(column: SchemaProperty, name: str) -> Any:
    return next((custom.value for custom in column.customProperties or [] if custom.property == name), None)


def _keys(table: SchemaObject, position: str) -> list[str]:
    placed = [(getattr(column, position), column.name or "") for column in table.properties or []]
    return [name for place, name in sorted(pair for pair in placed if pair[0] is not None)]


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "nothing"


def file_name(table: Table) -> str:
    """The name of the file of the table's current version."""
    return f"{table.full_name}.v{table.version}.odcs.yaml"


def render(table: Table) -> str:
    """The text of that file."""
    return _HEADER + contract(table).to_yaml()


def read(path: Path) -> OpenDataContractStandard:
    """The contract in a file."""
    return OpenDataContractStandard.from_string(path.read_text(encoding="utf-8"))


def write(folder: Path, tables: Iterable[Table] = tuple(TABLES.values())) -> list[str]:
    """Write the file of each table's current version, those of older versions stay.

    Nothing is written if a version would break who reads it: what is said then is why, and what to do.
    """
    texts, refusals = {}, []
    for table in tables:
        path = folder / file_name(table)
        texts[path] = render(table)
        if path.exists() and (broken := breaking_changes(read(path), contract(table))):
            refusals.append(
                f"{table.full_name}: {'; '.join(broken)}. This breaks version {table.version}: "
                f"raise `version` of {table.full_name} in glue_jobs/contracts."
            )
    if not refusals:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            path.write_text(text, encoding="utf-8")
    return refusals


if __name__ == "__main__":
    sys.exit("\n".join(write(Path(sys.argv[1]))) or None)
