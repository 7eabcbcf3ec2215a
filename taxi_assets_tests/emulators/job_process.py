"""The process of one Glue job run: the script of S3 with the zips of S3, and nothing of the checkout.

Belongs here: fetching the program, starting, stopping and timing the process, its output in CloudWatch Logs. Does
not: the run's states (``glue_runs``).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from botocore.exceptions import BotoCoreError, ClientError

import taxi_assets
from glue_jobs.files import split_s3
from taxi_assets_tests.support.waiting import HANGS_AFTER

_OUTPUT, _ERROR = "output", "error"
_GROUPS = "/aws-glue/jobs"
"""What Glue's log groups begin with unless a job has ``--custom-logGroup-prefix`` (Glue 5.0 on)."""
_GRACE_SECONDS = 5.0
"""Between being asked to stop and being killed."""
_LAST_WORDS_SECONDS = HANGS_AFTER
"""A JVM ends after the script that started it: with its event log written and the output closed."""
_MOST_EVENTS = 10_000  # of one PutLogEvents

_ISOLATION = """\
\"\"\"The project is installed from its checkout; a job must find it in its zips alone.\"\"\"
import os
import sys

sys.path[:] = [entry for entry in sys.path if os.path.realpath(entry) != {checkout!r}]
"""


class LaunchError(Exception):
    """A run that cannot begin: its script or a zip is not in S3."""


@dataclass(frozen=True)
class Program:
    """A script and the search path of its modules, on the local disk."""

    script: Path
    modules: tuple[Path, ...]

    def command(self, job: str, run_id: str, arguments: Mapping[str, str]) -> list[str]:
        """The command line as Glue makes it: its own arguments are passed as well."""
        own = ["--JOB_NAME", job, "--JOB_RUN_ID", run_id]
        given = [str(part) for argument in arguments.items() for part in argument]
        return [sys.executable, str(self.script), *own, *given]


def prepare_program(s3: Any, folder: Path, script: str, arguments: Mapping[str, str]) -> Program:
    """The program of a run, fetched into ``folder``; LaunchError if a part of it cannot be."""
    (folder / "zips").mkdir()
    uris = [uri.strip() for uri in arguments.get("--extra-py-files", "").split(",") if uri.strip()]
    zips = [_fetch(s3, uri, folder / "zips") for uri in uris]
    isolation = folder / "isolation"
    isolation.mkdir()
    checkout = str(Path(taxi_assets.__file__).resolve().parents[1])
    (isolation / "sitecustomize.py").write_text(_ISOLATION.format(checkout=checkout))
    return Program(_fetch(s3, script, folder), (*zips, isolation))


def _fetch(s3: Any, uri: str, folder: Path) -> Path:
    bucket, key = split_s3(uri)
    target = folder / Path(key).name
    try:
        target.write_bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    except ClientError as error:
        raise LaunchError(f"{uri} cannot be read: {error.response['Error']['Code']}") from error
    return target


def job_environment(engine: Mapping[str, str], program: Program) -> dict[str, str]:
    """``engine``'s environment for a job: modules are those of ``program``, before what is installed."""
    return {**engine, "PYTHONPATH": os.pathsep.join(map(str, program.modules))}


class JobLogs:
    """The log streams of one run."""

    def __init__(self, client: Any, run_id: str, arguments: Mapping[str, str]) -> None:
        self._client = client
        self._stream = run_id
        self._prefix = arguments.get("--custom-logGroup-prefix", _GROUPS)
        self._opened: set[str] = set()

    def put(self, kind: str, lines: Sequence[str]) -> None:
        """Add ``lines`` to the run's stream of output or error; what CloudWatch refuses is lost, as on AWS."""
        group, now = f"{self._prefix}/{kind}", int(time.time() * 1000)
        events = [{"timestamp": now, "message": line} for line in lines if line.strip()]
        for start in range(0, len(events), _MOST_EVENTS):
            with suppress(ClientError, BotoCoreError):
                self._open(group)
                self._client.put_log_events(
                    logGroupName=group, logStreamName=self._stream, logEvents=events[start : start + _MOST_EVENTS]
                )

    def _open(self, group: str) -> None:
        if group in self._opened:
            return
        with suppress(self._client.exceptions.ResourceAlreadyExistsException):
            self._client.create_log_group(logGroupName=group)
        self._client.create_log_stream(logGroupName=group, logStreamName=self._stream)
        self._opened.add(group)


class JobProcess:
    """A running script, in a session of its own so that all of it can be ended."""

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str], logs: JobLogs) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self.pid = self._process.pid
        self._logs = logs
        self._last: dict[str, str] = {}
        self._pumps = [self._pump(self._process.stdout, _OUTPUT), self._pump(self._process.stderr, _ERROR)]

    @property
    def last_line(self) -> str:
        """The last line that is not empty, of the error output if there is one."""
        return self._last.get(_ERROR) or self._last.get(_OUTPUT, "")

    def wait(self, stop: threading.Event, seconds: Callable[[], float]) -> int | None:
        """The exit code; None if the process was killed after ``seconds()``. Setting ``stop`` ends it before."""
        begun, kill_at, timed_out = time.monotonic(), None, False
        while self._process.poll() is None:
            now = time.monotonic()
            deadline = begun + seconds()
            if now >= deadline or (kill_at is not None and now >= kill_at):
                timed_out = now >= deadline
                self._send(signal.SIGKILL)
                self._process.wait()
            elif stop.is_set() and kill_at is None:
                kill_at = now + _GRACE_SECONDS
                self._send(signal.SIGTERM)
            time.sleep(0.02)
        self._hear_out(_LAST_WORDS_SECONDS if not timed_out and not stop.is_set() else 1.0)
        return None if timed_out else self._process.returncode

    def _hear_out(self, seconds: float) -> None:
        """Read the output to its end; what the script left behind may hold it open for ``seconds``."""
        deadline = time.monotonic() + seconds
        for pump in self._pumps:
            pump.join(max(0.0, deadline - time.monotonic()))
        if any(pump.is_alive() for pump in self._pumps):
            self._send(signal.SIGKILL)
            for pump in self._pumps:
                pump.join()

    def _send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def _pump(self, stream: IO[bytes], group: str) -> threading.Thread:
        thread = threading.Thread(target=self._forward, args=(stream, group), daemon=True)
        thread.start()
        return thread

    def _forward(self, stream: IO[bytes], group: str) -> None:
        """Log lines as they come: a read gives what is there, which is a batch of its own if there is much."""
        unfinished = b""
        with stream:
            while chunk := os.read(stream.fileno(), 1 << 16):
                *lines, unfinished = (unfinished + chunk).split(b"\n")
                self._put(group, lines)
        self._put(group, [unfinished])

    def _put(self, group: str, raw: Sequence[bytes]) -> None:
        lines = [text for line in raw if (text := line.decode(errors="replace").rstrip())]
        if lines:
            self._last[group] = lines[-1]
            self._logs.put(group, lines)
