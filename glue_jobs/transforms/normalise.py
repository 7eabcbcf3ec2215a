"""A TLC file of any month since 2011 as rows of one shape: the columns of ``tlc.TRIP_COLUMNS``, lossless types.

Belongs here: names, physical types, missing columns, columns that nobody knows. Does not: judging or changing a value.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from glue_jobs.contracts import tlc
from glue_jobs.contracts.eras import NULL, Era
from glue_jobs.contracts.model import Kind, SourceColumn, Type
from glue_jobs.errors import InputError

ROW_HASH, EXTRA = "row_hash", "extra_columns"
_INTEGERS = {
    "int8": "tinyint",
    "int16": "smallint",
    "int32": "int",
    "int64": "bigint",
    "uint8": "smallint",
    "uint16": "int",
    "uint32": "bigint",
    "uint64": "decimal(20,0)",
}
_WIDENED = ("tinyint", "smallint", "int", "bigint")
"""Types of which every value has a place in each type that the contract reads them as."""
_NUMBERS = {**_INTEGERS, "float": "float", "double": "double"}
_TEXTS = {"string": "string", "large_string": "string"}
_TIMES = {f"timestamp[{unit}]": "timestamp_ntz" for unit in ("ms", "us")}
_OTHERS = {"bool": "boolean", "date32[day]": "date", "binary": "binary"}
_READABLE: dict[Kind, dict[str, str]] = {
    Kind.TIMESTAMP: {**_TIMES, **_TEXTS},
    Kind.INTEGER: {**_NUMBERS, **_TEXTS},
    Kind.COUNT: {**_NUMBERS, **_TEXTS},
    Kind.TEXT: {**_TEXTS, **_INTEGERS},
    Kind.DISTANCE: {**_NUMBERS, **_TEXTS},
    Kind.MONEY: {**_NUMBERS, **_TEXTS},
}
ARROW_TYPES = {
    Type.TIMESTAMP_NTZ: pa.timestamp("us"),
    Type.BIGINT: pa.int64(),
    Type.DOUBLE: pa.float64(),
    Type.STRING: pa.string(),
}
"""The Arrow type of each type in which a normalised row carries a source column."""


@dataclass(frozen=True)
class FileLayout:
    """How one file maps to the contract.

    ``read`` gives, for each contract column that the file has, its name and Spark type in the file;
    ``absent`` the contract columns that it lacks; ``unknown`` name and Spark type of the columns that the contract
    does not know, ``unreadable`` those among them whose type not every engine here reads (they stay in raw only),
    ``empty`` those without type and value, and ``index`` those that are pandas' index: a number for a row, which tells
    two copies of it apart and is no part of it. They stay in raw only, too.
    """

    read: Mapping[str, tuple[str, str]]
    absent: tuple[str, ...]
    unknown: Mapping[str, str] = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    index: tuple[str, ...] = ()

    @property
    def strangers(self) -> list[str]:
        """The names of all columns that the contract does not know; an index is known."""
        return [*self.unknown, *self.unreadable, *self.empty]

    @property
    def schema(self) -> str:
        """The explicit read schema, as Spark DDL."""
        return ", ".join(f"{_quoted(name)} {kind}" for name, kind in (*self.read.values(), *self.unknown.items()))


@dataclass(frozen=True)
class Drift:
    """How a file differs from its era: column name to what was expected and found."""

    new: tuple[str, ...]
    missing: tuple[str, ...]
    changed: Mapping[str, str]


def layout_of(physical: Mapping[str, str], file: str, index: Collection[str] = ()) -> FileLayout:
    """Match a file's physical columns (name to Arrow type) with the contract; ``index`` are pandas' index columns.

    Raises InputError, naming ``file``, for files with coordinates (2009-2010), for a required column that is
    missing or holds nothing, for a name that stands twice and for a type that cannot hold what the contract says.
    """
    by_name = {name.lower(): name for name in physical}
    if len(by_name) < len(physical):
        lower = [name.lower() for name in physical]
        twice = sorted((name for name in physical if lower.count(name.lower()) > 1), key=str.lower)
        raise InputError(
            f"{file} has columns that differ only by case: {', '.join(twice)}",
            "find out which of them holds the values; the TLC's files have each name once",
        )
    if coordinates := sorted(tlc.COORDINATE_COLUMNS & by_name.keys()):
        raise InputError(
            f"{file} has coordinates ({', '.join(coordinates)}) instead of taxi zones, as files of 2009 and 2010 do",
            f"choose a month from {tlc.FIRST_MONTH} on; earlier files cannot be matched with zones",
        )
    if missing := [name for name in tlc.REQUIRED_COLUMNS if physical.get(by_name.get(name, ""), NULL) == NULL]:
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
            if physical[name] != NULL:
                read[column.name] = (name, _spark_type(column, name, physical[name], file))
    known = {column.name for column in tlc.TRIP_COLUMNS}
    others = {name: physical[name] for lower, name in by_name.items() if lower not in known}
    numbering = tuple(name for name in others if name in index)
    others = {name: kind for name, kind in others.items() if name not in index}
    strangers = {name: _any_spark_type(kind) if name else "" for name, kind in others.items() if kind != NULL}
    return FileLayout(
        read=read,
        absent=tuple(column.name for column in tlc.TRIP_COLUMNS if column.name not in read),
        unknown={name: kind for name, kind in strangers.items() if kind},
        unreadable=tuple(name for name, kind in strangers.items() if not kind),
        empty=tuple(name for name, kind in others.items() if kind == NULL),
        index=numbering,
    )


def drift_of(physical: Mapping[str, str], era: Era) -> Drift:
    """How a file's physical columns differ from those of its era. Names by case, texts by width do not count."""
    found = {name.lower(): kind.removeprefix("large_") for name, kind in physical.items()}
    expected = {name.lower(): kind.removeprefix("large_") for name, kind in era.columns.items()}
    names = {name.lower(): name for name in (*era.columns, *physical)}
    return Drift(
        new=tuple(names[name] for name in found if name not in expected),
        missing=tuple(names[name] for name in expected if name not in found),
        changed={
            names[name]: f"{expected[name]} expected, {kind} found"
            for name, kind in found.items()
            if name in expected and expected[name] != kind
        },
    )


