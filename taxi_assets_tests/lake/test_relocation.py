"""A lake that was copied or moved works where it is, and what it was copied from stays as it is."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path

import pytest
from pyiceberg.io import FileIO

from glue_jobs.contracts.raw import TRIPS_DATASET
from taxi_assets.lake import catalog, catalog_file, relocation
from taxi_assets.lake.catalog_check import check_catalog
from taxi_assets.lake.catalog_file import CatalogUnavailable
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.maintenance import maintain
from taxi_assets.lake.relocation import DamagedThere, NotHere, relocate_folder
from taxi_assets_tests.emulators.aws import AwsEmulator
from taxi_assets_tests.emulators.environment import REGION
from taxi_assets_tests.support.tiny_table import TINY, days_of, facts, publish


@pytest.fixture
def original(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lake with two versions of a month, one of another month, and a landed file.

    Its tables keep three old files of metadata, so that a few commits are enough to delete some.
    """
    properties = {**catalog._PROPERTIES, "write.metadata.previous-versions-max": "3"}
    monkeypatch.setattr(catalog, "_PROPERTIES", properties)
    folder = tmp_path / "a lake"
    lake = Lake.in_folder(folder)
    publish(lake, "2024-02", "v1", 1)
    publish(lake, "2024-02", "v2", 2)
    publish(lake, "2024-03", "v1", 3)
    landed = facts("abc") | {"path": f"{lake.paths.raw}/dataset=nyc_taxi/year=2024/month=02/sha256=abc/trips.parquet"}
    Path(landed["path"]).parent.mkdir(parents=True)
    Path(landed["path"]).write_bytes(b"x" * landed["bytes"])
    lake.ledger.record("2024-02", TRIPS_DATASET, landed, "run")
    return folder


def contents(folder: Path) -> dict[Path, str]:
    """The hash of every file."""
    return {file: sha256(file.read_bytes()).hexdigest() for file in sorted(folder.rglob("*")) if file.is_file()}


def uris(lake: Lake) -> set[str]:
    """Every file that the table's metadata names, of all snapshots."""
    iceberg = lake.catalog.open(TINY)
    found = {
        iceberg.metadata_location,
        iceberg.location(),
        *(one.metadata_file for one in iceberg.metadata.metadata_log),
    }
    for snapshot in iceberg.metadata.snapshots:
        found.add(snapshot.manifest_list)
        for manifest in snapshot.manifests(iceberg.io):
            found.add(manifest.manifest_path)
            assert manifest.manifest_length == Path(manifest.manifest_path).stat().st_size
            entries = manifest.fetch_manifest_entry(iceberg.io, discard_deleted=False)
            found |= {entry.data_file.file_path for entry in entries}
    return found


@pytest.mark.parametrize("name", ["copy", "a lake of mine", "sub/folder with ümlaut"])
def test_a_copy_is_a_lake_of_its_own(original: Path, tmp_path: Path, name: str) -> None:
    before = contents(original)
    copy = tmp_path / name
    shutil.copytree(original, copy)
    lake = Lake.in_folder(copy)
    assert all(uri.startswith(f"{copy}/") for uri in uris(lake)), uris(lake)
    publish(lake, "2024-02", "v3", 5)
    for number in range(4):  # so many that PyIceberg deletes the metadata files of the first
        publish(lake, "2024-04", f"v{number}", 1)
    assert [days_of(lake, month) for month in ("2024-02", "2024-03")] == [5, 3]
    assert [one.version for one in lake.publisher.history(TINY)][4:] == ["v3", "v1", "v2", "v1"]
    lake.publisher.roll_back(TINY, "2024-02", to="v1")
    assert days_of(lake, "2024-02") == 1
    assert check_catalog(lake) == []
    assert contents(original) == before


