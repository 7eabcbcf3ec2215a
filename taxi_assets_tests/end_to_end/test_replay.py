"""Judging a quarantine again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from glue_jobs.contracts import CURATED_TABLES, MONTHLY_TABLES, QUARANTINE, TRIPS, tlc
from glue_jobs.contracts.raw import TRIPS_DATASET, ZONES_DATASET
from glue_jobs.contracts.rules import Tier, fingerprint
from glue_jobs.sources.synthetic import make_month
from taxi_assets.asset_keys import QUARANTINE_KEY, STAGING_TRIPS
from taxi_assets.checks.check import ask_all
from taxi_assets.checks.staging.registry import CHECKS
from taxi_assets.checks.staging.subject import StagedMonth
from taxi_assets.cli.main import main
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.publishing import Publication
from taxi_assets.lake.status import lake_status
from taxi_assets.operations.run_month import MonthResult, run_month
from taxi_assets.settings import Settings
from taxi_assets_tests.conftest import MONTH, ROWS, on_three_days, write_source
from taxi_assets_tests.support import in_process as jobs
from taxi_assets_tests.support.comparing import different_rows
from taxi_assets_tests.support.mutants import imported, make_mutant, run_mutant

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
    rows = on_three_days(make_month(MONTH, ROWS, 1), MONTH).to_pylist()
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


def taxi_assets(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


def test_under_the_same_rules_a_replay_by_the_command_changes_no_row(
    staged: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAXI_ENGINE", engine)
    before = live(staged)
    done = taxi_assets("replay", "--month", MONTH, "--lake", staged, "--json")
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert result["error"] == ""
    assert result["released_rows"] == 0
    assert result["source_rows"] == result["published_rows"] + result["quarantined_rows"] > 0
    after = live(staged)
    for name in MONTHLY_TABLES:
        assert after[name].version != before[name].version
        assert different_rows(before[name].path, after[name].path) == 0
    assert after[TRIPS.full_name].lineage["replay_of"] == before[TRIPS.full_name].version
    assert lake_status(Lake.in_folder(staged))[0].remarks == ()


def test_the_command_says_how_many_rows_were_released(
    staged: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAXI_ENGINE", engine)
    done = taxi_assets("replay", "--month", MONTH, "--lake", staged)
    assert done.exit_code == 0, done.output
    assert "released" in done.output
    assert "ingest_raw" not in done.output


def trips_that(condition: str, staged: StagedMonth) -> int:
    with duckdb.connect() as connection:
        rows = f"read_parquet('{staged.trips}/**/*.parquet', hive_partitioning = false)"
        return int(connection.execute(f"SELECT count(*) FROM {rows} WHERE {condition}").fetchall()[0][0])


@pytest.mark.usefixtures("in_process")
def test_a_replay_under_a_relaxed_rule_gives_what_a_whole_run_under_it_gives(
    source_with_reversal: Path, tmp_path: Path
) -> None:
    file, zones = source_with_reversal / tlc.trip_file_path(MONTH), source_with_reversal / tlc.ZONE_FILE_PATH
    before = jobs.stage(MONTH, file, zones, tmp_path / "before")
    with imported(make_mutant(tmp_path, "contracts/rules.py", "MAX_CODE = 999\n", "MAX_CODE = 9_999_999\n")):
        replayed = jobs.replay(before, tmp_path / "replayed")
        whole = jobs.stage(MONTH, file, zones, tmp_path / "whole")
        of_replayed = jobs.build(MONTH, replayed.trips, tmp_path / "tables" / "of replayed").tables
        of_whole = jobs.build(MONTH, whole.trips, tmp_path / "tables" / "of whole").tables
    assert [one for one in ask_all(CHECKS, replayed, (STAGING_TRIPS, QUARANTINE_KEY)) if one.holds_back] == []
    assert replayed.facts["released_rows"] == 1
    assert "impossible_code" in before.facts["quarantine_reasons"]
    assert "impossible_code" not in replayed.facts["quarantine_reasons"]
    for count in ("published_rows", "quarantined_rows"):
        assert replayed.facts[count] == whole.facts[count]
    assert different_rows(replayed.trips, whole.trips) == different_rows(replayed.quarantine, whole.quarantine) == 0
    for name in CURATED_TABLES:
        assert different_rows(of_replayed[name], of_whole[name]) == 0
    unlinked = "quality_flags LIKE '%unlinked_refund%'"
    assert trips_that(unlinked, before) == trips_that(unlinked, replayed) + 1
    of_that_code = f"payment_type = {FAR_CODE}"
    assert trips_that(of_that_code, replayed) == trips_that(f"{of_that_code} AND is_refunded", replayed) == 1


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


_IN_FORCE = {
    "source_sha256": "of the trip file",
    "zones_sha256": "of the lookup",
    "flag_rules": fingerprint(Tier.FLAG),
    "contract_version": "",
}


@pytest.mark.parametrize(
    ("staged_with", "reasons"),
    [
        ({"source_sha256": "older"}, "it was staged from an earlier source file"),
        ({"contract_version": "1"}, "it was staged under an earlier contract"),
        (
            {"zones_sha256": "older", "flag_rules": "others"},
            "it was staged with an earlier zone lookup; its trips were flagged under other rules",
        ),
    ],
)
def test_a_replay_of_a_month_that_was_staged_otherwise_is_refused(
    replay: Replay, tmp_path: Path, staged_with: dict[str, str], reasons: str
) -> None:
    lake = Lake.in_folder(tmp_path)
    for dataset, sha256 in ((TRIPS_DATASET, _IN_FORCE["source_sha256"]), (ZONES_DATASET, _IN_FORCE["zones_sha256"])):
        facts: dict[str, Any] = {"url": "u", "path": "p", "etag": "", "sha256": sha256, "bytes": 1, "rows": 1}
        lake.ledger.record(MONTH, dataset, {**facts, "physical_schema": {}}, "a run")
    for table in (QUARANTINE, TRIPS):
        Path(lake.paths.version(table, MONTH, "v1")).mkdir(parents=True)
        lineage = {**_IN_FORCE, "contract_version": str(table.version), **staged_with}
        lake.publisher.publish(table, MONTH, "v1", lineage, replacing=None)
    before = live(tmp_path)
    error = replay(tmp_path).error
    assert f"{MONTH} cannot be replayed: {reasons}. What to do: run {MONTH} again instead" in error
    assert f"taxi-assets run --month {MONTH}" in error
    assert live(tmp_path) == before
    remark = f"staging was written under an earlier contract: run {MONTH} again"
    assert (remark in lake_status(lake)[0].remarks) == ("contract_version" in staged_with)
