"""Programs that a benchmark compares have to do the same work; and its budget has to add up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from glue_jobs.contracts import CURATED_TABLES, QUARANTINE, TRIPS, tlc
from taxi_assets.lake.lake import Lake
from taxi_assets.operations.run_month import MonthResult
from taxi_assets_tests.benchmarks import duckdb_peer, pandas_peer, polars_peer
from taxi_assets_tests.benchmarks.budget import budget
from taxi_assets_tests.conftest import MONTH

Peer = Callable[[str, str, str, str], None]
HASHES = ("trip_key", "row_hash")
DIGITS = 9
"""Of numbers that programs sum, or divide, in an order of their own."""


def outputs(peer: Peer, source: Path, out: Path) -> Path:
    peer(MONTH, str(source / tlc.trip_file_path(MONTH)), str(source / tlc.ZONE_FILE_PATH), str(out))
    return out


@pytest.fixture(scope="module")
def by_duckdb(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return outputs(duckdb_peer.main, source, tmp_path_factory.mktemp("duckdb") / "out")


def rows_of(connection: duckdb.DuckDBPyConnection, files: str, columns: tuple[str, ...]) -> str:
    """A SELECT of those columns, doubles to nine digits."""
    scan = f"read_parquet('{files}', hive_partitioning = false)"
    types = {row[0]: row[1] for row in connection.execute(f"DESCRIBE FROM {scan}").fetchall()}
    assert set(types) == {*columns, *(name for name in HASHES if name in types)}
    shown = (f"round({name}, {DIGITS})" if types[name] == "DOUBLE" else name for name in columns)
    return f"SELECT {', '.join(shown)} FROM {scan}"


@pytest.mark.parametrize("peer", [polars_peer.main, pandas_peer.main], ids=["polars", "pandas"])
def test_the_peers_write_the_same_files(peer: Peer, by_duckdb: Path, source: Path, tmp_path: Path) -> None:
    out = outputs(peer, source, tmp_path / "out")
    tables = {"trips/**/*": TRIPS, "quarantine": QUARANTINE, **CURATED_TABLES}
    with duckdb.connect() as connection:
        for files, table in tables.items():
            columns = tuple(name for name in table.column_names if name not in HASHES)
            one, other = (rows_of(connection, f"{folder}/{files}.parquet", columns) for folder in (by_duckdb, out))
            assert connection.execute(f"SELECT count(*) > 0 FROM ({one})").fetchall() == [(True,)]
            assert (
                connection.execute(f"({one} EXCEPT ALL {other}) UNION ALL ({other} EXCEPT ALL {one})").fetchall() == []
            )
        folders = [
            {str(path.parent.relative_to(place)) for path in place.rglob("trips/**/*.parquet")}
            for place in (by_duckdb, out)
        ]
        assert folders[0] == folders[1]


def test_the_peer_in_sql_does_the_same_work_as_the_jobs(published: tuple[Path, MonthResult], by_duckdb: Path) -> None:
    """A ratio of speeds means something only between programs with the same results."""
    lake = Lake.in_folder(published[0])
    staging = lake.publisher.live(TRIPS, MONTH)
    assert staging is not None
    with duckdb.connect() as connection:
        rows = [
            f"SELECT * EXCLUDE (trip_key, row_hash) FROM read_parquet('{files}', hive_partitioning = false)"
            for files in (f"{staging.path}/**/*.parquet", f"{by_duckdb}/trips/**/*.parquet")
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
                for files in (f"{live.path}/*.parquet", by_duckdb / f"{name}.parquet")
            )
            assert ours == theirs
            written = connection.execute(f"SELECT * FROM '{by_duckdb}/{name}.parquet'").description
            assert {column[0] for column in written or ()} == set(table.column_names)


def test_the_budget_of_a_run_names_every_second_of_it(published: tuple[Path, MonthResult]) -> None:
    result = published[1]
    wall = result.seconds["total"] + 2.0
    rows = budget(result.as_json(), wall)
    assert sum(seconds for _, _, seconds in rows) == pytest.approx(wall)
    named = {(step, part) for step, part, _ in rows}
    assert {("stage_trips", "write trips"), ("build_curated", "publish"), ("stage_trips", "ask the checks")} <= named
    asked = sum(of_step["ask the checks"] for of_step in result.phases.values())
    assert 0 < sum(result.check_seconds.values()) < asked + 0.1  # each is rounded
    assert all(seconds > -0.1 for _, _, seconds in rows)
