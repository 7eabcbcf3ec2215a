"""DuckDB's connections: quiet, and right about files in S3 that many threads read at once."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

import taxi_assets
from taxi_assets.lake import duck
from taxi_assets.lake.duck import connect, forget_copies


def test_no_connection_draws_a_progress_bar_where_an_answer_goes() -> None:
    with connect() as connection:
        assert connection.execute("SELECT current_setting('enable_progress_bar')").fetchone() == (False,)
    code = Path(taxi_assets.__file__).parent
    opening = [file for file in code.rglob("*.py") if "duckdb.connect(" in file.read_text(encoding="utf-8")]
    assert opening == [Path(duck.__file__)]


@pytest.mark.parametrize("copies", [False, True])
def test_a_file_of_many_row_groups_is_read_by_many_threads_without_mixing_their_places_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copies: bool
) -> None:
    """A file of one row group, as our months have, is read by one thread and shows nothing."""
    rows = 400_000
    table = pa.table({"number": range(rows), "text": [str(number * 7919) for number in range(rows)]})
    pq.write_table(table, tmp_path / "file.parquet", row_group_size=10_000)
    monkeypatch.setattr(duck, "_in_s3", lambda path: (fs.LocalFileSystem(), str(path).removeprefix("s3:/")))
    asked = f"SELECT count(*), sum(number), sum(text::BIGINT) FROM read_parquet('s3:/{tmp_path}/file.parquet')"
    total = rows * (rows - 1) // 2
    for _ in range(10):
        with connect(copies) as connection:
            connection.execute("SET threads = 4")
            assert connection.execute(asked).fetchall() == [(rows, total, total * 7919)]
    forget_copies()
