"""Audits of a staged month, before it is published.

They count the files themselves, source and result, with another engine than the one that wrote them, so that
a job cannot vouch for itself.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any

import dagster as dg

from glue_jobs.contracts import QUARANTINE, TRIPS, Table, tlc
from glue_jobs.contracts.model import Kind, SourceColumn, Type
from glue_jobs.contracts.rules import MAX_AMOUNT, RULES, Tier, rules_of
from glue_jobs.contracts.staging import CARRIES
from glue_jobs.files import parquet_files, parquet_rows, parquet_schema
from glue_jobs.transforms.judge import FLAGS, REASONS, clock_changes, month_bounds
from glue_jobs.transforms.normalise import FileLayout, layout_of
from taxi_assets.asset_checks import usual
from taxi_assets.asset_checks.audit import (
    Audit,
    Outcome,
    all_files,
    all_rows,
    conforms,
    expect,
    first_row,
    has_rows,
    look_at,
    scan,
)
from taxi_assets.asset_checks.profile import MEASURES, REJECT_RATES, Measure, has_id, profile_of
from taxi_assets.asset_keys import QUARANTINE_KEY, STAGING_TRIPS
from taxi_assets.lake.reading import parquet_scan, quoted

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
_SAMPLE = "LIMIT 20"


@dataclass(frozen=True)
class StagedMonth:
    """A month as a job wrote it.

    ``facts`` is the job's report, ``source`` the raw file's path, ``zones`` that of the zone lookup; ``published``
    holds measures of the months that are published: measure to month to value.
    """

    month: str
    source: str
    zones: str
    trips: str
    quarantine: str
    facts: dict[str, Any]
    published: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @cached_property
    def layout(self) -> FileLayout:
        """How the source file maps to the contract."""
        return layout_of(parquet_schema(self.source), self.source)

    @cached_property
    def profile(self) -> dict[str, float]:
        """The month's measures."""
        year, month = map(int, self.month.split("-"))
        return profile_of(self.trips, self.quarantine, monthrange(year, month)[1])


def _every_row_is_accounted_for(staged: StagedMonth) -> Outcome:
    source = first_row(f"SELECT count(*) AS n FROM {parquet_scan([staged.source])}")["n"]
    published, quarantined = parquet_rows(staged.trips), parquet_rows(staged.quarantine)
    reported = (staged.facts["source_rows"], staged.facts["published_rows"], staged.facts["quarantined_rows"])
    return Outcome(
        source == published + quarantined and reported == (source, published, quarantined),
        f"{source} source rows",
        f"{published} published + {quarantined} quarantined (reported: {reported})",
        look_at(staged.quarantine, "SELECT quarantine_reasons, count(*)", more="GROUP BY ALL"),
        details={"quarantine_reasons": staged.facts["quarantine_reasons"]},
    )


def _rows_are_those_of_the_source(staged: StagedMonth) -> Outcome:
    """By sums of hashes, which do not depend on the order of the rows: of whole rows, and of each column."""
    in_source, in_trips, in_quarantine = (_values(staged, where) for where in ("source", "trips", "quarantine"))
    source = _fingerprint(parquet_scan([staged.source]), in_source)
    trips = _fingerprint(scan(TRIPS, staged.trips), in_trips)
    quarantine = _fingerprint(scan(QUARANTINE, staged.quarantine), in_quarantine)
    different = [name for name in source if source[name] != trips[name] + quarantine[name]]
    kept = " UNION ALL ".join(
        f"SELECT {_hash(values)} FROM {all_files(folder)}"
        for values, folder in ((in_trips, staged.trips), (in_quarantine, staged.quarantine))
        if parquet_files(folder)
    )
    return Outcome(
        not different,
        "the hashes of the source's rows add up to those of trips and quarantine, whole and column by column",
        f"different in {', '.join(different)}" if different else f"equal: {source[_WHOLE]}",
        f"SELECT * FROM {quoted(staged.source)} WHERE {_hash(in_source)} NOT IN ({kept or 'SELECT 0'}) {_SAMPLE}",
        details={"different": different},
    )


_WHOLE = "whole row"


