"""The container image as ECS runs it: each command, as its user, on a root that is read-only."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from taxi_assets_tests.emulators.aws import AwsEmulator, Role
from taxi_assets_tests.infra.image_build import ROOT, Image, built_image
from taxi_assets_tests.infra.image_container import Container, run, running
from taxi_assets_tests.infra.test_image_files import pins
from taxi_assets_tests.support.dagster_dev import Dagster
from taxi_assets_tests.support.postgres import Postgres
from taxi_assets_tests.support.waiting import HANGS_AFTER, wait_until

pytestmark = [pytest.mark.image, pytest.mark.emulator, pytest.mark.postgres]

BUCKET = "taxi-lake"
WORKSPACE = "/opt/dagster/workspace.yaml"
ANSWERS = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=5)"
LAUNCH = """mutation {
  launchRun(executionParams: {selector: {
    repositoryLocationName: "nyc-taxi-lakehouse", repositoryName: "__repository__", jobName: "maintain_tables"
  }}) { __typename ... on LaunchRunSuccess { run { runId } } }
}"""


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    with built_image() as image:
        yield image


@pytest.fixture(scope="module")
def environment(aws: AwsEmulator, postgres: Postgres) -> dict[str, str]:
    """The variables of Dagster's containers."""
    aws.client("s3").create_bucket(Bucket=BUCKET)
    return {
        **aws.environment(Role.DAGSTER),
        **postgres.new_database(),
        "TAXI_PROFILE": "aws",
        "TAXI_LAKE": f"s3://{BUCKET}",
        "TAXI_LOG_BUCKET": BUCKET,
        "TAXI_WATCH": "0",
        # Else a minute, which a busy machine may take to load the code.
        "DAGSTER_GRPC_TIMEOUT_SECONDS": f"{HANGS_AFTER:.0f}",
        "DAGSTER_REPOSITORY_GRPC_TIMEOUT_SECONDS": f"{HANGS_AFTER:.0f}",
    }


@dataclass(frozen=True)
class Task:
    """The containers of an ECS task, and the health command of each, which succeeds."""

    containers: Mapping[str, Container]
    health: Mapping[str, list[str]]
    environment: Mapping[str, str]
    dagster: Dagster


@pytest.fixture(scope="module")
def task(
    image: Image, environment: dict[str, str], aws: AwsEmulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Task]:
    """All that runs on ECS, one beside the other, healthy."""
    code, pages, numbers = _free_ports(3)
    logs = tmp_path_factory.mktemp("logs")
    commands = {
        "code-server": ["dagster", "api", "grpc", "-h", "0.0.0.0", "-p", code, "-m", "taxi_assets.definitions"],
        "daemon": ["dagster-daemon", "run", "-w", WORKSPACE],
        "webserver": ["dagster-webserver", "-h", "0.0.0.0", "-p", pages, "-w", WORKSPACE],
        "dashboard": ["taxi-assets", "dashboard", "--host", "0.0.0.0", "--port", numbers],
    }
    health = {
        "code-server": ["dagster", "api", "grpc-health-check", "-p", code],
        "daemon": ["dagster-daemon", "liveness-check"],
        "webserver": ["python", "-c", ANSWERS, f"http://127.0.0.1:{pages}/server_info"],
        "dashboard": ["python", "-c", ANSWERS, f"http://127.0.0.1:{numbers}/_stcore/health"],
    }
    given = {**environment, "DAGSTER_CODE_SERVER_PORT": code}
    of_the_dashboard = {name: value for name, value in given.items() if not name.startswith("DAGSTER_")}
    of_the_dashboard |= aws.environment(Role.DASHBOARD)
    with ExitStack() as stack:
        containers = {}
        for name, command in commands.items():
            variables = of_the_dashboard if name == "dashboard" else given
            containers[name] = stack.enter_context(running(image, command, variables, logs / f"{name}.log"))
            if name == "code-server":  # whose health the others depend on, as on ECS
                _wait_for_health(image, containers[name], health[name], given)
        for name, container in containers.items():
            _wait_for_health(image, container, health[name], given)
        yield Task(containers, health, given, Dagster(logs, f"http://127.0.0.1:{pages}"))


