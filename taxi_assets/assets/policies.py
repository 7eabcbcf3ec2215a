"""When an asset materializes by itself.

Belongs here: the condition. Does not: when a table is overdue (``checks.freshness``), or telling somebody (``alerts``).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import dagster as dg


def follow(but_not: Collection[dg.AssetKey] = ()) -> dg.AutomationCondition[Any]:
    """A month follows its upstream: run when it was updated, and all of it is there, at rest and passed its checks.

    Like ``eager``, but for any month: eager looks at the newest partition only, and the TLC is two months late. A run
    that materializes both ends does not start a second one, which ``any_deps_updated`` sees to. What is read but is in
    ``but_not`` may change, or be missing.
    """
    condition = dg.AutomationCondition
    others = dg.AssetSelection.assets(*but_not)
    return (
        condition.any_deps_updated().ignore(others).since_last_handled()
        & ~condition.any_deps_missing().ignore(others)
        & ~condition.any_deps_in_progress()
        & ~condition.in_progress()
        & condition.all_deps_blocking_checks_passed()
    ).with_label("follows its upstream, month by month")