def _values(staged: StagedMonth, where: str) -> dict[str, str]:
    """Source column to SQL for its value, in a form that source, trips and quarantine share.

    Columns that the contract does not know are among them: texts of ``extra_columns`` in the latter two.
    """
    names = {column.name: CARRIES.get(column.name, column.name) for column in tlc.TRIP_COLUMNS}
    if where == "source":
        names = {column: _name(name) for column, (name, _) in staged.layout.read.items()}
    elif where == "quarantine":
        names = {name: name for name in names}
    values = {column.name: _canonical(column, names.get(column.name)) for column in tlc.TRIP_COLUMNS}
    for name, kind in _types_of_unknown(staged).items():
        text = f"json_extract_string(extra_columns, {quoted(_path(name))})"
        kept = f"from_base64({text})" if kind == "BLOB" else f"TRY_CAST({text} AS {kind})"
        values[name] = _name(name) if where == "source" else kept
    return values


def _types_of_unknown(staged: StagedMonth) -> dict[str, str]:
    """The DuckDB types of the columns that the contract does not know."""
    described = all_rows(f"DESCRIBE SELECT * FROM {parquet_scan([staged.source])}")
    return {row["column_name"]: row["column_type"] for row in described if row["column_name"] in staged.layout.unknown}


def _hash(values: Mapping[str, str]) -> str:
    return f"hash({', '.join(values.values())})"


def _fingerprint(rows: str, values: Mapping[str, str]) -> dict[str, int]:
    hashes = {_WHOLE: _hash(values), **{name: f"hash({value})" for name, value in values.items()}}
    sums = [f"coalesce(sum({one})::HUGEINT, 0)::VARCHAR AS {_name(name)}" for name, one in hashes.items()]
    return {name: int(total) for name, total in first_row(f"SELECT {', '.join(sums)} FROM {rows}").items()}


def _canonical(column: SourceColumn, name: str | None) -> str:
    """A value in a form that source, trips and quarantine share: cents, microseconds, text, DOUBLE."""
    if name is None:
        return f"NULL::{'VARCHAR' if column.kind is Kind.TEXT else 'DOUBLE'}"
    if column.kind is Kind.TIMESTAMP:
        return f"epoch_us({name}::TIMESTAMP)::DOUBLE"
    if column.kind is Kind.TEXT:
        return f"{name}::VARCHAR"
    number = f"{_cents(name)}::DOUBLE" if column.kind is Kind.MONEY else f"{name}::DOUBLE"
    return f"(CASE WHEN {number} = 0 THEN 0.0::DOUBLE ELSE {number} END)"  # -0.0 is 0.0


def _cents(name: str) -> str:
    """An amount in cents, half away from zero; null for NaN and beyond 10^15 (both lie in quarantine)."""
    dollars = f"({name})::DOUBLE"
    return (
        f"(CASE WHEN isfinite({dollars}) AND abs({dollars}) < 1e15 "
        f"THEN sign({dollars}) * floor(abs({dollars}) * 100 + 0.5) END)"
    )


def _money_adds_up(staged: StagedMonth) -> Outcome:
    in_source = {c: f'"{staged.layout.read[c][0]}"' for c in tlc.MONEY_COLUMNS if c in staged.layout.read}
    source = _sums(parquet_scan([staged.source]), in_source)
    trips = _sums(scan(TRIPS, staged.trips), {c: c for c in source})
    quarantine = _sums(scan(QUARANTINE, staged.quarantine), {c: c for c in source})
    unbalanced = {
        c: f"{source[c]} is not {trips[c]} + {quarantine[c]}" for c in source if source[c] != trips[c] + quarantine[c]
    }
    table = [{"column": c, "source": source[c], "published": trips[c], "quarantined": quarantine[c]} for c in source]
    return Outcome(
        not unbalanced,
        "source = published + quarantined, in cents, for each money column",
        str(unbalanced) if unbalanced else f"equal in {len(source)} columns",
        look_at(staged.trips, f"SELECT {', '.join(f'sum({c}) AS {c}' for c in source)}"),
        details={"cents": table},
    )


def _sums(rows: str, columns: Mapping[str, str]) -> dict[str, int]:
    """Sum in cents of each column, exact: every value is rounded to the cent first."""
    sums = ", ".join(f"sum({_cents(c)}::HUGEINT)::VARCHAR AS {name}" for name, c in columns.items())
    return {name: int(value or 0) for name, value in first_row(f"SELECT {sums} FROM {rows}").items()}


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _path(column: str) -> str:
    return '$."' + column.replace('"', '\\"') + '"'


