-- How many passengers ride together, and when, for a month.
--
-- Grain: month, passenger_group, time_of_day_category
--
-- month | string | | Month of the source file, YYYY-MM
-- passenger_group | string | | None entered, Solo, Pair, Group of 3-4, Group of 5 or more, Unknown
-- time_of_day_category | string | | Morning, Afternoon, Evening or Night
-- trips | bigint | rows | Trips (refunds not counted)
-- net_revenue | decimal(18,2) | USD | total_amount of trips and refunds
-- average_total | double | USD | gross_revenue by trips
-- share_of_month | double | 0-1 | trips by all trips of the month
WITH passengers AS (
    SELECT
        month,
        passenger_group,
        time_of_day_category,
        CAST(SUM(trips) AS BIGINT) AS trips,
        CAST(SUM(gross_revenue) AS DOUBLE PRECISION) AS gross_revenue,
        CAST(SUM(net_revenue) AS DECIMAL(18, 2)) AS net_revenue
    FROM curated.customer_behavior
    GROUP BY month, passenger_group, time_of_day_category
)
SELECT
    month,
    passenger_group,
    time_of_day_category,
    trips,
    net_revenue,
    gross_revenue / NULLIF(CAST(trips AS DOUBLE PRECISION), 0) AS average_total,
    CAST(trips AS DOUBLE PRECISION)
    / NULLIF(CAST(SUM(trips) OVER (PARTITION BY month) AS DOUBLE PRECISION), 0) AS share_of_month
FROM passengers
