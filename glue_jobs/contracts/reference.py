"""The contract of the reference data: what months and trips are looked up in.

Belongs here: columns, types and meaning. Does not: where the values come from (``taxi_assets.reference``).
"""

from __future__ import annotations

from glue_jobs.contracts.model import Column, Table, Type

CALENDAR = Table(
    "reference",
    "calendar",
    "One row for each day from 2011-01-01 to the end of the second year from now.",
    (
        Column(1, "date", Type.DATE, "The day, New York", nullable=False),
        Column(2, "month", Type.STRING, "Its month, YYYY-MM", nullable=False),
        Column(3, "year", Type.INT, "Its year", nullable=False),
        Column(4, "day_of_week", Type.INT, "Weekday by ISO 8601, 1 is Monday", unit="1-7", nullable=False),
        Column(5, "day_type", Type.STRING, "Weekday or Weekend (Saturday, Sunday)", nullable=False),
        Column(6, "is_holiday", Type.BOOLEAN, "Whether it is a public holiday in New York", nullable=False),
        Column(7, "holiday", Type.STRING, "Name of the holiday, such as Thanksgiving Day; null on other days"),
        Column(8, "hours_in_day", Type.INT, "24; 23 and 25 on the days on which the clock is changed", nullable=False),
        Column(9, "event", Type.STRING, "What began or happened on the day, such as a new fee; null on most days"),
        Column(10, "event_source", Type.STRING, "Who says so; null where there is no event"),
    ),
    (),
    ("date",),
)
"""Replaced whole when its content changes, in one commit."""
