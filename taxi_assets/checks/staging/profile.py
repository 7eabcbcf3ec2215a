"""The numbers that a staged month is compared by with other months.

Belongs here: measures as SQL, and which check shows which. Does not: when a number is unusual (``anomalies``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from glue_jobs.contracts import tlc
from glue_jobs.contracts.rules import RULES, Tier
from taxi_assets.checks.session import Session, rows_where

_NULLABLE = (
    "passenger_count",
    "rate_code_id",
    "store_and_fwd_flag",
    "payment_type",
    "improvement_surcharge",
    "congestion_surcharge",
    "airport_fee",
    "cbd_congestion_fee",
)
_KEPT = "NOT is_refund"
_BY_CARD = f"NOT is_refund AND payment_type = {tlc.CARD}"


@dataclass(frozen=True)
class Measure:
    """One number of a month: SQL over ``trips`` (an aggregate), and whether it is a share from 0 to 1."""

    name: str
    sql: str
    is_share: bool = False


def has_id(column: str, rule_id: str) -> str:
    """SQL: whether the comma-joined ids of ``column`` include ``rule_id``."""
    return f"list_contains(string_split({column}, ','), '{rule_id}')"


def _share_of(name: str, condition: str) -> Measure:
    return Measure(name, f"{rows_where(condition)} / nullif(count(*), 0)", is_share=True)


MEASURES: Mapping[str, tuple[Measure, ...]] = {
    "volume_is_usual": (
        Measure("trips_per_day", f"{rows_where(_KEPT)} / any_value(days)"),
        Measure("days_with_trips", "count(DISTINCT pickup_date)"),
        Measure("pickup_zones", "count(DISTINCT pickup_location_id)"),
        Measure("dropoff_zones", "count(DISTINCT dropoff_location_id)"),
    ),
    "revenue_is_usual": (
        Measure("net_revenue_per_day", "sum(total_amount) / any_value(days)"),
        Measure("refunded_share", f"-sum(total_amount) FILTER (is_refund) / sum(total_amount) FILTER ({_KEPT})", True),
    ),
    "averages_are_usual": (
        Measure("average_total", f"avg(total_amount) FILTER ({_KEPT})"),
        Measure("average_fare", f"avg(fare_amount) FILTER ({_KEPT})"),
        Measure("median_distance", f"median(trip_distance) FILTER ({_KEPT})"),
        Measure("median_duration", f"median(trip_duration_minutes) FILTER ({_KEPT})"),
        Measure("median_speed", f"median(average_speed_mph) FILTER ({_KEPT})"),
        Measure("card_tip_rate", f"sum(tip_amount) FILTER ({_BY_CARD}) / sum(fare_amount) FILTER ({_BY_CARD})"),
    ),
    "null_rates_are_usual": tuple(_share_of(f"null_{column}", f"{column} IS NULL") for column in _NULLABLE),
    "flag_rates_are_usual": tuple(
        _share_of(rule.rule_id, has_id("quality_flags", rule.rule_id))
        for rule in RULES
        if rule.tier is not Tier.QUARANTINE
    ),
}
"""Check to the measures of trips that it shows."""

REJECT_RATES = (
    Measure("quarantined_share", "", is_share=True),
    *(Measure(rule.rule_id, "", is_share=True) for rule in RULES if rule.tier is Tier.QUARANTINE),
)
"""Shares of the month's rows, published and quarantined, that went to quarantine, in all and by reason."""


def profile_of(session: Session, days: int) -> dict[str, float]:
    """Every measure of the views ``trips`` and ``quarantine``; those that have no value are left out.

    ``days`` is the number of days of the month. The measures of each check are a statement of their own: all in one
    take twice as long, for the sake of the medians and of what is counted distinct.
    """
    numbers: dict[str, float | None] = {}
    for measures in MEASURES.values():
        columns = ", ".join(f"({measure.sql})::DOUBLE AS {measure.name}" for measure in measures)
        numbers |= session.first_row(f"SELECT {columns} FROM (SELECT *, {days} AS days FROM trips)")
    reasons = [measure.name for measure in REJECT_RATES[1:]]
    counts = ", ".join(f"{rows_where(has_id('quarantine_reasons', name))} AS {name}" for name in reasons)
    rejected = session.first_row(f"SELECT count(*) AS quarantined_share, {counts} FROM quarantine")
    rows = session.first_row("SELECT count(*) AS n FROM trips")["n"] + rejected["quarantined_share"]
    numbers |= {name: count / rows if rows else None for name, count in rejected.items()}
    return {name: float(value) for name, value in numbers.items() if value is not None and math.isfinite(value)}
