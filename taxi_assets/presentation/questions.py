"""All SQL of the dashboard and the report, by name, in the dialect that DuckDB and Redshift share.

Belongs here: which rows a page or a report asks for. Does not: what they mean, which the views and tables say.

``:month`` and the others are parameters; a test lints each as a view is linted, and asks it on both engines.
"""

from __future__ import annotations

from taxi_assets.warehouse.view import views


def _columns(view: str) -> str:
    return ", ".join(views()[view].table.column_names)


def _by_zone(end: str) -> str:
    """The month's trips by zone of ``end``, pickup or dropoff."""
    return f"""
SELECT {end}_location_id AS location_id, {end}_zone AS zone, {end}_borough AS borough,
       CAST(SUM(trips) AS BIGINT) AS trips,
       CAST(SUM(net_revenue) AS DECIMAL(18, 2)) AS net_revenue,
       CAST(SUM(CAST(average_distance * trips AS DECIMAL(18, 6))) AS DOUBLE PRECISION)
         / NULLIF(CAST(SUM(trips) AS BIGINT), 0) AS average_distance,
       CAST(SUM(card_tips) AS DOUBLE PRECISION) / NULLIF(CAST(SUM(card_fares) AS DOUBLE PRECISION), 0) AS card_tip_rate
FROM curated.location_analytics
WHERE month = :month
GROUP BY {end}_location_id, {end}_zone, {end}_borough
ORDER BY trips DESC NULLS LAST, location_id"""


def _demand(where: str) -> str:
    """Pick-ups and drop-offs by weekday and hour of the zones that ``where`` names."""
    return f"""
SELECT day_of_week, hour_of_day, MAX(days) AS days,
       CAST(SUM(pickups) AS BIGINT) AS pickups, CAST(SUM(dropoffs) AS BIGINT) AS dropoffs,
       CAST(SUM(pickups) AS DOUBLE PRECISION) / NULLIF(MAX(days), 0) AS pickups_per_day,
       CAST(SUM(dropoffs) AS DOUBLE PRECISION) / NULLIF(MAX(days), 0) AS dropoffs_per_day
FROM analytics.zone_demand
WHERE {where}
GROUP BY day_of_week, hour_of_day
ORDER BY day_of_week, hour_of_day"""


