from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from glue_jobs import session
from glue_jobs.errors import Cause, PipelineError
from glue_jobs.session import spark_session
from taxi_assets.jobs import engine as engines
from taxi_assets.jobs.engine import EngineUnavailable, running_engine
from taxi_assets.jobs.surroundings import for_jobs
from taxi_assets.settings import SAIL

NOBODY = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    "name",
    [
        *("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONINSPECT", "PYTHONIOENCODING", "PYTHONWARNINGS"),
        *("SPARK_HOME", "SPARK_CONF_DIR", "SPARK_REMOTE", "SPARK_CONNECT_MODE_ENABLED", "HADOOP_CONF_DIR"),
        *("PYSPARK_PYTHON", "PYSPARK_SUBMIT_ARGS", "PYSPARK_GATEWAY_PORT", "PYSPARK_DRIVER_PYTHON"),
        *("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "GRPC_POLL_STRATEGY"),
        *("TAXI_SLACK_WEBHOOK_URL", "DAGSTER_PG_PASSWORD"),
    ],
)
def test_secrets_and_what_leads_to_another_python_or_spark_stay_outside(name: str) -> None:
    assert for_jobs({name: "/somewhere/else"}).get(name) != "/somewhere/else"


@pytest.mark.parametrize("name", ["PATH", "HOME", "JAVA_HOME", "SPARK_LOCAL_DIRS", "https_proxy", "SAIL_X"])
def test_what_is_of_use_stays(name: str) -> None:
    assert for_jobs({name: "given"})[name] == "given"


@pytest.mark.parametrize(
    ("given", "requests", "grpc"),
    [
        ({}, "127.0.0.1,localhost", "127.0.0.1,localhost"),
        ({"NO_PROXY": ".corp"}, ".corp,127.0.0.1,localhost", ".corp,127.0.0.1,localhost"),
        ({"no_proxy": "a", "no_grpc_proxy": "b"}, "a,127.0.0.1,localhost", "b,127.0.0.1,localhost"),
        ({"no_proxy": "*"}, "*", "*,127.0.0.1,localhost"),
    ],
)
def test_this_machine_is_reached_without_a_proxy(given: dict[str, str], requests: str, grpc: str) -> None:
    environment = for_jobs(given)
    assert environment["no_proxy"] == environment["NO_PROXY"] == requests
    assert environment["no_grpc_proxy"] == grpc


def test_a_job_reaches_the_engine_whatever_its_surroundings_are(engine: str, tmp_path: Path) -> None:
    for module in ("grpc", "pyspark"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit('another one')")
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "grpc_proxy", "HTTPS_PROXY", "ALL_PROXY"), NOBODY)
    given = {**os.environ, **proxies, "no_proxy": "*", "PYTHONPATH": str(tmp_path), "GRPC_POLL_STRATEGY": "none"}
    asks = "from glue_jobs.session import spark_session\nprint(spark_session('a job', {}).range(3).count())"
    with running_engine(engine, given) as running:
        command = [sys.executable, "-c", asks]
        done = subprocess.run(command, env=running.environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "3\n", done.stderr


def test_the_engine_starts_whatever_its_surroundings_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pysail.py").write_text("raise SystemExit('another one')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONINSPECT", "1")
    with running_engine(SAIL) as running:
        assert running.ended() == ""


@pytest.fixture
def mute_server() -> Iterator[str]:
    """A server that takes connections and never says anything, as a proxy that leads nowhere."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"sc://127.0.0.1:{server.getsockname()[1]}"


def test_an_engine_that_never_answers_is_waited_for_aloud_and_given_up(
    mute_server: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SPARK_REMOTE", mute_server)
    monkeypatch.setattr(session, "ANSWER_SECONDS", 2)
    monkeypatch.setattr(session, "_SECONDS_BETWEEN_WORDS", 1)
    monkeypatch.setattr(logging.getLogger("glue_jobs"), "propagate", True)
    with pytest.raises(PipelineError, match=f"{mute_server} did not answer within 2 s") as given_up:
        spark_session("a job", {})
    assert given_up.value.cause is Cause.ENGINE
    assert "no_proxy" in given_up.value.remedy
    assert [record.getMessage() for record in caplog.records] == [
        f"waiting for the engine at {mute_server}: 1 of at most 2 s"
    ]


def test_an_engine_that_never_starts_is_waited_for_aloud_and_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexec cat\n")  # says nothing, and ends with its standard input
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(engines, "START_SECONDS", 2)
    monkeypatch.setattr(engines, "_SECONDS_BETWEEN_WORDS", 1)
    said: list[str] = []
    with pytest.raises(EngineUnavailable, match="did not start within 2 s"), running_engine(SAIL, say=said.append):
        pass
    assert said == ["waiting for the embedded Spark engine (Sail) to start: 1 of at most 2 s"]
