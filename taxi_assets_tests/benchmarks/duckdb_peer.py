"""The peer of the benchmark: stage_trips and build_curated as a person would write them in DuckDB's SQL.

    python -m taxi_assets_tests.benchmarks.duckdb_peer MONTH TRIPS.parquet ZONES.csv OUT_FOLDER

Same inputs, same rules, same output files and columns (tested equal, but for the last digits of averages, which
DuckDB sums in another order, and for hashes, which are DuckDB's own). It has no contracts, no reports and no second
engine: it is what speed costs.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

from glue_jobs.contracts import tlc
from glue_jobs.contracts.rules import Severity, Tier, rules_of

_RAW = """
CREATE TABLE judged AS
WITH source AS (
    SELECT VendorID::BIGINT AS vendorid, tpep_pickup_datetime, tpep_dropoff_datetime,
        passenger_count::DOUBLE AS passenger_count, trip_distance, RatecodeID::DOUBLE AS ratecodeid,
        store_and_fwd_flag, PULocationID::BIGINT AS pulocationid, DOLocationID::BIGINT AS dolocationid, payment_type,
        fare_amount, extra, mta_tax, tip_amount, tolls_amount, improvement_surcharge, total_amount,
        congestion_surcharge, Airport_fee AS airport_fee,
        NULL::DOUBLE AS cbd_congestion_fee, NULL::VARCHAR AS request_source
    FROM read_parquet('{trips}')
), hashed AS (
    SELECT *, hash(source) AS row_hash, hash({trip_key}) AS trip_key,
        {fare} AS fare_cents, {total} - ({parts}) AS owing_cents, {parts} AS part_cents, {fees} AS fee_cents,
        {total} < 0 AND NOT coalesce({surcharge} > 0, false) AS is_refund,
        payment_type = 0 AND fare_cents < 0 AND NOT is_refund AND part_cents + fee_cents IN (0, -250) AS is_unstated,
        date_diff('second', tpep_pickup_datetime, tpep_dropoff_datetime) AS wall_seconds,
        month(tpep_pickup_datetime) = 11 AND dayofweek(tpep_pickup_datetime) = 0
            AND day(tpep_pickup_datetime) <= 7 AND hour(tpep_pickup_datetime) = 1 AS in_fall_back_hour
    FROM source
), suspects AS (
    SELECT row_hash FROM hashed GROUP BY row_hash HAVING count(*) > 1
), marked AS (
    SELECT *, false AS is_repeated FROM hashed WHERE row_hash NOT IN (FROM suspects)
    UNION ALL
    SELECT *, row_number() OVER (PARTITION BY {columns}) > 1
    FROM (SELECT * FROM hashed WHERE row_hash IN (FROM suspects))
)
SELECT *,
    concat_ws(',',
        CASE WHEN tpep_pickup_datetime IS NULL THEN 'missing_pickup_time' END,
        CASE WHEN tpep_dropoff_datetime IS NULL THEN 'missing_dropoff_time' END,
        CASE WHEN tpep_pickup_datetime < '{month}-01'::DATE
            OR tpep_pickup_datetime >= '{month}-01'::DATE + INTERVAL 1 MONTH THEN 'pickup_outside_month' END,
        CASE WHEN wall_seconds < 0 AND NOT (in_fall_back_hour AND wall_seconds >= -3600)
            THEN 'dropoff_before_pickup' END,
        CASE WHEN wall_seconds > 86400 THEN 'longer_than_24_hours' END,
        CASE WHEN pulocationid IS NULL OR pulocationid NOT BETWEEN 1 AND 265
            OR dolocationid IS NULL OR dolocationid NOT BETWEEN 1 AND 265 THEN 'zone_out_of_range' END,
        CASE WHEN trip_distance IS NULL OR isnan(trip_distance) OR trip_distance NOT BETWEEN 0 AND 1000
            THEN 'impossible_distance' END,
        CASE WHEN fare_amount IS NULL OR total_amount IS NULL OR {impossible_amounts} THEN 'impossible_amount' END,
        CASE WHEN vendorid NOT BETWEEN 0 AND 999 OR payment_type NOT BETWEEN 0 AND 999
            OR ratecodeid NOT BETWEEN 0 AND 999 OR ratecodeid <> floor(ratecodeid)
            OR passenger_count NOT BETWEEN 0 AND 999 OR passenger_count <> floor(passenger_count)
            THEN 'impossible_code' END,
        CASE WHEN is_repeated THEN 'exact_duplicate' END) AS quarantine_reasons,
    concat_ws(',',
        CASE WHEN trip_distance = 0 THEN 'zero_distance' END,
        CASE WHEN wall_seconds = 0 THEN 'zero_duration' END,
        CASE WHEN trip_distance > 100 THEN 'implausible_distance' END,
        CASE WHEN wall_seconds > 21600 THEN 'implausible_duration' END,
        CASE WHEN trip_distance > 0 AND wall_seconds > 0 AND trip_distance * 3600 > 80 * wall_seconds
            THEN 'implausible_speed' END,
        CASE WHEN trip_distance >= 1 AND abs(fare_cents) > 5000 * trip_distance THEN 'implausible_fare_rate' END,
        CASE WHEN passenger_count = 0 THEN 'zero_passengers' END,
        CASE WHEN ratecodeid = 99 THEN 'unknown_rate_code' END,
        CASE WHEN vendorid IS NULL OR vendorid NOT IN (1, 2, 6, 7) OR ratecodeid NOT IN (1, 2, 3, 4, 5, 6, 99)
            OR payment_type IS NULL OR payment_type NOT IN (0, 1, 2, 3, 4, 5, 6) THEN 'unknown_code' END,
        CASE WHEN passenger_count IS NULL OR ratecodeid IS NULL OR store_and_fwd_flag IS NULL
            THEN 'missing_dispatch_fields' END,
        CASE WHEN pulocationid >= 264 OR dolocationid >= 264 THEN 'unknown_zone' END,
        CASE WHEN in_fall_back_hour THEN 'ambiguous_clock_hour' END,
        CASE WHEN CASE
            WHEN is_unstated THEN false
            WHEN payment_type = 0 THEN owing_cents NOT IN (0, 250, -250, fee_cents, fee_cents + 250, fee_cents - 250)
            WHEN vendorid = 1 THEN owing_cents <> 0
            WHEN vendorid = 2 THEN owing_cents <> fee_cents
            ELSE owing_cents NOT IN (0, fee_cents) END THEN 'total_does_not_add_up' END,
        CASE WHEN fare_cents < 0 AND NOT is_refund AND NOT coalesce(is_unstated, false) THEN 'negative_fare' END,
        CASE WHEN is_unstated THEN 'fare_not_stated' END) AS quality_flags
