"""Job: one month's trip file, and the zone lookup of the day, from the source to the raw layer.

Belongs here: fetching, verifying, landing. Does not: changing a byte of a file (``masking`` does, if that is asked
for), or keeping the ledger.
Each content lies in a folder of its own, named after its SHA-256: a republished month never replaces an earlier
one, and a catalog can point at the one in force. A file is fetched to the local disk and judged there before a byte
is landed, because Parquet's footer is at its end. Runs without Spark: nothing here is a DataFrame.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from glue_jobs.contracts import raw, tlc
from glue_jobs.contracts.eras import era_of
from glue_jobs.contracts.months import month_bounds
from glue_jobs.errors import InputError, SourceUnavailable
from glue_jobs.files import (
    error_page,
    index_columns,
    land_by_content,
    parquet_schema,
    parse_zones,
    values_of,
)
from glue_jobs.masking import mask
from glue_jobs.reporting import Reporter, argument_parser, progress_line, run_job
from glue_jobs.reports import INGEST_RAW, IngestReport, Landed, VerifiedTrips
from glue_jobs.sources import Fetched, Progress, open_source, open_trip_source
from glue_jobs.transforms.normalise import ARROW_TYPES, FileLayout, drift_of, layout_of

_log = logging.getLogger("glue_jobs.ingest_raw")  # run as a script, __name__ is "__main__"
_FETCH_AGAIN = "fetch the file again from the source; if it is the same there, wait for the TLC to correct it"
_UNPACK = "unpack it, and put the Parquet file in its place"
_WRITE_AS_PARQUET = "put the TLC's Parquet file in its place"
_NOT_PARQUET = (
    (b"\x1f\x8b", "a gzip archive", _UNPACK),
    (b"PK\x03\x04", "a ZIP archive or an Excel file", _UNPACK),
    (b"BZh", "a bzip2 archive", _UNPACK),
    (b"\xfd7zXZ\x00", "an xz archive", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", _UNPACK),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file", "run git lfs pull where the file comes from"),
    (b"PARE", "encrypted Parquet", "write it again without encryption"),
    (b"ARROW1", "an Arrow (Feather) file", _WRITE_AS_PARQUET),
    (b"ORC", "an ORC file", _WRITE_AS_PARQUET),
    (b"Obj\x01", "an Avro file", _WRITE_AS_PARQUET),
    (b"SQLite format 3", "an SQLite database", _WRITE_AS_PARQUET),
)
"""What files begin with, what those are, and what to do about one."""
_MOST_ROWS, _MOST_COLUMNS = 100_000_000, 256
"""Far more than any month has. A few kilobytes of Parquet can say that they are billions of rows."""
_LONGEST_FOOTER = 16 << 20
"""That of a million row groups would have two gigabytes: a group of our synthetic months takes 2,134 bytes."""
_MOST_BYTES = 32 << 30
"""Of all values, unpacked. A text of a megabyte that each row has is stored once."""
_MOST_ZONE_BYTES = 1 << 20
_BATCH_ROWS = 1 << 18
_YEARS = (datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999))  # noqa: DTZ001 -- trip times have no zone
_NO_TRIP_FILE = "it is no trip file of the TLC; put that in its place"


def ingest(arguments: argparse.Namespace, reporter: Reporter) -> IngestReport:
    """Land the month's files. InputError if a file is not what it should be."""
    source = open_trip_source(arguments.source)
    source_of_zones = open_source(arguments.zones_source or arguments.source)
    month = arguments.month
    year, number = month.split("-")
    with tempfile.TemporaryDirectory(prefix="ingest_raw-") as folder:
        trips, zones = Path(folder, tlc.trip_file_name(month)), Path(folder, tlc.ZONE_FILE_NAME)
        with reporter.phase("fetch trips"):
            fetched_trips = source.fetch_trips(month, trips, _logged_progress(trips.name))
        with reporter.phase("verify trips"):
            verified = verify_trips(trips, fetched_trips.url, month)
        if arguments.mask_k:
            with reporter.phase("mask trips"):
                fetched_trips, verified = _masked(trips, fetched_trips, month, arguments.mask_k)
        with reporter.phase("fetch zones"):
            fetched_zones = source_of_zones.fetch_zones(zones, _logged_progress(zones.name))
            zone_rows = _count_zones(zones, fetched_zones.url)
        with reporter.phase("land"):
            dataset = f"{arguments.raw_dir}/dataset={raw.TRIPS_DATASET}/year={year}/month={number}"
            landed_trips = _land(trips, dataset, fetched_trips)
            landed_zones = _land(zones, f"{arguments.raw_dir}/dataset={raw.ZONES_DATASET}", fetched_zones)
    return {
        "trips": {**landed_trips, **verified},
        "zones": {
            **landed_zones,
            "rows": zone_rows,
            "physical_schema": dict.fromkeys(tlc.ZONE_COLUMNS, "string"),
        },
        "seconds": reporter.seconds,
    }


