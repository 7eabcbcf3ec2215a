"""Audits of a staged month, before it is published.

They count the files themselves, source and result, with another engine than the one that wrote them, so that
a job cannot vouch for itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from glue_jobs.contracts import QUARANTINE, TRIPS, tlc
from glue_jobs.contracts.model import Type
from glue_jobs.files import parquet_rows, parquet_schema
from glue_jobs.transforms.normalise import layout_of
from taxi_assets.asset_checks.audit import Audit, Outcome, conforms, expect, first_row, has_rows, scan
from taxi_assets.asset_keys import QUARANTINE_KEY, STAGING_TRIPS
from taxi_assets.lake.reading import parquet_scan

MAX_QUARANTINED_SHARE = 0.1
"""Real months quarantine under 0.1 % (21 rows of 1,030,141 in February 2024): a tenth is another kind of file."""


@dataclass(frozen=True)
class StagedMonth:
    """A month as ``stage_trips`` wrote it. ``facts`` is the job's report, ``source`` the raw file's path."""

    month: str
    source: str
    trips: str
    quarantine: str
    facts: dict[str, Any]


def _every_row_is_accounted_for(staged: StagedMonth) -> Outcome:
    source = first_row(f"SELECT count(*) AS n FROM {parquet_scan([staged.source])}")["n"]
    published, quarantined = parquet_rows(staged.trips), parquet_rows(staged.quarantine)
    reported = (staged.facts["source_rows"], staged.facts["published_rows"], staged.facts["quarantined_rows"])
    return Outcome(
        source == published + quarantined and reported == (source, published, quarantined),
        {
            "expected": f"{source} source rows",
            "actual": f"{published} published + {quarantined} quarantined",
            "job_reported": str(reported),
            "quarantine_reasons": staged.facts["quarantine_reasons"],
        },
    )


def _money_adds_up(staged: StagedMonth) -> Outcome:
    """Each money column, to the cent. NaN and amounts beyond 10^15 are left out on both sides."""
    physical = layout_of(parquet_schema(staged.source), staged.source).read
    in_source = {c: f'"{physical[c][0]}"' for c in tlc.MONEY_COLUMNS if c in physical}
    source = _cents(parquet_scan([staged.source]), in_source)
    trips = _cents(scan(TRIPS, staged.trips), {c: c for c in source})
    quarantine = _cents(scan(QUARANTINE, staged.quarantine), {c: c for c in source})
    table: list[dict[str, Any]] = [
        {"column": c, "source": source[c], "published": trips[c], "quarantined": quarantine[c]} for c in source
    ]
    unbalanced = [row for row in table if row["source"] != row["published"] + row["quarantined"]]
    return Outcome(not unbalanced, {"expected": "source = published + quarantined, in cents", "cents": table})


def _cents(rows: str, columns: dict[str, str]) -> dict[str, int]:
    """Sum in cents of each column, exact: every value is rounded to the cent (half away from zero) first."""
    sums = ", ".join(
        f"sum(CASE WHEN abs({c}) < 1e15 THEN (sign({c}) * floor(abs({c}) * 100 + 0.5))::HUGEINT END) AS {name}"
        for name, c in ((name, f"({c})::DOUBLE") for name, c in columns.items())
    )
    return {name: int(str(value or 0)) for name, value in first_row(f"SELECT {sums} FROM {rows}").items()}


def _report_matches_files(staged: StagedMonth) -> Outcome:
    money = TRIPS.of_type(Type.MONEY)
    sums = first_row(
        f"SELECT {', '.join(f'coalesce(sum({c}), 0) AS {c}' for c in money)} FROM {scan(TRIPS, staged.trips)}"
    )
    return expect({c: f"{v:.2f}" for c, v in sums.items()}, staged.facts["money"])


def _quarantine_is_small(staged: StagedMonth) -> Outcome:
    quarantined, rows = parquet_rows(staged.quarantine), parquet_rows(staged.trips) + parquet_rows(staged.quarantine)
    share = quarantined / rows if rows else 0.0
    return Outcome(
        share <= MAX_QUARANTINED_SHARE,
        {"expected": f"at most {MAX_QUARANTINED_SHARE:.0%}", "actual": f"{share:.4%} ({quarantined} of {rows} rows)"},
    )


def _trips_conform(staged: StagedMonth) -> Outcome:
    return conforms(TRIPS, staged.trips, staged.month)


def _quarantine_conforms(staged: StagedMonth) -> Outcome:
    return conforms(QUARANTINE, staged.quarantine, staged.month)


def _trips_lie_in_the_month(staged: StagedMonth) -> Outcome:
    bad = first_row(
        f"SELECT count(*) AS n, min(pickup_at) AS first, max(pickup_at) AS last FROM {scan(TRIPS, staged.trips)} "
        f"WHERE strftime(pickup_at, '%Y-%m') <> '{staged.month}' OR pickup_date <> pickup_at::DATE"
    )
    return Outcome(bad["n"] == 0, {"expected": f"pick-ups in {staged.month}", "others": str(bad)})


AUDITS: list[Audit[StagedMonth]] = [
    Audit(
        STAGING_TRIPS,
        "every_row_is_accounted_for",
        "Source rows = published rows + quarantined rows, counted in the files",
        _every_row_is_accounted_for,
    ),
    Audit(
        STAGING_TRIPS,
        "money_adds_up_to_the_cent",
        "For each money column: source = published + quarantined, summed from the files",
        _money_adds_up,
    ),
    Audit(
        STAGING_TRIPS,
        "report_matches_files",
        "The job's money sums are those of the files that it wrote",
        _report_matches_files,
    ),
    Audit(STAGING_TRIPS, "has_rows", "The month is not empty", lambda staged: has_rows(staged.trips)),
    Audit(STAGING_TRIPS, "conforms_to_contract", "Columns, types, nulls and month as contracted", _trips_conform),
    Audit(STAGING_TRIPS, "trips_lie_in_the_month", "Every pick-up lies in the month", _trips_lie_in_the_month),
    Audit(
        QUARANTINE_KEY,
        "is_small",
        f"The quarantine has at most {MAX_QUARANTINED_SHARE:.0%} of the month's rows",
        _quarantine_is_small,
    ),
    Audit(
        QUARANTINE_KEY, "conforms_to_contract", "Columns, types, nulls and month as contracted", _quarantine_conforms
    ),
]
