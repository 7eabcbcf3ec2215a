"""Checks of a staged month, before it is published.

They count the files themselves, source and result, with another engine than the one that wrote them, so that
a job cannot vouch for itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dagster as dg

from glue_jobs.contracts import QUARANTINE, TRIPS, tlc
from glue_jobs.contracts.staging import CARRIES
from taxi_assets.asset_keys import QUARANTINE_KEY, STAGING_TRIPS
from taxi_assets.checks.check import Check, Outcome, conforms, has_rows
from taxi_assets.checks.staging import anomalies
from taxi_assets.checks.staging.accounting import (
    every_row_is_accounted_for,
    money_adds_up,
    report_matches_files,
    rows_are_those_of_the_source,
)
from taxi_assets.checks.staging.completeness import every_day_has_trips, keeps_what_is_live
from taxi_assets.checks.staging.profile import MEASURES, REJECT_RATES, Measure, has_id
from taxi_assets.checks.staging.recomputing import (
    derived_columns_hold,
    keys_identify,
    links_are_mutual,
    reasons_are_registered,
    rules_hold,
    trips_lie_in_the_month,
)
from taxi_assets.checks.staging.subject import SAMPLE, StagedMonth

MAX_QUARANTINED_SHARE = 0.1
"""Real months quarantine under 0.1 % (21 rows of 1,030,141 in February 2024): a tenth is another kind of file."""
FEW_QUARANTINED = 20
"""As many are let pass in the smallest file."""
MAX_UNRECONCILED_SHARE = 0.01
"""Of the 1,030,120 trips of February 2024, 0.14 % have totals that their vendor's rule does not explain."""
MAX_DUPLICATES, MAX_DUPLICATES_PER_MILLION = 10, 100
"""Real months have under ten exact duplicates in three million rows."""
MIN_KNOWN_ZONES = 0.95
"""Share of trips with both ends in zones 1 to 263; 99.1 % in February 2024."""
_FLEX_NULLS = ("passenger_count", "ratecodeid", "store_and_fwd_flag", "congestion_surcharge", "airport_fee")


def _flex_fare_lacks_dispatch_fields(staged: StagedMonth) -> Outcome:
    began = {column.name for column in tlc.TRIP_COLUMNS if column.since <= staged.month}
    names = [name for name in _FLEX_NULLS if name in staged.layout.read and name in began]
    columns = [CARRIES.get(name, name) for name in names]
    any_null = " OR ".join(f"{c} IS NULL" for c in columns) or "false"
    all_null = " AND ".join(f"{c} IS NULL" for c in columns) or "false"
    is_flex = f"payment_type IS NOT DISTINCT FROM {tlc.FLEX}"
    broken = f"{is_flex} AND NOT ({all_null}) OR NOT ({is_flex}) AND ({any_null})"
    found = staged.session.first_row(
        f"SELECT count(*) FILTER ({broken}) AS n, count(*) FILTER ({is_flex}) AS flex FROM trips"
    )
    return Outcome(
        found["n"] == 0,
        f"exactly the Flex Fare trips lack {', '.join(columns)}",
        f"{found['n']} trips break it; {found['flex']} are Flex Fare",
        staged.session.look_at("trips", "SELECT *", broken, SAMPLE),
    )


def _totals_reconcile(staged: StagedMonth) -> Outcome:
    flagged = has_id("quality_flags", "total_does_not_add_up")
    by_vendor = staged.session.all_rows(
        f"SELECT vendor, payment_method = 'Flex Fare' AS flex, count(*) AS rows, count(*) FILTER ({flagged}) AS "
        f"unreconciled FROM trips GROUP BY ALL ORDER BY ALL"
    )
    rows, unreconciled = (sum(row[name] for row in by_vendor) for name in ("rows", "unreconciled"))
    share = unreconciled / rows if rows else 0.0
    return Outcome(
        share <= MAX_UNRECONCILED_SHARE,
        f"at most {MAX_UNRECONCILED_SHARE:.0%} of totals that the vendor's rule does not explain",
        f"{share:.3%} ({unreconciled} of {rows} rows)",
        staged.session.look_at("trips", "SELECT *", flagged, SAMPLE),
        details={"by_vendor": by_vendor},
    )


