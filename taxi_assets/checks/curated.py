"""Checks of the curated tables of a month, before they are published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from glue_jobs.contracts import CURATED_TABLES, TRIPS, Table, tlc
from glue_jobs.contracts.rules import Severity, Tier, rules_of
from taxi_assets.asset_keys import asset_key
from taxi_assets.checks.check import Check, Outcome, conforms, has_rows
from taxi_assets.checks.session import Session, rows_where

_VOLUME = ("trips", "refunds", "gross_revenue", "refunded", "net_revenue")
_OF_CARDS = f"NOT is_refund AND payment_type = {tlc.CARD}"


def _sum(column: str, condition: str = "") -> str:
    return f"coalesce(sum({f'CASE WHEN {condition} THEN {column} END' if condition else column}), 0)"


def _fee(column: str) -> str:
    """Null if no row states the fee, or none of them was picked up since it began."""
    began = tlc.FEE_BEGAN.get(column)
    return f"sum(CASE WHEN pickup_date >= DATE '{began}' THEN {column} END)" if began else f"sum({column})"


def _at(zone: int) -> str:
    return f"NOT is_refund AND {zone} IN (pickup_location_id, dropoff_location_id)"


_PAID_OTHERWISE = f"NOT is_refund AND (payment_type IS NULL OR payment_type NOT IN {(tlc.CARD, tlc.CASH, tlc.FLEX)})"
_WARNINGS = [rule.rule_id for rule in rules_of(Tier.FLAG) if rule.severity is Severity.WARNING]
_WARNED_OF = f"NOT is_refund AND list_has_any(string_split(quality_flags, ','), {_WARNINGS})"

ADDITIVE = {
    "trips": rows_where("NOT is_refund"),
    "refunds": rows_where("is_refund"),
    "gross_revenue": _sum("total_amount", "NOT is_refund"),
    "refunded": _sum("total_amount", "is_refund"),
    "net_revenue": _sum("total_amount"),
    "passengers": _sum("passenger_count", "NOT is_refund"),
    "card_trips": rows_where(_OF_CARDS),
    "cash_trips": rows_where(f"NOT is_refund AND payment_type = {tlc.CASH}"),
    "flex_trips": rows_where(f"NOT is_refund AND payment_type = {tlc.FLEX}"),
    "card_tips": _sum("tip_amount", _OF_CARDS),
    "airport_trips": rows_where("NOT is_refund AND is_airport_trip"),
    "jfk_trips": rows_where(_at(tlc.JFK)),
    "laguardia_trips": rows_where(_at(tlc.LAGUARDIA)),
    "newark_trips": rows_where(_at(tlc.NEWARK)),
    "other_trips": rows_where(_PAID_OTHERWISE),
    "card_fares": _sum("fare_amount", _OF_CARDS),
    "fares": _sum("fare_amount"),
    "extras": _sum("extra"),
    "mta_taxes": _sum("mta_tax"),
    "tolls": _sum("tolls_amount"),
    "tips": _sum("tip_amount"),
    "improvement_surcharges": _fee("improvement_surcharge"),
    "congestion_surcharges": _fee("congestion_surcharge"),
    "cbd_congestion_fees": _fee("cbd_congestion_fee"),
    "airport_fees": _fee("airport_fee"),
    "uncollected_revenue": _sum("total_amount", f"NOT is_refund AND payment_type IN {tlc.UNCOLLECTED}"),
    "flagged_trips": rows_where("NOT is_refund AND quality_flags <> ''"),
    "warning_trips": rows_where(_WARNED_OF),
    "info_trips": rows_where(f"NOT is_refund AND quality_flags <> '' AND NOT ({_WARNED_OF})"),
    "refunded_trips": rows_where("is_refunded"),
    "unlinked_refunds": rows_where("list_contains(string_split(quality_flags, ','), 'unlinked_refund')"),
}
"""Every count and sum of money in a curated table, as DuckDB SQL over ``staging.trips``."""


@dataclass(frozen=True)
class CuratedMonth:
    """The tables of a month as ``build_curated`` wrote them: table name to folder, and the staging they came from.

    ``live`` has the folders of published tables that came from the same version of staging and are not built again.
    """

    month: str
    staging: str
    tables: Mapping[str, str]
    live: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def session(self) -> Session:
        """Views ``staging``, and each table under its name."""
        tables = {name: (CURATED_TABLES[name], folder) for name, folder in {**self.live, **self.tables}.items()}
        return Session({"staging": (TRIPS, self.staging), **tables})


def _agrees_with_staging(table: Table, built: CuratedMonth) -> Outcome:
    """For each value of those columns of the grain that staging has too: each day, hour, vendor, pair of zones …"""
    keys = ", ".join(name for name in table.grain if name in TRIPS.column_names)
    measures = [name for name in table.column_names if name in ADDITIVE]
    of_table = ", ".join(f"sum({name})::DECIMAL(18, 2) AS {name}" for name in measures)
    of_staging = ", ".join(f"{ADDITIVE[name]}::DECIMAL(18, 2) AS {name}" for name in measures)
    here = f"SELECT {keys}, {of_table} FROM {table.name} GROUP BY ALL"
    there = f"SELECT {keys}, {of_staging} FROM staging GROUP BY ALL"
    # Both sides have each group once, so that what only the table has follows from what only staging has.
    apart = built.session.first_row(
        f"WITH here AS MATERIALIZED ({here}), there AS MATERIALIZED ({there}), counted AS (SELECT "
        "(SELECT count(*) FROM here) AS in_table, (SELECT count(*) FROM there) AS groups, "
        "(SELECT count(*) FROM (FROM there EXCEPT FROM here)) AS only_in_staging) "
        "SELECT in_table - (groups - only_in_staging) AS only_here, only_in_staging, groups FROM counted"
    )
    agrees = apart["only_here"] == apart["only_in_staging"] == 0
    return Outcome(
        agrees,
        f"{', '.join(measures)} of staging for each {keys}",
        f"equal for {apart['groups']}" if agrees else str(apart),
        f"SELECT {keys}, {of_table} FROM {built.session.for_a_person(table.name)} GROUP BY ALL EXCEPT ALL "
        f"SELECT {keys}, {of_staging} FROM {built.session.for_a_person('staging')} GROUP BY ALL",
    )


def _agrees_with_the_others(table: Table, built: CuratedMonth) -> Outcome:
    sums = ", ".join(f"sum({name})::VARCHAR AS {name}" for name in _VOLUME)
    totals = {name: built.session.first_row(f"SELECT {sums} FROM {name}") for name in {**built.live, **built.tables}}
    own = totals[table.name]
    apart = {name: other for name, other in totals.items() if other != own}
    return Outcome(
        2 * len(apart) < len(totals),  # of five tables one differs: it is the one that fails
        f"{', '.join(_VOLUME)} of the month as in the other tables of the same staging: {own}",
        f"different: {apart}" if apart else f"equal in {', '.join(totals)}",
        built.session.look_at(table.name, f"SELECT {', '.join(f'sum({name}) AS {name}' for name in _VOLUME)}"),
    )


def _checks_of(table: Table) -> list[Check[CuratedMonth]]:
    key = asset_key(table)
    return [
        Check(key, "has_rows", "The month is not empty", lambda built: has_rows(built.session, table.name)),
        Check(
            key,
            "conforms_to_contract",
            f"Columns, types, nulls and month as contracted; unique by {', '.join(table.grain)}",
            lambda built: conforms(built.session, table.name, table, built.month),
        ),
        Check(
            key,
            "agrees_with_staging",
            "Every count and every sum of money is that of staging, exactly, group by group",
            lambda built: _agrees_with_staging(table, built),
        ),
        Check(
            key,
            "agrees_with_the_other_tables",
            "Trips, refunds and revenue of the month are those of the other tables of the same staging",
            lambda built: _agrees_with_the_others(table, built),
        ),
    ]


CHECKS: list[Check[CuratedMonth]] = [check for table in CURATED_TABLES.values() for check in _checks_of(table)]
