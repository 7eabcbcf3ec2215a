-- The queries that took longest or failed: what they cost, and why.
--
-- Grain: query_id
--
-- query_id | string | | The engine's id of the query
-- label | string | | What asked: a page of the dashboard, a command
-- status | string | | success or failed
-- started_at | timestamp_ntz | UTC | When it was put
-- seconds | double | s | From the question to the last row, waiting included
-- returned_rows | bigint | rows | Rows of the answer
-- cost_usd | double | USD | What its seconds cost by the warehouse's price; 0 on a laptop
-- error | string | | Why it failed; null if it did not
-- sql_text | string | | The SQL, without the values of its parameters
-- place | bigint | | Place among all queries by seconds, 1 is the slowest; those that failed have one as well
SELECT
    query_id,
    label,
    status,
    started_at,
    seconds,
    returned_rows,
    cost_usd,
    error,
    sql_text,
    RANK() OVER (ORDER BY seconds DESC NULLS LAST) AS place
FROM operations.query_log
WHERE status = 'failed' OR seconds >= 1
