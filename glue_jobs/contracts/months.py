"""Arithmetic of months and of New York's clock. A month is its text, YYYY-MM.

Belongs here: what follows from the calendar alone. Does not: which of them have ended (``taxi_assets.calendar``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta

_MONTH = re.compile(r"([1-9][0-9]{3})-(0[1-9]|1[0-2])")  # strptime takes 2024-2 and the digits of other scripts, too


def number_of(month: str) -> int:
    """A number that grows by one from month to month; ValueError if ``month`` is not YYYY-MM."""
    if (found := _MONTH.fullmatch(month)) is None:
        raise ValueError(f"{month!r} is not a month: write it as YYYY-MM, for example 2024-02")
    return int(found[1]) * 12 + int(found[2]) - 1


def month_of(number: int) -> str:
    """The month that ``number_of`` gives ``number`` for."""
    return f"{number // 12}-{number % 12 + 1:02}"


def month_bounds(month: str) -> tuple[date, date]:
    """First day of ``month`` and of the month after it."""
    number = number_of(month)
    first, following = (date.fromisoformat(f"{month_of(one)}-01") for one in (number, number + 1))
    return first, following


def days_of(month: str) -> int:
    """How many days ``month`` has."""
    first, following = month_bounds(month)
    return (following - first).days


def year_before(month: str) -> str:
    """The same month of the year before."""
    return month_of(number_of(month) - 12)


def ranges(keys: Iterable[str]) -> list[str]:
    """Months in order, neighbours joined: ``["2024-01 to 2024-03", "2024-07"]``. Other partition keys stay alone."""
    runs: list[list[str]] = []
    for key in sorted(set(filter(None, keys))):
        if runs and _follows(key, runs[-1][-1]):
            runs[-1].append(key)
        else:
            runs.append([key])
    return [run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs]


def _follows(key: str, before: str) -> bool:
    try:
        return number_of(key) == number_of(before) + 1
    except ValueError:  # a partition key that is no month
        return False


def clock_changes(year: int) -> tuple[datetime, datetime]:
    """When New York's clocks are put forward and back, wall clock before the change (02:00 both times).

    The second Sunday of March and the first of November, since 2007 (Energy Policy Act of 2005).
    """

    def sunday(month: int, earliest: int) -> datetime:
        first = datetime(year, month, earliest, 2)  # noqa: DTZ001 -- trip times have no zone
        return first + timedelta(days=6 - first.weekday())

    return sunday(3, 8), sunday(11, 1)
