"""moto's server on a free port of 127.0.0.1, with a recorder and the injected faults before it.

Belongs here: the way of a request to moto. Does not: what moto lacks (``glue_api``, ``glue_runs``).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server
from werkzeug.wsgi import get_input_stream

from taxi_assets_tests.emulators.faults import AwsError, Faults, answer
from taxi_assets_tests.emulators.recording import ApiCall, CallLog, describe


class Application:
    """The WSGI application: recorded, refused or made to fail if asked to, else answered by moto."""

    def __init__(self, calls: CallLog, faults: Faults) -> None:
        self.before: list[Callable[[ApiCall], None]] = []
        self.stand_ins: dict[str, Callable[[ApiCall, dict[str, Any]], dict[str, Any]]] = {}
        """By service, what answers a JSON call in moto's place."""
        self.refusal: Callable[[ApiCall, dict[str, Any]], AwsError | None] = lambda _call, _environ: None
        """The error that answers a call of somebody who may not make it."""
        self._calls = calls
        self._faults = faults
        self._moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        call = describe(environ)
        if call is not None:
            self._calls.add(call)
            error = self.refusal(call, environ) or self._faults.meet(call)
            if error is not None:
                _drain(environ)
                return answer(error, call, environ, start_response)
            for prepare in self.before:
                prepare(call)
            if (lost := self._faults.loses_answer(call)) is not None:
                for _ in self._moto(environ, lambda *_: None):
                    pass
                return answer(lost, call, environ, start_response)
            if (stand_in := self.stand_ins.get(call.service)) is not None:
                return _as_json(stand_in(call, json.load(get_input_stream(environ))), start_response)
        answered: Iterable[bytes] = self._moto(environ, start_response)
        return answered


def _as_json(said: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response(
        "400 Bad Request" if "__type" in said else "200 OK", [("Content-Type", "application/x-amz-json-1.1")]
    )
    return [json.dumps(said).encode()]


def _drain(environ: dict[str, Any]) -> None:
    """Read the request to its end: what is left of it would be taken for the next one of the connection."""
    stream = get_input_stream(environ)
    while stream.read(1 << 16):
        pass


class _Handler(MotoRequestHandler):
    # Head and body of an answer are two writes: with Nagle's algorithm the second waits for the peer's delayed
    # acknowledgement, 40 ms a call.
    disable_nagle_algorithm = True

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  # the name that werkzeug gives it
        """Say nothing: the calls are in the call log."""


@contextmanager
def serving(application: Application, port: int) -> Iterator[str]:
    """A running server, a thread per connection; yields its address."""
    server = make_server("127.0.0.1", port, application, threaded=True, request_handler=_Handler)
    thread = threading.Thread(target=server.serve_forever, name="moto", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
