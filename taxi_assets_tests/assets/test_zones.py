"""The shapes of the zones, from the source's map file to the published table."""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest
import shapefile
import shapely

from glue_jobs.contracts import ZONES, tlc
from glue_jobs.contracts.raw import ALL_MONTHS, SHAPES_DATASET, ZONES_DATASET
from glue_jobs.errors import InputError
from glue_jobs.files import parse_zones
from glue_jobs.sources.synthetic import make_shapes, make_zones
from taxi_assets.asset_keys import ZONES_KEY
from taxi_assets.assets.reference import zones
from taxi_assets.lake.lake import Lake
from taxi_assets.lake.resource import LakeResource, SourceResource
from taxi_assets.operations.run_month import MonthResult
from taxi_assets.reference.zones import faults, rows
from taxi_assets_tests.conftest import copy_of

LOOKUP = parse_zones(make_zones(), "lookup")
REAL = os.environ.get("TAXI_TEST_TLC", "")


@pytest.fixture
def lake(published: tuple[Path, MonthResult], tmp_path: Path) -> Lake:
    return Lake.in_folder(copy_of(published[0], tmp_path / "lake"))


def materialized(lake: Lake, source: Path | str, days: int = 0) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [zones],
        resources={"lake": LakeResource(root=lake.paths.root), "source": SourceResource(spec=str(source))},
        run_config={"ops": {"zones": {"config": {"days": days}}}},
        raise_on_error=False,
    )


def answers(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {check.check_name: check.passed for check in result.get_asset_check_evaluations()}


@pytest.fixture
def map_file(tmp_path: Path) -> Path:
    """A folder in the TLC's layout that has the map file."""
    file = tmp_path / "source" / tlc.SHAPES_FILE_PATH
    file.parent.mkdir(parents=True)
    file.write_bytes(make_shapes())
    return file


def test_shapes_are_landed_with_their_hash_and_published_once(lake: Lake, map_file: Path) -> None:
    folder = map_file.parent.parent
    first = materialized(lake, folder)
    assert answers(first) == {"the_map_can_be_read": True, "shapes_can_be_drawn": True}
    landed = lake.ledger.current(ALL_MONTHS, SHAPES_DATASET)
    assert landed is not None
    assert Path(landed.path).read_bytes() == map_file.read_bytes()
    with lake.connect("FROM zones") as connection:
        found = connection.sql("SELECT location_id, zone, shape FROM zones ORDER BY 1").fetchall()
    assert [row[0] for row in found] == list(range(1, tlc.ZONE_COUNT + 1))
    assert [row[0] for row in found if row[2] is None] == [264, 265]
    metadata = {"first": told(first), "again": told(materialized(lake, folder))}
    assert metadata["first"]["was_published"].value == "with this run"
    assert metadata["again"]["was_published"].value == "before, with the same content"
    iceberg = lake.catalog.find(ZONES)
    assert iceberg is not None
    assert len(iceberg.snapshots()) == 1


def told(result: dg.ExecuteInProcessResult) -> dict[str, dg.MetadataValue]:
    [event] = result.get_asset_materialization_events()
    assert event.asset_key == ZONES_KEY
    return dict(event.materialization.metadata)


def test_a_run_of_a_month_asks_again_only_after_some_days(lake: Lake, map_file: Path) -> None:
    assert materialized(lake, map_file.parent.parent).success
    map_file.unlink()
    again = materialized(lake, map_file.parent.parent, days=30)
    assert again.success
    assert told(again)["was_published"].value == "before"
    assert answers(again) == {"the_map_can_be_read": True, "shapes_can_be_drawn": True}


def test_an_asking_that_found_nothing_new_counts_and_a_changed_lookup_makes_the_rows_again(
    lake: Lake, map_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = map_file.parent.parent
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    for day, published in ((0, "with this run"), (31, "before, with the same content"), (32, "before")):
        monkeypatch.setattr("taxi_assets.assets.reference._now", lambda day=day: now + timedelta(days=day))
        assert told(materialized(lake, folder, days=30))["was_published"].value == published
    renamed = make_zones().replace(b"Newark Airport", b"Newark Liberty")
    assert renamed != make_zones()
    path = Path(lake.paths.root, "raw", "renamed.csv")
    path.write_bytes(renamed)
    facts = {"url": "renamed", "path": str(path), "etag": "", "sha256": sha256(renamed).hexdigest(), "bytes": 1}
    lake.ledger.record("2024-02", ZONES_DATASET, {**facts, "rows": 265, "physical_schema": {}}, "run")
    assert told(materialized(lake, folder, days=30))["was_published"].value == "with this run"
    with lake.connect("FROM reference.zones") as connection:
        assert connection.sql("SELECT zone FROM reference.zones WHERE location_id = 1").fetchall() == [
            ("Newark Liberty",)
        ]


def test_a_source_without_shapes_or_with_a_broken_file_holds_nothing_back_and_readers_see_what_they_saw(
    lake: Lake, map_file: Path, tmp_path: Path
) -> None:
    assert materialized(lake, map_file.parent.parent).success
    without = materialized(lake, tmp_path)
    assert without.success
    assert answers(without) == {
        "the_map_can_be_read": True,
        "shapes_can_be_drawn": True,
    }  # one that gives no answer fails
    assert without.get_asset_materialization_events() == []
    map_file.write_bytes(b"<html>")
    broken = materialized(lake, map_file.parent.parent)
    assert broken.success
    check, _ = broken.get_asset_check_evaluations()
    assert (check.check_name, check.passed, check.severity.value) == ("the_map_can_be_read", False, "WARN")
    assert "is no map of taxi zones" in str(check.metadata["actual"].value)
    with lake.connect("FROM zones") as connection:
        assert connection.sql("SELECT count(shape) FROM zones").fetchall() == [(263,)]


def test_neighbours_share_their_border_and_records_of_one_zone_are_joined(map_file: Path) -> None:
    found = {row["location_id"]: row for row in rows(map_file, LOOKUP, "map").to_pylist()}
    shapes = {zone: shapely.from_geojson(row["shape"]) for zone, row in found.items() if row["shape"]}
    assert shapes[56].geom_type == "Polygon"  # two records, which touch
    assert shapes[1].intersection(shapes[2]).length == pytest.approx(5_280 * 0.3048 / 111_195, rel=0.01)  # degrees
    assert shapes[1].intersection(shapes[2]).area == 0
    assert {round(row["area_km2"], 2) for row in found.values() if row["shape"]} == {2.59}  # a square mile


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no archive", "File is not a zip file"),
        (b"", "File is not a zip file"),
        ("without .shp", "it has no .shp, .shx"),
        ("bomb", "unpacked it is larger than 64 MB"),
        ("empty", "it has no shapes"),
        ("cut off", "map of taxi zones"),
        ("no ids", "map of taxi zones"),
    ],
)
def test_what_is_no_map_of_zones_is_named(tmp_path: Path, content: bytes | str, said: str) -> None:
    file = tmp_path / "map.zip"
    file.write_bytes(content if isinstance(content, bytes) else spoilt(content))
    with pytest.raises(InputError, match=said):
        rows(file, LOOKUP, "map")


