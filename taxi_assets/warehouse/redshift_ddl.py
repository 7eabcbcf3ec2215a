"""What Redshift is told once: where the lake's tables are, the views, the roles and what they may do.

Belongs here: its statements as text. Does not: running them (``warehouse.redshift``), or what views say (``views/``).

Everything that a reader can ask is either a table of an external schema, which Redshift reads from the lake by the Glue
Data Catalog, or a late-binding view: views over external tables must be (Amazon Redshift Database Developer Guide,
CREATE VIEW). Who reads such a view needs USAGE on the external schemas below it as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from glue_jobs.contracts import LAYERS
from taxi_assets.warehouse.query_log import QUERY_LOG
from taxi_assets.warehouse.view import SCHEMA, views

ROLES = ("taxi_analyst", "taxi_dashboard")
"""Roles that only read. An IAM role gets one by its tag ``RedshiftDbRoles``, when it logs in."""
EXTERNAL_SCHEMAS = "SELECT schemaname, databasename FROM svv_external_schemas"
ROLES_THERE = "SELECT role_name FROM svv_roles"
_SCHEMAS = (SCHEMA, QUERY_LOG.layer)
_MONITOR = "sys:monitor"
"""Redshift's own role that sees the queries of all users; others see their own."""


def external_schema(layer: str, database: str, iam_role: str) -> str:
    """Make a layer's tables readable. It cannot stand in a transaction. ``iam_role`` is an ARN or ``default``."""
    role = "default" if iam_role == "default" else text(iam_role)
    return f'CREATE EXTERNAL SCHEMA "{layer}" FROM DATA CATALOG DATABASE {text(database)} IAM_ROLE {role}'


def drop_external_schema(layer: str) -> str:
    """Forget a layer's tables; they stay in the catalog."""
    return f'DROP SCHEMA "{layer}"'


def missing_roles(there: Iterable[str]) -> Iterator[str]:
    """Make the roles that are not ``there``, and have them see everybody's queries."""
    known = set(there)
    for role in ROLES:
        if role not in known:
            yield f"CREATE ROLE {role}"
        yield f"GRANT ROLE {_MONITOR} TO ROLE {role}"


def replace_views(rpu: int, usd_per_rpu_hour: float) -> Iterator[str]:
    """Make the views anew and let the roles read; for one transaction, so that nobody finds a view missing.

    ``rpu``: the workgroup's base capacity, at whose price the seconds of a query are shown.
    """
    for schema in _SCHEMAS:
        yield f"CREATE SCHEMA IF NOT EXISTS {schema}"
    # A view that another reads last, and dropped first; CREATE OR REPLACE would want the same columns.
    selects = {QUERY_LOG.full_name: _query_log(rpu, usd_per_rpu_hour)}
    selects |= {view.table.full_name: view.sql for view in views().values()}
    for name in reversed(selects):
        yield f"DROP VIEW IF EXISTS {name}"
    for name, select in selects.items():
        yield f"CREATE VIEW {name} AS {select} WITH NO SCHEMA BINDING"
    for role in ROLES:
        for schema in (*LAYERS, *_SCHEMAS):
            yield f'GRANT USAGE ON SCHEMA "{schema}" TO ROLE {role}'
        for schema in _SCHEMAS:
            yield f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO ROLE {role}"


def _query_log(rpu: int, usd_per_rpu_hour: float) -> str:
    """``QUERY_LOG`` over SYS_QUERY_HISTORY, whose times are in microseconds and whose texts are padded."""
    usd_per_microsecond = rpu * usd_per_rpu_hour / 3600 / 1e6
    return f"""SELECT
    CAST(query_id AS VARCHAR(20)) AS query_id,
    CAST(TRIM(query_label) AS VARCHAR(320)) AS label,
    CAST(CASE WHEN status = 'success' THEN 'success' ELSE 'failed' END AS VARCHAR(7)) AS status,
    start_time AS started_at,
    CAST(elapsed_time AS DOUBLE PRECISION) / 1000000 AS seconds,
    CAST(returned_rows AS BIGINT) AS returned_rows,
    CAST(elapsed_time AS DOUBLE PRECISION) * {usd_per_microsecond:.12e} AS cost_usd,
    CAST(NULLIF(TRIM(error_message), '') AS VARCHAR(512)) AS error,
    CAST(TRIM(query_text) AS VARCHAR(4000)) AS sql_text
FROM sys_query_history
WHERE query_type IN ('SELECT', 'UNLOAD') AND status IN ('success', 'failed', 'canceled')"""


def unload(select: str, folder: str, form: str, iam_role: str) -> str:
    """Have Redshift write the rows of a SELECT to files below ``folder``, ``s3://bucket/prefix/``."""
    role = "default" if iam_role == "default" else text(iam_role)
    how = {"parquet": "FORMAT AS PARQUET", "csv": "FORMAT AS CSV HEADER"}[form]
    return f"UNLOAD ({text(select)}) TO {text(folder)} IAM_ROLE {role} {how}"


def text(value: str) -> str:
    """A SQL string literal; Redshift takes a backslash within one for the begin of an escape."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
