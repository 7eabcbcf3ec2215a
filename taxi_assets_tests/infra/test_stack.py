"""What Terraform itself says of the configuration: style, schema, and its own tests of both profiles."""

from __future__ import annotations

import re
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


def _no_error(variable: str) -> str:
    return f"{variable}, was expected to report an error but did not"


FAULTS: tuple[tuple[str, str, str, list[str]], ...] = (
    ("modules/lake/main.tf", "GLACIER_IR  = var", "GLACIER     = var", ["Glacier Instant Retrieval after 90"]),
    ("modules/lake/main.tf", '"curated/"] :', '"curated/", "reports/"] :', ["Three folders are moved"]),
    ("modules/lake/main.tf", '"exports/"  ', '"reports/"  ', ["Nothing of tables or reports expires by age"]),
    ("modules/warehouse/main.tf", "accessible  = false", "accessible  = true", ["The warehouse has no public address"]),
    (
        "stack/main.tf",
        "|| local.small ? 0 : var.nat_in_each_zone ? 3 : 1",
        "? 0 : var.nat_in_each_zone ? 1 : 3",
        ["pays for no NAT gateway", "One NAT gateway unless told otherwise", "A NAT gateway in each zone"],
    ),
    (
        "stack/main.tf",
        "small ? 4 : 32",
        "small ? 8 : 64",
        ["Redshift has 4 to 32 units", "Redshift has 32 to 512 units"],
    ),
    (
        "stack/main.tf",
        "coalesce(var.monthly_budget_usd, 50)",
        "local.small ? 60 : 50",
        ["The budget is 50 USD", "The budget is the one that was given"],
    ),
    ("stack/main.tf", "one_task           = local.small", "one_task           = false", ["has one service"]),
    ("stack/main.tf", "(var.dashboard || !local.small)", "var.dashboard", ["Each is a service of its own"]),
    (
        "stack/main.tf",
        "TAXI_PROFILE  ",
        "TAXI_REDSHIFT_WORKGROUP = var.name\nTAXI_PROFILE  ",
        ["needs neither ECS nor Redshift"],
    ),
    (
        "stack/outputs.tf",
        "= module.identity.role_arns",
        '= { for name, arn in module.identity.role_arns : name => arn if name != "optimizer" }',
        ["S3 and Glue have roles for what was switched on"],
    ),
    ("modules/warehouse/variables.tf", "var.base_rpu % 8 == 0", "true", []),  # the same rule, which would end all
    ("stack/variables.tf", "var.redshift_base_rpu % 8 == 0", "true", [_no_error("var.redshift_base_rpu")]),
    ("stack/variables.tf", ' && var.image_tag != "latest"', "", [_no_error("var.image_tag")]),
    ("stack/variables.tf", ' && startswith(var.name, "taxi")', "", [_no_error("var.name")]),
    ("stack/variables.tf", 'contains(["TAXI_SLACK_WEBHOOK_URL"', "contains([name", [_no_error("var.secrets")]),
    ("stack/variables.tf", 'contains(["check_history"', "contains([table", [_no_error("var.optimized_tables")]),
    (
        "stack/variables.tf",
        "var.monthly_budget_usd != null ||",
        "var.monthly_budget_usd != 0 ||",
        [_no_error("var.monthly_budget_usd")],
    ),
    ("stack/variables.tf", '== "" && var.profile == "small"', '== ""', [_no_error("var.certificate_arn")]),
)
"""File, text, what is put in its place, and what tests then say: every assertion of both profiles fails by one."""


def _part(tests: Path) -> None:
    """A file for each run: Terraform passes over the runs of a file after one that did not fail as expected."""
    for path in list(tests.glob("*.tftest.hcl")):
        head, *runs = re.split(r"^(?=run )", path.read_text(), flags=re.MULTILINE)
        for at, run in enumerate(runs):
            (tests / f"{at}_{path.name}").write_text(head + run)
        path.unlink()


def test_each_planted_fault_fails_its_tests_of_terraform(aws: AwsEmulator, tmp_path: Path) -> None:
    terraform = copied(INFRA, tmp_path / "infra", "stack", aws.environment(Role.TEST))
    for file, before, fault, _ in FAULTS:
        path = tmp_path / "infra" / file
        assert path.read_text().count(before) == 1, before
        path.write_text(path.read_text().replace(before, fault))
    _part(terraform.folder / "tests")
    terraform.init(backend=False)
    with pytest.raises(TerraformFailed) as failed:
        terraform.test()
    said = " ".join(str(failed.value).replace("│", " ").split())
    assert [message for *_, messages in FAULTS for message in messages if message not in said] == []


def test_each_assertion_of_terraform_has_a_planted_fault() -> None:
    planted = [message for *_, messages in FAULTS for message in messages]
    tests = "".join(path.read_text() for path in (INFRA / "stack" / "tests").glob("*.tftest.hcl"))
    assertions = re.findall(r'error_message = "(.+)"', tests)
    refusals = [_no_error(variable) for variable in re.findall(r"expect_failures = \[(.+)\]", tests)]
    assert len(assertions) + len(refusals) == 15 + 7
    assert [said for said in assertions + refusals if not any(message in said for message in planted)] == []
