"""A peer of the benchmark: stage_trips and build_curated as a person would write them in pandas.

    python -m taxi_assets_tests.benchmarks.pandas_peer MONTH TRIPS.parquet ZONES.csv OUT_FOLDER

Same inputs, rules, files and columns as ``duckdb_peer``, with which ``test_peers`` compares it. Hashes are pandas' own.
Amounts are whole cents in between: pandas has no decimals of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from glue_jobs.contracts import CURATED_TABLES, QUARANTINE, TRIPS, Table, tlc
from glue_jobs.contracts.months import month_bounds
from glue_jobs.contracts.rules import Severity, Tier, rules_of
from taxi_assets.checks.check import ARROW_TYPES

_TEXTS = ("store_and_fwd_flag", "request_source")
_PICKUP, _DROPOFF = "tpep_pickup_datetime", "tpep_dropoff_datetime"
_WARNINGS = "|".join(rule.rule_id for rule in rules_of(Tier.FLAG) if rule.severity is Severity.WARNING)
_HASHES = ("trip_key", "row_hash")


def main(month: str, trips: str, zones: str, out: str) -> None:
    """Write quarantine, trips and the five tables below ``out``."""
    Path(out).mkdir(parents=True)
    judged = _judged(_source(trips), month)
    refused = judged[judged["quarantine_reasons"] != ""]
    quarantine = refused.assign(month=month, source_sha256="0", extra_columns=None)
    pq.write_table(_as_arrow(quarantine, _types(QUARANTINE)), f"{out}/quarantine.parquet", compression="zstd")
    staged = _staged(judged[judged["quarantine_reasons"] == ""].copy(), zones, month)
    del judged, refused
    written = _as_arrow(staged, _types(TRIPS))
    written = written.append_column("date", written["pickup_date"])
    written = written.append_column("time_of_day", written["time_of_day_category"])
    pq.write_to_dataset(written, f"{out}/trips", partition_cols=["date", "time_of_day"], compression="zstd")
    del written
    for name, table in _tables(staged).items():
        pq.write_table(_as_arrow(table, _types(CURATED_TABLES[name])), f"{out}/{name}.parquet", compression="zstd")


def _types(table: Table) -> dict[str, pa.DataType]:
    """The columns of a contract as Arrow has them; pandas' hashes have no sign."""
    return {
        column.name: pa.uint64() if column.name in _HASHES else ARROW_TYPES[column.type] for column in table.columns
    }


def _as_arrow(rows: pd.DataFrame, types: Mapping[str, pa.DataType]) -> pa.Table:
    """The columns in those types; decimals are whole cents in ``rows``."""
    made = {}
    for name, kind in types.items():
        if pa.types.is_decimal(kind):
            cents = pa.array(rows[name].astype("Int64"), from_pandas=True)
            made[name] = pc.divide(cents.cast(pa.decimal128(23, 4)), pa.scalar(Decimal(100))).cast(kind)
        else:
            made[name] = pa.array(rows[name], from_pandas=True).cast(kind)
    return pa.table(made)


def _source(trips: str) -> pd.DataFrame:
    read = pd.read_parquet(trips).rename(columns=str.lower)
    for column in tlc.TRIP_COLUMNS:
        if column.name not in read:
            read[column.name] = None if column.name in _TEXTS else np.nan
    whole = ["vendorid", "pulocationid", "dolocationid", "payment_type"]
    return read[[column.name for column in tlc.TRIP_COLUMNS]].astype(dict.fromkeys(whole, "Int64"))


def _cents(amounts: pd.Series) -> pd.Series:
    """Whole cents, half a cent away from zero; 0 for what is no amount."""
    return _rounded(100 * amounts.where(amounts.abs() <= 10_000, 0.0)).astype("int64")


def _rounded(values: pd.Series) -> pd.Series:
    return np.sign(values) * np.floor(values.abs() + 0.5)


