"""The log of queries: what each question cost, and why it failed.

Belongs here: its columns, and writing the log of a laptop. Does not: Redshift's own, SYS_QUERY_HISTORY, of which a view
of the same name and columns is made there, or what is made of it (``views/slow_queries.sql``).
"""

from __future__ import annotations

import json
import logging
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from time import perf_counter

from glue_jobs.contracts.model import Column, Table, Type

_log = logging.getLogger(__name__)

QUERY_LOG = Table(
    "operations",
    "query_log",
    "One row for each query that was put to the warehouse.",
    (
        Column(1, "query_id", Type.STRING, "The engine's id of the query", nullable=False),
        Column(2, "label", Type.STRING, "What asked: a page of the dashboard, a command"),
        Column(3, "status", Type.STRING, "success or failed", nullable=False),
        Column(4, "started_at", Type.TIMESTAMP_NTZ, "When it was put", unit="UTC", nullable=False),
        Column(5, "seconds", Type.DOUBLE, "From the question to the last row, waiting included", unit="s"),
        Column(6, "returned_rows", Type.BIGINT, "Rows of the answer", unit="rows"),
        Column(7, "cost_usd", Type.DOUBLE, "What its seconds cost by the warehouse's price; 0 on a laptop", unit="USD"),
        Column(8, "error", Type.STRING, "Why it failed; null if it did not"),
        Column(9, "sql_text", Type.STRING, "The SQL, without the values of its parameters"),
    ),
    (),
    ("query_id",),
)
"""On a laptop the files that ``QueryLog`` writes, on Redshift a view over SYS_QUERY_HISTORY."""


@dataclass
class Entry:
    """One query while it runs; ``rows`` is set when its answer is there."""

    rows: int | None = None


class QueryLog:
    """The log of the lake in the folder ``root``, ``queries/<month>.jsonl``: a JSON object a line."""

    def __init__(self, root: str) -> None:
        self._folder = Path(root, "queries")

    @contextmanager
    def entry(self, sql: str, label: str) -> Iterator[Entry]:
        """Measures what is done within, and enters it when it is over, also when it fails."""
        started, begun, entry, error = datetime.now(timezone.utc), perf_counter(), Entry(), None
        try:
            yield entry
        except BaseException as raised:
            error = f"{type(raised).__name__}: {raised}"
            raise
        finally:
            row = {
                "query_id": uuid.uuid4().hex,
                "label": label,
                "status": "failed" if error else "success",
                "started_at": started.replace(tzinfo=None).isoformat(timespec="microseconds"),
                "seconds": perf_counter() - begun,
                "returned_rows": entry.rows,
                "cost_usd": 0.0,
                "error": error,
                "sql_text": sql,
            }
            self._append(self._folder / f"{started:%Y-%m}.jsonl", json.dumps(row) + "\n")

    def pattern(self) -> str | None:
        """What matches the files, those of later months too; None in a lake that cannot be written and has none."""
        first = self._folder / "0.jsonl"
        self._append(first, "")  # DuckDB refuses a pattern that matches nothing
        return f"{self._folder}/*.jsonl" if first.exists() else None

    def _append(self, file: Path, line: str) -> None:
        try:
            file.parent.mkdir(exist_ok=True)
            # One write to a file opened for appending: lines of several processes do not mix.
            handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(handle, line.encode())
            finally:
                os.close(handle)
        except OSError as error:  # an answer is worth more than the note that it was given
            _log.warning("The query could not be entered into %s: %s", file, error)
