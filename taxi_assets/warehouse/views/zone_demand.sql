-- Pick-ups and drop-offs in each zone by weekday and hour, for a month.
--
-- Both are of the trips that were picked up in the month; a drop-off is counted on its own day and in its own hour.
--
-- Grain: month, location_id, day_of_week, hour_of_day
--
-- month | string | | Month of the source file, YYYY-MM
-- location_id | int | | Zone
-- zone | string | | Its name
-- borough | string | | Its borough
-- day_of_week | int | 1-7 | Weekday by ISO 8601, 1 is Monday
-- hour_of_day | int | 0-23 | Hour, New York
-- days | bigint | days | Days of this weekday that the month has trips of
-- pickups | bigint | rows | Trips that began here then (refunds not counted)
-- dropoffs | bigint | rows | Trips that ended here then (refunds not counted)
-- pickups_per_day | double | rows | pickups by days; null without such a day
-- dropoffs_per_day | double | rows | dropoffs by days; null without such a day
WITH sides AS ( -- joined with both, so that the trips are read once
    SELECT 1 AS began, 0 AS ended
    UNION ALL
    SELECT 0 AS began, 1 AS ended
), ends AS (
    SELECT
        month,
        CASE WHEN began = 1 THEN pickup_location_id ELSE dropoff_location_id END AS location_id,
        CASE WHEN began = 1 THEN pickup_zone ELSE dropoff_zone END AS zone,
        CASE WHEN began = 1 THEN pickup_borough ELSE dropoff_borough END AS borough,
        CASE WHEN began = 1 THEN pickup_date ELSE CAST(dropoff_at AS DATE) END AS day,
        CASE
            WHEN began = 1 THEN pickup_hour
            ELSE CAST(EXTRACT(HOUR FROM dropoff_at) AS INT)
        END AS hour_of_day,
        began,
        ended
    FROM staging.trips
    JOIN sides ON sides.began + sides.ended = 1
    WHERE NOT is_refund
), counted AS (
    SELECT
        ends.month,
        ends.location_id,
        ends.zone,
        ends.borough,
        calendar.day_of_week,
        ends.hour_of_day,
        CAST(SUM(ends.began) AS BIGINT) AS pickups,
        CAST(SUM(ends.ended) AS BIGINT) AS dropoffs
    FROM ends
    JOIN reference.calendar ON calendar.date = ends.day
    GROUP BY ends.month, ends.location_id, ends.zone, ends.borough, calendar.day_of_week, ends.hour_of_day
), days AS (
    SELECT daily_metrics.month, calendar.day_of_week, COUNT(*) AS days
    FROM curated.daily_metrics
    JOIN reference.calendar ON calendar.date = daily_metrics.pickup_date
    GROUP BY daily_metrics.month, calendar.day_of_week
)
SELECT
    counted.month,
    counted.location_id,
    counted.zone,
    counted.borough,
    counted.day_of_week,
    counted.hour_of_day,
    COALESCE(days.days, 0) AS days,
    counted.pickups,
    counted.dropoffs,
    CAST(counted.pickups AS DOUBLE PRECISION) / days.days AS pickups_per_day,
    CAST(counted.dropoffs AS DOUBLE PRECISION) / days.days AS dropoffs_per_day
FROM counted
LEFT JOIN days ON days.month = counted.month AND days.day_of_week = counted.day_of_week
