"""What holds for any month of any era, however odd its rows: properties, tried on generated months."""

from __future__ import annotations

import tempfile
from pathlib import Path
from random import Random

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glue_jobs.contracts.eras import era_of
from glue_jobs.sources.synthetic import make_zones
from glue_jobs.transforms.normalise import ARROW_TYPES
from taxi_assets.checks.staging.registry import CHECKS
from taxi_assets.checks.staging.subject import StagedMonth
from taxi_assets_tests.support.comparing import different_rows
from taxi_assets_tests.support.in_process import replay, stage
from taxi_assets_tests.support.odd_months import (
    ARROW_OF,
    CLOCK_CHANGES,
    ERA_MONTHS,
    NEEDS_A_REAL_MONTH,
    TRIES,
    Month,
    Row,
    months,
    odd_rows,
    plausible,
    reversal,
)


def failed(month: StagedMonth) -> dict[str, str]:
    """The blocking checks that fail, and what they found."""
    answers = [check.evaluate(month) for check in CHECKS if check.blocking and check.name not in NEEDS_A_REAL_MONTH]
    return {answer.name: answer.outcome.actual for answer in answers if answer.holds_back}


def assert_same_rows(one: StagedMonth, other: StagedMonth) -> None:
    assert different_rows(one.trips, other.trips) == 0
    if one.facts["quarantined_rows"] or other.facts["quarantined_rows"]:
        assert different_rows(one.quarantine, other.quarantine) == 0


def assert_source_is_published_plus_quarantined_in_rows_and_in_each_column(month: Month, once: StagedMonth) -> None:
    assert once.facts["source_rows"] == len(month.rows)
    assert once.facts["published_rows"] + once.facts["quarantined_rows"] == len(month.rows)
    assert failed(once) == {}


def assert_it_is_a_fixed_point_of_replay(month: Month, once: StagedMonth, folder: Path) -> None:
    again = replay(once, folder)
    assert again.facts["released_rows"] == 0
    assert again.facts["source_rows"] == len(month.rows)
    assert failed(again) == {}
    assert_same_rows(once, again)


def assert_the_order_of_the_rows_and_the_splitting_of_the_file_change_nothing(
    month: Month, once: StagedMonth, shuffled: list[Row], cut: int, folder: Path
) -> None:
    (folder / "parts").mkdir(parents=True)
    Month(month.month, shuffled[:cut], month.strange).write(folder / "parts" / "1.parquet", row_group_size=1)
    if shuffled[cut:]:
        Month(month.month, shuffled[cut:], month.strange).write(folder / "parts" / "2.parquet", row_group_size=2)
    split = stage(month.month, folder / "parts", once.zones, folder)
    assert once.facts["quarantine_reasons"] == split.facts["quarantine_reasons"]
    assert once.facts["money"] == split.facts["money"]
    assert_same_rows(once, split)


def assert_all_properties(month: Month, shuffled: list[Row], cut: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "zones.csv").write_bytes(make_zones())
        month.write(folder / "f.parquet")
        once = stage(month.month, folder / "f.parquet", folder / "zones.csv", folder / "once")
        assert_source_is_published_plus_quarantined_in_rows_and_in_each_column(month, once)
        assert_it_is_a_fixed_point_of_replay(month, once, folder / "again")
        assert_the_order_of_the_rows_and_the_splitting_of_the_file_change_nothing(
            month, once, shuffled, cut, folder / "split"
        )


@pytest.mark.usefixtures("in_process")
@TRIES
@given(month=months(), data=st.data())
def test_no_row_is_lost_and_neither_a_replay_nor_another_order_changes_one(month: Month, data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(month.rows))
    assert_all_properties(month, shuffled, data.draw(st.integers(1, max(1, len(shuffled) - 1))))


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("month", [*ERA_MONTHS, *CLOCK_CHANGES])
def test_that_holds_for_a_month_of_each_era_and_each_change_of_the_clock_that_is_full_of_odd_rows(month: str) -> None:
    random = Random(month)
    rows = odd_rows(month, 40)
    rows += [plausible(month), *(dict(row) for row in random.sample(rows, 5))]
    is_strange = (*ERA_MONTHS, *CLOCK_CHANGES).index(month) % 2 == 0
    assert len(rows) > 46
    assert_all_properties(
        Month(month, rows, is_strange), random.sample(rows, len(rows)), random.randrange(1, len(rows))
    )


@pytest.mark.usefixtures("in_process")
def test_fractions_of_a_cent_are_judged_as_they_are_published(tmp_path: Path) -> None:
    month = "2024-03"
    odd: list[Row] = [
        {"fare_amount": -0.004, "total_amount": 7.9},
        {"total_amount": -0.004, "improvement_surcharge": -1.0},
        {"total_amount": -7.7, "improvement_surcharge": 0.004},
        {"trip_distance": 1.0, "fare_amount": 50.004, "total_amount": 57.9},
    ]
    Month(month, [{**plausible(month), **row} for row in odd]).write(tmp_path / "f.parquet")
    (tmp_path / "zones.csv").write_bytes(make_zones())
    staged = stage(month, tmp_path / "f.parquet", tmp_path / "zones.csv", tmp_path / "out")
    assert failed(staged) == {}


@pytest.mark.usefixtures("in_process")
def test_an_index_of_pandas_hides_no_duplicate_and_categoricals_are_staged_as_their_values(tmp_path: Path) -> None:
    month = "2024-03"
    rows = [plausible(month), {**plausible(month), "trip_distance": 7.0}]
    Month(month, [*rows, rows[0], rows[0]]).write(tmp_path / "plain.parquet")
    frame = pq.read_table(tmp_path / "plain.parquet").to_pandas().set_index([[4, 7, 8, 9]])
    frame = frame.astype({"VendorID": "category", "store_and_fwd_flag": "category"})
    frame.to_parquet(tmp_path / "f.parquet", coerce_timestamps="us")
    assert "__index_level_0__" in pq.read_schema(tmp_path / "f.parquet").names
    (tmp_path / "zones.csv").write_bytes(make_zones())
    staged, plain = (
        stage(month, tmp_path / f"{name}.parquet", tmp_path / "zones.csv", tmp_path / name) for name in ("f", "plain")
    )
    assert staged.facts["quarantine_reasons"] == {"exact_duplicate": 2}
    assert failed(staged) == {}
    assert_same_rows(staged, plain)


def test_every_kind_of_row_can_be_generated_in_the_types_of_every_era(tmp_path: Path) -> None:
    for month in ERA_MONTHS:
        Month(month, [plausible(month), reversal(plausible(month), 3)]).write(tmp_path / "f.parquet")
        schema = pq.read_schema(tmp_path / "f.parquet")
        assert {field.name: str(field.type) for field in schema} == dict(era_of(month).columns)
    assert set(ARROW_TYPES.values()) <= set(ARROW_OF.values())
