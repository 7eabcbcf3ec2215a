"""The sensor that hears of files dropped into the lake's inbox, ``<lake>/raw/inbox/``, and has them landed.

Belongs here: the queue, the folder, asking for runs. Does not: reading events and deciding (``drops``). Nothing here
touches a dropped file: it stays until whoever dropped it takes it away.

A message is deleted when it is read again and its run is there, never in the tick that asks for the run: what is asked
for is not yet made, and a second request of the same drop makes no second run.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import groupby
from pathlib import Path

import dagster as dg
from dagster import DagsterRunStatus

from glue_jobs.contracts.raw import TRIPS_DATASET
from glue_jobs.sources.inbox import INBOX
from taxi_assets.asset_keys import RAW_TRIPS, RAW_ZONES, REFERENCE_KEYS
from taxi_assets.aws.sqs import Queue
from taxi_assets.calendar import ended_months
from taxi_assets.jobs.code import running_version
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.resource import LakeResource
from taxi_assets.sensors.dropped_files.drops import (
    Drop,
    DropDecision,
    decide_drop,
    drop_of,
    drops_in_folder,
    drops_in_message,
)
from taxi_assets.sensors.earlier_runs import ATTEMPT_TAG, CODE_TAG, earlier_runs, runs_with
from taxi_assets.settings import Profile, Settings

DROPS = "take_dropped_files"
SECONDS_BETWEEN_TICKS = 60
_FAILED_SINCE = timedelta(days=14)
"""Drops whose run failed for a cause that may pass are tried again for so long."""
_ORIGIN_TAG, _ORIGIN = "taxi/origin", "inbox"


@dataclass(frozen=True)
class _Told:
    """Where drops were heard of: a message of the queue, or the folder itself (no ``receipt``)."""

    drops: Sequence[Drop]
    receipt: str = ""


def _now() -> datetime:
    return datetime.now(timezone.utc)


def dropped_files(settings: Settings, clock: Callable[[], datetime] = _now) -> dg.SensorDefinition:
    """The sensor for ``settings``: on a laptop it lists the inbox, on AWS it reads ``TAXI_DROP_QUEUE_URL``."""
    by_queue = settings.profile is Profile.AWS
    running = not by_queue or settings.drop_queue_url != ""

    @dg.sensor(
        name=DROPS,
        asset_selection=[*REFERENCE_KEYS, RAW_TRIPS, RAW_ZONES],
        minimum_interval_seconds=SECONDS_BETWEEN_TICKS,
        default_status=dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED,
        description="Lands trip files that somebody dropped into the lake's raw/inbox/.",
    )
    def take_dropped_files(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SensorResult:
        """One look: which drops there are, which of them are to be run, which messages are done with."""
        if not running:
            why = "TAXI_DROP_QUEUE_URL is not set: name the SQS queue that hears of the bucket's raw/inbox/"
            return dg.SensorResult(skip_reason=dg.SkipReason(why))
        now, code = clock(), running_version()
        opened = lake.open()
        months = ended_months(now, settings.first_month)
        queue = Queue(settings.drop_queue_url, settings.region) if by_queue else None
        told, remarks = _listen(queue, opened, months, now)
        said = [drop for one in told for drop in one.drops]
        failed = _failed_drops(context.instance, now)
        drops = sorted({drop.key: drop for drop in (*failed, *said)}.values(), key=lambda drop: (drop.month, drop.at))
        decisions = dict(_decide(context.instance, opened, drops, code, now))
        for remark in remarks:
            context.log.info(remark)
        for drop in drops:
            context.log.info(f"{drop.uri}: {decisions[drop.key].again.why}")
        if queue is not None:
            for one in told:
                if all(decisions[drop.key].settled for drop in one.drops):
                    queue.delete(one.receipt)
        requests = [
            _request(drop, decisions[drop.key].again.attempt, code)
            for drop in drops
            if decisions[drop.key].again.request
        ]
        reasons = [*remarks, *(f"{drop.uri}: {decisions[drop.key].again.why}" for drop in drops)]
        skipped = None if requests else dg.SkipReason("; ".join(reasons) or "nothing was dropped")
        return dg.SensorResult(run_requests=requests, skip_reason=skipped)

    return take_dropped_files


def inbox_of(lake: Lake) -> str:
    """The folder into which files are dropped."""
    return f"{lake.paths.raw}/inbox"


def _listen(queue: Queue | None, lake: Lake, months: Sequence[str], now: datetime) -> tuple[list[_Told], list[str]]:
    """Where drops were heard of, and what is said of anything else."""
    if queue is None:
        drops, others = drops_in_folder(Path(inbox_of(lake)), months, now)
        return [_Told(drops)], [f"not taken: {other}" for other in others]
    told, remarks = [], []
    for body, receipt in queue.messages():
        drops, others = drops_in_message(body, inbox_of(lake), months, now)
        told.append(_Told(drops, receipt))
        remarks += [f"not taken: {other}" for other in others]
    return told, remarks


def _failed_drops(instance: dg.DagsterInstance, now: datetime) -> list[Drop]:
    """Drops with a failed run: the message that named them is gone."""
    wanted = dg.RunsFilter(
        tags={_ORIGIN_TAG: _ORIGIN}, statuses=[DagsterRunStatus.FAILURE], created_after=now - _FAILED_SINCE
    )
    return [drop for run in runs_with(instance, wanted) if (drop := drop_of(run))]


def _decide(
    instance: dg.DagsterInstance, lake: Lake, drops: Sequence[Drop], code: str, now: datetime
) -> Iterator[tuple[str, DropDecision]]:
    landed = lake.ledger.history(TRIPS_DATASET, {drop.month for drop in drops})
    for month, of_month in groupby(drops, key=lambda drop: drop.month):
        runs, group = earlier_runs(instance, month), list(of_month)
        for drop in group:
            yield drop.key, decide_drop(drop, group, runs, landed[month], code, now)


def _request(drop: Drop, attempt: int, code: str) -> dg.RunRequest:
    config = {"ops": {"ingest_raw": {"config": {"source": f"{INBOX}{drop.folder}"}}}}
    return dg.RunRequest(
        run_key=f"{drop.month}|{drop.key}|{attempt}",
        partition_key=drop.month,
        run_config=config,
        tags={**drop.tags, ATTEMPT_TAG: str(attempt), CODE_TAG: code, _ORIGIN_TAG: _ORIGIN},
    )
