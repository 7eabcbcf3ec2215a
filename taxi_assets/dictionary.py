"""The data dictionary, written from the contracts: ``python -m taxi_assets.dictionary FILE``.

Belongs here: contracts as a document for people. Does not: any fact of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from glue_jobs.contracts import TABLES, Table, tlc
from glue_jobs.contracts.rules import RULES, RULES_VERSION, Tier


def render() -> str:
    """The dictionary as Markdown."""
    parts = [
        "# Data dictionary",
        "Written from the contracts in `glue_jobs/contracts` by `make docs`; edit those, not this file.",
        "Timestamps are New York wall-clock time without a zone. Money is exact: DECIMAL, never a double.",
        *(_table(table) for table in TABLES.values()),
        _rules(),
        _source(),
    ]
    return "\n\n".join(parts) + "\n"


def _table(table: Table) -> str:
    grain = ", ".join(f"`{name}`" for name in table.grain) or "one row of the source"
    partitions = ", ".join(f"`{name}`" for name in table.partition_by)
    rows = (
        (
            str(column.field_id),
            f"`{column.name}`",
            column.type.value,
            column.unit,
            "" if column.nullable else "no",
            column.description,
            ", ".join(f"`{source}`" for source in column.sources),
        )
        for column in table.columns
    )
    return "\n\n".join(
        (
            f"## {table.full_name}",
            table.description,
            f"A row is identified by: {grain}. Partitioned by {partitions}. Contract version {table.version}.",
            _markdown(("id", "column", "type", "unit", "null", "meaning", "from"), rows),
        )
    )


def _rules() -> str:
    parts = [f"## Rules (version {RULES_VERSION})"]
    for tier, effect in (
        (Tier.QUARANTINE, "A row that one of these applies to goes to `staging.quarantine`, with all its reasons."),
        (Tier.FLAG, "A row that one of these applies to stays in `staging.trips` and is named in `quality_flags`."),
    ):
        rows = (
            (f"`{rule.rule_id}`", rule.reason, f"`{_one_line(rule.predicate)}`", str(rule.since_version))
            for rule in RULES
            if rule.tier is tier
        )
        parts += [f"### {tier.value}", effect, _markdown(("rule", "reason", "predicate", "since"), rows)]
    return "\n\n".join(parts)


def _source() -> str:
    rows = (
        (
            f"`{column.name}`",
            column.kind.value,
            "yes" if column.required else f"since {column.since}",
            column.description,
        )
        for column in tlc.TRIP_COLUMNS
    )
    lists = (
        ("VendorID", tlc.VENDORS),
        ("RatecodeID", tlc.RATE_CODES),
        ("payment_type", tlc.PAYMENT_METHODS),
    )
    codes = (f"- {name}: " + ", ".join(f"{code} {label}" for code, label in labels.items()) for name, labels in lists)
    return "\n\n".join(
        (
            "## The TLC's trip file",
            (
                f"From {tlc.FIRST_MONTH} on. Names are matched without regard to case; "
                "a column that is not listed stays in the raw file and is reported."
            ),
            _markdown(("column", "holds", "required", "meaning"), rows),
            "\n".join(codes),
        )
    )


def _markdown(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _one_line(predicate: str) -> str:
    return " ".join(predicate.split())


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render())
