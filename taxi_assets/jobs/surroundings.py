"""What of this process's environment the engine and the jobs of a laptop get.

Belongs here: the variables that are left out or changed, and why. Does not: the settings of an engine (``engine``).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_SECRET = ("TAXI_", "DAGSTER_")
"""Settings, which the jobs get as arguments: among them are the secrets of Slack, the dashboard and Postgres, and it is
the jobs that read strangers' files."""
_LEFT_OUT = ("PYTHON", "SPARK_", "PYSPARK_", "HADOOP_", "YARN_", "HIVE_", "GRPC_")
"""What the names begin with that bring in modules, configuration or an address of another Python or Spark: with
``PYTHONPATH=$SPARK_HOME/python`` the jobs would import that PySpark, with ``HADOOP_CONF_DIR`` write to that HDFS."""
_JAVA_OPTIONS = frozenset({"JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS"})
"""Of whatever else uses Java: agents, or less memory than the engine's settings say. A job's JVM only reads files."""
_KEPT = frozenset(
    {
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",  # of an engine at sc://…
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONHASHSEED",
        "PYTHONNOUSERSITE",
        "PYTHONPYCACHEPREFIX",
        "PYTHONUNBUFFERED",
        "PYTHONUSERBASE",
        "PYTHONUTF8",
        "SPARK_LOCAL_DIRS",  # where there is room
    }
)
_LOCAL = "127.0.0.1,localhost"
_PROJECT = str(Path(__file__).parents[2])


def for_jobs(given: Mapping[str, str]) -> dict[str, str]:
    """``given`` without secrets, and without what can break the engine or a job; this machine is reached directly.

    Proxies stay, for the source. Modules are those that the Python has, and this project's.
    """
    kept = {
        name: value
        for name, value in given.items()
        if name in _KEPT or not (name.startswith((*_LEFT_OUT, *_SECRET)) or name in _JAVA_OPTIONS)
    }
    direct = given.get("no_proxy") or given.get("NO_PROXY") or ""
    # "*" means all to requests, and only if it stands alone; to gRPC, which has a list of its own, it means nothing.
    for_requests = direct if direct.strip() == "*" else _and_local(direct)
    return kept | {
        "no_proxy": for_requests,
        "NO_PROXY": for_requests,
        "no_grpc_proxy": _and_local(given.get("no_grpc_proxy") or direct),
        "PYTHONPATH": _PROJECT,
        "PYTHONSAFEPATH": "1",  # nor those of the folder that the command was typed in
    }


def _and_local(hosts: str) -> str:
    return f"{hosts},{_LOCAL}" if hosts else _LOCAL
