"""Each check against a month that a faulty job would have written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import dagster as dg
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taxi_assets.checks.staging import registry as staging
from taxi_assets.checks.staging.subject import StagedMonth
from taxi_assets_tests.support.checking import answer_to, failed, rewrite


def test_a_good_month_passes_every_staging_check(staged: StagedMonth) -> None:
    assert failed(staging.CHECKS, staged) == set()


ACCOUNTING, MONEY = "trips: every_row_is_accounted_for", "trips: money_adds_up_to_the_cent"
REPORT, CONTRACT = "trips: report_matches_files", "trips: conforms_to_contract"


@pytest.mark.parametrize(
    ("select", "caught_by"),
    [
        ("SELECT * FROM rows LIMIT 100", {ACCOUNTING, MONEY, REPORT}),
        ("FROM rows UNION ALL (FROM rows LIMIT 1)", {ACCOUNTING, MONEY, REPORT}),
        ("SELECT * REPLACE (total_amount + 0.01 AS total_amount) FROM rows", {MONEY, REPORT, CONTRACT}),
        ("SELECT * REPLACE (extra AS mta_tax, mta_tax AS extra) FROM rows", {MONEY, REPORT}),
        ("SELECT * REPLACE (pickup_at + INTERVAL 40 DAY AS pickup_at) FROM rows", {"trips: trips_lie_in_the_month"}),
        ("SELECT * REPLACE ('2024-03' AS month) FROM rows", {CONTRACT}),
        ("SELECT * EXCLUDE time_of_day_category FROM rows", {CONTRACT}),
        ("SELECT * REPLACE (NULL::DATE AS pickup_date) FROM rows", {CONTRACT}),
        ("SELECT * REPLACE (total_amount::DOUBLE AS total_amount) FROM rows", {CONTRACT}),
        ("SELECT * FROM rows WHERE false", {ACCOUNTING, MONEY, REPORT, "trips: has_rows"}),
    ],
)
def test_a_fault_in_the_trips_is_caught(staged: StagedMonth, select: str, caught_by: set[str]) -> None:
    rewrite(Path(staged.trips), select)
    assert caught_by <= failed(staging.CHECKS, staged)


_NEXT_TIP = "coalesce(lead(tip_amount) OVER (ORDER BY row_hash), first_value(tip_amount) OVER (ORDER BY row_hash))"


@pytest.mark.parametrize(
    ("select", "caught_by"),
    [
        (f"SELECT * REPLACE ({_NEXT_TIP} AS tip_amount) FROM rows", "rows_are_those_of_the_source"),
        (
            "FROM (FROM rows ORDER BY row_hash OFFSET 1) UNION ALL FROM (FROM rows ORDER BY row_hash DESC LIMIT 1)",
            "rows_are_those_of_the_source",
        ),
        ("SELECT * REPLACE (pickup_hour + 1 AS pickup_hour) FROM rows", "derived_columns_hold"),
        ("SELECT * REPLACE (trip_duration_minutes + 1 AS trip_duration_minutes) FROM rows", "derived_columns_hold"),
        ("SELECT * REPLACE (trip_duration_minutes + 60 AS trip_duration_minutes) FROM rows", "derived_columns_hold"),
        ("SELECT * REPLACE (average_speed_mph * 2 AS average_speed_mph) FROM rows", "derived_columns_hold"),
        ("SELECT * REPLACE (fare_per_mile + 1 AS fare_per_mile) FROM rows", "derived_columns_hold"),
        ("SELECT * REPLACE ('Bronx' AS pickup_borough) FROM rows", "derived_columns_hold"),
        ("SELECT * REPLACE ('Helix' AS vendor) FROM rows", "derived_columns_hold"),
        ("SELECT * REPLACE ('Cash' AS payment_method) FROM rows", "derived_columns_hold"),
        ("SELECT * REPLACE (NOT is_airport_trip AS is_airport_trip) FROM rows", "derived_columns_hold"),
        ("SELECT * REPLACE (1::BIGINT AS trip_key) FROM rows", "keys_identify_rows_and_trips"),
        ("SELECT * REPLACE (1::BIGINT AS row_hash) FROM rows", "keys_identify_rows_and_trips"),
        ("SELECT * REPLACE ('' AS quality_flags) FROM rows", "rules_hold"),
        ("SELECT * REPLACE ('zero_distance' AS quality_flags) FROM rows", "rules_hold"),
        ("SELECT * REPLACE (NOT is_refund AS is_refund) FROM rows", "derived_columns_hold"),
        ("SELECT * REPLACE (false AS is_refunded) FROM rows", "links_are_mutual"),
        ("SELECT * REPLACE ('made_up' AS quality_flags) FROM rows", "reasons_are_registered"),
        ("SELECT * REPLACE (passenger_count + 0 AS passenger_count, NULL::INT AS rate_code_id) FROM rows", "flex_fare"),
        ("SELECT * REPLACE ('total_does_not_add_up' AS quality_flags) FROM rows", "totals_reconcile"),
        ("SELECT * REPLACE ('unknown_zone' AS quality_flags) FROM rows", "zones_are_known"),
    ],
)
def test_a_fault_that_leaves_the_sums_as_they_are_is_caught(staged: StagedMonth, select: str, caught_by: str) -> None:
    rewrite(Path(staged.trips), select)
    found = failed(staging.CHECKS, staged)
    assert any(name.startswith(f"trips: {caught_by}") for name in found)
    if caught_by != "rows_are_those_of_the_source":
        assert ACCOUNTING not in found


def test_a_quarantined_row_with_another_reason_than_its_own_is_caught(staged: StagedMonth) -> None:
    rewrite(Path(staged.quarantine), "SELECT * REPLACE ('impossible_amount' AS quarantine_reasons) FROM rows")
    assert "trips: rules_hold" in failed(staging.CHECKS, staged)


@pytest.mark.parametrize(
    ("select", "name", "rows"),
    [
        ("SELECT * REPLACE ('Bronx' AS pickup_borough) FROM rows", "derived_columns_hold", 20),
        ("SELECT * REPLACE ('' AS quality_flags) FROM rows", "rules_hold", 20),
        ("FROM rows ORDER BY row_hash OFFSET 3", "rows_are_those_of_the_source", 3),
        (f"SELECT * REPLACE ({_NEXT_TIP} AS tip_amount) FROM rows", "rows_are_those_of_the_source", 20),
        ("SELECT * REPLACE (NULL::VARCHAR AS vendor) FROM rows", "conforms_to_contract", 1_000),
        ("SELECT * REPLACE (pickup_at + INTERVAL 40 DAY AS pickup_at) FROM rows", "trips_lie_in_the_month", 1_000),
    ],
)
def test_the_rows_to_look_at_are_the_faulty_ones(staged: StagedMonth, select: str, name: str, rows: int) -> None:
    rewrite(Path(staged.trips), select)
    sql = answer_to(staging.CHECKS, name)(staged).outcome.rows_to_look_at
    with duckdb.connect() as connection:
        shown = connection.execute(sql).fetchall()
    assert len(shown) == rows if rows <= 20 else len(shown) > rows


def test_repeated_rows_beyond_what_is_known_are_shown(staged: StagedMonth) -> None:
    rewrite(
        Path(staged.quarantine),
        "SELECT rows.* REPLACE ('exact_duplicate' AS quarantine_reasons) FROM rows, range(2)",
    )
    assert "quarantine: duplicates_are_few" in failed(staging.CHECKS, staged)


def test_a_value_of_an_unknown_column_that_is_not_kept_is_caught(staged: StagedMonth, tmp_path: Path) -> None:
    table = pq.read_table(staged.source)
    moods = pa.array(["glad"] * table.num_rows)
    pq.write_table(table.append_column("driver_mood", moods), tmp_path / "strange.parquet")
    assert failed(staging.CHECKS, replace(staged, source=str(tmp_path / "strange.parquet"))) == {
        "trips: rows_are_those_of_the_source"
    }


def published_like(staged: StagedMonth, **others: float) -> dict[str, dict[str, float]]:
    """Twelve published months with the numbers of ``staged``, but for ``others``."""
    months = [f"2023-{number:02d}" for number in range(1, 13)]
    return {name: dict.fromkeys(months, others.get(name, value)) for name, value in staged.profile.items()}


def test_a_month_like_its_published_neighbours_is_usual(staged: StagedMonth) -> None:
    assert failed(staging.CHECKS, replace(staged, published=published_like(staged))) == set()


@pytest.mark.parametrize(
    ("measure", "other", "caught_by"),
    [
        ("trips_per_day", 900.0, "trips: volume_is_usual"),
        ("pickup_zones", 20.0, "trips: volume_is_usual"),
        ("net_revenue_per_day", 1.0, "trips: revenue_is_usual"),
        ("average_fare", 9.0, "trips: averages_are_usual"),
        ("card_tip_rate", 0.9, "trips: averages_are_usual"),
        ("null_passenger_count", 0.6, "trips: null_rates_are_usual"),
        ("implausible_speed", 0.5, "trips: flag_rates_are_usual"),
        ("unlinked_refund", 0.2, "trips: flag_rates_are_usual"),
        ("quarantined_share", 0.09, "quarantine: reject_rates_are_usual"),
        ("impossible_amount", 0.09, "quarantine: reject_rates_are_usual"),
    ],
)
def test_a_month_that_differs_from_its_neighbours_is_shown_and_not_held_back(
    staged: StagedMonth, measure: str, other: float, caught_by: str
) -> None:
    unlike = replace(staged, published=published_like(staged, **{measure: other}))
    assert failed(staging.CHECKS, unlike) == {caught_by}
    name = caught_by.partition(": ")[2]
    answer = answer_to(staging.CHECKS, name)(unlike)
    assert not answer.holds_back
    assert measure in answer.outcome.actual
    shown = {row["measure"]: row["verdict"] for row in answer.outcome.details["comparison"]}
    assert [found for found, verdict in shown.items() if verdict != "usual"] == [measure]


def test_a_measure_that_has_no_value_any_more_is_shown(staged: StagedMonth) -> None:
    rewrite(Path(staged.trips), "SELECT * REPLACE (NULL::DOUBLE AS average_speed_mph) FROM rows")
    like = {"median_speed": {f"2023-{number:02d}": 11.0 for number in range(1, 13)}}
    outcome = answer_to(staging.CHECKS, "averages_are_usual")(replace(staged, published=like)).outcome
    assert outcome.actual == "median_speed has no value, as it has in 12 published months"
    assert not outcome.passed


def test_a_lost_quarantine_row_is_caught(staged: StagedMonth) -> None:
    rewrite(Path(staged.quarantine), "FROM rows LIMIT 2")
    assert ACCOUNTING in failed(staging.CHECKS, staged)


def test_a_quarantine_of_a_tenth_of_the_month_is_caught(staged: StagedMonth) -> None:
    rewrite(Path(staged.quarantine), "SELECT rows.* FROM rows, range(100)")
    assert "quarantine: is_small" in failed(staging.CHECKS, staged)


def test_a_quarantined_row_without_a_reason_is_caught(staged: StagedMonth) -> None:
    rewrite(Path(staged.quarantine), "SELECT * REPLACE (NULL::VARCHAR AS quarantine_reasons) FROM rows")
    assert failed(staging.CHECKS, staged) == {"quarantine: conforms_to_contract"}


def test_a_report_that_says_something_else_than_the_files_is_caught(staged: StagedMonth) -> None:
    lying = replace(staged, facts={**staged.facts, "published_rows": 1})
    assert failed(staging.CHECKS, lying) == {ACCOUNTING}


def test_a_failed_check_shows_what_was_expected_and_what_is(staged: StagedMonth) -> None:
    rewrite(Path(staged.trips), "FROM rows LIMIT 100")
    result = answer_to(staging.CHECKS, "every_row_is_accounted_for")(staged).result
    assert result.severity == dg.AssetCheckSeverity.ERROR
    assert result.metadata["expected"].value == f"{staged.facts['source_rows']} source rows"
    assert result.metadata["actual"].value.startswith("100 published + ")
