-- Trips between boroughs, and how they were paid, for a month.
--
-- Grain: month, pickup_borough, dropoff_borough
--
-- month | string | | Month of the source file, YYYY-MM
-- pickup_borough | string | | Borough of pick-up
-- dropoff_borough | string | | Borough of drop-off
-- trips | bigint | rows | Trips (refunds not counted)
-- net_revenue | decimal(18,2) | USD | total_amount of trips and refunds
-- share_of_month | double | 0-1 | trips by all trips of the month
-- card_trips | bigint | rows | Trips paid by card
-- cash_trips | bigint | rows | Trips paid in cash
-- flex_trips | bigint | rows | Flex Fare trips
-- other_trips | bigint | rows | Trips paid otherwise, or not at all
-- card_share | double | 0-1 | card_trips by trips
-- card_tip_rate | double | 0-1 | Tips on card trips by their fares
WITH pairs AS (
    SELECT
        month,
        pickup_borough,
        dropoff_borough,
        CAST(SUM(trips) AS BIGINT) AS trips,
        CAST(SUM(net_revenue) AS DECIMAL(18, 2)) AS net_revenue,
        CAST(SUM(card_trips) AS BIGINT) AS card_trips,
        CAST(SUM(cash_trips) AS BIGINT) AS cash_trips,
        CAST(SUM(flex_trips) AS BIGINT) AS flex_trips,
        CAST(SUM(other_trips) AS BIGINT) AS other_trips,
        CAST(SUM(card_tips) AS DOUBLE PRECISION) AS card_tips,
        CAST(SUM(card_fares) AS DOUBLE PRECISION) AS card_fares
    FROM curated.location_analytics
    GROUP BY month, pickup_borough, dropoff_borough
)
SELECT
    month,
    pickup_borough,
    dropoff_borough,
    trips,
    net_revenue,
    CAST(trips AS DOUBLE PRECISION)
    / NULLIF(CAST(SUM(trips) OVER (PARTITION BY month) AS DOUBLE PRECISION), 0) AS share_of_month,
    card_trips,
    cash_trips,
    flex_trips,
    other_trips,
    CAST(card_trips AS DOUBLE PRECISION) / NULLIF(CAST(trips AS DOUBLE PRECISION), 0) AS card_share,
    card_tips / NULLIF(card_fares, 0) AS card_tip_rate
FROM pairs