def _named(conditions: Mapping[str, pd.Series]) -> pd.Series:
    """The names whose condition holds, joined by commas."""
    index = next(iter(conditions.values())).index
    joined = pd.Series("", index=index, dtype="object")
    for name, condition in conditions.items():
        holds = condition.fillna(value=False).astype(bool)
        if holds.any():
            joined[holds] = joined[holds].where(joined[holds] == "", joined[holds] + ",") + name
    return joined


def _outside(values: pd.Series, low: float, high: float) -> pd.Series:
    """Of what is known."""
    return values.notna() & ~values.between(low, high)


def _judged(rows: pd.DataFrame, month: str) -> pd.DataFrame:
    start, end = (pd.Timestamp(day) for day in month_bounds(month))
    pickup, distance = rows[_PICKUP], rows["trip_distance"]
    repeated = rows.duplicated()
    rows["row_hash"] = pd.util.hash_pandas_object(rows, index=False)
    rows["trip_key"] = pd.util.hash_pandas_object(rows[list(tlc.TRIP_KEY_COLUMNS)], index=False)
    fare, total = _cents(rows["fare_amount"]), _cents(rows["total_amount"])
    parts, fees = (rows[list(names)].apply(_cents).sum(axis="columns") for names in (tlc.PARTS_OF_TOTAL, tlc.FEES))
    owing, wall = total - parts, (rows[_DROPOFF].dt.floor("s") - pickup.dt.floor("s")).dt.total_seconds()
    fall_back = (pickup.dt.month == 11) & (pickup.dt.day_of_week == 6) & (pickup.dt.day <= 7) & (pickup.dt.hour == 1)
    is_refund = (total < 0) & ~(_cents(rows["improvement_surcharge"]) > 0)
    flex = (rows["payment_type"] == tlc.FLEX).fillna(value=False)
    unstated = flex & (fare < 0) & ~is_refund & (parts + fees).isin([0, -250])
    codes = [_outside(rows[name], 0, 999) for name in ("vendorid", "payment_type", "ratecodeid", "passenger_count")]
    codes += [rows[name].notna() & (rows[name] % 1 != 0) for name in ("ratecodeid", "passenger_count")]
    amounts = [rows[name].abs() > 10_000 for name in tlc.MONEY_COLUMNS]
    rows["quarantine_reasons"] = _named(
        {
            "missing_pickup_time": pickup.isna(),
            "missing_dropoff_time": rows[_DROPOFF].isna(),
            "pickup_outside_month": (pickup < start) | (pickup >= end),
            "dropoff_before_pickup": (wall < 0) & ~(fall_back & (wall >= -3600)),
            "longer_than_24_hours": wall > 86_400,
            "zone_out_of_range": _any(
                [_unless(rows[name].between(1, 265)) for name in ("pulocationid", "dolocationid")]
            ),
            "impossible_distance": ~distance.between(0, 1000),
            "impossible_amount": _any([rows["fare_amount"].isna(), rows["total_amount"].isna(), *amounts]),
            "impossible_code": _any(codes),
            "exact_duplicate": repeated,
        }
    )
    unknown = [_unless(rows["vendorid"].isin([1, 2, 6, 7])), _unless(rows["payment_type"].isin(range(7)))]
    unknown.append(rows["ratecodeid"].notna() & ~rows["ratecodeid"].isin([1, 2, 3, 4, 5, 6, 99]))
    dispatch = [rows[name].isna() for name in ("passenger_count", "ratecodeid", "store_and_fwd_flag")]
    of_flex = _any([owing == cents for cents in (0, 250, -250)] + [owing == fees + cents for cents in (0, 250, -250)])
    vendor = rows["vendorid"].fillna(0)
    odd = np.select(
        [unstated, flex, vendor == tlc.CMT, vendor == tlc.CURB],
        [False, ~of_flex, owing != 0, owing != fees],
        (owing != 0) & (owing != fees),
    )
    rows["quality_flags"] = _named(
        {
            "zero_distance": distance == 0,
            "zero_duration": wall == 0,
            "implausible_distance": distance > 100,
            "implausible_duration": wall > 21_600,
            "implausible_speed": (distance > 0) & (wall > 0) & (distance * 3600 > 80 * wall),
            "implausible_fare_rate": (distance >= 1) & (fare.abs() > 5000 * distance),
            "zero_passengers": rows["passenger_count"] == 0,
            "unknown_rate_code": rows["ratecodeid"] == 99,
            "unknown_code": _any(unknown),
            "missing_dispatch_fields": _any(dispatch),
            "unknown_zone": (rows["pulocationid"] >= 264) | (rows["dolocationid"] >= 264),
            "ambiguous_clock_hour": fall_back,
            "total_does_not_add_up": pd.Series(odd, index=rows.index),
            "negative_fare": (fare < 0) & ~is_refund & ~unstated,
            "fare_not_stated": unstated,
        }
    )
    return rows.assign(fare_cents=fare, is_refund=is_refund, seconds=wall.where(wall >= 0, wall + 3600))


