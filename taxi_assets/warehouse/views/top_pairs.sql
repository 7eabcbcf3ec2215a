-- The pairs of zones that trips run between, for a month, the most travelled first by their place.
--
-- Grain: month, pickup_location_id, dropoff_location_id
--
-- month | string | | Month of the source file, YYYY-MM
-- pickup_location_id | int | | Zone of pick-up
-- pickup_zone | string | | Name of the zone of pick-up
-- pickup_borough | string | | Borough of pick-up
-- dropoff_location_id | int | | Zone of drop-off
-- dropoff_zone | string | | Name of the zone of drop-off
-- dropoff_borough | string | | Borough of drop-off
-- trips | bigint | rows | Trips (refunds not counted)
-- net_revenue | decimal(18,2) | USD | total_amount of trips and refunds
-- share_of_month | double | 0-1 | trips by all trips of the month
-- place | bigint | | Place among the pairs of the month by trips, 1 is the most travelled; equal ones share it
WITH pairs AS (
    SELECT
        month,
        pickup_location_id,
        pickup_zone,
        pickup_borough,
        dropoff_location_id,
        dropoff_zone,
        dropoff_borough,
        CAST(SUM(trips) AS BIGINT) AS trips,
        CAST(SUM(net_revenue) AS DECIMAL(18, 2)) AS net_revenue
    FROM curated.location_analytics
    GROUP BY
        month, pickup_location_id, pickup_zone, pickup_borough, dropoff_location_id, dropoff_zone, dropoff_borough
)
SELECT
    month,
    pickup_location_id,
    pickup_zone,
    pickup_borough,
    dropoff_location_id,
    dropoff_zone,
    dropoff_borough,
    trips,
    net_revenue,
    CAST(trips AS DOUBLE PRECISION)
    / NULLIF(CAST(SUM(trips) OVER (PARTITION BY month) AS DOUBLE PRECISION), 0) AS share_of_month,
    RANK() OVER (PARTITION BY month ORDER BY trips DESC NULLS LAST) AS place
FROM pairs
