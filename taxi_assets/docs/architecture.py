"""The packages and their imports as a picture: ``python -m taxi_assets.docs.architecture FILE``.

Belongs here: what of the page is made from the code, between its two markers. Does not: the rest of the page, or which
imports are allowed (``tool.importlinter`` in pyproject.toml).
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

BEGIN, END = "<!-- made from the code by `make docs` -->", "<!-- end of what is made from the code -->"
_SHARED = frozenset({"asset_keys", "calendar", "errors", "partitions", "settings"})
"""Modules of the root that nearly all import: drawn, they would hide the rest."""


def render() -> str:
    """A Mermaid diagram of the packages, an arrow for who imports whom with the number of imports, and the counts."""
    import grimp  # a tool of development, like import-linter

    graph = grimp.build_graph("taxi_assets", "glue_jobs", exclude_type_checking_imports=True)
    arrows: Counter[tuple[str, str]] = Counter()
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            arrows[_package(module), _package(imported)] += 1
    drawn = {pair: count for pair, count in arrows.items() if pair[0] != pair[1] and not set(pair) & _SHARED}
    lines = [f"    {importer} -->|{count}| {imported}" for (importer, imported), count in sorted(drawn.items())]
    both_ways = sorted(f"{a} and {b}" for a, b in drawn if a < b and (b, a) in drawn)
    counts = (
        f"{len(graph.modules)} modules; {sum(drawn.values())} imports between packages, without those of "
        f"{', '.join(sorted(_SHARED))}, which nearly all import. Packages that import each other: "
        f"{', '.join(both_ways) or 'none'}."
    )
    return "\n".join((BEGIN, "```mermaid", "flowchart TD", *lines, "```", "", counts, END))


def write(page: Path) -> None:
    """Put the picture between the markers of the page; ValueError if it has none."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{page} lacks the markers {BEGIN} and {END}")
    page.write_text(before + render() + after, encoding="utf-8")


def _package(module: str) -> str:
    parts = module.split(".")
    return parts[0] if parts[0] == "glue_jobs" or len(parts) == 1 else parts[1]


if __name__ == "__main__":
    write(Path(sys.argv[1]))
