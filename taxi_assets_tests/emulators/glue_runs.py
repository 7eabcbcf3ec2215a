"""Glue job runs that run the job's script: their states, from STARTING to an end.

Belongs here: which runs there are, what becomes of each. Does not: the process of a run (``job_process``), its Spark
(``job_engine``), Glue's API (``glue_api``).
"""

from __future__ import annotations

import tempfile
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from moto.core.exceptions import JsonRESTError

from taxi_assets.jobs.engine import EngineUnavailable
from taxi_assets_tests.emulators.environment import Caller, Role, client_of
from taxi_assets_tests.emulators.event_delivery import tell_of_job
from taxi_assets_tests.emulators.faults import Faults, RunEnd
from taxi_assets_tests.emulators.iam_roles import RoleUnavailable, begin_session
from taxi_assets_tests.emulators.job_engine import JobEngine
from taxi_assets_tests.emulators.job_process import JobLogs, JobProcess, LaunchError, job_environment, prepare_program

ENDED = frozenset({"SUCCEEDED", "FAILED", "STOPPED", "TIMEOUT", "ERROR", "EXPIRED"})
_PRETENDED_SECONDS = 0.1
"""In each state that a run passes on its way to an end that was asked for: a poller may see it."""


@dataclass(frozen=True)
class JobSettings:
    """A job as it was when a run of it was started, with the run's own arguments and capacity."""

    job: str
    role: str
    script: str
    arguments: Mapping[str, str]
    timeout: int
    glue_version: str
    worker_type: str | None
    workers: int | None
    max_capacity: float


@dataclass(eq=False)
class JobRun:
    """One run; ``state`` and what goes with it change while it is at work."""

    settings: JobSettings
    id: str = field(default_factory=lambda: f"jr_{uuid.uuid4().hex}{uuid.uuid4().hex}")
    state: str = "STARTING"
    error: str = ""
    started_on: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    modified_on: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    completed_on: datetime | None = None
    process: JobProcess | None = None
    stop_wanted: threading.Event = field(default_factory=threading.Event)
    _began: float | None = None
    _took: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def arguments(self) -> Mapping[str, str]:
        """The job's default arguments and the run's own."""
        return self.settings.arguments

    @property
    def pid(self) -> int | None:
        """The process of the script, None before and after."""
        return self.process.pid if self.process is not None and self.completed_on is None else None

    @property
    def execution_seconds(self) -> int:
        """Seconds since the run is RUNNING, or for how long it was."""
        if self._began is None:
            return 0
        return int(time.monotonic() - self._began if self._took is None else self._took)

    def enter(self, state: str) -> None:
        """Go on to ``state``, unless the run is being stopped."""
        with self._lock:
            if self.stop_wanted.is_set():
                return
            if state == "RUNNING":
                self._began = time.monotonic()
            self.state, self.modified_on = state, datetime.now(timezone.utc)

    def end(self, state: str, error: str = "") -> None:
        """End as ``state``, or as STOPPED if that was asked for in time."""
        with self._lock:
            if self._began is not None:
                self._took = time.monotonic() - self._began
            self.completed_on = self.modified_on = datetime.now(timezone.utc)
            self.state, self.error = ("STOPPED", "") if self.stop_wanted.is_set() else (state, error)

    def stop(self) -> bool:
        """Ask the run to stop; False if it has ended."""
        with self._lock:
            if self.state in ENDED:
                return False
            self.stop_wanted.set()
            self.state, self.modified_on = "STOPPING", datetime.now(timezone.utc)
            return True


