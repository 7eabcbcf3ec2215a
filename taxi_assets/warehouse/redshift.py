"""The engine of AWS: Redshift Serverless over the lake's tables.

Belongs here: connecting, asking, and telling Redshift what it has to know. Does not: the statements that it is told
(``warehouse.redshift_ddl``), what they ask (``warehouse/views``), where the workgroup is and who to be
there (``aws.redshift``).

Only imported where a workgroup is named: redshift-connector comes with the extra ``redshift``.

New versions are learnt from the Glue Data Catalog: a question to an idle workgroup wakes it, for a minute at least.
"""

from __future__ import annotations

import logging
import queue
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import pyarrow as pa
import redshift_connector
from redshift_connector.core import Connection
from redshift_connector.cursor import Cursor
from redshift_connector.error import Error, InterfaceError, OperationalError, ProgrammingError

from glue_jobs.contracts import LAYERS, TABLES
from taxi_assets.aws.redshift import WarehouseUnavailable, endpoint, iam_login, secret_login
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.snapshots import moment
from taxi_assets.settings import Settings
from taxi_assets.warehouse import redshift_ddl as ddl
from taxi_assets.warehouse.as_of import Shown, as_of, one_select
from taxi_assets.warehouse.engine import QueryFailed
from taxi_assets.warehouse.question import Value, bind
from taxi_assets.warehouse.resource import Warehouse

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")

STATEMENT_SECONDS = 120
"""That a statement may take in Redshift before it ends it."""
_SOCKET_SECONDS = STATEMENT_SECONDS + 60
"""Longer: a socket's time-out ends the connection, not the statement."""
_WAKING_SECONDS = 180.0
"""For a workgroup to let the first connection in; the documentation promises no time."""
_SECONDS_BETWEEN_ATTEMPTS = 2.0
_CONNECTIONS = 8
"""At once: a connection answers one thread at a time."""
_DATABASE_ERRORS = {
    "42501": "log in with a role that may (its tag RedshiftDbRoles), or materialize the asset warehouse again",
    "42P01": "materialize the asset warehouse, which makes schemas and views",
    "57014": "ask for fewer months or columns",
}
"""What to do, by SQLSTATE."""
_TYPES: dict[int, pa.DataType] = {
    16: pa.bool_(),
    20: pa.int64(),
    21: pa.int32(),
    23: pa.int32(),
    25: pa.string(),
    700: pa.float64(),
    701: pa.float64(),
    705: pa.string(),
    1042: pa.string(),
    1043: pa.string(),
    1082: pa.date32(),
    1114: pa.timestamp("us"),
}
"""Arrow's types by the wire protocol's; decimals (1700) have a size of their own."""
_DECIMAL = 1700


class Workgroup(Warehouse):
    """A Redshift Serverless workgroup and how to log in to it.

    By the caller's IAM role, unless ``secret_arn`` names a secret of Secrets Manager with ``username`` and ``password``
    (as Redshift keeps the administrator's). ``iam_role``, an ARN or ``default``, is the role by which Redshift itself
    reads the lake. ``rpu`` and ``usd_per_rpu_hour`` put a price on a query's seconds.
    """

    name: str
    database: str
    region: str
    secret_arn: str = ""
    iam_role: str = "default"
    rpu: int = 32
    usd_per_rpu_hour: float = 0.375

    @classmethod
    def of(cls, settings: Settings) -> Workgroup:
        """The workgroup that the settings name."""
        return cls(
            name=settings.redshift_workgroup,
            database=settings.redshift_database,
            region=settings.region,
            secret_arn=settings.redshift_secret_arn,
            iam_role=settings.redshift_iam_role,
            rpu=settings.redshift_rpu,
            usd_per_rpu_hour=settings.redshift_usd_per_rpu_hour,
        )

    def engine(self, lake: Lake) -> RedshiftEngine:
        """See ``Warehouse``."""
        return RedshiftEngine(lake, self)

    def connect(self) -> Connection:
        """A new connection, in autocommit, over TLS whose certificate is verified. It waits while the workgroup wakes.

        WarehouseUnavailable if it does not let anybody in for ``_WAKING_SECONDS``, or AWS refuses to say who to be.
        """
        until, has_waited = time.monotonic() + _WAKING_SECONDS, False
        while True:
            host, port = endpoint(self.name, self.region)
            user, password = self._login()
            try:
                connection = redshift_connector.connect(
                    host=host,
                    port=port,
                    database=self.database,
                    user=user,
                    password=password,
                    sslmode="verify-full",
                    timeout=_SOCKET_SECONDS,
                    application_name="taxi-assets",
                    max_prepared_statements=0,  # one that was kept would fail when a view has changed
                )
            except ProgrammingError as error:  # it was reached, and said no
                raise WarehouseUnavailable(
                    f"the workgroup {self.name} refuses {user}: {_said(error)}",
                    "check TAXI_REDSHIFT_DATABASE and the role, or the secret, that logs in",
                ) from error
            except (Error, OSError) as error:
                if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in (error, *error.args)):
                    raise WarehouseUnavailable(
                        f"{host}:{port} does not prove to be the workgroup {self.name}: {_said(error)}",
                        "see to what stands between (a proxy?), or have SSL_CERT_FILE name Amazon's root certificates",
                        may_pass=False,
                    ) from error
                if time.monotonic() > until:
                    raise WarehouseUnavailable(
                        f"the workgroup {self.name} could not be reached at {host}:{port}: {_said(error)}",
                        "check that this machine may connect to it (security group, subnet), and its state",
                    ) from error
                if not has_waited:
                    _log.warning("Waiting for the workgroup %s to let us in (%s)", self.name, _said(error))
                    has_waited = True
                time.sleep(_SECONDS_BETWEEN_ATTEMPTS)
            else:
                connection.autocommit = True
                for setting in (f"statement_timeout TO {STATEMENT_SECONDS * 1000}", "timezone TO 'UTC'"):
                    _execute(connection, f"SET {setting}")
                return connection

    def _login(self) -> tuple[str, str]:
        if self.secret_arn:
            return secret_login(self.name, self.secret_arn, self.region)
        return iam_login(self.name, self.database, self.region)


