"""A vacuum takes what nothing refers to, and no reader, rollback or question of the past sees a difference."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner, Result

from glue_jobs.contracts import MONTHLY_TABLES, QUARANTINE, TRIPS, Table
from glue_jobs.files import land_by_content, parquet_files
from taxi_assets.cli.main import main
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.maintenance import expire, maintain
from taxi_assets.lake.publishing import NoSuchVersion
from taxi_assets.lake.reports import find_report
from taxi_assets.lake.texts import write_text
from taxi_assets.lake.vacuum import Plan, carry_out, plan
from taxi_assets.lost_runs import at_work_since, known_to_live
from taxi_assets_tests.conftest import MONTH
from taxi_assets_tests.support.clock import AYearAhead
from taxi_assets_tests.support.tiny_table import facts, write_rows

DAILY = MONTHLY_TABLES["curated.daily_metrics"]
MONTHS = (MONTH, "2024-03")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """In a folder; ``test_what_failed_runs_left_goes_with_its_reason`` is asked of S3 too."""
    return Lake.in_folder(tmp_path / "a lake")


def later(days: float = 2) -> datetime:
    return datetime.now(timezone.utc) + timedelta(days=days)


def version(number: int) -> str:
    """As runs name them."""
    return f"20240401T{number:06d}Z-{number:08x}"


def publish(lake: Lake, table: Table, number: int, rows: int = 1, month: str = MONTH) -> None:
    if rows:
        write_rows(lake.paths.version(table, month, version(number)), table, rows)
    live = lake.publisher.live(table, month)
    lake.publisher.publish(table, month, version(number), {}, replacing=live)


def fail(lake: Lake, table: Table, number: int, month: str = MONTH) -> str:
    """What a run leaves that ends after its job: the folder of its version."""
    folder = lake.paths.version(table, month, version(number))
    write_rows(folder, table, 2)
    return folder


def vacuum(lake: Lake, before: datetime | None = None) -> Plan:
    planned = plan(lake, before or later())
    assert list(carry_out(lake, planned)) == list(planned.leftovers)
    return planned


def reasons(lake: Lake, planned: Plan) -> dict[str, str]:
    return {group.path.removeprefix(f"{lake.paths.root}/"): group.why for group in planned.leftovers}


def put_back_one_of(lake: Lake, table: Table, month: str, chance: random.Random) -> None:
    """A version that is not live, if there is one."""
    history = [entry.version for entry in lake.publisher.history(table, month)]
    if others := sorted(set(history) - set(history[:1])):
        lake.publisher.roll_back(table, month, chance.choice(others))


def all_that_can_be_read(lake: Lake) -> dict[object, object]:
    """Rows of each snapshot there is, which --as-of and tags read, and what a rollback to each version restores."""
    found: dict[object, object] = {}
    for table in (DAILY, QUARANTINE):
        iceberg = lake.catalog.find(table)
        for snapshot in iceberg.metadata.snapshots if iceberg else ():
            rows = iceberg.scan(snapshot_id=snapshot.snapshot_id).to_arrow().to_pylist() if iceberg else []
            found[snapshot.snapshot_id] = Counter(tuple(row.values()) for row in rows)
        for entry in lake.publisher.history(table):
            try:
                restored = lake.publisher.version_to_restore(table, entry.month, entry.version)
                found[table.name, entry.month, entry.version] = restored
            except NoSuchVersion as refused:  # it is live, or has expired
                found[table.name, entry.month, entry.version] = str(refused)
    return found


@pytest.mark.parametrize("seed", [6, 7])  # those of a few that take little time and tell all three reasons
def test_whatever_happened_every_snapshot_is_read_as_before(lake: Lake, seed: int) -> None:
    chance, failed, told = random.Random(seed), [], set()
    places = 4 * [(DAILY, MONTH)] + [(DAILY, MONTHS[1]), (QUARANTINE, MONTH)]
    for number in range(20):
        table, month = chance.choice(places)
        happens = chance.choice(("publish", "publish", "publish", "empty", "fail", "roll back", "expire"))
        if happens == "fail":
            failed.append(Path(fail(lake, table, number, month)))
        elif happens == "expire":
            list(maintain(lake.catalog, later(), retention=timedelta(0)))
        elif happens == "roll back":
            put_back_one_of(lake, table, month, chance)
        else:
            publish(lake, table, number, chance.randint(1, 3) if happens == "publish" else 0, month)
        if number % 5 == 4:
            seen = all_that_can_be_read(lake)
            planned = vacuum(lake)
            assert all_that_can_be_read(Lake.in_folder(Path(lake.paths.root))) == seen != {}
            never_published = {Path(group.path) for group in planned.kept}
            assert [folder for folder in failed if folder.exists()] == [
                folder for folder in failed if folder.parents[1] in never_published
            ]
            assert plan(lake, later()).leftovers == ()
            told |= {group.why.partition(":")[0] for group in planned.leftovers}
    assert told == {"never published", "its snapshots have expired", "no snapshot names them"}


def test_what_failed_runs_left_goes_with_its_reason(open_lake: Callable[[], Lake]) -> None:
    lake = open_lake()
    publish(lake, DAILY, 1, rows=3)
    publish(lake, TRIPS, 1)
    live = parquet_files(lake.paths.version(DAILY, MONTH, version(1)))
    fail(lake, DAILY, 2)
    fail(lake, TRIPS, 2)
    write_text(f"{lake.paths.table(TRIPS)}/month={MONTH}/.plain-a1b2/trips.parquet", "cut off")
    write_text(f"{lake.paths.table(DAILY)}/metadata/of-a-commit-m0.avro", "that failed")
    write_text(f"{lake.paths.table(DAILY)}/data/month={MONTH}/of-another-program.parquet", "that failed")
    planned = vacuum(lake)
    never_published = "never published: its run failed, was refused or was killed"
    assert reasons(lake, planned) == {
        f"curated/daily_metrics/month={MONTH}/version={version(2)}": never_published,
        f"staging/trips/month={MONTH}/version={version(2)}": never_published,
        f"staging/trips/month={MONTH}/.plain-a1b2": "a run that was killed left it",
        "curated/daily_metrics/metadata": "no snapshot names them",
        "curated/daily_metrics/data": "no snapshot names them",
    }
    assert all(group.files and group.bytes for group in planned.leftovers)
    assert planned.kept == ()
    assert parquet_files(lake.paths.table(DAILY)) == live
    assert open_lake().catalog.open(DAILY).scan().to_arrow().num_rows == 3
    assert plan(open_lake(), later()).leftovers == ()


def test_a_version_goes_when_maintenance_has_let_it_go(lake: Lake) -> None:
    for number in range(1, 6):
        publish(lake, DAILY, number, rows=number)
    assert plan(lake, later()).leftovers == ()
    expire(lake.catalog, DAILY, later())
    expired = {f"curated/daily_metrics/month={MONTH}/version={version(number)}" for number in (1, 2)}
    found = reasons(lake, vacuum(lake))
    assert {path for path in found if "/version=" in path} == expired
    assert {found[path] for path in expired} == {"its snapshots have expired: nobody can go back to it"}
    assert found.keys() - expired == {"curated/daily_metrics/metadata"}
    assert lake.publisher.roll_back(DAILY, MONTH).version == version(4)
    assert lake.publisher.roll_back(DAILY, MONTH).version == version(3)
    assert lake.catalog.open(DAILY).scan().to_arrow().num_rows == 3


def test_a_version_without_rows_keeps_its_folder(lake: Lake) -> None:
    folder = Path(lake.paths.version(DAILY, MONTH, version(1)))
    folder.mkdir(parents=True)
    (folder / "_SUCCESS").touch()
    publish(lake, DAILY, 1, rows=0)
    assert vacuum(lake).leftovers == ()
    assert (folder / "_SUCCESS").exists()


def test_what_is_young_is_left_alone_file_by_file(lake: Lake) -> None:
    publish(lake, DAILY, 1)
    old, young = fail(lake, DAILY, 2), fail(lake, DAILY, 3)
    orphans = [Path(lake.paths.table(DAILY), "metadata", f"{name}-m0.avro") for name in ("old", "young")]
    for path in (*Path(old).rglob("*"), Path(old), orphans[0]):
        path.touch()
        os.utime(path, times=(0, 0))
    orphans[1].touch()
    planned = vacuum(lake, later(-1))
    assert {group.path for group in planned.leftovers} == {old, str(orphans[0].parent)}
    assert {group.path for group in planned.young} == {young, str(orphans[0].parent)}
    assert [path.exists() for path in orphans] == [False, True]
    assert not Path(old).exists()
    assert parquet_files(young)


def test_what_is_not_understood_is_kept_and_named(lake: Lake) -> None:
    publish(lake, DAILY, 1)
    unknown = (
        "curated/daily_metrics/notes.txt",
        "curated/daily_metrics/metadata/version-hint.text",
        f"curated/daily_metrics/month={MONTH}/version=by-hand/part-0.parquet",
        f"curated/daily_metrics/month={MONTH}/part-0.parquet",
        "curated/my_own_table/part-0.parquet",
        "staging/part-0.parquet",
        f"reports/month={MONTH}/report.html",
    )
    for path in unknown:
        write_text(f"{lake.paths.root}/{path}", "mine")
    planned = vacuum(lake)
    assert planned.leftovers == ()
    assert {file for group in planned.kept for file in group.files} == {f"{lake.paths.root}/{one}" for one in unknown}
    assert {group.why for group in planned.kept} == {"not known to be of this project"}


def test_raw_files_logs_and_other_folders_are_not_looked_at(lake: Lake) -> None:
    lake.ledger.record(MONTH, "trips", facts("a"), "run")
    for folder in ("raw/dataset=trips", "raw/files/data", "quality/check_history", "queries", "health", "of-somebody"):
        write_text(f"{lake.paths.root}/{folder}/part-0.parquet", "mine")
    planned = plan(lake, later())
    assert (planned.leftovers, planned.young, planned.kept) == ((), (), ())


def test_of_raw_only_what_a_killed_landing_began_goes(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "trips.parquet"
    file.write_text("trips")
    folder = f"{lake.paths.raw}/dataset=nyc_taxi/year=2024/month=02"
    landed, _ = land_by_content(file, folder)
    file.write_text("other trips")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", interrupt)
        with pytest.raises(KeyboardInterrupt):
            land_by_content(file, folder)
    write_text(f"{lake.paths.raw}/inbox/trips.{'0' * 32}.incoming", "somebody's own")
    [begun] = list(Path(folder).rglob("*.incoming"))
    planned = vacuum(lake)
    assert reasons(lake, planned) == {str(begun.relative_to(lake.paths.root)): "a run that was killed left it"}
    assert not begun.exists()
    assert Path(landed).read_text() == "trips"
    assert len(list(Path(lake.paths.raw, "inbox").iterdir())) == 1


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def of_another_catalog(lake: Lake) -> None:
    lake.catalog._catalog.drop_table(("curated", DAILY.name))


def without_a_live_file(lake: Lake) -> None:
    for file in parquet_files(lake.paths.version(DAILY, MONTH, version(1))):
        Path(file).unlink()


def with_a_catalog_from_a_backup(lake: Lake) -> None:
    database = Path(lake.paths.root, "catalog.db")
    kept = database.read_bytes()
    publish(lake, DAILY, 8)
    database.write_bytes(kept)


def with_a_file_of_elsewhere(lake: Lake) -> None:
    elsewhere = Path(lake.paths.root).parent / "elsewhere" / "part-0.parquet"
    elsewhere.parent.mkdir()
    shutil.copy(parquet_files(lake.paths.version(DAILY, MONTH, version(1)))[0], elsewhere)
    iceberg = lake.catalog.open(DAILY)
    iceberg.add_files([str(elsewhere)])
    iceberg.delete("true")


@pytest.mark.parametrize(
    ("happened", "said"),
    [
        (of_another_catalog, "the catalog has no table curated.daily_metrics: another one may"),
        (without_a_live_file, "was not found below it"),
        (with_a_catalog_from_a_backup, "it may have been brought back from a backup"),
        (with_a_file_of_elsewhere, "elsewhere/part-0.parquet, which is not"),
    ],
)
def test_a_table_about_which_there_is_a_doubt_is_kept_whole(
    lake: Lake, happened: Callable[[Lake], None], said: str
) -> None:
    publish(lake, DAILY, 1)
    publish(lake, TRIPS, 1)
    write_text(lake.paths.report(MONTH, version(0)), "old")
    write_text(lake.paths.report(MONTH, version(5)), "new")
    gone = fail(lake, TRIPS, 9)
    fail(lake, DAILY, 9)
    happened(lake)
    planned = vacuum(lake)
    assert [group.path for group in planned.leftovers] == [gone]
    of_table, of_reports = planned.kept
    assert (of_table.path, of_reports.path) == (lake.paths.table(DAILY), lake.paths.all_reports)
    assert said in of_table.why
    assert of_reports.why.endswith("is not known of curated.daily_metrics")


def test_a_report_goes_with_the_oldest_version_that_it_may_be_of(lake: Lake) -> None:
    for number in (10, 20, 30, 40):
        publish(lake, DAILY, number)
    for number in (11, 21, 31, 41):
        write_text(lake.paths.report(MONTH, version(number)), "a page")
    write_text(lake.paths.report("2024-01", version(1)), "of a month of which no version is known")
    Path(lake.paths.reports(MONTH), f".{version(50)}.html.incoming").write_text("cut o")
    assert reasons(lake, plan(lake, later())) == {
        f"reports/month={MONTH}/.{version(50)}.html.incoming": "a run that was killed left it"
    }
    expire(lake.catalog, DAILY, later())
    found = reasons(lake, vacuum(lake))
    assert found[f"reports/month={MONTH}/{version(11)}.html"] == (
        "older than every version of its month that can be gone back to"
    )
    for number in (21, 31, 41):
        assert find_report(lake.paths, MONTH, version(number))
    assert find_report(lake.paths, "2024-01")


def test_the_newest_report_stays_whatever_its_age(lake: Lake) -> None:
    publish(lake, DAILY, 10)
    for number in (1, 2):
        write_text(lake.paths.report(MONTH, version(number)), "a page")
    vacuum(lake)
    assert find_report(lake.paths, MONTH) == lake.paths.report(MONTH, version(2))
    assert not Path(lake.paths.report(MONTH, version(1))).exists()


# --- the command


@pytest.fixture
def folder(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lake with a version that failed, all of which is ten days old."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    publish(lake, DAILY, 1)
    fail(lake, DAILY, 2)
    root, ten_days_ago = Path(lake.paths.root), later(-10).timestamp()
    for path in root.rglob("*"):
        os.utime(path, times=(ten_days_ago, ten_days_ago))
    return root


def command(folder: Path, *arguments: str) -> Result:
    result = CliRunner().invoke(main, ["vacuum", "--lake", str(folder), *arguments])
    assert result.exit_code == 0, result.output
    return result


def files_of(folder: Path) -> set[Path]:
    return {path for path in (folder / "curated").rglob("*") if path.is_file()}


def test_nothing_is_deleted_until_it_is_said_and_then_there_is_nothing_more(folder: Path) -> None:
    before = files_of(folder)
    shown = command(folder)
    assert f"month={MONTH}/version={version(2)}" in shown.stdout
    assert "Nothing was deleted yet: taxi-assets vacuum --lake" in shown.stdout
    said = json.loads(command(folder, "--json").stdout)
    assert not said["deleted"]
    [leftover] = said["leftovers"]
    assert (leftover["files"], leftover["bytes"]) == (1, said["bytes"])
    assert files_of(folder) == before
    done = json.loads(command(folder, "--json", "--delete").stdout)
    assert done == {**said, "deleted": True}
    [gone] = before - files_of(folder)
    assert gone.parent.name == f"version={version(2)}"
    assert not gone.parent.exists()
    assert "There is nothing to delete." in command(folder, "--delete").stdout


def test_what_is_younger_than_asked_is_left_alone(folder: Path) -> None:
    said = command(folder, "--delete", "--older-than", "11")
    assert "Not 11 days old, or younger than a run at work" in said.stdout
    assert "There is nothing to delete." in said.stdout
    refused = CliRunner().invoke(main, ["vacuum", "--lake", str(folder), "--older-than", "0"])
    assert refused.exit_code == 2


def test_by_a_clock_that_is_ahead_nothing_is_older(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was published last says what time it is at most."""
    monkeypatch.setattr("datetime.datetime", AYearAhead)
    assert json.loads(command(folder, "--json", "--delete", "--older-than", "11").stdout)["leftovers"] == []
    assert len(json.loads(command(folder, "--json", "--delete", "--older-than", "9").stdout)["leftovers"]) == 1


def test_what_a_run_writes_that_slept_for_days_is_left_alone(folder: Path) -> None:
    home = folder / ".dagster"
    home.mkdir()
    with dg.DagsterInstance.local_temp(str(home)) as instance, known_to_live(instance, "slept"):
        twelve_days_ago = later(-12)
        os.utime(home / "living" / "slept", times=(twelve_days_ago.timestamp(),) * 2)
        (home / "living" / "killed").touch()
        os.utime(home / "living" / "killed", times=(0, 0))
        assert at_work_since(home) == twelve_days_ago
        assert json.loads(command(folder, "--json", "--delete").stdout)["leftovers"] == []
    assert at_work_since(home) is None
    assert len(json.loads(command(folder, "--json", "--delete").stdout)["leftovers"]) == 1
