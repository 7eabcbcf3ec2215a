"""Redshift Serverless for tests: its control plane, and PostgreSQL that answers as Redshift would.

Belongs here: the login by IAM, external schemas that read the lake's Iceberg tables, what is logged of queries. Does
not: bytes on the wire (``redshift_wire``).

PostgreSQL is more lenient than Redshift (FILTER, generate_series, averages of integers): the lint of the views guards
those. Each statement is put into PostgreSQL's words; before it, the tables of external schemas are brought to what the
Glue Data Catalog says is their newest metadata.
"""

from __future__ import annotations

import io
import re
import secrets
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg2
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from moto.glue.models import glue_backends
from pyiceberg.table import StaticTable

from taxi_assets_tests.emulators.aws import AwsEmulator
from taxi_assets_tests.emulators.environment import ACCOUNT, REGION, Role
from taxi_assets_tests.emulators.iam_roles import tags_of
from taxi_assets_tests.emulators.recording import ApiCall
from taxi_assets_tests.emulators.redshift_wire import Statement, proxying
from taxi_assets_tests.support.postgres import ADMIN, HOST, Postgres, write_certificate

WORKGROUP = "taxi"
DATABASE = "taxi"
_EXTERNAL = re.compile(r"CREATE EXTERNAL SCHEMA \"(\w+)\" FROM DATA CATALOG DATABASE '(\w+)' IAM_ROLE .+")
_DROP_SCHEMA = re.compile(r'DROP SCHEMA "(\w+)"')
_AS_OF = re.compile(r'"(\w+)"\."(\w+)" AS OF TIMESTAMP \'([^\']+)\'')
_UNLOAD = re.compile(r"UNLOAD \((.+)\) TO 's3://([^/]+)/(.+)' IAM_ROLE \S+ FORMAT AS (PARQUET|CSV HEADER)", re.DOTALL)
_USAGE = re.compile(r'GRANT USAGE ON SCHEMA "(\w+)" TO ROLE (\w+)')
_REWRITTEN = (
    (re.compile(r"GRANT ROLE sys:monitor TO ROLE (\w+)"), r"GRANT pg_monitor TO \1"),
    (re.compile(r"^GRANT ROLE (\w+) TO ROLE (\w+)$"), r"GRANT \1 TO \2"),
    (re.compile(r"^(GRANT .+) TO ROLE (\w+)$"), r"\1 TO \2"),
    (re.compile(r"^SET query_group TO"), 'SET "redshift.query_group" TO'),
    # Who reads a view needs the right to read what is below it, as on external schemas.
    (
        re.compile(r"^CREATE VIEW (\S+) AS (.+) WITH NO SCHEMA BINDING$", re.S),
        r"CREATE VIEW \1 WITH (security_invoker) AS \2",
    ),
)
_SYSTEM_VIEWS = """
CREATE TABLE queries (
    query_id BIGSERIAL, query_label CHAR(320), status CHAR(10), start_time TIMESTAMP, elapsed_time BIGINT,
    returned_rows BIGINT, error_message CHAR(512), query_text CHAR(4000), query_type CHAR(32), user_name TEXT
);
CREATE VIEW sys_query_history AS SELECT * FROM queries
    WHERE user_name = current_user OR pg_has_role(current_user, 'pg_monitor', 'usage');
CREATE VIEW svv_roles AS SELECT CAST(rolname AS VARCHAR) AS role_name FROM pg_roles;
CREATE TABLE svv_external_schemas (schemaname VARCHAR PRIMARY KEY, databasename VARCHAR);
GRANT SELECT ON sys_query_history, svv_roles, svv_external_schemas TO PUBLIC;
"""
_TAG = "RedshiftDbRoles"
_STATIC_TAGS = {role.value: "" for role in Role} | {Role.DASHBOARD.value: "taxi_dashboard"}
"""What that tag says of those who sign with static keys, and are no role of IAM."""


