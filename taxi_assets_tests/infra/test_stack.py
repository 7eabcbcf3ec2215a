"""What Terraform itself says of the configuration: style, schema, and its own tests of both profiles."""

from __future__ import annotations

from pathlib import Path

import pytest

from taxi_assets_tests.emulators.aws import AwsEmulator, Role
from taxi_assets_tests.support.terraform import Terraform, TerraformFailed, copied

pytestmark = pytest.mark.emulator

INFRA = Path(__file__).parents[2] / "infra"


@pytest.fixture(scope="module")
def stack(aws: AwsEmulator, tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """The composition, ready to be planned against an empty AWS."""
    terraform = copied(INFRA, tmp_path_factory.mktemp("stack") / "infra", "stack", aws.environment(Role.TEST))
    terraform.init(backend=False)
    return terraform


def test_the_configuration_is_formatted(stack: Terraform) -> None:
    assert Terraform(stack.folder.parent).run("fmt", "-check", "-recursive", "-list=true", ".").strip() in (
        "",
        "stack/tests_override.tf",
    )


@pytest.mark.parametrize("where", ["bootstrap", "envs/dev", "envs/prod"])
def test_the_configuration_is_valid(where: str, tmp_path: Path) -> None:
    terraform = copied(INFRA, tmp_path / "infra", where)
    terraform.init(backend=False)
    terraform.validate()


def test_both_profiles_are_what_their_tests_say(stack: Terraform) -> None:
    assert "Success! 15 passed, 0 failed." in stack.test()


FAULTS = (
    ("modules/lake/main.tf", "GLACIER_IR  = var", "GLACIER     = var", "Glacier Instant Retrieval after 90"),
    ("modules/warehouse/main.tf", "accessible  = false", "accessible  = true", "The warehouse has no public address"),
    ("stack/main.tf", "var.monthly_budget_usd, 50", "var.monthly_budget_usd, 60", "The budget is 50 USD"),
    ("stack/main.tf", "local.small ? 4 : 32", "local.small ? 8 : 32", "Redshift has 4 to 32 units"),
    ("stack/main.tf", "|| local.small ? 0 : var.nat", "? 0 : var.nat", "pays for no NAT gateway"),
    ("stack/main.tf", "one_task           = local.small", "one_task           = false", "has one service"),
)
"""File, text and what is put in its place, and what a test then says."""


def test_each_planted_fault_fails_a_test_of_terraform(aws: AwsEmulator, tmp_path: Path) -> None:
    terraform = copied(INFRA, tmp_path / "infra", "stack", aws.environment(Role.TEST))
    for file, before, fault, _ in FAULTS:
        path = tmp_path / "infra" / file
        assert path.read_text().count(before) == 1, before
        path.write_text(path.read_text().replace(before, fault))
    terraform.init(backend=False)
    with pytest.raises(TerraformFailed) as failed:
        terraform.test("-filter=tests/small.tftest.hcl")
    said = " ".join(str(failed.value).split())
    assert [message for *_, message in FAULTS if message not in said] == []
