"""Glue's API where moto has none of it, or another: job runs, UpdateJob, and tables that are written by several.

Belongs here: patches of moto's Glue, the translation between its API and ``glue_runs``. Does not: running anything.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import camelcase_to_underscores
from moto.glue.models import FakeJob, GlueBackend
from moto.glue.responses import GlueResponse

from taxi_assets_tests.emulators.glue_runs import GlueRuns, JobRun, JobSettings

_DPUS = {"G.025X": 0.25, "G.1X": 1.0, "G.2X": 2.0, "G.4X": 4.0, "G.8X": 8.0}
_DEFAULTS = {"MaxRetries": 0, "Timeout": 2880, "GlueVersion": "0.9", "ExecutionProperty": {"MaxConcurrentRuns": 1}}
"""What Glue takes for the fields that a job's definition does not give."""
_DEFINED_BY = frozenset(inspect.signature(FakeJob.__init__).parameters) - {"self", "name", "tags", "backend"}
_MOST_RUNS = 200  # of one answer of GetJobRuns


@contextmanager
def glue_that_runs_jobs(runs: GlueRuns) -> Iterator[None]:
    """Let moto's Glue run jobs with ``runs`` and guard its tables, until the end of the block."""
    with ExitStack() as stack:
        stack.enter_context(patch.multiple(GlueResponse, create=True, **_job_run_calls(runs), **_table_calls()))
        stack.enter_context(patch.multiple(GlueBackend, create_job=_strict_create_job(GlueBackend.create_job)))
        stack.enter_context(patch.multiple(FakeJob, as_dict=_complete_job(FakeJob.as_dict)))
        yield


def _job_run_calls(runs: GlueRuns) -> dict[str, Any]:
    """The methods that moto calls for each API call, by the names that it looks for."""

    def start_job_run(response: GlueResponse) -> ActionResult:
        asked = response.parameters
        _check_capacity(asked)
        job = response.glue_backend.get_job(asked["JobName"]).as_dict()
        settings = _run_settings(job, asked)
        return ActionResult({"JobRunId": runs.start(settings, job["ExecutionProperty"]["MaxConcurrentRuns"])})

    def get_job_run(response: GlueResponse) -> ActionResult:
        response.glue_backend.get_job(response.parameters["JobName"])
        return ActionResult({"JobRun": _shown(runs.get(response.parameters["JobName"], response.parameters["RunId"]))})

    def get_job_runs(response: GlueResponse) -> ActionResult:
        response.glue_backend.get_job(response.parameters["JobName"])
        start = int(response.parameters.get("NextToken") or 0)
        end = start + int(response.parameters.get("MaxResults") or _MOST_RUNS)
        found = runs.of(response.parameters["JobName"])
        more = {"NextToken": str(end)} if end < len(found) else {}
        return ActionResult({"JobRuns": [_shown(run) for run in found[start:end]], **more})

    def batch_stop_job_run(response: GlueResponse) -> ActionResult:
        job = response.parameters["JobName"]
        stopped, errors = [], []
        for run_id in response.parameters["JobRunIds"]:
            named = {"JobName": job, "JobRunId": run_id}
            if problem := runs.stop(job, run_id):
                detail = {"ErrorCode": problem[0], "ErrorMessage": problem[1]}
                errors.append({**named, "ErrorDetail": detail})
            else:
                stopped.append(named)
        return ActionResult({"SuccessfulSubmissions": stopped, "Errors": errors})

    methods = (start_job_run, get_job_run, get_job_runs, batch_stop_job_run, _update_job)
    return {method.__name__.lstrip("_"): method for method in methods}


def _update_job(response: GlueResponse) -> ActionResult:
    """Replace a definition: what the update does not give goes back to its default, as on AWS."""
    name, update = response.parameters["JobName"], response.parameters["JobUpdate"]
    before = response.glue_backend.get_job(name)
    if not update.get("Role") or not (update.get("Command") or {}).get("ScriptLocation"):
        raise _error("InvalidInputException", "A job needs a role and a command with its script.")
    _check_capacity(update)
    given = {camelcase_to_underscores(field): value for field, value in update.items()}
    fields: dict[str, Any] = {field: given.get(field) for field in _DEFINED_BY}
    after = FakeJob(**fields, name=name, tags={}, backend=response.glue_backend)
    after.created_on = before.created_on
    response.glue_backend.jobs[name] = after
    return ActionResult({"JobName": name})


