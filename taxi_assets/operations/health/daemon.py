"""Health of Dagster's daemon: what its instance says of it, and the sign of life in the lake."""

from __future__ import annotations

from datetime import datetime, timedelta

from taxi_assets.jobs.code import build
from taxi_assets.operations.health.finding import Finding, Level
from taxi_assets.operations.health.subject import Subject
from taxi_assets.sensors.heartbeat import SECONDS_BETWEEN_BEATS, last_heartbeat

LONGEST_SILENCE = timedelta(seconds=3 * SECONDS_BETWEEN_BEATS)


def daemon_beats(subject: Subject) -> list[Finding]:
    """Every part of Dagster's daemon that the instance needs has told that it lives."""
    instance = subject.instance
    with subject.asking_dagster():
        statuses = instance.get_daemon_statuses()
    silent = sorted(name for name, status in statuses.items() if status.required and not status.healthy)
    if not silent:
        return [Finding(Level.OK, f"{len(statuses)} parts of the daemon are alive")]
    beats = [status.last_heartbeat.timestamp for status in statuses.values() if status.last_heartbeat]
    last = f"the last sign was {datetime.fromtimestamp(max(beats), subject.now.tzinfo):%Y-%m-%d %H:%M}" if beats else ""
    found = f"silent: {', '.join(silent)}; {last}" if last else "the daemon has never run on this instance"
    level = Level.FAIL if subject.is_watched else Level.WARN
    return [Finding(level, found, "start it (dagster-daemon run; make ui runs it too), or check DAGSTER_HOME")]


def heart_beats(subject: Subject) -> list[Finding]:
    """The lake has a sign of life, whichever instance the daemon has, and it is of this checkout's code."""
    beat, code = last_heartbeat(subject.lake), build().version
    if beat is None or subject.now - beat.at > LONGEST_SILENCE:
        found = f"the last sign of life is of {beat.at:%Y-%m-%d %H:%M} UTC" if beat else "there was never one"
        repair = "start the daemon, see that its sensor heartbeat is on, and read that sensor's last tick"
        return [Finding(Level.FAIL if subject.is_watched else Level.WARN, found, repair)]
    if beat.code_version != code:
        found = f"the daemon has code {beat.code_version}, this checkout is {code}"
        return [Finding(Level.WARN, found, "restart the daemon with the code that is to run")]
    return [Finding(Level.OK, f"the last sign of life is of {beat.at:%Y-%m-%d %H:%M} UTC")]
