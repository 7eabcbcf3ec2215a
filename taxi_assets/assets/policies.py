"""When an asset materializes by itself, and how old each layer may become before it counts as stale.

Belongs here: the policies and the facts that they rest on. Does not: telling somebody (alerts).

The TLC publishes a month 38 to 63 days after its end (publication dates of the files), so that between two months'
arrivals up to 31 + 63 - 38 = 56 days may pass.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dagster as dg

from taxi_assets.calendar import LONGEST_LAG, SHORTEST_LAG

_BETWEEN_ARRIVALS = timedelta(days=31) + LONGEST_LAG - SHORTEST_LAG
_DAYS_TO_PROCESS = {"raw": 7, "staging": 8, "curated": 8}
"""How much longer each layer may take: a week in which somebody repairs what held the month back."""


def policy(layer: str) -> dg.FreshnessPolicy | None:
    """The freshness policy of a layer's assets: a warning when a month is overdue, a failure a week later.

    None for a layer that has no rhythm of its own.
    """
    if layer not in _DAYS_TO_PROCESS:
        return None
    overdue = _BETWEEN_ARRIVALS + timedelta(days=_DAYS_TO_PROCESS[layer])
    return dg.FreshnessPolicy.time_window(fail_window=overdue + timedelta(days=7), warn_window=overdue)


def follow() -> dg.AutomationCondition[Any]:
    """A month follows its upstream: run when it was updated, and all of it is there, at rest and passed its checks.

    Like ``eager``, but for any month: eager looks at the newest partition only, and the TLC is two months late. A run
    that materializes both ends does not start a second one, which ``any_deps_updated`` sees to.
    """
    condition = dg.AutomationCondition
    return (
        condition.any_deps_updated().since_last_handled()
        & ~condition.any_deps_missing()
        & ~condition.any_deps_in_progress()
        & ~condition.in_progress()
        & condition.all_deps_blocking_checks_passed()
    ).with_label("follows its upstream, month by month")