FROM marked
"""
_QUARANTINE = """
COPY (SELECT '{month}' AS month, * EXCLUDE (row_hash, trip_key, fare_cents, owing_cents, part_cents, fee_cents,
        wall_seconds, in_fall_back_hour, is_refund, is_unstated, is_repeated, quality_flags, quarantine_reasons),
        quarantine_reasons, row_hash, '0' AS source_sha256, NULL::VARCHAR AS extra_columns
    FROM judged WHERE quarantine_reasons <> '')
TO '{out}/quarantine.parquet' (FORMAT parquet, COMPRESSION zstd)
"""
_TRIPS = """
CREATE TABLE staged AS
WITH zones AS (FROM read_csv('{zones}', header = true, all_varchar = true)), usable AS (
    SELECT *, (CASE WHEN wall_seconds < 0 THEN wall_seconds + 3600 ELSE wall_seconds END)::DOUBLE AS seconds
    FROM judged WHERE quarantine_reasons = ''
), amounts AS (
    SELECT row_hash, trip_key, is_refund, round(CASE WHEN is_refund THEN -100 ELSE 100 END * total_amount) AS total,
        round(CASE WHEN is_refund THEN -100 ELSE 100 END * fare_amount) AS fare FROM usable
), numbered AS (
    SELECT *, row_number() OVER (PARTITION BY trip_key, fare, total, is_refund ORDER BY row_hash) AS turn
    FROM amounts WHERE trip_key IN (SELECT trip_key FROM amounts WHERE is_refund)
), opposite AS (
    SELECT r.row_hash AS refund, t.row_hash AS trip
    FROM numbered r JOIN numbered t USING (trip_key, fare, total, turn) WHERE r.is_refund AND NOT t.is_refund
), others AS (
    SELECT *, row_number() OVER (PARTITION BY trip_key, fare, is_refund ORDER BY total, row_hash) AS place
    FROM numbered WHERE row_hash NOT IN (SELECT refund FROM opposite UNION ALL SELECT trip FROM opposite)
), met AS (
    FROM opposite UNION ALL SELECT r.row_hash, t.row_hash
    FROM others r JOIN others t USING (trip_key, fare, place) WHERE r.is_refund AND NOT t.is_refund
)
SELECT '{month}' AS month, tpep_pickup_datetime::DATE AS pickup_date,
    CASE WHEN hour(tpep_pickup_datetime) BETWEEN 6 AND 11 THEN 'Morning'
        WHEN hour(tpep_pickup_datetime) BETWEEN 12 AND 17 THEN 'Afternoon'
        WHEN hour(tpep_pickup_datetime) BETWEEN 18 AND 21 THEN 'Evening' ELSE 'Night' END AS time_of_day_category,
    vendorid::INTEGER AS vendor_id,
    CASE vendorid WHEN 1 THEN 'Creative Mobile Technologies' WHEN 2 THEN 'Curb Mobility' WHEN 6 THEN 'Myle Technologies'
        WHEN 7 THEN 'Helix' ELSE 'Unknown' END AS vendor,
    tpep_pickup_datetime AS pickup_at, tpep_dropoff_datetime AS dropoff_at,
    hour(tpep_pickup_datetime)::INTEGER AS pickup_hour, isodow(tpep_pickup_datetime)::INTEGER AS pickup_day_of_week,
    CASE WHEN isodow(tpep_pickup_datetime) >= 6 THEN 'Weekend' ELSE 'Weekday' END AS day_type,
    passenger_count::INTEGER AS passenger_count, trip_distance,
    CASE WHEN trip_distance <= 1 THEN '0-1' WHEN trip_distance <= 2 THEN '1-2' WHEN trip_distance <= 5 THEN '2-5'
        WHEN trip_distance <= 10 THEN '5-10' ELSE '10+' END AS distance_category,
    seconds / 60 AS trip_duration_minutes, trip_distance * 3600 / nullif(seconds, 0) AS average_speed_mph,
    ratecodeid::INTEGER AS rate_code_id,
    CASE ratecodeid WHEN 1 THEN 'Standard' WHEN 2 THEN 'JFK' WHEN 3 THEN 'Newark' WHEN 4 THEN 'Nassau or Westchester'
        WHEN 5 THEN 'Negotiated' WHEN 6 THEN 'Group ride' ELSE 'Unknown' END AS rate_code,
    store_and_fwd_flag,
    pulocationid::INTEGER AS pickup_location_id, coalesce(p.Borough, 'Unknown') AS pickup_borough,
    coalesce(p.Zone, 'Unknown') AS pickup_zone, p.service_zone AS pickup_service_zone,
    dolocationid::INTEGER AS dropoff_location_id, coalesce(d.Borough, 'Unknown') AS dropoff_borough,
    coalesce(d.Zone, 'Unknown') AS dropoff_zone, d.service_zone AS dropoff_service_zone,
    payment_type::INTEGER AS payment_type,
    CASE payment_type WHEN 0 THEN 'Flex Fare' WHEN 1 THEN 'Credit card' WHEN 2 THEN 'Cash' WHEN 3 THEN 'No charge'
        WHEN 4 THEN 'Dispute' WHEN 6 THEN 'Voided' ELSE 'Unknown' END AS payment_method,
    {money},
    fare_cents / 100 / nullif(trip_distance, 0) AS fare_per_mile,
    CASE WHEN payment_type = 1 AND fare_cents > 0 THEN round(tip_amount * 100) * 100 / fare_cents END
        AS tip_percentage,
    coalesce(p.service_zone IN ('Airports', 'EWR') OR d.service_zone IN ('Airports', 'EWR'), false) AS is_airport_trip,
    is_refund,
    concat_ws(',', nullif(quality_flags, ''),
        CASE WHEN is_refund AND row_hash NOT IN (SELECT refund FROM met) THEN 'unlinked_refund' END
    ) AS quality_flags,
    trip_key, row_hash, row_hash IN (SELECT trip FROM met) AS is_refunded, NULL::VARCHAR AS extra_columns,
    request_source
