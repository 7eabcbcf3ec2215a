"""Months made up on the spot, of any size, the same for the same seed.

Belongs here: a generator whose rows have the shape, the distributions and the dirt of real files (the facts are
in the TLC's data dictionary and in published analyses of the files), with the columns and physical types of the
month's era. Does not: anything that judges or repairs rows.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from glue_jobs.contracts import tlc
from glue_jobs.contracts.eras import NULL, era_of
from glue_jobs.contracts.months import month_bounds
from glue_jobs.errors import SourceUnavailable
from glue_jobs.sources.base import Fetched, Progress, Seen, Sighting

Array = npt.NDArray[Any]
_TWICE = 56
"""The zone of two records, as in the TLC's file."""
_PROJECTION = (
    'PROJCS["NAD_1983_StatePlane_New_York_Long_Island_FIPS_3104_Feet",GEOGCS["GCS_North_American_198'
    '3",DATUM["D_North_American_1983",SPHEROID["GRS_1980",6378137.0,298.257222101]],PRIMEM["Greenwic'
    'h",0.0],UNIT["Degree",0.0174532925199433]],PROJECTION["Lambert_Conformal_Conic"],PARAMETER["Fal'
    'se_Easting",984250.0],PARAMETER["False_Northing",0.0],PARAMETER["Central_Meridian",-74.0],PARAM'
    'ETER["Standard_Parallel_1",40.66666666666666],PARAMETER["Standard_Parallel_2",41.03333333333333'
    '],PARAMETER["Latitude_Of_Origin",40.16666666666666],UNIT["Foot_US",0.3048006096012192]]'
)
"""As the TLC's file has it."""
Columns = dict[str, Array]

_ARROW_TYPES = {
    "int32": pa.int32(),
    "int64": pa.int64(),
    "double": pa.float64(),
    "string": pa.string(),
    "large_string": pa.large_string(),
    "timestamp[us]": pa.timestamp("us"),
}
DEFAULT_ROWS = 50_000
MIN_ROWS = 500
"""Below, one row of each kind of dirt would be more than a file may have."""
MAX_ROWS = 50_000_000
"""A month of these is made in memory."""
_NUMBER = re.compile(r"[0-9]{1,9}")
DIRT_PER_MILLION = {
    "pickup_outside_month": 20,
    "dropoff_before_pickup": 60,
    "longer_than_24_hours": 10,
    "zone_out_of_range": 5,
    "impossible_distance": 8,
    "impossible_amount": 4,
    "impossible_code": 4,
    "missing_pickup_time": 3,
    "missing_dropoff_time": 3,
    "exact_duplicate": 3,
}
"""Rows of each kind in a million, at least one of each in any month."""
_REFUND_SHARES = (("2025-01", 0.0184), ("2021-01", 0.0087), ("2020-01", 0.0044), ("2019-01", 0.0019), ("", 0.0007))
"""Share of refunds since a month, measured in unfiltered samples of 2018 to 2025."""
REFUNDS_PER_THOUSAND = {"other drop-off zone": 126, "own tip": 17, "without trip": 5, "second of its trip": 2}
"""Refunds of each odd kind in a thousand, at least one of each in any month; in the samples none is of the last two."""
_NIGHT_AND_MORNING, _REST_OF_DAY = (
    [28, 19, 13, 9, 6, 7, 15, 29, 40, 43, 46, 50],
    [54, 56, 60, 61, 61, 67, 71, 64, 57, 57, 53, 41],
)
_HOUR_WEIGHTS = np.array(_NIGHT_AND_MORNING + _REST_OF_DAY)
_BOROUGHS = ("Bronx", "Brooklyn", "Manhattan", "Queens", "Staten Island")
_AIRPORTS = {
    1: ("EWR", "Newark Airport", "EWR"),
    132: ("Queens", "JFK Airport", "Airports"),
    138: ("Queens", "LaGuardia Airport", "Airports"),
}


_FLEX_SHARES = (("2025-01", 0.25), ("2019-02", 0.061), ("2018-07", 0.005))
"""Share of Flex Fare trips since a month; none before. passenger_count has been able to be null since 2018-07."""
_UNSTATED_SINCE, _UNSTATED_SHARE = "2025-01", 0.184
"""Flex Fare trips whose fare is minus the surcharges: 181 of 985 in 2025-02, none of 42,423 in 2024-02."""


