"""Dagster's SQLite files for a command that works on them: each is opened once and kept open.

Belongs here: how the files are opened. Does not: what is stored and where, which is Dagster's own.

Dagster makes an SQLAlchemy engine for each look and closes the file behind it, 994 times in a run of a month. A new
engine compiles all statements again, and whoever closes an SQLite file last writes its log back into it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.runs import SqliteRunStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine

_OPEN_RUNS = 8
"""Files of runs that stay open at once: each run has one, and a look over all runs opens them all."""


def kept_open(home: Path) -> ConfigurableClassData:
    """What an ``InstanceRef`` has as ``storage_data`` for the files in a Dagster home that are kept open."""
    return ConfigurableClassData(__name__, KeptOpen.__name__, yaml.safe_dump({"base_dir": str(home)}))


def _opened(address: str) -> Engine:
    return create_engine(address, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS})


class _Runs(SqliteRunStorage):
    """``runs.db``."""

    def __init__(self, conn_string: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engine = _opened(conn_string)
        super().__init__(conn_string, inst_data)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        with self._engine.begin() as connection:
            yield connection

    def dispose(self) -> None:
        super().dispose()
        self._engine.dispose()


class _Events(SqliteEventLogStorage):
    """``index.db`` and a file for each run."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: dict[str, Engine] = {}
        super().__init__(base_dir, inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock, self._engine(shard).begin() as connection:
            yield connection

    def _engine(self, shard: str) -> Engine:
        """The file's engine, which is made the last to be closed. The lock is held, so that none is in use."""
        engine = self._engines.pop(shard, None)
        if engine is None:
            engine = _opened(self.conn_string_for_shard(shard))
            if len(self._engines) > _OPEN_RUNS:
                self._engines.pop(next(iter(self._engines))).dispose()
        if shard not in self._initialized_dbs:
            self._initdb(engine)
            self._initialized_dbs.add(shard)
        self._engines[shard] = engine
        return engine

    def wipe(self) -> None:
        self._close()
        super().wipe()

    def dispose(self) -> None:
        super().dispose()
        self._close()

    def _close(self) -> None:
        with self._db_lock:
            while self._engines:
                self._engines.popitem()[1].dispose()


class KeptOpen(DagsterSqliteStorage):
    """Dagster's storage in SQLite, in the same files."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        self._run_storage = _Runs(self._run_storage._conn_string)
        self._event_log_storage = _Events(self._event_log_storage._base_dir)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> KeptOpen:
        """What Dagster makes of ``kept_open``; its own names its own class."""
        return cls.from_local(inst_data=inst_data, **config_value)