def _report_matches_files(staged: StagedMonth) -> Outcome:
    money = TRIPS.of_type(Type.MONEY)
    sums = first_row(
        f"SELECT {', '.join(f'coalesce(sum({c}), 0) AS {c}' for c in money)} FROM {scan(TRIPS, staged.trips)}"
    )
    return expect(
        {c: f"{v:.2f}" for c, v in sums.items()},
        staged.facts["money"],
        look_at(staged.trips, f"SELECT {', '.join(f'sum({c}) AS {c}' for c in money)}"),
    )


def _trips_lie_in_the_month(staged: StagedMonth) -> Outcome:
    outside = f"strftime(pickup_at, '%Y-%m') <> '{staged.month}'"
    bad = first_row(
        f"SELECT count(*) AS n, min(pickup_at) AS first, max(pickup_at) AS last FROM {scan(TRIPS, staged.trips)} "
        f"WHERE {outside}"
    )
    return Outcome(
        bad["n"] == 0, f"pick-ups in {staged.month} only", f"others: {bad}", look_at(staged.trips, "SELECT *", outside)
    )


def _label(code: str, labels: Mapping[int, str]) -> str:
    cases = " ".join(f"WHEN {value} THEN {quoted(label)}" for value, label in labels.items())
    return f"CASE {code} {cases} ELSE {quoted(tlc.UNKNOWN)} END"


_DERIVED = {
    "pickup_date": "pickup_at::DATE",
    "pickup_hour": "hour(pickup_at)",
    "pickup_day_of_week": "isodow(pickup_at)",
    "day_type": "CASE WHEN isodow(pickup_at) >= 6 THEN 'Weekend' ELSE 'Weekday' END",
    "time_of_day_category": "CASE WHEN hour(pickup_at) BETWEEN 6 AND 11 THEN 'Morning' WHEN hour(pickup_at) BETWEEN 12 "
    "AND 17 THEN 'Afternoon' WHEN hour(pickup_at) BETWEEN 18 AND 21 THEN 'Evening' ELSE 'Night' END",
    "distance_category": "CASE WHEN trip_distance <= 1 THEN '0-1' WHEN trip_distance <= 2 THEN '1-2' "
    "WHEN trip_distance <= 5 THEN '2-5' WHEN trip_distance <= 10 THEN '5-10' ELSE '10+' END",
    "vendor": _label("vendor_id", tlc.VENDORS),
    "rate_code": _label("rate_code_id", tlc.RATE_CODES),
    "payment_method": _label("payment_type", tlc.PAYMENT_METHODS),
    **{
        f"{end}_{what}": f"coalesce({end}.{name}, '')"
        for end in ("pickup", "dropoff")
        for what, name in (("borough", "Borough"), ("zone", "Zone"), ("service_zone", "service_zone"))
    },
    "is_airport_trip": "coalesce(pickup.service_zone, '') IN ('Airports', 'EWR') "
    "OR coalesce(dropoff.service_zone, '') IN ('Airports', 'EWR')",
}
"""Column to DuckDB SQL for it, over the trip and the rows of the zone lookup, ``pickup`` and ``dropoff``."""


def _derived_columns_hold(staged: StagedMonth) -> Outcome:
    """Ratios are compared to nine digits, refunds and fares by the cents that the trip has kept."""
    forward, back = clock_changes(int(staged.month[:4]))
    minutes = (
        f"(epoch(dropoff_at) - epoch(pickup_at)) / 60 + CASE"
        f" WHEN pickup_at < '{forward}' AND dropoff_at >= '{forward + _HOUR}' THEN -60"
        f" WHEN pickup_at < '{back - _HOUR}' AND dropoff_at >= '{back}' THEN 60"
        f" WHEN pickup_at >= '{back - _HOUR}' AND pickup_at < '{back}' AND dropoff_at < pickup_at THEN 60 ELSE 0 END"
    )
    wrong = {name: f"coalesce({name}::VARCHAR, '') <> ({sql})::VARCHAR" for name, sql in _DERIVED.items()}
    wrong["is_refund"] = "is_refund <> (total_amount < 0) AND total_amount <> 0"
    wrong["trip_duration_minutes"] = f"abs(trip_duration_minutes - ({minutes})) > 1e-6"
    wrong["average_speed_mph"] = _is_not("average_speed_mph", "trip_distance * 60", "trip_duration_minutes")
    wrong["fare_per_mile"] = _is_not("fare_per_mile", "fare_amount::DOUBLE", "trip_distance", "0.005")
    joins = " ".join(
        f"LEFT JOIN read_csv({quoted(staged.zones)}, header = true, all_varchar = true) AS {end}"
        f" ON {end}.LocationID = {end}_location_id::VARCHAR"
        for end in ("pickup", "dropoff")
    )
    counts = ", ".join(f"count(*) FILTER ({condition}) AS {name}" for name, condition in wrong.items())
    found = first_row(f"SELECT {counts} FROM {scan(TRIPS, staged.trips)} AS trips {joins}")
    faults = {name: count for name, count in found.items() if count}
    conditions = " OR ".join(f"({wrong[name]})" for name in faults) or "false"
    return Outcome(
        not faults,
        "derived columns follow from the trip's times, distance, codes, amounts and zones",
        f"rows that do not: {faults}" if faults else "all do",
        f"SELECT trips.* FROM {all_files(staged.trips)} AS trips {joins} WHERE {conditions} {_SAMPLE}",
    )


