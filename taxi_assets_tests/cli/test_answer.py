"""How an answer is written: every column and every kind of value, in every format, a batch at a time."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from taxi_assets.cli import answer
from taxi_assets.cli.output import whole_file
from taxi_assets.operations.run_month import MonthResult

COMMAND = str(Path(sys.executable).parent / "taxi-assets")
VALUES = {
    "1.50::DECIMAL(5,2)": ("1.50", 1.5),
    "12345678901234567890.12::DECIMAL(38,2)": ("12345678901234567890.12", "12345678901234567890.12"),
    "170141183460469231731687303715884105727": ("170141183460469231731687303715884105727", 2**127 - 1),
    "'nan'::DOUBLE": ("nan", None),
    "'-inf'::FLOAT": ("-inf", None),
    "NULL": ("", None),
    "true": ("True", True),
    "DATE '2024-02-01'": ("2024-02-01", "2024-02-01"),
    "DATE '20000-01-01'": ("20000-01-01", "20000-01-01"),
    "TIMESTAMP '2024-02-01 10:00:00'": ("2024-02-01 10:00:00", "2024-02-01T10:00:00"),
    "TIME '10:00:00'": ("10:00:00", "10:00:00"),
    "INTERVAL 40 DAY": ("40 days, 0:00:00", "40 days, 0:00:00"),
    "'\\x00ab'::BLOB": ("006162", "006162"),
    "MAP {DATE '2024-02-01': 'nan'::DOUBLE}": ('{"2024-02-01": null}', {"2024-02-01": None}),
    "MAP {'nan'::DOUBLE: 1, 2.5: 2}": ('{"nan": 1, "2.5": 2}', {"nan": 1, "2.5": 2}),
    "MAP {[1]: 2}": ('{"key": [[1]], "value": [2]}', {"key": [[1]], "value": [2]}),
    "['inf'::DOUBLE, 1]::DOUBLE[2]": ("[null, 1.0]", [None, 1.0]),
    "{'d': DATE '2024-02-01', 'b': ['a'::BLOB]}": (
        '{"d": "2024-02-01", "b": ["61"]}',
        {"d": "2024-02-01", "b": ["61"]},
    ),
}


def written(form: str, sql: str, limit: int | None = None) -> str:
    with duckdb.connect() as connection, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", said := io.StringIO())
        result = connection.execute(sql)
        answer.write(form, [column[0] for column in result.description], result.fetchmany, limit, sys.stdout)
        return said.getvalue()


@pytest.mark.parametrize("value", VALUES)
def test_every_kind_of_value_is_written_in_every_format(value: str) -> None:
    text, as_json = VALUES[value]
    sql = f"SELECT {value} AS a, 'x' AS b"
    assert list(csv.reader(io.StringIO(written("csv", sql)))) == [["a", "b"], [text, "x"]]
    assert json.loads(written("json", sql), parse_constant=pytest.fail) == [{"a": as_json, "b": "x"}]
    *_, line = written("table", sql).splitlines()
    assert [cell.strip() for cell in line.split("│")] == [text, "x"]


def test_columns_that_share_a_name_are_told_apart() -> None:
    sql = "SELECT 1 AS a, 2 AS a, 3 AS a_1, 4 AS a"
    names = ["a", "a_2", "a_1", "a_3"]
    assert written("csv", sql).splitlines() == [",".join(names), "1,2,3,4"]
    assert json.loads(written("json", sql)) == [dict(zip(names, (1, 2, 3, 4), strict=True))]
    assert [name.strip() for name in written("table", sql).splitlines()[0].split("│")] == names


def test_an_answer_without_rows_has_its_columns() -> None:
    sql = "SELECT 1 AS a WHERE false"
    assert (written("csv", sql), written("json", sql), written("table", sql)) == ("a\n", "[]\n", "a\n─\n")


def test_a_table_shows_line_breaks_and_escape_sequences_instead_of_obeying_them() -> None:
    assert written("table", r"SELECT e'a\nb\x1b[31m' AS a").splitlines()[-1] == r"a\nb\x1b[31m"


@pytest.mark.parametrize("form", ["csv", "json", "table"])
def test_rows_are_fetched_as_they_are_written(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[int] = []

    def fetch(rows: int) -> list[tuple[int]]:
        lines.append(said.getvalue().count("\n"))
        return [(1,)] * rows if len(lines) <= 3 else []

    monkeypatch.setattr(sys, "stdout", said := io.StringIO())
    answer.write(form, ["a"], fetch, None, sys.stdout)
    assert len(lines) == 4
    assert lines == sorted(set(lines))  # each batch was asked for after the one before was written
    assert said.getvalue().count("\n") >= 3_000


def test_a_limit_says_whether_there_is_more() -> None:
    sql = "SELECT i FROM range(5) AS numbers(i)"
    assert written("table", sql, 3).splitlines()[-1] == "… the first 3 rows; there are more (--limit 0 for all)"
    assert written("table", sql, 5).splitlines()[-1] == "4"
    assert len(json.loads(written("json", sql, 3))) == 3


def on_a_terminal(*arguments: str, columns: int) -> str:
    """What the command shows on a terminal so many columns wide."""
    ours, its = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "LINES": "40"}
    with subprocess.Popen([COMMAND, *arguments], stdout=its, env=environment) as running:
        os.close(its)
        shown = b""
        try:
            while part := os.read(ours, 65_536):
                shown += part
        except OSError:  # Linux says so when the other side is closed
            pass
        finally:
            os.close(ours)
    assert running.returncode == 0
    return shown.decode().replace("\r\n", "\n")


def test_a_terminal_gets_what_fits_and_a_pipe_gets_all(published: tuple[Path, MonthResult]) -> None:
    at = ("--lake", str(published[0]))
    wide = "SELECT * FROM daily_metrics LIMIT 2"
    below = on_a_terminal("query", wide, *at, columns=80).splitlines()
    assert below[0].startswith("── row 1 ──")
    assert all(len(line) <= 80 for line in below)
    [day] = {line.split("│")[1].strip() for line in below if line.startswith("pickup_date") and "02-02" in line}
    assert day == "2024-02-02"
    beside = on_a_terminal("query", "SELECT i FROM range(60000) AS numbers(i)", *at, columns=80).splitlines()
    assert (len(beside), beside[-1]) == (43, "… the first 40 rows; there are more (--limit 0 for all)")
    piped = subprocess.run([COMMAND, "query", wide, *at], capture_output=True, text=True).stdout.splitlines()
    assert len(piped) == 4
    assert "unlinked_refunds" in piped[0]


def test_a_reader_that_has_enough_meets_no_traceback(published: tuple[Path, MonthResult]) -> None:
    for form in ("table", "json"):
        command = [COMMAND, "query", "FROM range(200000)", "--format", form, "--lake", str(published[0])]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
            assert running.stdout is not None
            assert running.stderr is not None
            running.stdout.read(10)
            running.stdout.close()
            assert running.stderr.read() == b""


def test_what_is_no_plain_file_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    file, link, pipe = tmp_path / "rows.csv", tmp_path / "link.csv", tmp_path / "pipe.csv"
    file.write_text("before")
    link.symlink_to(file)
    os.mkfifo(pipe)
    for output in (link, pipe):
        with whole_file(output) as part:
            assert part == output
    assert (link.is_symlink(), pipe.is_fifo(), file.read_text()) == (True, True, "before")
    with whole_file(file) as part:
        part.write_text("after")
    assert file.read_text() == "after"
