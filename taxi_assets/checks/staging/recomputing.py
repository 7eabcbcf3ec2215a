"""Whether what the job added to a row is right, computed again by DuckDB.

Belongs here: derived columns, keys, links, flags and reasons. Does not: the values that came with the row
(``accounting``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from glue_jobs.contracts import QUARANTINE, TRIPS, Table, tlc
from glue_jobs.contracts.model import Kind
from glue_jobs.contracts.months import clock_changes, month_bounds
from glue_jobs.contracts.rules import MAX_AMOUNT, RULES, Tier, rules_of
from glue_jobs.contracts.staging import CARRIES
from glue_jobs.transforms.judge import FLAGS, REASONS
from taxi_assets.checks.check import Outcome
from taxi_assets.checks.session import rows_where
from taxi_assets.checks.staging.profile import has_id
from taxi_assets.checks.staging.subject import SAMPLE, StagedMonth
from taxi_assets.lake.reading import quoted


def trips_lie_in_the_month(staged: StagedMonth) -> Outcome:
    """Every pick-up lies in the month."""
    outside = f"strftime(pickup_at, '%Y-%m') <> '{staged.month}'"
    bad = staged.session.first_row(
        f"SELECT count(*) AS n, min(pickup_at) AS first, max(pickup_at) AS last FROM trips WHERE {outside}"
    )
    return Outcome(
        bad["n"] == 0,
        f"pick-ups in {staged.month} only",
        f"others: {bad}",
        staged.session.look_at("trips", "SELECT *", outside),
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

_DERIVED_FROM = (
    (
        ("date_trunc('hour', pickup_at) AS pickup_at",),
        ("pickup_date", "pickup_hour", "pickup_day_of_week", "day_type", "time_of_day_category"),
    ),
    (("vendor_id", "rate_code_id", "payment_type"), ("vendor", "rate_code", "payment_method")),
    (("pickup_location_id",), ("pickup_borough", "pickup_zone", "pickup_service_zone")),
    (("dropoff_location_id",), ("dropoff_borough", "dropoff_zone", "dropoff_service_zone")),
    (("pickup_location_id", "dropoff_location_id"), ("is_airport_trip",)),
)
"""What has few values, and the columns that follow from it alone: each combination is looked at once, not each row."""


def derived_columns_hold(staged: StagedMonth) -> Outcome:
    """Dates, categories, labels, zone names, duration, ratios and is_refund follow from the rest of the row.

    Ratios are compared to nine digits. Durations count whole seconds, amounts whole cents: those that are published.
    """
    forward, back = clock_changes(int(staged.month[:4]))
    minutes = (
        f"date_sub('second', pickup_at, dropoff_at) / 60 + CASE"
        f" WHEN pickup_at < '{forward}' AND dropoff_at >= '{forward + _HOUR}' THEN -60"
        f" WHEN pickup_at < '{back - _HOUR}' AND dropoff_at >= '{back}' THEN 60"
        f" WHEN pickup_at >= '{back - _HOUR}' AND pickup_at < '{back}' AND dropoff_at < pickup_at THEN 60 ELSE 0 END"
    )
    wrong = {name: f"coalesce({name}::VARCHAR, '') <> ({sql})::VARCHAR" for name, sql in _DERIVED.items()}
    wrong["is_refund"] = "is_refund <> (total_amount < 0 AND coalesce(improvement_surcharge, 0) <= 0)"
    wrong["trip_duration_minutes"] = f"abs(trip_duration_minutes - ({minutes})) > 1e-6"
    wrong["average_speed_mph"] = _is_not("average_speed_mph", "trip_distance * 60", "trip_duration_minutes")
    wrong["fare_per_mile"] = _is_not("fare_per_mile", "fare_amount::DOUBLE", "trip_distance")
    metered = f"CASE WHEN payment_type = {tlc.CARD} AND fare_amount > 0 THEN fare_amount::DOUBLE END"
    wrong["tip_percentage"] = _is_not("tip_percentage", "tip_amount::DOUBLE * 100", metered)
    lookup = {
        f"{end}_location_id": f"LEFT JOIN read_csv({quoted(staged.zones)}, header = true, all_varchar = true) AS {end}"
        f" ON {end}.LocationID = {end}_location_id::VARCHAR"
        for end in ("pickup", "dropoff")
    }
    joins = " ".join(lookup.values())
    of_few_values = {name for _, names in _DERIVED_FROM for name in names}
    counts = ", ".join(f"{rows_where(sql)} AS {name}" for name, sql in wrong.items() if name not in of_few_values)
    found = staged.session.first_row(f"SELECT {counts} FROM trips")
    for inputs, names in _DERIVED_FROM:
        combinations = f"SELECT {', '.join((*inputs, *names))}, count(*) AS rows FROM trips GROUP BY ALL"
        counts = ", ".join(f"coalesce(sum(rows) FILTER ({wrong[name]}), 0) AS {name}" for name in names)
        looked_up = " ".join(join for name, join in lookup.items() if name in inputs)
        found |= staged.session.first_row(f"SELECT {counts} FROM ({combinations}) AS trips {looked_up}")
    faults = {name: found[name] for name in wrong if found[name]}
    conditions = " OR ".join(f"({wrong[name]})" for name in faults) or "false"
    return Outcome(
        not faults,
        "derived columns follow from the trip's times, distance, codes, amounts and zones",
        f"rows that do not: {faults}" if faults else "all do",
        f"SELECT trips.* FROM {staged.session.for_a_person('trips')} AS trips {joins} WHERE {conditions} {SAMPLE}",
    )


_HOUR = timedelta(hours=1)


def _is_not(column: str, numerator: str, denominator: str) -> str:
    """Whether ``column`` is another quotient; null where there is nothing to divide by."""
    is_null = f"coalesce({denominator}, 0) = 0"
    close = f"abs({column} * {denominator} - {numerator}) <= 1e-9 * greatest(1, abs({numerator}))"
    return f"CASE WHEN {is_null} THEN {column} IS NOT NULL ELSE {column} IS NULL OR NOT {close} END"


def keys_identify(staged: StagedMonth) -> Outcome:
    """No two rows share a row_hash, and records share a trip_key just if they are of one trip.

    Trips are counted by a hash of DuckDB's own, which is cheaper: if there are as many as of keys, two hashes agree.
    If not, they are counted by their values, because the other hash may have met another.
    """
    key = ", ".join(CARRIES.get(name, name) for name in tlc.TRIP_KEY_COLUMNS)
    found = staged.session.first_row("SELECT count(*) AS rows FROM trips")
    found["row_hashes"] = staged.session.count_distinct("trips", "row_hash")
    found["trip_keys"] = staged.session.count_distinct("trips", "trip_key")
    found["trips"] = staged.session.count_distinct("trips", f"hash({key})")
    if found["trips"] != found["trip_keys"]:
        found |= staged.session.first_row(f"SELECT count(DISTINCT ({key})) AS trips FROM trips")
    may_repeat = bool(staged.layout.unreadable)  # rows that differ in a column that could not be read
    return Outcome(
        found["trip_keys"] == found["trips"] and (may_repeat or found["row_hashes"] == found["rows"]),
        "a row_hash for each row, a trip_key for each vendor, times and distance",
        str(found),
        staged.session.look_at("trips", f"SELECT trip_key, {key}, count(*)", more=f"GROUP BY ALL ORDER BY 1 {SAMPLE}"),
    )


def rules_hold(staged: StagedMonth) -> Outcome:
    """The registry's predicates, evaluated by DuckDB, name the same rows as the job did."""
    apart: dict[str, int] = {}
    look: list[str] = []
    for view, table, column, tier in (
        ("trips", TRIPS, FLAGS, Tier.FLAG),
        ("quarantine", QUARANTINE, REASONS, Tier.QUARANTINE),
    ):
        rules = {rule.rule_id: rule for rule in rules_of(tier) if "is_repeated" not in rule.predicate}
        wrong = {
            name: f"coalesce({_in_duckdb(rule.predicate, staged.month)}, false) <> {has_id(column, name)}"
            for name, rule in rules.items()
        }
        counts = ", ".join(f"{rows_where(condition)} AS {name}" for name, condition in wrong.items())
        found = staged.session.first_row(f"SELECT {counts} FROM {_judgeable(view, table, staged.month)}")
        faults = {name: count for name, count in found.items() if count}
        apart |= faults
        if faults and staged.session.files(view):
            conditions = " OR ".join(f"({wrong[name]})" for name in faults)
            rows = _judgeable(staged.session.for_a_person(view), table, staged.month)
            look.append(f"SELECT * FROM {rows} WHERE {conditions} {SAMPLE}")
    return Outcome(
        not apart,
        "flags and reasons are those that the rules give, evaluated again",
        f"rows for which they are not: {apart}" if apart else "all are",
        look[0] if look else staged.session.look_at("quarantine", "SELECT *", more=SAMPLE),
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
    total, surcharge = _cents_or_none("total_amount", "NULL"), _cents_or_none("improvement_surcharge")
    parts = " + ".join(_cents_or_none(name) for name in tlc.PARTS_OF_TOTAL)
    fees = " + ".join(_cents_or_none(name) for name in tlc.FEES)
    return (
        f"(SELECT *, CASE WHEN {pickup} < '{forward}' AND {dropoff} >= '{forward + _HOUR}' THEN wall_seconds - 3600"
        f" WHEN {pickup} < '{back - _HOUR}' AND {dropoff} >= '{back}' OR in_fall_back_hour AND wall_seconds < 0"
        f" THEN wall_seconds + 3600 ELSE wall_seconds END AS duration_seconds FROM (SELECT *,"
        f" date_sub('second', {pickup}, {dropoff}) AS wall_seconds, {in_hour} AS in_fall_back_hour,"
        f" {_cents_or_none('fare_amount', 'NULL')} AS fare_cents, {parts} AS part_cents,"
        f" {total} - part_cents AS owing_cents, {fees} AS fee_cents,"
        f" {total} < 0 AND {surcharge} <= 0 AS is_refund"
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
    within = f"isfinite({column}) AND abs({column}) <= {MAX_AMOUNT}"  # see accounting._cents: NaN is in no statistics
    return f"CASE WHEN {within} THEN sign({column}) * floor(abs({column}) * 100 + 0.5) ELSE {otherwise} END"


def links_are_mutual(staged: StagedMonth) -> Outcome:
    """Of a trip's records with one fare as many refunds and trips are linked as can pair, opposite totals first."""
    linked = f"is_refund AND NOT {has_id('quality_flags', 'unlinked_refund')}"
    sides = (
        f"SELECT trip_key, if(is_refund, -fare_amount, fare_amount) AS fare,"
        f" if(is_refund, -total_amount, total_amount) AS total, count(*) FILTER (is_refund) AS refunds,"
        f" count(*) FILTER (NOT is_refund) AS trips, count(*) FILTER (is_refunded) AS refunded,"
        f" count(*) FILTER ({linked}) AS linked FROM trips"
        f" WHERE trip_key IN (SELECT trip_key FROM trips WHERE is_refund OR is_refunded) GROUP BY ALL"
    )
    torn = (
        f"SELECT trip_key, fare FROM ({sides}) GROUP BY ALL"
        f" HAVING sum(refunded) <> sum(linked) OR sum(linked) <> least(sum(refunds), sum(trips))"
        f" OR bool_or(least(refunded, linked) < least(refunds, trips))"
    )
    found = staged.session.first_row(f"SELECT count(*) AS n FROM ({torn})")["n"]
    return Outcome(
        found == 0,
        "as many refunded trips as linked refunds, and as many as can pair, for each trip and fare",
        f"{found} trips and fares for which it is not so",
        staged.session.look_at("trips", "SELECT *", "is_refunded OR is_refund", "ORDER BY trip_key"),
    )


def reasons_are_registered(staged: StagedMonth) -> Outcome:
    """Each flag is the id of a flag or link rule, each reason that of a quarantine rule."""
    known = {tier: {rule.rule_id for rule in RULES if rule.tier in tier} for tier in (_FLAGGING, _QUARANTINING)}
    found = {}
    for view, column, tier in (("trips", FLAGS, _FLAGGING), ("quarantine", REASONS, _QUARANTINING)):
        ids = f"SELECT DISTINCT unnest(string_split({column}, ',')) AS id FROM {view} WHERE {column} <> ''"
        if strangers := sorted({row["id"] for row in staged.session.all_rows(ids)} - known[tier]):
            found[column] = strangers
    return Outcome(
        not found,
        "flags and reasons of the rule registry",
        f"others: {found}" if found else "no others",
        staged.session.look_at("quarantine", "SELECT DISTINCT quarantine_reasons"),
    )


_FLAGGING, _QUARANTINING = (Tier.FLAG, Tier.LINK), (Tier.QUARANTINE,)
