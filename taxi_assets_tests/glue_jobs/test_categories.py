from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from glue_jobs.contracts import TRIPS, tlc
from glue_jobs.contracts.categories import CATEGORIES, Category
from glue_jobs.contracts.rules import HELPERS, RULES
from glue_jobs.transforms.curated import passenger_group
from taxi_assets_tests.support.trips import staged_rows

_TEXTS = re.compile(r"'[^']*'")
_SQL = {
    *("and", "or", "not", "is", "null", "in", "case", "when", "then", "else", "end", "between", "true", "false"),
    *("isnan", "abs", "floor", "coalesce", "month_start", "next_month"),
}


def trip_with(category: Category) -> dict[str, Any]:
    if category.of != "tpep_pickup_datetime":
        return {category.of: category.example}
    pickup = datetime.fromisoformat(str(category.example))
    return {"tpep_pickup_datetime": pickup, "tpep_dropoff_datetime": pickup + timedelta(minutes=15)}


def test_each_example_of_a_category_is_in_it(spark: SparkSession) -> None:
    trips = staged_rows(spark, *({**trip_with(one), "request_source": str(at)} for at, one in enumerate(CATEGORIES)))
    grouped = trips.withColumn("passenger_group", passenger_group(F.col("passenger_count")))
    rows = {int(row["request_source"]): row for row in grouped.collect()}
    assert [rows[at][one.column] for at, one in enumerate(CATEGORIES)] == [one.value for one in CATEGORIES]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.rule_id)
def test_a_rule_speaks_of_columns_and_of_helpers_that_are_explained(rule: Any) -> None:
    words = set(re.findall(r"[A-Za-z_]\w*", _TEXTS.sub("", rule.predicate.replace("{", " ").replace("}", " "))))
    columns = {column.name for column in tlc.TRIP_COLUMNS} | set(TRIPS.column_names)
    assert {word for word in words if word.lower() not in _SQL} <= columns | HELPERS.keys()


def test_every_helper_that_is_explained_is_used() -> None:
    told = " ".join(rule.predicate for rule in RULES)
    assert [name for name in HELPERS if not re.search(rf"\b{name}\b", told)] == []
