"""What each job reports when it is done: the shapes that its facts have on both sides of the process border.

Belongs here: one typed report for each job, and the job's name. Does not: sending a report (``reporting``).
"""

from __future__ import annotations

from typing import Generic, TypedDict, TypeVar

ReportT = TypeVar("ReportT", bound="WithSeconds")
_Report_co = TypeVar("_Report_co", bound="WithSeconds", covariant=True)


class Job(str, Generic[_Report_co]):
    """The name of a job, which is that of its script, with the type of its report."""

    __slots__ = ()


class WithSeconds(TypedDict):
    """What every report has: phase to ``seconds``, and their ``total``."""

    seconds: dict[str, float]


class Landed(TypedDict):
    """Where a file came from and where it lies: address and tag at the source, path, SHA-256 (hexadecimal), bytes."""

    url: str
    etag: str
    path: str
    sha256: str
    bytes: int


class LandedFileReport(Landed):
    """A landed file, its rows, and column to physical type."""

    rows: int
    physical_schema: dict[str, str]


class VerifiedTrips(TypedDict):
    """What a trip file holds, and how it differs from the files of its era (month of the era's first file)."""

    rows: int
    physical_schema: dict[str, str]
    absent_columns: list[str]
    unknown_columns: list[str]
    unreadable_columns: list[str]
    index_columns: list[str]
    era: str
    new_columns: list[str]
    missing_columns: list[str]
    changed_types: dict[str, str]


class LandedTripsReport(Landed, VerifiedTrips):
    """A landed trip file and what it holds."""


class IngestReport(WithSeconds):
    """Of ``ingest_raw``: the two files of a month."""

    trips: LandedTripsReport
    zones: LandedFileReport


class Written(TypedDict):
    """A month's trips and quarantine as they were written; ``money`` is column to sum, in dollars."""

    published_rows: int
    quarantined_rows: int
    quarantine_reasons: dict[str, int]
    money: dict[str, str]
    rules_version: int
    files: int
    spark_version: str


class WrittenReport(Written, WithSeconds):
    """Those, and how many rows went in: of the source, or of the version that is replayed."""

    source_rows: int


class StageReport(WrittenReport):
    """Of ``stage_trips``: also which columns the source file lacks, and which are unknown to the contract."""

    absent_columns: list[str]
    unknown_columns: list[str]


class ReplayReport(WrittenReport):
    """Of ``replay_quarantine``: also how many rows left the quarantine."""

    released_rows: int


class BuildReport(WithSeconds):
    """Of ``build_curated``: table to rows."""

    rows: dict[str, int]
    spark_version: str


INGEST_RAW = Job[IngestReport]("ingest_raw")
STAGE_TRIPS = Job[StageReport]("stage_trips")
REPLAY_QUARANTINE = Job[ReplayReport]("replay_quarantine")
BUILD_CURATED = Job[BuildReport]("build_curated")
JOBS: tuple[Job[WithSeconds], ...] = (INGEST_RAW, STAGE_TRIPS, REPLAY_QUARANTINE, BUILD_CURATED)
"""All of them, in the order in which a month meets them; each is a script of this package, and a Glue job."""
