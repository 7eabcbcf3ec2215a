"""Waiting in tests for what another thread or process does.

Belongs here: the wait, and the limit that all waits share. Does not: what is waited for.
"""

from __future__ import annotations

import time
from collections.abc import Callable

HANGS_AFTER = 600.0
"""Seconds. So long that only what hangs takes them, however slow or busy the machine is."""


def wait_until(happened: Callable[[], bool], explain: Callable[[], str] = str, every: float = 0.05) -> None:
    """Wait until ``happened``, looked at ``every`` so many seconds; fail with what ``explain`` says if it hangs."""
    deadline = time.monotonic() + HANGS_AFTER
    while not happened():
        assert time.monotonic() < deadline, explain()
        time.sleep(every)
