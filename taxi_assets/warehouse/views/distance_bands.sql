-- What short and long trips bring in, by vendor, for a month.
--
-- Grain: month, vendor, distance_category
--
-- month | string | | Month of the source file, YYYY-MM
-- vendor | string | | Technology provider
-- distance_category | string | | 0-1, 1-2, 2-5, 5-10 or 10+ miles, each over the first up to the second
-- trips | bigint | rows | Trips (refunds not counted)
-- net_revenue | decimal(18,2) | USD | total_amount of trips and refunds
-- total_miles | double | miles | Sum of trip_distance over trips
-- total_minutes | double | minutes | Sum of trip_duration_minutes over trips
-- average_total | double | USD | gross_revenue by trips
-- average_distance | double | miles | total_miles by trips
-- share_of_month | double | 0-1 | trips by all trips of the month
WITH bands AS (
    SELECT
        month,
        vendor,
        distance_category,
        CAST(SUM(trips) AS BIGINT) AS trips,
        CAST(SUM(gross_revenue) AS DOUBLE PRECISION) AS gross_revenue,
        CAST(SUM(net_revenue) AS DECIMAL(18, 2)) AS net_revenue,
        CAST(SUM(CAST(total_miles AS DECIMAL(18, 4))) AS DOUBLE PRECISION) AS total_miles,
        CAST(SUM(CAST(total_minutes AS DECIMAL(18, 4))) AS DOUBLE PRECISION) AS total_minutes
    FROM curated.performance_summary
    GROUP BY month, vendor, distance_category
)
SELECT
    month,
    vendor,
    distance_category,
    trips,
    net_revenue,
    total_miles,
    total_minutes,
    gross_revenue / NULLIF(CAST(trips AS DOUBLE PRECISION), 0) AS average_total,
    total_miles / NULLIF(CAST(trips AS DOUBLE PRECISION), 0) AS average_distance,
    CAST(trips AS DOUBLE PRECISION)
    / NULLIF(CAST(SUM(trips) OVER (PARTITION BY month) AS DOUBLE PRECISION), 0) AS share_of_month
FROM bands
