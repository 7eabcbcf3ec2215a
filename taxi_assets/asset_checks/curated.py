"""Audits of the curated tables of a month, before they are published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from glue_jobs.contracts import CURATED_TABLES, TRIPS, Table
from taxi_assets.asset_checks.audit import Audit, Outcome, conforms, first_row, has_rows, look_at, scan
from taxi_assets.asset_keys import asset_key

_MONEY = ("gross_revenue", "refunded", "net_revenue")
_VOLUME = ("trips", "refunds", *_MONEY)


@dataclass(frozen=True)
class CuratedMonth:
    """The tables of a month as ``build_curated`` wrote them: table name to folder, and the staging they came from.

    ``live`` has the folders of published tables that came from the same version of staging and are not built anew.
    """

    month: str
    staging: str
    tables: Mapping[str, str]
    live: Mapping[str, str] = field(default_factory=dict)


def _agrees_with_staging(table: Table, built: CuratedMonth) -> Outcome:
    """For each value of those columns of the grain that staging has too: each day, hour, vendor, pair of zones …"""
    keys = ", ".join(name for name in table.grain if name in TRIPS.column_names)
    folder = built.tables[table.name]
    of_table = (
        f"SELECT {keys}, sum(trips)::BIGINT AS trips, sum(refunds)::BIGINT AS refunds, "
        f"{', '.join(f'sum({name})::DECIMAL(18, 2) AS {name}' for name in _MONEY)} "
        f"FROM {scan(table, folder)} GROUP BY ALL"
    )
    of_staging = (
        f"SELECT {keys}, count(*) FILTER (NOT is_refund) AS trips, count(*) FILTER (is_refund) AS refunds, "
        "coalesce(sum(total_amount) FILTER (NOT is_refund), 0)::DECIMAL(18, 2) AS gross_revenue, "
        "coalesce(sum(total_amount) FILTER (is_refund), 0)::DECIMAL(18, 2) AS refunded, "
        f"sum(total_amount)::DECIMAL(18, 2) AS net_revenue FROM {scan(TRIPS, built.staging)} GROUP BY ALL"
    )
    apart = first_row(
        f"SELECT (SELECT count(*) FROM ({of_table} EXCEPT ALL {of_staging})) AS only_here, "
        f"(SELECT count(*) FROM ({of_staging} EXCEPT ALL {of_table})) AS only_in_staging, "
        f"(SELECT count(*) FROM ({of_staging})) AS groups"
    )
    agrees = apart["only_here"] == apart["only_in_staging"] == 0
    return Outcome(
        agrees,
        f"{', '.join(_VOLUME)} of staging for each {keys}",
        f"equal for {apart['groups']}" if agrees else str(apart),
        look_at(folder, f"SELECT {keys}, sum(trips), sum(net_revenue)", more="GROUP BY ALL ORDER BY ALL"),
    )


def _agrees_with_the_others(table: Table, built: CuratedMonth) -> Outcome:
    folders = {**built.live, **built.tables}
    totals = {name: _totals(CURATED_TABLES[name], folder) for name, folder in folders.items()}
    own = totals[table.name]
    apart = {name: other for name, other in totals.items() if other != own}
    return Outcome(
        2 * len(apart) < len(totals),  # of five tables one differs: it is the one that fails
        f"{', '.join(_VOLUME)} of the month as in the other tables of the same staging: {own}",
        f"different: {apart}" if apart else f"equal in {', '.join(totals)}",
        look_at(built.tables[table.name], f"SELECT {', '.join(f'sum({name}) AS {name}' for name in _VOLUME)}"),
    )


def _totals(table: Table, folder: str) -> dict[str, str]:
    sums = ", ".join(f"sum({name})::VARCHAR AS {name}" for name in _VOLUME)
    return first_row(f"SELECT {sums} FROM {scan(table, folder)}")


def _audits_of(table: Table) -> list[Audit[CuratedMonth]]:
    key = asset_key(table)
    return [
        Audit(key, "has_rows", "The month is not empty", lambda built: has_rows(built.tables[table.name])),
        Audit(
            key,
            "conforms_to_contract",
            f"Columns, types, nulls and month as contracted; unique by {', '.join(table.grain)}",
            lambda built: conforms(table, built.tables[table.name], built.month),
        ),
        Audit(
            key,
            "agrees_with_staging",
            "Trips, refunds and revenue add up to those of staging, exactly, group by group",
            lambda built: _agrees_with_staging(table, built),
        ),
        Audit(
            key,
            "agrees_with_the_other_tables",
            "Trips, refunds and revenue of the month are those of the other tables of the same staging",
            lambda built: _agrees_with_the_others(table, built),
        ),
    ]


AUDITS: list[Audit[CuratedMonth]] = [audit for table in CURATED_TABLES.values() for audit in _audits_of(table)]