class GlueRuns:
    """All job runs of an emulator. ``minute`` is how many seconds a minute of a job's Timeout takes.

    With ``by_iam_roles`` a run acts as the IAM role of its job, which has to be there, else as ``Role.GLUE_JOB``.
    """

    def __init__(self, url: str, engine: JobEngine, faults: Faults) -> None:
        self.minute = 60.0
        self.by_iam_roles = False
        self._url = url
        self._engine = engine
        self._faults = faults
        self._callers: dict[str, Caller] = {}
        self._clients: dict[tuple[str, Caller], Any] = {}
        self._runs: list[JobRun] = []
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    def start(self, settings: JobSettings, most: int) -> str:
        """Start a run, unless ``most`` runs of the job have not ended; its id."""
        run = JobRun(settings)
        thread = threading.Thread(target=self._carry_out, args=(run,), name=f"glue {settings.job}", daemon=True)
        with self._lock:
            active = sum(other.settings.job == settings.job and other.state not in ENDED for other in self._runs)
            if active >= most:
                message = f"Concurrent runs exceeded for {settings.job}"
                raise JsonRESTError("ConcurrentRunsExceededException", message)
            self._runs.append(run)
            self._threads.append(thread)
        thread.start()
        return run.id

    def of(self, job: str) -> list[JobRun]:
        """The runs of ``job``, the newest first."""
        with self._lock:
            return [run for run in reversed(self._runs) if run.settings.job == job]

    def get(self, job: str, run_id: str) -> JobRun:
        """One run; EntityNotFoundException if there is none."""
        for run in self.of(job):
            if run.id == run_id:
                return run
        raise JsonRESTError("EntityNotFoundException", f"Job run {run_id} not found.")

    def stop(self, job: str, run_id: str) -> tuple[str, str] | None:
        """Ask a run to stop; code and message of the error if it cannot be."""
        run = next((run for run in self.of(job) if run.id == run_id), None)
        if run is None:
            return "EntityNotFoundException", f"Job run {run_id} not found."
        if not run.stop():
            return "InvalidInputException", f"Job run {run_id} is {run.state} and cannot be stopped."
        return None

    def close(self) -> None:
        """Stop what still runs and wait for it."""
        with self._lock:
            runs, threads = list(self._runs), list(self._threads)
        for run in runs:
            run.stop()
        for thread in threads:
            thread.join()

    def _carry_out(self, run: JobRun) -> None:
        try:
            end = self._faults.take_end(run.settings.job)
            if end is not None:
                _pretend(run, end)
            else:
                self._execute(run)
        except (LaunchError, RoleUnavailable, EngineUnavailable) as error:
            run.end("FAILED", f"LAUNCH ERROR | {error}")
        finally:
            if run.completed_on is None:  # a mistake of the emulator, which the thread's traceback shows
                run.end("ERROR", "the emulator failed to run the job")
            tell_of_job(run.settings.job, run.id, run.state, run.error)

    def _execute(self, run: JobRun) -> None:
        settings = run.settings
        caller = self._caller(settings.role) if self.by_iam_roles else Role.GLUE_JOB
        with tempfile.TemporaryDirectory(prefix="glue-") as temporary:
            folder = Path(temporary)
            program = prepare_program(self._client("s3", caller), folder, settings.script, settings.arguments)
            with self._engine.for_run(caller, folder, settings.arguments) as engine_environment:
                if run.stop_wanted.is_set():
                    run.end("STOPPED")
                    return
                command = program.command(settings.job, run.id, settings.arguments)
                environment = job_environment(engine_environment, program)
                logs = JobLogs(self._client("logs", caller), run.id, settings.arguments)
                run.process = JobProcess(command, folder, environment, logs)
                run.enter("RUNNING")
                code = run.process.wait(run.stop_wanted, lambda: settings.timeout * self.minute)
        if code is None:
            run.end("TIMEOUT", "JobRun timed out")
        elif code == 0:
            run.end("SUCCEEDED")
        else:
            run.end("FAILED", run.process.last_line or f"exit code {code}")

    def _caller(self, role: str) -> Caller:
        """One session of each role for all runs: with each would come another Spark."""
        with self._lock:
            if role not in self._callers:
                self._callers[role] = begin_session(role, "GlueJobRunnerSession", "glue.amazonaws.com")
            return self._callers[role]

    def _client(self, service: str, caller: Caller) -> Any:
        with self._lock:
            if (service, caller) not in self._clients:
                self._clients[service, caller] = client_of(self._url, service, caller)
            return self._clients[service, caller]


def _pretend(run: JobRun, end: RunEnd) -> None:
    for state in ("STARTING", "WAITING") if end.state == "EXPIRED" else ("STARTING", "WAITING", "RUNNING"):
        run.enter(state)
        run.stop_wanted.wait(_PRETENDED_SECONDS)
    run.end(end.state, end.message)
