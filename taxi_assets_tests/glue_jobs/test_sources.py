from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from glue_jobs.contracts import tlc
from glue_jobs.errors import InputError, NotPublishedYet
from glue_jobs.sources import http, open_source
from glue_jobs.sources.folder import FolderSource
from glue_jobs.sources.http import ATTEMPTS, KNOWN_GOOD_MONTH, HttpSource
from glue_jobs.sources.synthetic import DIRT_PER_MILLION, SyntheticSource, make_month
from taxi_assets_tests.conftest import MONTH, write_source
from taxi_assets_tests.tlc_site import break_off, serving, status


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def ignore(done: int, total: int) -> None:
    pass


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_source(tmp_path / "site", MONTH, rows=500)
    return tmp_path / "site"


def test_a_file_is_fetched_whole_with_its_etag_and_progress(folder: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    with serving(folder) as site:
        fetched = HttpSource(site.address).fetch_trips(MONTH, tmp_path / "got", lambda *at: seen.append(at))
    original = folder / tlc.trip_file_path(MONTH)
    size = original.stat().st_size
    assert sha256(tmp_path / "got") == sha256(original)
    assert fetched.etag
    assert fetched.url.endswith(tlc.trip_file_path(MONTH))
    assert seen[-1] == (size, size)


def test_a_broken_transfer_goes_on_where_it_broke_off(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "CHUNK_BYTES", 256)
    with serving(folder) as site:
        site.misbehave = [break_off(folder, 1000)]
        HttpSource(site.address, pause_seconds=0).fetch_trips(MONTH, tmp_path / "got", ignore)
        assert [wanted for _, _, wanted in site.requests] == [None, "bytes=768-"]  # three whole chunks
    assert sha256(tmp_path / "got") == sha256(folder / tlc.trip_file_path(MONTH))


def test_a_file_that_was_republished_during_the_transfer_is_fetched_anew(folder: Path, tmp_path: Path) -> None:
    original = folder / tlc.trip_file_path(MONTH)

    def republish(handler: object) -> bool:
        write_source(folder, MONTH, rows=700, seed=2)
        os.utime(original, ns=(1, 1))
        return False

    with serving(folder) as site:
        site.misbehave = [break_off(folder, 1000), republish]
        HttpSource(site.address, pause_seconds=0).fetch_trips(MONTH, tmp_path / "got", ignore)
    assert sha256(tmp_path / "got") == sha256(original)


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_passing_fault_of_the_server_is_waited_out(folder: Path, tmp_path: Path, code: int) -> None:
    with serving(folder) as site:
        site.misbehave = [status(code)] * (ATTEMPTS - 1)
        HttpSource(site.address, pause_seconds=0).fetch_trips(MONTH, tmp_path / "got", ignore)
    assert sha256(tmp_path / "got") == sha256(folder / tlc.trip_file_path(MONTH))


def test_a_lasting_fault_of_the_server_is_an_error_that_says_so(folder: Path, tmp_path: Path) -> None:
    with serving(folder) as site:
        site.misbehave = [status(503)] * ATTEMPTS
        with pytest.raises(InputError, match=f"could not be read in {ATTEMPTS} attempts: the server answered 503"):
            HttpSource(site.address, pause_seconds=0).fetch_trips(MONTH, tmp_path / "got", ignore)


def test_a_403_while_a_known_month_is_there_means_not_published_yet(folder: Path, tmp_path: Path) -> None:
    write_source(folder, KNOWN_GOOD_MONTH, rows=100)
    with serving(folder) as site, pytest.raises(NotPublishedYet, match="2026-09 is not published yet"):
        HttpSource(site.address).fetch_trips("2026-09", tmp_path / "got", ignore)


def test_a_403_for_a_known_month_too_means_throttling(folder: Path, tmp_path: Path) -> None:
    with serving(folder) as site, pytest.raises(InputError, match="refuses us") as refused:
        HttpSource(site.address).fetch_trips("2026-09", tmp_path / "got", ignore)
    assert not isinstance(refused.value, NotPublishedYet)


def test_another_status_names_the_address(folder: Path, tmp_path: Path) -> None:
    with serving(folder) as site:
        site.misbehave = [status(404)]
        with pytest.raises(InputError, match=r"taxi_zone_lookup\.csv answers 404"):
            HttpSource(site.address).fetch_zones(tmp_path / "got", ignore)


def test_a_folder_without_the_month_says_what_it_has(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(
        NotPublishedYet, match=r"2024-03\.parquet does not exist; the folder has yellow_tripdata_2024-02"
    ):
        FolderSource(str(folder)).fetch_trips("2024-03", tmp_path / "got", ignore)


@pytest.mark.parametrize("spec", ["synthetic:rows=abc", "synthetic:colour=3", "synthetic:rows=5", "s3://bucket/x"])
def test_a_source_that_cannot_be_understood_is_refused(spec: str) -> None:
    with pytest.raises(InputError):
        open_source(spec)


def test_the_kind_of_source_follows_from_its_spelling() -> None:
    assert isinstance(open_source("https://example.org/tlc"), HttpSource)
    assert isinstance(open_source("synthetic"), SyntheticSource)
    assert isinstance(open_source("/some/folder"), FolderSource)


def test_a_synthetic_month_is_the_same_for_the_same_seed() -> None:
    assert make_month(MONTH, 1000, 3).equals(make_month(MONTH, 1000, 3))
    assert not make_month(MONTH, 1000, 3).equals(make_month(MONTH, 1000, 4))


def test_a_synthetic_month_has_refunds_flex_fares_and_every_dirt() -> None:
    table = make_month("2024-11", 20_000, 1)
    flex = pc.equal(table["payment_type"], 0)
    assert 0.05 < pc.mean(pc.cast(flex, pa.float64())).as_py() < 0.07
    assert pc.all(pc.equal(flex, pc.is_null(table["passenger_count"]))).as_py()
    assert pc.sum(pc.less(table["total_amount"], 0)).as_py() > 50
    assert table.num_rows - len(table.to_pandas().drop_duplicates()) >= 1
    assert set(DIRT_PER_MILLION) >= {"pickup_outside_month", "dropoff_before_pickup", "exact_duplicate"}


@pytest.mark.parametrize(
    ("month", "name", "kind"),
    [
        ("2011-06", "congestion_surcharge", "null"),
        ("2023-01", "airport_fee", "double"),
        ("2023-02", "Airport_fee", "double"),
        ("2011-06", "VendorID", "int64"),
        ("2024-02", "VendorID", "int32"),
        ("2011-06", "passenger_count", "int64"),
        ("2014-08", "improvement_surcharge", "int32"),
        ("2019-01", "passenger_count", "double"),
        ("2024-02", "passenger_count", "int64"),
        ("2025-01", "cbd_congestion_fee", "double"),
        ("2026-06", "request_source", "large_string"),
    ],
)
def test_a_synthetic_month_has_the_columns_of_its_era(month: str, name: str, kind: str) -> None:
    assert str(make_month(month, 200, 1).schema.field(name).type) == kind
