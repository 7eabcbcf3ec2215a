-- What the money that was charged is made of, for a month, refunds taken off.
--
-- A component that did not exist yet has no row. "Rest" is what totals hold beyond their parts; it is below zero where a
-- vendor counts a fee in two columns (CMT has the congestion surcharge and the airport fee in extra as well). All
-- components of a month add up to its net revenue.
--
-- Grain: month, component
--
-- month | string | | Month of the source file, YYYY-MM
-- component | string | | What was charged, such as Fare, MTA tax, Tips; Rest for what is left of the totals
-- amount | decimal(18,2) | USD | Sum over trips and refunds
-- share_of_net_revenue | double | 0-1 | amount by the net revenue of the month
-- amount_per_trip | double | USD | amount by trips, those without the component counted
WITH sums AS (
    SELECT
        month,
        CAST(SUM(trips) AS DOUBLE PRECISION) AS trips,
        CAST(SUM(net_revenue) AS DECIMAL(18, 2)) AS net_revenue,
        CAST(SUM(fares) AS DECIMAL(18, 2)) AS fares,
        CAST(SUM(extras) AS DECIMAL(18, 2)) AS extras,
        CAST(SUM(mta_taxes) AS DECIMAL(18, 2)) AS mta_taxes,
        CAST(SUM(improvement_surcharges) AS DECIMAL(18, 2)) AS improvement_surcharges,
        CAST(SUM(congestion_surcharges) AS DECIMAL(18, 2)) AS congestion_surcharges,
        CAST(SUM(cbd_congestion_fees) AS DECIMAL(18, 2)) AS cbd_congestion_fees,
        CAST(SUM(airport_fees) AS DECIMAL(18, 2)) AS airport_fees,
        CAST(SUM(tolls) AS DECIMAL(18, 2)) AS tolls,
        CAST(SUM(tips) AS DECIMAL(18, 2)) AS tips
    FROM curated.daily_metrics
    GROUP BY month
), components AS (
    SELECT month, CAST('Fare' AS VARCHAR(40)) AS component, fares AS amount, net_revenue, trips
    FROM sums
    WHERE fares IS NOT NULL
    UNION ALL
    SELECT month, CAST('Extras' AS VARCHAR(40)) AS component, extras AS amount, net_revenue, trips
    FROM sums
    WHERE extras IS NOT NULL
    UNION ALL
    SELECT month, CAST('MTA tax' AS VARCHAR(40)) AS component, mta_taxes AS amount, net_revenue, trips
    FROM sums
    WHERE mta_taxes IS NOT NULL
    UNION ALL
    SELECT
        month,
        CAST('Improvement surcharge' AS VARCHAR(40)) AS component,
        improvement_surcharges AS amount,
        net_revenue,
        trips
    FROM sums
    WHERE improvement_surcharges IS NOT NULL
    UNION ALL
    SELECT
        month,
        CAST('Congestion surcharge' AS VARCHAR(40)) AS component,
        congestion_surcharges AS amount,
        net_revenue,
        trips
    FROM sums
    WHERE congestion_surcharges IS NOT NULL
    UNION ALL
    SELECT
        month,
        CAST('CBD congestion fee' AS VARCHAR(40)) AS component,
        cbd_congestion_fees AS amount,
        net_revenue,
        trips
    FROM sums
    WHERE cbd_congestion_fees IS NOT NULL
    UNION ALL
    SELECT month, CAST('Airport fee' AS VARCHAR(40)) AS component, airport_fees AS amount, net_revenue, trips
    FROM sums
    WHERE airport_fees IS NOT NULL
    UNION ALL
    SELECT month, CAST('Tolls' AS VARCHAR(40)) AS component, tolls AS amount, net_revenue, trips
    FROM sums
    WHERE tolls IS NOT NULL
    UNION ALL
    SELECT month, CAST('Tips' AS VARCHAR(40)) AS component, tips AS amount, net_revenue, trips
    FROM sums
    WHERE tips IS NOT NULL
    UNION ALL
    SELECT
        month,
        CAST('Rest' AS VARCHAR(40)) AS component,
        CAST(
            net_revenue
            - COALESCE(fares, 0)
            - COALESCE(extras, 0)
            - COALESCE(mta_taxes, 0)
            - COALESCE(improvement_surcharges, 0)
            - COALESCE(congestion_surcharges, 0)
            - COALESCE(cbd_congestion_fees, 0)
            - COALESCE(airport_fees, 0)
            - COALESCE(tolls, 0)
            - COALESCE(tips, 0)
            AS DECIMAL(18, 2)
        ) AS amount,
        net_revenue,
        trips
    FROM sums
)
SELECT
    month,
    component,
    amount,
    CAST(amount AS DOUBLE PRECISION) / NULLIF(CAST(net_revenue AS DOUBLE PRECISION), 0) AS share_of_net_revenue,
    CAST(amount AS DOUBLE PRECISION) / NULLIF(trips, 0) AS amount_per_trip
FROM components
