from __future__ import annotations

import argparse
import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from glue_jobs.contracts import tlc
from glue_jobs.errors import Cause, InputError, NotPublishedYet, SourceUnavailable
from glue_jobs.ingest_raw import ingest
from glue_jobs.reporting import Reporter
from glue_jobs.reports import IngestReport
from glue_jobs.sources import Seen, Sighting, Source, http, open_source, open_trip_source, require_source
from glue_jobs.sources.folder import FolderSource
from glue_jobs.sources.http import ATTEMPTS, HttpSource
from glue_jobs.sources.inbox import InboxSource
from glue_jobs.sources.synthetic import DIRT_PER_MILLION, SyntheticSource, make_month
from taxi_assets_tests.conftest import MONTH, write_source
from taxi_assets_tests.support.tlc_site import (
    Behaviour,
    Stopwatch,
    TlcSite,
    break_off,
    send,
    serving,
    slow,
    status,
    web_page,
)


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


@pytest.mark.parametrize("code", [403, 404])
def test_a_refusal_while_the_zone_lookup_is_there_means_not_published_yet(
    folder: Path, tmp_path: Path, code: int
) -> None:
    with serving(folder) as site:
        site.misbehave = [status(code)]
        with pytest.raises(NotPublishedYet, match="2026-09 is not published yet"):
            HttpSource(site.address).fetch_trips("2026-09", tmp_path / "got", ignore)


def test_a_403_for_the_zone_lookup_too_means_throttling(folder: Path, tmp_path: Path) -> None:
    with serving(folder) as site:
        site.always = status(403)
        with pytest.raises(InputError, match="refuses us") as refused:
            HttpSource(site.address).fetch_trips("2026-09", tmp_path / "got", ignore)
    assert not isinstance(refused.value, NotPublishedYet)


def json_error(handler: BaseHTTPRequestHandler) -> bool:
    """Answer 200 with an error in JSON, as a gateway does."""
    body = b'{"error": "try again later"}'
    send(handler, 200, body, with_body=handler.command == "GET", content_type="application/json")
    return True


@pytest.mark.parametrize(("instead", "what"), [(web_page, "a web page"), (json_error, "a JSON answer")])
def test_a_page_with_status_200_is_waited_out_as_a_fault_of_the_server_is(
    folder: Path, tmp_path: Path, instead: Behaviour, what: str
) -> None:
    with serving(folder) as site:
        source = HttpSource(site.address, pause_seconds=0)
        site.misbehave = [instead] * (ATTEMPTS - 1)
        source.fetch_trips(MONTH, tmp_path / "got", ignore)
        assert sha256(tmp_path / "got") == sha256(folder / tlc.trip_file_path(MONTH))
        site.always = instead
        with pytest.raises(SourceUnavailable, match=f"the server answered 200 with {what}") as refused:
            source.fetch_zones(tmp_path / "zones", ignore)
        assert refused.value.may_pass


def answering(
    *headers: tuple[str, str], code: int = 200, body: bytes = b"PAR1 and what follows", endless: bool = False
) -> Behaviour:
    """Answers with these headers and this body, which is sent again and again if it is ``endless``."""

    def behave(handler: BaseHTTPRequestHandler) -> bool:
        handler.send_response(code)
        for name, value in headers:
            handler.send_header(name, value)
        handler.end_headers()
        handler.close_connection = True
        with contextlib.suppress(ConnectionError):  # who asked has heard enough
            while handler.command == "GET":
                handler.wfile.write(body)
                if not endless:
                    break
        return True

    return behave