class EmulatedRedshift:
    """A workgroup; ``statements`` are those that clients sent, in Redshift's words; ``logins`` who logged in by IAM."""

    def __init__(self, aws: AwsEmulator, postgres: Postgres, database: str, certificate: Path) -> None:
        self.certificate = certificate
        self.port = 0
        self.statements: list[str] = []
        self.logins: list[str] = []
        self._aws = aws
        self._without_database = aws.stand_ins["redshift-serverless"]
        self._postgres = postgres
        self._database = database
        self._lock = threading.RLock()
        self._external: dict[str, str] = {}
        self._readers: set[tuple[str, str]] = set()
        self._loaded: dict[tuple[str, str], str] = {}
        self._unloaded = 0
        self._admin = self._connected()
        self._run(_SYSTEM_VIEWS)

    def close(self) -> None:
        """End the administrator's connection."""
        self._admin.close()

    # The control plane.

    def control_plane(self, call: ApiCall, asked: dict[str, Any]) -> dict[str, Any]:
        """What GetWorkgroup and GetCredentials answer; the rest is that of the control plane without a database."""
        if call.action not in ("GetWorkgroup", "GetCredentials"):
            return self._without_database(call, asked)
        if asked["workgroupName"] != WORKGROUP:
            return {"__type": "ResourceNotFoundException", "message": "workgroup not found"}
        if call.action == "GetWorkgroup":
            made = self._without_database(call, asked).get("workgroup", {"workgroupName": WORKGROUP})
            endpoint = {"address": HOST, "port": self.port}
            return {"workgroup": {**made, "endpoint": endpoint, "status": "AVAILABLE"}}
        self.logins.append(call.role)
        user, password = f"IAMR:{call.role}", secrets.token_hex(8)
        self.make_user(user, password, call.role)
        return {"dbUser": user, "dbPassword": password, "expiration": time.time() + asked["durationSeconds"]}

    def make_user(self, user: str, password: str, role: str) -> None:
        """Make a user, or give it another password; Dagster's may make schemas and roles, others have their tag's."""
        with self._lock:
            if not self._rows(f"SELECT 1 FROM pg_roles WHERE rolname = '{user}'"):
                self._run(f'CREATE ROLE "{user}" LOGIN')
            self._run(f'ALTER ROLE "{user}" PASSWORD %s', password)
            if role == Role.DAGSTER:
                self._run(f'ALTER ROLE "{user}" CREATEROLE; GRANT CREATE ON DATABASE {self._database} TO "{user}"')
            for granted in _database_roles(role):
                if self._rows(f"SELECT 1 FROM pg_roles WHERE rolname = '{granted}'"):
                    self._run(f'GRANT {granted} TO "{user}"')

    def end_connections(self) -> None:
        """Break every connection of a client, as a workgroup does that goes to sleep."""
        with self._lock:
            self._run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'IAMR:%'")

    # Statements.

    def in_postgres_words(self, sql: str, is_in_transaction: bool) -> str:
        """What PostgreSQL is given for a statement of a client."""
        self.statements.append(sql)
        if found := _UNLOAD.fullmatch(sql):
            self._unload(*found.groups())
            return "SELECT 1"
        if sql == "SELECT pg_last_unload_count()":
            return f"SELECT CAST({self._unloaded} AS BIGINT)"
        with self._lock:
            if not is_in_transaction:
                self._bring_up_to_date()
            if found := _EXTERNAL.fullmatch(sql):
                assert not is_in_transaction, "CREATE EXTERNAL SCHEMA cannot run inside a transaction block"
                self._external[found[1]] = found[2]
                return f'CREATE SCHEMA "{found[1]}"'
            if (found := _DROP_SCHEMA.fullmatch(sql)) and found[1] in self._external:
                del self._external[found[1]]
                self._run(f"DELETE FROM svv_external_schemas WHERE schemaname = '{found[1]}'")
                self._loaded = {key: at for key, at in self._loaded.items() if key[0] != found[1]}
                return f"{sql} CASCADE"
            if found := _USAGE.fullmatch(sql):
                self._readers.add((found[1], found[2]))
            sql = _AS_OF.sub(lambda one: self._as_of(one[1], one[2], one[3]), sql)
        for pattern, words in _REWRITTEN:
            sql = pattern.sub(words, sql)
        return sql

    def log(self, said: Statement) -> None:
        """Enter a statement of a client into SYS_QUERY_HISTORY."""
        with self._lock:
            self._run(
                "INSERT INTO queries (query_label, status, start_time, elapsed_time, returned_rows, error_message,"
                " query_text, query_type, user_name)"
                " VALUES (%s, %s, to_timestamp(%s) AT TIME ZONE 'UTC', %s, %s, %s, %s, %s, %s)",
                said.label,
                "failed" if said.error else "success",
                said.started,
                int(said.seconds * 1e6),
                said.rows,
                said.error[:500],
                said.sql[:4000],
                "SELECT" if said.sql.lstrip().upper().startswith(("SELECT", "WITH")) else "UTILITY",
                said.user,
            )

    def _unload(self, select: str, bucket: str, key: str, form: str) -> None:
        sql = select[1:-1].replace("''", "'")
        with self._lock:
            sql = _AS_OF.sub(lambda one: self._as_of(one[1], one[2], one[3]), sql)
            out = io.StringIO()
            with self._admin.cursor() as cursor:
                cursor.copy_expert(f"COPY ({sql}) TO STDOUT (FORMAT CSV, HEADER)", out)
            table = pyarrow.csv.read_csv(io.BytesIO(out.getvalue().encode()))
        self._unloaded = table.num_rows
        body = io.BytesIO(out.getvalue().encode())
        if form == "PARQUET":
            body = io.BytesIO()
            pq.write_table(table, body)
        ending = ".parquet" if form == "PARQUET" else ".csv"
        self._aws.client("s3").put_object(Bucket=bucket, Key=f"{key}0000_part_00{ending}", Body=body.getvalue())

    # Tables of the lake.

    def _bring_up_to_date(self) -> None:
        """Load each table of the external schemas whose metadata is another than was loaded."""
        glue = glue_backends[ACCOUNT][REGION]  # not asked by HTTP: that would cost more than the statement
        for schema, database in self._external.items():
            if not self._rows(f"SELECT 1 FROM pg_namespace WHERE nspname = '{schema}'"):
                continue
            self._run(
                "INSERT INTO svv_external_schemas VALUES (%s, %s) ON CONFLICT DO NOTHING",
                schema,
                database,
            )
            for table in glue.get_tables(database, None):
                location = table.as_dict()["Parameters"].get("metadata_location")
                if location is None or self._loaded.get((schema, table.name)) == location:
                    continue
                self._load(f'"{schema}"."{table.name}"', self._table(location).scan().to_arrow())
                self._loaded[schema, table.name] = location
        for schema, role in self._readers:
            if schema in self._external:
                self._run(f'GRANT SELECT ON ALL TABLES IN SCHEMA "{schema}" TO {role}')

    def _as_of(self, schema: str, name: str, at: str) -> str:
        """The name of a table with what the table's log of snapshots says was current ``at`` a time, in UTC."""
        table = self._table(self._loaded[schema, name])
        moment = pa.scalar(at.replace(" ", "T")).cast(pa.timestamp("ms")).value
        past = [entry for entry in table.metadata.snapshot_log if entry.timestamp_ms <= moment]
        assert past, f"{schema}.{name} has no snapshot as of {at}"
        snapshot = past[-1].snapshot_id
        there = f'"{schema}"."{name}@{snapshot}"'
        if not self._rows(f"SELECT 1 WHERE to_regclass('{there}') IS NOT NULL"):
            self._load(there, table.scan(snapshot_id=snapshot).to_arrow())
            for readable, role in self._readers:
                if readable == schema:
                    self._run(f"GRANT SELECT ON {there} TO {role}")
        return there

    def _table(self, metadata_location: str) -> StaticTable:
        return StaticTable.from_metadata(
            metadata_location,
            {
                "s3.endpoint": self._aws.url,
                "s3.access-key-id": Role.TEST.value,
                "s3.secret-access-key": "emulated",
                "s3.region": REGION,
                "s3.force-virtual-addressing": "false",
            },
        )

    def _load(self, name: str, rows: pa.Table) -> None:
        """Make ``rows`` the content of a table, which is made, or given the columns that it lacks, before."""
        schema = name.partition(".")[0]
        columns = [f'"{field.name}" {_postgres_type(field.type)}' for field in rows.schema]
        [(owner,)] = self._rows(
            f"SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = '{schema.strip(chr(34))}'"
        )
        self._run(f"CREATE TABLE IF NOT EXISTS {name} ({', '.join(columns)})")
        self._run(f'ALTER TABLE {name} OWNER TO "{owner}"')
        for column in columns:
            self._run(f"ALTER TABLE {name} ADD COLUMN IF NOT EXISTS {column}")
        texts = pa.table(
            [column.cast(pa.string()) if pa.types.is_decimal(column.type) else column for column in rows.columns],
            rows.column_names,
        )
        out = io.BytesIO()
        pyarrow.csv.write_csv(texts, out)
        out.seek(0)
        names = ", ".join(f'"{field.name}"' for field in rows.schema)
        with self._admin.cursor() as cursor:  # DELETE, not TRUNCATE: readers of the old rows are not waited for
            cursor.execute("BEGIN")
            cursor.execute(f"DELETE FROM {name}")
            cursor.copy_expert(f"COPY {name} ({names}) FROM STDIN (FORMAT CSV, HEADER, NULL '')", out)
            cursor.execute("COMMIT")

    def _connected(self) -> Any:
        connection = psycopg2.connect(
            host=HOST,
            port=self._postgres.port,
            user=ADMIN,
            password=self._postgres.admin_password,
            dbname=self._database,
            sslmode="require",
        )
        connection.autocommit = True
        return connection

    def _run(self, sql: str, *values: object) -> None:
        with self._lock, self._admin.cursor() as cursor:
            cursor.execute(sql, values or None)

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self._lock, self._admin.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())


