"""Time a read of the history of checks after many commits, before and after its files were put together.

python -m taxi_assets_tests.benchmarks.compaction
python -m taxi_assets_tests.benchmarks.compaction --commits 1000 --months 24
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from glue_jobs.contracts import CHECK_HISTORY
from taxi_assets.asset_keys import STAGING_TRIPS
from taxi_assets.checks.check import Answer, Outcome
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.maintenance import compact

_ASSET = "staging/trips"
_CHECKS, _MEASURES = 40, 50
"""Of a run, some: answers of checks, and numbers that one of them measures."""


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commits", type=int, default=240)
    parser.add_argument("--months", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    months = [f"{2020 + number // 12}-{number % 12 + 1:02}" for number in range(arguments.months)]
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.in_folder(Path(folder))
        for number in range(arguments.commits):
            lake.checks.record(
                months[number % len(months)], _answers(number), version="v", rules_version=2, run_id=f"{number}"
            )
        table = Table("", "files", "seconds of CheckHistory.measures, median", "min", "max")
        versions = dict.fromkeys(months, "v")
        found = _row(table, f"after {arguments.commits} commits", lake, versions, arguments.rounds)
        begun = time.perf_counter()
        compact(lake.catalog, CHECK_HISTORY)
        took = time.perf_counter() - begun
        again = _row(table, "after compaction", lake, versions, arguments.rounds)
        assert again == found
    console = Console()
    console.print(table)
    console.print(f"the compaction took {took:.2f} s")


def _answers(number: int) -> list[dict[str, object]]:
    measures = {f"measure_{one}": float(number * one) for one in range(_MEASURES)}
    outcomes = [
        Outcome(True, "like other months", "it is", "SELECT 1", {} if one else measures) for one in range(_CHECKS)
    ]
    return [
        row
        for one, outcome in enumerate(outcomes)
        for row in Answer(STAGING_TRIPS, f"check_{one}", False, outcome).rows
    ]


def _row(table: Table, label: str, lake: Lake, versions: dict[str, str], rounds: int) -> dict[str, dict[str, float]]:
    seconds, found = [], {}
    for _ in range(rounds + 1):
        begun = time.perf_counter()
        found = lake.checks.measures(_ASSET, versions)
        seconds.append(time.perf_counter() - begun)
    timed = seconds[1:]  # the first one warms up
    files = len(lake.catalog.files(CHECK_HISTORY))
    table.add_row(label, f"{files}", *(f"{function(timed):.2f}" for function in (statistics.median, min, max)))
    return found


if __name__ == "__main__":
    main()
