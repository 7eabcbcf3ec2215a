"""What the pieces of a page say, without a browser."""

from __future__ import annotations

import subprocess
import sys

import pyarrow as pa

from taxi_assets.dashboard.look import _stem
from taxi_assets.presentation.answers import Answer
from taxi_assets.warehouse.question import Value

NO_ROWS = pa.table({})


def test_the_server_starts_without_dagster() -> None:
    code = (
        "import sys; import taxi_assets.dashboard.server; "
        "print(sorted({'boto3', 'dagster', 'pyspark'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr


def test_no_thread_imports_while_streamlit_and_numpy_are_imported() -> None:
    code = """
import sys, threading, taxi_assets.dashboard.__main__ as program
class Told(threading.Thread):
    def start(self):
        print({"numpy", "plotly", "streamlit"} <= sys.modules.keys(), self._target.__name__)
threading.Thread, program.serve = Told, lambda host, port: None
sys.argv = ["dashboard", "--host", "127.0.0.1", "--port", "0"]
program.main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("True _warm_up\n", 0), done.stderr


def test_downloads_of_two_places_or_directions_have_two_names() -> None:
    def named(title: str, **values: Value) -> str:
        return _stem(title, Answer("flows_of_a_zone", values, NO_ROWS), "v1")

    assert named("trips_from_here_go_to", month="2024-02", zone=161) == "trips_from_here_go_to_2024-02_161_v1"
    assert len({named(title, month="2024-02", zone=zone) for title in ("in", "out") for zone in (1, 2)}) == 4


def test_the_name_of_a_download_is_one_for_any_disk() -> None:
    answer = Answer("demand_of_a_borough", {"month": "2024-02", "borough": "Staten Island/../x"}, NO_ROWS)
    assert _stem("pick-ups_by_weekday", answer, "") == "pick-ups_by_weekday_2024-02_Staten-Island-x"
