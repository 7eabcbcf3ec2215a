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

from glue_jobs import ingest_raw
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


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"


def beginning_with(content: bytes) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        path.write_bytes(content)

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


def with_footer_length(length: int) -> Callable[[Path], None]:
    """Its last eight bytes say how long the footer is."""

    def spoil(path: Path) -> None:
        path.write_bytes(path.read_bytes()[:-8] + length.to_bytes(4, "little") + b"PAR1")

    return spoil


def with_footer_of_zeros(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200] + bytes(192) + path.read_bytes()[-8:])


def with_column(name: str, values: Callable[[int], pa.Array]) -> Callable[[Path], None]:
    """With the column ``name``, in its place if there is one, of as many ``values`` as there are rows."""

    def spoil(path: Path) -> None:
        table = pq.read_table(path)
        column = values(table.num_rows)
        if name in table.column_names:
            changed = table.set_column(table.column_names.index(name), name, column)
        else:
            changed = table.append_column(name, column)
        pq.write_table(changed, path, compression="zstd", dictionary_pagesize_limit=1 << 30)

    return spoil


def first(value: int) -> Callable[[int], pa.Array]:
    """Times of which the first is ``value`` microseconds from 1970."""
    return lambda rows: pa.array([value, *([0] * (rows - 1))], pa.int64()).cast(pa.timestamp("us"))


def not_utf8(rows: int) -> pa.Array:
    return pa.Array.from_buffers(pa.string(), rows, pa.array([b"\xff\xfe"] * rows, pa.binary()).buffers())


def of_sixteen_megabytes(rows: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), ["N" * (16 << 20)])


