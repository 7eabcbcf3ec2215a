"""The sensor that watches the source: new months, and months that were republished, are landed by themselves.

Belongs here: which months are looked at, what is remembered between two looks, asking for runs and showing for what.
Does not: looking (``glue_jobs.sources``), deciding (``decisions``).

A tick looks without reading a file and decides from what the ledger and the earlier runs say, so that the cursor holds
only what nobody else knows. It may be lost: the next look finds out again, and nothing is run twice for it.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone

import dagster as dg

from glue_jobs.contracts.raw import TRIPS_DATASET
from glue_jobs.sources import Seen, open_source
from taxi_assets.asset_keys import RAW_TRIPS, RAW_ZONES, REFERENCE_KEYS, SOURCE_TRIPS
from taxi_assets.calendar import ended_months
from taxi_assets.jobs.code import running_version
from taxi_assets.lake.resource import LakeResource, SourceResource
from taxi_assets.sensors.earlier_runs import ATTEMPT_TAG, CODE_TAG, CONTENT_TAG, MONTH_TAG, earlier_runs
from taxi_assets.sensors.watch_source.decisions import Decision, MonthState, decide, is_in_force
from taxi_assets.settings import Settings

WATCHER = "watch_source"
MONTHS_WATCHED = 12
LOOK_SECONDS = 15.0
"""For one look. Dagster gives a tick 60 seconds, ledger and runs included."""
FRONT_MONTHS = 3
"""The newest months, looked at first each time: the TLC is two months behind, and new files appear there."""
_ANSWERS = (Seen.THERE, Seen.NOT_PUBLISHED)


@dataclass(frozen=True)
class WatchedMonth:
    """What is known of a month, and since when. ``tag`` tells its content; the ledger has that of one ``UNCHANGED``."""

    state: MonthState
    since: datetime
    tag: str = ""


@dataclass(frozen=True)
class Watched:
    """What the watcher remembers: the months that it has looked at, and when the source last gave a true answer."""

    months: Mapping[str, WatchedMonth] = field(default_factory=dict)
    reached: datetime | None = None
    go_on_with: str = ""
    """The month behind ``FRONT_MONTHS`` that is next to be looked at, if a look did not get round."""


def watched(instance: dg.DagsterInstance) -> Watched:
    """What the watcher of ``instance`` remembers; nothing if it has not run."""
    states = [state.instigator_data for state in instance.all_instigator_state() if state.name == WATCHER]
    return read_cursor(next((cursor for data in states if (cursor := getattr(data, "cursor", None))), None))


def unreachable_since(watch: Watched) -> datetime | None:
    """Since when the source has given no true answer, in UTC; None if the last look got one."""
    troubled = [
        known.since for known in watch.months.values() if known.state in (MonthState.THROTTLED, MonthState.UNREACHABLE)
    ]
    return (watch.reached or min(troubled)) if troubled else None


def read_cursor(cursor: str | None) -> Watched:
    """What ``write_cursor`` wrote; nothing if it was somebody else."""
    try:
        told = json.loads(cursor or "{}")
        return Watched(
            {
                month: WatchedMonth(MonthState(state), _moment(since), *tag)
                for month, (state, since, *tag) in told.get("months", {}).items()
            },
            _moment(told["reached"]) if told.get("reached") else None,
            told.get("go_on_with", ""),
        )
    except (ValueError, TypeError, AttributeError):
        return Watched()


def write_cursor(watch: Watched) -> str:
    """``{"months": {"2024-02": ["new", since, tag]}, "reached": when, "go_on_with": month}`` in compact JSON."""
    told = {
        "months": {
            month: [known.state.value, _minute(known.since), *filter(None, [known.tag])]
            for month, known in sorted(watch.months.items())
        },
        "reached": _minute(watch.reached) if watch.reached else None,
        "go_on_with": watch.go_on_with,
    }
    return json.dumps({name: value for name, value in told.items() if value}, separators=(",", ":"))


def _now() -> datetime:
    return datetime.now(timezone.utc)


def source_watcher(
    settings: Settings, clock: Callable[[], datetime] = _now, look_seconds: float = LOOK_SECONDS
) -> dg.SensorDefinition:
    """The sensor for ``settings``. ``clock`` tells the time in UTC."""

    @dg.sensor(
        name=WATCHER,
        asset_selection=[*REFERENCE_KEYS, RAW_TRIPS, RAW_ZONES],
        minimum_interval_seconds=settings.watch_minutes * 60,
        default_status=_status(settings.watches_by_itself),
        description="Lands months that the source has published, or republished.",
    )
    def watch_source(
        context: dg.SensorEvaluationContext, lake: LakeResource, source: SourceResource
    ) -> dg.SensorResult:
        """One look: what is there, what to do about it, what to remember."""
        now, code = clock(), running_version()
        first = max(settings.watch_from, settings.first_month)
        months = ended_months(now, first, None if settings.watch_from else MONTHS_WATCHED)
        before = read_cursor(context.cursor)
        order = in_turn(months, before)
        sightings = open_source(source.spec).look(order, look_seconds)
        there = [month for month, sighting in sightings.items() if sighting.state is Seen.THERE]
        landed = lake.open().ledger.history(TRIPS_DATASET, there)
        decisions = {}
        for month, sighting in sightings.items():
            history = landed.get(month, [])
            asks = month in landed and not is_in_force(sighting, history)
            runs = earlier_runs(context.instance, month) if asks else []
            decisions[month] = decide(sighting, history, runs, code, now)
        tags = {month: sighting.tag for month, sighting in sightings.items()}
        answered = any(sighting.state in _ANSWERS for sighting in sightings.values())
        after = Watched(
            _remembered(months, before, decisions, tags, now),
            now if answered else before.reached,
            _go_on_with(order, list(sightings)),
        )
        requests = [
            _request(month, tags[month], decision.attempt, code)
            for month, decision in decisions.items()
            if decision.request
        ]
        for month, decision in decisions.items():
            if decision.request:
                context.log.info(f"{month} is {decision.state.value}, a run is asked for: {decision.why}")
        said = in_words(months, after, decisions)
        return dg.SensorResult(
            run_requests=requests,
            asset_events=[
                dg.AssetObservation(
                    SOURCE_TRIPS, partition=month, metadata={"state": decision.state.value, "content": tags[month]}
                )
                for month, decision in decisions.items()
                if decision.request
            ],
            skip_reason=None if requests else dg.SkipReason(said),
            cursor=write_cursor(after),
        )

    return watch_source


def in_turn(months: Sequence[str], before: Watched) -> list[str]:
    """The order in which ``months``, the newest first, are looked at.

    The front comes first, then the rest from where the last look stopped. A month at which it stopped for trouble
    leaves the front until it was seen again: it would hide all others.
    """
    troubled = {
        month for month, known in before.months.items() if known.state in (MonthState.THROTTLED, MonthState.UNREACHABLE)
    }
    front = [month for month in months[:FRONT_MONTHS] if month not in troubled]
    rest = [month for month in months if month not in front]
    start = next((at for at, month in enumerate(rest) if month == before.go_on_with), 0)
    return [*front, *rest[start:], *rest[:start]]


def _go_on_with(order: Sequence[str], looked_at: Sequence[str]) -> str:
    """The month after the last one that was looked at; none if all were."""
    return order[len(looked_at)] if len(looked_at) < len(order) else ""


def _remembered(
    months: Iterable[str],
    before: Watched,
    decisions: Mapping[str, Decision],
    tags: Mapping[str, str],
    now: datetime,
) -> dict[str, WatchedMonth]:
    """What is known now of ``months``: as decided, else as before."""
    known: dict[str, WatchedMonth] = {}
    for month in months:
        was = before.months.get(month)
        if month in decisions:
            state = decisions[month].state
            tag = "" if state is MonthState.UNCHANGED else tags[month]
            same = was is not None and (was.state, was.tag) == (state, tag)
            known[month] = was if same and was is not None else WatchedMonth(state, now, tag)
        elif was is not None:
            known[month] = was
    return known


def _request(month: str, tag: str, attempt: int, code: str) -> dg.RunRequest:
    """Dagster never makes two runs with one run key, even if the first failed: hence the attempt in it."""
    return dg.RunRequest(
        run_key=f"{month}|{tag}|{attempt}",
        partition_key=month,
        tags={MONTH_TAG: month, CONTENT_TAG: tag, ATTEMPT_TAG: str(attempt), CODE_TAG: code},
    )


def in_words(months: Sequence[str], watch: Watched, decisions: Mapping[str, Decision]) -> str:
    """The months by their state, and what is waited for."""
    groups: dict[str, list[str]] = {}
    for month in months:
        known = watch.months.get(month)
        groups.setdefault(known.state.value if known else "not looked at yet", []).append(month)
    said = []
    for state, members in groups.items():
        # Of what is in order, how many there are is enough.
        named = (
            f"{len(members)} months" if state == MonthState.UNCHANGED.value and len(members) > 3 else ", ".join(members)
        )
        said.append(f"{state}: {named}")
    in_order = (MonthState.UNCHANGED, MonthState.NOT_PUBLISHED)
    waiting = [f"{month}: {one.why}" for month, one in decisions.items() if one.state not in in_order]
    return "; ".join(said) + "".join(f". {text}" for text in waiting)


def _status(running: bool) -> dg.DefaultSensorStatus:
    return dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(timezone.utc):%Y-%m-%dT%H:%MZ}"


def _moment(minute: str) -> datetime:
    return datetime.strptime(minute, "%Y-%m-%dT%H:%MZ").replace(tzinfo=timezone.utc)
