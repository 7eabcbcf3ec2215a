"""How old each layer may become before it counts as stale.

Belongs here: the policies and the facts that they rest on. Does not: telling somebody (alerts).

The TLC publishes a month 38 to 63 days after its end (publication dates of the files), so that between two months'
arrivals up to 31 + 63 - 38 = 56 days may pass.
"""

from __future__ import annotations

from datetime import timedelta

import dagster as dg

LONGEST_LAG_DAYS = 63
"""From a month's end to its publication, at the longest."""
_BETWEEN_ARRIVALS = timedelta(days=31 + 63 - 38)
_DAYS_TO_PROCESS = {"raw": 7, "staging": 8, "curated": 8}
"""How much longer each layer may take: a week in which somebody mends what held the month back."""


def policy(layer: str) -> dg.FreshnessPolicy | None:
    """The freshness policy of a layer's assets: a warning when a month is overdue, a failure a week later.

    None for a layer that has no rhythm of its own.
    """
    if layer not in _DAYS_TO_PROCESS:
        return None
    overdue = _BETWEEN_ARRIVALS + timedelta(days=_DAYS_TO_PROCESS[layer])
    return dg.FreshnessPolicy.time_window(fail_window=overdue + timedelta(days=7), warn_window=overdue)
