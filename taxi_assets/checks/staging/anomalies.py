"""Whether a month's number is a usual one, by the months that are published already.

Belongs here: the statistics of that question. Does not: which numbers are asked about (``profile``).

The robust z-score is 0.6745 (x - median) / MAD, unusual beyond 3.5 (Iglewicz and Hoaglin, "How to Detect and Handle
Outliers", 1993). Median and MAD are of the ``NEIGHBOURS`` published months nearest in time, before or after, so that a
backfill of old months is judged by its own years: volume fell from 14 million trips a month in 2011 to 3 million.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from glue_jobs.contracts.months import number_of, year_before

NEIGHBOURS = 12
MIN_NEIGHBOURS = 4
"""With fewer, the spread of the months says nothing."""
FARTHEST_MONTHS = 36
MAX_Z = 3.5
FLOOR_OF_SPREAD = 0.02
"""The MAD is taken to be at least this share of the median: months that happen to be equal make none unusual."""
FLOOR_OF_SHARES = 0.001
"""And for shares and rates at least this."""
MAX_CHANGE = 0.5
"""How far a number may be from that of the same month last year, as a share of the larger of both."""


@dataclass(frozen=True)
class Verdict:
    """``usual``, the z-score (None without enough history), the number a year ago (None if unknown), and why."""

    usual: bool
    z: float | None
    last_year: float | None
    text: str


def judge(value: float, month: str, published: Mapping[str, float], is_share: bool) -> Verdict:
    """Compare ``value`` of ``month`` with the same measure of ``published`` months (month to value)."""
    near = _nearest(month, published)
    z = _robust_z(value, [published[other] for other in near], is_share) if len(near) >= MIN_NEIGHBOURS else None
    last_year = published.get(year_before(month))
    faults = []
    if z is not None and abs(z) > MAX_Z:
        faults.append(f"z = {z:.1f} against {len(near)} months")
    if last_year is not None and _is_far(value, last_year, is_share):
        faults.append(f"{last_year:.6g} a year ago")
    known = f"z = {z:.1f}" if z is not None else f"{len(near)} months of history are too few"
    return Verdict(not faults, z, last_year, "; ".join(faults) or known)


def _nearest(month: str, published: Mapping[str, float]) -> list[str]:
    apart = {other: abs(number_of(other) - number_of(month)) for other in published if other != month}
    near = sorted(
        (other for other in apart if apart[other] <= FARTHEST_MONTHS), key=lambda other: (apart[other], other)
    )
    return near[:NEIGHBOURS]


def _robust_z(value: float, others: list[float], is_share: bool) -> float:
    middle = median(others)
    floor = max(FLOOR_OF_SPREAD * abs(middle), FLOOR_OF_SHARES if is_share else 1e-9)
    spread = max(median(abs(other - middle) for other in others), floor)
    return 0.6745 * (value - middle) / spread


def _is_far(value: float, last_year: float, is_share: bool) -> bool:
    change = abs(value - last_year)
    return change > MAX_CHANGE * max(abs(value), abs(last_year)) and not (is_share and change <= 10 * FLOOR_OF_SHARES)
