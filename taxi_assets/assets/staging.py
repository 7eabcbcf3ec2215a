"""The staging layer: clean trips, and the quarantine of unusable rows."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import dagster as dg
from pydantic import Field

from glue_jobs.contracts import QUARANTINE, TRIPS
from glue_jobs.contracts.raw import TRIPS_DATASET, ZONES_DATASET
from glue_jobs.contracts.rules import Tier, fingerprint
from glue_jobs.errors import Cause, PipelineError
from glue_jobs.reports import REPLAY_QUARANTINE, STAGE_TRIPS, WrittenReport
from taxi_assets.asset_keys import QUARANTINE_KEY, RAW_TRIPS, RAW_ZONES, STAGING_TRIPS, asset_key
from taxi_assets.assets.ledger import refuse
from taxi_assets.assets.previews import numbers_of_trips, percent, reasons_table
from taxi_assets.assets.publish import Published, Result, Work, run_and_publish
from taxi_assets.assets.specs import RUNS_POOL, publication_metadata, readers_see, table_spec
from taxi_assets.checks.staging.registry import CHECKS
from taxi_assets.checks.staging.subject import StagedMonth
from taxi_assets.jobs.base import JobRun, Jobs
from taxi_assets.lake.append_tables import LandedFile
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.paths import new_version
from taxi_assets.lake.publishing import Publication
from taxi_assets.lake.resource import LakeResource
from taxi_assets.metrics.recorder import Metrics
from taxi_assets.partitions import Months

_KINDS = {"pyspark", "iceberg"}


class StagingConfig(dg.Config):
    """What the launchpad offers for a run; the command line has ``replay`` and ``run --accept-smaller`` for it."""

    replay: bool = Field(
        default=False,
        description="Judge only the live quarantine again, under the rules of today, instead of the whole file.",
    )
    accept_smaller: str = Field(
        default="",
        description="Who wants the month although it is much smaller than the version that is live, and why.",
        examples=["Ada: the TLC took the trips of vendor 6 back"],
    )


def _stage_trips(
    context: dg.AssetExecutionContext,
    config: StagingConfig,
    jobs: Jobs,
    lake: LakeResource,
    metrics: dg.ResourceParam[Metrics],
) -> Iterator[Result]:
    """Clean, judge and enrich the month; publish trips and quarantine if the checks pass."""
    yield from run_and_publish(context, jobs, lake, metrics, lambda opened: _work(context, opened, config))


def stage_trips(months: Months) -> dg.AssetsDefinition:
    """The step that stages a month."""
    return dg.multi_asset(
        name="stage_trips",
        specs=[table_spec(table, months, [RAW_TRIPS, RAW_ZONES], _KINDS) for table in (TRIPS, QUARANTINE)],
        check_specs=[one.spec(months) for one in CHECKS],
        partitions_def=months,
        pool=RUNS_POOL,
    )(_stage_trips)


def _work(context: dg.AssetExecutionContext, lake: Lake, config: StagingConfig) -> Work[WrittenReport, StagedMonth]:
    month, run_id = context.partition_key, context.run_id
    trips_file, zones_file = (lake.ledger.current(month, dataset) for dataset in (TRIPS_DATASET, ZONES_DATASET))
    if trips_file is None or zones_file is None:
        raise _no_file(lake, month)
    live = {table.name: lake.publisher.live(table, month) for table in (TRIPS, QUARANTINE)}
    version = new_version(run_id)
    trips_out, quarantine_out = (lake.paths.version(table, month, version) for table in (TRIPS, QUARANTINE))
    arguments = {
        "month": month,
        "source_sha256": trips_file.sha256,
        "zones": zones_file.path,
        "trips_out": trips_out,
        "quarantine_out": quarantine_out,
    }
    if config.replay:
        arguments |= _replayable(month, live, trips_file.sha256, zones_file.sha256)
    else:
        arguments["trips"] = trips_file.path
    before = live[TRIPS.name]
    lineage = {
        "run_id": run_id,
        "source_sha256": trips_file.sha256,
        "zones_sha256": zones_file.sha256,
        "flag_rules": fingerprint(Tier.FLAG),
        **({"replay_of": before.version} if config.replay and before else {}),
        **({"accepted_smaller": config.accept_smaller} if config.accept_smaller else {}),
    }

    def subject(report: WrittenReport) -> StagedMonth:
        return StagedMonth(
            month=month,
            source=trips_file.path,
            zones=zones_file.path,
            trips=trips_out,
            quarantine=quarantine_out,
            facts=report,
            published=_published_measures(lake),
            live=before.path if before else "",
            accepted_smaller=config.accept_smaller,
        )

    def publish(job_run: JobRun[WrittenReport], _: Collection[dg.AssetKey]) -> Iterator[Published]:
        report = job_run.report
        of_all = {**lineage, "rules_version": str(report["rules_version"]), **job_run.lineage}
        # Quarantine first: if the run dies in between, trips still shows the version that it showed before.
        as_data = {"quarantine_reasons": report["quarantine_reasons"]}
        for table, rows, facts in (
            (QUARANTINE, report["quarantined_rows"], {**_quarantine_facts(report), **as_data}),
            (TRIPS, report["published_rows"], _trips_facts(report)),
        ):
            of_table = {**of_all, "contract_version": str(table.version)}
            entry = lake.publisher.publish(table, month, version, of_table, live[table.name], checked_rows=rows)
            yield Published(
                asset_key(table),
                entry.rows,
                {**facts, **publication_metadata(lake, table, entry, job_run.metadata)},
                partial(numbers_of_trips, entry.path) if table is TRIPS else partial(_quarantine_facts, report),
            )

    return Work(
        job=REPLAY_QUARANTINE if config.replay else STAGE_TRIPS,
        arguments=arguments,
        checks=CHECKS,
        version=lambda _: version,
        subject=subject,
        publish=publish,
        folders=lambda _: {STAGING_TRIPS: trips_out, QUARANTINE_KEY: quarantine_out},
        readers_see={STAGING_TRIPS: readers_see(before)},
        refused=lambda because: refuse(context, lake, _not_published([trips_file, zones_file], before), because),
        found=lambda report: _reasons_in_words(report["quarantine_reasons"]),
        look=f"the rows (taxi-assets quarantine show --month {month} --version {version}; trips: {trips_out})",
    )


def _no_file(lake: Lake, month: str) -> PipelineError:
    history = lake.ledger.history(TRIPS_DATASET, [month])[month]
    last = history[-1] if history else None
    if last is None or last.refused_because is None:
        return PipelineError(f"{month} is not landed", "materialize raw/trips for it", cause=Cause.ORDER)
    return PipelineError(
        f"the file of {month} was refused on {last.landed_at:%Y-%m-%d}: {last.refused_because}",
        f"when the source has another file, or what refused it was corrected: taxi-assets run --month {month}",
        cause=Cause.ORDER,
    )


def _not_published(files: Sequence[LandedFile], live: Publication | None) -> list[LandedFile]:
    """Those to refuse: the trip file unless readers see it staged, and a zone lookup that came with it.

    A first month has no lookup to go back to, so that its own stays.
    """
    trips, zones = files
    if live is None:
        return [trips]
    if live.lineage.get("source_sha256") == trips.sha256:
        return []
    return [trips] if live.lineage.get("zones_sha256") == zones.sha256 else [trips, zones]


def _reasons_in_words(reasons: Mapping[str, int]) -> str:
    said = ", ".join(f"{name} {rows:,}" for name, rows in sorted(reasons.items(), key=lambda one: (-one[1], one[0])))
    return f". Its quarantine: {said}" if said else ""


def _replayable(
    month: str, live: Mapping[str, Publication | None], source_sha256: str, zones_sha256: str
) -> dict[str, str]:
    """The folders to replay.

    PipelineError if they are of different versions, of other files than those in force, of an earlier contract, or if
    trips, which are not judged again, were flagged under other rules.
    """
    trips, quarantine = live[TRIPS.name], live[QUARANTINE.name]
    again = f"run {month} again instead: taxi-assets run --month {month}"
    if trips is None or quarantine is None:
        raise PipelineError(f"{month} is not staged, so there is no quarantine", again, cause=Cause.ORDER)
    faults = [
        fault
        for fault, is_so in (
            ("its trips and quarantine are of different versions", trips.version != quarantine.version),
            ("it was staged from an earlier source file", trips.lineage.get("source_sha256") != source_sha256),
            ("it was staged with an earlier zone lookup", trips.lineage.get("zones_sha256") != zones_sha256),
            ("its trips were flagged under other rules", trips.lineage.get("flag_rules") != fingerprint(Tier.FLAG)),
            (
                "it was staged under an earlier contract",
                not (trips.is_under(TRIPS) and quarantine.is_under(QUARANTINE)),
            ),
        )
        if is_so
    ]
    if faults:
        raise PipelineError(f"{month} cannot be replayed: {'; '.join(faults)}", again, cause=Cause.ORDER)
    return {"trips": trips.path, "quarantine": quarantine.path}


def _published_measures(lake: Lake) -> dict[str, dict[str, float]]:
    """Measure to month to value, of the versions that readers see."""
    versions = {month: entry.version for month, entry in lake.publisher.months(TRIPS).items()}
    return {
        measure: values
        for key in (STAGING_TRIPS, QUARANTINE_KEY)
        for measure, values in lake.checks.measures(key.to_user_string(), versions).items()
    }


def _trips_facts(report: WrittenReport) -> dict[str, Any]:
    of_the_file: Mapping[str, Any] = report
    return {
        "quarantined_percent": percent(report["quarantined_rows"], report["source_rows"]),
        "source_rows": report["source_rows"],
        "published_rows": report["published_rows"],
        "quarantined_rows": report["quarantined_rows"],
        **({"released_rows": of_the_file["released_rows"]} if "released_rows" in report else {}),
        **{
            name: ", ".join(of_the_file[name])
            for name in ("absent_columns", "unknown_columns")
            if of_the_file.get(name)
        },
        "files": report["files"],
    }


def _quarantine_facts(report: WrittenReport) -> dict[str, Any]:
    return {
        "quarantined_rows": report["quarantined_rows"],
        "quarantined_percent": percent(report["quarantined_rows"], report["source_rows"]),
        "reasons": reasons_table(report["quarantine_reasons"]),
    }
