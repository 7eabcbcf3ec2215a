"""Files that are not the trip file of their month: refused before anything is landed."""

from __future__ import annotations

import base64
import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest
from pyarrow import csv

from glue_jobs.contracts import tlc
from glue_jobs.errors import InputError
from glue_jobs.sources.synthetic import make_month, make_zones
from taxi_assets_tests.conftest import MONTH
from taxi_assets_tests.support.in_process import ingest


def html(path: Path) -> None:
    path.write_text("<!DOCTYPE html><html><body>503 Service Unavailable</body></html>")


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def empty(path: Path) -> None:
    pq.write_table(make_month(MONTH, 100, 1).slice(0, 0), path)


def without_pickup_time(path: Path) -> None:
    pq.write_table(make_month(MONTH, 100, 1).drop_columns(["tpep_pickup_datetime"]), path)


def of_another_month(path: Path) -> None:
    pq.write_table(make_month("2023-07", 500, 1), path)


def of_a_neighbouring_month(path: Path) -> None:
    here, next_door = make_month(MONTH, 500, 1), make_month("2024-01", 500, 1)
    pq.write_table(pa.concat_tables([next_door, here.slice(0, 20)]), path)


def missing(path: Path) -> None:
    path.unlink()


def beginning_with(content: bytes, name: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        path.write_bytes(content)

    spoil.__name__ = name
    return spoil


def gzipped(path: Path) -> None:
    path.write_bytes(gzip.compress(path.read_bytes()))


def as_csv(path: Path) -> None:
    csv.write_csv(pq.read_table(path), path)


def with_encrypted_columns(path: Path) -> None:
    """Its footer is plain, so that it begins as any Parquet file does."""
    factory = pe.CryptoFactory(lambda _: _NoKeys())
    keys = pe.EncryptionConfiguration("footer", column_keys={"key": ["VendorID"]}, plaintext_footer=True)
    properties = factory.file_encryption_properties(pe.KmsConnectionConfig(), keys)
    with pq.ParquetWriter(path, (table := pq.read_table(path)).schema, encryption_properties=properties) as writer:
        writer.write_table(table)


class _NoKeys(pe.KmsClient):  # type: ignore[misc]
    """Keys that are their own names."""

    def wrap_key(self, key: bytes, name: str) -> bytes:
        return base64.b64encode(key + name.encode())

    def unwrap_key(self, key: bytes, name: str) -> bytes:
        return base64.b64decode(key)[: -len(name)]


SPOILT: list[tuple[Callable[[Path], None], str, str]] = [
    (html, "is a web page, not Parquet", "fetch the file again"),
    (truncated, "is cut off", "fetch the file again"),
    (empty, "is a Parquet file without rows", "fetch the file again"),
    (without_pickup_time, "lacks the column tpep_pickup_datetime", "check that it is a yellow-taxi trip file"),
    (of_another_month, "is not the file of 2024-02: 0 of its", "it is another month's file"),
    (of_a_neighbouring_month, "is not the file of 2024-02", "it is another month's file"),
    (beginning_with(b"", "no_bytes"), "is empty (0 bytes)", "fetch the file again"),
    (gzipped, "is a gzip archive", "unpack it"),
    (beginning_with(b"PK\x03\x04rest", "zipped"), "is a ZIP archive", "unpack it"),
    (as_csv, "is not Parquet but a CSV file", "put the TLC's Parquet file in its place"),
    (
        beginning_with(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n", "of_git_lfs"),
        "is a pointer of Git LFS",
        "run git lfs pull",
    ),
    (beginning_with(b'{"message": "Forbidden"}', "json"), "is a JSON answer, not Parquet", "fetch the file again"),
    (beginning_with(b"PARE rest PARE", "encrypted"), "is encrypted Parquet", "write it again without encryption"),
    (with_encrypted_columns, "is encrypted Parquet", "write it again without encryption"),
    (missing, "does not exist", "put the file of 2024-02 there"),
]


@pytest.mark.parametrize(("spoil", "problem", "remedy"), SPOILT, ids=[spoil.__name__ for spoil, _, _ in SPOILT])
def test_a_spoilt_file_is_refused_and_not_landed(
    source: Path, tmp_path: Path, spoil: Callable[[Path], None], problem: str, remedy: str
) -> None:
    folder = Path(shutil.copytree(source, tmp_path / "source"))
    file = folder / tlc.trip_file_path(MONTH)
    spoil(file)
    with pytest.raises(InputError) as refused:
        ingest(MONTH, folder, tmp_path / "raw")
    assert file.name in str(refused.value)
    assert problem in str(refused.value)
    assert f"What to do: {remedy}" in str(refused.value)
    assert not (tmp_path / "raw").exists()


def test_a_zone_lookup_that_is_none_fails_the_month(source: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(source, tmp_path / "source"))
    (folder / tlc.ZONE_FILE_PATH).write_bytes(make_zones()[:200])
    with pytest.raises(InputError, match=r"taxi_zone_lookup\.csv"):
        ingest(MONTH, folder, tmp_path / "raw")
    assert not (tmp_path / "raw").exists()


def test_a_file_that_nobody_spoilt_is_landed(source: Path, tmp_path: Path) -> None:
    facts = ingest(MONTH, source, tmp_path / "raw")
    assert Path(facts["trips"]["path"]).read_bytes() == (source / tlc.trip_file_path(MONTH)).read_bytes()
    assert facts["zones"]["rows"] == tlc.ZONE_COUNT