class SyntheticSource:
    """A source that makes its files. ``rows`` counts clean trips and the dirt among them, without refunds."""

    def __init__(self, rows: int = DEFAULT_ROWS, seed: int = 1) -> None:
        self._rows, self._seed = rows, seed

    @classmethod
    def from_spec(cls, spec: str) -> SyntheticSource:
        """From ``synthetic`` or ``synthetic:rows=50000,seed=1``; SourceUnavailable if it reads otherwise."""
        remedy = f"write synthetic:rows=50000,seed=1 ({MIN_ROWS} to {MAX_ROWS} rows, a seed of up to nine digits)"
        options = {"rows": DEFAULT_ROWS, "seed": 1}
        for pair in filter(None, spec.partition(":")[2].split(",")):
            name, _, value = pair.partition("=")
            if name not in options or not _NUMBER.fullmatch(value):
                raise SourceUnavailable(f"{pair[:80]!r} in {spec[:80]} is not understood", remedy)
            options[name] = int(value)
        if not MIN_ROWS <= options["rows"] <= MAX_ROWS:
            raise SourceUnavailable(f"{spec} asks for {options['rows']} rows", remedy)
        return cls(**options)

    def fetch_trips(self, month: str, destination: Path, progress: Progress) -> Fetched:
        """See ``Source``. There is a file for every month."""
        pq.write_table(make_month(month, self._rows, self._seed), destination, compression="zstd")
        size = destination.stat().st_size
        progress(size, size)
        return Fetched(url=self._url(month), etag=self._spec)

    def fetch_zones(self, destination: Path, progress: Progress) -> Fetched:
        """See ``Source``. Real ids, boroughs and service zones; made-up names but for the airports."""
        content = make_zones()
        destination.write_bytes(content)
        progress(len(content), len(content))
        return Fetched(url=f"synthetic/{tlc.ZONE_FILE_PATH}", etag="")

    def fetch_shapes(self, destination: Path, progress: Progress) -> Fetched:
        """See ``Source``."""
        content = make_shapes()
        destination.write_bytes(content)
        progress(len(content), len(content))
        return Fetched(url=f"synthetic/{tlc.SHAPES_FILE_PATH}", etag="")

    def look(self, months: Sequence[str], deadline_seconds: float) -> dict[str, Sighting]:  # noqa: ARG002 -- no wait
        """See ``Source``. Every month is there; what it was asked for is what tells its content from another."""
        return {month: Sighting(Seen.THERE, self._url(month), self._spec) for month in months}

    @property
    def _spec(self) -> str:
        return f"synthetic:rows={self._rows},seed={self._seed}"

    def _url(self, month: str) -> str:
        return f"{self._spec}/{tlc.trip_file_path(month)}"


def make_zones() -> bytes:
    """A zone lookup in the TLC's format, 265 rows."""
    text = io.StringIO()
    text.write(",".join(f'"{name}"' for name in tlc.ZONE_COLUMNS) + "\n")
    for zone in range(1, tlc.ZONE_COUNT + 1):
        borough = _BOROUGHS[zone % len(_BOROUGHS)]
        service_zone = "Yellow Zone" if borough == "Manhattan" else "Boro Zone"
        row = _AIRPORTS.get(zone) or (borough, f"{borough} {zone}", service_zone)
        if zone == tlc.UNKNOWN_ZONE:
            row = ("Unknown", "N/A", "N/A")
        if zone == 265:
            row = ("N/A", "Outside of NYC", "N/A")
        text.write(f"{zone}," + ",".join(f'"{value}"' for value in row) + "\n")
    return text.getvalue().encode()


def make_shapes() -> bytes:
    """A zipped shapefile in the TLC's layout: a square for each zone but the last two, which are nowhere.

    Seventeen to a row, the side a mile, in feet of the State Plane of Long Island (EPSG:2263) like the TLC's. As there,
    one zone has two records.
    """
    import shapefile  # for whoever draws maps; no job needs it

    shp, shx, dbf = io.BytesIO(), io.BytesIO(), io.BytesIO()
    with shapefile.Writer(shp=shp, shx=shx, dbf=dbf, shapeType=shapefile.POLYGON) as writer:
        writer.field("LocationID", "N", 9)
        for zone in range(1, tlc.ZONE_COUNT - 1):
            x, y = 940_000 + (zone - 1) % 17 * 5_280, 270_000 - (zone - 1) // 17 * 5_280
            parts = [(y, y + 5_280)] if zone != _TWICE else [(y, y + 2_640), (y + 2_640, y + 5_280)]
            for low, high in parts:
                writer.poly([[(x, low), (x, high), (x + 5_280, high), (x + 5_280, low), (x, low)]])
                writer.record(zone)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for ending, content in (("shp", shp), ("shx", shx), ("dbf", dbf)):
            archive.writestr(zipfile.ZipInfo(f"taxi_zones.{ending}"), content.getvalue())
        archive.writestr(zipfile.ZipInfo("taxi_zones.prj"), _PROJECTION)
    return packed.getvalue()


