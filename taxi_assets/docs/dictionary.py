"""The data dictionary, written from the contracts: ``python -m taxi_assets.docs.dictionary FILE``.

Belongs here: contracts as a document for people. Does not: any fact of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from glue_jobs.contracts import TABLES, TRIPS, Table, tlc
from glue_jobs.contracts.categories import CATEGORIES, READINGS
from glue_jobs.contracts.eras import ERAS
from glue_jobs.contracts.model import Column
from glue_jobs.contracts.rules import HELPERS, PAIRING, RULES_VERSION, Tier, rules_of
from taxi_assets.warehouse.query_log import QUERY_LOG
from taxi_assets.warehouse.view import SCHEMA, views

_LINEAGE = {
    "staging": (
        "`from` names columns of the TLC's trip file in lower case; `zones` is the zone lookup, `any other` each "
        'column of the file that is not listed under "The TLC\'s trip file".'
    ),
    "curated": f"`from` names columns of `{TRIPS.full_name}`.",
}
_WRITTEN_FROM = """\
Written by `make docs` from the contracts in `glue_jobs/contracts` and the heads of the files in
`taxi_assets/warehouse/views`; edit those, not this file."""
_EVERY_COLUMN = tuple(column.name for column in tlc.TRIP_COLUMNS)


def render() -> str:
    """The dictionary as Markdown."""
    parts = [
        "# Data dictionary",
        _WRITTEN_FROM,
        "Timestamps are New York wall-clock time without a zone. Money is exact: DECIMAL, never a double.",
        _readings(),
        *(section(table) for table in (*TABLES.values(), QUERY_LOG)),
        *(section(view.table) for view in views().values()),
        _rules(),
        trip_file(),
        _history(),
    ]
    return "\n\n".join(parts) + "\n"


def section(table: Table) -> str:
    """The part on one table."""
    grain = ", ".join(f"`{name}`" for name in table.grain) or "one row of the source"
    partitions = ", ".join(f"`{name}`" for name in table.partition_by)
    kept = f" Partitioned by {partitions}." if partitions else ""
    what = "A view" if table.layer == SCHEMA else f"Contract version {table.version}"
    rows = (
        (
            str(column.field_id),
            f"`{column.name}`",
            column.type.value,
            column.unit,
            "" if column.nullable else "no",
            column.description,
            _sources(column),
        )
        for column in table.columns
    )
    lineage = _LINEAGE.get(table.layer)
    return "\n\n".join(
        (
            f"## {table.full_name}",
            table.description,
            f"A row is identified by: {grain}.{kept} {what}.",
            *([lineage] if lineage else []),
            _markdown(("id", "column", "type", "unit", "null", "meaning", "from"), rows),
        )
    )


def _readings() -> str:
    """What holds for all tables, and the categories with their bounds."""
    values = (
        (f"`{one.column}`", one.value, one.meaning, f"`{one.of}` {'null' if one.example is None else one.example}")
        for one in CATEGORIES
    )
    return "\n\n".join(
        (
            "## How to read it",
            "\n".join(f"- **{name}**: {text}" for name, text in READINGS.items()),
            "### Categories",
            _markdown(("column", "value", "meaning", "a trip that has it"), values),
        )
    )


def _sources(column: Column) -> str:
    if column.sources == _EVERY_COLUMN:
        return "every column"
    return ", ".join(f"`{source}`" for source in column.sources)


def _rules() -> str:
    parts = [
        f"## Rules (version {RULES_VERSION})",
        (
            "Severity: `error` is an unusable row, `warning` a trip with a value not to be relied on, `info` a trip "
            "that lacks a detail."
        ),
        f"How refunds pair: {_one_line(PAIRING)}",
        "What predicates speak of beside columns; cents are rounded half away from zero:",
        _markdown(("helper", "is"), ((f"`{name}`", meaning) for name, meaning in HELPERS.items())),
    ]
    for tier, effect in (
        (Tier.QUARANTINE, "A row that one of these applies to goes to `staging.quarantine`, with all its reasons."),
        (Tier.FLAG, "A row that one of these applies to stays in `staging.trips` and is named in `quality_flags`."),
        (
            Tier.LINK,
            (
                "A row that one of these applies to stays in `staging.trips` and is named in `quality_flags`, after "
                "the flags. Whether one applies depends on the whole month; its predicate reads `staging.trips`."
            ),
        ),
    ):
        rows = (
            (
                f"`{rule.rule_id}`",
                rule.severity.value,
                rule.reason,
                f"`{_one_line(rule.predicate)}`",
                str(rule.since_version),
            )
            for rule in rules_of(tier)
        )
        parts += [f"### {tier.value}", effect, _markdown(("rule", "severity", "reason", "predicate", "since"), rows)]
    return "\n\n".join(parts)


def trip_file() -> str:
    """The part on the TLC's trip file."""
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
                "a column that is not listed is reported, and its values are kept in `extra_columns`."
            ),
            _markdown(("column", "holds", "required", "meaning"), rows),
            "\n".join(codes),
        )
    )


def _history() -> str:
    before = ({}, *(era.columns for era in ERAS))
    rows = ((era.since, "; ".join(_changes(old, era.columns))) for old, era in zip(before, ERAS, strict=False))
    return "\n\n".join(
        (
            "## How the TLC's trip files have looked",
            (
                "Each line is the file of a month and of those after it, as it differs from the line before. Types are "
                "Arrow's; `null` is a column without any value in the file."
            ),
            _markdown(("since", "changes"), rows),
        )
    )


def _changes(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """What is new, grouped by what became of it. A name that differs by case only is the same column."""
    spelled = {name.lower(): name for name in old}
    grouped: dict[str, list[str]] = {}
    renamed, gone = [], set(spelled) - {name.lower() for name in new}
    for name, kind in new.items():
        former = spelled.get(name.lower())
        if former is None:
            grouped.setdefault(f"new, {kind}" if old else kind, []).append(name)
        elif old[former] != kind:
            grouped.setdefault(f"{old[former]} → {kind}", []).append(name)
        if former not in (None, name):
            renamed.append(f"`{former}` is spelled `{name}`")
    changed = [f"{', '.join(f'`{name}`' for name in names)}: {what}" for what, names in grouped.items()]
    return [*changed, *renamed, *(f"`{spelled[name]}`: gone" for name in sorted(gone))]


def _markdown(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _one_line(predicate: str) -> str:
    return " ".join(predicate.split())


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render(), encoding="utf-8")
