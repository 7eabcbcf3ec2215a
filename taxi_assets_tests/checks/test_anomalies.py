from __future__ import annotations

import pytest

from taxi_assets.checks.staging.anomalies import FARTHEST_MONTHS, MIN_NEIGHBOURS, NEIGHBOURS, judge

YEAR = {f"2023-{month:02d}": 100_000.0 + 1_000 * (month % 5) for month in range(1, 13)}


def test_a_month_like_the_others_is_usual() -> None:
    verdict = judge(101_500.0, "2024-01", YEAR, is_share=False)
    assert verdict.usual
    assert verdict.z is not None
    assert abs(verdict.z) < 1
    assert verdict.last_year == YEAR["2023-01"]


@pytest.mark.parametrize("value", [150_000.0, 55_000.0])
def test_a_month_far_from_the_others_is_not(value: float) -> None:
    verdict = judge(value, "2024-01", YEAR, is_share=False)
    assert not verdict.usual
    assert "against 12 months" in verdict.text


def test_the_score_is_that_of_iglewicz_and_hoaglin() -> None:
    published = {f"2023-{month:02d}": value for month, value in enumerate([10.0, 12.0, 14.0, 16.0, 100.0], start=1)}
    assert judge(30.0, "2023-06", published, is_share=False).z == pytest.approx(0.6745 * (30 - 14) / 2)


def test_one_outlier_among_the_published_months_hides_nothing() -> None:
    published = {**YEAR, "2023-07": 900_000.0}
    assert not judge(150_000.0, "2024-01", published, is_share=False).usual


def test_too_few_months_say_nothing() -> None:
    few = dict(list(YEAR.items())[1:MIN_NEIGHBOURS])
    verdict = judge(1.0, "2024-01", few, is_share=False)
    assert verdict.usual
    assert verdict.z is None
    assert verdict.text == f"{MIN_NEIGHBOURS - 1} months of history are too few"


def test_half_of_the_same_month_last_year_is_unusual_even_without_other_months() -> None:
    verdict = judge(49_000.0, "2024-01", {"2023-01": 100_000.0}, is_share=False)
    assert not verdict.usual
    assert verdict.text == "100000 a year ago"
    assert judge(51_000.0, "2024-01", {"2023-01": 100_000.0}, is_share=False).usual


def test_months_that_are_equal_to_the_cent_make_a_small_change_no_outlier() -> None:
    equal = dict.fromkeys(YEAR, 20.0)
    assert judge(20.5, "2024-01", equal, is_share=False).usual
    assert not judge(25.0, "2024-01", equal, is_share=False).usual


def test_a_share_that_was_zero_may_become_a_few_in_ten_thousand() -> None:
    never = dict.fromkeys(YEAR, 0.0)
    assert judge(0.0004, "2024-01", never, is_share=True).usual
    assert not judge(0.02, "2024-01", never, is_share=True).usual


def test_a_month_is_compared_with_those_nearest_to_it_and_not_with_itself() -> None:
    months = [f"{year}-{month:02d}" for year in range(2011, 2025) for month in range(1, 13)]
    falling = {month: 14e6 - 6e4 * number for number, month in enumerate(months)}
    middle = "2017-06"
    assert judge(falling[middle], middle, falling, is_share=False).usual
    far_behind = {"2011-01": 14e6, "2011-02": 14e6, "2011-03": 14e6, "2011-04": 14e6}
    assert judge(3e6, "2024-01", far_behind, is_share=False).z is None
    assert FARTHEST_MONTHS > NEIGHBOURS
    assert judge(5.0, "2024-01", {"2024-01": 5e9}, is_share=False).usual
