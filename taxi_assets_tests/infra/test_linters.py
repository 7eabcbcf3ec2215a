"""What linters of Terraform and of IAM policies say: checkov and parliament, which live in ``.venv-infra``."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from string import Template

import pytest

from taxi_assets_tests.infra.test_policies import POLICIES, WORDS
from taxi_assets_tests.support.waiting import HANGS_AFTER

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / ".venv-infra" / "bin"

pytestmark = [
    pytest.mark.linters,
    # Hundreds of megabytes that only who changes infra/ needs; CI makes them, and takes a skip for a failure.
    pytest.mark.skipif(not TOOLS.exists(), reason="the linters are in .venv-infra: make infra-tools"),
]


def said(folder: Path, program: str, *arguments: str) -> tuple[int, str]:
    """Exit code and output of a linter that runs in ``folder``."""
    command = [str(TOOLS / program), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=HANGS_AFTER)
    return done.returncode, done.stdout


def copy_of_infra(folder: Path) -> Path:
    shutil.copytree(ROOT / "infra", folder / "infra", ignore=shutil.ignore_patterns(".terraform"))
    return folder


def test_checkov_finds_nothing_that_has_no_reason(tmp_path: Path) -> None:
    code, output = said(copy_of_infra(tmp_path), "checkov", "--config-file", "infra/checkov.yaml")
    assert "Failed checks: 0" in output, output
    assert code == 0


def test_checkov_finds_a_planted_fault(tmp_path: Path) -> None:
    file = copy_of_infra(tmp_path) / "infra" / "modules" / "database" / "main.tf"
    file.write_text(file.read_text().replace("storage_encrypted      = true", "storage_encrypted      = false"))
    code, output = said(tmp_path, "checkov", "--config-file", "infra/checkov.yaml")
    assert "CKV_AWS_16" in output  # data at rest in RDS
    assert code == 1


def filled_in(folder: Path) -> Path:
    """All policies, as Terraform writes them, in a folder of their own."""
    for path in POLICIES.glob("*.json"):
        (folder / path.name).write_text(Template(path.read_text()).substitute(WORDS))
    return folder


def test_parliament_knows_every_action_with_its_resources(tmp_path: Path) -> None:
    assert list(filled_in(tmp_path).iterdir())
    assert said(tmp_path, "parliament", "--directory", str(tmp_path)) == (0, "")


def test_parliament_finds_a_planted_fault(tmp_path: Path) -> None:
    policy = filled_in(tmp_path) / "deploy.json"
    policy.write_text(policy.read_text().replace("glue:UpdateJob", "glue:ChangeJob"))
    code, output = said(tmp_path, "parliament", "--directory", str(tmp_path))
    assert "glue:changejob" in output.lower()
    assert code == 1
