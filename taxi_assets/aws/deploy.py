"""Putting the jobs' code where Glue finds it.

Belongs here: the upload of the archive (``jobs.code``), pointing the Glue jobs at it. Does not: making the jobs
(``infra``), or running them (``aws.glue``).

Code lies below ``scripts/<hash of the code>/``, so a deployment never touches what a run uses that has begun.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from glue_jobs.files import split_s3
from glue_jobs.reports import JOBS
from taxi_assets.aws.client import client, explained, glue_job_name
from taxi_assets.jobs.code import ARCHIVE, build
from taxi_assets.settings import Settings

_NOT_OF_AN_UPDATE = frozenset({"AllocatedCapacity", "MaxCapacity"})
"""Glue refuses these beside WorkerType and NumberOfWorkers, though GetJob gives them."""


@dataclass(frozen=True)
class Deployed:
    """One Glue job: which code it ran before and runs now, and the Glue version that it has."""

    job: str
    before: str
    now: str
    glue_version: str


def deploy(settings: Settings) -> list[Deployed]:
    """Upload the code and point the Glue jobs at it; nothing is done that is done already.

    AwsError if a job does not exist or AWS refuses.
    """
    code = build()
    root = f"{settings.lake}/scripts/{code.version}"
    with explained(f"the code could not be uploaded to {root}"):
        _upload(client("s3", settings.region), root, {**code.scripts, ARCHIVE: code.archive})
    glue = client("glue", settings.region)
    return [_point(glue, settings, job, root, code.version) for job in JOBS]


def deployed(settings: Settings) -> dict[str, str | None]:
    """Glue job to the version of its code, empty before the first deployment; None for a job that does not exist.

    AwsError if AWS refuses.
    """
    glue = client("glue", settings.region)
    found: dict[str, str | None] = {}
    for name in (glue_job_name(settings.glue_job_prefix, job) for job in JOBS):
        with explained(f"Glue job {name} could not be read"):
            try:
                arguments = glue.get_job(JobName=name)["Job"].get("DefaultArguments", {})
            except glue.exceptions.EntityNotFoundException:
                found[name] = None
            else:
                found[name] = arguments.get("--code-version", "")
    return found


def _upload(s3: Any, root: str, files: dict[str, bytes]) -> None:
    """The archive comes last, so that it being there says that all is."""
    bucket, prefix = split_s3(root)
    there = s3.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/{ARCHIVE}").get("KeyCount", 0)
    if not there:
        for name, content in files.items():
            s3.put_object(Bucket=bucket, Key=f"{prefix}/{name}", Body=content, ChecksumAlgorithm="SHA256")


def _point(glue: Any, settings: Settings, job: str, root: str, version: str) -> Deployed:
    name = glue_job_name(settings.glue_job_prefix, job)
    with explained(f"Glue job {name} could not be pointed at {root}"):
        now = glue.get_job(JobName=name)["Job"]
        update = {
            field: now[field]
            for field in glue.meta.service_model.shape_for("JobUpdate").members
            if field in now and field not in _NOT_OF_AN_UPDATE
        }
        update["Command"] = {**now["Command"], "ScriptLocation": f"{root}/{job}.py"}
        arguments = {"--extra-py-files": f"{root}/{ARCHIVE}", "--code-version": version}
        update["DefaultArguments"] = {**now.get("DefaultArguments", {}), **arguments}
        update["GlueVersion"] = settings.glue_version
        update["MaxRetries"] = 0  # Dagster repeats; Glue would write to the same folders again
        if any(now.get(field) != value for field, value in update.items()):
            glue.update_job(JobName=name, JobUpdate=update)
    return Deployed(name, now.get("DefaultArguments", {}).get("--code-version", ""), version, settings.glue_version)
