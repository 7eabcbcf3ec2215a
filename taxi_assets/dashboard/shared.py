"""What all sessions of a dashboard's process share.

Belongs here: opening it once. Does not: what it answers (``answers``).
"""

from __future__ import annotations

import threading

from taxi_assets.lake.lake import Lake
from taxi_assets.presentation.answers import Answers
from taxi_assets.settings import Settings
from taxi_assets.warehouse.engine import Engine
from taxi_assets.warehouse.memory import MemoryEngine

_lock = threading.Lock()
_opened: list[Answers] = []


def answers() -> Answers:
    """The answers about the lake that the environment names. What ``Lake.of`` raises, if it cannot be opened."""
    with _lock:
        if not _opened:
            settings = Settings()
            lake = Lake.of(settings)
            _opened.append(Answers(_engine(settings, lake), lake))
        return _opened[0]


def _engine(settings: Settings, lake: Lake) -> Engine:
    if not settings.redshift_workgroup:
        return MemoryEngine(lake)
    from taxi_assets.warehouse.redshift import Workgroup  # with it comes Dagster, whose import takes seconds

    return Workgroup.of(settings).engine(lake)


def is_opened() -> bool:
    """Whether the next look does not have to wait for it."""
    return bool(_opened)
