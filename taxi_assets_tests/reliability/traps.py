"""Dying at a chosen write: what a clock seldom hits, the instant between two of them, is hit each time.

Belongs here: counting what a process writes below a lake, and ending it before the one that was chosen. Does not: kills
by the clock (``campaign``).
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from glue_jobs.files import open_file_system
from taxi_assets.lake import texts
from taxi_assets_tests.reliability.processes import MARK, kill, marked

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir")
_OF_PYARROW = ("create_dir", "open_output_stream", "move")


@dataclass
class Trap:
    """Ends this process, with ``whole`` all that it started too, before its ``number``-th write below ``lake``.

    Writes are files opened for writing, renamed, deleted, folders made, and commits to ``catalog.db``, of this process
    alone; those of Dagster's own files do not count. With 0 none is the last, and their number is written to ``told``.
    """

    lake: str
    number: int
    told: str
    whole: bool = False
    seen: int = 0

    def __call__(self) -> None:
        """Set it."""
        sys.addaudithook(self._hear)
        event.listen(Engine, "commit", self._commit)
        opened = open_file_system

        def watched(uri: str) -> tuple[Any, str]:
            system, path = opened(uri)
            return _Watched(system, self), path

        vars(texts)["open_file_system"] = watched

    def _hear(self, what: str, arguments: tuple[Any, ...]) -> None:
        if (what == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITES) or what in _CHANGES:
            self.announce(str(arguments[0]))

    def _commit(self, connection: Connection) -> None:
        self.announce(str(connection.engine.url.database))

    def announce(self, path: str) -> None:
        """A write to ``path`` is about to happen."""
        if not path.startswith(f"{self.lake}/") or "/.dagster/" in path:
            return
        self.seen += 1
        if not self.number:
            Path(self.told).write_text(str(self.seen))
        if self.seen == self.number:
            if self.whole:
                for pid in marked(os.environ[MARK]):
                    kill(pid)
            os.kill(os.getpid(), signal.SIGKILL)


class _Watched:
    """A file system of PyArrow, whose writes Python does not announce."""

    def __init__(self, system: Any, trap: Trap) -> None:
        self._system, self._trap = system, trap

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._system, name)
        if name not in _OF_PYARROW:
            return method

        def announced(*arguments: Any, **named: Any) -> Any:
            self._trap.announce(str(arguments[0]))
            return method(*arguments, **named)

        return announced
