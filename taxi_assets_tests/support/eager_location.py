"""The code location with sensors that look all the time, for tests with a live daemon: ``dagster dev -m`` takes it.

Belongs here: the shorter intervals. What they really are, the sensors' own tests say.
"""

from __future__ import annotations

import dagster as dg

from taxi_assets.definitions import build_definitions
from taxi_assets.settings import Settings

_SECONDS = 5
"""As often as the daemon looks whether a sensor is due."""


@dg.definitions
def defs() -> dg.Definitions:
    """The real code location, but for the seconds between two ticks of a sensor."""
    real = build_definitions(Settings())
    for sensor in real.sensors or []:
        assert isinstance(sensor, dg.SensorDefinition)
        sensor._min_interval = _SECONDS  # Dagster has no other way to change a sensor that is made
    return real