def make_month(month: str, rows: int, seed: int) -> pa.Table:
    """A month's file as an Arrow table with the names and physical types of its era, in random order."""
    year, number = map(int, month.split("-"))
    random = np.random.default_rng([seed, year, number])
    trips = _clean_trips(month, rows, random)
    _soil(trips, month, random)
    if month >= _UNSTATED_SINCE:
        _leave_fares_unstated(trips, random)
    trips = _with_refunds_and_duplicates(trips, month, random)
    order = random.permutation(len(trips["vendorid"]))
    return _table({name: values[order] for name, values in trips.items()}, month)


def _clean_trips(month: str, rows: int, random: np.random.Generator) -> Columns:
    began = {column.name for column in tlc.TRIP_COLUMNS if column.since <= month}
    flex_share = next((share for since, share in _FLEX_SHARES if since <= month), 0.0)
    start, end = (np.datetime64(day, "s") for day in month_bounds(month))
    days = (end - start).astype("timedelta64[D]").astype(int)
    hours = random.choice(24, rows, p=_HOUR_WEIGHTS / _HOUR_WEIGHTS.sum())
    seconds = random.integers(0, days, rows) * 86400 + hours * 3600 + random.integers(0, 3600, rows)
    pickup = start + seconds.astype("timedelta64[s]")
    miles = np.round(np.clip(random.lognormal(0.6, 0.85, rows), 0.1, 60), 2)
    speed = np.clip(random.normal(11.5, 3.5, rows), 3, 45)
    duration = np.maximum(60, (miles / speed * 3600 + random.exponential(90, rows)).astype(int))

    vendor = random.choice([1, 2, 6, 7], rows, p=[0.235, 0.755, 0.004, 0.006])
    flex = random.random(rows) < flex_share
    payment = np.where(flex, tlc.FLEX, random.choice([1, 2, 3, 4], rows, p=[0.83, 0.155, 0.005, 0.01]))
    zones = random.zipf(1.3, rows * 4) % 263 + 1
    pickup_zone, dropoff_zone = zones[:rows].copy(), zones[rows : 2 * rows].copy()
    airport = random.random(rows) < 0.08
    pickup_zone[airport] = random.choice([132, 138], airport.sum())
    pickup_zone[random.random(rows) < 0.003] = tlc.UNKNOWN_ZONE
    dropoff_zone[random.random(rows) < 0.005] = 265

    rate = random.choice([1.0, 2.0, 3.0, 4.0, 5.0, 99.0], rows, p=[0.94, 0.035, 0.003, 0.002, 0.012, 0.008])
    fare = np.round(np.where(rate == 2, 70.0, 3.0 + 2.6 * miles + 0.45 * duration / 60), 1)
    evening = (hours >= 16) & (hours < 20)
    extra = np.where(evening, 2.5, np.where((hours >= 20) | (hours < 6), 1.0, 0.0))
    card = payment == tlc.CARD
    tip_rate = random.normal(0.22, 0.06, rows).clip(0, 1)
    tip = np.where(card & (random.random(rows) < 0.92), np.round(fare * tip_rate, 2), 0.0)
    tolls = np.where(airport & (random.random(rows) < 0.5), 6.94, 0.0)
    congestion = np.full(rows, 2.5 if "congestion_surcharge" in began else 0.0)
    airport_fee = np.where(np.isin(pickup_zone, [132, 138]) & ~flex & ("airport_fee" in began), 1.75, 0.0)
    cbd = np.where((random.random(rows) < 0.7) & ("cbd_congestion_fee" in began), 0.75, 0.0)
    improvement = np.full(rows, 1.0 if "improvement_surcharge" in began else 0.0)
    total = fare + extra + 0.5 + tip + tolls + improvement + congestion + airport_fee + cbd
    # Creative Mobile counts the fees in `extra` as well; the total holds them once.
    extra = np.where((vendor == tlc.CMT) & ~flex, extra + congestion + airport_fee + cbd, extra)

    missing = np.where(flex, np.nan, 1.0)
    passengers = random.choice(np.arange(7.0), rows, p=[0.011, 0.745, 0.15, 0.035, 0.025, 0.02, 0.014])
    _plausibly_odd(miles, duration, random)
    return {
        "vendorid": vendor.astype(float),
        "tpep_pickup_datetime": pickup,
        "tpep_dropoff_datetime": pickup + duration.astype("timedelta64[s]"),
        "passenger_count": passengers * missing,
        "trip_distance": miles,
        "ratecodeid": rate * missing,
        "store_and_fwd_flag": _texts(np.where(random.random(rows) < 0.004, "Y", "N"), missing=flex),
        "pulocationid": pickup_zone.astype(float),
        "dolocationid": dropoff_zone.astype(float),
        "payment_type": payment.astype(float),
        "fare_amount": fare,
        "extra": extra,
        "mta_tax": np.full(rows, 0.5),
        "tip_amount": tip,
        "tolls_amount": tolls,
        "improvement_surcharge": improvement,
        "total_amount": np.round(total, 2),
        "congestion_surcharge": congestion * missing,
        "airport_fee": airport_fee * missing,
        "cbd_congestion_fee": cbd,
        "request_source": _texts(np.full(rows, "APP"), missing=~flex),
    }


