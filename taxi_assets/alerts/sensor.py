"""The sensor that tells people when anything is off, and when it is right again.

Belongs here: one tick: news in, messages out, what is kept in between. Does not: what is news (``event_log``,
``overdue``), when it is told (``problems``), in which words (``wording``), by which way (``alerts.notify``).

State is kept in the instance's key-value store, where the daemon keeps its own: written after every message, so that a
crash repeats one message at most. The sensor's cursor could not hold it, because Dagster stores the cursor again with
every tick; it is the event up to which everything was delivered, and where reading starts if the state is lost.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from functools import cache

import dagster as dg

from glue_jobs.contracts import MONTHLY_TABLES
from glue_jobs.contracts.raw import TRIPS_DATASET, ZONES_DATASET
from glue_jobs.errors import PipelineError
from taxi_assets.alerts.event_log import read_news
from taxi_assets.alerts.notify import Message, NotDelivered, Notifier
from taxi_assets.alerts.overdue import OVERDUE, UNREACHABLE, out_of_reach, overdue
from taxi_assets.alerts.problems import Kind, Problem, Problems
from taxi_assets.alerts.slack import SlackNotifier
from taxi_assets.alerts.wording import Live, Look, message_of
from taxi_assets.asset_keys import RAW_TRIPS, RAW_ZONES, asset_key
from taxi_assets.lake.resource import LakeResource

STATE_KEY = "taxi_assets/alerts"
EVENTS_A_TICK = 2_000
"""Of each type. They take a second or two of the minute that a tick has; the rest waits for the next one."""
LOOK_EVERY = timedelta(hours=1)
"""At the lake for months that are overdue: on AWS each look is some twenty requests."""

_LAKE_IS_AWAY = (PipelineError, OSError)
_TABLES = {asset_key(table).to_user_string(): table for table in MONTHLY_TABLES.values()}
_DATASETS = {RAW_TRIPS.to_user_string(): TRIPS_DATASET, RAW_ZONES.to_user_string(): ZONES_DATASET}


def _source_answers(_: dg.SensorEvaluationContext) -> datetime | None:
    return None


def _now() -> datetime:
    return datetime.now(timezone.utc)


def alerts_sensor(
    ui_url: str,
    unreachable_since: Callable[[dg.SensorEvaluationContext], datetime | None] = _source_answers,
    clock: Callable[[], datetime] = _now,
    is_watched: bool = True,
) -> dg.SensorDefinition:
    """The sensor. ``ui_url``: Dagster's pages. ``unreachable_since``: since when the source does not answer, in UTC.

    Where the source is not watched (``is_watched``) no month is overdue: nobody said that any is to come.
    """

    @dg.sensor(
        name="alerts",
        description="Tells people about failed runs and checks, unusual months, stale data, and of their end.",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def alerts(
        context: dg.SensorEvaluationContext,
        lake: LakeResource,
        notifier: dg.ResourceParam[Notifier],
        slack: dg.ResourceParam[SlackNotifier],
    ) -> dg.SkipReason:
        now = clock()
        problems = _restored(context)
        news, problems.read_to = read_news(context.instance, problems.read_to, EVENTS_A_TICK, now)
        problems.take_in(news)
        silent = out_of_reach(unreachable_since(context), now)
        problems.take_in_condition(Kind.SOURCE_UNREACHABLE, UNREACHABLE, now, silent)
        if is_watched:
            _look_for_overdue_months(context, lake, problems, now)
        problems.forget_settled(now)
        _save(context, problems)
        delivered, failures = 0, list[NotDelivered]()
        look = _reader_of_live_versions(context, lake)
        for kind, due in problems.due(now).items():
            message = message_of(kind, due, now, look, lambda run: f"{ui_url}/runs/{run}")
            try:
                notifier.send(message)
            except NotDelivered as error:  # the others are tried: perhaps it is the message
                failures.append(NotDelivered(f"{message.headline}: {error.problem}", error.remedy))
                continue
            delivered += 1
            problems.told(kind, due, now)
            _save(context, problems)
            _copy_to_slack(context, slack, message)
        if failures:
            # A tick that failed is what the UI shows in red; what was not delivered is in the state.
            raise NotDelivered("; ".join(one.problem for one in failures), failures[0].remedy)
        context.update_cursor(str(problems.delivered_to))
        return dg.SkipReason(f"{delivered} messages, {len(problems.open)} problems open, read to {problems.read_to}")

    return alerts


def _restored(context: dg.SensorEvaluationContext) -> Problems:
    """The state of the last tick. Without one, the log is read from the cursor on; the first time, all of it."""
    kept = context.instance.daemon_cursor_storage.get_cursor_values({STATE_KEY}).get(STATE_KEY)
    try:
        if kept:
            return Problems.from_json(json.loads(kept)["problems"])
    except (ValueError, KeyError, TypeError) as error:
        context.log.warning(f"the state of alerts is not readable and starts afresh from the cursor: {error}")
    return Problems(read_to=int(context.cursor or -1))


def _save(context: dg.SensorEvaluationContext, problems: Problems) -> None:
    store, state = context.instance.daemon_cursor_storage, json.dumps({"problems": problems.as_json()})
    if store.get_cursor_values({STATE_KEY}).get(STATE_KEY) != state:
        store.set_cursor_values({STATE_KEY: state})


def _look_for_overdue_months(
    context: dg.SensorEvaluationContext, lake: LakeResource, problems: Problems, now: datetime
) -> None:
    if problems.looked_at is not None and now - problems.looked_at < LOOK_EVERY:
        return
    try:
        problems.take_in_condition(Kind.STALE_DATA, OVERDUE, now, overdue(lake.open(), now))
        problems.looked_at = now
    except _LAKE_IS_AWAY as error:  # said by whatever else needs the lake; this is looked at again
        context.log.warning(f"whether months are overdue is not known: {error}")


def _copy_to_slack(context: dg.SensorEvaluationContext, slack: SlackNotifier, message: Message) -> None:
    if slack.is_wanted:
        try:
            slack.send(message)
        except NotDelivered as error:  # what the notifier took is delivered, Slack or not
            context.log.warning(f"Slack has no copy of {message.headline}: {error}")


def _reader_of_live_versions(context: dg.SensorEvaluationContext, resource: LakeResource) -> Look:
    """Looks up what is live of a problem's month. Each table is read once, and only if there is something to tell."""
    opened = cache(resource.open)

    @cache
    def months(asset: str) -> Mapping[str, Live] | None:
        try:
            if asset in _DATASETS:
                files = opened().ledger.all_current(_DATASETS[asset])
                return {file.month: Live(file.path, file.run_id) for file in files}
            live = opened().publisher.months(_TABLES[asset])
            return {month: Live(entry.version, entry.lineage.get("run_id", "")) for month, entry in live.items()}
        except _LAKE_IS_AWAY as error:  # the message is worth more than this part of it
            context.log.warning(f"what readers see of {asset} is not known: {error}")
            return None

    def look(problem: Problem) -> Live | None:
        if not problem.month or problem.asset not in {*_TABLES, *_DATASETS}:
            return None
        known = months(problem.asset)
        return None if known is None else known.get(problem.month, Live())

    return look