def test_each_command_is_healthy_on_a_root_that_is_read_only(image: Image, task: Task) -> None:
    for name, command in task.health.items():
        assert task.containers[name].runs, task.containers[name].said()
        asked = run(image, command, task.environment)
        assert asked.returncode == 0, f"{name}: {asked.stderr}\n{task.containers[name].said()}"
        assert "Read-only file system" not in task.containers[name].log.read_text()


def test_the_health_commands_tell_what_is_not_there(image: Image, task: Task, postgres: Postgres) -> None:
    [nowhere] = _free_ports(1)
    elsewhere = {**task.environment, **postgres.new_database()}
    replaced = {
        name: [part.replace(_port_in(command), nowhere) for part in command] for name, command in task.health.items()
    }
    for name, command in replaced.items():
        assert run(image, command, elsewhere).returncode != 0, name


def test_a_run_goes_from_the_webserver_to_the_daemon_to_the_code_server(task: Task, aws: AwsEmulator) -> None:
    launched = task.dagster.ask(LAUNCH)["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    run_id = launched["run"]["runId"]

    def status() -> str:
        [found] = [one["status"] for one in task.dagster.runs() if one["runId"] == run_id]
        return str(found)

    wait_until(lambda: status() in ("SUCCESS", "FAILURE", "CANCELED"), status, every=0.5)
    assert status() == "SUCCESS", task.containers["code-server"].said()
    keys = [one["Key"] for one in aws.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert any(key.startswith("logs/dagster/") and run_id in key for key in keys), keys


def test_each_command_runs_as_an_ordinary_user_that_can_write_to_the_volume_alone(image: Image) -> None:
    script = """
import json, os, sys, tempfile
refused = []
for folder in sys.argv[1:]:
    try:
        open(os.path.join(folder, "probe"), "w").close()
    except OSError as error:
        refused.append(folder)
with tempfile.TemporaryFile() as file:
    file.write(b"kept")
print(json.dumps([os.getuid(), os.getgid(), os.getgroups(), tempfile.gettempdir(), os.path.expanduser("~"), refused]))
"""
    folders = ["/", "/etc", "/opt/dagster", "/opt/dagster/small", "/opt/venv", "/var/tmp"]
    told = run(image, ["python", "-c", script, *folders], {})
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout) == [1000, 1000, [1000], "/tmp", "/tmp", folders]


def test_no_file_of_the_image_is_the_users_but_the_volume(image: Image) -> None:
    assert image.config["User"] == "1000:1000"
    assert list(image.config["Volumes"]) == ["/tmp"]
    assert "/tmp" in image.find("-perm", "1777")  # which Fargate gives to the volume
    assert image.find("(", "-uid", "1000", "-o", "-gid", "1000", ")") == set()
    writable = image.find("-path", "*/dev", "-prune", "-o", "-perm", "-0002", "!", "-type", "l")
    # Two are Debian's own; on a read-only root nobody writes there.
    assert writable == {"/run/lock", "/tmp", "/var/tmp"}


def test_the_image_has_what_is_locked_for_it_and_no_tools(image: Image) -> None:
    script = (
        "import importlib.metadata as m, json, re;"
        "print(json.dumps({re.sub('[-_.]+', '-', d.name).lower(): d.version for d in m.distributions()}))"
    )
    found = json.loads(run(image, ["python", "-c", script], {}).stdout)
    locked = {(name, version) for name, version, _ in pins(ROOT / "infra" / "image" / "requirements.lock")}
    assert found.pop("nyc-taxi-lakehouse")
    assert set(found.items()) <= locked
    assert len(found) > 100
    for tool in ("pip", "pytest", "hadolint", "gcc", "curl"):
        assert run(image, ["sh", "-c", f"! command -v {tool}"], {}).returncode == 0, tool
    assert image.find("-path", "*/pyspark/jars") == set()


def test_nothing_of_the_build_is_left_in_the_image(image: Image) -> None:
    assert image.find("-path", "*/opt/*", "-prune", "-path", "*/opt/*") == {"/opt/dagster", "/opt/venv"}
    left = ["/build", "*/.cache", "/tmp/?*", "*/taxi_assets_tests"]
    assert [name for name in left if image.find("-path", f"{image.root}{name}")] == []
    assert image.find("-path", "*/etc/pip.conf", "-size", "+0") == set()  # what it was mounted on is there


def test_a_start_compiles_nothing_again(image: Image) -> None:
    """It could not keep what it compiled, on a root that is read-only."""
    sources = image.find("-path", "*/site-packages/taxi_assets/*.py")
    compiled = image.find("-path", "*/site-packages/taxi_assets/*.pyc")
    assert len(sources) > 50
    assert {re.sub(r"__pycache__/(\w+)\.cpython-\d+\.pyc", r"\1.py", path) for path in compiled} == sources


def test_no_variable_of_the_build_is_in_the_image(image: Image) -> None:
    assert {one.split("=", 1)[0] for one in image.config["Env"]} == {
        "PATH",
        "HOME",
        "PYTHONUNBUFFERED",
        "DAGSTER_HOME",
        "DAGSTER_GRPC_SHUTDOWN_GRACE_PERIOD",
        "DAGSTER_CODE_SERVER_HOST",
        "DAGSTER_CODE_SERVER_PORT",
    }


@pytest.mark.parametrize(("home", "launcher"), [("small", "DefaultRunLauncher"), ("prod", "EcsRunLauncher")])
def test_both_instances_open(
    image: Image, environment: dict[str, str], aws: AwsEmulator, home: str, launcher: str
) -> None:
    definition = aws.client("ecs").register_task_definition(
        family="taxi-run", containerDefinitions=[{"name": "run", "image": "taxi", "memory": 512}]
    )["taskDefinition"]["taskDefinitionArn"]
    script = (
        "import dagster as dg\n"
        "with dg.DagsterInstance.get() as instance:\n"
        "    launcher = instance.run_launcher\n"
        "    print(type(launcher).__name__, getattr(launcher, 'task_definition', None),"
        " type(instance.event_log_storage).__name__, type(instance.compute_log_manager).__name__)"
    )
    variables = {"DAGSTER_HOME": f"/opt/dagster/{home}", "DAGSTER_RUN_TASK_DEFINITION": "taxi-run"}
    told = run(image, ["python", "-c", script], {**environment, **variables})
    assert told.returncode == 0, told.stderr
    asked_of_ecs = definition if home == "prod" else "None"
    assert told.stdout.split() == [launcher, asked_of_ecs, "PostgresEventLogStorage", "S3ComputeLogManager"]


def test_each_command_ends_when_ecs_stops_it(task: Task) -> None:
    """The last: it ends what the others ask. Process 1 of a container gets no signal that it has not asked for."""
    for container in task.containers.values():
        container.stop()
        assert not container.runs


def _wait_for_health(image: Image, container: Container, command: list[str], variables: Mapping[str, str]) -> None:
    def healthy() -> bool:
        return run(image, command, variables).returncode == 0

    wait_until(lambda: not container.runs or healthy(), container.said, every=1)
    assert container.runs, container.said()


def _free_ports(count: int) -> list[str]:
    with ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [str(one.getsockname()[1]) for one in held]


def _port_in(command: list[str]) -> str:
    """The port that a health command asks, or nothing that any has."""
    last = command[-1]
    return last if last.isdigit() else last.partition("127.0.0.1:")[2].partition("/")[0] or "\0"