def _texts(values: Array, missing: Array) -> Array:
    texts = values.astype(object)
    texts[missing] = None
    return texts


def _plausibly_odd(miles: Array, duration: Array, random: np.random.Generator) -> None:
    """Rows that are kept and flagged: no distance, no duration, an implausible speed, a meter that was left on."""
    rows = len(miles)
    miles[random.random(rows) < 0.022] = 0.0
    duration[random.random(rows) < 0.001] = 0
    duration[random.random(rows) < 0.0005] = 5
    left_on = random.random(rows) < 0.0006  # 612 of 1,030,141 trips of 2024-02
    duration[left_on] = random.integers(6 * 3600 + 1, 24 * 3600, left_on.sum())


def _soil(trips: Columns, month: str, random: np.random.Generator) -> None:
    """Overwrite distinct rows with each kind of dirt but duplicates, which come last."""
    rows = len(trips["vendorid"])
    kinds = [kind for kind in DIRT_PER_MILLION if kind != "exact_duplicate"]
    counts = [max(1, DIRT_PER_MILLION[kind] * rows // 1_000_000) for kind in kinds]
    chosen = np.split(random.choice(rows, sum(counts), replace=False), np.cumsum(counts)[:-1])
    at: Mapping[str, Array] = dict(zip(kinds, chosen, strict=True))
    pickup, dropoff = trips["tpep_pickup_datetime"], trips["tpep_dropoff_datetime"]
    strays = at["pickup_outside_month"]
    pickup[strays] = np.datetime64("2008-12-31T23:00:00", "s")
    dropoff[strays] = np.datetime64("2008-12-31T23:12:00", "s")
    backwards = at["dropoff_before_pickup"]
    dropoff[backwards] = pickup[backwards] - np.timedelta64(2 * 3600, "s")
    endless = at["longer_than_24_hours"]
    dropoff[endless] = pickup[endless] + np.timedelta64(25 * 3600, "s")
    pickup[at["missing_pickup_time"]] = np.datetime64("NaT")
    dropoff[at["missing_dropoff_time"]] = np.datetime64("NaT")
    trips["pulocationid"][at["zone_out_of_range"]] = 999.0
    trips["trip_distance"][at["impossible_distance"]] = -3.5
    trips["fare_amount"][at["impossible_amount"]] = 123_456.78
    trips["payment_type"][at["impossible_code"]] = 1_000_001.0
    if month.endswith("-11"):
        _repeat_the_clock_hour(trips, month, random)


def _repeat_the_clock_hour(trips: Columns, month: str, random: np.random.Generator) -> None:
    """Trips across the end of daylight saving time: dropped off before they were picked up, by the wall clock."""
    first = np.datetime64(f"{month}-01", "D")
    sunday = first + np.timedelta64(int((3 - first.astype(int)) % 7), "D")  # 1970-01-01 was a Thursday
    rows = random.choice(len(trips["vendorid"]), max(2, len(trips["vendorid"]) // 10_000), replace=False)
    pickup = sunday.astype("datetime64[s]") + random.integers(6300, 7200, len(rows)).astype("timedelta64[s]")
    trips["tpep_pickup_datetime"][rows] = pickup
    trips["tpep_dropoff_datetime"][rows] = pickup - random.integers(1500, 2700, len(rows)).astype("timedelta64[s]")


def _leave_fares_unstated(trips: Columns, random: np.random.Generator) -> None:
    """Flex Fare trips whose fare is minus all else that the total holds, as if they had been free."""
    flex = np.flatnonzero((trips["payment_type"] == tlc.FLEX) & (trips["fare_amount"] < 1000))
    rows = flex[random.random(len(flex)) < _UNSTATED_SHARE]
    trips["fare_amount"][rows] = 0.0
    others = sum(np.nan_to_num(trips[name][rows]) for name in (*tlc.PARTS_OF_TOTAL, *tlc.FEES))
    trips["fare_amount"][rows] = -np.round(others + 2.5, 2)  # with the congestion surcharge, whose column is null


def _with_refunds_and_duplicates(trips: Columns, month: str, random: np.random.Generator) -> Columns:
    """Add refunds, which are of Curb's cash trips, and exact copies of other rows."""
    rows = len(trips["vendorid"])
    usual = (trips["total_amount"] > 0) & (np.abs(trips["fare_amount"]) < 1000)
    of_curb = np.flatnonzero(usual & (trips["vendorid"] == tlc.CURB) & (trips["payment_type"] == tlc.CASH))
    share = next(share for since, share in _REFUND_SHARES if since <= month)
    wanted = max(len(REFUNDS_PER_THOUSAND), int(share * rows))
    refunded = random.choice(of_curb, min(wanted, len(of_curb)), replace=False)
    refunds = _refunds({name: values[refunded] for name, values in trips.items()}, random)
    copies = random.choice(rows, max(1, DIRT_PER_MILLION["exact_duplicate"] * rows // 1_000_000), replace=False)
    return {name: np.concatenate([values, refunds[name], values[copies]]) for name, values in trips.items()}


def _refunds(trips: Columns, random: np.random.Generator) -> Columns:
    """Reversals of ``trips``, some of them odd; the last trips have two, of which the second is of a part."""
    count = len(trips["vendorid"])
    kinds = {kind: max(1, count * thousandth // 1000) for kind, thousandth in REFUNDS_PER_THOUSAND.items()}
    twice = np.arange(count - kinds["second of its trip"], count)
    refunds = {name: np.concatenate([values, values[twice]]) for name, values in trips.items()}
    for name in tlc.MONEY_COLUMNS:
        refunds[name] = -refunds[name] + 0.0
    refunds["payment_type"] = random.choice([2.0, 3.0, 4.0], count + len(twice), p=[0.22, 0.29, 0.49])
    moved, tipped, lost = np.split(np.arange(count), np.cumsum([kinds[kind] for kind in list(kinds)[:3]]))[:3]
    refunds["dolocationid"][moved] = refunds["dolocationid"][moved] % 263 + 1
    tipped = np.concatenate([tipped, np.arange(count, count + len(twice))])
    tips = np.round(-0.3 * refunds["total_amount"][tipped], 2)
    refunds["tip_amount"][tipped] += tips
    refunds["total_amount"][tipped] = np.round(refunds["total_amount"][tipped] + tips, 2)
    refunds["tpep_dropoff_datetime"][lost] += np.timedelta64(1, "s")  # so that no trip of the month is like it
    return refunds


def _table(trips: Columns, month: str) -> pa.Table:
    """The columns under the names and in the physical types of the month's era."""
    since = {column.name: column.since for column in tlc.TRIP_COLUMNS}
    arrays: dict[str, pa.Array] = {}
    for name, kind in era_of(month).columns.items():
        values = trips[name.lower()]
        if kind == NULL:
            arrays[name] = pa.nulls(len(values))
        else:  # a fee that does not exist yet has a column without values
            column = pa.array(values, from_pandas=True) if since[name.lower()] <= month else pa.nulls(len(values))
            arrays[name] = column.cast(_ARROW_TYPES[kind])
    metadata = {"taxi.synthetic": json.dumps(sorted(arrays))}
    return pa.table(arrays).replace_schema_metadata(metadata)
