"""A peer of the benchmark: stage_trips and build_curated as a person would write them in Polars.

    python -m taxi_assets_tests.benchmarks.polars_peer MONTH TRIPS.parquet ZONES.csv OUT_FOLDER

Same inputs, rules, files and columns as ``duckdb_peer``, with which ``test_peers`` compares it. Hashes are Polars' own.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import polars as pl
from polars import col, lit, when

from glue_jobs.contracts import tlc
from glue_jobs.contracts.months import month_bounds
from glue_jobs.contracts.rules import Severity, Tier, rules_of

_SOURCE_TYPES: dict[str, pl.DataType | type[pl.DataType]] = {
    **dict.fromkeys(("vendorid", "pulocationid", "dolocationid", "payment_type"), pl.Int64),
    **dict.fromkeys(("passenger_count", "ratecodeid", "trip_distance", *tlc.MONEY_COLUMNS), pl.Float64),
    **dict.fromkeys(("store_and_fwd_flag", "request_source"), pl.String),
    **dict.fromkeys(("tpep_pickup_datetime", "tpep_dropoff_datetime"), pl.Datetime("us")),
}
_PICKUP, _DROPOFF = col("tpep_pickup_datetime"), col("tpep_dropoff_datetime")
_WARNINGS = [rule.rule_id for rule in rules_of(Tier.FLAG) if rule.severity is Severity.WARNING]


def main(month: str, trips: str, zones: str, out: str) -> None:
    """Write quarantine, trips and the five tables below ``out``."""
    Path(out).mkdir(parents=True)
    judged = _judged(_source(trips), month)
    reasons = col("quarantine_reasons")
    judged.filter(reasons != "").select(
        lit(month).alias("month"),
        *(column.name for column in tlc.TRIP_COLUMNS),
        reasons,
        "row_hash",
        lit("0").alias("source_sha256"),
        lit(None, pl.String).alias("extra_columns"),
    ).write_parquet(f"{out}/quarantine.parquet")
    staged = _staged(judged.filter(reasons == ""), zones, month)
    del judged
    folders = pl.PartitionBy(f"{out}/trips", key=["date", "time_of_day"], include_key=False)
    staged.lazy().with_columns(date="pickup_date", time_of_day="time_of_day_category").sink_parquet(folders, mkdir=True)
    for name, table in _tables(staged).items():
        table.write_parquet(f"{out}/{name}.parquet")


def _source(trips: str) -> pl.DataFrame:
    read = pl.read_parquet(trips)
    read = read.rename({name: name.lower() for name in read.columns})
    there = [
        (col(column.name) if column.name in read.columns else lit(None).alias(column.name)).cast(
            _SOURCE_TYPES[column.name]
        )
        for column in tlc.TRIP_COLUMNS
    ]
    return read.select(there)


def _cents(column: str) -> pl.Expr:
    return when(col(column).abs() <= 10_000).then(_rounded(col(column) * 100).cast(pl.Int64)).otherwise(0)


def _rounded(value: pl.Expr) -> pl.Expr:
    return value.round(mode="half_away_from_zero")


def _named(conditions: Mapping[str, pl.Expr]) -> pl.Expr:
    """The names whose condition holds, joined by commas."""
    return pl.concat_str(
        [when(condition).then(lit(name)) for name, condition in conditions.items()], separator=",", ignore_nulls=True
    )


def _judged(source: pl.DataFrame, month: str) -> pl.DataFrame:
    start, end = month_bounds(month)
    marked = source.with_columns(
        row_hash=source.hash_rows(seed=1),
        trip_key=source.select(tlc.TRIP_KEY_COLUMNS).hash_rows(seed=2),
        fare_cents=_cents("fare_amount"),
        total_cents=_cents("total_amount"),
        part_cents=pl.sum_horizontal(_cents(name) for name in tlc.PARTS_OF_TOTAL),
        fee_cents=pl.sum_horizontal(_cents(name) for name in tlc.FEES),
        wall_seconds=_DROPOFF.dt.epoch("s") - _PICKUP.dt.epoch("s"),
        in_fall_back_hour=(_PICKUP.dt.month() == 11)
        & (_PICKUP.dt.weekday() == 7)
        & (_PICKUP.dt.day() <= 7)
        & (_PICKUP.dt.hour() == 1),
    ).with_columns(
        owing_cents=col("total_cents") - col("part_cents"),
        is_refund=(col("total_cents") < 0) & ~(_cents("improvement_surcharge") > 0),
        is_repeated=~col("row_hash").is_first_distinct(),
    )
    marked = marked.with_columns(
        is_unstated=(
            (col("payment_type") == 0)
            & (col("fare_cents") < 0)
            & ~col("is_refund")
            & (col("part_cents") + col("fee_cents")).is_in([0, -250])
        ).fill_null(value=False)
    )
    return marked.with_columns(
        quarantine_reasons=_named(_reasons(start, end)),
        quality_flags=_named(_flags()),
    )


def _reasons(start: date, end: date) -> dict[str, pl.Expr]:
    wall, distance = col("wall_seconds"), col("trip_distance")
    zones = [col(name).is_null() | ~col(name).is_between(1, 265) for name in ("pulocationid", "dolocationid")]
    amounts = [col(name).is_nan() | (col(name).abs() > 10_000) for name in tlc.MONEY_COLUMNS]
    codes = [~col(name).is_between(0, 999) for name in ("vendorid", "payment_type", "ratecodeid", "passenger_count")]
    codes += [col(name) != col(name).floor() for name in ("ratecodeid", "passenger_count")]
    return {
        "missing_pickup_time": _PICKUP.is_null(),
        "missing_dropoff_time": _DROPOFF.is_null(),
        "pickup_outside_month": ~_PICKUP.is_between(start, end, closed="left"),
        "dropoff_before_pickup": (wall < 0) & ~(col("in_fall_back_hour") & (wall >= -3600)),
        "longer_than_24_hours": wall > 86_400,
        "zone_out_of_range": pl.any_horizontal(zones),
        "impossible_distance": distance.is_null() | distance.is_nan() | ~distance.is_between(0, 1000),
        "impossible_amount": col("fare_amount").is_null() | col("total_amount").is_null() | pl.any_horizontal(amounts),
        "impossible_code": pl.any_horizontal(codes),
        "exact_duplicate": col("is_repeated"),
    }


def _flags() -> dict[str, pl.Expr]:
    wall, distance, owing, fees = col("wall_seconds"), col("trip_distance"), col("owing_cents"), col("fee_cents")
    codes = {"vendorid": [1, 2, 6, 7], "payment_type": [0, 1, 2, 3, 4, 5, 6]}
    unknown = [col(name).is_null() | ~col(name).is_in(known) for name, known in codes.items()]
    unknown.append(~col("ratecodeid").is_in([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 99.0]))
    dispatch = [col(name).is_null() for name in ("passenger_count", "ratecodeid", "store_and_fwd_flag")]
    flex = [owing == cents for cents in (0, 250, -250)] + [owing == fees + cents for cents in (0, 250, -250)]
    return {
        "zero_distance": distance == 0,
        "zero_duration": wall == 0,
        "implausible_distance": distance > 100,
        "implausible_duration": wall > 21_600,
        "implausible_speed": (distance > 0) & (wall > 0) & (distance * 3600 > 80 * wall),
        "implausible_fare_rate": (distance >= 1) & (col("fare_cents").abs() > 5000 * distance),
        "zero_passengers": col("passenger_count") == 0,
        "unknown_rate_code": col("ratecodeid") == 99,
        "unknown_code": pl.any_horizontal(unknown),
        "missing_dispatch_fields": pl.any_horizontal(dispatch),
        "unknown_zone": (col("pulocationid") >= 264) | (col("dolocationid") >= 264),
        "ambiguous_clock_hour": col("in_fall_back_hour"),
        "total_does_not_add_up": when(col("is_unstated"))
        .then(statement=False)
        .when(col("payment_type") == 0)
        .then(~pl.any_horizontal(flex))
        .when(col("vendorid") == 1)
        .then(owing != 0)
        .when(col("vendorid") == 2)
        .then(owing != fees)
        .otherwise((owing != 0) & (owing != fees)),
        "negative_fare": (col("fare_cents") < 0) & ~col("is_refund") & ~col("is_unstated"),
        "fare_not_stated": col("is_unstated"),
    }


def _links(usable: pl.DataFrame) -> pl.DataFrame:
    """Hash of a refund and of the trip that it reverses."""
    sign = when(col("is_refund")).then(-100).otherwise(100)
    amounts = usable.select(
        "row_hash",
        "trip_key",
        "is_refund",
        total=_rounded(sign * col("total_amount")),
        fare=_rounded(sign * col("fare_amount")),
    )
    keys = amounts.filter("is_refund").get_column("trip_key").unique()
    numbered = amounts.filter(col("trip_key").is_in(keys.implode())).sort("row_hash")
    numbered = numbered.with_columns(turn=pl.int_range(pl.len()).over("trip_key", "fare", "total", "is_refund"))
    opposite = _pairs(numbered, ["trip_key", "fare", "total", "turn"])
    met = pl.concat([opposite["refund"], opposite["trip"]])
    others = numbered.filter(~col("row_hash").is_in(met.implode())).sort("total", "row_hash")
    others = others.with_columns(place=pl.int_range(pl.len()).over("trip_key", "fare", "is_refund"))
    return pl.concat([opposite, _pairs(others, ["trip_key", "fare", "place"])])


def _pairs(rows: pl.DataFrame, on: list[str]) -> pl.DataFrame:
    refunds, trips = rows.filter("is_refund"), rows.filter(~col("is_refund"))
    return refunds.join(trips, on=on, suffix="_of_trip").select(refund="row_hash", trip="row_hash_of_trip")


def _label(column: str, labels: Mapping[int, str]) -> pl.Expr:
    return col(column).replace_strict(labels, default=tlc.UNKNOWN, return_dtype=pl.String)


def _staged(usable: pl.DataFrame, zones: str, month: str) -> pl.DataFrame:
    links = _links(usable)
    lookup = pl.read_csv(zones, infer_schema=False).with_columns(col("LocationID").cast(pl.Int64))
    for prefix, key in (("pickup", "pulocationid"), ("dropoff", "dolocationid")):
        of_end = lookup.select(
            col("LocationID").alias(key),
            col("Borough").alias(f"{prefix}_borough"),
            col("Zone").alias(f"{prefix}_zone"),
            col("service_zone").alias(f"{prefix}_service_zone"),
        )
        usable = usable.join(of_end, on=key, how="left", maintain_order="left")
    hour, weekday, distance = _PICKUP.dt.hour(), _PICKUP.dt.weekday(), col("trip_distance")
    seconds = when(col("wall_seconds") < 0).then(col("wall_seconds") + 3600).otherwise("wall_seconds").cast(pl.Float64)
    airports = [col(f"{end}_service_zone").is_in(["Airports", "EWR"]) for end in ("pickup", "dropoff")]
    unlinked = col("is_refund") & ~col("row_hash").is_in(links["refund"].implode())
    flags = [when(col("quality_flags") != "").then("quality_flags"), when(unlinked).then(lit("unlinked_refund"))]
    return usable.select(
        lit(month).alias("month"),
        _PICKUP.dt.date().alias("pickup_date"),
        when(hour.is_between(6, 11))
        .then(lit("Morning"))
        .when(hour.is_between(12, 17))
        .then(lit("Afternoon"))
        .when(hour.is_between(18, 21))
        .then(lit("Evening"))
        .otherwise(lit("Night"))
        .alias("time_of_day_category"),
        col("vendorid").cast(pl.Int32).alias("vendor_id"),
        _label("vendorid", tlc.VENDORS).alias("vendor"),
        _PICKUP.alias("pickup_at"),
        _DROPOFF.alias("dropoff_at"),
        hour.cast(pl.Int32).alias("pickup_hour"),
        weekday.cast(pl.Int32).alias("pickup_day_of_week"),
        when(weekday >= 6).then(lit("Weekend")).otherwise(lit("Weekday")).alias("day_type"),
        col("passenger_count").cast(pl.Int32),
        distance,
        distance.cut([1, 2, 5, 10], labels=["0-1", "1-2", "2-5", "5-10", "10+"])
        .cast(pl.String)
        .alias("distance_category"),
        (seconds / 60).alias("trip_duration_minutes"),
        when(seconds != 0).then(distance * 3600 / seconds).alias("average_speed_mph"),
        col("ratecodeid").cast(pl.Int32).alias("rate_code_id"),
        _label("ratecodeid", tlc.RATE_CODES).alias("rate_code"),
        "store_and_fwd_flag",
        *(
            expression
            for prefix, key in (("pickup", "pulocationid"), ("dropoff", "dolocationid"))
            for expression in (
                col(key).cast(pl.Int32).alias(f"{prefix}_location_id"),
                col(f"{prefix}_borough").fill_null(tlc.UNKNOWN),
                col(f"{prefix}_zone").fill_null(tlc.UNKNOWN),
                col(f"{prefix}_service_zone"),
            )
        ),
        col("payment_type").cast(pl.Int32),
        _label("payment_type", tlc.PAYMENT_METHODS).alias("payment_method"),
        *(col(name).round(2, mode="half_away_from_zero").cast(pl.Decimal(10, 2)) for name in tlc.MONEY_COLUMNS),
        when(distance != 0).then(col("fare_cents") / 100 / distance).alias("fare_per_mile"),
        when((col("payment_type") == tlc.CARD) & (col("fare_cents") > 0))
        .then(_rounded(col("tip_amount") * 100) * 100 / col("fare_cents"))
        .alias("tip_percentage"),
        pl.any_horizontal(airports).fill_null(value=False).alias("is_airport_trip"),
        "is_refund",
        pl.concat_str(flags, separator=",", ignore_nulls=True).alias("quality_flags"),
        "trip_key",
        "row_hash",
        col("row_hash").is_in(links["trip"].implode()).alias("is_refunded"),
        lit(None, pl.String).alias("extra_columns"),
        "request_source",
    ).sort("pickup_date", "time_of_day_category", "pickup_at")


_TRIP = ~col("is_refund")
_OF_CARDS = _TRIP & (col("payment_type") == tlc.CARD)


def _count(condition: pl.Expr) -> pl.Expr:
    return condition.sum().cast(pl.Int64)


def _total(column: str, condition: pl.Expr) -> pl.Expr:
    return col(column).filter(condition).sum()


def _mean(column: str) -> pl.Expr:
    return col(column).cast(pl.Float64).filter(_TRIP).mean()


def _ratio(above: pl.Expr, below: pl.Expr) -> pl.Expr:
    """Null where there is nothing to divide by."""
    return when(below != 0).then(above.cast(pl.Float64) / below.cast(pl.Float64))


_VOLUME = {
    "trips": _count(_TRIP),
    "refunds": _count(col("is_refund")),
    "net_revenue": col("total_amount").sum(),
    "gross_revenue": _total("total_amount", _TRIP),
    "refunded": _total("total_amount", col("is_refund")),
}
_PAYMENTS = {
    "card_trips": _count(_OF_CARDS),
    "cash_trips": _count(_TRIP & (col("payment_type") == tlc.CASH)),
    "flex_trips": _count(_TRIP & (col("payment_type") == tlc.FLEX)),
    "other_trips": _count(_TRIP & ~col("payment_type").is_in([0, 1, 2]).fill_null(value=False)),
}
_MOVING = _TRIP & (col("trip_distance") > 0) & (col("trip_duration_minutes") > 0)
_SPEED = {
    "average_speed": _ratio(_total("trip_distance", _MOVING) * 60, _total("trip_duration_minutes", _MOVING)),
}


def _tables(staged: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The five tables by name."""
    return {
        "daily_metrics": _daily_metrics(staged),
        "location_analytics": _location_analytics(staged),
        "time_series_analysis": _grouped(
            staged,
            ["pickup_date", "pickup_hour", "time_of_day_category", "day_type"],
            {
                **_VOLUME,
                "average_total": _mean("total_amount"),
                "average_distance": _mean("trip_distance"),
                "average_duration": _mean("trip_duration_minutes"),
                **_SPEED,
                "stddev_total": col("total_amount").cast(pl.Float64).filter(_TRIP).std(),
                "min_total": col("total_amount").filter(_TRIP).min(),
                "max_total": col("total_amount").filter(_TRIP).max(),
            },
        ),
        "customer_behavior": _customer_behavior(staged),
        "performance_summary": _performance_summary(staged),
    }


