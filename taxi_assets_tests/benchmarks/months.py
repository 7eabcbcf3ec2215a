"""Whether a month costs the same however many are published: seconds and peak memory of each month of a backfill.

    make bench-months                                  36 synthetic months of 20,000 rows
    make bench-months BENCH="--months 12 --rows 200000"

One ``taxi-assets backfill``, as a process, into a fresh lake. Memory is that of the process tree, and of all months
before as well: what a run leaves behind in its process counts.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from glue_jobs.contracts.months import month_of, number_of
from taxi_assets_tests.benchmarks import whole_run
from taxi_assets_tests.benchmarks.processes import Measured, Peaks

_FIRST = "2021-01"
_SHOWN = (1, 3, 12, 36)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--months", type=int, default=36)
    parser.add_argument("--rows", type=int, default=20_000, help="of each synthetic month")
    arguments = parser.parse_args()
    console = Console()
    last = month_of(number_of(_FIRST) + arguments.months - 1)
    with tempfile.TemporaryDirectory() as folder:
        source = f"synthetic:rows={arguments.rows},seed=1"
        peaks, found, begun = Peaks(), list[Measured](), time.monotonic()
        try:
            for said in whole_run.backfill(_FIRST, last, source, f"{folder}/lake", Path(folder, "log")):
                now = time.monotonic()
                found.append(Measured(now - begun, peak=peaks.take()))
                begun = now
                console.print(f"{said['month']}: {found[-1].seconds:.1f} s, {found[-1].peak:.0f} MiB", highlight=False)
        finally:
            peaks.stop()
    console.print(_summary(found))


def _summary(found: list[Measured]) -> Table:
    """The months up to each of ``_SHOWN``; the first has the process's start in it."""
    table = Table("months", "seconds, median of the last three", "peak MiB of those", "ratio to the first three")
    at_first = statistics.median(one.seconds for one in found[:3])
    for number in (shown for shown in _SHOWN if shown <= len(found)):
        of_it = found[max(0, number - 3) : number]
        seconds = statistics.median(one.seconds for one in of_it)
        peak = max(one.peak for one in of_it)
        table.add_row(str(number), f"{seconds:.2f}", f"{peak:.0f}", f"{seconds / at_first:.2f}")
    return table


if __name__ == "__main__":
    main()
