"""When an asset materializes by itself.

Belongs here: the condition. Does not: when a table is overdue (``checks.freshness``), or telling somebody (``alerts``).
"""

from __future__ import annotations

from typing import Any

import dagster as dg


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