def _grouped(staged: pl.DataFrame, by: list[str], measures: Mapping[str, pl.Expr]) -> pl.DataFrame:
    return staged.group_by("month", *by).agg(**measures).sort(by)


def _daily_metrics(staged: pl.DataFrame) -> pl.DataFrame:
    of_distribution = {
        "total": ("total_amount", _TRIP),
        "distance": ("trip_distance", _TRIP),
        "duration": ("trip_duration_minutes", _TRIP),
        "speed": ("average_speed_mph", _MOVING),
    }
    at = {"jfk": tlc.JFK, "laguardia": tlc.LAGUARDIA, "newark": tlc.NEWARK}
    sums = {
        "fares": "fare_amount",
        "extras": "extra",
        "mta_taxes": "mta_tax",
        "tolls": "tolls_amount",
        "tips": "tip_amount",
    }
    fees = {
        "improvement_surcharges": "improvement_surcharge",
        "airport_fees": "airport_fee",
        "congestion_surcharges": "congestion_surcharge",
        "cbd_congestion_fees": "cbd_congestion_fee",
    }
    warned = pl.any_horizontal(col("quality_flags").str.contains(rf"\b{name}\b") for name in _WARNINGS)
    measures = {
        **_VOLUME,
        "passengers": _total("passenger_count", _TRIP).cast(pl.Int64),
        **{f"average_{name}": _mean(of_distribution[name][0]) for name in ("total", "distance", "duration")},
        **{
            f"{prefix}_{name}": col(column).cast(pl.Float64).filter(of).quantile(part, "linear")
            for name, (column, of) in of_distribution.items()
            for prefix, part in (("median", 0.5), ("p95", 0.95))
        },
        **_SPEED,
        **_PAYMENTS,
        "card_tips": _total("tip_amount", _OF_CARDS),
        "card_tip_rate": _ratio(_total("tip_amount", _OF_CARDS), _total("fare_amount", _OF_CARDS)),
        "airport_trips": _count(_TRIP & col("is_airport_trip")),
        **{
            f"{name}_trips": _count(
                _TRIP & ((col("pickup_location_id") == zone) | (col("dropoff_location_id") == zone))
            )
            for name, zone in at.items()
        },
        **{name: col(column).sum() for name, column in sums.items()},
        **{
            name: when(_stated(column).any()).then(col(column).filter(_stated(column)).sum())
            for name, column in fees.items()
        },
        "uncollected_revenue": _total("total_amount", _TRIP & col("payment_type").is_in(list(tlc.UNCOLLECTED))),
        "flagged_trips": _count(_TRIP & (col("quality_flags") != "")),
        "warning_trips": _count(_TRIP & warned),
        "refunded_trips": _count(col("is_refunded")),
        "unlinked_refunds": _count(col("quality_flags").str.contains("unlinked_refund", literal=True)),
    }
    return _grouped(staged, ["pickup_date", "day_type"], measures).with_columns(
        **{
            f"{kind}_share": col(f"{kind}_trips") / col("trips")
            for kind in ("card", "cash", "flex", "other", "flagged")
        },
        info_trips=col("flagged_trips") - col("warning_trips"),
    )


