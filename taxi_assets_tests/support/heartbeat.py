"""A tick of the sensor ``heartbeat``, for tests of it and of who reads the sign.

Belongs here: the tick. Does not: what it leaves behind.
"""

from __future__ import annotations

from datetime import datetime

import dagster as dg

from taxi_assets.definitions import metrics_of
from taxi_assets.lake.resource import LakeResource
from taxi_assets.sensors.heartbeat import heartbeat
from taxi_assets.settings import Settings


def tick(settings: Settings, now: datetime) -> str:
    """What a tick of the sensor says."""
    resources = {"lake": LakeResource.of(settings), "metrics": metrics_of(settings)}
    with (
        dg.DagsterInstance.ephemeral() as instance,
        dg.build_sensor_context(instance=instance, resources=resources) as context,
    ):
        return str(heartbeat(settings, lambda: now).evaluate_tick(context).skip_message)
