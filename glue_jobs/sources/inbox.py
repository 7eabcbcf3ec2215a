"""A folder into which people drop trip files: on a disk or in S3, and flat, unlike the TLC's site.

Belongs here: reading one dropped file. Does not: noticing it (``taxi_assets.sensors.dropped_files``). An inbox is a
source of trip files only; the zone lookup comes from the source that is set.
"""

from __future__ import annotations

from pathlib import Path

from glue_jobs.contracts import tlc
from glue_jobs.errors import SourceUnavailable
from glue_jobs.files import split_s3
from glue_jobs.sources.base import Fetched, Progress
from glue_jobs.sources.folder import copy_file

INBOX = "inbox:"
"""What the name of such a source begins with."""
_CHUNK_BYTES = 1 << 20
_DROP_AGAIN = "drop the file again"


class InboxSource:
    """Trip files directly in ``folder``, a path or ``s3://bucket/…``."""

    def __init__(self, folder: str) -> None:
        self._folder = folder.rstrip("/")

    def fetch_trips(self, month: str, destination: Path, progress: Progress) -> Fetched:
        """See ``TripSource``."""
        uri = f"{self._folder}/{tlc.trip_file_name(month)}"
        if uri.startswith("s3://"):
            return _download(uri, destination, progress)
        return copy_file(Path(uri), destination, progress)


def _download(uri: str, destination: Path, progress: Progress) -> Fetched:
    """One GET, so that the ETag is that of the bytes."""
    import boto3  # a quarter of a second that only S3 needs
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, key = split_s3(uri)
    done = 0
    try:
        found = boto3.client("s3").get_object(Bucket=bucket, Key=key)
        total = int(found["ContentLength"])
        with destination.open("wb") as file:
            for chunk in found["Body"].iter_chunks(_CHUNK_BYTES):
                file.write(chunk)
                done += len(chunk)
                progress(done, total)
    except (ClientError, BotoCoreError) as error:
        raise SourceUnavailable(f"{uri} cannot be read ({error})", _DROP_AGAIN) from error
    if done != total:
        raise SourceUnavailable(f"{uri}: {done} of {total} bytes arrived", _DROP_AGAIN)
    return Fetched(url=uri, etag=found["ETag"].strip('"'))
