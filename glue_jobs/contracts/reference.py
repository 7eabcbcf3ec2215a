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

ZONES = Table(
    "reference",
    "zones",
    "One row for each of the TLC's taxi zones: where it is, and its shape for maps.",
    (
        Column(1, "location_id", Type.INT, "The TLC's id of the zone", nullable=False),
        Column(2, "zone", Type.STRING, "Its name in the TLC's lookup", nullable=False),
        Column(3, "borough", Type.STRING, "Its borough; Unknown, N/A and EWR are none of New York's", nullable=False),
        Column(4, "longitude", Type.DOUBLE, "Of its centroid, or of a point within where that lies outside", unit="°"),
        Column(5, "latitude", Type.DOUBLE, "As longitude", unit="°"),
        Column(6, "area_km2", Type.DOUBLE, "Its area", unit="km²"),
        Column(
            7,
            "shape",
            Type.STRING,
            "GeoJSON geometry (WGS 84, holes clockwise), simplified to 100 feet with shared borders kept; null where "
            "the TLC draws none",
        ),
    ),
    (),
    ("location_id",),
)
"""Replaced whole, like the calendar. No shape is longer than the 16,384 characters that Redshift reads of a text."""
