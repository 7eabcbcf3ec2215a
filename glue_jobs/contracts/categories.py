"""The categories that trips are sorted into: each value, what it stands for, and an example.

Belongs here: meanings and examples, for the dictionary; a test stages each example. Does not: the sorting
(``transforms.enrich``, ``transforms.curated``), or labels of the TLC's codes (``tlc``).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Category:
    """One value of ``column``: a trip whose source column ``of`` is ``example`` has it."""

    column: str
    value: str
    meaning: str
    of: str
    example: float | str | None


CATEGORIES: tuple[Category, ...] = (
    Category("distance_category", "0-1", "Up to 1 mile, 0 among them", "trip_distance", 1.0),
    Category("distance_category", "1-2", "Over 1 up to 2 miles", "trip_distance", 1.01),
    Category("distance_category", "2-5", "Over 2 up to 5 miles", "trip_distance", 5.0),
    Category("distance_category", "5-10", "Over 5 up to 10 miles", "trip_distance", 5.01),
    Category("distance_category", "10+", "Over 10 miles", "trip_distance", 10.01),
    Category("time_of_day_category", "Morning", "06:00:00 to 11:59:59", "tpep_pickup_datetime", "2024-02-14T11:59:59"),
    Category(
        "time_of_day_category", "Afternoon", "12:00:00 to 17:59:59", "tpep_pickup_datetime", "2024-02-14T12:00:00"
    ),
    Category("time_of_day_category", "Evening", "18:00:00 to 21:59:59", "tpep_pickup_datetime", "2024-02-14T18:00:00"),
    Category("time_of_day_category", "Night", "22:00:00 to 05:59:59", "tpep_pickup_datetime", "2024-02-14T05:59:59"),
    Category("day_type", "Weekday", "Monday to Friday, holidays too", "tpep_pickup_datetime", "2024-02-19T09:00:00"),
    Category("day_type", "Weekend", "Saturday and Sunday", "tpep_pickup_datetime", "2024-02-17T00:00:00"),
    Category("passenger_group", "None entered", "The driver entered 0", "passenger_count", 0.0),
    Category("passenger_group", "Solo", "1 passenger", "passenger_count", 1.0),
    Category("passenger_group", "Pair", "2 passengers", "passenger_count", 2.0),
    Category("passenger_group", "Group of 3-4", "3 or 4 passengers", "passenger_count", 4.0),
    Category("passenger_group", "Group of 5 or more", "5 passengers or more", "passenger_count", 5.0),
    Category("passenger_group", "Unknown", "No count, as on every Flex Fare trip", "passenger_count", None),
)

READINGS = {
    "Sums": "Exact decimals, over the rows that the meaning names.",
    "Averages, rates and shares": "One division of two exact sums, in DOUBLE; null where the divisor is zero.",
    "Medians and percentiles": "Interpolated linearly between the two nearest values (as SQL's `percentile_cont`), "
    "over trips without refunds, and rounded to four decimals.",
    "Null": "What is not known, or does not apply: an average of no trips, a fee before it began, a passenger count on "
    "a Flex Fare trip. Zero is a number that was counted or charged.",
    "Times": "New York's wall clock, without a zone. On the second Sunday of March the hour from 02:00 does not exist; "
    "on the first of November that from 01:00 happens twice, and which of the two a time is in is not recorded "
    "(`ambiguous_clock_hour`). Durations over such a change are put right by an hour.",
    "Days": "A trip belongs to the day and the hour of its pick-up.",
}
"""What holds for all tables."""
