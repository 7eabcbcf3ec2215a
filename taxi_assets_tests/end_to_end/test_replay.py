"""Judging a quarantine again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from glue_jobs.contracts import MONTHLY_TABLES, QUARANTINE, TRIPS, tlc
from glue_jobs.sources.synthetic import make_month
from taxi_assets.cli.main import main
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.publishing import Publication
from taxi_assets.lake.status import lake_status
from taxi_assets.operations.run_month import MonthResult, run_month
from taxi_assets.settings import Settings
from taxi_assets_tests.conftest import MONTH, ROWS, write_source
from taxi_assets_tests.support.comparing import different_rows
from taxi_assets_tests.support.mutants import run_mutant

Run = Callable[..., MonthResult]
Replay = Callable[[Path], MonthResult]
FAR_CODE = 1_000_001
"""The payment type that the synthetic source gives one row in quarantine."""


@pytest.fixture(scope="module")
def replay(engine: str) -> Replay:
    return lambda lake: run_month(Settings(lake=str(lake), engine=engine), MONTH, None, lambda *_: None, replay=True)


@pytest.fixture(scope="module")
def source_with_reversal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A month in which the trip that has an impossible code was reversed by a refund without that fault."""
    folder = tmp_path_factory.mktemp("source")
    file = write_source(folder, MONTH)
    rows = make_month(MONTH, ROWS, 1).to_pylist()
    [faulty] = [row for row in rows if row["payment_type"] == FAR_CODE]
    money = {name for name in faulty if name.lower() in tlc.MONEY_COLUMNS and faulty[name] is not None}
    reversal = {**faulty, **{name: -faulty[name] for name in money}, "payment_type": 3}
    pq.write_table(pa.Table.from_pylist([*rows, reversal], schema=pq.read_schema(file)), file)
    return folder