FROM usable LEFT JOIN zones p ON p.LocationID::BIGINT = pulocationid
    LEFT JOIN zones d ON d.LocationID::BIGINT = dolocationid
ORDER BY pickup_date, time_of_day_category, pickup_at
"""
_WRITE_TRIPS = """
COPY (SELECT *, pickup_date AS date, time_of_day_category AS time_of_day FROM staged) TO '{out}/trips'
(FORMAT parquet, COMPRESSION zstd, PARTITION_BY (date, time_of_day))
"""
_VOLUME = """count(*) FILTER (NOT is_refund) AS trips, count(*) FILTER (is_refund) AS refunds,
    sum(total_amount)::DECIMAL(18, 2) AS net_revenue,
    coalesce(sum(total_amount) FILTER (NOT is_refund), 0)::DECIMAL(18, 2) AS gross_revenue,
    coalesce(sum(total_amount) FILTER (is_refund), 0)::DECIMAL(18, 2) AS refunded"""
_PAYMENTS = """count(*) FILTER (NOT is_refund AND payment_type = 1) AS card_trips,
    count(*) FILTER (NOT is_refund AND payment_type = 2) AS cash_trips,
    count(*) FILTER (NOT is_refund AND payment_type = 0) AS flex_trips,
    count(*) FILTER (NOT is_refund AND coalesce(payment_type NOT IN (0, 1, 2), true)) AS other_trips"""
_SPEED = """sum(trip_distance) FILTER (NOT is_refund AND trip_distance > 0 AND trip_duration_minutes > 0) * 60
    / sum(trip_duration_minutes) FILTER (NOT is_refund AND trip_distance > 0 AND trip_duration_minutes > 0)
    AS average_speed"""
_WARNINGS = [rule.rule_id for rule in rules_of(Tier.FLAG) if rule.severity is Severity.WARNING]
_TABLES = {
    "daily_metrics": f"""
