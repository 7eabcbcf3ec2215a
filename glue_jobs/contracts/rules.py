"""The registry of rules that judge a trip: one entry a rule, read by the job, the checks and the dictionary.

Belongs here: id, tier, reason and predicate of each rule. Does not: how a predicate is evaluated
(``transforms.judge``) and no threshold of a check over many rows (``taxi_assets.checks``).

A predicate is Spark SQL over the normalised source columns (``tlc.TRIP_COLUMNS``) and ``HELPERS``. ``{month_start}``
and ``{next_month}`` stand for the bounds of the file's month. A predicate that is null counts as false.

The predicate of a LINK rule reads the columns of ``staging.trips`` and ``has_counterpart``, because whether a refund
has a trip is a matter of the whole month.

How totals add up (``total_does_not_add_up``) was learnt from the file of February 2024, 1,030,141 trips: vendor 1
(CMT) counts the fees in ``extra`` as well, so that it owes nothing (all of 240,832 metered trips); vendor 2 (Curb) owes
the fees (745,709 of 746,886); Flex Fare owes nothing or a congestion surcharge of 2.50 whose column is null (42,201 of
42,423). Vendors 6 and 7 are not in that file: they may do either. In 2025-02 the fare of 181 of 985 Flex Fare trips is
minus all else that the total holds (-4.75 where that is 0.50, 1.00, 0.75 and the 2.50), and the total positive.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import Enum

from glue_jobs.contracts import tlc

RULES_VERSION = 4
"""Raised whenever a rule is added or changed: it is written into every snapshot that the rules produced."""

MAX_AMOUNT = 10_000
"""Dollars. The taximeter's largest honest fares are a few hundred; DECIMAL(10,2) holds 99,999,999.99."""
MAX_MILES = 1_000
"""Miles. A day (the longest trip accepted) at 42 mph; odometer faults are in the hundred thousands."""
MAX_PLAUSIBLE_HOURS = 6
"""Hours. Longer trips cover less ground: meters that were left on (the figures are in docs/decisions.md)."""
MAX_CODE = 999
"""Largest value that a code or a passenger count may have: TLC codes have one or two digits."""

PAIRING = """\
A refund reverses a trip of the same month with the same `trip_key` (vendor, both times, distance) and the opposite
fare, to the cent. Zones, payment type and the rest of the total may differ. Refunds and trips pair one to one: a second
refund of a trip is unlinked. Where several have the same `trip_key` and fare, those with opposite totals pair first, by
`row_hash`; then the others in the order of their totals without sign, the smallest first, then of `row_hash`, until
either side is used up. A refund of a part (its total is smaller than the trip's, mostly by a tip of its own) makes its
trip `is_refunded` like one of the whole; what was given back is the refund's `total_amount`, and `net_revenue` is the
sum of all totals, however they pair. A total below zero with an improvement surcharge above zero is a charge, not a
refund."""
"""How refunds are linked to trips (``transforms.link``), in the words of the data dictionary."""


HELPERS = {
    "wall_seconds": "Drop-off minus pick-up on the wall clock, in whole seconds",
    "duration_seconds": "`wall_seconds`, put right by an hour where the clock was changed in between",
    "in_fall_back_hour": "Whether the pick-up is between 01:00 and 02:00 on the first Sunday of November, an hour that "
    "happens twice",
    "is_repeated": "Whether a row that is identical in every column came before",
    "fare_cents": "`fare_amount` rounded to the cent",
    "part_cents": f"{', '.join(tlc.PARTS_OF_TOTAL)}, each rounded to the cent, added up; null counts as 0",
    "fee_cents": f"{', '.join(tlc.FEES)}, each rounded to the cent, added up; null counts as 0",
    "owing_cents": "`total_amount` rounded to the cent, less `part_cents`",
    "is_refund": "Whether `total_amount`, rounded to the cent, is below zero, and `improvement_surcharge` not above it",
    "has_counterpart": "Whether the row is paired: a refund with the trip that it reverses, a trip with its refund",
}
"""What predicates speak of beside columns (``transforms.judge``, ``transforms.link``). Cents are rounded half away from
zero."""


