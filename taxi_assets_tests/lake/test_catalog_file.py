"""What the commands say of a lake whose catalog is locked, damaged, empty, gone or another program's."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from glue_jobs.contracts import FILES, TRIPS
from taxi_assets.cli.main import main
from taxi_assets.lake import catalog_file
from taxi_assets.lake.catalog_file import CatalogUnavailable
from taxi_assets.lake.lake import Lake
from taxi_assets_tests.conftest import MONTH
from taxi_assets_tests.support.tiny_table import write_rows


def taxi_assets(lake: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--lake", str(lake)], env={"COLUMNS": "600"})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with a few rows of trips. Not to be changed."""
    folder = tmp_path_factory.mktemp("whole") / "lake"
    lake = Lake.in_folder(folder)
    lake.catalog.open(FILES)
    write_rows(lake.paths.version(TRIPS, MONTH, "v1"), TRIPS, 3)
    lake.publisher.publish(TRIPS, MONTH, "v1", {}, replacing=None)
    return folder


@pytest.fixture
def spoilt(whole: Path) -> Iterator[Path]:
    """The same lake, in its own place because its paths are absolute, put back afterwards."""
    kept = whole.with_name("kept")
    shutil.copytree(whole, kept)
    yield whole
    shutil.rmtree(whole)
    kept.rename(whole)


def empty(file: Path) -> None:
    file.write_bytes(b"")


def make_foreign(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE bookmarks (url)")


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:5_000])


def overwrite(file: Path) -> None:
    file.write_bytes(b"not SQLite at all" * 100)


COMMANDS = [
    ["status"],
    ["query", "SELECT count(*) FROM staging.trips"],
    ["health"],
    ["rollback", "trips", MONTH],
    ["quarantine", "show", "--month", MONTH],
    ["catalog", "check"],
    ["catalog", "update"],
    ["catalog", "maintain"],
    ["vacuum"],
    ["backfill", "--from", MONTH, "--to", MONTH],
]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (empty, "catalog.db is empty, and"),
        (Path.unlink, "catalog.db is gone, and"),
        (make_foreign, "catalog.db is another program's database, with the tables bookmarks"),
        (cut, "catalog.db cannot be read: database disk image is malformed"),
        (overwrite, "catalog.db cannot be read: file is not a database"),
    ],
)
def test_a_catalog_that_is_none_is_named_by_every_command(
    spoilt: Path, damage: Callable[[Path], None], said: str
) -> None:
    damage(spoilt / "catalog.db")
    for command in COMMANDS:
        result = taxi_assets(spoilt, *command)
        assert result.exit_code == 1, command
        assert isinstance(result.exception, SystemExit), command
        assert said in result.output, command
    with pytest.raises(CatalogUnavailable, match=said):  # as a run opens it, which would make a new one
        Lake.in_folder(spoilt)


def test_a_new_lake_has_no_catalog_and_may_have_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "catalog.db").touch()  # what another run that makes the lake at this moment has come to
    assert Lake.in_folder(tmp_path).catalog.find(TRIPS) is None


@pytest.mark.parametrize("pattern", ["*.metadata.json", "snap-*.avro", "*-m0.avro"])
@pytest.mark.parametrize("damage", [empty, overwrite, Path.unlink])
def test_a_table_whose_metadata_is_damaged_is_named(spoilt: Path, pattern: str, damage: Callable[[Path], None]) -> None:
    for file in (spoilt / "staging" / "trips" / "metadata").glob(pattern):
        damage(file)
    for command in (
        ["query", "SELECT count(*) FROM staging.trips"],
        ["catalog", "check"],
        ["catalog", "maintain"],
        ["vacuum"],
    ):
        result = taxi_assets(spoilt, *command)
        assert result.exit_code == 1, command
        assert isinstance(result.exception, SystemExit), command
        assert "staging.trips" in result.stderr, command
        assert "taxi-assets rebuild" in result.stderr, command


def test_what_the_disk_refuses_is_said_in_a_sentence(spoilt: Path) -> None:
    shutil.rmtree(spoilt / "raw")
    (spoilt / "raw").write_text("a file in the place of a folder")
    result = taxi_assets(spoilt, "catalog", "update")
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert "raw" in result.stderr


@pytest.fixture
def quick_to_give_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog_file, "LOCKED_SECONDS", 0.0)


@pytest.mark.usefixtures("quick_to_give_up")
@pytest.mark.parametrize("command", [["status"], ["catalog", "update"], ["health"]])
def test_a_catalog_that_stays_locked_is_given_up_with_its_name(whole: Path, command: list[str]) -> None:
    with closing(sqlite3.connect(whole / "catalog.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        result = taxi_assets(whole, *command)
    assert result.exit_code == 1
    assert f"{whole}/catalog.db has been locked by another program for" in result.output
    assert f"lsof {whole}/catalog.db" in result.output


def test_a_catalog_that_is_locked_for_a_while_is_waited_for_aloud(
    spoilt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other program lets go once it was said that it is waited for, whenever that is."""
    lake, said = Lake.in_folder(spoilt), []
    live = lake.publisher.live(TRIPS, MONTH)
    write_rows(lake.paths.version(TRIPS, MONTH, "v2"), TRIPS, 2)
    with closing(sqlite3.connect(spoilt / "catalog.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # a lock that lets others read

        def hear(message: str, *values: object) -> None:
            said.append(message % values)
            other.execute("ROLLBACK")

        monkeypatch.setattr(catalog_file._log, "warning", hear)
        published = lake.publisher.publish(TRIPS, MONTH, "v2", {}, replacing=live)
    assert [text.partition(": waiting, ")[0] for text in said] == [f"{spoilt}/catalog.db is locked by another program"]
    assert published.version == "v2"
