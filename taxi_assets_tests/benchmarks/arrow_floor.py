"""The floor of the benchmark: a month's file read and encoded again by Arrow, with nothing done to its rows.

    python -m taxi_assets_tests.benchmarks.arrow_floor MONTH TRIPS.parquet ZONES.csv OUT_FOLDER

No program that writes the trips again can be faster than this, whatever it asks of them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow.parquet as pq


def main(_month: str, trips: str, _zones: str, out: str) -> None:
    """Write the trips as they are into ``out``, compressed as ours are."""
    Path(out).mkdir(parents=True)
    pq.write_table(pq.read_table(trips), f"{out}/trips.parquet", compression="zstd")


if __name__ == "__main__":
    main(*sys.argv[1:])