def _spark_type(column: SourceColumn, name: str, arrow_type: str, file: str) -> str:
    readable = {**_READABLE[column.kind], **_decimal(arrow_type, column.kind)}
    if arrow_type not in readable:
        raise InputError(
            f"{file}: column {name} is of type {arrow_type}, expected one of {', '.join(readable)}",
            _how_to_write(column, name, arrow_type),
        )
    return readable[arrow_type]


def _how_to_write(column: SourceColumn, name: str, arrow_type: str) -> str:
    """What to do about a column of a type that cannot be read: for times, the lines of pandas that make it one."""
    if column.kind is not Kind.TIMESTAMP or not arrow_type.startswith("timestamp["):
        return "write the column in one of these types; if the TLC has changed it, extend transforms/normalise.py"
    steps = []
    if "tz=" in arrow_type:
        steps.append(
            f"df[{name!r}] = df[{name!r}].dt.tz_convert('America/New_York').dt.tz_localize(None) "
            "(without tz_convert if the times are New York's wall clock already)"
        )
    steps.append("df.to_parquet(path, coerce_timestamps='us', allow_truncated_timestamps=True)")
    return (
        "write the file with wall-clock times in microseconds, without a zone and not as INT96 or nanoseconds: "
        f"df = pd.read_parquet(path); {'; '.join(steps)}"
    )


def _any_spark_type(arrow_type: str) -> str:
    """The Spark type of a column that the contract does not know; empty if there is none that all engines read.

    Nanoseconds and instants are not among them: Spark 3.5 refuses the ones and would shift the others.
    """
    return {**_NUMBERS, **_TEXTS, **_TIMES, **_OTHERS, **_decimal(arrow_type)}.get(arrow_type, "")


def _decimal(arrow_type: str, kind: Kind = Kind.MONEY) -> dict[str, str]:
    """``decimal128(10, 2)`` as ``decimal(10, 2)``, where a number may stand."""
    is_one = arrow_type.startswith("decimal128(") and kind not in (Kind.TIMESTAMP, Kind.TEXT)
    return {arrow_type: arrow_type.replace("128", "")} if is_one else {}


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def normalise(source: DataFrame, layout: FileLayout) -> DataFrame:
    """The columns of ``tlc.TRIP_COLUMNS`` in contract order and type, plus ``extra_columns`` and ``row_hash``.

    ``extra_columns`` holds the columns that the contract does not know as a JSON object of texts, null if there is
    none. ``row_hash`` is xxHash64 over all of them and over which are null: Spark and Sail give equal values (tested),
    it does not depend on whether a count came as INT64 or DOUBLE, and at 3 M rows two different rows share one with
    p = 2e-7.
    """
    columns = [_as_contracted(column, layout).alias(column.name) for column in tlc.TRIP_COLUMNS]
    strangers = [_as_text(name, kind) for name, kind in layout.unknown.items()]
    extra = F.to_json(F.struct(*strangers)) if strangers else F.lit(None).cast("string")
    names = [*(column.name for column in tlc.TRIP_COLUMNS), EXTRA]
    # xxHash64 passes nulls over, so that (2.5, null) and (null, 2.5) would share a hash: say where the nulls are.
    nulls = sum((F.when(F.col(name).isNull(), F.lit(1 << i)).otherwise(0) for i, name in enumerate(names)), F.lit(0))
    return source.select(*columns, extra.alias(EXTRA)).withColumn(ROW_HASH, F.xxhash64(*names, nulls.cast("bigint")))


def _as_contracted(column: SourceColumn, layout: FileLayout) -> Column:
    if column.name not in layout.read:
        return F.lit(None).cast(column.type.ddl)
    value = _cast(*layout.read[column.name], column.type.ddl)
    if column.type is Type.DOUBLE:  # negating 0.0 and NaN gives others, equal for Spark; Sail's hashes tell them apart
        return F.when(value == 0, F.lit(0.0)).when(F.isnan(value), F.lit(float("nan"))).otherwise(value)
    return value


def _cast(name: str, kind: str, target: str) -> Column:
    """The column ``name`` as ``target``, null where a value has no place in it.

    CAST of such a value (the text "n/a", NaN as a whole number) raises on Spark 4 and on Sail and gives null, 0 or any
    number on Spark 3.5. ``ingest_raw`` refuses it before; where it is null, the checks name it.
    """
    column = _quoted(name)
    if kind == target or kind in _WIDENED:
        return F.col(column).cast(target)
    # In a CASE, because Sail compares a column with a number without casting it: 2^64-1 was null, and over 999.
    return F.expr(f"CASE WHEN {column} IS NOT NULL THEN try_cast({column} AS {target}) END")


def _as_text(name: str, kind: str) -> Column:
    value = F.col(_quoted(name))
    # JVM Spark breaks the lines of base64 after 57 bytes, Sail does not.
    text = F.translate(F.base64(value), "\r\n", "") if kind == "binary" else value.cast("string")
    return text.alias(name)