def _any(conditions: Sequence[pd.Series]) -> pd.Series:
    found = conditions[0].fillna(value=False).astype(bool)
    for condition in conditions[1:]:
        found |= condition.fillna(value=False).astype(bool)
    return found


def _unless(condition: pd.Series) -> pd.Series:
    """Where it does not hold, or is not known."""
    return ~condition.fillna(value=False).astype(bool)


def _links(usable: pd.DataFrame) -> pd.DataFrame:
    """Hash of a refund and of the trip that it reverses."""
    sign = np.where(usable["is_refund"], -100, 100)
    rows = usable[["row_hash", "trip_key", "is_refund"]].assign(
        total=_rounded(sign * usable["total_amount"]), fare=_rounded(sign * usable["fare_amount"])
    )
    rows = rows[rows["trip_key"].isin(rows.loc[rows["is_refund"], "trip_key"])].sort_values("row_hash")
    rows["turn"] = rows.groupby(["trip_key", "fare", "total", "is_refund"]).cumcount()
    opposite = _pairs(rows, ["trip_key", "fare", "total", "turn"])
    others = rows[~rows["row_hash"].isin(pd.concat([opposite["refund"], opposite["trip"]]))]
    others = others.sort_values(["total", "row_hash"])
    others["place"] = others.groupby(["trip_key", "fare", "is_refund"]).cumcount()
    return pd.concat([opposite, _pairs(others, ["trip_key", "fare", "place"])])


def _pairs(rows: pd.DataFrame, on: list[str]) -> pd.DataFrame:
    columns = [*on, "row_hash"]
    refunds, trips = rows.loc[rows["is_refund"], columns], rows.loc[~rows["is_refund"], columns]
    met = refunds.rename(columns={"row_hash": "refund"}).merge(trips.rename(columns={"row_hash": "trip"}), on=on)
    return met[["refund", "trip"]]


def _label(codes: pd.Series, labels: Mapping[int, str]) -> pd.Series:
    return codes.astype("float64").map(labels).fillna(tlc.UNKNOWN)


