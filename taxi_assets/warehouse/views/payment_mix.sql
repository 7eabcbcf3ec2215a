-- How passengers paid and tipped, for a month.
--
-- Grain: month, payment_method
--
-- month | string | | Month of the source file, YYYY-MM
-- payment_method | string | | How the passenger paid
-- trips | bigint | rows | Trips (refunds not counted)
-- net_revenue | decimal(18,2) | USD | total_amount of trips and refunds
-- average_total | double | USD | gross_revenue by trips
-- card_tips | decimal(18,2) | USD | Tips on card trips (cash tips are not recorded)
-- share_of_month | double | 0-1 | trips by all trips of the month
WITH methods AS (
    SELECT
        month,
        payment_method,
        CAST(SUM(trips) AS BIGINT) AS trips,
        CAST(SUM(gross_revenue) AS DOUBLE PRECISION) AS gross_revenue,
        CAST(SUM(net_revenue) AS DECIMAL(18, 2)) AS net_revenue,
        CAST(SUM(card_tips) AS DECIMAL(18, 2)) AS card_tips
    FROM curated.customer_behavior
    GROUP BY month, payment_method
)
SELECT
    month,
    payment_method,
    trips,
    net_revenue,
    gross_revenue / NULLIF(CAST(trips AS DOUBLE PRECISION), 0) AS average_total,
    card_tips,
    CAST(trips AS DOUBLE PRECISION)
    / NULLIF(CAST(SUM(trips) OVER (PARTITION BY month) AS DOUBLE PRECISION), 0) AS share_of_month
FROM methods