QUESTIONS: dict[str, str] = {
    "summary": f"SELECT {_columns('monthly_summary')} FROM analytics.monthly_summary ORDER BY month",
    "daily_trend": """
SELECT month, pickup_date, day_type, trips, net_revenue, average_total, trips_7_day_mean, net_revenue_7_day_mean,
       holiday, hours_in_day, event
FROM analytics.daily_trend
WHERE month >= :first AND month <= :month
ORDER BY pickup_date""",
    "zones": "SELECT location_id, zone, borough, shape FROM reference.zones ORDER BY location_id",
    "pickups_by_zone": _by_zone("pickup"),
    "dropoffs_by_zone": _by_zone("dropoff"),
    "busiest_hours": """
SELECT day_of_week, pickup_hour AS hour_of_day, days, trips, trips_per_day, net_revenue, busiest
FROM analytics.busiest_hours
WHERE month = :month
ORDER BY day_of_week, pickup_hour""",
    "demand_of_all": _demand("month = :month"),
    "demand_of_a_borough": _demand("month = :month AND borough = :borough"),
    "demand_of_a_zone": """
SELECT day_of_week, hour_of_day, days, pickups, dropoffs, pickups_per_day, dropoffs_per_day
FROM analytics.zone_demand
WHERE month = :month AND location_id = :zone
ORDER BY day_of_week, hour_of_day""",
    "flows_of_a_zone": """
SELECT direction, other_location_id, other_zone, other_borough, CAST(SUM(trips) AS BIGINT) AS trips,
       CAST(SUM(net_revenue) AS DECIMAL(18, 2)) AS net_revenue,
       CAST(SUM(CAST(share_of_zone AS DECIMAL(18, 12))) AS DOUBLE PRECISION) AS share_of_zone
FROM analytics.zone_flows
WHERE month = :month AND location_id = :zone
GROUP BY direction, other_location_id, other_zone, other_borough
ORDER BY direction, trips DESC NULLS LAST, other_location_id""",
    "top_pairs": """
SELECT place, pickup_zone, pickup_borough, dropoff_zone, dropoff_borough, trips, net_revenue, share_of_month
FROM analytics.top_pairs
WHERE month = :month AND place <= 15
ORDER BY place, pickup_location_id, dropoff_location_id""",
    "borough_matrix": """
SELECT pickup_borough, dropoff_borough, trips, net_revenue, share_of_month, card_share, card_tip_rate
FROM analytics.borough_matrix
WHERE month = :month
ORDER BY pickup_borough, dropoff_borough""",
    "airports": """
SELECT airport, pickups, dropoffs, net_revenue_of_pickups, net_revenue_of_dropoffs, share_of_pickups
FROM analytics.airports
WHERE month = :month
ORDER BY location_id""",
    "fee_stack": """
SELECT month, component, amount, share_of_net_revenue, amount_per_trip
FROM analytics.fee_stack
ORDER BY month, component""",
    "money_by_month": """
SELECT month, CAST(SUM(trips) AS BIGINT) AS trips,
       CAST(SUM(gross_revenue) AS DECIMAL(18, 2)) AS gross_revenue,
       CAST(SUM(refunded) AS DECIMAL(18, 2)) AS refunded,
       CAST(SUM(uncollected_revenue) AS DECIMAL(18, 2)) AS uncollected_revenue,
       CAST(SUM(cbd_congestion_fees) AS DECIMAL(18, 2)) AS cbd_congestion_fees,
       CAST(SUM(congestion_surcharges) AS DECIMAL(18, 2)) AS congestion_surcharges,
       CAST(SUM(card_tips) AS DECIMAL(18, 2)) AS card_tips,
       CAST(SUM(cbd_congestion_fees) AS DOUBLE PRECISION) / NULLIF(CAST(SUM(trips) AS BIGINT), 0) AS cbd_fee_per_trip,
       CAST(SUM(refunded) AS DOUBLE PRECISION) / NULLIF(CAST(SUM(gross_revenue) AS DOUBLE PRECISION), 0)
         AS refunded_share,
       CAST(SUM(uncollected_revenue) AS DOUBLE PRECISION) / NULLIF(CAST(SUM(gross_revenue) AS DOUBLE PRECISION), 0)
         AS uncollected_share
FROM curated.daily_metrics
GROUP BY month
ORDER BY month""",
    "tips_by_borough": """
SELECT pickup_borough, CAST(SUM(card_trips) AS BIGINT) AS card_trips,
       CAST(SUM(card_tips) AS DECIMAL(18, 2)) AS card_tips, CAST(SUM(card_fares) AS DECIMAL(18, 2)) AS card_fares,
       CAST(SUM(card_tips) AS DOUBLE PRECISION) / NULLIF(CAST(SUM(card_fares) AS DOUBLE PRECISION), 0) AS card_tip_rate
FROM curated.location_analytics
WHERE month = :month
GROUP BY pickup_borough
ORDER BY pickup_borough""",
    "payment_mix": """
SELECT month, payment_method, trips, net_revenue, average_total, card_tips, share_of_month
FROM analytics.payment_mix
ORDER BY month, payment_method""",
    "passenger_mix": """
SELECT passenger_group, time_of_day_category, trips, net_revenue, average_total, share_of_month
FROM analytics.passenger_mix
WHERE month = :month
ORDER BY passenger_group, time_of_day_category""",
    "distance_bands": """
SELECT vendor, distance_category, trips, net_revenue, total_miles, total_minutes, average_total, average_distance,
       share_of_month
FROM analytics.distance_bands
WHERE month = :month
ORDER BY vendor, distance_category""",
    "speed_by_hour": """
SELECT pickup_hour, day_type, CAST(SUM(trips) AS BIGINT) AS trips,
       60.0 * CAST(SUM(CAST(average_distance * trips AS DECIMAL(18, 6))) AS DOUBLE PRECISION)
         / NULLIF(CAST(SUM(CAST(average_duration * trips AS DECIMAL(18, 6))) AS DOUBLE PRECISION), 0) AS miles_per_hour
FROM curated.time_series_analysis
WHERE month = :month
GROUP BY pickup_hour, day_type
ORDER BY pickup_hour, day_type""",
    "revenue_per_mile": """
WITH bands AS (
  SELECT month, distance_category, CAST(SUM(trips) AS BIGINT) AS trips,
         CAST(SUM(gross_revenue) AS DOUBLE PRECISION) AS gross,
         CAST(SUM(CAST(total_miles AS DECIMAL(18, 6))) AS DOUBLE PRECISION) AS miles,
         CAST(SUM(CAST(total_minutes AS DECIMAL(18, 6))) AS DOUBLE PRECISION) AS minutes
  FROM curated.performance_summary
  WHERE distance_category <> '0-1'
  GROUP BY month, distance_category
)
SELECT month, distance_category, trips, gross / NULLIF(miles, 0) AS gross_per_mile,
       60.0 * miles / NULLIF(minutes, 0) AS miles_per_hour
FROM bands
ORDER BY month, distance_category""",
    "quality": f"SELECT {_columns('quality_overview')} FROM analytics.quality_overview ORDER BY month",
    "quarantine_reasons": """
SELECT quarantine_reasons, quarantined_rows, share_of_quarantine
FROM analytics.quarantine_reasons
WHERE month = :month
ORDER BY quarantined_rows DESC NULLS LAST, quarantine_reasons""",
    "quarantine_sample": """
SELECT quarantine_reasons, tpep_pickup_datetime, tpep_dropoff_datetime, pulocationid, dolocationid, trip_distance,
       fare_amount, total_amount, row_hash
FROM staging.quarantine
WHERE month = :month
ORDER BY quarantine_reasons, row_hash
LIMIT 50""",
    "checks": """
SELECT checked_at, asset, check_name, measure, passed, severity, expected, actual, version, run_id
FROM quality.check_history
WHERE month = :month
ORDER BY checked_at DESC NULLS LAST, asset, check_name, measure
LIMIT 500""",
    "check_history": """
WITH answers AS (
  SELECT month, CASE WHEN passed THEN CAST('passed' AS VARCHAR(20)) WHEN severity = 'ERROR' THEN 'failed'
         ELSE 'to look at' END AS outcome
  FROM quality.check_history
)
SELECT month, outcome, COUNT(*) AS answers
FROM answers
WHERE month IS NOT NULL
GROUP BY month, outcome
ORDER BY month, outcome""",
    "freshness": """
SELECT asset, version, checked_at, checks_failed, checks_warned, source_landed_at
FROM analytics.freshness
WHERE month = :month
ORDER BY asset""",
    "days_of_a_month": """
SELECT pickup_date, trips, refunds, gross_revenue, refunded, net_revenue, average_total, average_distance, flagged_trips
FROM curated.daily_metrics
WHERE month = :month
ORDER BY pickup_date""",
    "run_metrics": """
SELECT month, metric, asset, job, value, unit, run_id, measured_at
FROM quality.run_metrics
WHERE metric = 'JobSeconds' OR metric = 'EstimatedCostUsd' OR metric = 'RowsPublished'
ORDER BY measured_at, metric, asset, job""",
    "masked": """
SELECT COUNT(*) AS files
FROM "raw".files
WHERE SUBSTRING(url, 1, 6) = 'masked'""",
    "slow_queries": """
SELECT place, label, status, started_at, seconds, returned_rows, cost_usd, error, sql_text
FROM analytics.slow_queries
WHERE place <= 25
ORDER BY place, query_id""",
}
"""Each has named columns in a fixed order, and rows in a fixed order."""
