"""Months run in processes beside each other, each of which runs one after the other.

Belongs here: giving months to processes, and what becomes of them. Does not: which months (``backfill``, ``rebuild``),
or running one (``run_month``).

A process ends with the one that began it, however that ends, and so do the job and the engine that it has begun: each
reads its months from a pipe, and the pipe's end interrupts the month that it is at.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Generator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from taxi_assets.operations.run_month import MonthResult

_BEGIN_AGAIN = "What to do: begin again, with fewer --jobs"

Run = Callable[[str], MonthResult]
"""Runs a month. For other processes it has to be one that pickle takes: no lambda, no open catalog."""


def each(months: Sequence[str], run: Run, jobs: int) -> Generator[MonthResult, None, None]:
    """Run the months, ``jobs`` at a time, and give each result as it comes; of one alone in this process.

    They are begun in order. Closed before its end, it interrupts what is under way, and returns when that has ended.
    """
    if jobs == 1:
        yield from map(run, months)
        return
    left = list(reversed(months))
    workers = [_Worker(run) for _ in range(min(jobs, len(months)))]
    try:
        for worker in workers:
            worker.give(left.pop())
        while at_work := [worker for worker in workers if worker.month]:
            heard = wait([worker.pipe for worker in at_work])
            for worker in (worker for worker in at_work if worker.pipe in heard):
                yield worker.result()
                if left and worker.process.is_alive():
                    worker.give(left.pop())
        # Only if each of the processes was killed; the months are not lost in silence.
        ended = "not begun, because every process that was to run it has ended"
        yield from (MonthResult(month, error=f"{ended}. {_BEGIN_AGAIN}") for month in left)
    finally:
        for worker in workers:
            worker.pipe.close()
        for worker in workers:
            worker.process.join()


class _Worker:
    """A process that runs the months it is given; ``month`` is the one that it is at, empty if it waits."""

    def __init__(self, run: Run) -> None:
        self.month = ""
        self.pipe, theirs = multiprocessing.Pipe()
        # No copy of this process, which has threads: one that was forked may hold a lock of theirs for ever.
        self.process: BaseProcess = multiprocessing.get_context("spawn").Process(target=_work, args=(theirs, run))
        self.process.start()
        theirs.close()  # so that the pipe ends when the process does

    def give(self, month: str) -> None:
        """Have it run a month."""
        self.month = month
        with contextlib.suppress(BrokenPipeError):  # it was killed, which its result says
            self.pipe.send(month)

    def result(self) -> MonthResult:
        """What became of its month, which is waited for."""
        month, self.month = self.month, ""
        try:
            result: MonthResult = self.pipe.recv()
        except (EOFError, ConnectionError):
            self.process.join()
            code = self.process.exitcode
            killed = "; the machine ran out of memory, or somebody killed it" if code == -signal.SIGKILL else ""
            said = f"the process that ran it ended with exit code {code}{killed}"
            return MonthResult(month, error=f"{said}. {_BEGIN_AGAIN}")
        return result


def _work(pipe: Connection, run: Run) -> None:
    """Be a worker: run each month that comes, until the pipe ends."""
    os.setsid()  # Ctrl-C is for the command, which then closes the pipe: a second interrupt would break a clean-up
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for a month, and there is none yet
    months: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_hear, args=(pipe, months), daemon=True).start()
    while month := months.get():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            result = run(month)
        except KeyboardInterrupt:
            result = MonthResult(month, error="interrupted; nothing is half published", interrupted=True)
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        with contextlib.suppress(OSError):  # nobody is left to hear it
            pipe.send(result)


def _hear(pipe: Connection, months: queue.SimpleQueue[str]) -> None:
    """Take the months from the pipe; at its end, interrupt the one that is run, and let the worker end."""
    with contextlib.suppress(EOFError, OSError):
        while True:
            months.put(pipe.recv())
    months.put("")
    os.kill(os.getpid(), signal.SIGINT)
