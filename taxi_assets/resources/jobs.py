"""Running a job of ``glue_jobs`` and getting its report.

Belongs here: starting the job's process, following and stopping it, judging its end. Does not: what the report
means. The AWS profile runs the same scripts with the same arguments as Glue job runs behind the same ``Jobs``.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_pyspark import LazyPySparkResource
from pydantic import PrivateAttr

import glue_jobs
from glue_jobs.reporting import COMPLETED, FAILED
from taxi_assets.resources.engine import RunningEngine, describe, running_engine

_SCRIPTS = Path(glue_jobs.__file__).parent
_LAST_LINES = 25
_STOP_SECONDS = 10
_POLL_SECONDS = 0.1


class Jobs(dg.ConfigurableResource["Jobs"], ABC):
    """Runs the jobs of ``glue_jobs``. ``spark`` supplies the Spark settings that every job gets."""

    spark: LazyPySparkResource

    @abstractmethod
    def run(self, context: dg.AssetExecutionContext, job: str, arguments: Mapping[str, str]) -> dict[str, Any]:
        """Run ``job`` to its end and return the facts of its completion report.

        dagster.Failure, with what happened and what to do, if the job failed or ended without that report.
        """

    @property
    @abstractmethod
    def engine_name(self) -> str:
        """The engine and its version, for metadata."""


class LocalJobs(Jobs):
    """Runs the jobs as subprocesses. The engine is started once for each Dagster run and shared by its jobs."""

    engine: str
    _running: RunningEngine | None = PrivateAttr(default=None)

    @property
    def engine_name(self) -> str:
        """See ``Jobs``."""
        return describe(self.engine)

    @contextmanager
    def yield_for_execution(
        self,
        context: dg.InitResourceContext,  # noqa: ARG002 -- Dagster passes it; the engine does not need it
    ) -> Iterator["LocalJobs"]:
        """Keep the engine running while the Dagster run lasts."""
        with running_engine(self.engine) as running:
            self._running = running
            yield self

    def run(self, context: dg.AssetExecutionContext, job: str, arguments: Mapping[str, str]) -> dict[str, Any]:
        """See ``Jobs``."""
        with dg.open_pipes_session(
            context=context.op_execution_context,
            context_injector=dg.PipesTempFileContextInjector(),
            message_reader=dg.PipesTempFileMessageReader(),
        ) as session:
            command = [sys.executable, str(_SCRIPTS / f"{job}.py"), *_as_options(arguments)]
            command += ["--spark-conf", json.dumps(self.spark.spark_config)]
            command += _as_options(session.get_bootstrap_cli_arguments())
            assert self._running is not None  # yield_for_execution set it
            end, last_lines = _run_to_end(command, self._running)
        return facts_of(job, session.get_custom_messages(), end, last_lines)


def facts_of(job: str, messages: Sequence[Any], end: str, last_lines: str) -> dict[str, Any]:
    """The facts of a job's completion report; dagster.Failure if there is none, whatever else it said."""
    reports = [message for message in messages if isinstance(message, dict) and message.get("job") == job]
    for report in reports:
        if report["kind"] == FAILED:
            raise dg.Failure(
                f"{report['problem']}. What to do: {report['remedy']}.",
                metadata={"problem": report["problem"], "remedy": report["remedy"]},
                allow_retries=False,
            )
    completed = [report["facts"] for report in reports if report["kind"] == COMPLETED]
    if not completed:
        raise dg.Failure(
            f"{job} ended without a completion report ({end}); nothing was published. What to do: read its last "
            f"lines below, then run the month again.\n{last_lines}",
            metadata={"last_lines": dg.MetadataValue.md(f"```\n{last_lines}\n```")},
        )
    facts: dict[str, Any] = completed[-1]
    return facts


def _as_options(arguments: Mapping[str, str]) -> list[str]:
    """``{"a_b": "c"}`` as ``["--a-b", "c"]``; names that begin with dashes stay as they are."""
    options = []
    for name, value in arguments.items():
        options += [name if name.startswith("--") else f"--{name.replace('_', '-')}", value]
    return options


def _run_to_end(command: Sequence[str], engine: RunningEngine) -> tuple[str, str]:
    """How ``command`` ended, and its last lines. Its output goes to ours as it comes, and so to Dagster's compute log.

    Stops the command if this process is interrupted, and if the engine ends: the client would wait for it.
    """
    process = subprocess.Popen(
        command,
        env=engine.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    last_lines: deque[str] = deque(maxlen=_LAST_LINES)
    reader = threading.Thread(target=_pass_on, args=(process, last_lines), daemon=True)
    reader.start()
    end = ""
    try:
        while not end:
            try:
                end = f"exit code {process.wait(timeout=_POLL_SECONDS)}"
            except subprocess.TimeoutExpired:
                end = engine.ended()
    finally:
        _stop(process)
        reader.join()
    return end, "".join(last_lines)


def _pass_on(process: subprocess.Popen[str], last_lines: deque[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        sys.stderr.write(line)
        last_lines.append(line)


def _stop(process: subprocess.Popen[str]) -> None:
    """End the process and what it started, if it still runs."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
