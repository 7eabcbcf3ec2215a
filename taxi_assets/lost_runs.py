"""Dagster runs whose process was killed: Dagster itself takes them for running until they are too old.

Belongs here: telling them, and reporting them as failed. Does not: what they left running (``jobs``).

A run's process holds a lock on a file of its own in the instance's folder. The kernel takes a lock back however its
process ends, also with the machine; so there is no question of a process number that another process has by now.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import IO

import dagster as dg
from dagster import DagsterRunStatus

ACTIVE = [DagsterRunStatus.QUEUED, DagsterRunStatus.STARTING, DagsterRunStatus.STARTED]
"""What an unfinished run's status may be."""
_LOCKS, _ENDED = "living", ".ended"
_held: dict[Path, IO[str]] = {}
"""The files whose locks this process holds, by what they are called once their run's work is done."""
KILLED = "its process was killed, or ended with the machine; nothing is half published, readers see what they saw"


@contextlib.contextmanager
def known_to_live(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """Hold the lock of a run that this process executes.

    It is held until the process ends, or ``report_lost`` sees that Dagster has the run's end in its books: that is
    written after this, and on a full disk it is not.
    """
    lock = _lock_of(instance, run_id)
    lock.parent.mkdir(exist_ok=True)
    unseen, ended = lock.with_suffix(".new"), lock.with_suffix(_ENDED)
    _held[ended] = held = unseen.open("w")
    fcntl.flock(held, fcntl.LOCK_EX)
    unseen.replace(lock)  # locked before anybody looks
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):  # the instance's folder was deleted meanwhile
            lock.replace(ended)


def is_lost(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether the process of an unfinished run is gone; False if it never had a lock here, as on another machine."""
    lock = _lock_of(instance, run.run_id)
    return not run.is_finished and (_is_let_go(lock) or _is_let_go(lock.with_suffix(_ENDED)))


def _is_let_go(lock: Path) -> bool:
    """Whether nobody holds the lock any more; False if there is none."""
    try:
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (FileNotFoundError, BlockingIOError):
        return False
    return True


def at_work_since(home: Path) -> datetime | None:
    """When the oldest run began (UTC) that a process of this machine is at work on; None if there is none.

    ``home`` is the instance's folder. By the locks alone: a run that slept for days with its laptop is ended in
    Dagster's books, and goes on.
    """
    begun = []
    for lock in Path(home, _LOCKS).glob("*"):
        if lock.suffix == _ENDED:
            continue
        with contextlib.suppress(FileNotFoundError):  # the run has just ended
            if not _is_let_go(lock):
                begun.append(lock.stat().st_mtime)
    return datetime.fromtimestamp(min(begun), timezone.utc) if begun else None


def report_lost(instance: dg.DagsterInstance) -> list[str]:
    """Report the lost runs as failed, so that the queue goes on and sensors ask for them again; returns their ids."""
    lost = [run for run in instance.get_runs(dg.RunsFilter(statuses=ACTIVE)) if is_lost(instance, run)]
    for run in lost:
        instance.report_run_failed(run, KILLED)
        _lock_of(instance, run.run_id).unlink(missing_ok=True)
    for ended in Path(instance.root_directory, _LOCKS).glob(f"*{_ENDED}"):
        of_run = instance.get_run_by_id(ended.stem)
        if of_run is None or of_run.is_finished:
            ended.unlink(missing_ok=True)
            if held := _held.pop(ended, None):
                held.close()
    return [run.run_id for run in lost]


def _lock_of(instance: dg.DagsterInstance, run_id: str) -> Path:
    return Path(instance.root_directory, _LOCKS, run_id)
