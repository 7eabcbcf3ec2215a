"""The Terraform configuration as text: what Terraform itself does not ask for."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from taxi_assets.metrics.names import ALARM_PREFIX, METRICS, NAMESPACE
from taxi_assets.settings import Settings

INFRA = Path(__file__).parents[2] / "infra"
MODULES = sorted({path.parent for path in INFRA.rglob("*.tf")})
_BLOCK = re.compile(r'^(variable|output|module|resource) "([\w-]+)"(?: "([\w-]+)")? \{\n(.*?)^\}', re.M | re.S)
NOT_OF_THE_STACK = {
    "TAXI_ENGINE": "laptop only",
    "TAXI_JOBS_PYTHON": "laptop only",
    "TAXI_SOURCE": "the TLC's site unless told otherwise",
    "TAXI_FROM": "a user's choice (more_environment)",
    "TAXI_MASK": "a user's choice (more_environment)",
    "TAXI_MASK_K": "a user's choice (more_environment)",
    "TAXI_WATCH": "a user's choice (more_environment)",
    "TAXI_WATCH_FROM": "a user's choice (more_environment)",
    "TAXI_WATCH_MINUTES": "a user's choice (more_environment)",
    "TAXI_GLUE_VERSION": "set by taxi-assets deploy, whatever made the jobs",
    "TAXI_GLUE_WORKER_TYPE": "G.1X, as the jobs are made",
    "TAXI_GLUE_TIMEOUT_MINUTES": "of a run",
    "TAXI_GLUE_POLL_SECONDS": "of a run",
    "TAXI_GLUE_RETRIES": "of a run",
    "TAXI_GLUE_USD_PER_DPU_HOUR": "a price",
    "TAXI_REDSHIFT_USD_PER_RPU_HOUR": "a price",
    "TAXI_OIDC_METADATA_URL": "a user's choice (more_environment)",
    "TAXI_OIDC_CLIENT_ID": "a user's choice (more_environment)",
    "TAXI_OIDC_CLIENT_SECRET": "a secret",
    "TAXI_OIDC_COOKIE_SECRET": "a secret",
    "TAXI_SLACK_WEBHOOK_URL": "a secret",
    "TAXI_HEARTBEAT_URL": "a secret",
}


def blocks(module: Path, kind: str) -> dict[str, str]:
    """Name to text of the blocks of a kind in a module."""
    text = "\n".join(path.read_text() for path in sorted(module.glob("*.tf")))
    return {name: inside for found, name, _, inside in _BLOCK.findall(text) if found == kind}


def settings_names() -> set[str]:
    """The variables that settings.py reads."""
    return {str(field.validation_alias or f"TAXI_{name}").upper() for name, field in Settings.model_fields.items()}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(INFRA).as_posix())
def test_every_variable_is_described_typed_and_validated(module: Path) -> None:
    for name, inside in blocks(module, "variable").items():
        assert re.search(r'description = "[^"]{5,}\."?', inside), name
        assert re.search(r"^  type +=", inside, re.M), name
        # A switch is validated by its type, once it cannot be null.
        is_switch = re.search(r"type +=\s*bool", inside) and re.search(r"nullable +=\s*false", inside)
        assert is_switch or "validation {" in inside, name


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(INFRA).as_posix())
def test_every_variable_is_used_and_every_output_described(module: Path) -> None:
    text = "\n".join(path.read_text() for path in module.glob("*.tf"))
    unused = {
        name
        for name in blocks(module, "variable")
        if not re.search(rf"var\.{name}\b(?!.*error_message)", re.sub(r"validation \{.*?\n  \}", "", text, flags=re.S))
    }
    assert unused == set()
    for name, inside in blocks(module, "output").items():
        assert re.search(r'description = "[^"]{5,}', inside), name


def test_every_output_of_a_module_is_used() -> None:
    for module in (INFRA / "modules").iterdir():
        used = {name for name in blocks(module, "output") for caller in MODULES if is_used(name, module, caller)}
        assert used == set(blocks(module, "output")), module.name


def is_used(output: str, module: Path, caller: Path) -> bool:
    """Whether ``caller`` reads an output of ``module``, in its tests at least."""
    calls = [name for name, inside in blocks(caller, "module").items() if f'/{module.name}"' in inside]
    text = "\n".join(path.read_text() for path in caller.rglob("*") if path.suffix in (".tf", ".hcl"))
    # A call for each of many is looped over: `for service in module.service : service.name`.
    looped = {name: re.findall(rf"(\w+) in module\.{name} :", text) for name in calls}
    return any(
        re.search(rf"module\.{name}(\[[^]]+\])?\.{output}\b", text)
        or any(re.search(rf"\b{one}\.{output}\b", text) for one in looped[name])
        for name in calls
    )


def test_the_environments_make_every_provider_tag_what_it_makes() -> None:
    for environment in (INFRA / "envs").iterdir():
        text = (environment / "main.tf").read_text()
        assert text.count('provider "aws" {') == text.count("default_tags {") == 2
        for tag in ("Project", "Environment", "ManagedBy"):
            assert f"{tag} " in text


def test_taxi_env_has_the_names_that_settings_read() -> None:
    inside = (INFRA / "stack" / "main.tf").read_text().split("taxi_env = merge(", 1)[1].split("\n  )\n", 1)[0]
    given = set(re.findall(r"^ +(TAXI_\w+) +=", inside, re.M))
    assert given <= settings_names()
    assert settings_names() - given == NOT_OF_THE_STACK.keys()


def test_alarms_watch_metrics_that_the_code_emits_by_names_that_health_reads() -> None:
    text = (INFRA / "modules" / "monitoring" / "main.tf").read_text()
    assert f'namespace = "{NAMESPACE}"' in text
    known = {metric.name: metric.dimension for metric in METRICS}
    for inside in re.findall(r'^resource "aws_cloudwatch_metric_alarm" .*?^\}', text, re.M | re.S):
        assert 'alarm_name          = "${var.name}-' in inside
        if re.search(r"namespace +=\s*local.namespace", inside):
            [name] = re.findall(r'metric_name +=\s*"(\w+)"', inside)
            assert known[name] == ""
        elif "SELECT" in inside:
            [(name, dimension)] = re.findall(r"SELECT SUM\((\w+)\) FROM SCHEMA\(.*, (\w+)\)", inside)
            assert known[name] == dimension
    shown = re.findall(r'local\.namespace, "(\w+)"', text) + re.findall(r'MetricName=\\"(\w+)\\"', text)
    assert shown
    assert set(shown) <= known.keys()
    # What every alarm's name begins with.
    allowed = f'startswith(var.name, "{ALARM_PREFIX.removesuffix("-")}")'
    assert allowed in (INFRA / "stack" / "variables.tf").read_text()


def test_the_internet_reaches_nothing() -> None:
    for path in INFRA.rglob("*.tf"):
        for inside in re.findall(
            r'^resource "aws_vpc_security_group_ingress_rule" .*?^\}', path.read_text(), re.M | re.S
        ):
            assert "0.0.0.0/0" not in inside, path
        assert not re.search(r"publicly_accessible +=\s*true|internal +=\s*false", path.read_text()), path


def test_a_module_opens_with_what_belongs_in_it_and_what_does_not() -> None:
    for module in MODULES:
        if (module / "main.tf").exists():
            head = (module / "main.tf").read_text().split("\n\n")[0].splitlines()
            assert all(line.startswith("#") for line in head), module
            assert "Not here:" in " ".join(head), module


@pytest.mark.parametrize(
    ("file", "before", "fault", "test"),
    [
        ("modules/service/main.tf", "var.client_cidr", '"0.0.0.0/0"', test_the_internet_reaches_nothing),
        ("modules/warehouse/main.tf", "accessible  = false", "accessible  = true", test_the_internet_reaches_nothing),
        (
            "modules/monitoring/main.tf",
            '"MonthsBehind"',
            '"MonthsLate"',
            test_alarms_watch_metrics_that_the_code_emits_by_names_that_health_reads,
        ),
        ("envs/dev/main.tf", "Project ", "Thing ", test_the_environments_make_every_provider_tag_what_it_makes),
        ("stack/main.tf", "TAXI_LAKE  ", "TAXI_LAKES  ", test_taxi_env_has_the_names_that_settings_read),
        ("stack/outputs.tf", "module.cost.budget_name", '"a budget"', test_every_output_of_a_module_is_used),
    ],
)
def test_a_planted_fault_is_seen(
    file: str, before: str, fault: str, test: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(INFRA, tmp_path / "infra", ignore=shutil.ignore_patterns(".terraform")))
    monkeypatch.setitem(globals(), "INFRA", copy)
    monkeypatch.setitem(globals(), "MODULES", sorted({path.parent for path in copy.rglob("*.tf")}))
    test()
    text = (copy / file).read_text()
    assert before in text
    (copy / file).write_text(text.replace(before, fault))
    with pytest.raises((AssertionError, KeyError)):
        test()
