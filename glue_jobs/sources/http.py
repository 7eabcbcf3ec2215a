"""The TLC's site, or any server in its layout.

Facts it rests on: a month that is not yet published answers 403 (404 from other servers), and so does throttling; the
zone lookup, which every source gives with every month, tells the two apart, whichever months a mirror has. Files are
50 to 80 MB and served with an ETag and byte ranges. A redirect is not followed: it may lead to where nothing is
encrypted, or into the network of whoever asks.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import requests

from glue_jobs.addresses import without_secrets
from glue_jobs.contracts import tlc
from glue_jobs.errors import NotPublishedYet, SourceUnavailable
from glue_jobs.files import error_page
from glue_jobs.sources.base import Fetched, Progress, Seen, Sighting

ATTEMPTS = 5
TIMEOUT_SECONDS = (10, 60)
"""To connect, and between two pieces of a body."""
LOOK_TIMEOUT_SECONDS = 4.0
"""The same two, where nobody waits for a body."""
_DIGITS = 18
CHUNK_BYTES = 1 << 20
"""A transfer that breaks off is resumed from its last whole chunk."""
MOST_BYTES = 4 << 30
"""Of a file; whoever sends more would fill the disk."""
_RETRIED = frozenset({429, 500, 502, 503, 504})
_AS_IT_IS = {"Accept-Encoding": "identity"}

_log = logging.getLogger(__name__)


class _Endless(Exception):
    """More has come than a file can have."""


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

    def fetch_shapes(self, destination: Path, progress: Progress) -> Fetched:
        """See ``Source``."""
        return self._fetch(tlc.SHAPES_FILE_PATH, destination, progress)

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
                        destination.unlink(missing_ok=True)
                        problem = "the file has changed during the transfer"
                        continue
                    self._refuse(url, response, month)
                    if (instead := _not_as_asked(response)) or _more_than_a_file(response):
                        destination.unlink(missing_ok=True)
                        if not instead:
                            raise _too_long(url)
                        problem = f"the server answered {response.status_code} with {instead}"
                        continue
                    etag = response.headers.get("ETag", "")
                    _receive(response, destination, progress)
                    if instead := _instead_of_a_file(destination):
                        destination.unlink()
                        problem = f"the server answered {response.status_code} with {instead}"
                        continue
                    return Fetched(url=url, etag=_tag_of(response.headers))
            except _Endless as error:
                destination.unlink()
                raise _too_long(url) from error
            except (requests.RequestException, _BrokenOff) as error:
                problem = f"the transfer failed ({without_secrets(str(error))})"
            except OSError as error:
                raise _of_this_machine(url, error) from error
        raise SourceUnavailable(
            f"{url} could not be read in {ATTEMPTS} attempts: {problem}", "run the month again later"
        )

    def look(self, months: Sequence[str], deadline_seconds: float) -> dict[str, Sighting]:
        """See ``Source``. A HEAD for each month, and one for the zone lookup if a 403 or 404 came."""
        ends = time.monotonic() + deadline_seconds
        seen: dict[str, Sighting] = {}
        refusal_means: Sighting | None = None
        with requests.Session() as session:
            for month in months:
                if time.monotonic() >= ends:
                    break
                url = f"{self._root}/{tlc.trip_file_path(month)}"
                answer = _head(session, url, ends)
                if isinstance(answer, requests.Response) and answer.status_code in (403, 404):
                    refusal_means = refusal_means or self._what_refusal_means(session, url, answer.status_code, ends)
                    seen[month] = Sighting(refusal_means.state, url, why=refusal_means.why)
                else:
                    seen[month] = _sighting_of(url, answer)
                if seen[month].state in (Seen.THROTTLED, Seen.UNREACHABLE):
                    break
        return seen

    def _what_refusal_means(self, session: requests.Session, url: str, status: int, ends: float) -> Sighting:
        probe = _head(session, f"{self._root}/{tlc.ZONE_FILE_PATH}", ends)
        if isinstance(probe, str):
            return Sighting(Seen.UNREACHABLE, url, why=probe)
        if probe.status_code == 200:
            return Sighting(Seen.NOT_PUBLISHED, url, why=f"it answers {status} while the zone lookup is there")
        state = Seen.THROTTLED if probe.status_code in (403, 429) else Seen.UNREACHABLE
        return Sighting(state, url, why=f"it answers {status}, and the zone lookup {probe.status_code}")

    def _request(self, url: str, destination: Path, etag: str) -> requests.Response:
        headers = dict(_AS_IT_IS)
        if etag and destination.exists():
            headers |= {"Range": f"bytes={destination.stat().st_size}-", "If-Range": etag}
        return requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS, allow_redirects=False)

    def _refuse(self, url: str, response: requests.Response, month: str) -> None:
        """Raise what a status other than 200 and 206 means."""
        status = response.status_code
        if status in (200, 206):
            return
        if response.is_redirect:
            raise SourceUnavailable(
                f"{url} redirects to {response.headers['Location']}, which is not followed",
                "if the files lie there now, make it the address of the source (TAXI_SOURCE)",
            )
        if status in (403, 404) and month:
            probe = requests.head(f"{self._root}/{tlc.ZONE_FILE_PATH}", timeout=TIMEOUT_SECONDS)
            if probe.status_code == 200:
                raise NotPublishedYet(
                    f"{month} is not published yet: {url} answers {status} while the zone lookup is there",
                    "wait; the TLC publishes a month 38 to 63 days after it ends",
                )
            if status == 403:
                raise SourceUnavailable(
                    f"{self._root} refuses us: {url} answers 403, and the zone lookup {probe.status_code}",
                    "wait an hour and run the month again; the site throttles eager readers",
                )
        raise SourceUnavailable(
            f"{url} answers {status}", "check the address of the source (TAXI_SOURCE) and the month"
        )


def _not_as_asked(response: requests.Response) -> str:
    """How the answer differs from the bytes that were asked for; empty if it does not."""
    if (coding := response.headers.get("Content-Encoding", "identity")) != "identity":
        return f"Content-Encoding {coding}, which was not asked for"
    if not (length := response.headers.get("Content-Length", "0")).isdecimal() or len(length) > _DIGITS:
        return f"a Content-Length that is none ({length[:80]})"
    if response.status_code == 206:
        asked = (response.request.headers.get("Range") or "").removeprefix("bytes=")
        found = response.headers.get("Content-Range", "")
        if not asked or not found.startswith(f"bytes {asked}"):
            return f"the part {found[:80] or 'of no place'} of the file, not with {asked or 'all of it'}"
    return ""


def _more_than_a_file(response: requests.Response) -> bool:
    return int(response.headers.get("Content-Length", 0)) > MOST_BYTES


def _too_long(url: str) -> SourceUnavailable:
    return SourceUnavailable(
        f"{url} has more than {MOST_BYTES:,} bytes, which no month has",
        "check the address of the source (TAXI_SOURCE); nothing of it is kept",
    )


def _of_this_machine(url: str, error: OSError) -> SourceUnavailable:
    """What is wrong here, not there: requests has no number for a bundle of certificates that it does not find."""
    if error.errno is None:
        return SourceUnavailable(
            f"{url} cannot be asked: {without_secrets(str(error))}",
            "set REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE to a file of certificates, or leave them out",
        )
    return SourceUnavailable(f"{url} cannot be kept: {error}", "make room for temporary files, or set TMPDIR")


def _instead_of_a_file(path: Path) -> str:
    """What a server that is unwell has sent with a status that says that it is well; empty if it is a file."""
    with path.open("rb") as file:
        head = file.read(64)
    return error_page(head) if head else "nothing"


def _head(session: requests.Session, url: str, ends: float) -> requests.Response | str:
    """The answer to a HEAD, or why there is none. It is not tried again: the next look is soon enough."""
    seconds = min(LOOK_TIMEOUT_SECONDS, max(ends - time.monotonic(), 0.5))
    try:
        return session.head(url, headers=_AS_IT_IS, timeout=seconds, allow_redirects=False)
    except requests.RequestException as error:
        return f"it does not answer ({without_secrets(str(error))})"
    except OSError as error:
        return str(_of_this_machine(url, error))


def _sighting_of(url: str, answer: requests.Response | str) -> Sighting:
    """What any answer but a refusal means."""
    if isinstance(answer, str):
        return Sighting(Seen.UNREACHABLE, url, why=answer)
    if answer.status_code == 429:
        return Sighting(Seen.THROTTLED, url, why="it answers 429")
    if answer.is_redirect:
        return Sighting(Seen.UNREACHABLE, url, why=f"it redirects to {answer.headers['Location']}")
    if answer.status_code != 200:
        return Sighting(Seen.UNREACHABLE, url, why=f"it answers {answer.status_code}")
    if instead := _not_as_asked(answer):
        return Sighting(Seen.UNREACHABLE, url, why=f"it answers with {instead}")
    if answer.headers.get("Content-Type", "").startswith("text/html"):
        return Sighting(Seen.UNREACHABLE, url, why="a web page is in its place")
    if answer.headers.get("Content-Type", "").startswith("application/json"):
        return Sighting(Seen.UNREACHABLE, url, why="a JSON answer is in its place")
    return Sighting(Seen.THERE, url, _tag_of(answer.headers), int(answer.headers.get("Content-Length", 0)))


def _tag_of(headers: Mapping[str, str]) -> str:
    """The ETag without its quotes, else size and time of change, as far as the server tells them."""
    if etag := headers.get("ETag", "").removeprefix("W/").strip('"'):
        return etag
    return "-".join(filter(None, (headers.get("Content-Length"), headers.get("Last-Modified"))))


def _receive(response: requests.Response, destination: Path, progress: Progress) -> None:
    """Append a partial answer to ``destination``, or write a whole one; _BrokenOff if bytes are missing."""
    resumed = response.status_code == 206
    done = destination.stat().st_size if resumed else 0
    length = response.headers.get("Content-Length")
    total = done + int(length) if length else 0
    with destination.open("ab" if resumed else "wb") as file:
        for chunk in response.iter_content(CHUNK_BYTES):
            file.write(chunk)
            done += len(chunk)
            if done > MOST_BYTES:
                raise _Endless
            progress(done, total)
    if total and done != total:
        raise _BrokenOff(f"{done} of {total} bytes arrived")
