"""The rows of ``reference.zones``: the TLC's lookup of zones with the shapes that its map file has.

Belongs here: reading the map file, making shapes small enough for maps. Does not: fetching it (``glue_jobs.sources``).

Of the TLC's file (SHA-256 17b21d00…): 263 records of 260 zones, because 56 has two and 103, whose islands the lookup
lists as 103 to 105, three; its coordinates are US feet (EPSG:2263). Simplified to 100 feet as a coverage, so that
borders stay shared, all 260 are 0.38 MB of GeoJSON, the longest 11,646 characters; with 5 digits instead of 6 one
shape crosses itself, and at 50 feet one is too long for Redshift.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyproj
import shapefile
import shapely
from numpy.typing import NDArray

from glue_jobs.contracts.reference import ZONES
from glue_jobs.errors import InputError
from taxi_assets.lake.catalog import iceberg_schema

_TOLERANCE_FEET = 100
_DIGITS = 6
"""Of a degree: a tenth of a metre."""
_SQUARE_FEET_PER_KM2 = (1000 / 0.3048006096012192) ** 2
_MOST_BYTES = 64 << 20
"""Unpacked; the TLC's file has 1.7 MB."""
_ID = "locationid"
_MAP_FILES = (".shp", ".dbf", ".shx", ".prj")
Lookup = list[tuple[int, str, str, str]]
"""Rows of the TLC's lookup: id, borough, zone, service zone."""


def rows(map_file: Path, lookup: Lookup, url: str) -> pa.Table:
    """A row for each zone of the lookup, by id. InputError, naming ``url``, if the map file cannot be used."""
    shapes, projection = _read(map_file, url)
    drawn = list(shapes)
    simple = shapely.coverage_simplify(np.array([shapes[zone] for zone in drawn]), _TOLERANCE_FEET)
    to_degrees = pyproj.Transformer.from_crs(projection, "EPSG:4326", always_xy=True)

    def in_degrees(geometry: Any) -> Any:
        return shapely.transform(geometry, lambda points: _rounded(to_degrees, points))

    by_zone = {}
    for zone, geometry in zip(drawn, simple, strict=True):
        whole = shapes[zone]
        centre = whole.centroid if whole.contains(whole.centroid) else shapely.point_on_surface(whole)
        place = in_degrees(centre)
        shape = shapely.orient_polygons(in_degrees(geometry), exterior_cw=False)
        by_zone[zone] = {
            "longitude": place.x,
            "latitude": place.y,
            "area_km2": round(whole.area / _SQUARE_FEET_PER_KM2, 4),
            "shape": json.dumps(shapely.geometry.mapping(shape), separators=(",", ":")),
        }
    found = [
        {"location_id": zone, "zone": name, "borough": borough, **by_zone.get(zone, {})}
        for zone, borough, name, _ in sorted(lookup)
    ]
    return pa.Table.from_pylist(found, schema=iceberg_schema(ZONES).as_arrow())


def faults(table: pa.Table) -> list[str]:
    """What of the rows a map could not draw, or a reader not join; empty if nothing."""
    said, ids = [], table["location_id"].to_pylist()
    if len(set(ids)) != len(ids):
        said.append("a zone stands twice")
    for row in table.to_pylist():
        if row["shape"] is None:
            continue
        shape = shapely.from_geojson(row["shape"])
        if len(row["shape"]) > 16_384:
            said.append(f"zone {row['location_id']} has {len(row['shape']):,} characters, Redshift reads 16,384")
        if shape.is_empty or not shape.is_valid:
            said.append(f"the shape of zone {row['location_id']} is not valid: {shapely.is_valid_reason(shape)}")
        elif not shapely.box(-75, 40, -73, 42).contains(shape):
            said.append(f"zone {row['location_id']} is not in New York: {shape.bounds}")
    return said


def _rounded(to_degrees: pyproj.Transformer, points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.round(np.column_stack(to_degrees.transform(points[:, 0], points[:, 1])), _DIGITS)


def _read(map_file: Path, url: str) -> tuple[dict[int, Any], pyproj.CRS]:
    """Zone to its shape, records of one zone joined, in the file's coordinates, and what those are."""
    remedy = "fetch the TLC's taxi_zones.zip again; until then maps show what they showed"
    try:
        parts = _unpacked(map_file)
        found: dict[int, list[Any]] = {}
        with shapefile.Reader(
            shp=io.BytesIO(parts[".shp"]), shx=io.BytesIO(parts[".shx"]), dbf=io.BytesIO(parts[".dbf"])
        ) as reader:
            name = next(field.name for field in reader.fields if field.name.lower() == _ID)
            for entry in reader.iterShapeRecords():
                found.setdefault(int(entry.record[name]), []).append(shapely.geometry.shape(entry.shape))
        projection = pyproj.CRS.from_wkt(parts[".prj"].decode("ascii"))
        if not found:
            raise ValueError("it has no shapes")
        return {zone: shapely.unary_union(shapes) for zone, shapes in sorted(found.items())}, projection
    except (
        zipfile.BadZipFile,
        shapefile.ShapefileException,
        shapely.errors.ShapelyError,
        pyproj.exceptions.CRSError,
        struct.error,
        ValueError,
        KeyError,
        TypeError,
        StopIteration,
    ) as error:
        raise InputError(f"{url} is no map of taxi zones: {error or type(error).__name__}", remedy) from error


def _unpacked(map_file: Path) -> dict[str, bytes]:
    """Ending to content of the files that make the map."""
    with zipfile.ZipFile(map_file) as archive:
        members = {Path(one.filename).suffix.lower(): one for one in archive.infolist()}
        if missing := [ending for ending in _MAP_FILES if ending not in members]:
            raise ValueError(f"it has no {', '.join(missing)}")
        chosen = {ending: members[ending] for ending in _MAP_FILES}
        if sum(one.file_size for one in chosen.values()) > _MOST_BYTES:
            raise ValueError(f"unpacked it is larger than {_MOST_BYTES >> 20} MB")
        return {ending: archive.read(one) for ending, one in chosen.items()}
