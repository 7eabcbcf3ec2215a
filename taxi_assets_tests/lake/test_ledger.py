from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from glue_jobs.contracts import FILES
from glue_jobs.contracts.raw import TRIPS_DATASET
from taxi_assets.lake.lake import Lake
from taxi_assets_tests.support.tiny_table import facts


def test_the_latest_content_is_in_force_and_the_earlier_one_is_remembered(open_lake: Callable[[], Lake]) -> None:
    ledger = open_lake().ledger
    ledger.record("2024-02", TRIPS_DATASET, facts("aa"), "run 1")
    ledger.record("2024-02", TRIPS_DATASET, facts("bb"), "run 2")
    current = ledger.current("2024-02", TRIPS_DATASET)
    assert current is not None
    assert (current.sha256, current.run_id, current.physical_schema) == ("bb", "run 2", '{"VendorID": "int32"}')
    entries = open_lake().catalog.open(FILES).scan().to_arrow().sort_by("landed_at")
    assert entries["sha256"].to_pylist() == ["aa", "bb"]


def test_content_that_is_in_force_already_is_not_entered_again(open_lake: Callable[[], Lake]) -> None:
    ledger = open_lake().ledger
    first = ledger.record("2024-02", TRIPS_DATASET, facts("aa"), "run 1")
    assert ledger.record("2024-02", TRIPS_DATASET, facts("aa"), "run 2") == first
    ledger.record("2024-02", TRIPS_DATASET, facts("bb"), "run 3")
    assert ledger.record("2024-02", TRIPS_DATASET, facts("aa"), "run 4").run_id == "run 4"


def test_runs_that_land_different_months_at_once_all_get_their_entry(open_lake: Callable[[], Lake]) -> None:
    months = [f"2024-{number:02}" for number in range(1, 7)]
    with ThreadPoolExecutor(len(months)) as pool:
        list(pool.map(lambda month: open_lake().ledger.record(month, TRIPS_DATASET, facts(month), "run"), months))
    assert [file.month for file in open_lake().ledger.all_current(TRIPS_DATASET)] == months


def test_a_month_that_was_never_landed_has_no_file(open_lake: Callable[[], Lake]) -> None:
    assert open_lake().ledger.current("2024-02", TRIPS_DATASET) is None
