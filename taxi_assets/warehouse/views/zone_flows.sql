-- Where the trips that leave a zone go, and where those that reach it come from, for a month.
--
-- Each pair of zones stands twice: with the direction "out" under the zone of pick-up, "in" under that of drop-off.
--
-- Grain: month, location_id, direction, other_location_id, day_type
--
-- month | string | | Month of the source file, YYYY-MM
-- location_id | int | | The zone
-- zone | string | | Its name
-- borough | string | | Its borough
-- direction | string | | out: trips that begin in the zone; in: trips that end there
-- other_location_id | int | | The zone at the other end
-- other_zone | string | | Its name
-- other_borough | string | | Its borough
-- day_type | string | | Weekday or Weekend
-- trips | bigint | rows | Trips (refunds not counted)
-- net_revenue | decimal(18,2) | USD | total_amount of trips and refunds
-- days | bigint | days | Days of that type that the month has trips on
-- trips_per_day | double | rows | trips by days
-- share_of_zone | double | 0-1 | trips by all trips of the zone in this direction and month, on days of both types
WITH days AS (
    SELECT month, day_type, COUNT(*) AS days
    FROM curated.daily_metrics
    GROUP BY month, day_type
), flows AS (
    SELECT
        month,
        pickup_location_id AS location_id,
        pickup_zone AS zone,
        pickup_borough AS borough,
        CAST('out' AS VARCHAR(3)) AS direction,
        dropoff_location_id AS other_location_id,
        dropoff_zone AS other_zone,
        dropoff_borough AS other_borough,
        day_type,
        trips,
        net_revenue
    FROM curated.location_analytics
    UNION ALL
    SELECT
        month,
        dropoff_location_id AS location_id,
        dropoff_zone AS zone,
        dropoff_borough AS borough,
        CAST('in' AS VARCHAR(3)) AS direction,
        pickup_location_id AS other_location_id,
        pickup_zone AS other_zone,
        pickup_borough AS other_borough,
        day_type,
        trips,
        net_revenue
    FROM curated.location_analytics
)
SELECT
    flows.month,
    flows.location_id,
    flows.zone,
    flows.borough,
    flows.direction,
    flows.other_location_id,
    flows.other_zone,
    flows.other_borough,
    flows.day_type,
    flows.trips,
    flows.net_revenue,
    days.days,
    CAST(flows.trips AS DOUBLE PRECISION) / NULLIF(CAST(days.days AS DOUBLE PRECISION), 0) AS trips_per_day,
    CAST(flows.trips AS DOUBLE PRECISION)
    / NULLIF(
        CAST(
            SUM(flows.trips) OVER (PARTITION BY flows.month, flows.location_id, flows.direction) AS DOUBLE PRECISION
        ),
        0
    ) AS share_of_zone
FROM flows
LEFT JOIN days ON days.month = flows.month AND days.day_type = flows.day_type