def _staged(usable: pd.DataFrame, zones: str, month: str) -> pd.DataFrame:
    links = _links(usable)
    lookup = pd.read_csv(zones, dtype=str, keep_default_na=False, na_values=[""])
    lookup.index = lookup.pop("LocationID").astype("int64")
    pickup, distance, seconds, fare = usable[_PICKUP], usable["trip_distance"], usable["seconds"], usable["fare_cents"]
    hour, weekday = pickup.dt.hour, pickup.dt.day_of_week + 1
    unlinked = usable["is_refund"] & ~usable["row_hash"].isin(links["refund"])
    flags = usable["quality_flags"]
    flags = flags.where(~unlinked, flags.where(flags == "", flags + ",") + "unlinked_refund")
    by_card = (usable["payment_type"] == tlc.CARD).fillna(value=False) & (fare > 0)
    staged = pd.DataFrame(
        {
            "month": month,
            "pickup_date": pickup.dt.normalize(),
            "time_of_day_category": np.select(
                [hour.between(6, 11), hour.between(12, 17), hour.between(18, 21)],
                ["Morning", "Afternoon", "Evening"],
                "Night",
            ),
            "vendor_id": usable["vendorid"],
            "vendor": _label(usable["vendorid"], tlc.VENDORS),
            "pickup_at": pickup,
            "dropoff_at": usable[_DROPOFF],
            "pickup_hour": hour,
            "pickup_day_of_week": weekday,
            "day_type": np.where(weekday >= 6, "Weekend", "Weekday"),
            "passenger_count": usable["passenger_count"].astype("Int64"),
            "trip_distance": distance,
            "distance_category": np.select(
                [distance <= 1, distance <= 2, distance <= 5, distance <= 10], ["0-1", "1-2", "2-5", "5-10"], "10+"
            ),
            "trip_duration_minutes": seconds / 60,
            "average_speed_mph": distance * 3600 / seconds.replace(0, np.nan),
            "rate_code_id": usable["ratecodeid"].astype("Int64"),
            "rate_code": _label(usable["ratecodeid"], tlc.RATE_CODES),
            "store_and_fwd_flag": usable["store_and_fwd_flag"],
            "payment_type": usable["payment_type"],
            "payment_method": _label(usable["payment_type"], tlc.PAYMENT_METHODS),
            **{name: _rounded(100 * usable[name]) for name in tlc.MONEY_COLUMNS},
            "fare_per_mile": fare / 100 / distance.replace(0, np.nan),
            "tip_percentage": (_rounded(usable["tip_amount"] * 100) * 100 / fare).where(by_card),
            "is_refund": usable["is_refund"],
            "quality_flags": flags,
            "trip_key": usable["trip_key"],
            "row_hash": usable["row_hash"],
            "is_refunded": usable["row_hash"].isin(links["trip"]),
            "extra_columns": None,
            "request_source": usable["request_source"],
        }
    )
    for end, key in (("pickup", "pulocationid"), ("dropoff", "dolocationid")):
        zone = usable[key]
        staged[f"{end}_location_id"] = zone
        staged[f"{end}_borough"] = zone.map(lookup["Borough"]).fillna(tlc.UNKNOWN)
        staged[f"{end}_zone"] = zone.map(lookup["Zone"]).fillna(tlc.UNKNOWN)
        staged[f"{end}_service_zone"] = zone.map(lookup["service_zone"])
    airports = [staged[f"{end}_service_zone"].isin(["Airports", "EWR"]) for end in ("pickup", "dropoff")]
    staged["is_airport_trip"] = airports[0] | airports[1]
    return staged.sort_values(["pickup_date", "time_of_day_category", "pickup_at"])


