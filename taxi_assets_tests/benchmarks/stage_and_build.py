"""Time stage_trips + build_curated on Sail against JVM Spark and against hand-written DuckDB SQL.

    make bench TLC=/folder/in/the/TLC/layout            real data
    make bench BENCH="--rows 3000000 --engines sail"    a synthetic month of 3 M rows

Each round runs every engine once, in turn, so that a drift of the machine's speed meets all of them; printed are
medians, and the medians of the ratios to Sail within a round. Seconds are wall time of whole processes, engine
start included. Peak memory is that of the whole process tree (engine, job), sampled every 50 ms (Linux).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

import glue_jobs
from glue_jobs.contracts import CURATED_TABLES
from glue_jobs.sources import open_source
from taxi_assets.jobs.engine import running_engine, spark_conf
from taxi_assets.settings import SAIL, SPARK

DUCKDB = "duckdb"
_SCRIPTS = Path(glue_jobs.__file__).parent


@dataclass(frozen=True)
class Measured:
    """One engine in one round: wall seconds and peak memory in MiB."""

    seconds: float
    peak: float


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", default="", help="folder in the TLC's layout; default: a synthetic month")
    parser.add_argument("--month", default="2024-02")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the synthetic month")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--engines", default=f"{SAIL},{SPARK},{DUCKDB}")
    arguments = parser.parse_args()
    engines = arguments.engines.split(",")
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        source = open_source(arguments.source or f"synthetic:rows={arguments.rows},seed=1")
        trips, zones = Path(folder, "trips.parquet"), Path(folder, "zones.csv")
        source.fetch_trips(arguments.month, trips, lambda *_: None)
        source.fetch_zones(zones, lambda *_: None)
        rounds: list[dict[str, Measured]] = []
        for number in range(arguments.rounds + 1):
            label = f"round {number}" if number else "warm-up"
            with console.status(label):
                measured = {
                    engine: _run(engine, arguments.month, trips, zones, Path(folder, f"{number}-{engine}"))
                    for engine in engines
                }
            console.print(label, {engine: f"{result.seconds:.2f} s" for engine, result in measured.items()})
            if number:
                rounds.append(measured)
    console.print(_summary(engines, rounds))


def _summary(engines: Sequence[str], rounds: Sequence[Mapping[str, Measured]]) -> Table:
    table = Table("engine", "seconds, median", "min", "max", f"ratio to {engines[0]}, median", "peak MiB, max")
    for engine in engines:
        seconds = [measured[engine].seconds for measured in rounds]
        ratios = [measured[engine].seconds / measured[engines[0]].seconds for measured in rounds]
        table.add_row(
            engine,
            f"{statistics.median(seconds):.2f}",
            f"{min(seconds):.2f}",
            f"{max(seconds):.2f}",
            f"{statistics.median(ratios):.2f}",
            f"{max(measured[engine].peak for measured in rounds):.0f}",
        )
    return table


def _run(engine: str, month: str, trips: Path, zones: Path, out: Path) -> Measured:
    begun = time.monotonic()
    with _peak_memory() as peak:
        if engine == DUCKDB:
            command = [
                sys.executable,
                "-m",
                "taxi_assets_tests.benchmarks.duckdb_peer",
                month,
                str(trips),
                str(zones),
                str(out),
            ]
            subprocess.run(command, check=True)
        else:
            _run_jobs(engine, month, trips, zones, out)
    return Measured(time.monotonic() - begun, peak[0] / 1024)


def _run_jobs(engine: str, month: str, trips: Path, zones: Path, out: Path) -> None:
    conf = ["--month", month, "--spark-conf", json.dumps(spark_conf(engine))]
    stage = ["--trips", str(trips), "--source-sha256", "0", "--zones", str(zones)]
    stage += ["--trips-out", f"{out}/trips", "--quarantine-out", f"{out}/quarantine"]
    tables = {name: f"{out}/{name}" for name in CURATED_TABLES}
    build = ["--staging", f"{out}/trips", "--outputs", json.dumps(tables)]
    with running_engine(engine) as running:
        for job, options in (("stage_trips", stage), ("build_curated", build)):
            command = [sys.executable, str(_SCRIPTS / f"{job}.py"), *conf, *options]
            subprocess.run(command, check=True, env=running.environment, capture_output=True)


@contextmanager
def _peak_memory() -> Iterator[list[float]]:
    """KiB of resident memory of this process's descendants at their largest, in a list of one."""
    peak = [0.0]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            peak[0] = max(peak[0], _descendants_kib())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def _descendants_kib() -> float:
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,rss=,comm="], capture_output=True, text=True, check=True).stdout
    children: dict[int, list[tuple[int, float]]] = {}
    for line in listed.splitlines():
        process, parent, resident, name = line.split(None, 3)
        if name != "ps":
            children.setdefault(int(parent), []).append((int(process), float(resident)))
    total = 0.0
    waiting = [os.getpid()]
    while waiting:
        for pid, kib in children.get(waiting.pop(), []):
            total += kib
            waiting.append(pid)
    return total


if __name__ == "__main__":
    main()
