"""Drills: the catalog destroyed, everything but raw destroyed, single files damaged; then rebuilt, and compared.

Belongs here: a lake in a folder. Does not: one on AWS (``end_to_end/test_aws_catalog``).
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from collections.abc import Callable
from functools import partial
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from glue_jobs.contracts import CALENDAR, CHECK_HISTORY, FILES, MONTHLY_TABLES, TABLES, TRIPS, ZONES, tlc
from glue_jobs.contracts.raw import TRIPS_DATASET
from glue_jobs.sources.synthetic import make_month, make_shapes
from taxi_assets.cli.main import main
from taxi_assets.cli.run import _run_to_publish
from taxi_assets.lake.catalog_check import check_catalog
from taxi_assets.lake.lake import Lake
from taxi_assets.operations.rebuild import REPORT, Plan, _build, carry_out, plan
from taxi_assets.operations.run_month import MonthResult, run_month
from taxi_assets.settings import Settings
from taxi_assets_tests.conftest import MONTH, ROWS, copy_of, on_three_days, write_source
from taxi_assets_tests.support import in_process as jobs
from taxi_assets_tests.support.comparing import different_rows

Run = Callable[..., MonthResult]
OTHER_MONTH = "2024-01"
NOTHING_TO_FETCH = "/no/such/source"


def taxi_assets(lake: Path, *arguments: str) -> Result:
    command = [*arguments, "--lake", str(lake)]
    return CliRunner().invoke(main, command, env={"COLUMNS": "2000", "TAXI_SOURCE": NOTHING_TO_FETCH})


def settings_of(lake: Path, engine: str) -> Settings:
    """Those of a lake, with a source that has nothing."""
    return Settings(lake=str(lake), source=NOTHING_TO_FETCH, engine=engine)


def rebuild(lake: Path, engine: str, asked_for: tuple[str, ...] = ()) -> Plan:
    """Plan and carry out; returns the plan. Each month has to succeed, and what is planned next is nothing."""
    settings = settings_of(lake, engine)
    planned = plan(settings, asked_for)
    for progress in carry_out(settings, planned, from_raw):
        assert progress.failed == [], progress.failed[-1].error
    assert plan(settings).is_empty
    return planned


def from_raw(settings: Settings, month: str, begin_with: str) -> MonthResult:
    return run_month(settings, month, None, lambda *_: None, begin_with=begin_with)


def assert_same_rows(lake: Path, before: Path) -> None:
    """What readers see of each table of two lakes, row by row."""
    one, other = Lake.in_folder(lake), Lake.in_folder(before)
    for table in MONTHLY_TABLES.values():
        here, there = one.publisher.months(table), other.publisher.months(table)
        assert here.keys() == there.keys()
        for month, live in here.items():
            assert live.rows == there[month].rows
            assert different_rows(live.path, there[month].path) == 0, f"{table.full_name} {month}"
    assert one.ledger.history(TRIPS_DATASET).keys() == other.ledger.history(TRIPS_DATASET).keys()
    for table in (CALENDAR, ZONES):
        rows = f"FROM {table.full_name} ORDER BY ALL"
        assert asked(lake, rows) == asked(before, rows)


def asked(lake: Path, sql: str) -> list[tuple[object, ...]]:
    with Lake.in_folder(lake).connect(sql) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def before(
    published: tuple[Path, MonthResult], run: Run, source: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A lake with two months, of which one was republished, and a map of zones. Not to be changed."""
    folder = tmp_path_factory.mktemp("before")
    ours = Path(shutil.copytree(source, folder / "source"))
    (ours / tlc.SHAPES_FILE_PATH).write_bytes(make_shapes())
    pq.write_table(on_three_days(make_month(MONTH, ROWS, 2), MONTH), ours / tlc.trip_file_path(MONTH))
    write_source(ours, OTHER_MONTH, days=2)
    lake = copy_of(published[0], folder / "lake")
    for month in (MONTH, OTHER_MONTH):
        result = run(lake, ours, month)
        assert result.succeeded, result.error
    return lake


