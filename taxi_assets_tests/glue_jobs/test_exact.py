from __future__ import annotations

import math
import statistics
from decimal import ROUND_HALF_UP, Decimal

import pytest
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from glue_jobs.transforms import exact


def evaluate(spark: SparkSession, values: list[float | None], expression: Column) -> object:
    rows = spark.createDataFrame([(value,) for value in values], "x double")
    return rows.select(expression).collect()[0][0]


@pytest.mark.parametrize("dollars", [0.0, 12.3, -12.3, 0.5 + 3.3, 17.299999, 1.005, -1.005, 2.675, 9999.99, 0.1 + 0.2])
def test_money_rounds_to_the_cent_away_from_zero(spark: SparkSession, dollars: float) -> None:
    cents = Decimal(abs(dollars) * 100).quantize(Decimal(1), ROUND_HALF_UP) / 100
    assert evaluate(spark, [dollars], exact.money(F.col("x"))) == cents.copy_sign(Decimal(dollars))


@pytest.mark.parametrize("dollars", [None, float("nan"), float("inf"), 10_000.01, -1e300])
def test_money_beyond_its_bound_is_null_instead_of_an_overflow(spark: SparkSession, dollars: float | None) -> None:
    assert evaluate(spark, [dollars], exact.money(F.col("x"))) is None


def test_a_total_of_doubles_does_not_depend_on_their_order(spark: SparkSession) -> None:
    values = [0.1, 1e6, 0.2, -1e6, 0.3] * 50
    expression = exact.total(F.col("x"), F.lit(True))
    assert evaluate(spark, list(values), expression) == evaluate(spark, [*sorted(values)], expression) == 30.0


def test_a_mean_leaves_nulls_and_other_rows_out(spark: SparkSession) -> None:
    assert evaluate(spark, [1.0, None, 3.0, 100.0], exact.mean(F.col("x"), F.col("x") < 50)) == 2.0


def test_a_mean_of_nothing_is_null(spark: SparkSession) -> None:
    assert evaluate(spark, [None], exact.mean(F.col("x"), F.lit(True))) is None


def test_a_quotient_by_zero_is_null(spark: SparkSession) -> None:
    assert evaluate(spark, [0.0], exact.quotient(F.lit(1), F.max("x"))) is None


def test_percentiles_are_interpolated_linearly(spark: SparkSession) -> None:
    values: list[float | None] = [float(x) for x in range(1, 101)]
    found = exact.percentiles(F.col("x"), (0.5, 0.95), F.lit(True))
    assert evaluate(spark, values, exact.to_four_decimals(found[0])) == 50.5
    assert evaluate(spark, values, exact.to_four_decimals(found[1])) == 95.05


def test_the_standard_deviation_is_that_of_the_sample(spark: SparkSession) -> None:
    amounts = [12.5, 40.0, 7.25, 99.99, 12.5]
    found = evaluate(spark, list(amounts), exact.money_stddev(exact.money(F.col("x")), F.lit(True)))
    assert isinstance(found, float)
    assert math.isclose(found, statistics.stdev(amounts), rel_tol=1e-9)
    assert evaluate(spark, [5.0], exact.money_stddev(exact.money(F.col("x")), F.lit(True))) is None


def test_whole_numbers_out_of_range_become_null(spark: SparkSession) -> None:
    assert evaluate(spark, [3.0], exact.whole(F.col("x"), 999)) == 3
    assert evaluate(spark, [1e18], exact.whole(F.col("x"), 999)) is None
