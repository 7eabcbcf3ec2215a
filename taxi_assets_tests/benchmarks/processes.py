"""What a benchmark measures of a process and all that it starts.

Belongs here: seconds, processor seconds, memory of a process tree. Does not: what is run.
"""

from __future__ import annotations

import os
import resource
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_SECONDS_BETWEEN_LOOKS = 0.05


@dataclass
class Measured:
    """Wall ``seconds``, processor seconds (``cpu``) of the processes that ended meanwhile, ``peak`` memory in MiB."""

    seconds: float = 0.0
    cpu: float = 0.0
    peak: float = 0.0


@contextmanager
def measuring() -> Iterator[Measured]:
    """Measures the processes that the block starts; the numbers are there when it is over.

    On another machine load only the processor's seconds are alike. Peak memory is the resident memory of all
    descendants together, looked at every 50 ms (Linux): pages that they share count for each.
    """
    found, before, begun = Measured(), _processor_seconds(), time.monotonic()
    peaks = Peaks()
    try:
        yield found
    finally:
        found.seconds, found.cpu = time.monotonic() - begun, _processor_seconds() - before
        found.peak = peaks.take()
        peaks.stop()


class Peaks:
    """Looks at the memory of this process's descendants until it is stopped."""

    def __init__(self) -> None:
        self._peak = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def take(self) -> float:
        """MiB at their largest since this was asked last."""
        peak, self._peak = self._peak, 0.0
        return peak

    def stop(self) -> None:
        """Look no more."""
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(_SECONDS_BETWEEN_LOOKS):
            self._peak = max(self._peak, _resident_mib())


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _resident_mib() -> float:
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,rss=,comm="], capture_output=True, text=True, check=True).stdout
    children: dict[int, list[tuple[int, float]]] = {}
    for line in listed.splitlines():
        process, parent, resident, name = line.split(None, 3)
        if name != "ps":
            children.setdefault(int(parent), []).append((int(process), float(resident) / 1024))
    total, waiting = 0.0, [os.getpid()]
    while waiting:
        for process_id, mib in children.get(waiting.pop(), []):
            total += mib
            waiting.append(process_id)
    return total
