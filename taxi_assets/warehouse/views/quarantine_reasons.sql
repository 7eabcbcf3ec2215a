-- Why rows of a month are in quarantine.
--
-- Grain: month, quarantine_reasons
--
-- month | string | | Month of the source file, YYYY-MM
-- quarantine_reasons | string | | Ids of the rules that apply to a row, joined by commas
-- quarantined_rows | bigint | rows | Rows with exactly these reasons
-- share_of_quarantine | double | 0-1 | quarantined_rows by all quarantined rows of the month
WITH reasons AS (
    SELECT month, quarantine_reasons, COUNT(*) AS quarantined_rows
    FROM staging.quarantine
    GROUP BY month, quarantine_reasons
)
SELECT
    month,
    quarantine_reasons,
    quarantined_rows,
    CAST(quarantined_rows AS DOUBLE PRECISION)
    / NULLIF(CAST(SUM(quarantined_rows) OVER (PARTITION BY month) AS DOUBLE PRECISION), 0) AS share_of_quarantine
FROM reasons
