-- How far a month can be trusted: each row of its file accounted for, flags, and what its checks said last.
--
-- Grain: month
--
-- month | string | | Month of the source file, YYYY-MM
-- published_rows | bigint | rows | Trips and refunds
-- quarantined_rows | bigint | rows | Rows that are no usable trip
-- quarantined_share | double | 0-1 | quarantined_rows by published_rows and quarantined_rows
-- flagged_trips | bigint | rows | Trips with at least one quality flag
-- warning_trips | bigint | rows | Flagged trips with a value not to be relied on
-- info_trips | bigint | rows | Flagged trips that only lack a detail
-- flagged_share | double | 0-1 | flagged_trips by trips
-- unlinked_refunds | bigint | rows | Refunds that reverse no trip of the month
-- checks | bigint | | Checks that were asked of the month
-- checks_failed | bigint | | Those that hold a publication back and failed when they were asked last
-- checks_warned | bigint | | Those that only show and failed when they were asked last
-- checked_at | timestamp_ntz | UTC | When a check was asked last
WITH published AS (
    SELECT
        month,
        CAST(SUM(trips + refunds) AS BIGINT) AS published_rows,
        CAST(SUM(trips) AS DOUBLE PRECISION) AS trips,
        CAST(SUM(flagged_trips) AS BIGINT) AS flagged_trips,
        CAST(SUM(warning_trips) AS BIGINT) AS warning_trips,
        CAST(SUM(info_trips) AS BIGINT) AS info_trips,
        CAST(SUM(unlinked_refunds) AS BIGINT) AS unlinked_refunds
    FROM curated.daily_metrics
    GROUP BY month
), quarantined AS (
    SELECT month, COUNT(*) AS quarantined_rows
    FROM staging.quarantine
    GROUP BY month
), answers AS (
    SELECT
        month,
        passed,
        severity,
        checked_at,
        ROW_NUMBER() OVER (
            PARTITION BY month, asset, check_name ORDER BY checked_at DESC NULLS LAST, run_id ASC NULLS LAST
        ) AS age
    FROM quality.check_history
    WHERE measure = ''
), checked AS (
    SELECT
        month,
        COUNT(*) AS checks,
        CAST(SUM(CASE WHEN NOT passed AND severity = 'ERROR' THEN 1 ELSE 0 END) AS BIGINT) AS checks_failed,
        CAST(SUM(CASE WHEN NOT passed AND severity = 'WARN' THEN 1 ELSE 0 END) AS BIGINT) AS checks_warned,
        MAX(checked_at) AS checked_at
    FROM answers
    WHERE age = 1
    GROUP BY month
)
SELECT
    published.month,
    published.published_rows,
    COALESCE(quarantined.quarantined_rows, CAST(0 AS BIGINT)) AS quarantined_rows,
    CAST(COALESCE(quarantined.quarantined_rows, CAST(0 AS BIGINT)) AS DOUBLE PRECISION)
    / NULLIF(
        CAST(
            published.published_rows + COALESCE(quarantined.quarantined_rows, CAST(0 AS BIGINT)) AS DOUBLE PRECISION
        ),
        0
    ) AS quarantined_share,
    published.flagged_trips,
    published.warning_trips,
    published.info_trips,
    CAST(published.flagged_trips AS DOUBLE PRECISION) / NULLIF(published.trips, 0) AS flagged_share,
    published.unlinked_refunds,
    checked.checks,
    checked.checks_failed,
    checked.checks_warned,
    checked.checked_at
FROM published
LEFT JOIN quarantined ON quarantined.month = published.month
LEFT JOIN checked ON checked.month = published.month
