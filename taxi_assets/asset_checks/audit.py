"""What an audit is: a named question to the files of a version that no reader has seen yet.

Belongs here: the shape of audits and of their outcomes, and audits that suit any table. Does not: those of a
particular layer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import dagster as dg
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from glue_jobs.contracts import Table
from glue_jobs.contracts.model import Type
from glue_jobs.files import open_file_system, parquet_files, parquet_rows
from taxi_assets.lake.reading import parquet_scan, select_files

Subject = TypeVar("Subject")

_ARROW_TYPES = {
    Type.STRING: pa.string(),
    Type.INT: pa.int32(),
    Type.BIGINT: pa.int64(),
    Type.DOUBLE: pa.float64(),
    Type.BOOLEAN: pa.bool_(),
    Type.DATE: pa.date32(),
    Type.TIMESTAMP_NTZ: pa.timestamp("us"),
    Type.MONEY: pa.decimal128(10, 2),
    Type.MONEY_SUM: pa.decimal128(18, 2),
}


@dataclass(frozen=True)
class Outcome:
    """Whether an audit passed, and what a reader needs to see of it: expected, actual, rows to look at."""

    passed: bool
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Audit(Generic[Subject]):
    """One question about a ``Subject`` (what a job has written). A blocking one holds the publication back."""

    asset: dg.AssetKey
    name: str
    description: str
    ask: Callable[[Subject], Outcome]
    blocking: bool = True

    @property
    def spec(self) -> dg.AssetCheckSpec:
        """How Dagster knows it."""
        return dg.AssetCheckSpec(self.name, asset=self.asset, description=self.description, blocking=self.blocking)

    def evaluate(self, subject: Subject) -> dg.AssetCheckResult:
        """Ask, and say it in Dagster's words. A question that the files cannot answer has failed."""
        try:
            outcome = self.ask(subject)
        except duckdb.Error as error:
            outcome = Outcome(False, {"expected": "an answer", "actual": str(error)})
        return dg.AssetCheckResult(
            passed=bool(outcome.passed),
            asset_key=self.asset,
            check_name=self.name,
            severity=dg.AssetCheckSeverity.ERROR if self.blocking else dg.AssetCheckSeverity.WARN,
            metadata=dict(outcome.metadata),
        )


def expect(actual: object, expected: object) -> Outcome:
    """Passed if ``actual`` equals ``expected``."""
    return Outcome(actual == expected, {"expected": str(expected), "actual": str(actual)})


def has_rows(folder: str) -> Outcome:
    """The Parquet files below ``folder`` have at least one row."""
    rows = parquet_rows(folder)
    return Outcome(rows > 0, {"expected": "at least 1 row", "actual": rows})


def conforms(table: Table, folder: str, month: str) -> Outcome:
    """Every file below ``folder`` has the contract's columns in order and type, no null where none may be,
    and rows of ``month`` only; rows are unique by the contract's grain, if it has one."""
    files = parquet_files(folder)
    if not files:
        return Outcome(True, {"files": 0})
    faults = _schema_faults(table, folder, files) or _row_faults(table, folder, month)
    return Outcome(
        not faults, {"expected": f"contract {table.full_name} v{table.version}", "faults": faults, "files": len(files)}
    )


def scan(table: Table, folder: str) -> str:
    """A DuckDB table expression over the table's files below ``folder``; one of no rows if there are none."""
    scheme = "s3://" if folder.startswith("s3://") else ""
    files = [f"{scheme}{path}" for path in parquet_files(folder)]
    return parquet_scan(files) if files else f"({select_files(table, [])})"


def first_row(sql: str) -> dict[str, Any]:
    """The first row of a query, by column."""
    with duckdb.connect() as connection:
        cursor = connection.execute(sql)
        row = cursor.fetchone()
        assert row is not None  # every query here is an aggregate
        return dict(zip((column[0] for column in cursor.description), row, strict=True))


def _schema_faults(table: Table, folder: str, files: Sequence[str]) -> list[str]:
    system, _ = open_file_system(folder)
    expected = [(column.name, _ARROW_TYPES[column.type]) for column in table.columns]
    faults = []
    for path in files:
        actual = [(field.name, field.type) for field in pq.read_schema(path, filesystem=system)]
        if actual != expected:
            different = [f"{a} is not {e}" for a, e in zip(actual, expected, strict=False) if a != e]
            faults.append(f"{path}: {len(actual)} columns, expected {len(expected)}; {'; '.join(different[:3])}")
    return faults[:5]


def _row_faults(table: Table, folder: str, month: str) -> list[str]:
    rows = scan(table, folder)
    counts = [
        f"count(*) FILTER ({column.name} IS NULL) AS {column.name}" for column in table.columns if not column.nullable
    ]
    nulls = first_row(f"SELECT count(*) FILTER (month <> '{month}') AS other_months, {', '.join(counts)} FROM {rows}")
    faults = [] if nulls.pop("other_months") == 0 else [f"rows of other months than {month}"]
    faults += [f"{name}: {count} nulls" for name, count in nulls.items() if count]
    if table.grain:
        grain = ", ".join(table.grain)
        twice = first_row(f"SELECT count(*) AS n FROM (FROM {rows} SELECT 1 GROUP BY {grain} HAVING count(*) > 1)")["n"]
        faults += [f"{twice} values of ({grain}) stand more than once"] if twice else []
    return faults