SELECT * EXCLUDE (total, distance, duration, speed), total[1] AS median_total, total[2] AS p95_total,
    distance[1] AS median_distance, distance[2] AS p95_distance, duration[1] AS median_duration,
    duration[2] AS p95_duration, speed[1] AS median_speed, speed[2] AS p95_speed FROM (
    SELECT month, pickup_date, day_type, {_VOLUME},
    coalesce(sum(passenger_count) FILTER (NOT is_refund), 0)::BIGINT AS passengers,
    avg(total_amount) FILTER (NOT is_refund) AS average_total,
    quantile_cont(total_amount::DOUBLE, [0.5, 0.95]) FILTER (NOT is_refund) AS total,
    avg(trip_distance) FILTER (NOT is_refund) AS average_distance,
    quantile_cont(trip_distance, [0.5, 0.95]) FILTER (NOT is_refund) AS distance,
    avg(trip_duration_minutes) FILTER (NOT is_refund) AS average_duration,
    quantile_cont(trip_duration_minutes, [0.5, 0.95]) FILTER (NOT is_refund) AS duration,
    {_SPEED},
    quantile_cont(average_speed_mph, [0.5, 0.95]) FILTER (NOT is_refund AND average_speed_mph > 0) AS speed,
    {_PAYMENTS},
    card_trips / trips AS card_share, cash_trips / trips AS cash_share, flex_trips / trips AS flex_share,
    other_trips / trips AS other_share,
    sum(tip_amount) FILTER (NOT is_refund AND payment_type = 1) AS card_tips,
    card_tips / sum(fare_amount) FILTER (NOT is_refund AND payment_type = 1) AS card_tip_rate,
    count(*) FILTER (NOT is_refund AND is_airport_trip) AS airport_trips,
    count(*) FILTER (NOT is_refund AND 132 IN (pickup_location_id, dropoff_location_id)) AS jfk_trips,
    count(*) FILTER (NOT is_refund AND 138 IN (pickup_location_id, dropoff_location_id)) AS laguardia_trips,
    count(*) FILTER (NOT is_refund AND 1 IN (pickup_location_id, dropoff_location_id)) AS newark_trips,
    sum(fare_amount) AS fares, coalesce(sum(extra), 0) AS extras, coalesce(sum(mta_tax), 0) AS mta_taxes,
    coalesce(sum(tolls_amount), 0) AS tolls, coalesce(sum(tip_amount), 0) AS tips,
    sum(improvement_surcharge) AS improvement_surcharges, sum(airport_fee) AS airport_fees,
    sum(congestion_surcharge) FILTER (pickup_date >= DATE '2019-02-02') AS congestion_surcharges,
    sum(cbd_congestion_fee) FILTER (pickup_date >= DATE '2025-01-05') AS cbd_congestion_fees,
    coalesce(sum(total_amount) FILTER (NOT is_refund AND payment_type IN (3, 4, 6)), 0) AS uncollected_revenue,
    count(*) FILTER (NOT is_refund AND quality_flags <> '') AS flagged_trips, flagged_trips / trips AS flagged_share,
    count(*) FILTER (NOT is_refund AND list_has_any(string_split(quality_flags, ','), {_WARNINGS})) AS warning_trips,
    flagged_trips - warning_trips AS info_trips,
    count(*) FILTER (is_refunded) AS refunded_trips,
    count(*) FILTER (contains(quality_flags, 'unlinked_refund')) AS unlinked_refunds
FROM staged GROUP BY ALL) ORDER BY month, pickup_date""",
    "location_analytics": f"""
