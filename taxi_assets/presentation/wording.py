"""Numbers and changes in words.

Belongs here: how a number is written, and the sentence of a month. Does not: asking for it.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
NONE = "-"
SHARE = "0-1"
"""The unit of shares in the contracts."""
_SPELT = {
    **{word: word.upper() for word in ("cbd", "id", "mta", "sql", "usd")},
    "pulocationid": "zone of pick-up",
    "dolocationid": "zone of drop-off",
    "pickup": "pick-up",
    "pickups": "pick-ups",
    "dropoff": "drop-off",
    "dropoffs": "drop-offs",
}


def short(value: float | None, unit: str = "") -> str:
    """A number with three significant digits: 2.96 M, 103 k, $27.08; a dash for none."""
    if value is None:
        return NONE
    number, sign = abs(float(value)), "-" if value < 0 else ""
    for size, letter in ((1e9, " B"), (1e6, " M"), (1e4, " k")):
        if number >= size:
            scaled = number / (1e3 if letter == " k" else size)
            digits = max(0, 3 - len(f"{scaled:.0f}"))
            return f"{sign}{unit}{scaled:,.{digits}f}{letter}"
    digits = 0 if number >= 1000 or (number == int(number) and not unit) else 2
    return f"{sign}{unit}{number:,.{digits}f}"


def cell(value: object) -> str:
    """A value as it stands in a table: thousands set apart, money with cents, a date as it is; nothing for none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Decimal):
        return f"{value:,.2f}"
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) >= 1 or value == 0 else f"{value:.4g}"
    return str(value)


def heading(column: str, unit: str = "") -> str:
    """A column as a table shows it: Net revenue (USD) for net_revenue. Counts and shares say by their values what they
    are."""
    words = [_SPELT.get(word, word) for word in column.split("_")]
    said = " ".join(words)
    return f"{said[:1].upper()}{said[1:]}" + (f" ({unit})" if unit and unit not in ("rows", SHARE) else "")


def percent(share: float | None, digits: int = 1) -> str:
    """A share of 0 to 1 in percent; a dash for none."""
    return NONE if share is None else f"{100 * share:.{digits}f} %"


def change(share: float | None) -> str | None:
    """A change with its sign, as st.metric wants it; None if there is nothing to compare with."""
    return None if share is None else f"{100 * share:+.1f} %"


def counted(number: int, noun: str) -> str:
    """1 check, 2 checks."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def month_name(month: str) -> str:
    """2024-02 as February 2024."""
    year, number = month.split("-")
    return f"{calendar.month_name[int(number)]} {year}"


def weekday(iso: int) -> str:
    """Mon for 1."""
    return WEEKDAYS[iso - 1]


def plain(day: date) -> str:
    """A date as 5 Jan 2025."""
    return f"{day.day} {calendar.month_abbr[day.month]} {day.year}"


def sentence(month: Mapping[str, Any]) -> str:
    """A row of ``analytics.monthly_summary`` in a sentence."""
    name = month_name(month["month"])
    said = f"**{name}**: {short(month['trips'])} trips brought in {short(month['net_revenue'], '$')} net"
    if month["is_partial"]:
        said += f" on the {month['days']} of {month['days_in_month']} days that are published"
    parts = [
        part
        for part in (
            _compared(month["trips_per_day_change_year"], "a year before"),
            _compared(month["trips_per_day_change_month"], "the month before"),
        )
        if part
    ]
    if not parts:
        return f"{said}. There is nothing published yet to compare it with."
    return f"{said}; per day that is {' and '.join(parts)}."


def _compared(share: float | None, than: str) -> str:
    if share is None:
        return ""
    if abs(share) < 0.0005:
        return f"as many trips as {than}"
    return f"{percent(abs(share))} {'more' if share > 0 else 'fewer'} trips than {than}"
