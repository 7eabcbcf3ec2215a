"""The parsers of ours that read what comes from outside, each with what has to hold whatever it is given.

Belongs here: one function of a text for each parser, which raises if the parser does anything but answer or refuse with
an error of its own. Does not: making texts (``test_parsers``, ``fuzz``).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

from pydantic import ValidationError
from sqlglot.errors import SqlglotError

from glue_jobs.addresses import fault_of_address
from glue_jobs.contracts import tlc
from glue_jobs.contracts.months import month_bounds, month_of, number_of
from glue_jobs.errors import InputError, PipelineError, has_control, in_a_line
from glue_jobs.files import error_page, parse_zones
from glue_jobs.sources import open_trip_source
from taxi_assets.lake.paths import LakePaths
from taxi_assets.lake.reports import NoReport, find_report
from taxi_assets.lake.snapshots import NoSuchMoment, _time
from taxi_assets.sensors.dropped_files.drops import drops_in_message, month_in
from taxi_assets.settings import Settings
from taxi_assets.warehouse.as_of import as_of
from taxi_assets.warehouse.dialect import faults, faults_of_question
from taxi_assets.warehouse.question import UnknownName, bind

_NOW = datetime(2024, 6, 1, tzinfo=timezone.utc)
_INBOX = "s3://lake/raw/inbox"
_FIELDS = sorted({*Settings.model_fields} - {"first_month"})


def months(text: str) -> None:
    """A month is its one spelling, or no month."""
    try:
        number = number_of(text)
    except ValueError:
        assert not _is_file_name(text)
        return
    assert month_of(number) == text
    if text != "9999-12":  # whose end has no date
        assert month_bounds(text)[0].isoformat() == f"{text}-01"


def _is_file_name(month: str) -> bool:
    try:
        tlc.trip_file_name(month)
    except ValueError:
        return False
    return True


def names(text: str) -> None:
    """A file's name says a month that makes the same name, or none."""
    month = month_in(text)
    assert month == "" or tlc.trip_file_name(month) == text


def events(text: str) -> None:
    """A message gives drops that can be tagged and fetched, all in the inbox and in the past; the rest is told."""
    known = {"2024-02", "2024-03"}
    drops, others = drops_in_message(text, _INBOX, known, _NOW)
    for drop in drops:
        assert drop.month in known
        assert drop.uri.startswith(f"{_INBOX}/")
        assert not has_control(json.dumps(drop.tags, ensure_ascii=False))
        assert drop.at < _NOW + timedelta(hours=1)
    assert not any(map(has_control, others))


def settings(text: str) -> None:
    """A setting has a value, or an error that names its variable; ``text`` is ``name=value``."""
    name, _, value = text.partition("=")
    if name in _FIELDS:
        try:
            Settings(**{name: value})  # type: ignore[arg-type]  # that is the question
        except ValidationError as error:
            for fault in error.errors():
                assert "TAXI_" in fault["msg"], fault["msg"]
                assert not has_control(fault["msg"])
                assert len(fault["msg"]) < 10_000


def sources(text: str) -> None:
    """A source is one that can be opened, or an error says why not."""
    try:
        open_trip_source(text)
    except InputError as error:
        assert error.remedy  # noqa: PT017 -- that none is raised is right, too


def addresses(text: str) -> None:
    """An address that is none has a reason."""
    fault = fault_of_address(text)
    assert fault or text.startswith(("http", "HTTP", "hTTP")) or text[:4].lower() == "http"


def zones(text: str) -> None:
    """A lookup has all zones, or is none."""
    error_page(text.encode(errors="surrogatepass"))
    try:
        assert len(parse_zones(text.encode(errors="surrogatepass"), "zones.csv")) == tlc.ZONE_COUNT
    except InputError as error:
        assert error.remedy  # noqa: PT017 -- that none is raised is right, too


def views(text: str) -> None:
    """The judge of SQL has an answer."""
    assert all(map(str, (*faults(text), *faults_of_question(text))))


def moments(text: str) -> None:
    """A moment is a time in UTC, or no moment."""
    try:
        assert _time(text).utcoffset() == timedelta(0)
    except NoSuchMoment as error:
        assert error.remedy  # noqa: PT017 -- that none is raised is right, too


def past_queries(text: str) -> None:
    """SQL as of a moment is SQL again, or refused."""
    try:
        as_of(text, {})
    except (PipelineError, SqlglotError):
        return


def parameters(text: str) -> None:
    """Binding changes nothing but names of parameters."""
    try:
        bound, used = bind(text, {}, lambda name: f"<{name}>")
    except UnknownName:
        return
    assert (bound, used) == (text, [])


def reports(text: str) -> None:
    """What names a report names no other file."""
    month, _, version = text.partition("/")
    try:
        path = find_report(LakePaths("/no such lake"), month, version or None)
    except NoReport:
        return
    assert ".." not in path


def lines(text: str) -> None:
    """What is shown in a line is one."""
    line = in_a_line(text)
    assert not has_control(line)
    line.encode()


PARSERS: dict[str, Callable[[str], None]] = {
    one.__name__: one
    for one in (
        *(months, names, events, settings, sources, addresses, zones),
        *(views, moments, past_queries, parameters, reports, lines),
    )
}

_NOTIFIED = """{"Records": [{"eventName": "ObjectCreated:Put", "eventTime": "2024-05-01T00:00:00.000Z", "s3":
{"bucket": {"name": "lake"}, "object": {"key": "raw/inbox/yellow_tripdata_2024-02.parquet", "eTag": "a"}}}]}"""
_OF_EVENTBRIDGE = """{"detail-type": "Object Created", "time": "2024-05-01T00:00:00Z", "detail": {"bucket":
{"name": "lake"}, "object": {"key": "raw/inbox/yellow_tripdata_2024-02.parquet", "etag": "a", "sequencer": "1"}}}"""
SEEDS: dict[str, tuple[str, ...]] = {
    "months": ("2024-02", "2024-13", "20\uff12\uff14-02", "9999-12"),
    "names": ("yellow_tripdata_2024-02.parquet", "yellow_tripdata_2024-2.parquet"),
    "events": (_NOTIFIED, _OF_EVENTBRIDGE, '{"Event": "s3:TestEvent"}'),
    "settings": ("lake=/tmp/lake", "source=synthetic:rows=500,seed=1", "watch_minutes=5", "ui_url=https://example.org"),
    "sources": ("https://example.org/tlc", "synthetic:rows=500,seed=1", "inbox:s3://b/x", "file:///tmp", "~/tlc"),
    "addresses": ("https://example.org:8/x", "http://[::1]:3000"),
    "zones": ("LocationID,Borough,Zone,service_zone\n1,EWR,Newark Airport,EWR\n",),
    "views": (
        "SELECT month, CAST(sum(trips) AS BIGINT) AS trips FROM curated.daily_metrics GROUP BY month",
        "WITH a AS (SELECT month FROM staging.trips) SELECT count(*) AS n FROM a",
    ),
    "moments": ("2024-02-29", "2024-03-01T12:00:00+01:00", "2024-03-01T12:00:00Z"),
    "past_queries": ("SELECT t.month FROM staging.trips t JOIN monthly_summary m ON t.month = m.month",),
    "parameters": ('SELECT \':a\', "b"""::int -- :c\n/* :d */ WHERE month = :month',),
    "reports": ("2024-02/20240403T101500Z-1a2b3c4d", "../.."),
    "lines": ("a\n b\x1b[31m",),
}
"""Texts that each parser understands, or nearly: what other texts are made from."""
