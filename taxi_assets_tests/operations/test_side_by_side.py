from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from taxi_assets.operations.run_month import MonthResult
from taxi_assets.operations.side_by_side import each
from taxi_assets_tests.support.waiting import wait_until

MONTHS = ("2024-01", "2024-02", "2024-03")


def _meets_another(folder: Path, month: str) -> MonthResult:
    """Ends when a second month has begun, or there was one before."""
    (folder / month).touch()
    wait_until(lambda: len(list(folder.iterdir())) > 1)
    return MonthResult(month, published_rows=os.getpid())


def _is_killed_once(month: str) -> MonthResult:
    if month == MONTHS[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    return MonthResult(month)


def _waits(folder: Path, month: str) -> MonthResult:
    (folder / f"{month} began").touch()
    try:
        time.sleep(600)
    except KeyboardInterrupt:
        (folder / f"{month} ended").touch()
        raise
    return MonthResult(month)


def _have(folder: Path, what: str) -> bool:
    return len(list(folder.glob(f"* {what}"))) == 2


def test_two_months_are_run_at_once_and_each_has_its_result(tmp_path: Path) -> None:
    results = list(each(MONTHS, partial(_meets_another, tmp_path), 2))
    assert sorted(result.month for result in results) == list(MONTHS)
    assert len({result.published_rows for result in results}) == 2


def test_one_at_a_time_is_run_in_this_process() -> None:
    [result] = each(MONTHS[:1], lambda month: MonthResult(month, published_rows=os.getpid()), 1)
    assert result.published_rows == os.getpid()


def test_a_killed_process_is_a_month_that_failed_and_the_others_are_run() -> None:
    results = {result.month: result.error for result in each(MONTHS, _is_killed_once, 2)}
    assert "exit code -9" in results[MONTHS[0]]
    assert "begin again, with fewer --jobs" in results[MONTHS[0]]
    assert (results[MONTHS[1]], results[MONTHS[2]]) == ("", "")


def test_months_that_no_process_is_left_for_are_named() -> None:
    results = {result.month: result.error for result in each((MONTHS[0], MONTHS[0], MONTHS[1]), _is_killed_once, 2)}
    assert results[MONTHS[1]].startswith("not begun")


@pytest.fixture
def command(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs two months at once that do not end; both have begun."""
    script = (
        "from functools import partial\nfrom pathlib import Path\n"
        "from taxi_assets.operations.side_by_side import each\n"
        "from taxi_assets_tests.operations.test_side_by_side import MONTHS, _waits\n"
        "if __name__ == '__main__':\n"
        f"    list(each(MONTHS, partial(_waits, Path({str(tmp_path)!r})), 2))\n"
    )
    file = tmp_path / "command.py"
    file.write_text(script)
    root = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, file], env={**os.environ, "PYTHONPATH": root}, start_new_session=True
    ) as one:
        wait_until(lambda: _have(tmp_path, "began"))
        yield one
        one.kill()


@pytest.mark.parametrize("ends_by", [signal.SIGKILL, signal.SIGINT])
def test_a_command_that_ends_takes_its_months_along(
    command: subprocess.Popen[bytes], tmp_path: Path, ends_by: signal.Signals
) -> None:
    os.killpg(command.pid, ends_by)
    command.wait()
    wait_until(lambda: _have(tmp_path, "ended"))
