"""A TLC file of any month since 2011 as rows of one shape: the columns of ``tlc.TRIP_COLUMNS``, lossless types.

Belongs here: names, physical types, missing columns. Does not: judging or changing a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from glue_jobs.contracts import tlc
from glue_jobs.contracts.model import Kind, SourceColumn
from glue_jobs.errors import InputError

_INTEGERS = {"int8": "tinyint", "int16": "smallint", "int32": "int", "int64": "bigint"}
_NUMBERS = {**_INTEGERS, "float": "float", "double": "double"}
_TEXTS = {"string": "string", "large_string": "string"}
_TIMES = {f"timestamp[{unit}]": "timestamp_ntz" for unit in ("ms", "us")}  # Spark 3.5 refuses nanoseconds
_READABLE: dict[Kind, dict[str, str]] = {
    Kind.TIMESTAMP: _TIMES,
    Kind.INTEGER: _INTEGERS,
    Kind.COUNT: _NUMBERS,
    Kind.TEXT: _TEXTS,
    Kind.DISTANCE: _NUMBERS,
    Kind.MONEY: _NUMBERS,
}
_EMPTY = "null"
"""Arrow's type of a column that holds no value at all; it is read as a missing column."""


@dataclass(frozen=True)
class FileLayout:
    """How one file maps to the contract.

    ``read`` gives, for each contract column that the file has, its name and Spark type in the file;
    ``absent`` the contract columns that it lacks; ``unknown`` its columns that the contract does not know.
    """

    read: Mapping[str, tuple[str, str]]
    absent: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def schema(self) -> str:
        """The explicit read schema, as Spark DDL."""
        return ", ".join(f"`{name}` {kind}" for name, kind in self.read.values())


def layout_of(physical: Mapping[str, str], file: str) -> FileLayout:
    """Match a file's physical columns (name to Arrow type) with the contract.

    Raises InputError, naming ``file``, for files with coordinates (2009-2010), for a required column that is
    missing or holds nothing, for a name that stands twice and for a type that cannot hold what the contract says.
    """
    by_name = {name.lower(): name for name in physical}
    if len(by_name) < len(physical):
        twice = sorted(name for name in physical if by_name[name.lower()] != name)
        raise InputError(
            f"{file} has columns that differ only by case, {', '.join(twice)} among them",
            "find out which of them holds the values; the TLC's files have each name once",
        )
    if coordinates := sorted(tlc.COORDINATE_COLUMNS & by_name.keys()):
        raise InputError(
            f"{file} has coordinates ({', '.join(coordinates)}) instead of taxi zones, as files of 2009 and 2010 do",
            f"choose a month from {tlc.FIRST_MONTH} on; earlier files cannot be matched with zones",
        )
    if missing := [name for name in tlc.REQUIRED_COLUMNS if physical.get(by_name.get(name, ""), _EMPTY) == _EMPTY]:
        raise InputError(
            f"{file} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}, or has no value in it; "
            f"it has {', '.join(physical)}",
            "check that it is a yellow-taxi trip file of the TLC and fetch it again; if the TLC has renamed a "
            "column, add the new name to glue_jobs/contracts/tlc.py",
        )
    read: dict[str, tuple[str, str]] = {}
    for column in tlc.TRIP_COLUMNS:
        if column.name in by_name:
            name = by_name[column.name]
            if physical[name] != _EMPTY:
                read[column.name] = (name, _spark_type(column, name, physical[name], file))
    known = {column.name for column in tlc.TRIP_COLUMNS}
    return FileLayout(
        read=read,
        absent=tuple(column.name for column in tlc.TRIP_COLUMNS if column.name not in read),
        unknown=tuple(name for lower, name in by_name.items() if lower not in known),
    )


def _spark_type(column: SourceColumn, name: str, arrow_type: str, file: str) -> str:
    readable = _READABLE[column.kind]
    if arrow_type not in readable:
        raise InputError(
            f"{file}: column {name} is of type {arrow_type}, expected one of {', '.join(readable)}",
            "fetch the file again; if the TLC has changed the type, extend glue_jobs/transforms/normalise.py",
        )
    return readable[arrow_type]


def normalise(source: DataFrame, layout: FileLayout) -> DataFrame:
    """The columns of ``tlc.TRIP_COLUMNS`` in contract order and type, plus ``row_hash``.

    ``row_hash`` is xxHash64 over all of them: Spark and Sail give equal values (tested), it does not depend on
    whether a count came as INT64 or DOUBLE, and at 3 M rows two different rows share one with p = 2e-7.
    """
    columns = [
        (
            F.col(f"`{layout.read[column.name][0]}`").cast(column.type.ddl)
            if column.name in layout.read
            else F.lit(None).cast(column.type.ddl)
        ).alias(column.name)
        for column in tlc.TRIP_COLUMNS
    ]
    names = [column.name for column in tlc.TRIP_COLUMNS]
    return source.select(*columns).withColumn("row_hash", F.xxhash64(*names))
