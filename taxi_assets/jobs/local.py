"""The jobs of a laptop: the scripts of ``glue_jobs`` as processes.

Belongs here: starting a process, following and stopping it. Does not: what running a job means (``base``), or the same
scripts with the same arguments as Glue job runs (``aws.glue``).
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import dagster as dg
from pydantic import PrivateAttr

import glue_jobs
from glue_jobs.reports import BUILD_CURATED, INGEST_RAW, REPLAY_QUARANTINE, STAGE_TRIPS, Job, ReportT, WithSeconds
from taxi_assets.jobs.base import ENGINE_START, JobRun, Jobs, as_options, report_of
from taxi_assets.jobs.engine import RunningEngine, describe, running_engine
from taxi_assets.jobs.surroundings import for_jobs
from taxi_assets.settings import SPARK

_SCRIPTS = Path(glue_jobs.__file__).parent
# What a month needs after a job: by then a Python is ready for it.
_NEXT: Mapping[str, Job[WithSeconds]] = {
    INGEST_RAW: STAGE_TRIPS,
    STAGE_TRIPS: BUILD_CURATED,
    REPLAY_QUARANTINE: BUILD_CURATED,
}
_PREPARED = str(Path(__file__).with_name("prepared.py"))
# No script imports it: PySpark does, when SPARK_REMOTE has it make a session.
_CONNECT = "pyspark.sql.connect.session"
_LAST_LINES = 25
_STOP_SECONDS = 10
_POLL_SECONDS = 0.1


class LocalJobs(Jobs):
    """Runs the jobs as subprocesses of ``python``, which needs PySpark and what else the jobs import, not this project.

    The engine is started by a run's first job, and shared by the others. While a job is at work, a Python gets ready
    for the next one.
    """

    engine: str
    python: str = sys.executable
    _running: RunningEngine | None = PrivateAttr(default=None)
    _prepared: subprocess.Popen[str] | None = PrivateAttr(default=None)
    _until_the_end: ExitStack = PrivateAttr(default_factory=ExitStack)

    @contextmanager
    def yield_for_execution(
        self,
        context: dg.InitResourceContext,  # noqa: ARG002 -- Dagster passes it; the engine does not need it
    ) -> Iterator["LocalJobs"]:
        """Keep the engine running while the Dagster run lasts."""
        with self._until_the_end:
            yield self

    def run(
        self, context: dg.AssetExecutionContext, job: Job[ReportT], arguments: Mapping[str, str]
    ) -> JobRun[ReportT]:
        """See ``Jobs``."""
        begun = time.monotonic()
        process = self._python_for(job)
        waited = {}
        if self._running is None:
            engine = running_engine(self.engine, python=self.python, say=context.log.info)
            self._running = self._until_the_end.enter_context(engine)
            waited = {ENGINE_START: round(time.monotonic() - begun, 3)}
        with dg.open_pipes_session(
            context=context.op_execution_context,
            context_injector=dg.PipesTempFileContextInjector(),
            message_reader=dg.PipesTempFileMessageReader(),
        ) as session:
            command = [str(_SCRIPTS / f"{job}.py"), "--end-with-stdin"]
            options = as_options(arguments) | {"--spark-conf": json.dumps(self.spark.spark_config)}
            for option in (options | dict(session.get_bootstrap_cli_arguments())).items():
                command += option
            _hand_over(process, command, self._running)
            if following := _NEXT.get(job):
                self._prepared = self._prepare(following)
            end, last_lines = _follow(process, self._running)
        report = report_of(job, session.get_custom_messages(), end, last_lines)
        described = {"engine": describe(self.engine, self.python)}
        return JobRun(job, report, round(time.monotonic() - begun, 3), {**described, **waited}, described)

    def _python_for(self, job: str) -> "subprocess.Popen[str]":
        """The Python that got ready meanwhile; another one if there is none, or if it has ended."""
        ready, self._prepared = self._prepared, None
        return ready if ready is not None and ready.poll() is None else self._prepare(job)

    def _prepare(self, job: str) -> "subprocess.Popen[str]":
        """A Python that imports what ``job`` will; it ends with the run if nothing is handed over to it."""
        modules = [f"{glue_jobs.__name__}.{job}", *([] if self.engine == SPARK or job == INGEST_RAW else [_CONNECT])]
        process = _start([self.python, _PREPARED, *modules], for_jobs(os.environ))
        self._until_the_end.callback(_stop, process)
        return process

    def stop_lost(self, has_ended: Callable[[str], bool]) -> Sequence[str]:  # noqa: ARG002 -- none is ever left
        """See ``Jobs``. A worker that is killed closes the standard input of its job and engine, which then end."""
        return []


def _start(command: Sequence[str], environment: Mapping[str, str]) -> "subprocess.Popen[str]":
    """``command`` as a process of a session of its own, whose standard input is ours to close."""
    return subprocess.Popen(
        command,
        env=_with_package(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",  # a reader that stops at a byte would leave the job waiting for it
        start_new_session=True,
    )


def _hand_over(process: "subprocess.Popen[str]", command: Sequence[str], engine: RunningEngine) -> None:
    """Make a prepared Python the job ``command``. One that has ended says why in its last lines, as a job does."""
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.write(json.dumps({"environment": engine.environment, "command": command}) + "\n")
        process.stdin.flush()


def _follow(process: "subprocess.Popen[str]", engine: RunningEngine) -> tuple[str, str]:
    """How the process ended, and its last lines. Its output goes to ours as it comes, and so to Dagster's compute log.

    Stops it if this process is interrupted, and if the engine ends: the client would wait for it.
    """
    try:
        last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        reader = threading.Thread(target=_pass_on, args=(process, last_lines), daemon=True)
        reader.start()
        end = ""
        while not end:
            try:
                end = f"exit code {process.wait(timeout=_POLL_SECONDS)}"
            except subprocess.TimeoutExpired:
                end = engine.ended()
    finally:
        _stop(process)
    reader.join()
    return end, "".join(last_lines)


def _with_package(environment: Mapping[str, str]) -> dict[str, str]:
    """``environment`` in which ``glue_jobs`` can be imported, also by a Python in which it is not installed."""
    return {**environment, "PYTHONPATH": str(_SCRIPTS.parent)}


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
