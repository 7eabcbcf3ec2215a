"""AWS on this machine for tests and the demo: moto, with Glue job runs that really run the job's script.

Belongs here: putting the emulator's parts together, what Terraform makes on AWS. Does not: the parts.

Run as a program (``python -m taxi_assets_tests.emulators.aws``) it serves until its standard input closes.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any
from unittest.mock import patch

from taxi_assets.settings import SAIL
from taxi_assets_tests.emulators.authorization import Authorizer
from taxi_assets_tests.emulators.environment import (
    ACCOUNT,
    REGION,
    Caller,
    Credentials,
    Role,
    acting_as,
    client_of,
    environment_of,
)
from taxi_assets_tests.emulators.event_delivery import events_delivered
from taxi_assets_tests.emulators.faults import Faults
from taxi_assets_tests.emulators.glue_api import glue_that_runs_jobs
from taxi_assets_tests.emulators.glue_runs import GlueRuns, JobRun
from taxi_assets_tests.emulators.iam_roles import begin_session
from taxi_assets_tests.emulators.job_engine import JobEngine
from taxi_assets_tests.emulators.missing_calls import missing_calls
from taxi_assets_tests.emulators.recording import ApiCall, CallLog
from taxi_assets_tests.emulators.redshift_serverless_api import RedshiftServerlessApi
from taxi_assets_tests.emulators.server import Application, serving
from taxi_assets_tests.emulators.true_answers import true_answers

__all__ = ["ACCOUNT", "REGION", "ApiCall", "AwsEmulator", "CallLog", "Role", "emulated_aws", "environment_of"]

JOBS = ("ingest_raw", "stage_trips", "replay_quarantine", "build_curated")
_alone = threading.Lock()


def deployed_name(job: str) -> str:
    """The name in Glue of one of the project's jobs."""
    return f"taxi-{job.replace('_', '-')}"


