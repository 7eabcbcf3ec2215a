from __future__ import annotations

import pytest

from taxi_assets.warehouse.dialect import faults
from taxi_assets.warehouse.view import views


@pytest.mark.parametrize("name", views())
def test_every_view_is_in_the_dialect_that_both_engines_share(name: str) -> None:
    assert faults(views()[name].sql) == []


@pytest.mark.parametrize(
    ("select", "because"),
    [
        # PostgreSQL, which tests ask in Redshift's place, would run each of these.
        ("CAST(SUM(trips) FILTER (WHERE trips > 1) AS BIGINT) AS x", "Filter is not in the shared dialect"),
        ("ARRAY_AGG(trips) AS x", "ArrayAgg is not in the shared dialect"),
        ("STRING_AGG(day_type, ',') AS x", "GroupConcat is not in the shared dialect"),
        ("GENERATE_SERIES(1, 2) AS x", "ExplodingGenerateSeries is not in the shared dialect"),
        ("trips IS DISTINCT FROM refunds AS x", "NullSafeNEQ is not in the shared dialect"),
        ("AVG(trips) AS x", "Avg is not in the shared dialect"),
        ("trips / refunds AS x", "one side must be DOUBLE PRECISION"),
        ("net_revenue / trips AS x", "one side must be DOUBLE PRECISION"),
        ("SUM(trips) AS x", "needs a CAST"),
        ("DATE_TRUNC('month', pickup_date) AS x", "needs a CAST"),
        ("RANK() OVER (ORDER BY trips DESC) AS x", "needs NULLS LAST"),
        ("CAST(SUM(trips) OVER (ORDER BY pickup_date) AS BIGINT) AS x", "Redshift wants a frame"),
        ("trips AS tag", "a word that Redshift reserves must be quoted"),
        ("CAST(net_revenue AS DECIMAL) AS x", "the type needs one"),
        ("CAST(day_type AS TEXT) AS x", "no type of the shared dialect"),
        ("DISTINCT ON (month) trips", "DISTINCT stands after SELECT and in COUNT"),
        ("CAST(SUM(average_total) AS DOUBLE PRECISION) AS x", "depends on the order"),
        ("*", "columns are named one by one"),
        ("tips_in_cash", "'tips_in_cash' could not be resolved"),
    ],
)
def test_a_select_that_one_engine_refuses_or_computes_otherwise_is_told(select: str, because: str) -> None:
    assert because in " ".join(faults(f"SELECT {select} FROM curated.daily_metrics"))


@pytest.mark.parametrize(
    ("sql", "because"),
    [
        ("SELECT month FROM raw.files", "a word that Redshift reserves must be quoted"),
        ("SELECT month FROM daily_metrics", "neither a table of the lake"),
        ("SELECT trips FROM curated.daily_metrics ORDER BY trips", "a view has no order"),
        ("SELECT trips FROM curated.daily_metrics LIMIT 3", "a view has no limit"),
        ("SELECT month FROM curated.daily_metrics GROUP BY 1", "GROUP BY names columns"),
        ("SELECT month FROM curated.daily_metrics GROUP BY ALL", "GROUP BY names columns"),
        ("SELECT month FROM curated.daily_metrics GROUP BY ROLLUP (month)", "GROUP BY names columns"),
        (
            "SELECT month FROM curated.daily_metrics UNION SELECT month FROM curated.daily_metrics",
            "a union is UNION ALL",
        ),
        ("SELECT a.month FROM curated.daily_metrics AS a NATURAL JOIN curated.daily_metrics AS b", "joins are JOIN"),
        ("SELECT a.month FROM curated.daily_metrics AS a, curated.daily_metrics AS b", "joins are JOIN"),
        ("DELETE FROM curated.daily_metrics", "it is not one SELECT"),
        ("SELECT month FROM curated.daily_metrics; SELECT 1", "it is not one SELECT"),
        ("SELEC month", "it is not one SELECT"),
        (r"SELECT month FROM curated.daily_metrics WHERE day_type = 'a\b'", "a backslash is read differently"),
        ("SELECT (month FROM curated.daily_metrics", "it does not parse"),
    ],
)
def test_a_query_of_a_shape_that_the_engines_do_not_share_is_told(sql: str, because: str) -> None:
    assert because in " ".join(faults(sql))