SELECT *, trips / sum(trips) OVER (PARTITION BY pickup_location_id) AS share_of_pickups FROM (
    SELECT month, pickup_location_id, pickup_borough, pickup_zone, dropoff_location_id, dropoff_borough, dropoff_zone,
        day_type, {_VOLUME}, avg(fare_amount) FILTER (NOT is_refund) AS average_fare,
        avg(trip_distance) FILTER (NOT is_refund) AS average_distance,
        avg(trip_duration_minutes) FILTER (NOT is_refund) AS average_duration, {_PAYMENTS},
        coalesce(sum(tip_amount) FILTER (NOT is_refund AND payment_type = 1), 0) AS card_tips,
        coalesce(sum(fare_amount) FILTER (NOT is_refund AND payment_type = 1), 0) AS card_fares
    FROM staged GROUP BY ALL) ORDER BY pickup_location_id, dropoff_location_id, day_type""",
    "time_series_analysis": f"""
SELECT month, pickup_date, pickup_hour, time_of_day_category, day_type, {_VOLUME},
    avg(total_amount) FILTER (NOT is_refund) AS average_total,
    avg(trip_distance) FILTER (NOT is_refund) AS average_distance,
    avg(trip_duration_minutes) FILTER (NOT is_refund) AS average_duration,
    {_SPEED},
    stddev_samp(total_amount) FILTER (NOT is_refund) AS stddev_total,
    min(total_amount) FILTER (NOT is_refund) AS min_total, max(total_amount) FILTER (NOT is_refund) AS max_total
