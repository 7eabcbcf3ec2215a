"""The environment prod, applied to the emulated AWS: its EcsRunLauncher has a run's task started, watched, stopped.

Belongs here: what prod has and dev has not, once it stands. Does not: a month (``test_applied``), what a run's task
then does (``test_image``).
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import dagster as dg
import pytest
import yaml
from botocore.exceptions import ClientError
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.launcher.base import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from dagster._core.origin import DEFAULT_DAGSTER_ENTRY_POINT, JobPythonOrigin, RepositoryPythonOrigin
from moto.ecs.models import ecs_backends

from taxi_assets.schedules.maintain_tables import maintain_tables
from taxi_assets_tests.conftest import PRODUCTION
from taxi_assets_tests.emulators.aws import ACCOUNT, REGION, AwsEmulator
from taxi_assets_tests.infra.applied import Applied, apply, left
from taxi_assets_tests.infra.test_image_files import RUNS_IN_ECS
from taxi_assets_tests.infra.test_policies import POLICIES

pytestmark = pytest.mark.emulator

MOST_OF_OVERRIDES = 8192
"""Characters that RunTask takes of them (Amazon ECS API reference)."""
UNPROTECTED = 'module "lakehouse" {\n  protect = false\n}\n'


@pytest.fixture(scope="module")
def variables(aws: AwsEmulator) -> dict[str, object]:
    certificate = aws.client("acm").request_certificate(DomainName="taxi.example.org")["CertificateArn"]
    return {
        "alert_email": "someone@example.org",
        "image_tag": "0123abc",
        "monthly_budget_usd": 400,
        "certificate_arn": certificate,
        "ui_url": "https://dagster.taxi.example.org",
        "dashboard_url": "https://taxi.example.org",
    }


@pytest.fixture(scope="module")
def applied(aws: AwsEmulator, variables: dict[str, object], tmp_path_factory: pytest.TempPathFactory) -> Applied:
    return apply(aws, "envs/prod", tmp_path_factory.mktemp("terraform"), variables, UNPROTECTED)


@pytest.fixture(scope="module")
def second_plan_is_empty(applied: Applied, variables: dict[str, object]) -> bool:
    return applied.terraform.plan_is_empty(**variables)


@dataclass(frozen=True)
class Launched:
    """A run that was launched, found well, lost and asked about, and another that was stopped."""

    task: dict[str, Any]
    interface: dict[str, Any]
    network: dict[str, Any]
    health: CheckRunHealthResult
    health_when_lost: CheckRunHealthResult
    stopped_task: dict[str, Any]
    refused: list[str]
    refused_definition: str
    actions: set[str]


@contextmanager
def metadata_of(task: dict[str, Any]) -> Iterator[str]:
    """What ECS tells a container of its own task, at an address that only the container reaches."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"Cluster": task["clusterArn"], "TaskARN": task["taskArn"]}).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def launched(applied: Applied, second_plan_is_empty: bool, tmp_path_factory: pytest.TempPathFactory) -> Launched:
    folder, aws, ecs = tmp_path_factory.mktemp("launcher"), applied.aws, applied.aws.client("ecs")
    [service] = ecs.describe_services(cluster="taxi", services=["taxi-daemon"])["services"]
    network = service["networkConfiguration"]
    # As the service starts it, which the emulator does not.
    [daemon] = ecs.run_task(
        cluster="taxi",
        taskDefinition=service["taskDefinition"],
        launchType=service["launchType"],
        networkConfiguration=network,
    )["tasks"]
    [container] = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"][
        "containerDefinitions"
    ]
    # As in the image, but for Postgres: nothing of it is asked of AWS.
    instance_settings = yaml.safe_load(PRODUCTION.read_text() + RUNS_IN_ECS.read_text())
    del instance_settings["storage"]
    (folder / "dagster.yaml").write_text(yaml.safe_dump(instance_settings))
    with pytest.MonkeyPatch.context() as patch, metadata_of(daemon) as address:
        for variable in container["environment"]:
            if variable["name"] in ("DAGSTER_RUN_TASK_DEFINITION", "TAXI_LOG_BUCKET"):
                patch.setenv(variable["name"], variable["value"])
        patch.setenv("ECS_CONTAINER_METADATA_URI_V4", address)
        aws.calls.clear()
        with (
            aws.enforcing_iam() as refused,
            aws.acting_as_role(applied.role("dagster")),
            dg.DagsterInstance.from_config(str(folder)) as instance,
        ):
            launcher: Any = instance.run_launcher
            first, second = launch(instance), launch(instance)
            health = launcher.check_run_worker_health(first)
            assert launcher.terminate(second.run_id)
            with pytest.raises(ClientError) as other_definition:
                launcher.ecs.run_task(cluster="taxi", taskDefinition="taxi-daemon", networkConfiguration=network)
            lose(aws, first.tags["ecs/task_arn"])
            health_when_lost = launcher.check_run_worker_health(first)
        actions = {action for call in aws.calls.entries if call.role == "taxi-dagster" for action in call.iam_actions}
    arns = [first.tags["ecs/task_arn"], second.tags["ecs/task_arn"]]
    task, stopped = ecs.describe_tasks(cluster="taxi", tasks=arns, include=["TAGS"])["tasks"]
    said = str(other_definition.value)
    return Launched(task, interface_of(aws, task), network, health, health_when_lost, stopped, refused, said, actions)


