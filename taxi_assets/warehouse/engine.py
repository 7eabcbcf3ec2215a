"""What an engine of the warehouse does: it answers SQL with a table.

Belongs here: the promise that DuckDB on a laptop and Redshift on AWS both keep. Does not: either of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import pyarrow as pa

from glue_jobs.errors import Cause, PipelineError
from taxi_assets.warehouse.question import Question, Value


class QueryFailed(PipelineError):
    """The engine could not answer: the SQL is wrong, took too long, or the engine is out of reach."""

    cause = Cause.ORDER


class Engine(Protocol):
    """Answers questions. May be asked by several threads at once."""

    def state(self, as_of: str | None = None) -> str:
        """What an answer depends on beside the question: equal as long as no table was committed to."""

    def run(
        self, sql: str, parameters: Mapping[str, Value] | None = None, *, label: str, as_of: str | None = None
    ) -> pa.Table:
        """The rows of one SELECT; ``:name`` in it stands for a parameter.

        Columns have the types of the contracts (strings are never dictionaries). ``label`` says what asks, for the log
        of queries; ``as_of`` is a date, a time or the id of a snapshot (``lake.snapshots.moment``), None is now.
        QueryFailed if there is no answer.
        """

    def apply(self) -> list[str]:
        """Make the engine know schemas, views and roles as the code has them; the statements that it took."""

    def close(self) -> None:
        """Let go of connections; it may be asked again."""


def ask(engine: Engine, question: Question, *, label: str, as_of: str | None = None) -> pa.Table:
    """The rows that a question is about."""
    sql, parameters = question.sql()
    return engine.run(sql, parameters, label=label, as_of=as_of)
