"""The staging layer: clean trips, and the quarantine of rows that are no usable trip."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
import pandas as pd

from glue_jobs.contracts import QUARANTINE, TRIPS
from glue_jobs.contracts.raw import TRIPS_DATASET, ZONES_DATASET
from glue_jobs.contracts.rules import RULES, Tier, fingerprint
from taxi_assets.asset_keys import QUARANTINE_KEY, RAW_TRIPS, RAW_ZONES, STAGING_TRIPS, asset_key
from taxi_assets.assets.specs import (
    RUNS_POOL,
    keep,
    markdown_table,
    measure_attempt,
    measure_published,
    publication_metadata,
    readers_see,
    refusal,
    results_of,
    seconds_table,
    table_spec,
)
from taxi_assets.checks.audit import ask_all
from taxi_assets.checks.staging.audits import AUDITS
from taxi_assets.checks.staging.subject import StagedMonth
from taxi_assets.jobs.base import Jobs
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.paths import new_version
from taxi_assets.lake.publishing import Publication
from taxi_assets.lake.resource import LakeResource
from taxi_assets.metrics.recorder import Metrics
from taxi_assets.partitions import MONTHS

_KINDS = {"pyspark", "iceberg"}


class StagingConfig(dg.Config):
    """``replay``: judge only the live quarantine again, under the rules of today, instead of the whole file."""

    replay: bool = False


@dg.multi_asset(
    name="stage_trips",
    specs=[table_spec(table, [RAW_TRIPS, RAW_ZONES], _KINDS) for table in (TRIPS, QUARANTINE)],
    check_specs=[one.spec for one in AUDITS],
    partitions_def=MONTHS,
    pool=RUNS_POOL,
)
def stage_trips(
    context: dg.AssetExecutionContext,
    config: StagingConfig,
    jobs: Jobs,
    lake: LakeResource,
    metrics: dg.ResourceParam[Metrics],
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    """Clean, judge and enrich the month; publish trips and quarantine if the audits pass."""
    month = context.partition_key
    opened = lake.open()
    trips_file = opened.ledger.current(month, TRIPS_DATASET)
    zones_file = opened.ledger.current(month, ZONES_DATASET)
    if trips_file is None or zones_file is None:
        raise dg.Failure(f"{month} is not landed. What to do: materialize raw/trips for it.", allow_retries=False)
    live = {table.name: opened.publisher.live(table, month) for table in (TRIPS, QUARANTINE)}
    version = new_version(context.run_id)
    trips_out, quarantine_out = (opened.paths.version(table, month, version) for table in (TRIPS, QUARANTINE))
    arguments = {
        "month": month,
        "source_sha256": trips_file.sha256,
        "zones": zones_file.path,
        "trips_out": trips_out,
        "quarantine_out": quarantine_out,
    }
    if config.replay:
        replayed = _replayable(month, live, trips_file.sha256, zones_file.sha256)
        job_run = jobs.run(context, "replay_quarantine", {**arguments, **replayed})
    else:
        job_run = jobs.run(context, "stage_trips", {**arguments, "trips": trips_file.path})
    facts = job_run.facts
    staged = StagedMonth(
        month=month,
        source=trips_file.path,
        zones=zones_file.path,
        trips=trips_out,
        quarantine=quarantine_out,
        facts=facts,
        published=_published_measures(opened),
    )
    answers = ask_all(AUDITS, staged, (STAGING_TRIPS, QUARANTINE_KEY))
    keep(context, opened, answers, version)
    measure_attempt(context, metrics, answers, job_run)
    if any(answer.holds_back for answer in answers):
        yield from (answer.result for answer in answers)
        raise refusal(answers, month, [staged.trips, staged.quarantine], readers_see(live[TRIPS.name]))
    before = live[TRIPS.name]
    lineage = {
        "run_id": context.run_id,
        "source_sha256": trips_file.sha256,
        "zones_sha256": zones_file.sha256,
        "rules_version": str(facts["rules_version"]),
        "flag_rules": fingerprint(Tier.FLAG),
        **job_run.lineage,
        **({"replay_of": before.version} if config.replay and before else {}),
    }
    # Quarantine first: if the run dies in between, trips still shows the version that it showed before.
    publications = [
        (
            opened.publisher.publish(
                table,
                month,
                version,
                {**lineage, "contract_version": str(table.version)},
                replacing=live[table.name],
            ),
            extra,
            table,
        )
        for table, extra in ((QUARANTINE, _quarantine_metadata(facts)), (TRIPS, _trips_metadata(facts)))
    ]
    rows = {asset_key(table): publication.rows for publication, _, table in publications}
    for publication, extra, table in publications:
        yield dg.MaterializeResult(
            asset_key=asset_key(table),
            metadata={**publication_metadata(opened, table, publication, job_run.metadata), **extra},
            check_results=results_of(answers, asset_key(table)),
        )
    measure_published(context, metrics, opened, rows)


def _replayable(
    month: str, live: Mapping[str, Publication | None], source_sha256: str, zones_sha256: str
) -> dict[str, str]:
    """The folders to replay.

    Failure if they are of different versions, of other files than those in force, of an earlier contract, or if the
    trips, which are not judged again, were flagged under other rules.
    """
    trips, quarantine = live[TRIPS.name], live[QUARANTINE.name]
    again = f"run {month} again instead: taxi-assets run --month {month}"
    if trips is None or quarantine is None:
        raise dg.Failure(f"{month} is not staged, so there is no quarantine. What to do: {again}.", allow_retries=False)
    faults = [
        fault
        for fault, is_so in (
            ("its trips and quarantine are of different versions", trips.version != quarantine.version),
            ("it was staged from an earlier source file", trips.lineage.get("source_sha256") != source_sha256),
            ("it was staged with an earlier zone lookup", trips.lineage.get("zones_sha256") != zones_sha256),
            ("its trips were flagged under other rules", trips.lineage.get("flag_rules") != fingerprint(Tier.FLAG)),
            (
                "it was staged under an earlier contract",
                trips.lineage.get("contract_version") != str(TRIPS.version)
                or quarantine.lineage.get("contract_version") != str(QUARANTINE.version),
            ),
        )
        if is_so
    ]
    if faults:
        raise dg.Failure(f"{month} cannot be replayed: {'; '.join(faults)}. What to do: {again}.", allow_retries=False)
    return {"trips": trips.path, "quarantine": quarantine.path}


def _published_measures(lake: Lake) -> dict[str, dict[str, float]]:
    """Measure to month to value, of the versions that readers see."""
    versions = {month: entry.version for month, entry in lake.publisher.months(TRIPS).items()}
    return {
        measure: values
        for key in (STAGING_TRIPS, QUARANTINE_KEY)
        for measure, values in lake.checks.measures(key.to_user_string(), versions).items()
    }


def _trips_metadata(facts: dict[str, Any]) -> dict[str, Any]:
    return {
        "source_rows": facts["source_rows"],
        "published_rows": facts["published_rows"],
        "quarantined_rows": facts["quarantined_rows"],
        "files": facts["files"],
        "total_amount": facts["money"]["total_amount"],
        **{name: facts[name] for name in ("absent_columns", "unknown_columns", "released_rows") if name in facts},
        "seconds": seconds_table(facts["seconds"]),
    }


def _quarantine_metadata(facts: dict[str, Any]) -> dict[str, Any]:
    reasons = {rule.rule_id: rule.reason for rule in RULES}
    table = pd.DataFrame(
        [(name, rows, reasons[name]) for name, rows in facts["quarantine_reasons"].items()],
        columns=["reason", "rows", "meaning"],
    )
    return {"quarantine_reasons": facts["quarantine_reasons"], "reasons": dg.MetadataValue.md(markdown_table(table))}