def spoilt(how: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(make_shapes())) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    if how == "without .shp":
        parts = {name: content for name, content in parts.items() if not name.endswith((".shp", ".shx"))}
    elif how == "bomb":
        parts["taxi_zones.shp"] = b"\0" * (65 << 20)
    elif how == "cut off":
        parts["taxi_zones.shp"] = parts["taxi_zones.shp"][:5_000]
    else:
        files = {ending: io.BytesIO() for ending in ("shp", "shx", "dbf")}
        with shapefile.Writer(**files, shapeType=shapefile.POLYGON) as writer:
            writer.field("name" if how == "no ids" else "LocationID", "N", 9)
        parts |= {f"taxi_zones.{ending}": content.getvalue() for ending, content in files.items()}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return packed.getvalue()


def test_shapes_that_a_map_could_not_draw_are_named(map_file: Path) -> None:
    table = rows(map_file, LOOKUP, "map").to_pylist()
    bow_tie = '{"type":"Polygon","coordinates":[[[-74,40.7],[-73.9,40.8],[-73.9,40.7],[-74,40.8],[-74,40.7]]]}'
    table[0]["shape"] = bow_tie
    table[1]["shape"] = table[1]["shape"].replace("-74", "-84")
    table[2]["shape"] = " " * 17_000 + table[2]["shape"]
    table[3]["location_id"] = 5
    said = "\n".join(faults(pa.Table.from_pylist(table)))
    for part in ("zone stands twice", "zone 1 is not valid: Self-inter", "zone 2 is not in New York", "zone 3 has"):
        assert part in said


# The TLC's file is no part of the project: CI has it where it lies beside the checkout.
@pytest.mark.real_data("TAXI_TEST_TLC")
@pytest.mark.skipif(not REAL, reason="TAXI_TEST_TLC names no folder in the TLC's layout")
def test_the_tlcs_own_map_is_small_enough_and_whole(tmp_path: Path) -> None:
    file = Path(shutil.copy(Path(REAL) / tlc.SHAPES_FILE_PATH, tmp_path))
    found = rows(file, parse_zones((Path(REAL) / tlc.ZONE_FILE_PATH).read_bytes(), "lookup"), "map")
    assert faults(found) == []
    assert [row["location_id"] for row in found.to_pylist() if row["shape"] is None] == [57, 104, 105, 264, 265]
    assert max(len(shape) for shape in found["shape"].to_pylist() if shape) == 11_646
