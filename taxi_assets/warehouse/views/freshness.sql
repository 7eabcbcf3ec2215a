-- Which version of each asset was checked last, when, and how old its source file is, for a month.
--
-- Published is what passed; every month the checks of what is published are asked again. After a rollback the version
-- that is live is an older one than was checked last, until they are.
--
-- Grain: month, asset
--
-- month | string | | Month of the source file, YYYY-MM
-- asset | string | | Asset, layer/name
-- version | string | | Version that was checked last
-- checked_at | timestamp_ntz | UTC | When
-- checks_failed | bigint | | Its checks that hold a publication back and failed
-- checks_warned | bigint | | Its checks that only show and failed
-- source_landed_at | timestamp_ntz | UTC | When the newest content of the month's trip file was landed
WITH answers AS (
    SELECT
        month,
        asset,
        version,
        checked_at,
        passed,
        severity,
        RANK() OVER (PARTITION BY month, asset ORDER BY checked_at DESC NULLS LAST) AS age
    FROM quality.check_history
    WHERE measure = ''
), landed AS (
    SELECT month, MAX(landed_at) AS landed_at
    FROM "raw".files
    WHERE dataset = 'nyc_taxi' AND refused_because IS NULL
    GROUP BY month
)
SELECT
    answers.month,
    answers.asset,
    MAX(answers.version) AS version,
    MAX(answers.checked_at) AS checked_at,
    CAST(SUM(CASE WHEN NOT answers.passed AND answers.severity = 'ERROR' THEN 1 ELSE 0 END) AS BIGINT) AS checks_failed,
    CAST(SUM(CASE WHEN NOT answers.passed AND answers.severity = 'WARN' THEN 1 ELSE 0 END) AS BIGINT) AS checks_warned,
    MAX(landed.landed_at) AS source_landed_at
FROM answers
LEFT JOIN landed ON landed.month = answers.month
WHERE answers.age = 1
GROUP BY answers.month, answers.asset