def test_of_raw_alone_each_table_has_the_rows_that_it_had(before: Path, engine: str, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(before / "raw", lake / "raw")
    planned = plan(settings_of(lake, engine))
    assert [month.month for month in planned.months] == [MONTH, OTHER_MONTH]  # the newest first
    assert planned.bytes == sum(file.bytes for file in Lake.in_folder(before).ledger.all_current(TRIPS_DATASET))
    said = taxi_assets(lake, "rebuild")
    assert said.exit_code == 1
    assert "earlier versions: none can be rolled back to" in said.output
    assert "quality.check_history: the checks' earlier answers are gone" in said.output
    assert not (lake / "staging").exists()

    # Killed after the first month, it goes on with the second.
    assert next(carry_out(settings_of(lake, engine), planned, from_raw)).failed == []
    built = Lake.in_folder(lake).publisher.live(TRIPS, MONTH)
    assert [month.month for month in rebuild(lake, engine).months] == [OTHER_MONTH]
    assert Lake.in_folder(lake).publisher.live(TRIPS, MONTH) == built

    assert_same_rows(lake, before)
    landed = f"SELECT * EXCLUDE (path) FROM {FILES.full_name} ORDER BY ALL"
    assert asked(lake, landed) == asked(before, landed)
    assert asked(lake, f"FROM {CHECK_HISTORY.full_name}")
    for command in ("verify", "health"):
        done = taxi_assets(lake, command)
        assert done.exit_code == 0, done.output


def test_what_builds_a_month_can_be_given_to_another_process(before: Path, engine: str) -> None:
    """As ``--jobs`` does; that two months are then built at once is shown of ``backfill``, which runs them."""
    settings = settings_of(before, engine)
    [month] = plan(settings, (MONTH,)).months
    build = partial(_build, settings, {MONTH: month}, partial(_run_to_publish, has_bars=False))
    assert ForkingPickler.dumps(build)  # which refuses what it cannot send


@pytest.mark.parametrize("catalog", ["names it", "is of another place"])
def test_without_the_ledger_the_raw_files_speak_for_themselves(
    before: Path, engine: str, tmp_path: Path, catalog: str
) -> None:
    """Of the republished month the file that was landed last is taken, and its rows are those of before."""
    lake = copy_of(before, tmp_path / "lake")
    if catalog == "names it":
        Lake.in_folder(lake)
    shutil.rmtree(lake / "raw" / "files")
    planned = rebuild(lake, engine)
    assert planned.months == ()
    assert len(planned.found.files) == 3 + 2 + 1  # trip files, a lookup for each month, the map
    assert "their address at the source" in " ".join(planned.cannot)
    assert_same_rows(lake, before)
    current = [(file.month, file.sha256) for file in Lake.in_folder(lake).ledger.all_current(TRIPS_DATASET)]
    assert current == [(file.month, file.sha256) for file in Lake.in_folder(before).ledger.all_current(TRIPS_DATASET)]


def cut_off(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 0xFF
    file.write_bytes(content)


def test_a_catalog_that_was_destroyed_is_made_anew_with_all_versions(before: Path, engine: str, tmp_path: Path) -> None:
    for damage in (Path.unlink, cut_off):
        lake = copy_of(before, tmp_path / damage.__name__)
        Lake.in_folder(lake)
        history = Lake.in_folder(lake).publisher.history(TRIPS)
        damage(lake / "catalog.db")
        assert "taxi-assets rebuild" in taxi_assets(lake, "status").output
        planned = rebuild(lake, engine)
        assert (planned.months, planned.cannot) == ((), ())
        assert Lake.in_folder(lake).publisher.history(TRIPS) == history
        assert len(list(lake.glob("catalog.db.lost-*"))) == (damage is cut_off)


def test_a_lake_that_is_whole_is_left_alone_unless_a_month_is_named(before: Path, engine: str, tmp_path: Path) -> None:
    done = taxi_assets(before, "rebuild", "--yes")
    assert done.exit_code == 0
    assert "There is nothing to rebuild" in done.output
    [month] = plan(settings_of(before, engine), [OTHER_MONTH]).months
    assert (month.month, month.why) == (OTHER_MONTH, "it was asked for")
    assert taxi_assets(tmp_path, "rebuild").exit_code == 2  # there is nothing at all


def newest(lake: Path, table: str, pattern: str) -> Path:
    return max((lake / table).rglob(pattern), key=lambda file: file.stat().st_mtime_ns)


def test_single_files_that_are_gone_or_cut_off_are_named_with_the_command_that_repairs_them(
    before: Path, engine: str, tmp_path: Path
) -> None:
    lake = copy_of(before, tmp_path / "lake")
    ledger = Lake.in_folder(lake).catalog.metadata_location(FILES)
    answers = len(asked(lake, f"FROM {CHECK_HISTORY.full_name}"))
    log = newest(lake, "quality/check_history/data", "*.parquet")
    lost = pq.read_metadata(log).num_rows
    calendar = newest(lake, "reference/calendar/data", "*.parquet")
    report = newest(lake, f"reports/month={MONTH}", "*.html")
    cut_off(log)
    calendar.unlink()
    cut_off(report)
    said = taxi_assets(lake, "verify", "--json")
    assert said.exit_code == 1
    faults = {fault["problem"]: fault["repair"] for fault in json.loads(said.stdout)}
    again = f"taxi-assets rebuild --lake {lake} --yes"
    of_month = f"taxi-assets rebuild --month {MONTH} --lake {lake} --yes"
    assert faults == {
        f"{log} is damaged: it cannot be read as Parquet": again,
        f"{calendar} is gone": again,
        f"{MONTH}: its report is gone or cut off": of_month,
    }
    cut_off(Path(ledger or ""))  # which nothing can be asked without
    assert again in taxi_assets(lake, "verify").stderr

    planned = rebuild(lake, engine)
    assert [(month.month, month.begin_with) for month in planned.months] == [(MONTH, REPORT)]
    assert f"quality.check_history: the rows of {log}" in planned.cannot
    assert len(asked(lake, f"FROM {CHECK_HISTORY.full_name}")) == answers - lost > 0
    assert taxi_assets(lake, "verify").exit_code == 0
    assert_same_rows(lake, before)


def live_file(lake: Path, table: str) -> Path:
    opened = Lake.in_folder(lake)
    return Path(next(file for file in opened.publisher.files(TABLES[table]) if f"month={MONTH}" in file))


def test_what_is_gone_or_damaged_of_a_month_is_built_again_and_the_other_month_left(
    before: Path, engine: str, tmp_path: Path
) -> None:
    lake = copy_of(before, tmp_path / "lake")
    live = Lake.in_folder(lake).publisher.live(TRIPS, OTHER_MONTH)
    gone, damaged = live_file(lake, "curated.daily_metrics"), live_file(lake, "staging.trips")
    gone.unlink()
    cut_off(damaged)  # and the version that is replaced cannot be compared with
    problems = {fault.problem: fault.repair for fault in check_catalog(Lake.in_folder(lake))}
    assert problems == {
        f"{MONTH}: {gone} is gone": "taxi-assets rebuild --yes",
        f"{MONTH}: {damaged} is damaged: it cannot be read as Parquet": "taxi-assets rebuild --yes",
    }
    assert [month.month for month in rebuild(lake, engine).months] == [MONTH]
    assert Lake.in_folder(lake).publisher.live(TRIPS, OTHER_MONTH) == live
    assert_same_rows(lake, before)


def newest_metadata(lake: Path, snapshot_id: int) -> list[Path]:
    """All that has the snapshot: more than one, because the lake was copied."""
    files = (lake / "staging" / "trips" / "metadata").glob("*.metadata.json")
    return [file for file in files if str(snapshot_id) in file.read_text()]


def newest_manifest_lists(lake: Path, snapshot_id: int) -> list[Path]:
    return list((lake / "staging" / "trips" / "metadata").glob(f"snap-{snapshot_id}-*.avro"))


@pytest.mark.parametrize("files", [newest_metadata, newest_manifest_lists])
def test_a_table_whose_newest_metadata_is_damaged_goes_back_to_what_can_be_read_and_loses_no_month(
    before: Path, engine: str, tmp_path: Path, files: Callable[[Path, int], list[Path]]
) -> None:
    lake = copy_of(before, tmp_path / "lake")
    last = Lake.in_folder(lake).publisher.history(TRIPS)[0]
    for file in files(lake, last.snapshot_id):
        cut_off(file)
    assert "taxi-assets rebuild" in taxi_assets(lake, "catalog", "check").stderr
    planned = plan(settings_of(lake, engine))
    assert [month.month for month in planned.months] == [last.month] == [OTHER_MONTH]
    assert "staging.trips: what was committed after" in " ".join(planned.cannot)


def test_of_a_copy_whose_metadata_is_damaged_what_can_be_read_is_taken_over(
    before: Path, engine: str, tmp_path: Path
) -> None:
    """It is not yet a lake of this place, and its tables' metadata cannot be written for it."""
    last = Lake.in_folder(before).publisher.history(TRIPS)[0]
    lake = copy_of(before, tmp_path / "lake")
    for file in newest_manifest_lists(lake, last.snapshot_id):
        cut_off(file)
    said = taxi_assets(lake, "status")
    assert said.exit_code == 1
    assert "metadata that came from there is damaged" in said.output
    assert f"taxi-assets rebuild --lake {lake} --yes" in said.output
    assert [month.month for month in plan(settings_of(lake, engine)).months] == [last.month]


def test_whoever_types_what_verify_names_has_a_whole_lake_again(
    before: Path, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table's newest manifest list deleted, another's newest metadata cut off, a byte of a live file changed."""
    monkeypatch.setenv("TAXI_ENGINE", engine)
    lake = copy_of(before, tmp_path / "lake")
    opened = Lake.in_folder(lake)
    flip(live_file(lake, "staging.trips"))
    for file in newest_manifest_lists(lake, opened.publisher.history(TRIPS)[0].snapshot_id):
        file.unlink()
    cut_off(Path(opened.catalog.metadata_location(TABLES["curated.daily_metrics"]) or ""))

    typed = []
    while (said := taxi_assets(lake, "verify")).exit_code:
        [command, *_] = re.findall(r"taxi-assets (rebuild .*?--yes)", said.output)
        assert command not in typed, said.output
        typed.append(command)
        done = CliRunner().invoke(main, shlex.split(command), env={"TAXI_SOURCE": NOTHING_TO_FETCH})
        assert done.exit_code == 0, done.output
    assert len(typed) == 2, typed  # what can be read is asked before every byte is
    assert taxi_assets(lake, "health").exit_code == 0
    assert_same_rows(lake, before)


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("damage", [Path.unlink, cut_off, flip])
@pytest.mark.parametrize("dataset", ["nyc_taxi", "taxi_zones"])
def test_a_raw_file_that_is_gone_or_damaged_is_named_and_landed_again_by_a_run(
    published: tuple[Path, MonthResult],
    source: Path,
    engine: str,
    tmp_path: Path,
    damage: Callable[[Path], None],
    dataset: str,
) -> None:
    lake = copy_of(published[0], tmp_path / "lake")
    [spoilt] = [Path(file.path) for file in Lake.in_folder(lake).ledger.all_current(dataset)]
    good = spoilt.read_bytes()
    damage(spoilt)
    said = taxi_assets(lake, "verify")  # without the file there is nothing to ask the checks of
    assert said.exit_code == 1
    assert str(spoilt) in said.output
    assert f"taxi-assets run --month {MONTH}" in said.output
    planned = plan(settings_of(lake, engine), [MONTH])
    if damage is not flip:
        assert planned.months == ()
        assert any(str(spoilt) in said for said in planned.cannot)
    else:  # found when its content is read, before anything is built of it
        [progress] = carry_out(settings_of(lake, engine), planned, from_raw)
        assert f"{spoilt} is damaged" in progress.failed[0].error
    folder = spoilt.parent.parent
    jobs.ingest(MONTH, source, folder.parents[2 if dataset == "nyc_taxi" else 0])
    assert spoilt.read_bytes() == good
