"""What all sessions of a dashboard's process share.

Belongs here: opening it once. Does not: what it answers (``answers``).
"""

from __future__ import annotations

import threading

from taxi_assets.definitions import warehouse_of
from taxi_assets.lake.lake import Lake
from taxi_assets.presentation.answers import Answers
from taxi_assets.settings import Settings

_lock = threading.Lock()
_opened: list[Answers] = []


def answers() -> Answers:
    """The answers about the lake that the environment names. What ``Lake.of`` raises, if it cannot be opened."""
    with _lock:
        if not _opened:
            settings = Settings()
            lake = Lake.of(settings)
            _opened.append(Answers(warehouse_of(settings).engine(lake), lake))
        return _opened[0]


def is_opened() -> bool:
    """Whether the next look does not have to wait for it."""
    return bool(_opened)