_HOUR = timedelta(hours=1)


def _is_not(column: str, numerator: str, denominator: str, slack: str = "0") -> str:
    """Whether ``column`` is another quotient; null where there is nothing to divide by; ``slack`` in the numerator."""
    is_null = f"coalesce({denominator}, 0) = 0"
    close = f"abs({column} * {denominator} - {numerator}) <= {slack} + 1e-9 * greatest(1, abs({numerator}))"
    return f"CASE WHEN {is_null} THEN {column} IS NOT NULL ELSE {column} IS NULL OR NOT {close} END"


def _keys_identify(staged: StagedMonth) -> Outcome:
    key = ", ".join(CARRIES.get(name, name) for name in tlc.TRIP_KEY_COLUMNS)
    found = first_row(
        f"SELECT count(*) AS rows, count(DISTINCT row_hash) AS row_hashes, count(DISTINCT trip_key) AS trip_keys, "
        f"count(DISTINCT ({key})) AS trips FROM {scan(TRIPS, staged.trips)}"
    )
    may_repeat = bool(staged.layout.unreadable)  # rows that differ in a column that could not be read
    return Outcome(
        found["trip_keys"] == found["trips"] and (may_repeat or found["row_hashes"] == found["rows"]),
        "a row_hash for each row, a trip_key for each vendor, times, zones and distance",
        str(found),
        look_at(staged.trips, f"SELECT trip_key, {key}, count(*)", more=f"GROUP BY ALL ORDER BY 1 {_SAMPLE}"),
    )


def _rules_hold(staged: StagedMonth) -> Outcome:
    """The registry's predicates, evaluated by DuckDB, name the same rows as the job did."""
    apart: dict[str, int] = {}
    look: list[str] = []
    for table, folder, column, tier in (
        (TRIPS, staged.trips, FLAGS, Tier.FLAG),
        (QUARANTINE, staged.quarantine, REASONS, Tier.QUARANTINE),
    ):
        rules = {rule.rule_id: rule for rule in rules_of(tier) if "is_repeated" not in rule.predicate}
        wrong = {
            name: f"coalesce({_in_duckdb(rule.predicate, staged.month)}, false) <> {has_id(column, name)}"
            for name, rule in rules.items()
        }
        counts = ", ".join(f"count(*) FILTER ({condition}) AS {name}" for name, condition in wrong.items())
        found = first_row(f"SELECT {counts} FROM {_judgeable(scan(table, folder), table, staged.month)}")
        faults = {name: count for name, count in found.items() if count}
        apart |= faults
        if faults and parquet_files(folder):
            conditions = " OR ".join(f"({wrong[name]})" for name in faults)
            rows = _judgeable(all_files(folder), table, staged.month)
            look.append(f"SELECT * FROM {rows} WHERE {conditions} {_SAMPLE}")
    return Outcome(
        not apart,
        "flags and reasons are those that the rules give, evaluated again",
        f"rows for which they are not: {apart}" if apart else "all are",
        look[0] if look else look_at(staged.quarantine, "SELECT *", more=_SAMPLE),
    )


def _in_duckdb(predicate: str, month: str) -> str:
    start, end = (f"TIMESTAMP '{day}'" for day in month_bounds(month))
    return f"({predicate.format(month_start=start, next_month=end)})"


