"""Redshift's wire protocol before a PostgreSQL: TLS, its start-up, and each statement in PostgreSQL's words.

Belongs here: messages (PostgreSQL documentation, "Frontend/Backend Protocol"). Does not: what the words are
(``redshift``).
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

_SSL_REQUEST = 80877103
_KEPT = (b"user", b"application_name", b"client_encoding")
"""Of what a client says when it starts; Redshift knows more than PostgreSQL."""
_OPTIONS = b"-c standard_conforming_strings=off -c escape_string_warning=off"
"""Redshift takes a backslash in a text for an escape."""
_VERSION = b"server_version\0008.0.2\0"


_SASL = struct.pack("!I", 10)
"""Begins the offer of ways to prove a password; one is bound to PostgreSQL's TLS, which ends here."""


@dataclass
class Statement:
    """A statement of ``user`` and what came of it; ``label`` is its query group, ``started`` seconds since 1970."""

    user: str
    sql: str
    label: str
    started: float
    seconds: float = 0.0
    rows: int | None = None
    error: str = ""


class Words(Protocol):
    """What puts statements into PostgreSQL's words and hears what came of them."""

    def in_postgres_words(self, sql: str, is_in_transaction: bool) -> str:
        """What PostgreSQL is given."""

    def log(self, said: Statement) -> None:
        """What came of a statement."""


@contextmanager
def proxying(words: Words, postgres_port: int, database: str, certificate: Path, key: Path) -> Iterator[int]:
    """A port of 127.0.0.1 that speaks as Redshift does and asks the PostgreSQL at ``postgres_port``."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    listening = socket.create_server(("127.0.0.1", 0))
    sessions: list[_Session] = []

    def accept() -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:  # closed: the block has ended
                return
            sessions.append(_Session(words, client, tls, postgres_port, database))

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()
        for session in sessions:
            session.close()


class _Session:
    """One client, and its connection to PostgreSQL."""

    def __init__(self, words: Words, client: socket.socket, tls: ssl.SSLContext, port: int, database: str) -> None:
        self._words = words
        self._client = client
        self._tls = tls
        self._port = port
        self._database = database.encode()
        self._server: socket.socket | None = None
        self._user = ""
        self._label = ""
        self._is_in_transaction = False
        self._statement: Statement | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End both connections."""
        for end in (self._client, self._server):
            if end is not None:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
        self._thread.join()

    def _serve(self) -> None:
        try:
            self._start()
            threading.Thread(target=self._answer, daemon=True).start()
            while True:
                kind, body = _message(self._client)
                if kind == b"P":
                    body = self._put(body)
                assert self._server is not None
                self._server.sendall(kind + struct.pack("!I", len(body) + 4) + body)
        except (ConnectionError, OSError, struct.error):
            self._hang_up()

    def _start(self) -> None:
        size, code = struct.unpack("!II", _exactly(self._client, 8))
        assert code == _SSL_REQUEST, "a client without TLS"
        self._client.sendall(b"S")
        self._client = self._tls.wrap_socket(self._client, server_side=True)
        size, code = struct.unpack("!II", _exactly(self._client, 8))
        parts = _exactly(self._client, size - 8).rstrip(b"\0").split(b"\0")
        said = dict(zip(parts[::2], parts[1::2], strict=True))
        self._user = said[b"user"].decode()
        kept = {name: said[name] for name in _KEPT if name in said}
        kept |= {b"database": self._database, b"options": _OPTIONS}
        body = b"".join(name + b"\0" + value + b"\0" for name, value in kept.items()) + b"\0"
        plain = socket.create_connection(("127.0.0.1", self._port))
        plain.sendall(struct.pack("!II", 8, _SSL_REQUEST))
        assert _exactly(plain, 1) == b"S"
        unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
        self._server = unverified.wrap_socket(plain)
        for end in (self._client, self._server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._server.sendall(struct.pack("!II", len(body) + 8, code) + body)

    def _put(self, body: bytes) -> bytes:
        """A Parse message in PostgreSQL's words."""
        name, sql, rest = body.split(b"\0", 2)
        text = sql.decode()
        if text.startswith("SET query_group TO "):
            self._label = text.removeprefix("SET query_group TO ").strip("'")
        self._statement = Statement(self._user, text, self._label, time.time())
        return name + b"\0" + self._words.in_postgres_words(text, self._is_in_transaction).encode() + b"\0" + rest

    def _answer(self) -> None:
        assert self._server is not None
        try:
            while True:
                kind, body = _message(self._server)
                if kind == b"S" and body.startswith(b"server_version\0"):
                    body = _VERSION
                elif kind == b"R" and body.startswith(_SASL):
                    body = _SASL + b"SCRAM-SHA-256\0"  # the client takes a second end for a way without name
                said = self._statement
                if said is not None and kind == b"C":
                    said.rows = int(body.rstrip(b"\0").split()[-1]) if body.startswith(b"SELECT") else None
                elif said is not None and kind == b"E":
                    said.error = next(part[1:].decode() for part in body.split(b"\0") if part.startswith(b"M"))
                if kind == b"Z":
                    self._is_in_transaction = body != b"I"
                    if said is not None and (said.error or said.rows is not None):
                        said.seconds = time.time() - said.started
                        self._statement = None
                        self._words.log(said)
                self._client.sendall(kind + struct.pack("!I", len(body) + 4) + body)
        except (ConnectionError, OSError, struct.error):
            self._hang_up()

    def _hang_up(self) -> None:
        for end in (self._client, self._server):
            if end is not None:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)


def _message(end: socket.socket) -> tuple[bytes, bytes]:
    kind, size = struct.unpack("!cI", _exactly(end, 5))
    return kind, _exactly(end, size - 4)


def _exactly(end: socket.socket, size: int) -> bytes:
    parts = b""
    while len(parts) < size:
        part = end.recv(size - len(parts))
        if not part:
            raise ConnectionError("the other end hung up")
        parts += part
    return parts
