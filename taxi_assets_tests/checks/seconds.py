"""What each check of a published month costs: ``python -m taxi_assets_tests.checks.seconds LAKE MONTH [ROUNDS]``.

Belongs here: asking the checks of staging and of the tables alone, one after the other. Does not: the jobs
(``taxi_assets_tests.benchmarks``). Checks that compare with the job's report fail here: their cost is the same.
"""

from __future__ import annotations

import resource
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median

from glue_jobs.contracts import CURATED_TABLES, QUARANTINE, TRIPS
from glue_jobs.contracts.raw import TRIPS_DATASET, ZONES_DATASET
from taxi_assets.checks import curated
from taxi_assets.checks.check import Answer, Check, Subject
from taxi_assets.checks.curated import CuratedMonth
from taxi_assets.checks.staging import registry as staging
from taxi_assets.checks.staging.subject import StagedMonth
from taxi_assets.lake.lake import Lake


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _ask(checks: list[Check[Subject]], subject: Subject, cpu: dict[str, list[float]]) -> list[Answer]:
    answers = []
    for check in checks:
        before = _cpu_seconds()
        answers.append(check.evaluate(subject))
        cpu[f"{check.asset.to_user_string()}: {check.name}"].append(_cpu_seconds() - before)
    return answers


def main(folder: str, month: str, rounds: str = "3") -> None:
    """Print CPU and wall-clock seconds of each check, medians, the dearest first."""
    lake = Lake.in_folder(Path(folder))
    live = {table.name: lake.publisher.live(table, month) for table in (TRIPS, QUARANTINE, *CURATED_TABLES.values())}
    paths = {name: entry.path for name, entry in live.items() if entry is not None}
    source, zones = (lake.ledger.current(month, dataset) for dataset in (TRIPS_DATASET, ZONES_DATASET))
    if source is None or zones is None or len(paths) != len(live):
        sys.exit(f"{month} is not published whole in {folder}")
    facts = {"source_rows": 0, "published_rows": 0, "quarantined_rows": 0, "quarantine_reasons": {}, "money": {}}
    cpu: dict[str, list[float]] = defaultdict(list)
    wall: dict[str, list[float]] = defaultdict(list)
    for _ in range(int(rounds)):
        staged = StagedMonth(month, source.path, zones.path, paths[TRIPS.name], paths[QUARANTINE.name], facts)
        built = CuratedMonth(month, paths[TRIPS.name], {name: paths[name] for name in CURATED_TABLES})
        for answer in (*_ask(staging.CHECKS, staged, cpu), *_ask(curated.CHECKS, built, cpu)):
            wall[f"{answer.asset.to_user_string()}: {answer.name}"].append(answer.seconds)
    for name in sorted(cpu, key=lambda one: -median(cpu[one])):
        print(f"{name:64}{median(cpu[name]):7.2f} CPU{median(wall[name]):7.2f} wall")
    print(f"{'all':64}{sum(map(median, cpu.values())):7.2f} CPU{sum(map(median, wall.values())):7.2f} wall")


if __name__ == "__main__":
    main(*sys.argv[1:])