def _judgeable(rows: str, table: Table, month: str) -> str:
    """Rows of trips or quarantine with the columns that predicates read: the source's, and the rules' helpers."""
    renamed = {source: staged for source, staged in CARRIES.items() if table is TRIPS}
    named = [
        f"{renamed.get(column.name, column.name)}::{_JUDGED[column.kind]} AS {column.name}"
        for column in tlc.TRIP_COLUMNS
    ]
    forward, back = clock_changes(int(month[:4]))
    pickup, dropoff = "tpep_pickup_datetime", "tpep_dropoff_datetime"
    in_hour = f"coalesce({pickup} >= '{back - _HOUR}' AND {pickup} < '{back}', false)"
    parts = " - ".join(_cents_or_none(name) for name in tlc.PARTS_OF_TOTAL)
    fees = " + ".join(_cents_or_none(name) for name in tlc.FEES)
    return (
        f"(SELECT *, CASE WHEN {pickup} < '{forward}' AND {dropoff} >= '{forward + _HOUR}' THEN wall_seconds - 3600"
        f" WHEN {pickup} < '{back - _HOUR}' AND {dropoff} >= '{back}' OR in_fall_back_hour AND wall_seconds < 0"
        f" THEN wall_seconds + 3600 ELSE wall_seconds END AS duration_seconds FROM (SELECT *,"
        f" trunc(epoch({dropoff}) - epoch({pickup})) AS wall_seconds, {in_hour} AS in_fall_back_hour,"
        f" {_cents_or_none('total_amount', 'NULL')} - {parts} AS owing_cents, {fees} AS fee_cents"
        f" FROM (SELECT {', '.join(named)}, {FLAGS if table is TRIPS else REASONS} FROM {rows})))"
    )


_JUDGED = {
    Kind.TIMESTAMP: "TIMESTAMP",
    Kind.INTEGER: "BIGINT",
    Kind.COUNT: "DOUBLE",
    Kind.TEXT: "VARCHAR",
    Kind.DISTANCE: "DOUBLE",
    Kind.MONEY: "DOUBLE",
}


def _cents_or_none(column: str, otherwise: str = "0") -> str:
    """Whole cents within the bounds of an amount, as the helpers of the rules have them."""
    within = f"isfinite({column}) AND abs({column}) <= {MAX_AMOUNT}"
    return f"CASE WHEN {within} THEN sign({column}) * floor(abs({column}) * 100 + 0.5) ELSE {otherwise} END"


def _links_are_mutual(staged: StagedMonth) -> Outcome:
    linked = f"is_refund AND NOT {has_id('quality_flags', 'unlinked_refund')}"
    torn = (
        f"SELECT trip_key, abs(total_amount) AS amount FROM {scan(TRIPS, staged.trips)} WHERE is_refunded OR {linked} "
        f"GROUP BY ALL HAVING count(*) FILTER (is_refunded) <> count(*) FILTER ({linked})"
    )
    found = first_row(f"SELECT count(*) AS n FROM ({torn})")["n"]
    return Outcome(
        found == 0,
        "as many refunded trips as linked refunds, for each trip and amount",
        f"{found} trips and amounts for which it is not so",
        look_at(staged.trips, "SELECT *", f"is_refunded OR is_refund AND {linked}", "ORDER BY trip_key"),
    )


def _reasons_are_registered(staged: StagedMonth) -> Outcome:
    known = {tier: {rule.rule_id for rule in RULES if rule.tier in tier} for tier in (_FLAGGING, _QUARANTINING)}
    found = {}
    for table, folder, column, tier in (
        (TRIPS, staged.trips, "quality_flags", _FLAGGING),
        (QUARANTINE, staged.quarantine, "quarantine_reasons", _QUARANTINING),
    ):
        sql = (
            f"SELECT DISTINCT unnest(string_split({column}, ',')) AS id FROM {scan(table, folder)} WHERE {column} <> ''"
        )
        if strangers := sorted({row["id"] for row in all_rows(sql)} - known[tier]):
            found[column] = strangers
    return Outcome(
        not found,
        "flags and reasons of the rule registry",
        f"others: {found}" if found else "no others",
        look_at(staged.quarantine, "SELECT DISTINCT quarantine_reasons"),
    )


_FLAGGING, _QUARANTINING = (Tier.FLAG, Tier.LINK), (Tier.QUARANTINE,)