LENGTH = ("Content-Length", "21")
LIES: list[tuple[str, Behaviour, str]] = [
    ("it announces no number of bytes", answering(("Content-Length", "many")), "a Content-Length that is none (many)"),
    ("it announces less than nothing", answering(("Content-Length", "-5")), "a Content-Length that is none (-5)"),
    ("it announces a terabyte", answering(("Content-Length", str(1 << 40))), "has more than 4,294,967,296 bytes"),
    ("it announces more digits than a number has", answering(("Content-Length", "9" * 5_000)), "that is none (999"),
    ("it announces more than it sends", answering(("Content-Length", "99")), "the transfer failed"),
    ("it sends nothing", answering(("Content-Length", "0"), body=b""), "with nothing"),
    ("it never ends", answering(endless=True), "has more than"),
    ("it packs what was asked for as it is", answering(("Content-Encoding", "gzip")), "Content-Encoding gzip"),
    ("it sends a part that nobody asked for", answering(LENGTH, code=206), "with the part of no place of the file"),
    ("it says that all is there already", answering(("Content-Length", "0"), code=416), "has changed during"),
    (
        "it redirects to another host",
        answering(("Location", "http://169.254.169.254/latest"), code=302),
        "redirects to http://169.254.169.254/latest, which is not followed",
    ),
    (
        "it redirects to a file",
        answering(("Location", "file:///etc/passwd"), code=301),
        "redirects to file:///etc/passwd",
    ),
    ("it redirects to itself", answering(("Location", "/"), code=307), "redirects to /, which is not followed"),
    ("it redirects to nowhere", answering(LENGTH, code=302), "answers 302"),
    ("its status is none", answering(LENGTH, code=999), "answers 999"),
]