class Tier(str, Enum):
    """What becomes of a row that a rule applies to."""

    QUARANTINE = "quarantine"
    FLAG = "flag"
    LINK = "link"


class Severity(str, Enum):
    """How much a row that a rule applies to can be relied on."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True)
class Rule:
    """One rule: a row for which ``predicate`` holds gets ``rule_id`` among its reasons or flags.

    Severity: ``error`` is an unusable row, ``warning`` a trip with a value not to be relied on, ``info`` a trip that
    lacks a detail. ``since_version`` is the ``RULES_VERSION`` that the rule, as it reads, came with.
    """

    rule_id: str
    tier: Tier
    severity: Severity
    reason: str
    predicate: str
    since_version: int = 1


def _quarantine(rule_id: str, reason: str, predicate: str, since_version: int = 1) -> Rule:
    return Rule(rule_id, Tier.QUARANTINE, Severity.ERROR, reason, predicate, since_version)


def _warning(rule_id: str, reason: str, predicate: str, since_version: int = 1) -> Rule:
    return Rule(rule_id, Tier.FLAG, Severity.WARNING, reason, predicate, since_version)


def _info(rule_id: str, reason: str, predicate: str, since_version: int = 1) -> Rule:
    return Rule(rule_id, Tier.FLAG, Severity.INFO, reason, predicate, since_version)


def _any(template: str, columns: tuple[str, ...]) -> str:
    return " OR ".join(template.format(column) for column in columns)


_AMOUNT = "isnan({0}) OR abs({0}) > " + str(MAX_AMOUNT)
_CODE = "{0} < 0 OR {0} > " + str(MAX_CODE)
_CODE_AS_DOUBLE = "isnan({0}) OR {0} <> floor({0}) OR " + _CODE
_UNSTATED_FARE = f"""payment_type = {tlc.FLEX} AND fare_cents < 0 AND NOT is_refund
  AND part_cents + fee_cents IN (0, -250)"""
_UNEXPLAINED = f"""CASE
  WHEN {_UNSTATED_FARE} THEN false
  WHEN payment_type = {tlc.FLEX} THEN owing_cents NOT IN (0, 250, -250, fee_cents, fee_cents + 250, fee_cents - 250)
  WHEN vendorid = {tlc.CMT} THEN owing_cents <> 0
  WHEN vendorid = {tlc.CURB} THEN owing_cents <> fee_cents
  ELSE owing_cents NOT IN (0, fee_cents) END"""
_ZONE = "{0} IS NULL OR {0} < 1 OR {0} > " + str(tlc.ZONE_COUNT)

RULES: tuple[Rule, ...] = (
    _quarantine("missing_pickup_time", "No pick-up time", "tpep_pickup_datetime IS NULL"),
    _quarantine("missing_dropoff_time", "No drop-off time", "tpep_dropoff_datetime IS NULL"),
    _quarantine(
        "pickup_outside_month",
        "Pick-up outside the month of the file",
        "tpep_pickup_datetime < {month_start} OR tpep_pickup_datetime >= {next_month}",
    ),
    _quarantine(
        "dropoff_before_pickup",
        "Drop-off before pick-up (unless the clock was put back in between)",
        "wall_seconds < 0 AND NOT (in_fall_back_hour AND wall_seconds >= -3600)",
    ),
    _quarantine("longer_than_24_hours", "Longer than 24 hours", "wall_seconds > 86400"),
    _quarantine(
        "zone_out_of_range",
        f"Pick-up or drop-off zone missing or outside 1-{tlc.ZONE_COUNT}",
        _any(_ZONE, ("pulocationid", "dolocationid")),
    ),
    _quarantine(
        "impossible_distance",
        f"Distance missing, negative or above {MAX_MILES:,} miles",
        f"trip_distance IS NULL OR isnan(trip_distance) OR trip_distance < 0 OR trip_distance > {MAX_MILES}",
    ),
    _quarantine(
        "impossible_amount",
        f"Fare or total missing, or an amount above {MAX_AMOUNT:,} dollars either way",
        "fare_amount IS NULL OR total_amount IS NULL OR " + _any(_AMOUNT, tlc.MONEY_COLUMNS),
    ),
    _quarantine(
        "impossible_code",
        f"Vendor, rate code, payment type or passenger count is not a whole number from 0 to {MAX_CODE}",
        _any(_CODE, ("vendorid", "payment_type")) + " OR " + _any(_CODE_AS_DOUBLE, ("ratecodeid", "passenger_count")),
    ),
    _quarantine("exact_duplicate", "Identical in every column to a row that is kept", "is_repeated"),
    _warning("zero_distance", "The meter recorded no distance", "trip_distance = 0"),
    _warning("zero_duration", "Pick-up and drop-off at the same second", "duration_seconds = 0"),
    _warning("implausible_distance", "More than 100 miles", "trip_distance > 100"),
    _warning(
        "implausible_duration",
        f"More than {MAX_PLAUSIBLE_HOURS} hours",
        f"duration_seconds > {MAX_PLAUSIBLE_HOURS * 3600}",
        since_version=4,
    ),
    _warning(
        "implausible_speed",
        "More than 80 mph over the whole trip",
        "trip_distance > 0 AND duration_seconds > 0 AND trip_distance * 3600 > 80 * duration_seconds",
    ),
    _warning(
        "implausible_fare_rate",
        "More than 50 dollars a mile on a trip of at least one mile",
        "trip_distance >= 1 AND abs(fare_cents) > 5000 * trip_distance",
        since_version=4,
    ),
    _info("zero_passengers", "The driver entered no passenger", "passenger_count = 0"),
    _info("unknown_rate_code", "Rate code 99", "ratecodeid = 99"),
    _warning(
        "unknown_code",
        "Vendor, rate code or payment type missing from the TLC's lists",
        f"vendorid IS NULL OR vendorid NOT IN ({', '.join(map(str, tlc.VENDORS))})"
        f" OR ratecodeid NOT IN ({', '.join(map(str, tlc.RATE_CODES))})"
        f" OR payment_type IS NULL OR payment_type NOT IN ({', '.join(map(str, tlc.PAYMENT_METHODS))})",
    ),
    _info(
        "missing_dispatch_fields",
        "Passenger count, rate code and store-and-forward flag are missing, as on every Flex Fare trip",
        "passenger_count IS NULL OR ratecodeid IS NULL OR store_and_fwd_flag IS NULL",
    ),
    _info(
        "unknown_zone",
        "Picked up or dropped off in zone 264 (unknown) or 265 (outside of the city)",
        "pulocationid >= 264 OR dolocationid >= 264",
    ),
    _info(
        "ambiguous_clock_hour",
        "Picked up in the hour that the end of daylight saving time repeats",
        "in_fall_back_hour",
    ),
    _warning(
        "total_does_not_add_up",
        "The components do not add up to the total in the way in which the vendor's do",
        _UNEXPLAINED,
        since_version=4,
    ),
    _warning(
        "negative_fare",
        "A fare below zero in a row that is no refund",
        f"fare_cents < 0 AND NOT is_refund AND NOT coalesce({_UNSTATED_FARE}, false)",
        since_version=4,
    ),
    _info(
        "fare_not_stated",
        "The fare of a Flex Fare trip is minus its surcharges, as if it had been free; the total holds",
        _UNSTATED_FARE,
        since_version=4,
    ),
    Rule(
        "unlinked_refund",
        Tier.LINK,
        Severity.WARNING,
        "A refund that reverses no trip of the month",
        "is_refund AND NOT has_counterpart",
        since_version=3,
    ),
)


def fingerprint(tier: Tier) -> str:
    """Sixteen hexadecimal digits that change when a rule of the tier is added, removed or changed."""
    judged = [(rule.rule_id, rule.predicate) for rule in rules_of(tier)]
    return hashlib.sha256(repr(judged).encode()).hexdigest()[:16]


def rules_of(tier: Tier) -> tuple[Rule, ...]:
    """The rules of one tier, in the order in which their ids are listed on a row."""
    return tuple(rule for rule in RULES if rule.tier is tier)