def _stated(column: str) -> pl.Expr:
    """Whether a row states a fee, and was picked up since it began."""
    began = tlc.FEE_BEGAN.get(column)
    return col(column).is_not_null() & (col("pickup_date") >= began if began else lit(value=True))


def _location_analytics(staged: pl.DataFrame) -> pl.DataFrame:
    ends = [f"{end}_{part}" for end in ("pickup", "dropoff") for part in ("location_id", "borough", "zone")]
    measures = {
        **_VOLUME,
        "average_fare": _mean("fare_amount"),
        "average_distance": _mean("trip_distance"),
        "average_duration": _mean("trip_duration_minutes"),
        **_PAYMENTS,
        "card_tips": _total("tip_amount", _OF_CARDS),
        "card_fares": _total("fare_amount", _OF_CARDS),
    }
    share = _ratio(col("trips"), col("trips").sum().over("pickup_location_id"))
    table = _grouped(staged, [*ends, "day_type"], measures).with_columns(share_of_pickups=share)
    return table.sort("pickup_location_id", "dropoff_location_id", "day_type")


def _customer_behavior(staged: pl.DataFrame) -> pl.DataFrame:
    passengers = col("passenger_count")
    group = (
        when(passengers.is_null())
        .then(lit("Unknown"))
        .when(passengers == 0)
        .then(lit("None entered"))
        .when(passengers == 1)
        .then(lit("Solo"))
        .when(passengers == 2)
        .then(lit("Pair"))
        .when(passengers <= 4)
        .then(lit("Group of 3-4"))
        .otherwise(lit("Group of 5 or more"))
    )
    measures = {
        **_VOLUME,
        "average_total": _mean("total_amount"),
        "card_tips": _total("tip_amount", _OF_CARDS),
        "card_tip_rate": _ratio(_total("tip_amount", _OF_CARDS), _total("fare_amount", _OF_CARDS)),
        "tipped_share": _ratio(_count(_OF_CARDS & (col("tip_amount") > 0)), _count(_OF_CARDS)),
    }
    by = ["pickup_date", "payment_method", "passenger_group", "time_of_day_category"]
    share = _ratio(col("trips"), col("trips").sum().over("pickup_date"))
    return _grouped(staged.with_columns(passenger_group=group), by, measures).with_columns(share_of_day=share)


def _performance_summary(staged: pl.DataFrame) -> pl.DataFrame:
    miles, minutes = _total("trip_distance", _TRIP), _total("trip_duration_minutes", _TRIP)
    with_distance, with_time = (_TRIP & (col(name) > 0) for name in ("trip_distance", "trip_duration_minutes"))
    measures = {
        **_VOLUME,
        "total_miles": miles,
        "total_minutes": minutes,
        "revenue_per_mile": _ratio(_total("total_amount", with_distance), miles),
        "revenue_per_minute": _ratio(_total("total_amount", with_time), minutes),
        **_SPEED,
        "flagged_share": _ratio(_count(_TRIP & (col("quality_flags") != "")), _count(_TRIP)),
    }
    return _grouped(staged, ["pickup_date", "vendor", "rate_code", "distance_category"], measures)


if __name__ == "__main__":
    main(*sys.argv[1:])
