"""Running a range of months, those that are good already left out.

Belongs here: which months a backfill has to run, and when it gives up. Does not: running a month (``run_month``), in
which process (``side_by_side``), or printing (``cli``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from glue_jobs.contracts import MONTHLY_TABLES
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.status import lake_status
from taxi_assets.operations.run_month import MonthResult
from taxi_assets.operations.side_by_side import Run, each
from taxi_assets.partitions import MONTHS
from taxi_assets.settings import Profile, Settings

MAX_FAILURES_IN_A_ROW = 3
"""Then it is not the months that are at fault."""
_GLUE_RUNS_OF_A_MONTH, _LEAST_MINUTES = 3, 1.0


@dataclass(frozen=True)
class Plan:
    """The months of a range: ``to_run``, and ``good`` ones, which are published whole and fit together."""

    to_run: tuple[str, ...]
    good: tuple[str, ...]


@dataclass
class Progress:
    """How a backfill stands: results so far, months that are left, and how many are run at once (``jobs``)."""

    results: list[MonthResult] = field(default_factory=list)
    left: tuple[str, ...] = ()
    jobs: int = 1

    @property
    def failed(self) -> list[MonthResult]:
        """Months that were not published."""
        return [result for result in self.results if not result.succeeded]

    @property
    def seconds_left(self) -> float:
        """By the average of the months so far; 0 before the first."""
        return self._average(lambda result: result.seconds.get("total", 0.0)) * len(self.left) / self.jobs

    @property
    def cost_so_far(self) -> float:
        """USD, by estimate; 0 on a laptop."""
        return sum(sum(result.estimated_cost_usd.values()) for result in self.results)

    @property
    def cost_left(self) -> float:
        """USD for the months that are left, by the average of those so far."""
        return self._average(lambda result: sum(result.estimated_cost_usd.values())) * len(self.left)

    def _average(self, of: Callable[[MonthResult], float]) -> float:
        return sum(map(of, self.results)) / len(self.results) if self.results else 0.0


def plan(lake: Lake, first: str, last: str, force: bool) -> Plan:
    """What a backfill of ``first`` to ``last`` has to run; with ``force``, all of it. ValueError if there is none."""
    months = [month for month in MONTHS.get_partition_keys() if first <= month <= last]
    if not months:
        raise ValueError(f"there is no month from {first} to {last}")
    good = (
        set()
        if force
        else {one.month for one in lake_status(lake) if set(one.tables) == set(MONTHLY_TABLES) and one.fits}
    )
    return Plan(
        to_run=tuple(month for month in months if month not in good),
        good=tuple(month for month in months if month in good),
    )


def least_cost(settings: Settings, months: int) -> float:
    """USD that ``months`` cost at least on AWS: Glue bills a minute for each run. 0 on a laptop."""
    if settings.profile is not Profile.AWS:
        return 0.0
    from taxi_assets.aws.glue import DPUS

    dpu_hours = _GLUE_RUNS_OF_A_MONTH * settings.glue_workers * DPUS[settings.glue_worker_type] * _LEAST_MINUTES / 60
    return months * dpu_hours * settings.glue_usd_per_dpu_hour


def backfill(months: Sequence[str], run: Run, jobs: int = 1) -> Iterator[Progress]:
    """Run the months in order, ``jobs`` at a time, and say how it stands after each.

    A month that fails does not hold the others; after ``MAX_FAILURES_IN_A_ROW``, or an interrupt, the rest is left, and
    what is under way is interrupted. See ``side_by_side`` for what ``run`` has to be if there are several jobs.
    """
    progress = Progress(left=tuple(months), jobs=jobs)
    with closing(each(months, run, jobs)) as results:
        for result in results:
            progress.results.append(result)
            progress.left = tuple(month for month in progress.left if month != result.month)
            yield progress
            if result.interrupted:
                return
            last = progress.results[-MAX_FAILURES_IN_A_ROW:]
            if len(last) == MAX_FAILURES_IN_A_ROW and not any(result.succeeded for result in last):
                return
