"""What is known: answers of the warehouse, each asked once for all who look.

Belongs here: asking, and what an answer says of itself. Does not: the SQL (``questions``), or Streamlit's widgets.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import pyarrow as pa

from glue_jobs.contracts import Table
from glue_jobs.contracts.curated import DAILY_METRICS
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.paths import LakePaths
from taxi_assets.lake.publishing import Publication
from taxi_assets.lake.reading import quoted
from taxi_assets.lake.reports import NoReport, find_report, read_report
from taxi_assets.lake.snapshots import moment
from taxi_assets.presentation.questions import QUESTIONS
from taxi_assets.warehouse.engine import Engine
from taxi_assets.warehouse.names import described
from taxi_assets.warehouse.question import Value, bind
from taxi_assets.warehouse.view import tables_in

Row = dict[str, Any]
T = TypeVar("T")
_KEPT = 500
"""Answers that are kept, those asked last: each is some hundred rows."""


@dataclass(frozen=True)
class Answer:
    """The rows of a question, and what was asked: ``name`` in ``QUESTIONS``, with ``values`` of its parameters."""

    name: str
    values: Mapping[str, Value]
    rows: pa.Table = field(compare=False)

    @property
    def sql(self) -> str:
        """The SQL as it can be pasted into ``taxi-assets query``."""
        sql, _ = bind(QUESTIONS[self.name].strip(), self.values, lambda name: _literal(self.values[name]))
        return sql

    @property
    def numbers(self) -> set[str]:
        """The columns that hold numbers."""
        kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
        return {field.name for field in self.rows.schema if any(kind(field.type) for kind in kinds)}

    @property
    def units(self) -> dict[str, str]:
        """Column to unit, by the contracts of what is asked; empty for a column that the question computes."""
        asked = [described()[name] for name in tables_in(QUESTIONS[self.name])]
        known = {column.name: column.unit for table in asked for column in table.columns}
        return {name: known.get(name, "") for name in self.rows.column_names}

    def __bool__(self) -> bool:
        """Whether there are rows."""
        return bool(self.rows.num_rows)

    def dicts(self) -> list[Row]:
        """The rows, a dictionary each."""
        rows: list[Row] = self.rows.to_pylist()
        return rows

    def columns(self) -> dict[str, list[Any]]:
        """The columns, a list each."""
        columns: dict[str, list[Any]] = self.rows.to_pydict()
        return columns

    def only(self, **wanted: Value) -> Answer:
        """The same with the rows that have these values."""
        return self._with([row for row in self.dicts() if all(row[name] == value for name, value in wanted.items())])

    def until(self, month: str | None) -> Answer:
        """The same with the rows of no later month, if one is given."""
        return self if month is None else self._with([row for row in self.dicts() if row["month"] <= month])

    def _with(self, rows: list[Row]) -> Answer:
        return Answer(self.name, self.values, pa.Table.from_pylist(rows, schema=self.rows.schema))


def _literal(value: Value) -> str:
    return quoted(value) if isinstance(value, str) else str(value)


class Answers:
    """The warehouse as all sessions share it: a question that many have at once is asked once."""

    def __init__(self, engine: Engine, lake: Lake) -> None:
        self._engine, self._lake = engine, lake
        self._kept: OrderedDict[tuple[object, ...], Future[Any]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def paths(self) -> LakePaths:
        """Where things lie in the lake."""
        return self._lake.paths

    def state(self, as_of: str | None = None) -> str:
        """What answers depend on: another text after each publication. NoSuchMoment if ``as_of`` is none."""
        return self._engine.state(as_of)

    def reader(self, as_of: str | None = None) -> Reader:
        """What one look at a page asks with. NoSuchMoment if ``as_of`` is none."""
        return Reader(self, self.state(as_of), as_of)

    def once(self, key: tuple[object, ...], compute: Callable[[], T]) -> T:
        """What ``compute`` returns, computed by the first who asks for the key; an error is not kept."""
        with self._lock:
            future = self._kept.get(key)
            mine = future is None
            if future is None:
                future = self._kept[key] = Future()
            self._kept.move_to_end(key)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        if mine:
            try:
                future.set_result(compute())
            except BaseException as error:  # noqa: BLE001 -- whoever waits for it gets it too
                with self._lock:
                    self._kept.pop(key, None)
                future.set_exception(error)
        result: T = future.result()
        return result

    def ask(self, name: str, values: Mapping[str, Value], as_of: str | None) -> pa.Table:
        """Ask the engine."""
        return self._engine.run(QUESTIONS[name], values, label=f"dashboard {name}", as_of=as_of)

    def history(self, table: Table, month: str) -> list[Publication]:
        """The publications of a month of a table that are still known, newest first."""
        return self._lake.publisher.history(table, month)

    def moment(self, as_of: str) -> datetime:
        """The time, UTC, that ``as_of`` means; NoSuchMoment if it means none."""
        at = moment(self._lake.catalog, as_of).at
        assert at is not None
        return at


@dataclass(frozen=True)
class Reader:
    """One look at the warehouse: all its answers are of one ``state``, or ``is_overtaken`` says that they may not be.

    ``as_of`` is the moment that is looked at; None is now.
    """

    _answers: Answers
    state: str
    as_of: str | None

    def ask(self, name: str, **values: Value) -> Answer:
        """The answer to a question by its name in ``QUESTIONS``. QueryFailed if there is none."""
        key = (self.state, self.as_of, name, *sorted(values.items()))
        return self._answers.once(key, lambda: Answer(name, values, self._answers.ask(name, values, self.as_of)))

    def at(self, as_of: str) -> Reader:
        """The same warehouse at another moment. NoSuchMoment if it is none."""
        return self._answers.reader(as_of)

    def history(self, month: str, table: Table = DAILY_METRICS) -> list[Publication]:
        """The publications of a month until the moment that is looked at, newest first."""
        key = (self.state, self.as_of, "history", table.full_name, month)
        known = self._answers.once(key, lambda: self._answers.history(table, month))
        if self.as_of is None:
            return known
        until = self._answers.once((self.state, self.as_of, "moment"), lambda: self._answers.moment(str(self.as_of)))
        return [one for one in known if one.published_at <= until]

    def live(self, month: str, table: Table = DAILY_METRICS) -> Publication | None:
        """The month's publication that is looked at; None if it is not known any more."""
        return next(iter(self.history(month, table)), None)

    def has_report(self, month: str) -> bool:
        """Whether a month has a report; asked each time, because one is written after what it is of was published."""
        try:
            find_report(self._answers.paths, month)
        except NoReport:
            return False
        return True

    def report(self, month: str) -> str:
        """The month's newest report. NoReport if there is none."""
        return read_report(self._answers.paths, month)

    def once(self, name: str, compute: Callable[[], T]) -> T:
        """What ``compute`` makes of answers, made once for all who look at the same."""
        return self._answers.once((self.state, self.as_of, "made", name), compute)

    def is_overtaken(self) -> bool:
        """Whether something was committed since this look began, so that it is to be taken anew."""
        return self.as_of is None and self._answers.state() != self.state