def _quarantine_is_small(staged: StagedMonth) -> Outcome:
    quarantined, rows = (
        staged.session.footer_rows("quarantine"),
        staged.session.footer_rows("trips") + staged.session.footer_rows("quarantine"),
    )
    share = quarantined / rows if rows else 0.0
    return Outcome(
        quarantined <= max(FEW_QUARANTINED, rows * MAX_QUARANTINED_SHARE),
        f"at most {MAX_QUARANTINED_SHARE:.0%} of the rows, or {FEW_QUARANTINED}",
        f"{share:.4%} ({quarantined} of {rows} rows)",
        staged.session.look_at("quarantine", "SELECT quarantine_reasons, count(*)", more="GROUP BY ALL"),
        measures={"quarantined_percent": 100 * share},
    )


def _duplicates_are_few(staged: StagedMonth) -> Outcome:
    rows = staged.session.footer_rows("trips") + staged.session.footer_rows("quarantine")
    duplicates = round(staged.profile.get("exact_duplicate", 0.0) * rows)
    return Outcome(
        duplicates <= max(MAX_DUPLICATES, rows * MAX_DUPLICATES_PER_MILLION / 1e6),
        f"at most {MAX_DUPLICATES} exact duplicates, or {MAX_DUPLICATES_PER_MILLION} in a million rows",
        f"{duplicates} of {rows} rows",
        staged.session.look_at(
            "quarantine", "SELECT *", "quarantine_reasons LIKE '%exact_duplicate%'", "ORDER BY row_hash"
        ),
    )


def _zones_are_known(staged: StagedMonth) -> Outcome:
    share = 1 - staged.profile.get("unknown_zone", 0.0)
    return Outcome(
        share >= MIN_KNOWN_ZONES,
        f"at least {MIN_KNOWN_ZONES:.0%} of trips with both ends in zones 1 to 263",
        f"{share:.2%}; pick-ups in {staged.profile.get('pickup_zones', 0):.0f} zones, "
        f"drop-offs in {staged.profile.get('dropoff_zones', 0):.0f}",
        staged.session.look_at(
            "trips",
            "SELECT pickup_location_id, dropoff_location_id, count(*)",
            "greatest(pickup_location_id, dropoff_location_id) >= 264",
            "GROUP BY ALL ORDER BY 3 DESC",
        ),
    )


def _is_usual(staged: StagedMonth, measures: Sequence[Measure], rows_to_look_at: str) -> Outcome:
    table, strange = [], []
    for measure in measures:
        if measure.name not in staged.profile:
            if known := len(staged.published.get(measure.name, {})):
                strange.append(f"{measure.name} has no value, as it has in {known} published months")
            continue
        value = staged.profile[measure.name]
        verdict = anomalies.judge(value, staged.month, staged.published.get(measure.name, {}), measure.is_share)
        table.append(
            {"measure": measure.name, "value": value, "z": verdict.z, "last_year": verdict.last_year}
            | {"verdict": "usual" if verdict.usual else f"unusual: {verdict.text}"}
        )
        if not verdict.usual:
            strange.append(f"{measure.name} {value:.6g} ({verdict.text})")
    return Outcome(
        not strange,
        f"a robust z-score of at most {anomalies.MAX_Z} against the published months, and at most "
        f"{anomalies.MAX_CHANGE:.0%} from the same month last year",
        "; ".join(strange) or f"{len(table)} measures, none unusual",
        rows_to_look_at,
        measures={measure.name: staged.profile[measure.name] for measure in measures if measure.name in staged.profile},
        details={"comparison": table},
    )


def _usual_check(name: str, description: str, measures: Sequence[Measure], asset: dg.AssetKey) -> Check[StagedMonth]:
    def ask(staged: StagedMonth) -> Outcome:
        by_day = staged.session.look_at(
            "trips", "SELECT pickup_date, count(*), sum(total_amount)", more="GROUP BY ALL ORDER BY 1"
        )
        reasons = staged.session.look_at("quarantine", "SELECT quarantine_reasons, count(*)", more="GROUP BY ALL")
        return _is_usual(staged, measures, by_day if asset == STAGING_TRIPS else reasons)

    return Check(asset, name, description, ask, blocking=False, of_the_run=True)


