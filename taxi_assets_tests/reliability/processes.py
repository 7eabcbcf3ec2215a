"""Real processes that are killed: started, found again with all that they started, ended without a word.

Belongs here: starting, killing, and whether one is left. Does not: what they do (``scenarios``), what holds afterwards
(``invariants``). Linux: what a process started is told by its environment, in /proc.

They are forked from a server that has imported everything, so that a kill costs no six seconds of imports.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType

from sqlalchemy import event
from sqlalchemy.engine import Engine

from taxi_assets_tests.conftest import do_not_wait

MARK = "TAXI_TEST_SCENARIO"
_PROC = Path("/proc")
_IMPORTED = (
    *("taxi_assets_tests.reliability.scenarios", "taxi_assets_tests.reliability.traps", "taxi_assets.cli.main"),
    *("pyiceberg.catalog.sql", "pyiceberg.io.pyarrow", "plotly.graph_objects", "rich.progress", "upath"),
)
LEFT_SECONDS = 60.0
"""Within which what a killed process started has to end by itself; jobs and engine stop within a second or two."""

Preparation = Callable[[], object]
"""Done in the new process before its work: a limit, a trap. Can be pickled."""


class Scenario:
    """A process that does ``work``, and all that it starts; its output goes to ``log``."""

    def __init__(self, work: Callable[[], object], log: Path, before: Sequence[Preparation] = ()) -> None:
        self.log, self.mark = log, uuid.uuid4().hex
        self.begun = time.monotonic()
        context = multiprocessing.get_context("forkserver")
        self.process: BaseProcess = context.Process(target=_be, args=(self.mark, str(log), work, list(before)))
        with _without_a_script():
            self.process.start()

    @property
    def is_over(self) -> bool:
        """Whether the process itself has ended."""
        return not self.process.is_alive()

    def wait(self, seconds: float | None = None) -> int | None:
        """Exit code, negative for a signal; None if it still runs after ``seconds``."""
        self.process.join(seconds)
        return self.process.exitcode

    def started(self, program: str = "") -> list[int]:
        """Processes that it has started and that live, those alone whose command line has ``program``."""
        return [pid for pid in marked(self.mark) if program in _read(pid, "cmdline").replace("\0", " ")]

    def kill(self) -> None:
        """The process alone, as an out-of-memory killer does."""
        if self.process.pid is not None and not self.is_over:
            self.process.kill()

    def kill_all(self) -> None:
        """The process and all that it started, as a machine that loses its power."""
        self.kill()
        for pid in self.started():
            kill(pid)

    def left(self) -> list[str]:
        """Command lines of what still lives of it, after having waited for its end."""
        deadline = time.monotonic() + LEFT_SECONDS
        while (living := self.started()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return [_read(pid, "cmdline").replace("\0", " ") for pid in living]


@contextlib.contextmanager
def _without_a_script() -> Iterator[None]:
    """A new process runs its parent's main script first. After a test of Streamlit that is a script which is gone."""
    main = sys.modules["__main__"]
    if getattr(main, "__spec__", None) is None:
        sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def prepare() -> None:
    """Have the server import what scenarios do; before the first of them."""
    multiprocessing.get_context("forkserver").set_forkserver_preload(list(_IMPORTED))


def kill(pid: int) -> None:
    """SIGKILL, if it is not gone already."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def marked(mark: str) -> list[int]:
    """Processes that were started, at whatever remove, by the scenario with this mark; not that process itself."""
    wanted = f"{MARK}={mark}"
    return [
        int(entry.name)
        for entry in _PROC.iterdir()
        if entry.name.isdigit() and wanted in _read(int(entry.name), "environ").split("\0")
    ]


def _read(pid: int, what: str) -> str:
    """A file of a process; empty if it has gone, has ended, or is another user's."""
    try:
        return (_PROC / str(pid) / what).read_text(errors="replace")
    except OSError:
        return ""


def _be(mark: str, log: str, work: Callable[[], object], before: Sequence[Preparation]) -> None:
    os.setsid()
    os.environ[MARK] = mark
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(output, stream.fileno())
    # A process that dies loses nothing that it has written: only a machine without power would.
    event.listen(Engine, "connect", do_not_wait)
    for prepare_it in before:
        prepare_it()
    work()
