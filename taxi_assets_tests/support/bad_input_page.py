"""The page docs/bad-input.md: kinds of bad input, what is said of each, and the test that shows it.

Belongs here: writing it from the tests that have the marker ``bad_input``. Does not: the tests.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parents[1]
_MARK = "@pytest.mark." + "bad_input("
_INTRODUCTION = """# Bad input

Written by `make docs` from the tests that have the marker `bad_input`: {count} kinds. Each test gives the input, reads
the sentence, and sees that nothing was written or published. Messages that S3 sends are deleted and told in the
sensor's tick. The parsers of ours are also given what nobody thought of
(`taxi_assets_tests/support/test_parsers.py`; guided by the branches that their code takes: `make fuzz`).
"""


class _Collected:
    """The tests that pytest found."""

    def __init__(self) -> None:
        self.items: list[pytest.Item] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Keep them."""
        self.items = session.items


def page() -> str:
    """The page. It is the same for the same tests, in the order in which they stand."""
    files = sorted(str(file) for file in TESTS.rglob("test_*.py") if _MARK in file.read_text())
    found = _Collected()
    with contextlib.redirect_stdout(io.StringIO()) as said_by_pytest:
        code = pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", *files], plugins=[found])
    if code != pytest.ExitCode.OK:
        raise SystemExit(said_by_pytest.getvalue())
    areas: defaultdict[str, list[str]] = defaultdict(list)
    tests: dict[str, str] = {}
    for item in found.items:
        if (marker := item.get_closest_marker("bad_input")) is not None:
            call: Any = getattr(item, "callspec", None)
            kind = marker.kwargs.get("kind") or call.id
            said = marker.kwargs.get("said") or call.params["said"]
            name = getattr(item, "originalname", item.name)
            areas[marker.args[0]].append(f"| {_cell(kind)} | {_cell(said)} |")
            tests.setdefault(marker.args[0], "")
            test = f"`{item.path.relative_to(TESTS)}::{name}`"
            if test not in tests[marker.args[0]]:
                tests[marker.args[0]] += f"{', ' if tests[marker.args[0]] else ''}{test}"
    parts = [_INTRODUCTION.format(count=sum(map(len, areas.values())))]
    for area in sorted(areas):
        rows = "\n".join(areas[area])
        parts.append(f"## {area}\n\nShown by {tests[area]}.\n\n| kind | is told |\n| --- | --- |\n{rows}\n")
    return "\n".join(parts)


def _cell(text: str) -> str:
    return text.encode("unicode_escape").decode("ascii").replace("\\\\", "\\").replace("|", "\\|")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page())