@pytest.fixture(scope="module")
def left_after_destroy(applied: Applied, launched: Launched, variables: dict[str, object]) -> dict[str, list[str]]:
    # Nobody stops tasks of moto when their service goes.
    for task in ecs_backends[ACCOUNT][REGION].tasks.pop("taxi").values():
        applied.aws.client("ec2").delete_network_interface(NetworkInterfaceId=interface_id(task.attachments))
    applied.terraform.destroy(**variables)
    return left(applied)


def launch(instance: dg.DagsterInstance) -> dg.DagsterRun:
    """Launch a run of the job that needs no partition, as the daemon does with what the code server told it."""
    pointer = ModuleCodePointer("taxi_assets.definitions", "defs")
    repository = RepositoryPythonOrigin(
        sys.executable, pointer, entry_point=DEFAULT_DAGSTER_ENTRY_POINT, container_context={}
    )
    run = instance.create_run_for_job(maintain_tables, job_code_origin=JobPythonOrigin("maintain_tables", repository))
    instance.run_launcher.launch_run(LaunchRunContext(run, workspace=None))
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    return found


def interface_of(aws: AwsEmulator, task: dict[str, Any]) -> dict[str, Any]:
    """The network interface of a task."""
    wanted = [interface_id(task["attachments"])]
    found: dict[str, Any] = aws.client("ec2").describe_network_interfaces(NetworkInterfaceIds=wanted)
    return dict(found["NetworkInterfaces"][0])


def interface_id(attachments: list[dict[str, Any]]) -> str:
    [attached] = attachments
    return str({detail["name"]: detail["value"] for detail in attached["details"]}["networkInterfaceId"])


def lose(aws: AwsEmulator, task_arn: str) -> None:
    """Have a run's task end as one that was killed, with its last words in the log."""
    task = ecs_backends[ACCOUNT][REGION].tasks["taxi"][task_arn]
    task.last_status, task.containers[0].exitCode = "STOPPED", 137
    stream = {"logGroupName": "/ecs/taxi", "logStreamName": f"run/run/{task_arn.rpartition('/')[2]}"}
    logs = aws.client("logs")
    logs.create_log_stream(**stream)
    logs.put_log_events(**stream, logEvents=[{"timestamp": int(time.time() * 1000), "message": "Killed"}])


def test_a_second_plan_changes_nothing(second_plan_is_empty: bool) -> None:
    assert second_plan_is_empty


def test_a_run_is_a_task_of_terraform_s_definition_beside_who_starts_it(launched: Launched) -> None:
    [override] = launched.task["overrides"]["containerOverrides"]
    assert launched.task["taskDefinitionArn"].endswith(":task-definition/taxi-run:1")
    assert launched.task["launchType"] == "FARGATE"
    assert (override["name"], override["command"][:3]) == ("run", ["dagster", "api", "execute_run"])
    assert len(json.dumps(launched.task["overrides"])) < MOST_OF_OVERRIDES
    assert {tag["key"] for tag in launched.task["tags"]} == {"dagster/run_id", "dagster/job_name"}


def test_it_has_the_network_of_who_starts_it(launched: Launched) -> None:
    expected = launched.network["awsvpcConfiguration"]
    assert launched.interface["SubnetId"] in expected["subnets"]
    assert [group["GroupId"] for group in launched.interface["Groups"]] == expected["securityGroups"]


def test_it_is_watched_and_stopped_and_its_last_words_are_read(launched: Launched) -> None:
    assert launched.health.status is WorkerStatus.RUNNING
    assert launched.stopped_task["lastStatus"] == "STOPPED"
    assert launched.health_when_lost.status is WorkerStatus.FAILED
    assert "Run worker logs:\nKilled" in (launched.health_when_lost.msg or "")


def test_its_role_may_do_that_and_start_no_other_task(launched: Launched) -> None:
    [refused] = launched.refused
    assert "ecs:RunTask on resource" in refused
    assert "task-definition/taxi-daemon:1" in refused
    assert "AccessDeniedException" in launched.refused_definition


def test_it_does_all_that_it_is_allowed(launched: Launched) -> None:
    policy = yaml.safe_load((POLICIES / "dagster-runs.json").read_text())
    allowed = {action for statement in policy["Statement"] for action in statement["Action"]}
    in_run_task = {"ecs:TagResource", "iam:PassRole"}  # no calls, but needed for one
    assert launched.actions == allowed - in_run_task


def test_destroy_leaves_nothing(left_after_destroy: dict[str, list[str]]) -> None:
    assert {kind: names for kind, names in left_after_destroy.items() if names} == {}