def _flex_fare_lacks_dispatch_fields(staged: StagedMonth) -> Outcome:
    began = {column.name for column in tlc.TRIP_COLUMNS if column.since <= staged.month}
    names = [name for name in _FLEX_NULLS if name in staged.layout.read and name in began]
    columns = [CARRIES.get(name, name) for name in names]
    any_null = " OR ".join(f"{c} IS NULL" for c in columns) or "false"
    all_null = " AND ".join(f"{c} IS NULL" for c in columns) or "false"
    is_flex = f"payment_type IS NOT DISTINCT FROM {tlc.FLEX}"
    broken = f"{is_flex} AND NOT ({all_null}) OR NOT ({is_flex}) AND ({any_null})"
    found = first_row(
        f"SELECT count(*) FILTER ({broken}) AS n, count(*) FILTER ({is_flex}) AS flex FROM {scan(TRIPS, staged.trips)}"
    )
    return Outcome(
        found["n"] == 0,
        f"exactly the Flex Fare trips lack {', '.join(columns)}",
        f"{found['n']} trips break it; {found['flex']} are Flex Fare",
        look_at(staged.trips, "SELECT *", broken, _SAMPLE),
    )


def _totals_reconcile(staged: StagedMonth) -> Outcome:
    flagged = has_id("quality_flags", "total_does_not_add_up")
    by_vendor = all_rows(
        f"SELECT vendor, payment_method = 'Flex Fare' AS flex, count(*) AS rows, count(*) FILTER ({flagged}) AS "
        f"unreconciled FROM {scan(TRIPS, staged.trips)} GROUP BY ALL ORDER BY ALL"
    )
    rows, unreconciled = (sum(row[name] for row in by_vendor) for name in ("rows", "unreconciled"))
    share = unreconciled / rows if rows else 0.0
    return Outcome(
        share <= MAX_UNRECONCILED_SHARE,
        f"at most {MAX_UNRECONCILED_SHARE:.0%} of totals that the vendor's rule does not explain",
        f"{share:.3%} ({unreconciled} of {rows} rows)",
        look_at(staged.trips, "SELECT *", flagged, _SAMPLE),
        details={"by_vendor": by_vendor},
    )


def _quarantine_is_small(staged: StagedMonth) -> Outcome:
    quarantined, rows = parquet_rows(staged.quarantine), parquet_rows(staged.trips) + parquet_rows(staged.quarantine)
    share = quarantined / rows if rows else 0.0
    return Outcome(
        quarantined <= max(FEW_QUARANTINED, rows * MAX_QUARANTINED_SHARE),
        f"at most {MAX_QUARANTINED_SHARE:.0%} of the rows, or {FEW_QUARANTINED}",
        f"{share:.4%} ({quarantined} of {rows} rows)",
        look_at(staged.quarantine, "SELECT quarantine_reasons, count(*)", more="GROUP BY ALL"),
    )


def _duplicates_are_few(staged: StagedMonth) -> Outcome:
    rows = parquet_rows(staged.trips) + parquet_rows(staged.quarantine)
    duplicates = round(staged.profile.get("exact_duplicate", 0.0) * rows)
    return Outcome(
        duplicates <= max(MAX_DUPLICATES, rows * MAX_DUPLICATES_PER_MILLION / 1e6),
        f"at most {MAX_DUPLICATES} exact duplicates, or {MAX_DUPLICATES_PER_MILLION} in a million rows",
        f"{duplicates} of {rows} rows",
        look_at(staged.quarantine, "SELECT *", "quarantine_reasons LIKE '%exact_duplicate%'", "ORDER BY row_hash"),
    )


