"""Masking a month's trip file, for lakes that are given to people who must not find anybody in them.

Belongs here: what is coarsened, merged and left out. Does not: when it is done (``ingest_raw``), or asking whether it
has held (``taxi_assets.checks.raw``).

Who knows when and where somebody got into a taxi, and when and where that ended, finds the trip among half of the
others of its hour. After masking at least ``k`` trips share each such combination. Amounts, miles and what else the
contract has of a trip stay as they came, so that sums over days stay what they were.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from glue_jobs.contracts import tlc
from glue_jobs.errors import InputError

_PICKUP, _DROPOFF, _FROM, _TO = "tpep_pickup_datetime", "tpep_dropoff_datetime", "pulocationid", "dolocationid"
_HOUR, _DAY = 3_600, 86_400
_PARTS_OF_DAY = (0, 6, 12, 18, 22)
"""First hours of the times of day of ``transforms.enrich.time_of_day``; night is two of them."""
_Numbers = np.ndarray[Any, np.dtype[np.int64]]
_Hashes = np.ndarray[Any, np.dtype[np.uint64]]
_NULL = np.int64(0x5851F42D4C957F2D)
"""Mixed into the place of a value that is missing: some number that no amount is."""


@dataclass(frozen=True)
class Masked:
    """Rows that stayed, how many of them are ``merged`` (they lost a zone, or more), and how many are ``left_out``."""

    rows: int
    merged: int
    left_out: int


def mask(file: Path, url: str, k: int) -> Masked:
    """Rewrite a verified trip file so that at least ``k`` rows share times and zones of pick-up and drop-off.

    Times of pick-up become the hour, durations whole quarters of an hour; rows that are too few for that lose the zone
    of drop-off and the quarters, then the zone of pick-up, then the hour to the time of day, then that to noon; those
    that are too few even so, or lack a time or a zone, are left out. Columns that the contract does not know are left
    out, and the rows are in no order that the file had. InputError, naming ``url``, if less than half of the rows stay.
    """
    table = _contracted(pq.read_table(file), url)
    names = {name.lower(): name for name in table.column_names}
    times_and_zones = table.select([names[name] for name in (_PICKUP, _DROPOFF, _FROM, _TO)])
    complete = table.filter(reduce(pc.and_, (column.is_valid() for column in times_and_zones.columns)))
    pickup, dropoff = (_seconds(complete[names[name]]) for name in (_PICKUP, _DROPOFF))
    zones = [complete[names[name]].cast(pa.int64()).to_numpy() for name in (_FROM, _TO)]
    start, took, places, merged, kept = _generalised(pickup, dropoff - pickup, zones, k)
    if kept.sum() <= table.num_rows / 2:
        raise InputError(
            f"{url}: of its {table.num_rows} rows only {kept.sum()} can be made one of at least {k}",
            "give a smaller TAXI_MASK_K, or a larger file",
        )
    masked = complete
    for name, values in ((_FROM, places[0]), (_TO, places[1])):
        masked = _replaced(masked, names[name], pa.array(values))
    apart = _copies_told_apart(masked.drop([names[_PICKUP], names[_DROPOFF]]), start, took, complete)
    masked = _replaced(masked, names[_PICKUP], pa.array((start + apart).astype("datetime64[s]")))
    masked = _replaced(masked, names[_DROPOFF], pa.array((start + apart + took).astype("datetime64[s]")))
    order = np.lexsort((_hashed(masked), start))
    pq.write_table(masked.take(pa.array(order[kept[order]])), file)
    return Masked(int(kept.sum()), int((merged & kept).sum()), table.num_rows - int(kept.sum()))


def _contracted(table: pa.Table, url: str) -> pa.Table:
    """The columns that the contract knows; InputError if times of it are no timestamps."""
    known = {column.name for column in tlc.TRIP_COLUMNS}
    table = table.select([name for name in table.column_names if name.lower() in known])
    for name in table.column_names:
        if name.lower() in (_PICKUP, _DROPOFF) and not pa.types.is_timestamp(table[name].type):
            raise InputError(
                f"{url}: column {name} is of type {table[name].type}, and only timestamps can be masked",
                "write the column as timestamps, or land the month in a lake that is not masked",
            )
    return table.replace_schema_metadata(None)


def _seconds(times: pa.ChunkedArray) -> _Numbers:
    """Wall-clock seconds since 1970."""
    seconds: _Numbers = times.cast(pa.timestamp("s"), safe=False).cast(pa.int64()).to_numpy()
    return seconds


def _levels(pickup: _Numbers, took: _Numbers, zones: Sequence[_Numbers]) -> Iterator[tuple[_Numbers, ...]]:
    """Start and duration in seconds, zone of pick-up and of drop-off, each time coarser."""
    hour, day = pickup // _HOUR * _HOUR, pickup // _DAY * _DAY
    of_day = np.array(_PARTS_OF_DAY)[np.searchsorted(_PARTS_OF_DAY, (hour - day) // _HOUR, side="right") - 1]
    quarters, hours = _away_from_zero(took, _HOUR // 4), _away_from_zero(took, _HOUR)
    nowhere = np.full_like(pickup, tlc.UNKNOWN_ZONE)
    yield hour, quarters, zones[0], zones[1]
    yield hour, hours, zones[0], nowhere
    yield hour, hours, nowhere, nowhere
    yield day + of_day * _HOUR, hours, nowhere, nowhere
    yield day + _DAY // 2, hours, nowhere, nowhere


def _away_from_zero(seconds: _Numbers, step: int) -> _Numbers:
    """The next multiple of ``step``: nothing that took time takes none, and what went backwards still does."""
    steps: _Numbers = -(-np.abs(seconds) // step)
    return np.sign(seconds) * steps * step


def _generalised(
    pickup: _Numbers, took: _Numbers, zones: Sequence[_Numbers], k: int
) -> tuple[_Numbers, _Numbers, list[_Numbers], Any, Any]:
    """Start, duration and zones at the first level at which ``k`` rows share them; which rows are merged, and kept."""
    levels = _levels(pickup, took, zones)
    found = [np.copy(values) for values in next(levels)]
    left = np.flatnonzero(~_shared(found, k))
    merged = np.zeros(len(pickup), bool)
    merged[left] = True
    for values in levels:
        coarser = [part[left] for part in values]
        for part, coarse in zip(found, coarser, strict=True):
            part[left] = coarse
        left = left[~_shared(coarser, k)]
    kept = np.ones(len(pickup), bool)
    kept[left] = False
    start, duration, *places = found
    return start, duration, places, merged, kept


def _shared(values: Sequence[_Numbers], k: int) -> Any:
    """Whether at least ``k`` rows have these values, row by row."""
    _, group, rows = np.unique(_mixed(values), return_inverse=True, return_counts=True)
    return rows[group] >= k


def _copies_told_apart(others: pa.Table, start: _Numbers, took: _Numbers, before: pa.Table) -> _Numbers:
    """Seconds to add to the times of rows that masking made equal: else all but one would count as repeated.

    Rows that were equal before stay so: they are repeated.
    """
    after = _mixed([start, took, _hashed(others).view(np.int64)])
    was = _hashed(before)
    order = np.lexsort((was, after))
    of_group, of_row = after[order], was[order]
    new_group = np.r_[True, of_group[1:] != of_group[:-1]] if len(order) else np.zeros(0, bool)
    new_row = new_group | np.r_[True, of_row[1:] != of_row[:-1]] if len(order) else new_group
    number = np.cumsum(new_row)
    first = np.maximum.accumulate(np.where(new_group, number, 0))
    seconds = np.empty(len(order), np.int64)
    seconds[order] = number - first
    return seconds


def _hashed(table: pa.Table) -> _Hashes:
    """A hash of each row."""
    return _mixed([_as_numbers(column) for column in table.columns])


def _as_numbers(column: pa.ChunkedArray) -> _Numbers:
    """Values as whole numbers, equal where and only where they are."""
    values = column.combine_chunks()
    if pa.types.is_timestamp(values.type):
        values = values.cast(pa.int64())
    elif not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        values = values.dictionary_encode().indices
    numbers: _Numbers = (
        values.cast(pa.float64(), safe=False).fill_null(0.0).to_numpy(zero_copy_only=False).view(np.int64)
    )
    told_apart: _Numbers = numbers ^ np.where(values.is_null().to_numpy(zero_copy_only=False), _NULL, np.int64(0))
    return told_apart


def _mixed(columns: Sequence[_Numbers]) -> _Hashes:
    """One number for the values of each row, by the mixing step of SplitMix64 (Steele, Lea, Flood 2014)."""
    mixed = np.zeros(len(columns[0]), np.uint64)
    for values in columns:
        mixed = (mixed ^ values.view(np.uint64)) + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return mixed


def _replaced(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    """The column with other values in the type that it has."""
    at = table.column_names.index(name)
    kind = table.schema.field(at).type
    return table.set_column(at, name, values.cast(kind, safe=False))