def _masked(trips: Path, fetched: Fetched, month: str, k: int) -> tuple[Fetched, VerifiedTrips]:
    """The file masked where it lies: the address that says so, and what it now holds."""
    done = mask(trips, fetched.url, k)
    _log.warning(
        "%s: masked so that each row is one of at least %d: %d rows, %d of them merged; %d rows are left out",
        fetched.url,
        k,
        done.rows,
        done.merged,
        done.left_out,
    )
    url = raw.masked_address(fetched.url, k)
    return replace(fetched, url=url), verify_trips(trips, url, month)


def _count_zones(path: Path, url: str) -> int:
    """Rows of the zone lookup. A bad one is no verdict on the month's trips: with the next lookup they may be fine."""
    if (size := path.stat().st_size) > _MOST_ZONE_BYTES:
        raise SourceUnavailable(f"{url} has {size:,} bytes, and no zone lookup has {_MOST_ZONE_BYTES:,}", _FETCH_AGAIN)
    try:
        return len(parse_zones(path.read_bytes(), url))
    except InputError as error:
        raise SourceUnavailable(error.problem, error.remedy) from error


def verify_trips(path: Path, url: str, month: str) -> VerifiedTrips:
    """Rows and physical schema of a trip file that can be staged; InputError, naming ``url``, if it cannot.

    Checks that it is Parquet with a readable footer, has rows, unpacks to what a month can be, has the contract's
    columns in types that cast to the contract's without loss, can be decoded, and that most pick-ups lie in ``month``:
    in real files all but a few dozen do, while the file of a neighbouring month has a few strays of this one.
    """
    _verify_is_parquet(path, url)
    try:
        schema, index = parquet_schema(str(path), url), index_columns(str(path))
        rows = pq.read_metadata(path).num_rows
    except (pa.ArrowException, OSError, ValueError) as error:  # a ValueError for names that are no UTF-8
        raise _not_read(url, "is a broken Parquet file", error) from error
    if rows == 0:
        raise InputError(f"{url} is a Parquet file without rows", _FETCH_AGAIN)
    for most, found, what in ((_MOST_ROWS, rows, "rows"), (_MOST_COLUMNS, len(schema), "columns")):
        if found > most:
            raise InputError(f"{url} says that it has {found:,} {what}, and no month has {most:,}", _NO_TRIP_FILE)
    layout = layout_of(schema, url, index)
    inside, first, last = _decode(path, url, layout, month)
    if inside <= rows / 2:
        raise InputError(
            f"{url} is not the file of {month}: {inside} of its {rows} pick-ups lie in it; "
            f"they begin at {first} and end at {last}",
            f"it is another month's file; put the file of {month} in its place",
        )
    era = era_of(month)
    drift = drift_of({name: kind for name, kind in schema.items() if name not in layout.index}, era)
    for what, columns in (("new", drift.new), ("missing", drift.missing), ("changed", drift.changed)):
        if columns:
            _log.warning("%s: %s columns, measured by the files since %s: %s", url, what, era.since, columns)
    return {
        "rows": rows,
        "physical_schema": schema,
        "absent_columns": list(layout.absent),
        "unknown_columns": layout.strangers,
        "unreadable_columns": list(layout.unreadable),
        "index_columns": list(layout.index),
        "era": era.since,
        "new_columns": list(drift.new),
        "missing_columns": list(drift.missing),
        "changed_types": dict(drift.changed),
    }


