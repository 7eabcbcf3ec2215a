"""Health of the lake: its months, its files, what SQL reads of it, and how new it is."""

from __future__ import annotations

import duckdb

from glue_jobs.contracts import CURATED_TABLES
from glue_jobs.errors import PipelineError
from taxi_assets.lake.catalog_check import check_catalog
from taxi_assets.lake.status import freshness, lake_status
from taxi_assets.operations.health.finding import Finding, Level, more, short
from taxi_assets.operations.health.runs import months_on_their_way
from taxi_assets.operations.health.subject import Subject


def lake_answers(subject: Subject) -> list[Finding]:
    """The lake is there and has a month that every table has."""
    fresh = freshness(subject.lake, subject.now)
    if fresh is None:
        return [
            Finding(Level.WARN, f"{subject.settings.lake} has no whole month yet", "taxi-assets run --month YYYY-MM")
        ]
    return [Finding(Level.OK, f"{subject.settings.lake} answers; newest whole month {fresh.newest}")]


def months_fit_together(subject: Subject) -> list[Finding]:
    """Each month's tables come from its staging, which comes from its source file."""
    months = lake_status(subject.lake)
    wrong = [(month.month, remark.partition(":")[0]) for month in months for remark in month.remarks]
    on_purpose = [
        Finding(
            Level.WARN,
            f"{month.month}: {said.partition(';')[0]}",
            f"if it is not wanted any more: taxi-assets run --month {month.month}",
        )
        for month in months
        for said in month.put_back
    ]
    if not wrong:
        return on_purpose or [Finding(Level.OK, f"each of {len(months)} is of one source file and one staging")]
    try:
        instance = subject.instance
        with subject.asking_dagster():
            active = months_on_their_way(instance, subject.now)
    except PipelineError:  # said by the checks that are about Dagster
        active = set()
    return on_purpose + [
        Finding(Level.WARN, f"{month}: {remark}; a run is on its way", "wait for it")
        if month in active
        else Finding(Level.FAIL, f"{month}: {remark}", f"taxi-assets run --month {month}")
        for month, remark in wrong
    ]


def contracts_catalog_and_files_agree(subject: Subject) -> list[Finding]:
    """What contracts, catalog and the footers of all live files say is the same."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for fault in check_catalog(subject.lake):
        grouped.setdefault((fault.table, fault.repair), []).append(fault.problem)
    return [
        Finding(Level.FAIL, f"{table}: {problems[0]}{more(len(problems) - 1)}", repair)
        for (table, repair), problems in grouped.items()
    ] or [Finding(Level.OK, "contracts, catalog and files say the same")]


def warehouse_answers(subject: Subject) -> list[Finding]:
    """SQL over each curated table gives as many rows as were published."""
    lake, findings = subject.lake, []
    for table in CURATED_TABLES.values():
        published = sum(publication.rows for publication in lake.publisher.months(table).values())
        sql = f"SELECT count(*) FROM {table.full_name}"
        try:
            with lake.connect(sql) as connection:
                [(rows,)] = connection.execute(sql).fetchall()
            wrong = "" if rows == published else f"{rows} rows, published are {published}"
        except duckdb.Error as error:
            wrong = short(str(error))
        if wrong:
            repair = "see the line catalog and files; taxi-assets catalog check names all files"
            findings.append(Finding(Level.FAIL, f"{table.full_name}: {wrong}", repair))
    return findings or [Finding(Level.OK, f"SQL reads all {len(CURATED_TABLES)} curated tables")]


def data_is_fresh(subject: Subject) -> list[Finding]:
    """No month is missing that the TLC should have published."""
    fresh = freshness(subject.lake, subject.now)
    if fresh is None:
        return [Finding(Level.WARN, "no whole month is published", "taxi-assets run --month YYYY-MM")]
    age = f"newest whole month {fresh.newest}, ended {fresh.age.days} days ago"
    if not fresh.missing:
        return [Finding(Level.OK, f"{age}; none after it is due")]
    first, last = fresh.missing[0], fresh.missing[-1]
    due = first if first == last else f"{first} to {last}"
    return [
        Finding(
            Level.FAIL if subject.is_watched else Level.WARN,
            f"{age}; due since: {due}",
            f"see what the sensor watch_source says; taxi-assets backfill --from {first} --to {last}",
        )
    ]
