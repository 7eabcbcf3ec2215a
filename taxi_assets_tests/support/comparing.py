"""Comparing what two runs wrote, row by row."""

from __future__ import annotations

from taxi_assets.lake.duck import connect


def different_rows(first: str, second: str) -> int:
    """Rows that only one of two folders of Parquet files has, repeated rows counted; neither may be empty."""
    one, other = (
        f"FROM read_parquet('{folder}/**/*.parquet', hive_partitioning = false)" for folder in (first, second)
    )
    with connect() as connection:
        counts = [
            connection.execute(f"SELECT count(*) FROM ({a} EXCEPT ALL {b})").fetchall()[0][0]
            for a, b in ((one, other), (other, one))
        ]
        for rows in (one, other):
            assert connection.execute(f"SELECT count(*) {rows}").fetchall()[0][0] > 0
    return int(sum(counts))
