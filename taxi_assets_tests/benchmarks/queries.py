"""Time the questions that a dashboard asks: each view for its newest month, one reader and ten at once.

    python -m taxi_assets_tests.benchmarks.queries                    # 36 months, made of one synthetic month
    python -m taxi_assets_tests.benchmarks.queries --like LAKE        # made of the newest month of a lake

The months are copies of one, with their dates moved: what is timed is reading and grouping, for which it is no matter
what the numbers are. The peer is the same question over the same files in Parquet, opened anew for it, as ``taxi-assets
query`` does within its process.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.table import Table as Shown

from taxi_assets.lake.lake import Lake
from taxi_assets.operations.run_month import run_month
from taxi_assets.settings import Settings
from taxi_assets.warehouse.engine import ask
from taxi_assets.warehouse.memory import MemoryEngine
from taxi_assets.warehouse.question import Question
from taxi_assets.warehouse.view import View, views
from taxi_assets_tests.support.many_months import NEWEST, lake_like


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--months", type=int, default=36)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--like", type=Path, help="a lake whose newest month is copied")
    arguments = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        lake = lake_like(arguments.like or synthetic(Path(folder, "one")), Path(folder, "many"), arguments.months)
        begun = time.perf_counter()
        engine = MemoryEngine(lake)
        loaded = ask(engine, Question("curated.location_analytics", columns=("trips",)), label="benchmark").num_rows
        console.print(
            f"{arguments.months} months in memory after {time.perf_counter() - begun:.2f} s, {loaded:,} flows"
        )
        shown = Shown(
            "view", "rows", "one reader", "p95", "ten readers", "p95", "Parquet", title="milliseconds, median"
        )
        for view in views().values():
            shown.add_row(*_timed(engine, lake, view, arguments.rounds))
        console.print(shown)
        command = [
            sys.executable,
            "-m",
            "taxi_assets",
            "query",
            "FROM daily_metrics LIMIT 1",
            "--lake",
            lake.paths.root,
        ]
        seconds = _seconds(lambda: subprocess.run(command, check=True, capture_output=True), arguments.rounds)
        console.print(f"taxi-assets query of daily_metrics, as a process: {statistics.median(seconds):.2f} s, median")


def synthetic(folder: Path) -> Path:
    """A lake with one synthetic month, its map included."""
    result = run_month(
        Settings(lake=str(folder), source="synthetic:rows=50000,seed=1"), "2024-01", None, lambda *_: None
    )
    assert result.succeeded, result.error
    return folder


def _timed(engine: MemoryEngine, lake: Lake, view: View, rounds: int) -> list[str]:
    month = {"month": NEWEST} if "month" in view.table.column_names else {}
    question = Question(view.name, where=month)
    answer = ask(engine, question, label="benchmark")  # warms up

    def one() -> None:
        ask(engine, question, label="benchmark")

    alone = _seconds(one, rounds)
    with ThreadPoolExecutor(10) as pool:
        together = [second for taken in pool.map(lambda _: _seconds(one, rounds), range(10)) for second in taken]

    def from_files() -> None:
        sql = f"FROM {view.table.full_name}" + (f" WHERE month = '{NEWEST}'" if month else "")
        with lake.connect(sql) as connection:
            connection.execute(sql).fetchall()

    peer = _seconds(from_files, max(3, rounds // 3))
    numbers = [_median(alone), _p95(alone), _median(together), _p95(together), _median(peer)]
    return [view.name, f"{answer.num_rows:,}", *(f"{1000 * number:,.1f}" for number in numbers)]


def _seconds(action: Callable[[], object], rounds: int) -> list[float]:
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter()
        action()
        taken.append(time.perf_counter() - begun)
    return taken


def _median(seconds: list[float]) -> float:
    return statistics.median(seconds)


def _p95(seconds: list[float]) -> float:
    return sorted(seconds)[max(0, round(0.95 * len(seconds)) - 1)]


if __name__ == "__main__":
    main()