def _decode(path: Path, url: str, layout: FileLayout, month: str) -> tuple[int, datetime | None, datetime | None]:
    """Rows picked up in ``month``, first and last pick-up. Decodes every column, so broken pages show here.

    InputError if a page is broken, if a value would be lost in the contract's type or is no text or time, or if the
    values take more room than those of a month can.
    """
    start, end = month_bounds(month)
    inside = rows = size = 0
    seen: list[datetime] = []
    try:
        file = pq.ParquetFile(path, read_dictionary=_texts_of(path))  # a text that many rows have is kept once
        for batch in file.iter_batches(_BATCH_ROWS):
            rows, size = rows + batch.num_rows, size + sum(map(_unpacked, batch.columns))
            if size > _MOST_BYTES:
                raise InputError(
                    f"{url} has {path.stat().st_size:,} bytes, and its first {rows:,} rows unpack to {size:,}",
                    _NO_TRIP_FILE,
                )
            _refuse_what_is_no_text(batch, url)
            pickups = _cast_exactly(batch, layout, url)
            after = pc.greater_equal(pickups, pa.scalar(start).cast(pickups.type))
            before = pc.less(pickups, pa.scalar(end).cast(pickups.type))
            inside += pc.sum(pc.and_(after, before)).as_py() or 0
            seen.extend(bound for bound in pc.min_max(pickups).as_py().values() if bound is not None)
    except (pa.ArrowException, OSError) as error:
        raise _not_read(url, "has a readable footer but broken data", error) from error
    if rows != (said := file.metadata.num_rows):
        raise InputError(f"{url} says that it has {said:,} rows, and {rows:,} are there", _FETCH_AGAIN)
    return inside, min(seen, default=None), max(seen, default=None)


def _texts_of(path: Path) -> list[str]:
    """The columns of texts, nested ones too, as Parquet calls them."""
    schema = pq.read_metadata(path).schema
    columns = (schema.column(number) for number in range(len(schema)))
    texts = [
        one for one in columns if one.physical_type == "BYTE_ARRAY" and one.logical_type.type in ("STRING", "NONE")
    ]
    return [one.path for one in texts]


def _unpacked(values: pa.Array) -> int:
    """The bytes of a column's values, each text counted as often as it is there."""
    if not pa.types.is_dictionary(values.type):
        return int(values.nbytes)
    if not (pa.types.is_large_string(kind := values.type.value_type) or pa.types.is_string(kind)):
        return int(values.indices.nbytes)
    return int(pc.sum(pc.binary_length(values.dictionary).take(values.indices)).as_py() or 0)


def _refuse_what_is_no_text(batch: pa.RecordBatch, url: str) -> None:
    """InputError if a text is no UTF-8: Arrow does not look when it reads, and engines fail at it later."""
    for name, values in zip(batch.schema.names, batch.columns, strict=True):
        try:
            values.validate(full=True)
        except pa.ArrowInvalid as error:
            raise InputError(
                f"{url}: column {name} has values that are no {values_of(values.type)} ({error})",
                "write the file again, its texts as UTF-8",
            ) from error


def _not_read(url: str, broken: str, error: Exception) -> InputError:
    if "crypt" in str(error):  # encrypted columns may have a plain footer
        return InputError(f"{url} is encrypted Parquet", "write it again without encryption")
    return InputError(f"{url} {broken} ({error})", _FETCH_AGAIN)


