-- A day's volume and revenue with the mean of the seven days that end with it, and what was special about the day.
--
-- The mean is null unless all seven days have trips: a week has each weekday once, so that it shows the trend alone.
--
-- Grain: pickup_date
--
-- month | string | | Month of the source file, YYYY-MM
-- pickup_date | date | | Date of pick-up
-- day_type | string | | Weekday or Weekend
-- trips | bigint | rows | Trips (refunds not counted)
-- net_revenue | decimal(18,2) | USD | total_amount of trips and refunds
-- average_total | double | USD | gross_revenue by trips
-- trips_7_day_mean | double | rows | Mean of trips over this day and the six before it
-- net_revenue_7_day_mean | double | USD | Mean of net_revenue over this day and the six before it
-- holiday | string | | Name of the holiday; null on other days
-- hours_in_day | int | hours | 24, or 23 and 25 on the days on which the clock is changed
-- event | string | | What began or happened on the day; null on most
WITH days AS (
    SELECT
        month,
        pickup_date,
        day_type,
        trips,
        net_revenue,
        average_total,
        MIN(pickup_date) OVER (
            ORDER BY pickup_date ASC NULLS LAST ROWS BETWEEN 6 PRECEDING AND CURRENT ROW
        ) AS since,
        CAST(
            SUM(trips) OVER (ORDER BY pickup_date ASC NULLS LAST ROWS BETWEEN 6 PRECEDING AND CURRENT ROW)
            AS DOUBLE PRECISION
        ) AS trips_of_week,
        CAST(
            SUM(net_revenue) OVER (ORDER BY pickup_date ASC NULLS LAST ROWS BETWEEN 6 PRECEDING AND CURRENT ROW)
            AS DOUBLE PRECISION
        ) AS net_revenue_of_week
    FROM curated.daily_metrics
)
SELECT
    days.month,
    days.pickup_date,
    days.day_type,
    days.trips,
    days.net_revenue,
    days.average_total,
    CASE WHEN days.since = days.pickup_date - 6 THEN days.trips_of_week / 7 END AS trips_7_day_mean,
    CASE WHEN days.since = days.pickup_date - 6 THEN days.net_revenue_of_week / 7 END AS net_revenue_7_day_mean,
    calendar.holiday,
    calendar.hours_in_day,
    calendar.event
FROM days
LEFT JOIN reference.calendar AS calendar ON calendar.date = days.pickup_date
