from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from glue_jobs.contracts import FILES
from glue_jobs.contracts.raw import TRIPS_DATASET
from taxi_assets.lake import append_tables
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


@pytest.mark.parametrize("jump", [timedelta(days=365), timedelta(hours=1), timedelta(hours=-1)])
def test_a_clock_that_was_wrong_for_one_run_leaves_the_last_landed_file_in_force(
    open_lake: Callable[[], Lake], monkeypatch: pytest.MonkeyPatch, jump: timedelta
) -> None:
    ledger, right = open_lake().ledger, append_tables._now
    ledger.record("2024-02", TRIPS_DATASET, facts("before"), "run 1")
    monkeypatch.setattr(append_tables, "_now", lambda: right() + jump)
    assert ledger.record("2024-02", TRIPS_DATASET, facts("jumped"), "run 2").sha256 == "jumped"
    jumped = ledger.current("2024-02", TRIPS_DATASET)
    monkeypatch.setattr(append_tables, "_now", right)
    last = ledger.record("2024-02", TRIPS_DATASET, facts("after"), "run 3")
    assert (jumped and jumped.sha256, ledger.current("2024-02", TRIPS_DATASET)) == ("jumped", last)
    ledger.refuse(last, "too few rows", "code", "run 3")
    assert ledger.current("2024-02", TRIPS_DATASET) == jumped


def test_a_month_that_was_never_landed_has_no_file(open_lake: Callable[[], Lake]) -> None:
    assert open_lake().ledger.current("2024-02", TRIPS_DATASET) is None


def test_a_file_that_is_refused_gives_its_place_back_to_the_last_good_one(
    open_lake: Callable[[], Lake],
) -> None:
    ledger = open_lake().ledger

    def current() -> str | None:
        file = open_lake().ledger.current("2024-02", TRIPS_DATASET)
        return file.sha256 if file else None

    def land_and_refuse(content: str) -> None:
        ledger.refuse(ledger.record("2024-02", TRIPS_DATASET, facts(content), "run"), "too few rows", "code", "run 2")

    land_and_refuse("bad")
    assert current() is None
    assert open_lake().ledger.all_current(TRIPS_DATASET) == []
    ledger.record("2024-02", TRIPS_DATASET, facts("good"), "run")
    land_and_refuse("bad")  # the same content again
    land_and_refuse("worse")
    assert current() == "good"
    ledger.record("2024-02", TRIPS_DATASET, facts("bad"), "run")  # judged again
    assert current() == "bad"
    rows = open_lake().ledger.history(TRIPS_DATASET)["2024-02"]
    assert [(row.sha256, row.refused_because) for row in rows if row.refused_by == "code"] == [
        (content, "too few rows") for content in ("bad", "bad", "worse")
    ]


def test_a_ledger_of_before_files_could_be_refused_is_read_and_extended(lake: Lake) -> None:
    first_contract = replace(FILES, columns=FILES.columns[:11], version=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(append_tables, "FILES", first_contract)
        lake.ledger.record("2024-02", TRIPS_DATASET, facts("good"), "run")
    assert "refused_because" not in lake.catalog.open(first_contract).schema().column_names
    file = lake.ledger.current("2024-02", TRIPS_DATASET)
    assert file is not None
    lake.ledger.refuse(lake.ledger.record("2024-02", TRIPS_DATASET, facts("bad"), "run"), "why", "code", "run")
    assert lake.ledger.current("2024-02", TRIPS_DATASET) == file