class _Pool:
    """Connections that are lent to one thread at a time, at most ``_CONNECTIONS``; made when they are needed."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._idle: queue.LifoQueue[Connection] = queue.LifoQueue()
        self._free = threading.BoundedSemaphore(_CONNECTIONS)

    def use(self, ask: Callable[[Connection], _Result]) -> _Result:
        """What ``ask`` gives, which may be tried again: a connection that lay idle may be gone, unknown to us."""
        with self._free:
            while True:
                try:
                    connection, is_new = self._idle.get_nowait(), False
                except queue.Empty:
                    connection, is_new = self._connect(), True
                try:
                    answer = ask(connection)
                except ProgrammingError:  # the server's own words: it waits for the next statement
                    self._idle.put(connection)
                    raise
                except BaseException as error:  # after an interrupt too, half an answer may be on its way
                    _close(connection)
                    if is_new or not _is_gone(error):
                        raise
                else:
                    self._idle.put(connection)
                    return answer

    def close(self) -> None:
        """End the idle connections."""
        while not self._idle.empty():
            _close(self._idle.get_nowait())


class RedshiftEngine:
    """Redshift over a lake in S3; ``engine.Engine`` says what it does."""

    def __init__(self, lake: Lake, workgroup: Workgroup) -> None:
        self._lake = lake
        self._workgroup = workgroup
        self._pool = _Pool(workgroup.connect)

    def state(self, as_of: str | None = None) -> str:
        """See ``engine.Engine``: what the Glue Data Catalog says is the newest metadata of each table."""
        if as_of is None:
            return "\n".join(self._lake.catalog.metadata_locations(TABLES.values()))
        seen = moment(self._lake.catalog, as_of).snapshots
        return ",".join(f"{name}={one.snapshot_id}" for name, one in sorted(seen.items()))

    def run(
        self, sql: str, parameters: Mapping[str, Value] | None = None, *, label: str, as_of: str | None = None
    ) -> pa.Table:
        """See ``engine.Engine``. NotAskable if it is no single SELECT, or cannot be asked as of a moment."""
        one_select(sql)
        given = parameters or {}
        bound, names = bind(self._as_of(sql, as_of), given, _numbered())
        return self._ask(lambda connection: _to_arrow(*_labelled(connection, label, bound, [given[n] for n in names])))

    def unload(self, sql: str, folder: str, form: str, *, label: str, as_of: str | None = None) -> int:
        """Have Redshift write the rows of one SELECT to files below ``folder`` in S3; how many rows it wrote.

        ``form`` is ``parquet`` or ``csv``. The SELECT has no parameters, which UNLOAD does not take.
        """
        one_select(sql)
        statement = ddl.unload(self._as_of(sql, as_of), folder, form, self._workgroup.iam_role)

        def write(connection: Connection) -> int:
            _labelled(connection, label, statement, [])
            [(rows,)] = _execute(connection, "SELECT pg_last_unload_count()").fetchall()
            return int(rows)

        return self._ask(write)

    def apply(self) -> list[str]:
        """Make schemas, roles, views and grants what the code says; the statements that it took.

        It can be done again at any time. Every table of the contracts is there afterwards, with the contract's columns:
        a view over a table that is not there could not be asked.
        """
        for table in TABLES.values():
            self._lake.catalog.bring_up_to_date(table)
        done: list[str] = []

        def apply(connection: Connection) -> None:
            def run(statement: str) -> Cursor:
                cursor = _execute(connection, statement)
                done.append(statement)
                return cursor

            there = dict(_execute(connection, ddl.EXTERNAL_SCHEMAS).fetchall())
            for layer in LAYERS:
                database = self._lake.catalog.database(layer)
                if there.get(layer) == database:
                    continue
                if layer in there:
                    run(ddl.drop_external_schema(layer))
                run(ddl.external_schema(layer, database, self._workgroup.iam_role))
            roles = {name for (name,) in _execute(connection, ddl.ROLES_THERE).fetchall()}
            for statement in ddl.missing_roles(roles):
                run(statement)
            _execute(connection, "BEGIN")
            try:
                for statement in ddl.replace_views(self._workgroup.rpu, self._workgroup.usd_per_rpu_hour):
                    run(statement)
            except ProgrammingError:  # the connection is still there, and goes back to the others
                _execute(connection, "ROLLBACK")
                raise
            _execute(connection, "COMMIT")

        self._ask(apply)
        return done

    def close(self) -> None:
        """End the connections that nobody uses."""
        self._pool.close()

    def _as_of(self, sql: str, when: str | None) -> str:
        if when is None:
            return sql
        then = moment(self._lake.catalog, when)
        shown = {
            name: Shown(one.committed_at, self._lake.catalog.columns_of(TABLES[name], one.snapshot_id))
            for name, one in then.snapshots.items()
        }
        return as_of(sql, shown)

    def _ask(self, ask: Callable[[Connection], _Result]) -> _Result:
        try:
            return self._pool.use(ask)
        except (Error, OSError) as error:
            remedy = _DATABASE_ERRORS.get(_sqlstate(error), 'taxi-assets query "SHOW TABLES" lists what can be asked')
            if _is_gone(error):
                remedy = "ask again; if it stays, look at the workgroup's state"
            raise QueryFailed(f"Redshift: {_said(error)}", remedy) from error


def _numbered() -> Callable[[str], str]:
    """``:1``, ``:2`` …: with values, the way of redshift-connector that leaves % and ? alone."""
    numbers = iter(range(1, 1 << 15))
    return lambda _: f":{next(numbers)}"


def _labelled(connection: Connection, label: str, sql: str, values: Sequence[Value]) -> tuple[Cursor, list[Any]]:
    """The cursor and the rows of a statement that the log of queries shows under ``label``."""
    _execute(connection, f"SET query_group TO {ddl.text(label)}")
    cursor = _execute(connection, sql, values)
    return cursor, list(cursor.fetchall()) if cursor.description else []


def _execute(connection: Connection, sql: str, values: Sequence[Value] = ()) -> Cursor:
    cursor = connection.cursor()
    # Without values no colon is one's place, as in sys:monitor; outside of texts Redshift's SQL has no question mark.
    cursor.paramstyle = "numeric" if values else "qmark"
    return cursor.execute(sql, list(values))


def _to_arrow(cursor: Cursor, rows: Sequence[Sequence[Any]]) -> pa.Table:
    """The rows as a table with the types that the server said; QueryFailed for a type that no contract has."""
    names, arrays = [], []
    assert cursor.ps is not None  # a statement was run
    for place, column in enumerate(cursor.ps["row_desc"]):
        name = column["label"].decode() if isinstance(column["label"], bytes) else str(column["label"])
        kind = _arrow_type(name, column["type_oid"], column["type_modifier"])
        values = [row[place] for row in rows]
        names.append(name)
        arrays.append(pa.array(values, kind))
    return pa.table(arrays, names)


def _arrow_type(name: str, oid: int, modifier: int) -> pa.DataType:
    if oid == _DECIMAL:
        size = modifier - 4  # precision in the upper half, scale in the lower; without any, as wide as there is
        return pa.decimal128(size >> 16 & 0xFFFF, size & 0xFFFF) if modifier >= 0 else pa.decimal128(38, 10)
    if oid not in _TYPES:
        raise QueryFailed(f"the column {name} has a type that is not read here (oid {oid})", "CAST it")
    return _TYPES[oid]


def _said(error: BaseException) -> str:
    """The sentence of an error: redshift-connector has the server's message as a dict."""
    said = error.args[0] if error.args else ""
    return str(said["M"]) if isinstance(said, dict) and "M" in said else " ".join(map(str, error.args)) or repr(error)


def _sqlstate(error: BaseException) -> str:
    said = error.args[0] if error.args else ""
    return str(said.get("C", "")) if isinstance(said, dict) else ""


def _is_gone(error: BaseException) -> bool:
    """Whether the connection is of no use any more."""
    # The server's own words are a ProgrammingError; an InterfaceError is about the connection.
    return isinstance(error, InterfaceError | OperationalError | OSError)


def _close(connection: Connection) -> None:
    try:
        connection.close()
    except (Error, OSError) as error:
        _log.debug("a connection that was gone could not be closed: %s", error)
