-- A month's volume and revenue beside the month before it and the same month of the year before.
--
-- Months have 28 to 31 days, and may be published in part: compare the figures per day. A change is (new - old) / old,
-- null where there is nothing to compare with.
--
-- Grain: month
--
-- month | string | | Month of the source files, YYYY-MM
-- days | bigint | days | Days with trips
-- days_in_month | bigint | days | Days that the month has by the calendar
-- is_partial | boolean | | Fewer days with trips than the month has
-- trips | bigint | rows | Trips (refunds not counted)
-- refunds | bigint | rows | Refund rows
-- gross_revenue | decimal(18,2) | USD | total_amount of trips
-- refunded | decimal(18,2) | USD | total_amount of refunds, zero or negative
-- net_revenue | decimal(18,2) | USD | gross_revenue + refunded
-- average_total | double | USD | gross_revenue by trips
-- trips_per_day | double | rows | trips by days
-- net_revenue_per_day | double | USD | net_revenue by days
-- trips_change_month | double | 0-1 | Change of trips against the month before
-- trips_per_day_change_month | double | 0-1 | Change of trips_per_day against the month before
-- net_revenue_change_month | double | 0-1 | Change of net_revenue against the month before
-- net_revenue_per_day_change_month | double | 0-1 | Change of net_revenue_per_day against the month before
-- trips_change_year | double | 0-1 | Change of trips against the same month of the year before
-- trips_per_day_change_year | double | 0-1 | Change of trips_per_day against the same month of the year before
-- net_revenue_change_year | double | 0-1 | Change of net_revenue against the same month of the year before
-- net_revenue_per_day_change_year | double | 0-1 | Change of net_revenue_per_day against the year before
WITH calendar AS (
    SELECT month, COUNT(*) AS days_in_month
    FROM reference.calendar
    GROUP BY month
), totals AS (
    SELECT
        month,
        COUNT(*) AS days,
        CAST(SUM(trips) AS BIGINT) AS trips,
        CAST(SUM(refunds) AS BIGINT) AS refunds,
        CAST(SUM(gross_revenue) AS DECIMAL(18, 2)) AS gross_revenue,
        CAST(SUM(refunded) AS DECIMAL(18, 2)) AS refunded,
        CAST(SUM(net_revenue) AS DECIMAL(18, 2)) AS net_revenue
    FROM curated.daily_metrics
    GROUP BY month
), months AS (
    SELECT
        totals.month,
        CAST(SUBSTRING(totals.month, 1, 4) AS INTEGER) * 12 + CAST(SUBSTRING(totals.month, 6, 2) AS INTEGER) AS number,
        totals.days,
        calendar.days_in_month,
        totals.trips,
        totals.refunds,
        totals.gross_revenue,
        totals.refunded,
        totals.net_revenue,
        CAST(totals.trips AS DOUBLE PRECISION) / CAST(totals.days AS DOUBLE PRECISION) AS trips_per_day,
        CAST(totals.net_revenue AS DOUBLE PRECISION) / CAST(totals.days AS DOUBLE PRECISION) AS net_revenue_per_day
    FROM totals
    LEFT JOIN calendar ON calendar.month = totals.month
)
SELECT
    now.month,
    now.days,
    now.days_in_month,
    now.days < now.days_in_month AS is_partial,
    now.trips,
    now.refunds,
    now.gross_revenue,
    now.refunded,
    now.net_revenue,
    CAST(now.gross_revenue AS DOUBLE PRECISION) / NULLIF(CAST(now.trips AS DOUBLE PRECISION), 0) AS average_total,
    now.trips_per_day,
    now.net_revenue_per_day,
    CAST(now.trips AS DOUBLE PRECISION) / NULLIF(earlier.trips, 0) - 1 AS trips_change_month,
    now.trips_per_day / NULLIF(earlier.trips_per_day, 0) - 1 AS trips_per_day_change_month,
    CAST(now.net_revenue AS DOUBLE PRECISION) / NULLIF(earlier.net_revenue, 0) - 1 AS net_revenue_change_month,
    now.net_revenue_per_day / NULLIF(earlier.net_revenue_per_day, 0) - 1 AS net_revenue_per_day_change_month,
    CAST(now.trips AS DOUBLE PRECISION) / NULLIF(year_before.trips, 0) - 1 AS trips_change_year,
    now.trips_per_day / NULLIF(year_before.trips_per_day, 0) - 1 AS trips_per_day_change_year,
    CAST(now.net_revenue AS DOUBLE PRECISION) / NULLIF(year_before.net_revenue, 0) - 1 AS net_revenue_change_year,
    now.net_revenue_per_day / NULLIF(year_before.net_revenue_per_day, 0) - 1 AS net_revenue_per_day_change_year
FROM months AS now
LEFT JOIN months AS earlier ON earlier.number = now.number - 1
LEFT JOIN months AS year_before ON year_before.number = now.number - 12