def _zones_are_known(staged: StagedMonth) -> Outcome:
    share = 1 - staged.profile.get("unknown_zone", 0.0)
    return Outcome(
        share >= MIN_KNOWN_ZONES,
        f"at least {MIN_KNOWN_ZONES:.0%} of trips with both ends in zones 1 to 263",
        f"{share:.2%}; pick-ups in {staged.profile.get('pickup_zones', 0):.0f} zones, "
        f"drop-offs in {staged.profile.get('dropoff_zones', 0):.0f}",
        look_at(
            staged.trips,
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
        verdict = usual.judge(value, staged.month, staged.published.get(measure.name, {}), measure.is_share)
        table.append(
            {"measure": measure.name, "value": value, "z": verdict.z, "last_year": verdict.last_year}
            | {"verdict": "usual" if verdict.usual else f"unusual: {verdict.text}"}
        )
        if not verdict.usual:
            strange.append(f"{measure.name} {value:.6g} ({verdict.text})")
    return Outcome(
        not strange,
        f"a robust z-score of at most {usual.MAX_Z} against the published months, and at most "
        f"{usual.MAX_CHANGE:.0%} from the same month last year",
        "; ".join(strange) or f"{len(table)} measures, none unusual",
        rows_to_look_at,
        measures={measure.name: staged.profile[measure.name] for measure in measures if measure.name in staged.profile},
        details={"comparison": table},
    )


def _usual_audit(name: str, description: str, measures: Sequence[Measure], asset: dg.AssetKey) -> Audit[StagedMonth]:
    def ask(staged: StagedMonth) -> Outcome:
        by_day = look_at(
            staged.trips, "SELECT pickup_date, count(*), sum(total_amount)", more="GROUP BY ALL ORDER BY 1"
        )
        reasons = look_at(staged.quarantine, "SELECT quarantine_reasons, count(*)", more="GROUP BY ALL")
        return _is_usual(staged, measures, by_day if asset == STAGING_TRIPS else reasons)

    return Audit(asset, name, description, ask, blocking=False)


def _trips(name: str, description: str, ask: Any, blocking: bool = True) -> Audit[StagedMonth]:
    return Audit(STAGING_TRIPS, name, description, ask, blocking)


def _quarantine(name: str, description: str, ask: Any, blocking: bool = True) -> Audit[StagedMonth]:
    return Audit(QUARANTINE_KEY, name, description, ask, blocking)


_USUAL = {
    "volume_is_usual": "Trips a day, days and zones with trips are like those of other months",
    "revenue_is_usual": "Net revenue a day and the share of it that was refunded are like those of other months",
    "averages_are_usual": "Averages and medians of a trip are like those of other months",
    "null_rates_are_usual": "Each column is as often null as in other months",
    "flag_rates_are_usual": "Each quality flag is as frequent as in other months",
}

AUDITS: list[Audit[StagedMonth]] = [
    _trips(
        "every_row_is_accounted_for",
        "Source rows = published rows + quarantined rows, counted in the files",
        _every_row_is_accounted_for,
    ),
    _trips(
        "rows_are_those_of_the_source",
        "Every source row is in trips or in quarantine with the values that it came with",
        _rows_are_those_of_the_source,
    ),
    _trips(
        "money_adds_up_to_the_cent",
        "For each money column: source = published + quarantined, summed from the files",
        _money_adds_up,
    ),
    _trips(
        "report_matches_files",
        "The job's money sums are those of the files that it wrote",
        _report_matches_files,
    ),
    _trips("has_rows", "The month is not empty", lambda staged: has_rows(staged.trips)),
    _trips(
        "conforms_to_contract",
        "Columns, types, nulls and month as contracted",
        lambda staged: conforms(TRIPS, staged.trips, staged.month),
    ),
    _trips("trips_lie_in_the_month", "Every pick-up lies in the month", _trips_lie_in_the_month),
    _trips(
        "derived_columns_hold",
        "Date, hour, categories, duration, refunds and zone names follow from the trip",
        _derived_columns_hold,
    ),
    _trips("keys_identify_rows_and_trips", "row_hash and trip_key tell rows and trips apart", _keys_identify),
    _trips(
        "rules_hold",
        "Another engine that applies the rules of the registry flags and quarantines the same rows",
        _rules_hold,
    ),
    _trips("links_are_mutual", "Each linked refund has a refunded trip, and the reverse", _links_are_mutual),
    _trips("reasons_are_registered", "Every flag and every reason is a rule of the registry", _reasons_are_registered),
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
    *(_usual_audit(name, _USUAL[name], measures, STAGING_TRIPS) for name, measures in MEASURES.items()),
    _quarantine(
        "is_small", f"The quarantine has at most {MAX_QUARANTINED_SHARE:.0%} of the month's rows", _quarantine_is_small
    ),
    _quarantine(
        "conforms_to_contract",
        "Columns, types, nulls and month as contracted",
        lambda staged: conforms(QUARANTINE, staged.quarantine, staged.month),
    ),
    _quarantine("duplicates_are_few", "Exact duplicates are rare", _duplicates_are_few, blocking=False),
    _usual_audit(
        "reject_rates_are_usual", "Rows go to quarantine as often as in other months", REJECT_RATES, QUARANTINE_KEY
    ),
]
