from __future__ import annotations

from pathlib import Path

import taxi_assets
from taxi_assets.lake import duck


def test_no_connection_draws_a_progress_bar_where_an_answer_goes() -> None:
    with duck.connect() as connection:
        assert connection.execute("SELECT current_setting('enable_progress_bar')").fetchone() == (False,)
    code = Path(taxi_assets.__file__).parent
    opening = [file for file in code.rglob("*.py") if "duckdb.connect(" in file.read_text(encoding="utf-8")]
    assert opening == [Path(duck.__file__)]
