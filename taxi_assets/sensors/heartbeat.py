"""A sign of life that something outside can watch: Dagster cannot report its own silence.

Belongs here: the sensor, and the file that it writes. Does not: noticing that there is none (``health``, an alarm on
the metric, a monitor that waits to be called).

The sign says that the daemon ticks, and that it can read and write the lake: if it cannot, the tick fails, and there is
none. That CloudWatch or the monitor does not take it is a warning in the tick's log: that they notice by themselves.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone

import dagster as dg
import requests
from pydantic import SecretStr

from glue_jobs.errors import Cause, PipelineError
from taxi_assets.jobs.code import running_version
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.resource import LakeResource
from taxi_assets.lake.status import freshness
from taxi_assets.lake.texts import read_text, write_text
from taxi_assets.metrics.names import HEARTBEAT, Point
from taxi_assets.metrics.recorder import Metrics, NotTaken, freshness_points
from taxi_assets.settings import Settings

SECONDS_BETWEEN_BEATS = 300
_SECONDS = 5.0
"""For the monitor to answer. Dagster gives a tick 60 seconds."""


@dataclass(frozen=True)
class Heartbeat:
    """What the file says: when, the newest month that every table has (empty: none), and the daemon's code."""

    at: datetime
    newest_month: str
    code_version: str


def last_heartbeat(lake: Lake) -> Heartbeat | None:
    """What was written last; None if nothing was. PipelineError if it is no heartbeat."""
    text = read_text(lake.paths.heartbeat)
    if text is None:
        return None
    try:
        given = json.loads(text)
        at = datetime.fromisoformat(given["at"])
        if at.tzinfo is None:
            raise ValueError("it does not say of which time zone its time is")
        return Heartbeat(at, given["newest_month"], given["code_version"])
    except (ValueError, KeyError, TypeError) as error:
        raise PipelineError(
            f"{lake.paths.heartbeat} is no heartbeat: {text[:200]}",
            "delete it; the daemon writes it again",
            cause=Cause.LAKE,
        ) from error


def _now() -> datetime:
    return datetime.now(timezone.utc)


def heartbeat(settings: Settings, clock: Callable[[], datetime] = _now) -> dg.SensorDefinition:
    """The sensor for ``settings``. ``clock`` tells the time in UTC."""

    @dg.sensor(
        name="heartbeat",
        minimum_interval_seconds=SECONDS_BETWEEN_BEATS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Writes health/heartbeat.json, and tells CloudWatch and the monitor, that the daemon is alive.",
    )
    def beat(
        context: dg.SensorEvaluationContext, lake: LakeResource, metrics: dg.ResourceParam[Metrics]
    ) -> dg.SkipReason:
        """One sign."""
        now, opened = clock(), lake.open()
        fresh = freshness(opened, now)
        sign = Heartbeat(now, fresh.newest if fresh else "", running_version())
        write_text(opened.paths.heartbeat, json.dumps({**sign.__dict__, "at": now.isoformat(timespec="seconds")}))
        said = [f"written to {opened.paths.heartbeat}"]
        try:
            metrics.put([Point(HEARTBEAT, 1), *freshness_points(fresh)])
        except NotTaken as error:
            said.append(str(error))
            context.log.warning(str(error))
        if complaint := _call(settings.heartbeat_url):
            said.append(complaint)
            context.log.warning(complaint)
        return dg.SkipReason("; ".join(said))

    return beat


def _call(url: SecretStr) -> str:
    """Call the monitor if there is one; what is wrong, without its address: who has that can call it as well."""
    if not url.get_secret_value():
        return ""
    try:
        status = requests.get(url.get_secret_value(), timeout=_SECONDS).status_code
    except requests.RequestException as error:  # its own text has the address in it
        return (
            f"the monitor could not be reached ({type(error).__name__}). What to do: check the network and "
            "TAXI_HEARTBEAT_URL."
        )
    return "" if status < 400 else f"the monitor answered {status}. What to do: check TAXI_HEARTBEAT_URL."
