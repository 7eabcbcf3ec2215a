"""What a check is: a named question to the files of a version that no reader has seen yet.

Belongs here: the shape of checks and of their outcomes, and checks that suit any table. Does not: those of a
particular layer.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import dagster as dg
import duckdb
import pyarrow as pa

from glue_jobs.contracts import Table
from glue_jobs.contracts.model import Type
from glue_jobs.files import each_footer
from taxi_assets.checks.session import Session, rows_where
from taxi_assets.lake.reading import quoted


class HasSession(Protocol):
    """What checks can be asked of."""

    @property
    def session(self) -> Session:
        """The files that they read, as views."""
        ...


Subject = TypeVar("Subject", bound=HasSession)

ARROW_TYPES = {
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
"""The contracts' types as Arrow has them."""


@dataclass(frozen=True)
class Outcome:
    """Whether a check passed, and what a reader needs to see of it.

    ``rows_to_look_at`` is DuckDB SQL over the files that were checked; ``measures`` are numbers to be compared with
    those of other months; ``details`` is more metadata for the Dagster UI.
    """

    passed: bool
    expected: str
    actual: str
    rows_to_look_at: str
    measures: Mapping[str, float] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Check(Generic[Subject]):
    """One question about a ``Subject`` (what a job has written). A blocking one holds the publication back.

    ``of_the_run``: it can only be asked when the month is published, because it reads the job's report, or compares the
    month with what was usual then.
    """

    asset: dg.AssetKey
    name: str
    description: str
    ask: Callable[[Subject], Outcome]
    blocking: bool = True
    of_the_run: bool = False

    def spec(self, months: dg.PartitionsDefinition[str]) -> dg.AssetCheckSpec:
        """How Dagster knows it: one answer for each of the ``months``."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.PreviewWarning)  # partitions of checks are new in Dagster 1.13
            return dg.AssetCheckSpec(
                self.name,
                asset=self.asset,
                description=self.description,
                blocking=self.blocking,
                partitions_def=months,
            )

    def evaluate(self, subject: Subject) -> Answer:
        """Ask. A question that the files cannot answer has failed."""
        begun = time.monotonic()
        try:
            outcome = self.ask(subject)
        except duckdb.Error as error:
            if isinstance(error, duckdb.FatalException | duckdb.InternalException):
                subject.session.close()  # it can be asked nothing more: the next question opens another
            outcome = Outcome(False, "an answer", str(error), "SELECT 'the files cannot be queried, see actual'")
        return Answer(self.asset, self.name, self.blocking, outcome, round(time.monotonic() - begun, 3))


@dataclass(frozen=True)
class Answer:
    """A check's outcome, for Dagster and for the history.

    ``seconds`` is how long it took to ask. What several checks read of a subject is computed by the first of them.
    """

    asset: dg.AssetKey
    name: str
    blocking: bool
    outcome: Outcome
    seconds: float = 0.0

    @property
    def holds_back(self) -> bool:
        """Whether it must hold the publication back."""
        return self.blocking and not self.outcome.passed

    @property
    def severity(self) -> dg.AssetCheckSeverity:
        """ERROR if the check is a blocking one."""
        return dg.AssetCheckSeverity.ERROR if self.blocking else dg.AssetCheckSeverity.WARN

    @property
    def in_words(self) -> str:
        """The asset, the name and what was found, for a sentence."""
        return f"{self.asset.to_user_string()}: {self.name} ({self.outcome.actual})"

    @property
    def result(self) -> dg.AssetCheckResult:
        """In Dagster's words."""
        return dg.AssetCheckResult(
            passed=bool(self.outcome.passed),
            asset_key=self.asset,
            check_name=self.name,
            severity=self.severity,
            metadata=self.metadata,
        )

    @property
    def metadata(self) -> dict[str, Any]:
        """What Dagster shows beside the verdict."""
        outcome = self.outcome
        # Each number on its own: Dagster draws those, month by month, and no JSON.
        measures = {name: dg.MetadataValue.float(float(f"{value:.10g}")) for name, value in outcome.measures.items()}
        return {
            "expected": outcome.expected,
            "actual": outcome.actual,
            "rows_to_look_at": dg.MetadataValue.md(f"```sql\n{outcome.rows_to_look_at}\n```"),
            **measures,
            **outcome.details,
            "seconds": dg.MetadataValue.float(self.seconds),
        }

    @property
    def rows(self) -> list[dict[str, object]]:
        """As rows of ``quality.check_history``: one for the answer, and one for each measure."""
        outcome = self.outcome
        own = {
            "asset": self.asset.to_user_string(),
            "check_name": self.name,
            "passed": bool(outcome.passed),
            "severity": self.severity.value,
            "expected": outcome.expected,
            "actual": outcome.actual,
            "rows_to_look_at": outcome.rows_to_look_at,
        }
        measures = [("", None), *sorted(outcome.measures.items())]
        return [{**own, "measure": measure, "value": value} for measure, value in measures]


