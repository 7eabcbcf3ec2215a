"""Whether each source row, and each cent, is in trips or in quarantine.

Belongs here: questions that compare what was staged with the source file or with the job's report. Does not: whether
what the job added to a row is right (``recomputing``).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from glue_jobs.contracts import TRIPS, tlc
from glue_jobs.contracts.model import Kind, SourceColumn, Type
from glue_jobs.contracts.staging import CARRIES
from taxi_assets.checks.check import Outcome, expect
from taxi_assets.checks.session import Session
from taxi_assets.checks.staging.subject import SAMPLE, StagedMonth
from taxi_assets.lake.reading import quoted


def every_row_is_accounted_for(staged: StagedMonth) -> Outcome:
    """Rows of the source = rows of trips + rows of the quarantine, and the job reports just these numbers."""
    source = staged.session.first_row("SELECT count(*) AS n FROM source")["n"]
    published, quarantined = staged.session.footer_rows("trips"), staged.session.footer_rows("quarantine")
    reported = (staged.facts["source_rows"], staged.facts["published_rows"], staged.facts["quarantined_rows"])
    return Outcome(
        source == published + quarantined and reported == (source, published, quarantined),
        f"{source} source rows",
        f"{published} published + {quarantined} quarantined (reported: {reported})",
        staged.session.look_at("quarantine", "SELECT quarantine_reasons, count(*)", more="GROUP BY ALL"),
        details={"quarantine_reasons": staged.facts["quarantine_reasons"]},
    )


def rows_are_those_of_the_source(staged: StagedMonth) -> Outcome:
    """By sums of hashes, which do not depend on the order of the rows: of whole rows, and of each column.

    Columns are asked for only if whole rows differ, to say in which: rows that are equal as a whole are so in each.
    """
    values = {view: _values(staged, view) for view in ("source", "trips", "quarantine")}
    whole = {view: {_WHOLE: _hash(values[view])} for view in values}
    source, trips, quarantine = (_fingerprint(staged.session, view, whole[view]) for view in whole)
    if source[_WHOLE] != trips[_WHOLE] + quarantine[_WHOLE]:
        columns = {view: {name: f"hash({value})" for name, value in values[view].items()} for view in values}
        source, trips, quarantine = (
            _fingerprint(staged.session, view, {**whole[view], **columns[view]}) for view in values
        )
    different = [name for name in source if source[name] != trips[name] + quarantine[name]]
    kept = " UNION ALL ".join(
        f"SELECT {_hash(values[view])} FROM {staged.session.for_a_person(view)}"
        for view in ("trips", "quarantine")
        if staged.session.files(view)
    )
    return Outcome(
        not different,
        "the hashes of the source's rows add up to those of trips and quarantine, whole and column by column",
        f"different in {', '.join(different)}" if different else f"equal: {source[_WHOLE]}",
        f"SELECT * FROM {quoted(staged.source)} WHERE {_hash(values['source'])} NOT IN ({kept or 'SELECT 0'}) {SAMPLE}",
        details={"different": different},
    )


_WHOLE = "whole row"


def _values(staged: StagedMonth, where: str) -> dict[str, str]:
    """Source column to SQL for its value, in a form that source, trips and quarantine share.

    Columns that the contract does not know are among them: texts of ``extra_columns`` in the latter two.
    """
    names = {column.name: CARRIES.get(column.name, column.name) for column in tlc.TRIP_COLUMNS}
    if where == "source":
        names = {column: _name(name) for column, (name, _) in staged.layout.read.items()}
    elif where == "quarantine":
        names = {name: name for name in names}
    values = {column.name: _canonical(column, names.get(column.name)) for column in tlc.TRIP_COLUMNS}
    for name, kind in _types_of_unknown(staged).items():
        text = f"json_extract_string(extra_columns, {quoted(_path(name))})"
        kept = f"from_base64({text})" if kind == "BLOB" else f"TRY_CAST({text} AS {kind})"
        values[name] = _name(name) if where == "source" else kept
    return values


def _types_of_unknown(staged: StagedMonth) -> dict[str, str]:
    """The DuckDB types of the columns that the contract does not know."""
    described = staged.session.all_rows("DESCRIBE SELECT * FROM source")
    return {row["column_name"]: row["column_type"] for row in described if row["column_name"] in staged.layout.unknown}


def _hash(values: Mapping[str, str]) -> str:
    return f"hash({', '.join(values.values())})"


def _fingerprint(session: Session, view: str, hashes: Mapping[str, str]) -> dict[str, int]:
    """The sum of each of the hashes."""
    sums = [f"coalesce(sum({one})::HUGEINT, 0)::VARCHAR AS {_name(name)}" for name, one in hashes.items()]
    return {name: int(total) for name, total in session.first_row(f"SELECT {', '.join(sums)} FROM {view}").items()}


def _canonical(column: SourceColumn, name: str | None) -> str:
    """A value in a form that source, trips and quarantine share: cents, microseconds, text, DOUBLE.

    DuckDB hashes -0.0 as it does 0.0.
    """
    if name is None:
        return f"NULL::{'VARCHAR' if column.kind is Kind.TEXT else 'DOUBLE'}"
    if column.kind is Kind.TIMESTAMP:
        return f"epoch_us({name}::TIMESTAMP)::DOUBLE"
    if column.kind is Kind.TEXT:
        return f"{name}::VARCHAR"
    return f"{_cents(name)}::DOUBLE" if column.kind is Kind.MONEY else f"{name}::DOUBLE"


def _cents(name: str) -> str:
    """An amount in cents, half away from zero; null for NaN and beyond 10^15 (both lie in quarantine)."""
    dollars = f"({name})::DOUBLE"
    # DuckDB takes a comparison for true if the statistics of the files say so, and NaN is not in these: isfinite asks.
    return (
        f"(CASE WHEN isfinite({dollars}) AND abs({dollars}) < 1e15 "
        f"THEN sign({dollars}) * floor(abs({dollars}) * 100 + 0.5) END)"
    )


def money_adds_up(staged: StagedMonth) -> Outcome:
    """The cents of each money column of the source are those of trips and quarantine."""
    in_source = {c: staged.layout.read[c][0] for c in tlc.MONEY_COLUMNS if c in staged.layout.read}
    source = _sums(staged.session, "source", in_source)
    trips = _sums(staged.session, "trips", {c: c for c in source})
    quarantine = _sums(staged.session, "quarantine", {c: c for c in source})
    unbalanced = {
        c: f"{source[c]} is not {trips[c]} + {quarantine[c]}" for c in source if source[c] != trips[c] + quarantine[c]
    }
    table = [{"column": c, "source": source[c], "published": trips[c], "quarantined": quarantine[c]} for c in source]
    return Outcome(
        not unbalanced,
        "source = published + quarantined, in cents, for each money column",
        str(unbalanced) if unbalanced else f"equal in {len(source)} columns",
        staged.session.look_at("trips", f"SELECT {', '.join(f'sum({c}) AS {c}' for c in source)}"),
        details={"cents": table},
    )


def _sums(session: Session, view: str, columns: Mapping[str, str]) -> dict[str, int]:
    """Sum in cents of each column, exact: contracted amounts are whole cents, others are rounded to the cent first."""
    types = {row["column_name"]: row["column_type"] for row in session.all_rows(f"DESCRIBE SELECT * FROM {view}")}
    cents = {
        name: c if types.get(c) == "DECIMAL(10,2)" else f"{_cents(_name(c))}::BIGINT" for name, c in columns.items()
    }
    sums = session.first_row(
        f"SELECT {', '.join(f'sum({value}) AS {name}' for name, value in cents.items())} FROM {view}"
    )
    return {name: int(100 * total if isinstance(total, Decimal) else total or 0) for name, total in sums.items()}


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _path(column: str) -> str:
    return '$."' + column.replace('"', '\\"') + '"'


def report_matches_files(staged: StagedMonth) -> Outcome:
    """The sums of money that the job reports are those of the trips that it wrote."""
    money = TRIPS.of_type(Type.MONEY)
    sums = staged.session.first_row(f"SELECT {', '.join(f'coalesce(sum({c}), 0) AS {c}' for c in money)} FROM trips")
    return expect(
        {c: f"{v:.2f}" for c, v in sums.items()},
        staged.facts["money"],
        staged.session.look_at("trips", f"SELECT {', '.join(f'sum({c}) AS {c}' for c in money)}"),
    )
