-- How many trips begin in each hour of each day of the week, for a month.
--
-- Grain: month, day_of_week, pickup_hour
--
-- month | string | | Month of the source file, YYYY-MM
-- day_of_week | int | 1-7 | Weekday by ISO 8601, 1 is Monday
-- pickup_hour | int | 0-23 | Hour of pick-up
-- days | bigint | days | Days of the month with trips in that hour
-- trips | bigint | rows | Trips (refunds not counted)
-- net_revenue | decimal(18,2) | USD | total_amount of trips and refunds
-- trips_per_day | double | rows | trips by days
-- share_of_month | double | 0-1 | trips by all trips of the month
-- busiest | bigint | 1-168 | Place among the hours of the month by trips_per_day, 1 is the busiest; equal ones share it
WITH hours AS (
    SELECT
        hourly.month,
        calendar.day_of_week,
        hourly.pickup_hour,
        COUNT(*) AS days,
        CAST(SUM(hourly.trips) AS BIGINT) AS trips,
        CAST(SUM(hourly.net_revenue) AS DECIMAL(18, 2)) AS net_revenue
    FROM curated.time_series_analysis AS hourly
    JOIN reference.calendar AS calendar ON calendar.date = hourly.pickup_date
    GROUP BY hourly.month, calendar.day_of_week, hourly.pickup_hour
), rated AS (
    SELECT
        month,
        day_of_week,
        pickup_hour,
        days,
        trips,
        net_revenue,
        CAST(trips AS DOUBLE PRECISION) / CAST(days AS DOUBLE PRECISION) AS trips_per_day,
        CAST(SUM(trips) OVER (PARTITION BY month) AS DOUBLE PRECISION) AS trips_of_month
    FROM hours
)
SELECT
    month,
    day_of_week,
    pickup_hour,
    days,
    trips,
    net_revenue,
    trips_per_day,
    CAST(trips AS DOUBLE PRECISION) / NULLIF(trips_of_month, 0) AS share_of_month,
    RANK() OVER (PARTITION BY month ORDER BY trips_per_day DESC NULLS LAST) AS busiest
FROM rated