@pytest.fixture(scope="module")
def staged(run: Run, source_with_reversal: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with that month, which tests replay; its rows stay the same."""
    lake = tmp_path_factory.mktemp("staged") / "lake"
    result = run(lake, source_with_reversal)
    assert result.succeeded, result.error
    return lake


def live(lake: Path) -> dict[str, Publication]:
    publisher = Lake.in_folder(lake).publisher
    found = {name: publisher.live(table, MONTH) for name, table in MONTHLY_TABLES.items()}
    return {name: entry for name, entry in found.items() if entry is not None}


def ask(lake: Path, sql: str) -> list[tuple[object, ...]]:
    with Lake.in_folder(lake).connect() as connection:
        return connection.execute(sql).fetchall()


def test_under_the_same_rules_a_replay_changes_no_row(replay: Replay, staged: Path) -> None:
    before = live(staged)
    result = replay(staged)
    assert result.succeeded, result.error
    assert result.released_rows == 0
    assert (result.source_rows or 0) == (result.published_rows or 0) + (result.quarantined_rows or 0)
    after = live(staged)
    for name in MONTHLY_TABLES:
        assert after[name].version != before[name].version
        assert different_rows(before[name].path, after[name].path) == 0
    assert after[TRIPS.full_name].lineage["replay_of"] == before[TRIPS.full_name].version
    assert lake_status(Lake.in_folder(staged))[0].remarks == ()


def test_a_replay_under_a_relaxed_rule_gives_what_a_whole_run_under_it_gives(
    run: Run, replay: Replay, source_with_reversal: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert run(tmp_path / "replayed", source_with_reversal).succeeded
    unlinked = "SELECT count(*) FROM staging.trips WHERE quality_flags LIKE '%unlinked_refund%'"
    assert ask(tmp_path / "replayed", unlinked) == [(1,)]
    run_mutant(monkeypatch, tmp_path, "contracts/rules.py", "MAX_CODE = 999\n", "MAX_CODE = 9_999_999\n")
    result = replay(tmp_path / "replayed")
    assert result.succeeded, result.error
    assert result.released_rows == 1
    assert "impossible_code" not in result.quarantine_reasons
    whole = run(tmp_path / "whole", source_with_reversal)
    assert (result.published_rows, result.quarantined_rows) == (whole.published_rows, whole.quarantined_rows)
    replayed, fresh = live(tmp_path / "replayed"), live(tmp_path / "whole")
    for name in MONTHLY_TABLES:
        assert different_rows(replayed[name].path, fresh[name].path) == 0
    assert ask(tmp_path / "replayed", unlinked) == [(0,)]
    refunded = f"SELECT is_refunded FROM staging.trips WHERE payment_type = {FAR_CODE}"
    assert ask(tmp_path / "replayed", refunded) == [(True,)]


def test_a_replay_that_loses_rows_publishes_nothing(
    replay: Replay, staged: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = live(staged)
    line = "judge.quarantined(judged), month"
    run_mutant(monkeypatch, tmp_path, "replay_quarantine.py", line, "judge.quarantined(judged).limit(3), month")
    result = replay(staged)
    assert "staging/trips: every_row_is_accounted_for" in result.failed_checks
    assert live(staged) == before


def test_a_month_that_is_not_staged_cannot_be_replayed(replay: Replay, tmp_path: Path) -> None:
    result = replay(tmp_path / "lake")
    assert f"{MONTH} is not landed. What to do: materialize raw/trips for it." in result.error


def test_a_replay_of_an_earlier_source_file_is_refused(run: Run, replay: Replay, tmp_path: Path) -> None:
    write_source(tmp_path / "source", MONTH, rows=600)
    assert run(tmp_path / "lake", tmp_path / "source").succeeded
    lake = Lake.in_folder(tmp_path / "lake")
    file = lake.ledger.current(MONTH, "nyc_taxi")
    assert file is not None
    lake.ledger.record(MONTH, "nyc_taxi", {**file.__dict__, "physical_schema": {}, "sha256": "newer"}, "a run")
    before = live(tmp_path / "lake")
    assert "it was staged from an earlier source file" in replay(tmp_path / "lake").error
    assert live(tmp_path / "lake") == before


def test_a_replay_of_a_month_of_an_earlier_contract_is_refused(run: Run, replay: Replay, tmp_path: Path) -> None:
    write_source(tmp_path / "source", MONTH, rows=600)
    assert run(tmp_path / "lake", tmp_path / "source").succeeded
    lake = Lake.in_folder(tmp_path / "lake")
    for table in (QUARANTINE, TRIPS):
        now = lake.publisher.live(table, MONTH)
        assert now is not None
        shutil.copytree(now.path, lake.paths.version(table, MONTH, "old"))
        lake.publisher.publish(table, MONTH, "old", {**now.lineage, "contract_version": "1"}, replacing=now)
    assert "it was staged under an earlier contract" in replay(tmp_path / "lake").error
    assert f"staging was written under an earlier contract: run {MONTH} again" in lake_status(lake)[0].remarks
    result = run_month(Settings(lake=str(tmp_path / "lake")), MONTH, None, lambda *_: None, replay=True)
    assert f"What to do: run {MONTH} again instead: taxi-assets run --month {MONTH}" in result.error


def taxi_assets(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


def test_quarantine_show_counts_by_reason_and_shows_samples(published: tuple[Path, MonthResult]) -> None:
    lake, result = published
    shown = taxi_assets("quarantine", "show", "--month", MONTH, "--lake", lake)
    assert shown.exit_code == 0, shown.output
    assert f"{MONTH}, {result.quarantined_rows} rows quarantined, rules v2" in shown.output
    for reason, rows in result.quarantine_reasons.items():
        assert any(reason in line and f" {rows} " in line for line in shown.output.splitlines())
    assert "Longer than 24 hours" in shown.output


def test_quarantine_show_names_every_reason_whole_on_a_narrow_terminal(published: tuple[Path, MonthResult]) -> None:
    lake, result = published
    options = ["quarantine", "show", "--month", MONTH, "--lake", str(lake), "--limit", "50"]
    shown = CliRunner().invoke(main, options, env={"COLUMNS": "80"}).output
    for reason in result.quarantine_reasons:
        assert shown.count(reason) >= 2  # in the counts, and over its rows


def test_json_has_null_for_what_is_no_number(run: Run, tmp_path: Path) -> None:
    file = write_source(tmp_path / "source", MONTH, rows=600)
    table = pq.read_table(file)
    fares = [float("nan"), *table["fare_amount"].to_pylist()[1:]]
    pq.write_table(table.set_column(table.column_names.index("fare_amount"), "fare_amount", pa.array(fares)), file)
    assert run(tmp_path / "lake", tmp_path / "source").succeeded
    options = ("--month", MONTH, "--lake", tmp_path / "lake", "--reason", "impossible_amount", "--json")
    shown = taxi_assets("quarantine", "show", *options).output
    assert "NaN" not in shown
    assert None in {row["fare_amount"] for row in json.loads(shown)["samples"]}
    query = "SELECT fare_amount FROM staging.quarantine"
    assert "NaN" not in taxi_assets("query", query, "--format", "json", "--lake", tmp_path / "lake").output


def test_a_replay_with_another_zone_lookup_or_under_other_flags_is_refused(
    run: Run, replay: Replay, tmp_path: Path
) -> None:
    write_source(tmp_path / "source", MONTH, rows=600)
    assert run(tmp_path / "lake", tmp_path / "source").succeeded
    lake = Lake.in_folder(tmp_path / "lake")
    trips = lake.publisher.live(TRIPS, MONTH)
    assert trips is not None
    shutil.copytree(trips.path, lake.paths.version(TRIPS, MONTH, "other"))
    quarantine = lake.publisher.live(QUARANTINE, MONTH)
    assert quarantine is not None
    shutil.copytree(quarantine.path, lake.paths.version(QUARANTINE, MONTH, "other"))
    lineage = {**trips.lineage, "zones_sha256": "older", "flag_rules": "others"}
    for table, now in ((QUARANTINE, quarantine), (TRIPS, trips)):
        lake.publisher.publish(table, MONTH, "other", lineage, replacing=now)
    error = replay(tmp_path / "lake").error
    assert "it was staged with an earlier zone lookup" in error
    assert "its trips were flagged under other rules" in error


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


def test_the_command_replays_a_month(staged: Path, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAXI_ENGINE", engine)
    done = taxi_assets("replay", "--month", MONTH, "--lake", staged)
    assert done.exit_code == 0, done.output
    assert "released" in done.output
    assert "ingest_raw" not in done.output
    as_json = json.loads(taxi_assets("replay", "--month", MONTH, "--lake", staged, "--json").stdout)
    assert as_json["released_rows"] == 0
