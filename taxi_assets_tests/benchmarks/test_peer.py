from __future__ import annotations

from pathlib import Path

import duckdb

from glue_jobs.contracts import CURATED_TABLES, TRIPS, tlc
from taxi_assets.lake.lake import Lake
from taxi_assets.operations.run_month import MonthResult
from taxi_assets_tests.benchmarks import duckdb_peer
from taxi_assets_tests.conftest import MONTH


def test_the_peer_of_the_benchmark_does_the_same_work(
    published: tuple[Path, MonthResult], source: Path, tmp_path: Path
) -> None:
    """A ratio of speeds means something only between programs with the same results."""
    out = tmp_path / "out"
    duckdb_peer.main(MONTH, str(source / tlc.trip_file_path(MONTH)), str(source / tlc.ZONE_FILE_PATH), str(out))
    lake = Lake.in_folder(published[0])
    staging = lake.publisher.live(TRIPS, MONTH)
    assert staging is not None
    with duckdb.connect() as connection:
        rows = [
            f"SELECT * EXCLUDE (trip_key, row_hash) FROM read_parquet('{files}', hive_partitioning = false)"
            for files in (f"{staging.path}/**/*.parquet", f"{out}/trips/**/*.parquet")
        ]
        assert connection.execute(f"SELECT count(*) > 0 FROM ({rows[0]}) WHERE is_refunded").fetchall() == [(True,)]
        for one, other in (rows, reversed(rows)):
            assert connection.execute(f"{one} EXCEPT ALL {other}").fetchall() == []
        for name, table in CURATED_TABLES.items():
            live = lake.publisher.live(table, MONTH)
            assert live is not None
            ours, theirs = (
                connection.execute(
                    f"SELECT {', '.join(table.grain)}, trips, refunds, net_revenue FROM '{files}' ORDER BY ALL"
                ).fetchall()
                for files in (f"{live.path}/*.parquet", out / f"{name}.parquet")
            )
            assert ours == theirs
            written = connection.execute(f"SELECT * FROM '{out}/{name}.parquet'").description
            assert {column[0] for column in written or ()} == set(table.column_names)
