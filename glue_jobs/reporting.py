"""What a job tells the outside: progress while it runs, facts when it is done, one clear error when it fails.

Belongs here: arguments common to all jobs, Dagster Pipes, log set-up. Does not: what a job does.

A job that ends without a completion report has failed, whatever its exit code: Pipes takes silence for success.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any

from dagster_pipes import (
    PipesCliArgsParamsLoader,
    PipesContext,
    PipesDefaultMessageWriter,
    PipesMessageWriter,
    PipesS3MessageWriter,
    open_dagster_pipes,
)

from glue_jobs.contracts.months import number_of
from glue_jobs.errors import PipelineError

COMPLETED, FAILED, PHASE = "completed", "failed", "phase"
"""The kinds of a job's messages: ``{"kind", "job", "phase", "seconds"}`` after each phase, and at its end
``{"kind", "job", "facts"}`` or ``{"kind", "job", …}`` with ``PipelineError.as_report``."""

_SECONDS_BETWEEN_UPLOADS = 1.0
_log = logging.getLogger("glue_jobs")


_PROGRESS = re.compile(r"^(?P<name>\S+): (?P<done>[\d.]+)(?: of (?P<total>[\d.]+))? MB$")


def progress_line(name: str, done: int, total: int) -> str:
    """The log line for ``done`` of ``total`` bytes (0 if unknown)."""
    return f"{name}: {done / 1e6:.1f}" + (f" of {total / 1e6:.1f}" if total else "") + " MB"


def parse_progress(line: str) -> tuple[str, float, float] | None:
    """Name, MB so far and MB in all (0 if unknown) of a ``progress_line``; None for any other line."""
    if not (found := _PROGRESS.match(line)):
        return None
    return found["name"], float(found["done"]), float(found["total"] or 0)


class Reporter:
    """Collects a job's seconds per phase, logs the phases as they begin and hands each to ``finished`` at its end."""

    def __init__(self, finished: Callable[[str, float], None] = lambda *_: None) -> None:
        self.seconds: dict[str, float] = {}
        self._finished = finished

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time the enclosed block under ``name`` and say that it has begun."""
        _log.info("%s …", name)
        begun = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - begun, 3)
        _log.info("%s: %.1f s", name, self.seconds[name])
        self._finished(name, self.seconds[name])


def argument_parser(description: str) -> argparse.ArgumentParser:
    """A parser with the arguments that every job takes; Glue's own are passed over by ``parse_known_args``."""
    parser = argparse.ArgumentParser(description=description, allow_abbrev=False)
    parser.add_argument("--month", required=True, type=_month, help="month of the file, YYYY-MM")
    parser.add_argument("--spark-conf", type=json.loads, default={}, help="Spark properties, a JSON object")
    parser.add_argument("--log-format", choices=("text", "json"), default="text", help="of the lines on standard error")
    parser.add_argument("--dagster-run-id", default="", help="Dagster run that the log lines name")
    parser.add_argument("--end-with-stdin", action="store_true", help="end when standard input closes")
    parser.add_argument("--JOB_RUN_ID", default="", help="Glue's name of the run; Glue gives it")
    return parser


def _month(text: str) -> str:
    try:
        number_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _pipes_parameters() -> PipesCliArgsParamsLoader:
    return PipesCliArgsParamsLoader()  # type: ignore[no-untyped-call]  # dagster_pipes leaves it untyped


def _message_writer() -> PipesMessageWriter[Any]:
    """Where messages go: to S3 if Dagster reads them there, as it does from Glue."""
    parameters = _pipes_parameters()
    if not _is_under_dagster() or "bucket" not in parameters.load_messages_params():
        return PipesDefaultMessageWriter()
    import boto3  # a quarter of a second that only Glue needs

    return PipesS3MessageWriter(boto3.client("s3"), interval=_SECONDS_BETWEEN_UPLOADS)


def _is_under_dagster() -> bool:
    return bool(_pipes_parameters().is_dagster_pipes_process())


def run_job(
    job: str, parser: argparse.ArgumentParser, body: Callable[[argparse.Namespace, Reporter], Mapping[str, Any]]
) -> None:
    """Run ``body`` and send the typed report that it returns; a PipelineError becomes a failure report and exit code 1.

    The report has the reporter's seconds in it. Any other exception is reported by Pipes with its traceback and leaves
    the process as it came.
    """
    arguments, _ = parser.parse_known_args()
    if arguments.end_with_stdin:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    warnings.filterwarnings("ignore", message="This process was not launched by a Dagster")
    with open_dagster_pipes(params_loader=_pipes_parameters(), message_writer=_message_writer()) as pipes:
        _send_logs(pipes, job, arguments)
        reporter = Reporter(
            lambda phase, seconds: pipes.report_custom_message(
                {"kind": PHASE, "job": job, "phase": phase, "seconds": seconds}
            )
        )
        begun = time.monotonic()
        try:
            facts = body(arguments, reporter)
        except PipelineError as error:
            _log.error("%s", error)
            pipes.report_custom_message({"kind": FAILED, "job": job, **error.as_report()})
            sys.exit(1)
        except Exception:
            _log.exception("%s of %s failed", job, arguments.month)
            raise
        reporter.seconds["total"] = round(time.monotonic() - begun, 3)
        report = {"kind": COMPLETED, "job": job, "facts": facts}
        pipes.report_custom_message(report)
    if not _is_under_dagster():
        print(json.dumps(report), flush=True)


def _end_with_stdin() -> None:
    """End the process once standard input is closed: whoever started it is gone, however it ended."""
    while os.read(0, 1):  # not sys.stdin, whose lock an interpreter that ends would wait for
        pass
    os._exit(1)


class _PipesHandler(logging.Handler):
    """Hands log records to Dagster, which shows them in the run while the job is at work."""

    def __init__(self, pipes: PipesContext) -> None:
        super().__init__()
        self._pipes = pipes

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info is None:  # Pipes reports an exception by itself
            self._pipes.log.log(record.levelno, record.getMessage())


class _JsonLines(logging.Formatter):
    """One JSON object a line, so that CloudWatch Logs Insights can ask for a month, a run or a job."""

    def __init__(self, job: str, arguments: argparse.Namespace) -> None:
        super().__init__()
        self._common = {
            "job": job,
            "month": arguments.month,
            "run": arguments.JOB_RUN_ID,
            "dagster_run": arguments.dagster_run_id,
        }

    def format(self, record: logging.LogRecord) -> str:
        said = {"level": record.levelname, **self._common, "message": record.getMessage()}
        if record.exc_info:
            said["traceback"] = self.formatException(record.exc_info)
        return json.dumps({"time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(), **said})


def _send_logs(pipes: PipesContext, job: str, arguments: argparse.Namespace) -> None:
    """To Dagster where it listens, and to standard error where nobody does or JSON lines are asked for."""
    _log.setLevel(logging.INFO)
    _log.propagate = False
    as_json = arguments.log_format == "json"
    if _is_under_dagster():
        _log.addHandler(_PipesHandler(pipes))
    if as_json or not _is_under_dagster():
        console = logging.StreamHandler(sys.stderr)
        plain = logging.Formatter("%(asctime)s %(levelname)s %(message)s")
        console.setFormatter(_JsonLines(job, arguments) if as_json else plain)
        _log.addHandler(console)
