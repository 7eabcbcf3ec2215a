"""A clock that is wrong, to be put in the place of ``datetime.datetime``.

Belongs here: clocks. Does not: waiting for something (``waiting``).
"""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo


class AYearAhead(datetime):
    """Says that it is a year later than it is."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> AYearAhead:
        """See ``datetime``."""
        return cls.fromtimestamp((datetime.now(tz) + timedelta(days=366)).timestamp(), tz)