def _tables(staged: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The five tables by name. What an aggregate is not of, is null or zero in a column of its own beforehand."""
    trip = ~staged["is_refund"]
    card, cash, flex = (
        trip & (staged["payment_type"] == code).fillna(value=False) for code in (tlc.CARD, tlc.CASH, tlc.FLEX)
    )
    total, distance, minutes = staged["total_amount"], staged["trip_distance"], staged["trip_duration_minutes"]
    moving = trip & (distance > 0) & (minutes > 0)
    flagged = trip & (staged["quality_flags"] != "")
    rows = staged.assign(
        trips=trip.astype("int64"),
        refunds=staged["is_refund"].astype("int64"),
        net_revenue=total,
        gross_revenue=total.where(trip, 0),
        refunded=total.where(~trip, 0),
        card_trips=card,
        cash_trips=cash,
        flex_trips=flex,
        other_trips=trip & ~card & ~cash & ~flex,
        card_tips=staged["tip_amount"].where(card),
        card_fares=staged["fare_amount"].where(card),
        tipped=card & (staged["tip_amount"] > 0),
        passengers=staged["passenger_count"].where(trip).fillna(0),
        total_of_trip=total.where(trip),
        fare_of_trip=staged["fare_amount"].where(trip),
        distance_of_trip=distance.where(trip),
        minutes_of_trip=minutes.where(trip),
        speed_of_trip=staged["average_speed_mph"].where(moving),
        miles_moving=distance.where(moving),
        minutes_moving=minutes.where(moving),
        with_distance=total.where(trip & (distance > 0)),
        with_time=total.where(trip & (minutes > 0)),
        flagged_trips=flagged,
        warning_trips=flagged & staged["quality_flags"].str.contains(rf"\b(?:{_WARNINGS})\b"),
        airport_trips=trip & staged["is_airport_trip"],
        uncollected_revenue=total.where(trip & staged["payment_type"].isin(tlc.UNCOLLECTED), 0),
        unlinked_refunds=staged["quality_flags"].str.contains("unlinked_refund", regex=False),
        **{
            f"{name}_trips": trip & ((staged["pickup_location_id"] == zone) | (staged["dropoff_location_id"] == zone))
            for name, zone in (("jfk", tlc.JFK), ("laguardia", tlc.LAGUARDIA), ("newark", tlc.NEWARK))
        },
    )
    return {
        "daily_metrics": _daily_metrics(rows),
        "location_analytics": _location_analytics(rows),
        "time_series_analysis": _time_series(rows),
        "customer_behavior": _customer_behavior(rows),
        "performance_summary": _performance_summary(rows),
    }


_VOLUME = ("trips", "refunds", "net_revenue", "gross_revenue", "refunded")
_PAYMENTS = ("card_trips", "cash_trips", "flex_trips", "other_trips")
_MEANS = {
    "average_total": "total_of_trip",
    "average_distance": "distance_of_trip",
    "average_duration": "minutes_of_trip",
    "average_fare": "fare_of_trip",
}
_IN_CENTS = ("average_total", "average_fare")


def _grouped(rows: pd.DataFrame, by: list[str], sums: Sequence[str], means: Sequence[str] = ()) -> pd.DataFrame:
    """Sums (null of no values), means in dollars, and the speed of each group, in order."""
    groups = rows.groupby(["month", *by], dropna=False)
    table = groups[[*sums, "miles_moving", "minutes_moving"]].sum(min_count=1)
    for name in means:
        table[name] = groups[_MEANS[name]].mean() / (100 if name in _IN_CENTS else 1)
    table["average_speed"] = table["miles_moving"] * 60 / table["minutes_moving"]
    return table


def _daily_metrics(rows: pd.DataFrame) -> pd.DataFrame:
    by = ["pickup_date", "day_type"]
    amounts = {
        "fares": "fare_amount",
        "extras": "extra",
        "mta_taxes": "mta_tax",
        "tolls": "tolls_amount",
        "tips": "tip_amount",
        "improvement_surcharges": "improvement_surcharge",
        "airport_fees": "airport_fee",
        "congestion_surcharges": "congestion_surcharge",
        "cbd_congestion_fees": "cbd_congestion_fee",
    }
    for name, column in amounts.items():
        began = tlc.FEE_BEGAN.get(column)
        rows[name] = rows[column].where(rows["pickup_date"] >= pd.Timestamp(began)) if began else rows[column]
    at = ("airport_trips", "jfk_trips", "laguardia_trips", "newark_trips")
    quality = ("flagged_trips", "warning_trips", "unlinked_refunds", "is_refunded")
    sums = [
        *_VOLUME,
        "passengers",
        *_PAYMENTS,
        "card_tips",
        "card_fares",
        *at,
        *quality,
        "uncollected_revenue",
        *amounts,
    ]
    table = _grouped(rows, by, sums, ("average_total", "average_distance", "average_duration"))
    groups = rows.groupby(["month", *by])
    of_distribution = {"total": "total_of_trip", "distance": "distance_of_trip"}
    of_distribution |= {"duration": "minutes_of_trip", "speed": "speed_of_trip"}
    for name, column in of_distribution.items():
        for prefix, part in (("median", 0.5), ("p95", 0.95)):
            table[f"{prefix}_{name}"] = groups[column].quantile(part) / (100 if name == "total" else 1)
    for kind in ("card", "cash", "flex", "other", "flagged"):
        table[f"{kind}_share"] = table[f"{kind}_trips"] / table["trips"]
    table["card_tip_rate"] = table["card_tips"] / table["card_fares"]
    table["info_trips"] = table["flagged_trips"] - table["warning_trips"]
    return table.reset_index().rename(columns={"is_refunded": "refunded_trips"})


def _location_analytics(rows: pd.DataFrame) -> pd.DataFrame:
    ends = [f"{end}_{part}" for end in ("pickup", "dropoff") for part in ("location_id", "borough", "zone")]
    means = ("average_fare", "average_distance", "average_duration")
    table = _grouped(rows, [*ends, "day_type"], [*_VOLUME, *_PAYMENTS, "card_tips", "card_fares"], means).reset_index()
    table[["card_tips", "card_fares"]] = table[["card_tips", "card_fares"]].fillna(0)
    table["share_of_pickups"] = table["trips"] / table.groupby("pickup_location_id")["trips"].transform("sum").replace(
        0, np.nan
    )
    return table.sort_values(["pickup_location_id", "dropoff_location_id", "day_type"])


def _time_series(rows: pd.DataFrame) -> pd.DataFrame:
    by = ["pickup_date", "pickup_hour", "time_of_day_category", "day_type"]
    table = _grouped(rows, by, _VOLUME, ("average_total", "average_distance", "average_duration"))
    totals = rows.groupby(["month", *by])["total_of_trip"]
    table["stddev_total"], table["min_total"], table["max_total"] = totals.std() / 100, totals.min(), totals.max()
    return table.reset_index()


def _customer_behavior(rows: pd.DataFrame) -> pd.DataFrame:
    count = rows["passenger_count"].astype("float64")
    names = ["Unknown", "None entered", "Solo", "Pair", "Group of 3-4"]
    group = np.select([count.isna(), count == 0, count == 1, count == 2, count <= 4], names, "Group of 5 or more")
    by = ["pickup_date", "payment_method", "passenger_group", "time_of_day_category"]
    sums = [*_VOLUME, "card_tips", "card_fares", "card_trips", "tipped"]
    table = _grouped(rows.assign(passenger_group=group), by, sums, ("average_total",)).reset_index()
    table["card_tip_rate"] = table["card_tips"] / table["card_fares"]
    table["tipped_share"] = table["tipped"] / table["card_trips"].replace(0, np.nan)
    table["card_tips"] = table["card_tips"].fillna(0)
    table["share_of_day"] = table["trips"] / table.groupby("pickup_date")["trips"].transform("sum")
    return table


def _performance_summary(rows: pd.DataFrame) -> pd.DataFrame:
    by = ["pickup_date", "vendor", "rate_code", "distance_category"]
    sums = [*_VOLUME, "distance_of_trip", "minutes_of_trip", "with_distance", "with_time", "flagged_trips"]
    table = _grouped(rows, by, sums).reset_index()
    table = table.rename(columns={"distance_of_trip": "total_miles", "minutes_of_trip": "total_minutes"})
    table["revenue_per_mile"] = table["with_distance"] / 100 / table["total_miles"].replace(0, np.nan)
    table["revenue_per_minute"] = table["with_time"] / 100 / table["total_minutes"].replace(0, np.nan)
    table["flagged_share"] = table["flagged_trips"] / table["trips"].replace(0, np.nan)
    return table


if __name__ == "__main__":
    main(*sys.argv[1:])