def twice(name: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        table = pq.read_table(path)
        pq.write_table(table.append_column(name, table["VendorID"]), path)

    return spoil


def of_green_taxis(path: Path) -> None:
    table = pq.read_table(path)
    pq.write_table(table.rename_columns([name.replace("tpep", "lpep") for name in table.column_names]), path)


def with_three_hundred_columns(path: Path) -> None:
    table = pq.read_table(path)
    pq.write_table(pa.table({**{f"c{n}": table["extra"] for n in range(300)}, **dict(table.to_pydict())}), path)


_YEAR_OF_US = 365 * 86_400_000_000

AGAIN, OTHER = "fetch the file again", "it is no trip file of the TLC"
TYPES, ASK = "write the column in one of these types", "find out what the TLC means by these values"
SPOILT: list[tuple[str, Callable[[Path], None], str, str]] = [
    ("a web page", html, "is a web page, not Parquet", AGAIN),
    ("cut off at its end", truncated, "is cut off", AGAIN),
    ("without rows", empty, "is a Parquet file without rows", AGAIN),
    (
        "without a column that has to be there",
        without_pickup_time,
        "lacks the column tpep_pickup_datetime",
        "check that",
    ),
    ("of another month", of_another_month, "is not the file of 2024-02: 0 of its", "it is another month's file"),
    ("of a neighbouring month", of_a_neighbouring_month, "is not the file of 2024-02", "it is another month's file"),
    ("of no bytes", beginning_with(b""), "is empty (0 bytes)", AGAIN),
    ("in a gzip archive", gzipped, "is a gzip archive", "unpack it"),
    ("in a ZIP archive", beginning_with(b"PK\x03\x04rest"), "is a ZIP archive", "unpack it"),
    ("CSV", as_csv, "is not Parquet but a CSV file", "put the TLC's Parquet file in its place"),
    ("a pointer of Git LFS", beginning_with(LFS), "is a pointer of Git LFS", "run git lfs pull"),
    ("an error in JSON", beginning_with(b'{"message": "Forbidden"}'), "is a JSON answer, not Parquet", AGAIN),
    ("ORC", beginning_with(b"ORC rest"), "is an ORC file", "put the TLC's Parquet file in its place"),
    ("encrypted", beginning_with(b"PARE rest PARE"), "is encrypted Parquet", "write it again without encryption"),
    ("encrypted but for its footer", with_encrypted_columns, "is encrypted Parquet", "write it again without"),
    ("not there", missing, "does not exist", "put the file of 2024-02 there"),
    ("with a footer longer than the file", with_footer_length(1 << 20), "is a broken Parquet file", AGAIN),
    ("with a footer of no bytes", with_footer_length(0), "is a broken Parquet file", AGAIN),
    (
        "with a footer of a gigabyte, as of half a million row groups",
        with_footer_length(1 << 30),
        "says that its footer has 1,073,741,824 bytes",
        OTHER,
    ),
    ("with zeros for a footer", with_footer_of_zeros, "is a broken Parquet file", AGAIN),
    ("with three hundred columns", with_three_hundred_columns, "columns, and no month has 256", OTHER),
    (
        "a decompression bomb: some kilobytes that unpack to fifty gigabytes",
        with_column("store_and_fwd_flag", of_sixteen_megabytes),
        "rows unpack to 5",
        OTHER,
    ),
    ("with a list for money", with_column("extra", lambda n: pa.array([[1.0]] * n)), "extra is of type list", TYPES),
    (
        "with a record for a code",
        with_column("VendorID", lambda n: pa.array([{"a": 1}] * n)),
        "VendorID is of type struct",
        TYPES,
    ),
    ("with yes and no for money", with_column("extra", lambda n: pa.array([True] * n)), "extra is of type bool", TYPES),
    (
        "with bytes for a text",
        with_column("store_and_fwd_flag", lambda n: pa.array([b"Y"] * n)),
        "store_and_fwd_flag is of type binary",
        TYPES,
    ),
    (
        "with days for times",
        with_column("tpep_pickup_datetime", lambda n: pa.array([0] * n, pa.date32())),
        "tpep_pickup_datetime is of type date32",
        TYPES,
    ),
    (
        "with numbers of 76 digits",
        with_column("fare_amount", lambda n: pa.array([10**60] * n, pa.decimal256(76, 2))),
        "fare_amount is of type decimal256(76, 2)",
        TYPES,
    ),
    (
        "with a code that is not a number (NaN)",
        with_column("VendorID", lambda n: pa.array([float("nan")] * n)),
        "values of it would be lost as int64",
        ASK,
    ),
    (
        "with an infinite code",
        with_column("PULocationID", lambda n: pa.array([float("inf")] * n)),
        "values of it would be lost as int64",
        ASK,
    ),
    (
        "with words for times",
        with_column("tpep_pickup_datetime", lambda n: pa.array(["yesterday"] * n)),
        "values of it would be lost as timestamp",
        ASK,
    ),
    (
        "with a drop-off after the year 9999",
        with_column("tpep_dropoff_datetime", first(9_000 * _YEAR_OF_US)),
        "column tpep_dropoff_datetime has times outside the years 1 to 9999",
        ASK,
    ),
    (
        "with a pick-up before the year 1",
        with_column("tpep_pickup_datetime", first(-3_000 * _YEAR_OF_US)),
        "column tpep_pickup_datetime has times outside the years 1 to 9999",
        ASK,
    ),
    (
        "with texts that are no UTF-8",
        with_column("store_and_fwd_flag", not_utf8),
        "column store_and_fwd_flag has values that are no string",
        "write the file again, its texts as UTF-8",
    ),
    (
        "with texts that are no UTF-8 in a column that nobody knows",
        with_column("note", not_utf8),
        "column note has values that are no string",
        "write the file again, its texts as UTF-8",
    ),
    ("with a name twice", twice("VendorID"), "has columns that stand more than once: VendorID", "find out which"),
    ("with a name in two cases", twice("vendorid"), "has columns that differ only by case", "find out which of them"),
    (
        "with an order to the terminal in a column's name",
        with_column("\x1b[2J\n", not_utf8),
        "column \\x1b[2J has values",
        "write the file again",
    ),
    (
        "of green taxis",
        of_green_taxis,
        "lacks the columns tpep_pickup_datetime, tpep_dropoff_datetime",
        "check that it",
    ),
    (
        "of 2010, with coordinates",
        twice("Start_Lon"),
        "has coordinates (start_lon) instead of taxi zones",
        "choose a month",
    ),
]


@pytest.mark.bad_input("The month's file")
@pytest.mark.parametrize(("spoil", "said", "remedy"), [one[1:] for one in SPOILT], ids=[one[0] for one in SPOILT])
def test_a_spoilt_file_is_refused_and_not_landed(
    source: Path, tmp_path: Path, spoil: Callable[[Path], None], said: str, remedy: str
) -> None:
    folder = Path(shutil.copytree(source, tmp_path / "source"))
    file = folder / tlc.trip_file_path(MONTH)
    spoil(file)
    with pytest.raises(InputError) as refused:
        ingest(MONTH, folder, tmp_path / "raw")
    assert file.name in str(refused.value)
    assert said in str(refused.value)
    assert f"What to do: {remedy}" in str(refused.value)
    assert str(refused.value).isprintable()
    assert not (tmp_path / "raw").exists()


@pytest.mark.bad_input("The month's file", kind="with more rows than any month", said="says that it has 3,0")
def test_a_file_of_more_rows_than_any_month_is_not_read(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_raw, "_MOST_ROWS", 3_000)
    monkeypatch.setattr(ingest_raw, "_decode", None)
    with pytest.raises(InputError, match=r"says that it has 3,0\d\d rows, and no month has 3,000"):
        ingest(MONTH, source, tmp_path / "raw")
    assert not (tmp_path / "raw").exists()


ZONES: list[tuple[str, bytes, str]] = [
    ("a zone lookup that is cut off", make_zones()[:200], "does not list zones 1 to 265 once each"),
    ("a zone lookup that is no UTF-8", b"\xff\xfe" + make_zones(), "is not a zone lookup with columns LocationID"),
    ("a web page for a zone lookup", b"<html>\n<body>", "is not a zone lookup with columns LocationID"),
    ("a zone that stands twice", make_zones() + b'1,"EWR","Newark","EWR"\n', "does not list zones 1 to 265 once each"),
    ("a zone's name of 200,000 letters", b"LocationID,Zone\n1," + b"x" * 200_000, "is not a zone lookup with columns"),
    ("a zone lookup of two megabytes", make_zones() + b"\n" * (2 << 20), "bytes, and no zone lookup has 1,048,576"),
]


@pytest.mark.bad_input("The month's file")
@pytest.mark.parametrize(("content", "said"), [one[1:] for one in ZONES], ids=[one[0] for one in ZONES])
def test_a_zone_lookup_that_is_none_fails_the_month(source: Path, tmp_path: Path, content: bytes, said: str) -> None:
    folder = Path(shutil.copytree(source, tmp_path / "source"))
    (folder / tlc.ZONE_FILE_PATH).write_bytes(content)
    with pytest.raises(InputError) as refused:
        ingest(MONTH, folder, tmp_path / "raw")
    assert "taxi_zone_lookup.csv" in str(refused.value)
    assert said in str(refused.value)
    assert "What to do: fetch the" in str(refused.value)
    assert not (tmp_path / "raw").exists()


def test_a_file_that_nobody_spoilt_is_landed(source: Path, tmp_path: Path) -> None:
    facts = ingest(MONTH, source, tmp_path / "raw")
    assert Path(facts["trips"]["path"]).read_bytes() == (source / tlc.trip_file_path(MONTH)).read_bytes()
    assert facts["zones"]["rows"] == tlc.ZONE_COUNT
