"""The TLC's site, or any server in its layout.

Facts it rests on: a month that is not yet published answers 403, and so does throttling; a month that has long
been there tells the two apart. Files are 50 to 80 MB and served with an ETag and byte ranges.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path

import requests

from glue_jobs.contracts import tlc
from glue_jobs.errors import InputError, NotPublishedYet
from glue_jobs.sources.base import Fetched, Progress

KNOWN_GOOD_MONTH = "2024-01"
ATTEMPTS = 5
TIMEOUT_SECONDS = (10, 60)
"""To connect, and between two pieces of a body."""
CHUNK_BYTES = 1 << 20
"""A transfer that breaks off is resumed from its last whole chunk."""
_RETRIED = frozenset({429, 500, 502, 503, 504})

_log = logging.getLogger(__name__)


class _BrokenOff(Exception):
    """The transfer ended early; what has arrived can be kept if the server still has the same content."""


class HttpSource:
    """Files below the address ``root``. ``pause_seconds`` is the first wait before another attempt; it doubles."""

    def __init__(self, root: str, pause_seconds: float = 1.0) -> None:
        self._root = root.rstrip("/")
        self._pause_seconds = pause_seconds

    def fetch_trips(self, month: str, destination: Path, progress: Progress) -> Fetched:
        """See ``Source``."""
        return self._fetch(tlc.trip_file_path(month), destination, progress, month)

    def fetch_zones(self, destination: Path, progress: Progress) -> Fetched:
        """See ``Source``."""
        return self._fetch(tlc.ZONE_FILE_PATH, destination, progress)

    def _fetch(self, path: str, destination: Path, progress: Progress, month: str = "") -> Fetched:
        url = f"{self._root}/{path}"
        etag = ""
        problem = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                pause = self._pause_seconds * 2 ** (attempt - 1)
                _log.warning("%s: %s; attempt %d of %d in %.0f s", url, problem, attempt + 1, ATTEMPTS, pause)
                time.sleep(pause)
            try:
                with self._request(url, destination, etag) as response:
                    if response.status_code in _RETRIED:
                        problem = f"the server answered {response.status_code}"
                        continue
                    if response.status_code == 416:  # more is here than there: not the same content
                        destination.unlink()
                        problem = "the file has changed during the transfer"
                        continue
                    self._refuse(url, response.status_code, month)
                    etag = response.headers.get("ETag", "")
                    _receive(response, destination, progress)
                    return Fetched(url=url, etag=etag.strip('"'))
            except (requests.RequestException, _BrokenOff) as error:
                problem = f"the transfer failed ({error})"
        raise InputError(f"{url} could not be read in {ATTEMPTS} attempts: {problem}", "run the month again later")

    def _request(self, url: str, destination: Path, etag: str) -> requests.Response:
        headers = {"Accept-Encoding": "identity"}
        if etag and destination.exists():
            headers |= {"Range": f"bytes={destination.stat().st_size}-", "If-Range": etag}
        return requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS)

    def _refuse(self, url: str, status: int, month: str) -> None:
        """Raise what a status other than 200 and 206 means."""
        if status in (200, 206):
            return
        if status == 403 and month:
            known_good = f"{self._root}/{tlc.trip_file_path(KNOWN_GOOD_MONTH)}"
            probe = requests.head(known_good, timeout=TIMEOUT_SECONDS)
            if probe.status_code == 200:
                raise NotPublishedYet(
                    f"{month} is not published yet: {url} answers 403 while {KNOWN_GOOD_MONTH} is there",
                    "wait; the TLC publishes a month 38 to 63 days after it ends",
                )
            raise InputError(
                f"{self._root} refuses us: {url} answers 403 and so does {KNOWN_GOOD_MONTH} ({probe.status_code})",
                "wait an hour and run the month again; the site throttles eager readers",
            )
        raise InputError(f"{url} answers {status}", "check the address of the source (TAXI_SOURCE) and the month")


def _receive(response: requests.Response, destination: Path, progress: Progress) -> None:
    """Append a partial answer to ``destination``, or write a whole one anew; _BrokenOff if bytes are missing."""
    resumed = response.status_code == 206
    done = destination.stat().st_size if resumed else 0
    length = response.headers.get("Content-Length")
    total = done + int(length) if length else 0
    with destination.open("ab" if resumed else "wb") as file:
        for chunk in response.iter_content(CHUNK_BYTES):
            file.write(chunk)
            done += len(chunk)
            progress(done, total)
    if total and done != total:
        raise _BrokenOff(f"{done} of {total} bytes arrived")
