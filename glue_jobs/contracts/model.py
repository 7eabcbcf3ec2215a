"""The vocabulary of a table contract: columns, tables, source columns.

Belongs here: the shapes that a contract is made of. Does not: any particular table, and no Spark, Iceberg or
DuckDB; who needs a contract in an engine's own types translates it where that engine is used.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from enum import Enum


class Type(str, Enum):
    """Column types, spelled as Spark SQL spells them, restricted to what every engine here has."""

    STRING = "string"
    INT = "int"
    BIGINT = "bigint"
    DOUBLE = "double"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP_NTZ = "timestamp_ntz"
    MONEY = "decimal(10,2)"
    MONEY_SUM = "decimal(18,2)"

    @property
    def ddl(self) -> str:
        """The type as it stands in a Spark DDL schema."""
        return self.value


@dataclass(frozen=True)
class Column:
    """One column of a table that this project writes.

    ``field_id`` is the Iceberg field id: it is given once and never reused, so that a later rename or
    reordering cannot make an old file read back wrong. A contract writes it out, and a new column takes the next one.
    """

    field_id: int
    name: str
    type: Type
    description: str
    _: KW_ONLY
    unit: str = ""
    nullable: bool = True
    sources: tuple[str, ...] = ()

    @property
    def comment(self) -> str:
        """The description with the unit, as catalogs show it."""
        return f"{self.description} [{self.unit}]" if self.unit else self.description


@dataclass(frozen=True)
class Table:
    """One published table: its columns in order, its grain (the columns that identify a row) and partitions."""

    layer: str
    name: str
    description: str
    columns: tuple[Column, ...]
    partition_by: tuple[str, ...]
    grain: tuple[str, ...] = ()
    version: int = 1

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        ids = [column.field_id for column in self.columns]
        if len(set(names)) != len(names) or len(set(ids)) != len(ids):
            raise ValueError(f"{self.full_name}: a column name or field id stands twice")
        if unknown := (set(self.partition_by) | set(self.grain)) - set(names):
            raise ValueError(f"{self.full_name}: partition or grain names unknown columns {sorted(unknown)}")

    @property
    def full_name(self) -> str:
        """``layer.name``, as SQL and the catalog spell it."""
        return f"{self.layer}.{self.name}"

    @property
    def column_names(self) -> tuple[str, ...]:
        """The column names in the order in which they are written."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """The column called ``name``; KeyError if the contract has none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.full_name} has no column {name}")

    def of_type(self, *types: Type) -> tuple[str, ...]:
        """The names of the columns of the given types."""
        return tuple(column.name for column in self.columns if column.type in types)


class Kind(str, Enum):
    """What a source column holds, which decides the physical types that it may arrive in."""

    TIMESTAMP = "timestamp"
    INTEGER = "integer"
    COUNT = "count"
    TEXT = "text"
    DISTANCE = "distance"
    MONEY = "money"


@dataclass(frozen=True)
class SourceColumn:
    """One column of the TLC's file. Names are matched without regard to case (``Airport_fee``, 2023-02).

    ``type`` is the lossless type in which the jobs and the quarantine carry the value: passenger_count and
    RatecodeID arrive as INT64 or as DOUBLE depending on the month, hence DOUBLE.
    """

    name: str
    kind: Kind
    description: str
    required: bool = True
    since: str = "2011-01"

    @property
    def type(self) -> Type:
        """The type in which a normalised row carries this column."""
        return {
            Kind.TIMESTAMP: Type.TIMESTAMP_NTZ,
            Kind.INTEGER: Type.BIGINT,
            Kind.COUNT: Type.DOUBLE,
            Kind.TEXT: Type.STRING,
            Kind.DISTANCE: Type.DOUBLE,
            Kind.MONEY: Type.DOUBLE,
        }[self.kind]
