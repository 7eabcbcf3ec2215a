"""A stand-in for the TLC's site on a free port of 127.0.0.1: real HTTP, and misbehaviour on demand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from glue_jobs.sources import http

Behaviour = Callable[[BaseHTTPRequestHandler], bool]
"""Answers a request itself and returns True, or returns False to let the site answer."""


@dataclass
class TlcSite:
    """Serves ``folder``. A path that is not there answers 403, as the TLC's does.

    ``misbehave`` comes first, one behaviour for each request; ``always`` is for all requests until it is taken away.
    An ETag is a hash of the content and of ``touched``, by path.
    """

    folder: Path
    address: str = ""
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    misbehave: list[Behaviour] = field(default_factory=list)
    always: Behaviour | None = None
    touched: dict[str, int] = field(default_factory=dict)

    def etag(self, path: str) -> str:
        """The ETag of what is served below ``path``, without quotes."""
        return _etag_of((self.folder / path).read_bytes(), self.touched.get(path, 0))


def _etag_of(content: bytes, touched: int = 0) -> str:
    return md5(content + b"touched" * touched, usedforsecurity=False).hexdigest()


@contextmanager
def serving(folder: Path) -> Iterator[TlcSite]:
    """A running site. Who asks it waits ten minutes for an answer, however busy the machine is."""
    site = TlcSite(folder)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, with_body: bool) -> None:
            site.requests.append((self.command, self.path, self.headers.get("Range")))
            if site.misbehave and site.misbehave.pop(0)(self):
                return
            if site.always is not None and site.always(self):
                return
            path = site.folder / self.path.lstrip("/")
            if not path.is_file():
                send(self, 403, b"<Error><Code>AccessDenied</Code></Error>", with_body=with_body)
                return
            body, etag = path.read_bytes(), f'"{site.etag(self.path.lstrip("/"))}"'
            wanted = self.headers.get("Range")
            if wanted and self.headers.get("If-Range") == etag:
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
                send(self, 206, body[start:], etag, with_body, place=f"bytes {start}-{len(body) - 1}/{len(body)}")
            else:
                send(self, 200, body, etag, with_body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    site.address = f"http://127.0.0.1:{server.server_port}"
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(http, "LOOK_TIMEOUT_SECONDS", 600.0)
            yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def send(
    handler: BaseHTTPRequestHandler,
    status: int,
    body: bytes,
    etag: str = "",
    with_body: bool = True,
    content_type: str = "binary/octet-stream",
    place: str = "",
) -> None:
    """One whole answer; ``place`` is the Content-Range of a part."""
    handler.send_response(status)
    if place:
        handler.send_header("Content-Range", place)
    handler.send_header("Content-Length", str(len(body)))
    handler.send_header("Content-Type", content_type)
    if etag:
        handler.send_header("ETag", etag)
    handler.end_headers()
    if with_body:
        handler.wfile.write(body)


def status(code: int) -> Behaviour:
    """Answer ``code`` once."""

    def behave(handler: BaseHTTPRequestHandler) -> bool:
        send(handler, code, b"")
        return True

    return behave


@dataclass
class Stopwatch:
    """The clock of a look: it stands still but for the answers of the site, each of which takes ``seconds`` of it."""

    seconds: float
    now: float = 0.0

    def start(self, patch: pytest.MonkeyPatch, site: TlcSite) -> None:
        """Have looks go by this clock, and ``site`` take that long."""
        patch.setattr(http, "time", SimpleNamespace(monotonic=lambda: self.now, sleep=time.sleep))
        site.always = self._pass

    def _pass(self, _: BaseHTTPRequestHandler) -> bool:
        self.now += self.seconds
        return False


def slow(seconds: float) -> Behaviour:
    """Wait before the answer."""

    def behave(handler: BaseHTTPRequestHandler) -> bool:
        time.sleep(seconds)
        return False

    return behave


def web_page(handler: BaseHTTPRequestHandler) -> bool:
    """Answer 200 with a web page, as a site under maintenance does."""
    body = b"<!DOCTYPE html><html><body>We will be right back.</body></html>"
    send(handler, 200, body, with_body=handler.command == "GET", content_type="text/html; charset=utf-8")
    return True


def break_off(folder: Path, after: int) -> Behaviour:
    """Announce the whole file, send ``after`` bytes of it, and hang up."""

    def behave(handler: BaseHTTPRequestHandler) -> bool:
        path = folder / handler.path.lstrip("/")
        body = path.read_bytes()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.send_header("ETag", f'"{_etag_of(body)}"')
        handler.end_headers()
        handler.wfile.write(body[:after])
        handler.close_connection = True
        return True

    return behave