def ask_all(checks: Sequence[Check[Subject]], subject: Subject, assets: Iterable[dg.AssetKey]) -> list[Answer]:
    """The answers of those checks that watch one of ``assets``."""
    chosen = set(assets)
    try:
        return [check.evaluate(subject) for check in checks if check.asset in chosen]
    finally:
        subject.session.close()


def expect(actual: object, expected: object, rows_to_look_at: str) -> Outcome:
    """Passed if ``actual`` equals ``expected``."""
    return Outcome(actual == expected, str(expected), str(actual), rows_to_look_at)


def has_rows(session: Session, view: str) -> Outcome:
    """The files of ``view`` have at least one row."""
    rows = session.footer_rows(view)
    return Outcome(rows > 0, "at least 1 row", f"{rows} rows", session.look_at(view, "SELECT count(*)"))


def conforms(session: Session, view: str, table: Table, month: str) -> Outcome:
    """Every file of ``view`` has the contract's columns in order and type, no null where none may be, and rows of
    ``month`` only; rows are unique by the contract's grain, if it has one."""
    files = session.files(view)
    faults = (_schema_faults(table, files) or _row_faults(session, view, table, month)) if files else []
    required = [f"{column.name} IS NULL" for column in table.columns if not column.nullable]
    return Outcome(
        not faults,
        f"contract {table.full_name} v{table.version}",
        "; ".join(faults) or f"{len(files)} files as contracted",
        session.look_at(view, "SELECT *", f"month <> {quoted(month)} OR {' OR '.join(required)}"),
    )


def _schema_faults(table: Table, files: Sequence[str]) -> list[str]:
    expected = [(column.name, ARROW_TYPES[column.type]) for column in table.columns]
    schemas = each_footer(files, lambda file: [(field.name, field.type) for field in file.schema_arrow])
    faults = []
    for path, actual in zip(files, schemas, strict=True):
        if actual != expected:
            different = [f"{a} is not {e}" for a, e in zip(actual, expected, strict=False) if a != e]
            faults.append(f"{path}: {len(actual)} columns, expected {len(expected)}; {'; '.join(different[:3])}")
    return faults[:5]


def _row_faults(session: Session, view: str, table: Table, month: str) -> list[str]:
    counts = [f"count(*) - count({column.name}) AS {column.name}" for column in table.columns if not column.nullable]
    others = rows_where(f"month <> '{month}'")
    nulls = session.first_row(f"SELECT {others} AS other_months, {', '.join(counts)} FROM {view}")
    faults = [] if nulls.pop("other_months") == 0 else [f"rows of other months than {month}"]
    faults += [f"{name}: {count} nulls" for name, count in nulls.items() if count]
    if table.grain:
        grain = ", ".join(table.grain)
        repeated = f"SELECT 1 FROM {view} GROUP BY {grain} HAVING count(*) > 1"
        twice = session.first_row(f"SELECT count(*) AS n FROM ({repeated})")["n"]
        faults += [f"{twice} values of ({grain}) stand more than once"] if twice else []
    return faults
