"""The rows of ``reference.calendar``: New York's days, their holidays, and what began on them.

Belongs here: what is known of a day. Does not: which months are due (``taxi_assets.calendar``).

Holidays are the public ones of the state of New York, federal ones among them, as the library ``holidays`` has them
(MIT licence): also days on which one is observed instead. Clock changes follow from the law (``contracts.months``).
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import cache

import holidays
import pyarrow as pa

from glue_jobs.contracts.months import clock_changes
from glue_jobs.contracts.reference import CALENDAR
from glue_jobs.contracts.tlc import FEE_BEGAN
from taxi_assets.lake.catalog import iceberg_schema

FIRST_DAY = date(2011, 1, 1)
"""Of the first month that can be staged."""
YEARS_AHEAD = 2

_NEWS_OF_SURCHARGE = "https://thevillager.com/2019/02/surcharges-for-taxis-and-for-hire-cars-to-start-sat-feb-2/"
_NEWS_OF_PAUSE = "https://thebcw.org/news/governor-cuomo-signs-the-new-york-state-on-pause-executive-order/"
_NEWS_OF_FARES = "https://fastcompany.com/90827041/uber-boycott-strike-nyc-drivers-pay-rates"
_NEWS_OF_CBD_FEE = "https://cbsnews.com/newyork/news/nyc-congestion-pricing-new-start-date/"
_DICTIONARY = "TLC data dictionary for yellow-taxi trip records"
EVENTS: dict[date, tuple[str, str]] = {
    date(2012, 9, 4): (
        "Metered fares rise by a sixth",
        "TLC, fare rules approved on 2012-07-12: https://abc7ny.com/archive/8796797/",
    ),
    date(2015, 1, 1): ("Improvement surcharge begins", _DICTIONARY),
    FEE_BEGAN["congestion_surcharge"]: (
        "Congestion surcharge begins",
        f"New York Tax Law, article 29-C: {_NEWS_OF_SURCHARGE}",
    ),
    date(2020, 3, 22): (
        "New York State on PAUSE begins (Covid-19)",
        f"New York State, Executive Order 202.8: {_NEWS_OF_PAUSE}",
    ),
    date(2022, 12, 19): (
        "Metered fares rise by 23 %",
        f"TLC, fare rules approved on 2022-11-15: {_NEWS_OF_FARES}",
    ),
    FEE_BEGAN["cbd_congestion_fee"]: ("Central Business District fee begins", f"{_DICTIONARY}: {_NEWS_OF_CBD_FEE}"),
}
"""Day to what began or happened, and who says so, with a page that tells of the day where there is one. Marks on
charts that explain a jump, not a history."""


def rows(today: date) -> pa.Table:
    """A row a day, in order, to the end of the second year after ``today``'s."""
    last = date(today.year + YEARS_AHEAD, 12, 31)
    days = [FIRST_DAY + timedelta(days=number) for number in range((last - FIRST_DAY).days + 1)]
    named = holidays.country_holidays("US", subdiv="NY", years=range(FIRST_DAY.year, last.year + 1))
    return pa.Table.from_pylist([_row(day, named.get(day)) for day in days], schema=iceberg_schema(CALENDAR).as_arrow())


def _row(day: date, holiday: str | None) -> dict[str, object]:
    event, source = EVENTS.get(day, (None, None))
    return {
        "date": day,
        "month": f"{day:%Y-%m}",
        "year": day.year,
        "day_of_week": day.isoweekday(),
        "day_type": "Weekend" if day.isoweekday() >= 6 else "Weekday",
        "is_holiday": holiday is not None,
        "holiday": holiday,
        "hours_in_day": 24 + _hours_gained(day),
        "event": event,
        "event_source": source,
    }


def _hours_gained(day: date) -> int:
    """By the clock changes of the day."""
    forward, back = _changes(day.year)
    return {forward.date(): -1, back.date(): 1}.get(day, 0)


@cache
def _changes(year: int) -> tuple[datetime, datetime]:
    return clock_changes(year)
