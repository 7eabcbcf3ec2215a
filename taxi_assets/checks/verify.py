"""Asking the checks again, of what readers see.

Belongs here: the subjects of the checks, made from published versions. Does not: the checks, or when they are asked
(``schedules.verify_published``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import dagster as dg

from glue_jobs.contracts import CURATED_TABLES, QUARANTINE, TRIPS
from glue_jobs.contracts.raw import TRIPS_DATASET, ZONES_DATASET
from glue_jobs.contracts.rules import RULES_VERSION
from glue_jobs.errors import Cause, PipelineError
from taxi_assets.asset_keys import QUARANTINE_KEY, STAGING_TRIPS, asset_key
from taxi_assets.checks import curated
from taxi_assets.checks.check import Answer, ask_all
from taxi_assets.checks.curated import CuratedMonth
from taxi_assets.checks.staging import registry as staging
from taxi_assets.checks.staging.subject import StagedMonth
from taxi_assets.lake.append_tables import LandedFile
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.publishing import Publication


class NotVerifiable(PipelineError):
    """The month has no published version that the checks can be asked of."""

    cause = Cause.ORDER


@dataclass(frozen=True)
class Verified:
    """What the checks found in the published versions of a month: version of staging, answers."""

    month: str
    version: str
    answers: list[Answer]

    @property
    def failed(self) -> list[Answer]:
        """Blocking checks that do not pass any more."""
        return [answer for answer in self.answers if answer.holds_back]


def verify(lake: Lake, month: str) -> Verified:
    """Ask every check of the month's published trips, quarantine and tables again.

    A table is compared with the staging that it was computed from only if that is the one that readers see, and only
    under today's contract; what does not fit together is ``status``'s to say. NotVerifiable if the month is not
    published, was published under earlier rules or an earlier contract, its trips and quarantine are of different
    versions, or its source file is not in force any more.
    """
    trips, quarantine = lake.publisher.live(TRIPS, month), lake.publisher.live(QUARANTINE, month)
    source, zones = lake.ledger.current(month, TRIPS_DATASET), lake.ledger.current(month, ZONES_DATASET)
    why_not = _why_not(trips, quarantine, source, zones)
    if why_not or trips is None or quarantine is None or source is None or zones is None:
        raise NotVerifiable(f"{month} {why_not}", f"run {month} again: taxi-assets run --month {month}")
    staged = StagedMonth(
        month=month,
        source=source.path,
        zones=zones.path,
        trips=trips.path,
        quarantine=quarantine.path,
        facts={
            "source_rows": source.rows,
            "published_rows": trips.rows,
            "quarantined_rows": quarantine.rows,
            "quarantine_reasons": {},
        },
    )
    checks = [check for check in staging.CHECKS if not check.of_the_run]
    answers = ask_all(checks, staged, (STAGING_TRIPS, QUARANTINE_KEY))
    live = {table.name: lake.publisher.live(table, month) for table in CURATED_TABLES.values()}
    built = CuratedMonth(month, trips.path, dict(_comparable(live.items(), trips)))
    answers += ask_all(curated.CHECKS, built, [asset_key(CURATED_TABLES[name]) for name in built.tables])
    return Verified(month, trips.version, answers)


def published_months(lake: Lake) -> dict[str, str]:
    """Each published month, and why its checks cannot be asked again; empty if they can."""
    trips, quarantine = lake.publisher.months(TRIPS), lake.publisher.months(QUARANTINE)
    sources, zones = (
        {file.month: file for file in lake.ledger.all_current(dataset)} for dataset in (TRIPS_DATASET, ZONES_DATASET)
    )
    return {
        month: _why_not(live, quarantine.get(month), sources.get(month), zones.get(month))
        for month, live in trips.items()
    }


def _why_not(
    trips: Publication | None, quarantine: Publication | None, source: LandedFile | None, zones: LandedFile | None
) -> str:
    if trips is None or quarantine is None:
        return "is not published"
    if trips.version != quarantine.version:  # a run or a rollback was killed between the two commits
        return "has trips and quarantine of different versions"
    if source is None or zones is None:
        return "has no file that is in force"
    if trips.lineage.get("rules_version") != str(RULES_VERSION):
        return "was published under rules that are not today's"
    if not (trips.is_under(TRIPS) and quarantine.is_under(QUARANTINE)):
        return "was published under a contract that is not today's"
    if trips.lineage.get("source_sha256") != source.sha256 or trips.lineage.get("zones_sha256") != zones.sha256:
        return "was staged from files that are not in force any more"
    return ""


def _comparable(live: Iterable[tuple[str, Publication | None]], trips: Publication) -> Iterable[tuple[str, str]]:
    """Name and path of the tables that were computed from this staging, under today's contract."""
    for name, entry in live:
        of_this_staging = entry is not None and entry.lineage.get("staging_version") == trips.version
        if entry is not None and of_this_staging and entry.is_under(CURATED_TABLES[name]):
            yield name, entry.path


def evaluations(verified: Verified) -> Iterator[dg.AssetCheckEvaluation]:
    """The answers as Dagster shows them: the newest of each check, for the month."""
    for answer in verified.answers:
        yield dg.AssetCheckEvaluation(
            asset_key=answer.asset,
            check_name=answer.name,
            passed=bool(answer.outcome.passed),
            severity=answer.severity,
            metadata=answer.metadata,
            partition=verified.month,
        )