def _database_roles(role: str) -> list[str]:
    """The roles in the database that the tag of an IAM role gives."""
    tag = _STATIC_TAGS[role] if role in _STATIC_TAGS else tags_of(role).get(_TAG, "")
    return [name for name in tag.split(":") if name]


def _postgres_type(kind: pa.DataType) -> str:
    if pa.types.is_decimal(kind):
        return f"NUMERIC({kind.precision}, {kind.scale})"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "VARCHAR(16383)"
    return {
        pa.int32(): "INTEGER",
        pa.int64(): "BIGINT",
        pa.float64(): "DOUBLE PRECISION",
        pa.bool_(): "BOOLEAN",
        pa.date32(): "DATE",
        pa.timestamp("us"): "TIMESTAMP",
    }[kind]


@contextmanager
def emulated_redshift(aws: AwsEmulator, postgres: Postgres) -> Iterator[EmulatedRedshift]:
    """A workgroup ``WORKGROUP`` of the emulated AWS, with a new database; it ends with the block."""
    with tempfile.TemporaryDirectory(prefix="redshift-") as folder:
        certificate, key = Path(folder, "server.crt"), Path(folder, "server.key")
        write_certificate(certificate, key)
        database = postgres.new_database()["DAGSTER_PG_DB"]
        redshift = EmulatedRedshift(aws, postgres, database, certificate)
        try:
            with proxying(redshift, postgres.port, database, certificate, key) as port:
                redshift.port = port
                with patch.dict(aws.stand_ins, {"redshift-serverless": redshift.control_plane}):
                    yield redshift
        finally:
            redshift.close()