def _cast_exactly(columns: pa.RecordBatch, layout: FileLayout, url: str) -> pa.Array:
    """The times of pick-up; InputError if a value of any contract column is lost by the cast to its type."""
    pickups = None
    for column in tlc.TRIP_COLUMNS:
        if column.name not in layout.read:
            continue
        name = layout.read[column.name][0]
        values, target = columns.column(name), ARROW_TYPES[column.type]
        if pa.types.is_dictionary(values.type):  # as pandas writes a categorical
            values = values.cast(values.type.value_type)
        try:
            cast = values.cast(target, safe=True)
        except pa.ArrowInvalid as error:
            raise InputError(
                f"{url}: column {name} is of type {values.type}, and values of it would be lost as {target} ({error})",
                "find out what the TLC means by these values; until then the month stays as it is",
            ) from error
        if pa.types.is_timestamp(target):
            _refuse_other_years(cast, name, url)
        if column.name == "tpep_pickup_datetime":
            pickups = cast
    return pickups


def _refuse_other_years(times: pa.Array, name: str, url: str) -> None:
    """InputError for a time that Arrow can hold and Python, CSV and SQL cannot."""
    bounds = pa.array(_YEARS, times.type).cast(pa.int64())
    seen = pc.min_max(times.cast(pa.int64()))
    if (pc.less(seen["min"], bounds[0]).as_py() or False) or (pc.greater(seen["max"], bounds[1]).as_py() or False):
        raise InputError(
            f"{url}: column {name} has times outside the years 1 to 9999",
            "find out what the TLC means by these values; until then the month stays as it is",
        )


def _verify_is_parquet(path: Path, url: str) -> None:
    with path.open("rb") as file:
        head = file.read(256)
        file.seek(max(0, path.stat().st_size - 8))
        tail = file.read(8)
    if page := error_page(head):
        # The source is unwell and answers so for any file: not what it has for this month.
        raise SourceUnavailable(f"{url} is {page}, not Parquet: it begins with {head[:40]!r}", _FETCH_AGAIN)
    if not head:
        raise InputError(f"{url} is empty (0 bytes)", _FETCH_AGAIN)
    for magic, what, remedy in _NOT_PARQUET:
        if head.startswith(magic):
            raise InputError(f"{url} is {what}, not plain Parquet", remedy)
    if not head.startswith(b"PAR1"):
        first_line = head.partition(b"\n")[0]
        is_csv = first_line.isascii() and any(mark in first_line for mark in (b",", b";", b"\t")) and b"\0" not in head
        what = "a CSV file" if is_csv else "something else"
        remedy = _WRITE_AS_PARQUET if is_csv else _FETCH_AGAIN
        raise InputError(f"{url} is not Parquet but {what}: it begins with {head[:40]!r}", remedy)
    if not tail.endswith(b"PAR1"):
        raise InputError(f"{url} is cut off: {path.stat().st_size} bytes without a Parquet footer", _FETCH_AGAIN)
    if (footer := int.from_bytes(tail[:4], "little")) > _LONGEST_FOOTER:
        raise InputError(
            f"{url} says that its footer has {footer:,} bytes, and no trip file has {_LONGEST_FOOTER:,}", _NO_TRIP_FILE
        )


def _land(local: Path, folder: str, fetched: Fetched) -> Landed:
    """Land ``local`` in the folder of its content below ``folder``."""
    uri, digest = land_by_content(local, folder)
    return {"url": fetched.url, "etag": fetched.etag, "path": uri, "sha256": digest, "bytes": local.stat().st_size}


def _logged_progress(name: str) -> Progress:
    """Log each further tenth of a transfer."""
    logged = -1

    def progress(done: int, total: int) -> None:
        nonlocal logged
        tenths = done * 10 // total if total else done // (10 << 20)
        if tenths > logged:
            logged = tenths
            _log.info("%s", progress_line(name, done, total))

    return progress


def main() -> None:
    """Entry point."""
    parser = argument_parser(__doc__ or "")
    parser.add_argument(
        "--source", required=True, help="https:// address, folder, synthetic:rows=…,seed=…, or inbox:FOLDER"
    )
    parser.add_argument("--zones-source", default="", help="where the zone lookup comes from, if not from there")
    parser.add_argument("--mask-k", type=int, default=0, help="make each row one of at least so many; 0: as it came")
    parser.add_argument("--raw-dir", required=True, help="URI of the lake's raw layer")
    run_job(INGEST_RAW, parser, ingest)


if __name__ == "__main__":
    main()