def test_a_moved_lake_finds_its_raw_files_and_every_version(original: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    original.rename(moved)
    lake = Lake.in_folder(moved)
    landed = lake.ledger.current("2024-02", TRIPS_DATASET)
    assert landed is not None
    assert landed.path.startswith(f"{moved}/raw/dataset=nyc_taxi/")
    assert [one.version for one in lake.publisher.history(TINY)] == ["v1", "v2", "v1"]
    assert all(Path(one.path).is_dir() for one in lake.publisher.history(TINY))
    assert not original.exists()


def test_a_copy_of_a_copy_and_one_that_comes_back_are_lakes_too(original: Path, tmp_path: Path) -> None:
    for name in ("once", "twice", "a lake"):
        folder = tmp_path / name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree({"once": original, "twice": tmp_path / "once", "a lake": tmp_path / "twice"}[name], folder)
        lake = Lake.in_folder(folder)
        assert all(uri.startswith(f"{folder}/") for uri in uris(lake))
        publish(lake, "2024-04", name, 4)
    assert len(lake.publisher.history(TINY)) == 6


def test_maintenance_of_a_copy_deletes_nothing_of_the_original(original: Path, tmp_path: Path) -> None:
    before = contents(original)
    shutil.copytree(original, tmp_path / "copy")
    lake = Lake.in_folder(tmp_path / "copy")
    list(maintain(lake.catalog, datetime.now(timezone.utc) + timedelta(days=400)))
    assert contents(original) == before


def test_opening_says_where_the_lake_lay_and_only_once(
    original: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(original, tmp_path / "copy")
    for _ in range(2):
        Lake.in_folder(tmp_path / "copy")
    assert [record.getMessage() for record in caplog.records] == [
        f"This lake lay in {original}: its catalog now speaks of {tmp_path / 'copy'}"
    ]


def test_a_crash_on_the_way_leaves_the_catalog_as_it_was_and_the_next_opening_finishes(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(original, copy)
    done: list[str] = []
    write_again = relocation.write_again

    def dies(io: FileIO, location: str, before: str, root: str) -> str:
        if done:
            raise KeyboardInterrupt
        done.append(write_again(io, location, before, root))
        return done[0]

    before = (copy / "catalog.db").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(relocation, "write_again", dies)
        with pytest.raises(KeyboardInterrupt):
            relocate_folder(str(copy))
    assert done
    assert (copy / "catalog.db").read_bytes() == before
    assert days_of(Lake.in_folder(copy), "2024-02") == 2


def test_a_copy_whose_catalog_another_program_holds_is_waited_for_in_words(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(relocation, "_SECONDS_IN_SILENCE", 0.05)
    monkeypatch.setattr(catalog_file, "LOCKED_SECONDS", 0.1)
    copy = Path(shutil.copytree(original, tmp_path / "copy"))
    with closing(sqlite3.connect(copy / "catalog.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(CatalogUnavailable, match="locked by another program"):
            Lake.in_folder(copy)
        assert "is locked by another program: waiting" in caplog.text
    assert days_of(Lake.in_folder(copy), "2024-02") == 2


def test_a_catalog_without_its_tables_files_is_refused(original: Path, tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.mkdir()
    shutil.copy(original / "catalog.db", part)
    with pytest.raises(NotHere, match=r"speaks of .*a lake, and its files are not in .*part either.*whole folder"):
        Lake.in_folder(part)


@pytest.mark.parametrize("pattern", ["snap-*.avro", "*-m0.avro", "*.metadata.json"])
def test_a_copy_with_damaged_metadata_is_refused_with_what_can_be_done(
    original: Path, tmp_path: Path, pattern: str
) -> None:
    copy = Path(shutil.copytree(original, tmp_path / "copy"))
    before = (copy / "catalog.db").read_bytes()
    for file in copy.rglob(pattern):
        file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(DamagedThere, match=r"came from there is damaged: .*copy the lake once more; or .* rebuild"):
        Lake.in_folder(copy)
    assert (copy / "catalog.db").read_bytes() == before


def test_a_copy_whose_catalog_cannot_be_written_is_refused(original: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(original, copy)
    with sqlite3.connect(copy / "catalog.db") as connection:
        # As on a disk that is read-only, which root does not notice by permissions.
        connection.execute(
            "CREATE TRIGGER sealed BEFORE UPDATE ON iceberg_tables BEGIN SELECT RAISE(ABORT, 'sealed'); END"
        )
    with pytest.raises(NotHere, match=r"copied or moved cannot be settled in its catalog\.db: sealed"):
        Lake.in_folder(copy)


@pytest.mark.emulator
def test_in_s3_a_catalog_of_another_prefix_is_refused_until_it_is_relocated(aws: AwsEmulator) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="moving")

    def opened(prefix: str) -> Lake:
        return Lake.in_s3(f"s3://moving/{prefix}", REGION, "moving_")

    old = opened("old")
    publish(old, "2024-02", "v1", 1)
    publish(old, "2024-02", "v2", 2)
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket="moving")["Contents"]]
    etags = {key: s3.head_object(Bucket="moving", Key=key)["ETag"] for key in keys}
    for key in keys:
        s3.copy_object(Bucket="moving", Key=key.replace("old/", "new/", 1), CopySource=f"moving/{key}")
    new = opened("new")
    refused: list[Callable[[], object]] = [
        lambda: new.publisher.months(TINY),
        lambda: publish(new, "2024-02", "v3", 3),
    ]
    for ask in refused:
        with pytest.raises(CatalogUnavailable, match=r"lies in s3://moving/old, not in s3://moving/new.*relocate"):
            ask()
    assert new.catalog.relocate(TINY) == "s3://moving/old"
    assert new.catalog.relocate(TINY) is None
    assert days_of(new, "2024-02") == 2
    publish(new, "2024-02", "v3", 3)
    new.publisher.roll_back(TINY, "2024-02", to="v1")
    assert days_of(new, "2024-02") == 1
    assert {key: s3.head_object(Bucket="moving", Key=key)["ETag"] for key in keys} == etags
    with pytest.raises(CatalogUnavailable, match=r"lies in s3://moving/new"):
        old.publisher.months(TINY)
