"""What the locks pin, by hash, is what the bill of materials names; known vulnerabilities are asked for elsewhere.

No test asks anybody: ``make audit`` and the workflow ``audit`` ask PyPI for vulnerabilities.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / ".venv-infra" / "bin"
PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==(\S+)", re.MULTILINE)

pytestmark = [
    pytest.mark.linters,
    # As in infra/test_linters.py: hundreds of megabytes, which CI makes.
    pytest.mark.skipif(not TOOLS.exists(), reason="pip-audit and cyclonedx-py are in .venv-infra: make infra-tools"),
]


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A target of the Makefile, with the environment of the tools as it is."""
    command = ["make", "-o", ".venv-infra/.ready", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_every_package_of_every_lock_is_pinned_with_a_hash() -> None:
    done = make("audit", "AUDIT=--dry-run")
    assert done.returncode == 0, done.stderr
    locks = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.lock") if ".venv" not in str(path))
    listed = [Path(line) for line in done.stdout.splitlines() if line.endswith(".lock")]
    assert sorted(listed) == locks
    assert done.stderr.count("would have audited") == len(listed)


@pytest.mark.parametrize("line", ["click==8.3.1", "click>=8 --hash=sha256:" + "0" * 64])
def test_a_package_without_a_hash_or_a_version_is_found(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.lock").write_text(f"{line}\n")
    done = make("audit", "AUDIT=--dry-run", f"LOCKS={tmp_path}/a.lock")
    assert done.returncode != 0
    assert "requirement click" in done.stderr


def test_the_bill_of_materials_names_every_pinned_package_with_its_hashes(tmp_path: Path) -> None:
    done = make("sbom", f"SBOM={tmp_path}")
    assert done.returncode == 0, done.stderr
    for name, lock in (("project", "requirements.lock"), ("image", "infra/image/requirements.lock")):
        found = json.loads((tmp_path / f"{name}.cdx.json").read_text())
        assert found["bomFormat"] == "CycloneDX"
        pinned = set(PINNED.findall((ROOT / lock).read_text()))
        assert len(pinned) > 100
        assert {(one["name"], one["version"]) for one in found["components"]} == pinned
        assert all(one["externalReferences"][0]["hashes"] for one in found["components"])