FROM staged GROUP BY ALL ORDER BY pickup_date, pickup_hour""",
    "customer_behavior": f"""
SELECT *, trips / sum(trips) OVER (PARTITION BY pickup_date) AS share_of_day FROM (
    SELECT month, pickup_date, payment_method,
        CASE WHEN passenger_count IS NULL THEN 'Unknown' WHEN passenger_count = 0 THEN 'None entered'
            WHEN passenger_count = 1 THEN 'Solo' WHEN passenger_count = 2 THEN 'Pair'
            WHEN passenger_count <= 4 THEN 'Group of 3-4' ELSE 'Group of 5 or more' END AS passenger_group,
        time_of_day_category, {_VOLUME}, avg(total_amount) FILTER (NOT is_refund) AS average_total,
        coalesce(sum(tip_amount) FILTER (NOT is_refund AND payment_type = 1), 0) AS card_tips,
        card_tips / sum(fare_amount) FILTER (NOT is_refund AND payment_type = 1) AS card_tip_rate,
        count(*) FILTER (NOT is_refund AND payment_type = 1 AND tip_amount > 0)
            / nullif(count(*) FILTER (NOT is_refund AND payment_type = 1), 0) AS tipped_share
    FROM staged GROUP BY ALL) ORDER BY pickup_date, payment_method, passenger_group, time_of_day_category""",
    "performance_summary": f"""
SELECT month, pickup_date, vendor, rate_code, distance_category, {_VOLUME},
    sum(trip_distance) FILTER (NOT is_refund) AS total_miles,
    sum(trip_duration_minutes) FILTER (NOT is_refund) AS total_minutes,
    sum(total_amount) FILTER (NOT is_refund AND trip_distance > 0) / nullif(total_miles, 0) AS revenue_per_mile,
    sum(total_amount) FILTER (NOT is_refund AND trip_duration_minutes > 0) / nullif(total_minutes, 0)
        AS revenue_per_minute,
    {_SPEED},
    count(*) FILTER (NOT is_refund AND quality_flags <> '') / nullif(trips, 0) AS flagged_share
FROM staged GROUP BY ALL ORDER BY pickup_date, vendor, rate_code, distance_category""",
}


def _cents(column: str) -> str:
    return f"CASE WHEN abs({column}) <= 10000 THEN round(100 * {column})::BIGINT ELSE 0 END"


def main(month: str, trips: str, zones: str, out: str) -> None:
    """Write quarantine, trips and the five tables below ``out``."""
    Path(out).mkdir(parents=True)
    names = {
        "month": month,
        "trips": trips,
        "zones": zones,
        "out": out,
        "columns": ", ".join(column.name for column in tlc.TRIP_COLUMNS),
        "impossible_amounts": " OR ".join(f"isnan({name}) OR abs({name}) > 10000" for name in tlc.MONEY_COLUMNS),
        "trip_key": ", ".join(tlc.TRIP_KEY_COLUMNS),
        "total": _cents("total_amount"),
        "fare": _cents("fare_amount"),
        "surcharge": _cents("improvement_surcharge"),
        "parts": " + ".join(_cents(name) for name in tlc.PARTS_OF_TOTAL),
        "fees": " + ".join(_cents(name) for name in tlc.FEES),
        "money": ", ".join(f"{name}::DECIMAL(10, 2) AS {name}" for name in tlc.MONEY_COLUMNS),
    }
    with duckdb.connect() as connection:
        for statement in (_RAW, _QUARANTINE, _TRIPS, _WRITE_TRIPS):
            connection.execute(statement.format(**names))
        for name, query in _TABLES.items():
            connection.execute(f"COPY ({query}) TO '{out}/{name}.parquet' (FORMAT parquet, COMPRESSION zstd)")


if __name__ == "__main__":
    main(*sys.argv[1:])
