"""``taxi-assets quarantine show``: what is in a month's quarantine, and why."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from glue_jobs.contracts import QUARANTINE, TRIPS, tlc
from glue_jobs.contracts.rules import RULES_VERSION
from taxi_assets.cli.main import main
from taxi_assets.lake.lake import Lake
from taxi_assets.operations.run_month import MonthResult
from taxi_assets_tests.conftest import MONTH, write_source
from taxi_assets_tests.support.in_process import stage


def taxi_assets(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


def test_quarantine_show_counts_by_reason_and_shows_samples(published: tuple[Path, MonthResult]) -> None:
    lake, result = published
    shown = taxi_assets("quarantine", "show", "--month", MONTH, "--lake", lake)
    assert shown.exit_code == 0, shown.output
    assert f"{MONTH}, {result.quarantined_rows} rows quarantined, rules v{RULES_VERSION}" in shown.output
    for reason, rows in result.quarantine_reasons.items():
        assert any(reason in line and f" {rows} " in line for line in shown.output.splitlines())
    assert "Longer than 24 hours" in shown.output


def test_quarantine_show_names_every_reason_whole_on_a_narrow_terminal(published: tuple[Path, MonthResult]) -> None:
    lake, result = published
    options = ["quarantine", "show", "--month", MONTH, "--lake", str(lake), "--limit", "50"]
    shown = CliRunner().invoke(main, options, env={"COLUMNS": "80"}).output
    for reason in result.quarantine_reasons:
        assert shown.count(reason) >= 2  # in the counts, and over its rows


@pytest.mark.usefixtures("in_process")
def test_json_has_null_for_what_is_no_number(tmp_path: Path) -> None:
    file = write_source(tmp_path / "source", MONTH, rows=6_000, days=3)
    table = pq.read_table(file)
    fares = [float("nan"), *table["fare_amount"].to_pylist()[1:]]
    pq.write_table(table.set_column(table.column_names.index("fare_amount"), "fare_amount", pa.array(fares)), file)
    stage(MONTH, file, tmp_path / "source" / tlc.ZONE_FILE_PATH, tmp_path / "lake" / "staging")
    for staged in (QUARANTINE, TRIPS):
        Lake.in_folder(tmp_path / "lake").publisher.publish(staged, MONTH, "1", {"rules_version": "2"}, replacing=None)
    options = ("--month", MONTH, "--lake", tmp_path / "lake", "--reason", "impossible_amount", "--json")
    shown = taxi_assets("quarantine", "show", *options).output
    assert "NaN" not in shown
    assert None in {row["fare_amount"] for row in json.loads(shown)["samples"]}
    query = "SELECT fare_amount FROM staging.quarantine"
    assert "NaN" not in taxi_assets("query", query, "--format", "json", "--lake", tmp_path / "lake").output


def test_quarantine_show_can_be_asked_for_one_reason_as_json(published: tuple[Path, MonthResult]) -> None:
    lake, result = published
    options = ("--month", MONTH, "--lake", lake, "--reason", "impossible_amount", "--json")
    report = json.loads(taxi_assets("quarantine", "show", *options).output)
    assert report["rows"] == result.quarantined_rows
    assert report["reasons"] == result.quarantine_reasons
    assert len(report["samples"]) == result.quarantine_reasons["impossible_amount"]
    for row in report["samples"]:
        assert row["fare_amount"] == 123_456.78
        assert "impossible_amount" in row["quarantine_reasons"].split(",")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--month", MONTH, "--reason", "too_slow"), 2, "there is no reason too_slow; choose from missing_pickup_time"),
        (("--month", "2024-03"), 1, "2024-03 is not staged. What to do: taxi-assets run --month 2024-03"),
        (("--month", "March"), 2, "is not a month"),
    ],
)
def test_quarantine_show_says_what_is_wrong(
    published: tuple[Path, MonthResult], arguments: tuple[str, ...], code: int, message: str
) -> None:
    shown = taxi_assets("quarantine", "show", *arguments, "--lake", published[0])
    assert shown.exit_code == code
    assert message in shown.stderr
