"""Misbehaviour on demand: errors of AWS, runs that end badly by themselves, things that happen between two calls.

Belongs here: what was asked for and its use, once; how an error of AWS looks on the wire. Does not: knowing what a
request is (``recording``), running jobs (``glue_runs``).
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from xml.sax.saxutils import escape

from taxi_assets_tests.emulators.recording import ApiCall
from taxi_assets_tests.support.waiting import HANGS_AFTER


@dataclass(frozen=True)
class AwsError:
    """An answer that is an error of AWS."""

    code: str
    message: str
    status: int


@dataclass(frozen=True)
class RunEnd:
    """How a run is to end without its script."""

    state: str
    message: str


@dataclass
class _Fault:
    service: str
    action: str
    resource_contains: str
    times: int
    does: AwsError | Callable[[], object]

    def concerns(self, call: ApiCall) -> bool:
        named = (self.service, self.action) == (call.service, call.action)
        return named and any(self.resource_contains in resource for resource in (call.resource, *call.others))


@dataclass
class Share:
    """Each ``nth`` of the ``calls`` of ``service`` is answered with ``error``."""

    service: str
    nth: int
    error: AwsError
    calls: int = 0


class Held:
    """Calls that wait: ``arrived`` says that one has come, ``let_go`` answers them, and any that come later."""

    def __init__(self) -> None:
        self.arrived = threading.Event()
        self._let_go = threading.Event()

    def let_go(self) -> None:
        """Answer what waits."""
        self._let_go.set()

    def wait(self) -> None:
        """Be a call."""
        self.arrived.set()
        self._let_go.wait(HANGS_AFTER)


class Faults:
    """What is to go wrong; each fault is used up by as many calls as it was asked for."""

    def __init__(self) -> None:
        self._faults: list[_Fault] = []
        self._ends: list[tuple[str, RunEnd]] = []
        self._lost: list[tuple[str, str]] = []
        self._share: Share | None = None
        self._lock = threading.Lock()

    def throttle(self, service: str, action: str, times: int = 1) -> None:
        """Refuse the next calls as too many."""
        if service == "s3":
            self.fail(service, action, "SlowDown", "Please reduce your request rate.", 503, times)
        else:
            self.fail(service, action, "ThrottlingException", "Rate exceeded", 400, times)

    def fail(
        self,
        service: str,
        action: str,
        code: str,
        message: str,
        status: int = 400,
        times: int = 1,
        resource_contains: str = "",
    ) -> None:
        """Answer the next calls with this error, those alone whose resource contains ``resource_contains``."""
        self._add(_Fault(service, action, resource_contains, times, AwsError(code, message, status)))

    def fail_each(self, nth: int, service: str, code: str, message: str, status: int) -> Share:
        """Answer each ``nth`` call of the service with this error, whatever it asks for, until ``clear``."""
        with self._lock:
            self._share = Share(service, nth, AwsError(code, message, status))
            return self._share

    def lose_answer(self, service: str, action: str) -> None:
        """Carry the next such call out, and answer that something went wrong inside AWS."""
        with self._lock:
            self._lost.append((service, action))

    def before(
        self,
        service: str,
        action: str,
        callback: Callable[[], object],
        times: int = 1,
        resource_contains: str = "",
    ) -> None:
        """Call ``callback`` when the next such calls have arrived, before they are carried out."""
        self._add(_Fault(service, action, resource_contains, times, callback))

    @contextmanager
    def holding(self, service: str, action: str, resource_contains: str = "") -> Iterator[Held]:
        """Keep all such calls waiting until they are let go, or the block ends.

        A client that loses patience and sends its call again waits again: the test does not depend on its timeouts.
        """
        held = Held()
        self.before(service, action, held.wait, sys.maxsize, resource_contains)
        try:
            yield held
        finally:
            held.let_go()
            with self._lock:
                self._faults = [fault for fault in self._faults if fault.does != held.wait]

    def end_run(self, job: str, state: str, message: str = "") -> None:
        """Let the next run of ``job`` end as ``state`` without running its script."""
        with self._lock:
            self._ends.append((job, RunEnd(state, message)))

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        with self._lock:
            self._faults.clear()
            self._ends.clear()
            self._lost.clear()
            self._share = None

    def meet(self, call: ApiCall) -> AwsError | None:
        """Do what was asked for before ``call``; the error to answer it with, if one is."""
        due = self._take(call)
        for fault in due:
            if not isinstance(fault, AwsError):
                fault()
        return next((fault for fault in due if isinstance(fault, AwsError)), self._of_share(call))

    def loses_answer(self, call: ApiCall) -> AwsError | None:
        """What to answer instead of what ``call`` came to; None for that."""
        with self._lock:
            if (call.service, call.action) not in self._lost:
                return None
            self._lost.remove((call.service, call.action))
            return AwsError("InternalServiceException", "the answer was lost", 500)

    def take_end(self, job: str) -> RunEnd | None:
        """How the run of ``job`` that now begins is to end, if that was asked for."""
        with self._lock:
            for entry in self._ends:
                if entry[0] == job:
                    self._ends.remove(entry)
                    return entry[1]
        return None

    def _of_share(self, call: ApiCall) -> AwsError | None:
        with self._lock:
            if self._share is None or self._share.service != call.service:
                return None
            self._share.calls += 1
            return None if self._share.calls % self._share.nth else self._share.error

    def _add(self, fault: _Fault) -> None:
        with self._lock:
            self._faults.append(fault)

    def _take(self, call: ApiCall) -> list[AwsError | Callable[[], object]]:
        """All callbacks that are due, and the first error alone: the second is for the next call."""
        due: list[AwsError | Callable[[], object]] = []
        with self._lock:
            for fault in self._faults:
                if not fault.concerns(call) or (isinstance(fault.does, AwsError) and _has_error(due)):
                    continue
                fault.times -= 1
                due.append(fault.does)
            self._faults = [fault for fault in self._faults if fault.times > 0]
        return due


def _has_error(due: list[AwsError | Callable[[], object]]) -> bool:
    return any(isinstance(fault, AwsError) for fault in due)


def answer(error: AwsError, call: ApiCall, environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """The WSGI answer that is ``error``, in the protocol that the caller speaks."""
    code, message = escape(error.code), escape(error.message)
    content_type, more = "application/xml", [("x-amzn-ErrorType", error.code)]
    body: str | bytes
    if call.service == "s3":
        body = f"<Error><Code>{code}</Code><Message>{message}</Message><RequestId>emulated</RequestId></Error>"
    elif environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        body = f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
    elif (protocol := environ.get("HTTP_SMITHY_PROTOCOL")) == "rpc-v2-cbor":
        content_type, more = "application/cbor", [*more, ("smithy-protocol", protocol)]
        body = _cbor({"__type": error.code, "message": error.message})
    else:
        content_type = "application/x-amz-json-1.1"
        body = json.dumps({"__type": error.code, "message": error.message})
    content = body.encode() if isinstance(body, str) else body
    content = b"" if environ["REQUEST_METHOD"] == "HEAD" else content
    headers = [("Content-Type", content_type), ("Content-Length", str(len(content))), *more]
    start_response(f"{error.status} {HTTPStatus(error.status).phrase}", headers)
    return [content]


def _cbor(texts: dict[str, str]) -> bytes:
    """A map of texts, fewer than 24, each shorter than 64 KiB, in CBOR (RFC 8949)."""
    parts = (text.encode() for pair in texts.items() for text in pair)
    return bytes([0xA0 + len(texts)]) + b"".join(b"\x79" + len(part).to_bytes(2, "big") + part for part in parts)
