from __future__ import annotations

import pytest

from glue_jobs.contracts import TABLES
from taxi_assets.warehouse.names import described, full_name
from taxi_assets.warehouse.view import parse, views

VIEW = """-- What it shows,
-- in two lines.
--
-- Grain: month, day
--
-- month | string | | Month
-- day | int | 1-31 | Day | with a line in its meaning
SELECT a.month, a.day FROM curated.one AS a JOIN "raw".two AS b ON b.day = a.day
"""


def test_a_view_is_what_its_file_says() -> None:
    view = parse("shown", VIEW)
    assert view.table.full_name == "analytics.shown"
    assert view.table.description == "What it shows, in two lines."
    assert view.table.grain == ("month", "day")
    assert [(one.name, one.type.value, one.unit, one.description) for one in view.table.columns] == [
        ("month", "string", "", "Month"),
        ("day", "int", "1-31", "Day | with a line in its meaning"),
    ]
    assert view.sql.startswith("SELECT a.month")
    assert view.tables == ("curated.one", "raw.two")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("-- What\nSELECT 1", "no line '-- Grain: columns'"),
        ("-- Grain: month\n-- month | string\nSELECT 1", "is no 'name [|] type [|] unit [|] meaning'"),
        ("-- Grain: month\n-- month | text | | Month\nSELECT 1", "is not a valid Type"),
        ("-- Grain: day\n-- month | string | | Month\nSELECT 1", "names unknown columns"),
    ],
)
def test_a_header_that_says_too_little_is_told(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse("shown", text)


@pytest.mark.parametrize("name", views())
def test_a_view_reads_tables_that_there_are_and_is_itself_unlike_them(name: str) -> None:
    view = views()[name]
    assert set(view.tables) <= described().keys() - {one.table.full_name for one in views().values()}
    assert full_name(name) == view.table.full_name
    assert all(table.name != name for table in TABLES.values())