class AwsEmulator:
    """A running emulator: its address, who called what, and what is to go wrong."""

    def __init__(self, url: str, application: Application, calls: CallLog, faults: Faults, runs: GlueRuns) -> None:
        self.url = url
        self.stand_ins = application.stand_ins
        self.calls = calls
        self.faults = faults
        self._application = application
        self._runs = runs
        self._clients: dict[tuple[str, Caller], Any] = {}

    @property
    def minute(self) -> float:
        """How many seconds a minute of a job's Timeout takes; tests of timeouts shorten it, for runs at work too."""
        return self._runs.minute

    @minute.setter
    def minute(self, seconds: float) -> None:
        self._runs.minute = seconds

    def environment(self, caller: Caller) -> dict[str, str]:
        """The variables that make a process call this emulator as ``caller``."""
        return environment_of(self.url, caller)

    def client(self, service: str, caller: Caller = Role.TEST) -> Any:
        """The boto3 client of ``service`` that ``caller`` has: to make one takes a tenth of a second."""
        if (service, caller) not in self._clients:
            self._clients[service, caller] = client_of(self.url, service, caller)
        return self._clients[service, caller]

    @contextmanager
    def enforcing_iam(self) -> Iterator[list[str]]:
        """Refuse what the policies of IAM roles do not allow their sessions; yields the messages of all refusals.

        Runs of Glue act as the role of their job. Who signs with the static keys of a ``Role`` may do everything.
        """
        authorizer = Authorizer(self._workgroup_arn)
        with patch.object(self._application, "refusal", authorizer.refusal), self.jobs_acting_as_roles():
            yield authorizer.refused

    @contextmanager
    def jobs_acting_as_roles(self) -> Iterator[None]:
        """Have runs of Glue act as the role of their job, which has to trust Glue; nothing is refused to it."""
        with patch.object(self._runs, "by_iam_roles", True):
            yield

    def assume(self, role_arn: str, session: str = "test") -> Credentials:
        """A session of an IAM role; whether anybody may have it is not asked."""
        return begin_session(role_arn, session)

    def role_environment(self, role_arn: str) -> dict[str, str]:
        """The variables that make a process call this emulator in a session of an IAM role."""
        return self.environment(self.assume(role_arn))

    @contextmanager
    def acting_as_role(self, role_arn: str) -> Iterator[None]:
        """Have this process call this emulator in a session of an IAM role."""
        with acting_as(self.url, self.assume(role_arn)):
            yield

    def _workgroup_arn(self, name: str) -> str:
        call = ApiCall(Role.TEST.value, "redshift-serverless", "GetWorkgroup")
        made = self.stand_ins["redshift-serverless"](call, {"workgroupName": name}).get("workgroup", {})
        return str(made.get("workgroupArn") or f"arn:aws:redshift-serverless:{REGION}:{ACCOUNT}:workgroup/{name}")

    def runs(self, job: str) -> list[JobRun]:
        """The runs of ``job``, the newest first; they change while they are at work."""
        return self._runs.of(job)

    def provision(
        self,
        bucket: str,
        jobs: Sequence[str],
        *,
        databases: Sequence[str] = (),
        worker_type: str = "G.1X",
        workers: int = 2,
        glue_version: str = "5.1",
        timeout_minutes: int = 60,
        max_concurrent_runs: int = 5,
    ) -> None:
        """Make what Terraform makes: the bucket, the databases, and jobs whose script is not deployed yet."""
        self.client("s3").create_bucket(Bucket=bucket)
        glue = self.client("glue")
        for database in databases:
            glue.create_database(DatabaseInput={"Name": database})
        script = f"s3://{bucket}/scripts/not-deployed.py"
        for job in jobs:
            glue.create_job(
                Name=job,
                Role=f"arn:aws:iam::{ACCOUNT}:role/{job}",
                Command={"Name": "glueetl", "ScriptLocation": script, "PythonVersion": "3"},
                ExecutionProperty={"MaxConcurrentRuns": max_concurrent_runs},
                MaxRetries=0,
                Timeout=timeout_minutes,
                GlueVersion=glue_version,
                WorkerType=worker_type,
                NumberOfWorkers=workers,
            )


@contextmanager
def emulated_aws(engine: str = SAIL, port: int = 0) -> Iterator[AwsEmulator]:
    """An empty AWS on 127.0.0.1; all that it started ends with the block.

    The Spark ``engine`` of its jobs starts with the first run. One at a time: moto's state is the process's.
    """
    if not _alone.acquire(blocking=False):
        raise RuntimeError("this process has an emulated AWS already")
    calls, faults = CallLog(), Faults()
    application = Application(calls, faults)
    application.stand_ins["redshift-serverless"] = RedshiftServerlessApi().answer
    with ExitStack() as stack:
        stack.callback(_alone.release)
        url = stack.enter_context(serving(application, port))
        for patched in (true_answers, missing_calls, events_delivered):
            stack.enter_context(patched())
        urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/reset", method="POST")).close()
        jobs_engine = JobEngine(engine, url)
        runs = GlueRuns(url, jobs_engine, faults)
        application.before.append(jobs_engine.before)
        stack.enter_context(glue_that_runs_jobs(runs))
        stack.callback(jobs_engine.close)
        stack.callback(runs.close)
        yield AwsEmulator(url, application, calls, faults, runs)


def main() -> None:
    """Serve until standard input closes or SIGTERM comes; one JSON line on standard output says where."""
    parser = argparse.ArgumentParser(description="AWS on this machine, with the lake's bucket and jobs.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--bucket", default="taxi-lake")
    parser.add_argument("--engine", default=SAIL, help="Spark of the jobs: sail, spark or sc://host:port")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, _end)
    with emulated_aws(given.engine, given.port) as emulator:
        emulator.provision(given.bucket, [deployed_name(job) for job in JOBS])
        print(json.dumps({"url": emulator.url, "bucket": given.bucket}), flush=True)
        sys.stdin.read()


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    main()
