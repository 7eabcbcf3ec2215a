"""Audits of the curated tables of a month, before they are published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from glue_jobs.contracts import CURATED_TABLES, TRIPS, Table
from taxi_assets.asset_checks.audit import Audit, Outcome, conforms, expect, first_row, has_rows, scan
from taxi_assets.asset_keys import asset_key


@dataclass(frozen=True)
class CuratedMonth:
    """The tables of a month as ``build_curated`` wrote them: table name to folder, and the staging they came from."""

    month: str
    staging: str
    tables: Mapping[str, str]


def _agrees_with_staging(table: Table, built: CuratedMonth) -> Outcome:
    totals = (
        "sum(trips)::BIGINT AS trips, sum(refunds)::BIGINT AS refunds, sum(net_revenue)::DECIMAL(18, 2) AS net_revenue"
    )
    expected = first_row(
        "SELECT count(*) FILTER (NOT is_refund) AS trips, count(*) FILTER (is_refund) AS refunds, "
        f"sum(total_amount)::DECIMAL(18, 2) AS net_revenue FROM {scan(TRIPS, built.staging)}"
    )
    return expect(first_row(f"SELECT {totals} FROM {scan(table, built.tables[table.name])}"), expected)


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
            "Trips, refunds and net revenue add up to those of staging, exactly",
            lambda built: _agrees_with_staging(table, built),
        ),
    ]


AUDITS: list[Audit[CuratedMonth]] = [audit for table in CURATED_TABLES.values() for audit in _audits_of(table)]
