"""The page of bad input says what the tests say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_make_docs_writes_and_has_sixty_kinds(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "taxi_assets_tests.support.bad_input_page", str(tmp_path / "page.md")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page = (ROOT / "docs" / "bad-input.md").read_text()
    assert (tmp_path / "page.md").read_text() == page, "make docs"
    kinds = re.findall(r"^\| (?!kind|---)", page, re.MULTILINE)
    assert f"{len(kinds)} kinds" in page
    assert len(kinds) >= 60
