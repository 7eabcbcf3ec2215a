"""Figures and words: what is drawn is what the rows say."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import Any

import pytest

from taxi_assets.presentation import figures
from taxi_assets.presentation.theme import CATEGORIES, DARK, LIGHT, template
from taxi_assets.presentation.wording import change, heading, month_name, percent, sentence, short
from taxi_assets.presentation.zone_map import OUTLINES, shapes, zone_map

SQUARE = '{"type": "Polygon", "coordinates": [[[-74, 40], [-73.9, 40], [-73.9, 40.1], [-74, 40.1], [-74, 40]]]}'
ZONES = [
    {"location_id": 1, "zone": "One", "borough": "Queens", "shape": SQUARE},
    {"location_id": 2, "zone": "Two", "borough": "Queens", "shape": SQUARE},
    {"location_id": 264, "zone": "Unknown", "borough": None, "shape": None},
]


def day(number: int, **changed: object) -> dict[str, object]:
    return {
        "pickup_date": date(2024, 3, number),
        "trips": number,
        "trips_7_day_mean": None,
        "holiday": None,
        "hours_in_day": 24,
        "event": None,
        **changed,
    }


def test_a_trend_marks_holidays_days_of_other_lengths_and_events() -> None:
    figure = figures.trend([day(9), day(10, hours_in_day=23), day(11, holiday="Some day", event="A fee began")])
    days, mean, marks = figure.data
    assert list(days.y) == [9, 10, 11]
    assert list(mean.y) == [None] * 3
    assert [text for [text] in marks.customdata] == [
        "10 Mar 2024: a day of 23 hours",
        "11 Mar 2024: Some day; A fee began",
    ]


def test_days_without_trips_are_a_gap_in_the_trend() -> None:
    days, _, _ = figures.trend([day(1), day(4)]).data
    assert [str(one) for one in days.x] == ["2024-03-01", "2024-03-02", "2024-03-03", "2024-03-04"]
    assert list(days.y) == [1, None, None, 4]


def test_a_week_has_a_row_for_each_weekday_and_gaps_where_there_are_no_rows() -> None:
    [cells] = figures.week([{"day_of_week": 7, "hour_of_day": 23, "n": 5.0}], "n", "trips").data
    assert (len(cells.z), {len(row) for row in cells.z}) == (7, {24})
    assert cells.z[6][23] == 5.0
    assert cells.z[0][0] is None


def test_series_are_ordered_by_size_and_many_months_stand_on_an_axis_of_time() -> None:
    rows = [
        {"month": f"2024-{n:02d}", "kind": kind, "v": v} for n in (1, 2, 3) for kind, v in (("small", 1), ("big", 9))
    ]
    figure = figures.stack(rows, "month", "kind", "v", "trips")
    assert [trace.name for trace in figure.data] == ["big", "small"]
    assert figure.layout.xaxis.type == "date"
    assert list(figure.data[0].x) == ["2024-01-01", "2024-02-01", "2024-03-01"]
    assert figures.stack(rows[:2], "month", "kind", "v", "trips").layout.xaxis.type == "category"


def test_a_few_rows_are_counted_in_whole_numbers() -> None:
    few, many = (figures.ranking([{"why": "x", "n": n}], "why", "n", "rows", ",d") for n in (3, 300))
    assert (few.layout.xaxis.dtick, many.layout.xaxis.dtick) == (1, None)


def test_a_series_alone_is_named_and_has_the_colour_that_it_is_given() -> None:
    figure = figures.stack(
        [{"month": "2024-02", "is": "failed", "n": 1}], "month", "is", "n", "n", colours={"failed": "red"}
    )
    assert (figure.layout.showlegend, figure.data[0].marker.color) == (True, "red")


def test_a_matrix_leaves_pairs_without_rows_empty() -> None:
    [cells] = figures.matrix([{"a": "X", "b": "Y", "v": 0.5}, {"a": "Z", "b": "Z", "v": 0.1}], "a", "b", "v", "t").data
    assert cells.x == ("Y", "Z")
    assert [list(row) for row in cells.z] == [[0.5, None], [None, 0.1]]


def test_the_map_colours_zones_with_rows_and_draws_the_others_in_grey() -> None:
    zones = shapes(ZONES)
    assert [feature["id"] for feature in zones["features"]] == [1, 2]
    rows = [{"location_id": n, "zone": "One", "borough": "Queens", "trips": 10 * n} for n in (1, 264)]
    grey, coloured = zone_map(zones, rows, "trips", "trips", "~s").data
    assert list(grey.locations) == [1, 2]
    assert list(coloured.locations) == [1]
    assert list(coloured.z) == [10]
    assert list(zone_map(zones, [], "trips", "trips", "~s").data[1].z) == []


def test_rings_run_clockwise_as_the_map_wants_them() -> None:
    [ring] = shapes(ZONES)["features"][0]["geometry"]["coordinates"]
    area = sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairwise(ring))
    assert area < 0


def test_the_outlines_have_what_plotly_asks_for_and_nothing_to_draw() -> None:
    found: Any = OUTLINES["objects"]
    assert found.keys() == {"coastlines", "land", "ocean", "lakes", "rivers", "countries", "subunits"}
    assert all(one["geometries"] == [] for one in found.values())


def test_text_stands_out_from_its_background_in_both_themes() -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    for theme, dark in ((LIGHT, False), (DARK, True)):
        for name in ("textColor", "primaryColor"):
            for background in ("backgroundColor", "secondaryBackgroundColor"):
                pair = sorted((luminance(theme[name]), luminance(theme[background])))
                assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5, (name, background)
        assert template(dark).layout.font.color == theme["textColor"]
    assert len(set(CATEGORIES)) == len(CATEGORIES)


@pytest.mark.parametrize(
    ("number", "text"),
    [(2_964_624, "2.96 M"), (103_012.0, "103 k"), (9_999, "9,999"), (27.0788, "27.08"), (None, "-"), (-3506, "-3,506")],
)
def test_numbers_have_three_digits(number: float | None, text: str) -> None:
    assert short(number) == text


def test_shares_and_changes_are_percent_and_what_is_unknown_is_no_zero() -> None:
    assert (percent(0.0412), percent(None), change(-0.02), change(None)) == ("4.1 %", "-", "-2.0 %", None)
    assert short(27.0788, "$") == "$27.08"
    assert month_name("2024-02") == "February 2024"


def test_a_heading_is_words_with_the_unit_where_values_do_not_say_it() -> None:
    assert heading("net_revenue_per_day", "USD") == "Net revenue per day (USD)"
    assert [heading("trips", "rows"), heading("card_share", "0-1")] == ["Trips", "Card share"]
    assert [heading("run_id"), heading("pickups_per_day")] == ["Run ID", "Pick-ups per day"]


def test_a_month_in_a_sentence_says_what_it_was_compared_with() -> None:
    row = {
        "month": "2024-02",
        "trips": 2_964_624,
        "net_revenue": 80_000_000,
        "is_partial": False,
        "days": 29,
        "days_in_month": 29,
        "trips_per_day_change_year": -0.021,
        "trips_per_day_change_month": 0.0001,
    }
    assert sentence(row) == (
        "**February 2024**: 2.96 M trips brought in $80.0 M net; per day that is 2.1 % fewer trips than a year before "
        "and as many trips as the month before."
    )
    alone = {**row, "is_partial": True, "days": 10} | dict.fromkeys(
        ("trips_per_day_change_year", "trips_per_day_change_month")
    )
    assert "on the 10 of 29 days that are published. There is nothing published yet to compare it with." in sentence(
        alone
    )
