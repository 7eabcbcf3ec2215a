"""Where raw files come from: the TLC's site, a folder laid out like it, a generator of synthetic months, an inbox.

Belongs here: fetching one file of a month to the local disk, and telling whether it is there without reading it. Does
not: checking or landing it (``ingest_raw``).
"""

from __future__ import annotations

from glue_jobs.addresses import NOT_IN_AN_ADDRESS, fault_of_address, has_password
from glue_jobs.errors import SourceUnavailable, has_control
from glue_jobs.sources.base import Fetched, Progress, Seen, Sighting, Source, TripSource
from glue_jobs.sources.folder import FolderSource
from glue_jobs.sources.http import HttpSource
from glue_jobs.sources.inbox import INBOX, InboxSource
from glue_jobs.sources.synthetic import SyntheticSource

__all__ = [
    "Fetched",
    "Progress",
    "Seen",
    "Sighting",
    "Source",
    "TripSource",
    "open_source",
    "open_trip_source",
    "refuse_password",
    "require_source",
]


def open_source(spec: str) -> Source:
    """The source that ``spec`` names.

    ``https://…`` is a site in the TLC's layout, ``synthetic`` or ``synthetic:rows=50000,seed=1`` the generator,
    anything else a folder (``FolderSource`` says what it may look like). SourceUnavailable if it is none of these, or
    has a password in it.
    """
    refuse_password(spec)
    if has_control(spec):
        raise SourceUnavailable(f"{spec} is no source: it has a control character", "write it in one line, as UTF-8")
    if spec.startswith(("http://", "https://")):
        if fault := fault_of_address(spec):
            raise SourceUnavailable(f"{spec} {fault}", "give the whole address, for example https://example.org")
        return HttpSource(spec)
    if spec == "synthetic" or spec.startswith("synthetic:"):
        return SyntheticSource.from_spec(spec)
    if spec.startswith(INBOX) or ("://" in spec and not spec.startswith("file://")):
        raise SourceUnavailable(
            f"{spec} is no source", "give a https:// address, a folder, or synthetic:rows=50000,seed=1"
        )
    return FolderSource(spec)


def refuse_password(spec: str) -> None:
    """SourceUnavailable if the source is an address with a password in it, which the message does not show."""
    if has_password(spec):
        problem, _, remedy = NOT_IN_AN_ADDRESS.partition("; ")
        raise SourceUnavailable(f"this source cannot be taken: {problem}", remedy)


def require_source(spec: str) -> None:
    """SourceUnavailable if ``spec`` is no source, or a folder that no month can come from; a site is not asked."""
    source = open_source(spec)
    if isinstance(source, FolderSource):
        source.require()


def open_trip_source(spec: str) -> TripSource:
    """The source of trip files that ``spec`` names: ``inbox:`` and a folder or ``s3://…``, or any source."""
    if not spec.startswith(INBOX):
        return open_source(spec)
    if has_control(spec):
        raise SourceUnavailable(f"{spec} is no inbox: it has a control character", "drop the file into another folder")
    return InboxSource(spec.removeprefix(INBOX))
