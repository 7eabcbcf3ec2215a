-- Trips from and to each airport, for a month.
--
-- Grain: month, location_id
--
-- month | string | | Month of the source file, YYYY-MM
-- location_id | int | | Zone of the airport: 1 Newark, 132 JFK, 138 LaGuardia
-- airport | string | | Name of the zone
-- pickups | bigint | rows | Trips that began there (refunds not counted)
-- dropoffs | bigint | rows | Trips that ended there (refunds not counted)
-- net_revenue_of_pickups | decimal(18,2) | USD | total_amount of trips that began there, and of their refunds
-- net_revenue_of_dropoffs | decimal(18,2) | USD | total_amount of trips that ended there, and of their refunds
-- share_of_pickups | double | 0-1 | pickups by all trips of the month
WITH ends AS (
    SELECT
        month,
        pickup_location_id AS location_id,
        pickup_zone AS airport,
        trips AS pickups,
        CAST(0 AS BIGINT) AS dropoffs,
        net_revenue AS net_revenue_of_pickups,
        CAST(0 AS DECIMAL(18, 2)) AS net_revenue_of_dropoffs
    FROM curated.location_analytics
    UNION ALL
    SELECT
        month,
        dropoff_location_id AS location_id,
        dropoff_zone AS airport,
        CAST(0 AS BIGINT) AS pickups,
        trips AS dropoffs,
        CAST(0 AS DECIMAL(18, 2)) AS net_revenue_of_pickups,
        net_revenue AS net_revenue_of_dropoffs
    FROM curated.location_analytics
), months AS (
    SELECT month, CAST(SUM(trips) AS DOUBLE PRECISION) AS trips
    FROM curated.daily_metrics
    GROUP BY month
), airports AS (
    SELECT
        month,
        location_id,
        airport,
        CAST(SUM(pickups) AS BIGINT) AS pickups,
        CAST(SUM(dropoffs) AS BIGINT) AS dropoffs,
        CAST(SUM(net_revenue_of_pickups) AS DECIMAL(18, 2)) AS net_revenue_of_pickups,
        CAST(SUM(net_revenue_of_dropoffs) AS DECIMAL(18, 2)) AS net_revenue_of_dropoffs
    FROM ends
    WHERE location_id IN (1, 132, 138)
    GROUP BY month, location_id, airport
)
SELECT
    airports.month,
    airports.location_id,
    airports.airport,
    airports.pickups,
    airports.dropoffs,
    airports.net_revenue_of_pickups,
    airports.net_revenue_of_dropoffs,
    CAST(airports.pickups AS DOUBLE PRECISION) / NULLIF(months.trips, 0) AS share_of_pickups
FROM airports
LEFT JOIN months ON months.month = airports.month