def _trips(
    name: str, description: str, ask: Any, blocking: bool = True, of_the_run: bool = False
) -> Check[StagedMonth]:
    return Check(STAGING_TRIPS, name, description, ask, blocking, of_the_run)


def _quarantine(name: str, description: str, ask: Any, blocking: bool = True) -> Check[StagedMonth]:
    return Check(QUARANTINE_KEY, name, description, ask, blocking)


_USUAL = {
    "volume_is_usual": "Trips a day, days and zones with trips are like those of other months",
    "revenue_is_usual": "Net revenue a day and the share of it that was refunded are like those of other months",
    "averages_are_usual": "Averages and medians of a trip are like those of other months",
    "null_rates_are_usual": "Each column is as often null as in other months",
    "flag_rates_are_usual": "Each quality flag is as frequent as in other months",
}

CHECKS: list[Check[StagedMonth]] = [
    _trips(
        "every_row_is_accounted_for",
        "Source rows = published rows + quarantined rows, counted in the files",
        every_row_is_accounted_for,
    ),
    _trips(
        "rows_are_those_of_the_source",
        "Every source row is in trips or in quarantine with the values that it came with",
        rows_are_those_of_the_source,
    ),
    _trips(
        "money_adds_up_to_the_cent",
        "For each money column: source = published + quarantined, summed from the files",
        money_adds_up,
    ),
    _trips(
        "report_matches_files",
        "The job's money sums are those of the files that it wrote",
        report_matches_files,
        of_the_run=True,
    ),
    _trips("has_rows", "The month is not empty", lambda staged: has_rows(staged.session, "trips")),
    _trips(
        "conforms_to_contract",
        "Columns, types, nulls and month as contracted",
        lambda staged: conforms(staged.session, "trips", TRIPS, staged.month),
    ),
    _trips("trips_lie_in_the_month", "Every pick-up lies in the month", trips_lie_in_the_month),
    _trips(
        "derived_columns_hold",
        "Date, hour, categories, duration, refunds and zone names follow from the trip",
        derived_columns_hold,
    ),
    _trips("keys_identify_rows_and_trips", "row_hash and trip_key tell rows and trips apart", keys_identify),
    _trips(
        "rules_hold",
        "Another engine that applies the rules of the registry flags and quarantines the same rows",
        rules_hold,
    ),
    _trips("links_are_mutual", "Each linked refund has a refunded trip, and the reverse", links_are_mutual),
    _trips("reasons_are_registered", "Every flag and every reason is a rule of the registry", reasons_are_registered),
    _trips(
        "keeps_what_is_live",
        "No day, and not much of rows and revenue, is lost of the version that is replaced",
        keeps_what_is_live,
        of_the_run=True,
    ),
    _trips("every_day_has_trips", "Each day of the month has trips", every_day_has_trips, blocking=False),
    _trips(
        "flex_fare_lacks_dispatch_fields",
        "Exactly the Flex Fare trips have no passenger count, rate code, store-and-forward flag and fees",
        _flex_fare_lacks_dispatch_fields,
        blocking=False,
    ),
    _trips(
        "totals_reconcile",
        "The components add up to the total in the way in which the vendor's do",
        _totals_reconcile,
        blocking=False,
    ),
    _trips("zones_are_known", "Most trips begin and end in a zone of the city", _zones_are_known, blocking=False),
    *(_usual_check(name, _USUAL[name], measures, STAGING_TRIPS) for name, measures in MEASURES.items()),
    _quarantine(
        "is_small", f"The quarantine has at most {MAX_QUARANTINED_SHARE:.0%} of the month's rows", _quarantine_is_small
    ),
    _quarantine(
        "conforms_to_contract",
        "Columns, types, nulls and month as contracted",
        lambda staged: conforms(staged.session, "quarantine", QUARANTINE, staged.month),
    ),
    _quarantine("duplicates_are_few", "Exact duplicates are rare", _duplicates_are_few, blocking=False),
    _usual_check(
        "reject_rates_are_usual", "Rows go to quarantine as often as in other months", REJECT_RATES, QUARANTINE_KEY
    ),
]
