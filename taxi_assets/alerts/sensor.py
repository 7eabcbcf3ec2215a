"""The sensor that tells people when anything is off, and when it is right again.

Belongs here: one tick: news in, messages out, what is kept in between. Does not: what is news (``event_log``,
``overdue``), when it is told (``problems``), in which words (``wording``), by which way (``alerts.notify``).

State is kept in the instance's key-value store, where the daemon keeps its own: written after every message, so that a
crash repeats one message at most. The sensor's cursor could not hold it, because Dagster stores the cursor again with
every tick; it is the event up to which everything was delivered, and where reading starts if the state is lost.
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import dagster as dg

from glue_jobs.contracts import MONTHLY_TABLES
from glue_jobs.contracts.raw import TRIPS_DATASET, ZONES_DATASET
from glue_jobs.errors import PipelineError
from taxi_assets.alerts.event_log import read_news
from taxi_assets.alerts.notify import Message, NotDelivered, Notifier
from taxi_assets.alerts.overdue import OVERDUE, UNREACHABLE, out_of_reach, overdue
from taxi_assets.alerts.problems import Kind, Problem, Problems
from taxi_assets.alerts.slack import SlackNotifier
from taxi_assets.alerts.wording import Seen, message_of
from taxi_assets.asset_keys import RAW_TRIPS, RAW_ZONES, asset_key
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.resource import LakeResource

STATE_KEY = "taxi_assets/alerts"
EVENTS_A_TICK = 2_000
"""Of each type. They take a second or two of the minute that a tick has; the rest waits for the next one."""
LOOK_EVERY = timedelta(hours=1)
"""At the lake for months that are overdue: on AWS each look is some twenty requests."""
SLACK_KEEPS = 50
"""Messages that wait for Slack; if it is away for longer, the oldest are dropped, and the log says so."""

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
) -> dg.SensorDefinition:
    """The sensor. ``ui_url``: Dagster's pages. ``unreachable_since``: since when the source does not answer, in UTC."""

    @dg.sensor(
        name="alerts",
        description="Tells people of failed runs and checks, unusual months, stale data, and of their end.",
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
        state = _State(context)
        problems = state.problems
        news = read_news(context.instance, problems.read_to, EVENTS_A_TICK, now)
        problems.take_in(news.found)
        problems.read_to = news.read_to
        problems.take_in_condition(
            Kind.SOURCE_UNREACHABLE, UNREACHABLE, now, out_of_reach(unreachable_since(context), now)
        )
        if problems.looked_at is None or now - problems.looked_at >= LOOK_EVERY:
            try:
                problems.take_in_condition(Kind.STALE_DATA, OVERDUE, now, overdue(lake.open(), now))
                problems.looked_at = now
            except _LAKE_IS_AWAY as error:  # said by whatever else needs the lake; this is looked at again
                context.log.warning(f"whether months are overdue is not known: {error}")
        problems.forget_settled(now)
        state.save()
        delivered, failures = 0, list[NotDelivered]()
        look = _Look(context, lake)
        for notice in problems.due(now):
            message = message_of(notice, now, look, lambda run: f"{ui_url}/runs/{run}")
            try:
                notifier.send(message)
            except NotDelivered as error:  # the others are tried: perhaps it is the message
                failures.append(error)
                continue
            delivered += 1
            problems.told(notice, now)
            if slack.is_wanted:
                state.keep_for_slack(message)
            state.save()
        state.hand_to_slack(slack)
        if failures:
            # A tick that failed is what the UI shows in red; what was not delivered is in the state.
            raise NotDelivered("; ".join(one.problem for one in failures), failures[0].remedy)
        context.update_cursor(str(problems.delivered_to))
        return dg.SkipReason(f"{delivered} messages, {len(problems.open)} problems open, read to {problems.read_to}")

    return alerts


class _State:
    """What is kept between two ticks."""

    def __init__(self, context: dg.SensorEvaluationContext) -> None:
        self._context = context
        self._store = context.instance.daemon_cursor_storage
        self._kept = self._store.get_cursor_values({STATE_KEY}).get(STATE_KEY, "")
        given: dict[str, Any] = json.loads(self._kept) if self._kept else {}
        # The first time, the whole log is read: what is wrong by then is wrong still.
        self.problems = Problems.from_json(given["problems"]) if given else Problems(read_to=int(context.cursor or -1))
        self._for_slack: list[dict[str, Any]] = given.get("for_slack", [])

    def save(self) -> None:
        kept = json.dumps({"problems": self.problems.as_json(), "for_slack": self._for_slack})
        if kept != self._kept:
            self._store.set_cursor_values({STATE_KEY: kept})
            self._kept = kept

    def keep_for_slack(self, message: Message) -> None:
        self._for_slack.append({**message.as_json(), "problems": ()})
        for dropped in self._for_slack[:-SLACK_KEEPS]:
            self._context.log.error(f"Slack never took: {dropped['title']}")
        self._for_slack = self._for_slack[-SLACK_KEEPS:]

    def hand_to_slack(self, slack: SlackNotifier) -> None:
        """Give Slack what it has not taken yet, in order. What the notifier took is delivered, Slack or not."""
        while self._for_slack and slack.is_wanted:
            try:
                slack.send(Message.from_json(self._for_slack[0]))
            except NotDelivered as error:
                self._context.log.warning(f"{len(self._for_slack)} messages wait for Slack: {error}")
                return
            self._for_slack.pop(0)
            self.save()


class _Look:
    """What readers see of a problem's month. Each table is read once a tick, and only if there is something to tell."""

    def __init__(self, context: dg.SensorEvaluationContext, lake: LakeResource) -> None:
        self._context, self._resource = context, lake
        self._lake: Lake | None = None
        self._of_asset: dict[str, dict[str, tuple[str, str]] | None] = {}

    def __call__(self, problem: Problem) -> Seen | None:
        if not problem.month or problem.asset not in {*_TABLES, *_DATASETS}:
            return None
        if problem.asset not in self._of_asset:
            try:
                self._of_asset[problem.asset] = self._read(problem.asset)
            except _LAKE_IS_AWAY as error:  # the message is worth more than this part of it
                self._context.log.warning(f"what readers see of {problem.asset} is not known: {error}")
                self._of_asset[problem.asset] = None
        months = self._of_asset[problem.asset]
        if months is None:
            return None
        version, run_id = months.get(problem.month, ("", ""))
        return Seen(version, is_of_run=bool(version) and run_id == problem.run_id)

    def _read(self, asset: str) -> dict[str, tuple[str, str]]:
        """Month to what is live of it and the run that published it."""
        if self._lake is None:
            self._lake = self._resource.open()
        if asset in _DATASETS:
            return {file.month: (file.path, file.run_id) for file in self._lake.ledger.all_current(_DATASETS[asset])}
        live = self._lake.publisher.months(_TABLES[asset])
        return {month: (entry.version, entry.lineage.get("run_id", "")) for month, entry in live.items()}