@pytest.mark.bad_input("A site that lies")
@pytest.mark.parametrize(("lie", "said"), [one[1:] for one in LIES], ids=[one[0] for one in LIES])
def test_a_site_that_lies_gives_no_file_and_is_out_of_reach_for_a_look(
    folder: Path, tmp_path: Path, lie: Behaviour, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if said == "has more than":  # without end: a small limit is enough
        monkeypatch.setattr(http, "MOST_BYTES", 5_000_000)
    with serving(folder) as site:
        site.always = lie
        source = HttpSource(site.address, pause_seconds=0)
        with pytest.raises(SourceUnavailable) as refused:
            source.fetch_trips(MONTH, tmp_path / "got", ignore)
        assert said in str(refused.value)
        assert site.address in str(refused.value)
        assert refused.value.remedy
        assert refused.value.may_pass
        seen = source.look([MONTH], 600)[MONTH]
        assert seen.state in (Seen.THERE, Seen.UNREACHABLE)
        assert seen.bytes < 1 << 41


@pytest.mark.bad_input("A site that lies", kind="it goes on elsewhere than it broke off", said="with the part bytes 5-")
def test_a_part_from_another_place_is_not_put_behind_what_is_there(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "CHUNK_BYTES", 256)
    elsewhere = answering(("Content-Range", "bytes 5-25/9999"), LENGTH, code=206)
    with serving(folder) as site:
        source = HttpSource(site.address, pause_seconds=0)
        site.misbehave = [break_off(folder, 1000), elsewhere]
        source.fetch_trips(MONTH, tmp_path / "got", ignore)
        assert sha256(tmp_path / "got") == sha256(folder / tlc.trip_file_path(MONTH))
        site.misbehave = [status(503), *[break_off(folder, 1000), elsewhere] * 2]
        with pytest.raises(SourceUnavailable, match=r"with the part bytes 5-25/9999 of the file, not with 768-"):
            source.fetch_trips(MONTH, tmp_path / "another", ignore)


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


NO_SOURCES: list[tuple[str, str, str]] = [
    ("rows that are no number", "synthetic:rows=abc", "'rows=abc' in synthetic:rows=abc is not understood"),
    ("rows in the digits of another script", "synthetic:rows=\u0665\u0660\u0660", "is not understood"),
    ("rows as a power", "synthetic:rows=\u00b2\u00b2\u00b2\u00b2", "is not understood"),
    ("more rows than there is memory", "synthetic:rows=999999999", "asks for 999999999 rows"),
    ("a seed of 5,000 digits", f"synthetic:seed={'9' * 5_000}", "is not understood"),
    ("a word that is no option", "synthetic:colour=3", "'colour=3' in synthetic:colour=3 is not understood"),
    ("too few rows", "synthetic:rows=5", "asks for 5 rows"),
    ("a bucket", "s3://bucket/x", "s3://bucket/x is no source"),
    ("an inbox where there is none", "inbox:/x", "inbox:/x is no source"),
    ("an address without a host", "https://", "https:// names no host"),
    ("an address that is broken", "https://[::1", "is no address: its host or port cannot be read"),
    ("a port that is none", "https://example.org:99999", "is no address: its host or port cannot be read"),
    ("a space in a host", "https://exa mple.org", "names no host"),
    ("two lines", "https://example.org\n/x", "it has a control character"),
    ("another protocol", "ftp://example.org", "ftp://example.org is no source"),
    ("a path that is too long", "a" * 5_000, "is no folder"),
    ("bytes that are no UTF-8", "/files/\udcff", "it has a control character"),
]


@pytest.mark.bad_input("The source: TAXI_SOURCE, --source, or the launchpad's config")
@pytest.mark.parametrize(("spec", "said"), [one[1:] for one in NO_SOURCES], ids=[one[0] for one in NO_SOURCES])
def test_a_source_that_cannot_be_understood_is_refused(spec: str, said: str) -> None:
    with pytest.raises(SourceUnavailable) as refused:
        open_source(spec)
    assert said in str(refused.value)
    assert refused.value.remedy
    assert str(refused.value).isprintable()


def laid_out(tmp_path: Path, how: str) -> str:
    """A source with a space in its path, as ``how`` says it is given; its month is ``MONTH``."""
    folder = tmp_path / "a source"
    trips = write_source(folder, MONTH, rows=500)
    if how.startswith("flat"):
        trips.rename(folder / trips.name)
        trips.parent.rmdir()
        (folder / tlc.ZONE_FILE_PATH).rename(folder / tlc.ZONE_FILE_NAME)
    return {"trip-data itself": str(trips.parent), "a URI": folder.as_uri(), "by ~": "~/a source"}.get(how, str(folder))


@pytest.mark.parametrize("how", ["like the site", "flat", "trip-data itself", "a URI", "by ~"])
def test_a_folder_is_understood_however_it_is_given(tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    spec = laid_out(tmp_path, how)
    require_source(spec)
    source = open_source(spec)
    seen = source.look([MONTH, "2024-03"], 600)
    assert states(seen) == {MONTH: "there", "2024-03": "not published"}
    assert source.fetch_trips(MONTH, tmp_path / "got", ignore).url == seen[MONTH].url
    source.fetch_zones(tmp_path / "zones", ignore)
    assert "a%20source" in seen[MONTH].url


@pytest.mark.parametrize(
    ("below", "problem"),
    [
        (f"trip-data/{tlc.trip_file_name(MONTH)}", "is a file. What to do: give the folder that it is in"),
        ("misc", "has no trip files"),
        ("gone", "does not exist"),
    ],
)
def test_a_folder_from_which_no_month_can_come_is_refused(folder: Path, below: str, problem: str) -> None:
    with pytest.raises(SourceUnavailable) as refused:
        require_source(str(folder / below))
    assert problem in str(refused.value)


def test_the_kind_of_source_follows_from_its_spelling() -> None:
    assert isinstance(open_source("https://example.org/tlc"), HttpSource)
    assert isinstance(open_source("synthetic"), SyntheticSource)
    assert isinstance(open_source("/some/folder"), FolderSource)
    assert isinstance(open_trip_source("inbox:s3://bucket/x"), InboxSource)
    assert isinstance(open_trip_source("/some/folder"), FolderSource)


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


@pytest.fixture
def site(folder: Path) -> Iterator[TlcSite]:
    """A site with ``MONTH``, as a mirror that never had another."""
    with serving(folder) as site:
        yield site


def states(seen: dict[str, Sighting]) -> dict[str, str]:
    return {month: sighting.state.value for month, sighting in seen.items()}


def test_a_look_tells_what_is_there_and_what_is_not_yet_and_reads_no_file(site: TlcSite) -> None:
    seen = HttpSource(site.address).look(["2026-09", "2026-08", MONTH], 600)
    assert states(seen) == {"2026-09": "not published", "2026-08": "not published", MONTH: "there"}
    assert seen[MONTH].bytes == (site.folder / tlc.trip_file_path(MONTH)).stat().st_size
    assert seen["2026-09"].why == "it answers 403 while the zone lookup is there"
    assert [method for method, _, _ in site.requests] == ["HEAD"] * 4  # the zone lookup once


def test_the_tag_of_a_look_is_the_tag_of_what_is_fetched(site: TlcSite, tmp_path: Path) -> None:
    sources: list[Source] = [
        HttpSource(site.address),
        FolderSource(str(site.folder)),
        SyntheticSource.from_spec("synthetic:rows=500,seed=3"),
    ]
    for source in sources:
        seen = source.look([MONTH], 600)[MONTH]
        fetched = source.fetch_trips(MONTH, tmp_path / "got", ignore)
        assert seen.tag
        assert (seen.tag, seen.url) == (fetched.etag, fetched.url)


@pytest.mark.parametrize(
    ("headers", "tag"),
    [
        ({"ETag": '"abc-3"', "Content-Length": "5"}, "abc-3"),
        ({"ETag": 'W/"abc-3"'}, "abc-3"),
        ({"Content-Length": "5", "Last-Modified": "Mon, 01 Jan 2024"}, "5-Mon, 01 Jan 2024"),
        ({"Content-Length": "5"}, "5"),
    ],
)
def test_without_an_etag_size_and_time_are_the_tag(headers: dict[str, str], tag: str) -> None:
    assert http._tag_of(headers) == tag


@pytest.mark.parametrize(
    ("behaviour", "state", "why"),
    [
        (status(403), Seen.THROTTLED, "it answers 403, and the zone lookup 403"),
        (status(429), Seen.THROTTLED, "it answers 429"),
        (status(503), Seen.UNREACHABLE, "it answers 503"),
        (status(404), Seen.UNREACHABLE, "it answers 404, and the zone lookup 404"),
        (web_page, Seen.UNREACHABLE, "a web page is in its place"),
        (json_error, Seen.UNREACHABLE, "a JSON answer is in its place"),
    ],
)
def test_a_site_that_is_unwell_is_asked_no_further(site: TlcSite, behaviour: Behaviour, state: Seen, why: str) -> None:
    site.always = behaviour
    seen = HttpSource(site.address).look([MONTH, "2024-03", "2024-04"], 600)
    assert [(month, sighting.state, sighting.why) for month, sighting in seen.items()] == [(MONTH, state, why)]
    assert len(site.requests) <= 2


def test_a_month_that_is_there_before_the_trouble_is_seen(site: TlcSite) -> None:
    site.misbehave = [lambda _: False, status(500)]
    assert states(HttpSource(site.address).look([MONTH, "2024-03", "2024-04"], 600)) == {
        MONTH: "there",
        "2024-03": "unreachable",
    }


def test_a_slow_site_and_one_that_is_not_there_are_out_of_reach_within_seconds(
    site: TlcSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "LOOK_TIMEOUT_SECONDS", 0.2)
    site.always = slow(1)
    assert states(HttpSource(site.address).look([MONTH, "2024-03"], 600)) == {MONTH: "unreachable"}
    assert states(HttpSource("http://127.0.0.1:9").look([MONTH], 600)) == {MONTH: "unreachable"}


def test_a_look_ends_at_its_deadline(site: TlcSite, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Stopwatch(seconds=200)
    watch.start(monkeypatch, site)
    seen = HttpSource(site.address).look([f"2023-{number:02}" for number in range(1, 13)], 700)
    assert len(seen) == 3  # and a look at the zone lookup, because the first is refused
    assert len(site.requests) == 4
    assert watch.now == 800


def test_a_folder_knows_what_it_has_and_one_that_is_not_mounted_is_out_of_reach(folder: Path, tmp_path: Path) -> None:
    assert states(FolderSource(str(folder)).look([MONTH, "2024-03"], 600)) == {
        MONTH: "there",
        "2024-03": "not published",
    }
    assert states(FolderSource(str(tmp_path / "gone")).look([MONTH, "2024-03"], 600)) == {MONTH: "unreachable"}


def test_a_file_that_grows_while_it_is_copied_is_not_taken(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = folder / tlc.trip_file_path(MONTH)

    def copy_half(source: Path, destination: Path) -> None:
        destination.write_bytes(source.read_bytes())
        with source.open("ab") as file:
            file.write(b"more")

    monkeypatch.setattr("shutil.copyfile", copy_half)
    with pytest.raises(SourceUnavailable, match="changed while it was read"):
        FolderSource(str(folder)).fetch_trips(MONTH, tmp_path / "got", ignore)
    assert original.is_file()


def test_an_inbox_has_its_files_directly_in_it(folder: Path, tmp_path: Path) -> None:
    original = folder / tlc.trip_file_path(MONTH)
    source = InboxSource(str(original.parent))
    assert source.fetch_trips(MONTH, tmp_path / "got", ignore).url == original.as_uri()
    with pytest.raises(SourceUnavailable, match=r"yellow_tripdata_2024-03\.parquet cannot be read"):
        source.fetch_trips("2024-03", tmp_path / "got", ignore)


def ingested(source: str, tmp_path: Path, zones_source: str = "", month: str = MONTH) -> IngestReport:
    where = {"source": source, "zones_source": zones_source, "raw_dir": str(tmp_path / "raw")}
    return ingest(argparse.Namespace(**where, month=month, mask_k=0), Reporter())


def test_trips_of_an_inbox_are_landed_with_the_zones_of_the_source(folder: Path, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    dropped = (folder / tlc.trip_file_path(MONTH)).rename(inbox / tlc.trip_file_name(MONTH))
    facts = ingested(f"inbox:{inbox}", tmp_path, str(folder))
    assert facts["trips"]["url"] == dropped.as_uri()
    assert facts["zones"]["url"] == (folder / tlc.ZONE_FILE_PATH).as_uri()


def test_bad_data_and_a_source_that_cannot_be_read_are_told_apart(
    site: TlcSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is wrong with a month's own bytes stays wrong; all else may pass, a bad zone lookup too."""
    monkeypatch.setattr(
        http.HttpSource, "__init__", lambda self, root: self.__dict__.update(_root=root, _pause_seconds=0)
    )

    def cause(month: str = MONTH) -> str:
        with pytest.raises(InputError) as refused:
            ingested(site.address, tmp_path, month=month)
        return refused.value.cause

    assert cause("2024-03") == Cause.SOURCE
    for behaviour in (status(403), status(429), status(503), status(404), web_page, json_error):
        site.always = behaviour
        assert cause() == Cause.SOURCE
    site.always = None
    path = site.folder / tlc.ZONE_FILE_PATH
    path.write_text("LocationID,Borough")
    assert cause() == Cause.SOURCE
    path = site.folder / tlc.trip_file_path(MONTH)
    path.write_bytes(path.read_bytes()[:-2000])
    assert cause() == Cause.DATA


def test_certificates_that_are_not_there_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "nowhere.pem"))
    source = HttpSource("https://127.0.0.1:1")
    with pytest.raises(SourceUnavailable, match=r"nowhere\.pem.*set REQUESTS_CA_BUNDLE"):
        source.fetch_zones(tmp_path / "zones", ignore)
    seen = source.look(["2024-02"], 5)["2024-02"]
    assert (seen.state, "nowhere.pem" in seen.why) == (Seen.UNREACHABLE, True)


def test_a_disk_that_is_full_is_named(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(http, "_receive", full)
    with serving(folder) as site, pytest.raises(SourceUnavailable, match=r"No space left on device.*set TMPDIR"):
        HttpSource(site.address).fetch_zones(tmp_path / "zones", ignore)