def _strict_create_job(create: Any) -> Any:
    """CreateJob that refuses a name that is taken; moto replaces the job in silence."""

    def create_job(backend: GlueBackend, **fields: Any) -> None:
        if fields["name"] in backend.jobs:
            raise _error("AlreadyExistsException", f"Job {fields['name']} already exists.")
        create(backend, **fields)

    return create_job


def _complete_job(describe: Any) -> Any:
    """GetJob with the defaults and the capacity that AWS fills in."""

    def as_dict(job: FakeJob) -> dict[str, Any]:
        shown = {field: value for field, value in describe(job).items() if value}
        return _with_capacity({**_DEFAULTS, **shown})

    return as_dict


def _with_capacity(fields: dict[str, Any]) -> dict[str, Any]:
    if "MaxCapacity" not in fields:
        dpus = _DPUS.get(fields.get("WorkerType", ""), 1.0) * fields.get("NumberOfWorkers", 10)
        fields["MaxCapacity"] = dpus
    return {**fields, "AllocatedCapacity": int(fields["MaxCapacity"])}


def _check_capacity(asked: Mapping[str, Any]) -> None:
    """AWS takes workers or a capacity. GetJob gives both, so that its answer cannot be sent back as it is."""
    by_workers = asked.get("WorkerType") or asked.get("NumberOfWorkers")
    if by_workers and (asked.get("MaxCapacity") or asked.get("AllocatedCapacity")):
        message = "Please do not set Max Capacity if using Worker Type and Number of Workers."
        raise _error("InvalidInputException", message)


def _run_settings(job: Mapping[str, Any], asked: Mapping[str, Any]) -> JobSettings:
    """A run's settings: the job's as they are now, those that the call gives before them."""
    arguments = {**job.get("DefaultArguments", {}), **(asked.get("Arguments") or {})}
    own = {field: asked[field] for field in ("WorkerType", "NumberOfWorkers", "MaxCapacity") if asked.get(field)}
    inherited = {field: job[field] for field in ("WorkerType", "NumberOfWorkers") if field in job}
    capacity = _with_capacity({**inherited, **own} if own else dict(job))
    return JobSettings(
        job=job["Name"],
        role=job["Role"],
        script=job["Command"]["ScriptLocation"],
        arguments={**arguments, **job.get("NonOverridableArguments", {})},
        timeout=int(asked.get("Timeout") or job["Timeout"]),
        glue_version=job["GlueVersion"],
        worker_type=capacity.get("WorkerType"),
        workers=capacity.get("NumberOfWorkers"),
        max_capacity=capacity["MaxCapacity"],
    )


def _shown(run: JobRun) -> dict[str, Any]:
    """A run as GetJobRun gives it; the fields that it has not are left out."""
    settings = run.settings
    fields = {
        "Id": run.id,
        "Attempt": 0,
        "JobName": settings.job,
        "JobRunState": run.state,
        "Arguments": dict(settings.arguments),
        "StartedOn": run.started_on,
        "LastModifiedOn": run.modified_on,
        "CompletedOn": run.completed_on,
        "ErrorMessage": run.error or None,
        "PredecessorRuns": [],
        "AllocatedCapacity": int(settings.max_capacity),
        "MaxCapacity": settings.max_capacity,
        "WorkerType": settings.worker_type,
        "NumberOfWorkers": settings.workers,
        "ExecutionTime": run.execution_seconds,
        "Timeout": settings.timeout,
        "GlueVersion": settings.glue_version,
        "LogGroupName": "/aws-glue/jobs",
        "ExecutionClass": "STANDARD",
    }
    return {field: value for field, value in fields.items() if value is not None}


def _table_calls() -> dict[str, Any]:
    """CreateTable, UpdateTable and DeleteTable one after the other, UpdateTable with the lock that VersionId is."""
    lock = threading.Lock()
    create, delete = GlueResponse.create_table, GlueResponse.delete_table

    def create_table(response: GlueResponse) -> Any:
        with lock:
            return create(response)

    def delete_table(response: GlueResponse) -> Any:
        with lock:
            return delete(response)

    def update_table(response: GlueResponse) -> Any:
        database, table_input = response.parameters["DatabaseName"], response.parameters["TableInput"]
        expected = response.parameters.get("VersionId")
        with lock:
            table = response.glue_backend.get_table(database, table_input["Name"])
            if expected and expected != table.as_dict()["VersionId"]:
                message = f"Update table failed due to concurrent modifications: version {expected} is not the current"
                raise _error("ConcurrentModificationException", message)
            table.update(table_input)
        return EmptyResult()

    return {"create_table": create_table, "update_table": update_table, "delete_table": delete_table}


def _error(code: str, message: str) -> JsonRESTError:
    return JsonRESTError(code, message)
